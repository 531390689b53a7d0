//! The thread that writes the access log: it collects the workers' buffers at least ten times a second.
//!
//! A worker writes its lines into a buffer of its own, and never to a disk. When the disk does not keep
//! up and the buffer is full, lines are dropped and counted: calls go on.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::metrics::Metrics;

/// Bytes a worker may be ahead of the disk.
const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes after which the writer is woken before its time.
const BUFFER_BYTES_ENOUGH: usize = 256 * 1024;
/// How long a line stays in memory at most, a busy disk aside.
pub(super) const FLUSH_MS: u64 = 80;

/// Where the lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Stdout,
    /// Appended to; opened again by [`AccessLog::reopen`].
    File(PathBuf),
}

/// The access log of all workers.
pub struct AccessLog {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    buffers: Buffers,
    reopens: AtomicBool,
    closes: AtomicBool,
}

/// What the workers have written and the thread has not collected: one buffer for each.
pub(super) struct Buffers {
    of: Box<[Mutex<Buffer>]>,
    metrics: Arc<Metrics>,
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    lines: u64,
    /// The second that `time` spells.
    second: i64,
    time: String,
}

impl Buffers {
    pub fn new(workers: usize, metrics: Arc<Metrics>) -> Buffers {
        let of = (0..workers.max(1)).map(|_| Mutex::default()).collect();
        Buffers { of, metrics }
    }

    /// Adds a line. `write` gets the time of that second in the common log format. Says whether it is
    /// time to collect.
    pub fn append(
        &self,
        worker: usize,
        second: i64,
        write: impl FnOnce(&mut Vec<u8>, &str),
    ) -> bool {
        let mut buffer = lock(&self.of[worker % self.of.len()]);
        let Buffer { bytes, lines, .. } = &mut *buffer;
        if bytes.len() >= BUFFER_BYTES_MAX {
            self.metrics.log_lines_dropped(worker, 1);
            return false;
        }
        *lines += 1;
        let before = bytes.len();
        if buffer.second != second || buffer.time.is_empty() {
            buffer.time = common_log_time(second);
            buffer.second = second;
        }
        let Buffer { bytes, time, .. } = &mut *buffer;
        write(bytes, time);
        before < BUFFER_BYTES_ENOUGH && bytes.len() >= BUFFER_BYTES_ENOUGH
    }

    pub fn are_empty(&self) -> bool {
        self.of.iter().all(|buffer| lock(buffer).bytes.is_empty())
    }

    /// Writes all lines out, leaving empty buffers. Gives back one of those written, to be used again.
    pub fn collect(&self, output: &mut Output, mut spare: Vec<u8>) -> Vec<u8> {
        for (worker, buffer) in self.of.iter().enumerate() {
            spare.clear();
            let lines = {
                let mut buffer = lock(buffer);
                std::mem::swap(&mut buffer.bytes, &mut spare);
                std::mem::take(&mut buffer.lines)
            };
            if !spare.is_empty() && !output.write(&spare) {
                self.metrics.log_lines_dropped(worker, lines);
            }
        }
        spare
    }
}

impl AccessLog {
    /// Opens the target and starts the writer. Errors are the target's.
    pub fn start(target: Target, workers: usize, metrics: Arc<Metrics>) -> io::Result<AccessLog> {
        let output = Output::open(target)?;
        let shared = Arc::new(Shared {
            buffers: Buffers::new(workers, metrics),
            reopens: AtomicBool::new(false),
            closes: AtomicBool::new(false),
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            output,
        };
        let thread = std::thread::Builder::new()
            .name("tollgate-access-log".to_owned())
            .spawn(move || writer.run())?;
        Ok(AccessLog {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Adds a line to a worker's buffer. `write` gets the time of that second in the common log format.
    pub fn append(&self, worker: usize, second: i64, write: impl FnOnce(&mut Vec<u8>, &str)) {
        if self.shared.buffers.append(worker, second, write) {
            self.wake();
        }
    }

    /// Opens the file anew, for log rotation. Lines go to the old one until the new one is open.
    pub fn reopen(&self) {
        self.shared.reopens.store(true, Ordering::Release);
        self.wake();
    }

    /// Writes what there is and stops. What is added later is lost.
    pub fn close(&self) {
        self.shared.closes.store(true, Ordering::Release);
        self.wake();
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            let _ = thread.join(); // a panic of the writer's has been reported where it happened
        }
    }

    fn wake(&self) {
        if let Some(thread) = &*lock(&self.thread) {
            thread.thread().unpark();
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.close();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Such as `10/Oct/2000:13:55:36 +0000`.
pub fn common_log_time(second: i64) -> String {
    let time = jiff::Timestamp::from_second(second).unwrap_or_default();
    time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string()
}

fn open(target: &Target) -> io::Result<Box<dyn Write + Send>> {
    match target {
        Target::Stdout => Ok(Box::new(io::stdout())),
        Target::File(path) => {
            let mut options = OpenOptions::new();
            // Who called what from where is nobody else's business.
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let file: File = options.append(true).create(true).open(path)?;
            Ok(Box::new(file))
        }
    }
}

/// A target that is open.
pub(super) struct Output {
    target: Target,
    to: Box<dyn Write + Send>,
    is_failing: bool,
    /// The last write ended in the middle of a line.
    is_torn: bool,
}

impl Output {
    pub fn open(target: Target) -> io::Result<Output> {
        Ok(Output {
            to: open(&target)?,
            target,
            is_failing: false,
            is_torn: false,
        })
    }

    pub fn reopen(&mut self) {
        match open(&self.target) {
            Ok(to) => self.to = to,
            Err(error) => {
                tracing::error!(%error, target = ?self.target, "the access log cannot be opened again")
            }
        }
    }

    /// Writes lines; says whether they were written.
    fn write(&mut self, lines: &[u8]) -> bool {
        let torn_end: &[u8] = if self.is_torn { b"\n" } else { b"" };
        let written = self
            .to
            .write_all(torn_end)
            .and_then(|()| self.to.write_all(lines));
        match written.and_then(|()| self.to.flush()) {
            Ok(()) => (self.is_failing, self.is_torn) = (false, false),
            Err(error) => {
                if !self.is_failing {
                    tracing::error!(%error, target = ?self.target, "the access log cannot be written");
                }
                (self.is_failing, self.is_torn) = (true, true);
            }
        }
        !self.is_failing
    }
}

struct Writer {
    shared: Arc<Shared>,
    output: Output,
}

impl Writer {
    fn run(mut self) {
        let mut spare = Vec::new();
        loop {
            let closes = self.shared.closes.load(Ordering::Acquire);
            if self.shared.reopens.swap(false, Ordering::AcqRel) {
                self.output.reopen();
            }
            spare = self.shared.buffers.collect(&mut self.output, spare);
            if closes {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(FLUSH_MS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(path: PathBuf) -> AccessLog {
        AccessLog::start(Target::File(path), 2, Arc::new(Metrics::new(2))).unwrap()
    }

    fn line(log: &AccessLog, worker: usize, text: &str) {
        log.append(worker, 971_186_136, |line, time| {
            let _ = writeln!(line, "{time} {text}");
        });
    }

    #[test]
    fn lines_of_all_workers_are_in_the_file_after_close() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        std::fs::write(&path, "before\n").unwrap();
        let log = started(path.clone());
        line(&log, 0, "a");
        line(&log, 1, "b");
        log.close();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            text,
            "before\n10/Oct/2000:13:55:36 +0000 a\n10/Oct/2000:13:55:36 +0000 b\n"
        );
    }

    #[test]
    fn after_a_rotation_lines_go_to_the_new_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("access.log");
        let log = started(path.clone());
        let moved = directory.path().join("access.log.1");
        std::fs::rename(&path, &moved).unwrap();
        log.reopen();
        while !path.exists() {
            std::thread::yield_now();
        }
        line(&log, 0, "new");
        log.close();
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("new\n"));
        assert_eq!(std::fs::read_to_string(&moved).unwrap(), "");
    }

    #[test]
    fn a_target_that_cannot_be_opened_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let target = Target::File(directory.path().to_owned());
        assert!(AccessLog::start(target, 1, Arc::new(Metrics::new(1))).is_err());
    }
}
