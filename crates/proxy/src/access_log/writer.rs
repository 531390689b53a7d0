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
const FLUSH_MS: u64 = 80;

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
    buffers: Box<[Mutex<Buffer>]>,
    metrics: Arc<Metrics>,
    reopens: AtomicBool,
    closes: AtomicBool,
}

#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    lines: u64,
    /// The second that `time` spells.
    second: i64,
    time: String,
}

impl AccessLog {
    /// Opens the target and starts the writer. Errors are the target's.
    pub fn start(target: Target, workers: usize, metrics: Arc<Metrics>) -> io::Result<AccessLog> {
        let output = open(&target)?;
        let buffers = (0..workers.max(1)).map(|_| Mutex::default()).collect();
        let shared = Arc::new(Shared {
            buffers,
            metrics,
            reopens: AtomicBool::new(false),
            closes: AtomicBool::new(false),
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            target,
            output,
            is_failing: false,
            is_torn: false,
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
        let mut buffer = lock(&self.shared.buffers[worker % self.shared.buffers.len()]);
        let Buffer { bytes, lines, .. } = &mut *buffer;
        if bytes.len() >= BUFFER_BYTES_MAX {
            self.shared.metrics.log_lines_dropped(worker, 1);
            return;
        }
        *lines += 1;
        let before = bytes.len();
        if buffer.second != second || buffer.time.is_empty() {
            buffer.time = common_log_time(second);
            buffer.second = second;
        }
        let Buffer { bytes, time, .. } = &mut *buffer;
        write(bytes, time);
        if before < BUFFER_BYTES_ENOUGH && bytes.len() >= BUFFER_BYTES_ENOUGH {
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

struct Writer {
    shared: Arc<Shared>,
    target: Target,
    output: Box<dyn Write + Send>,
    is_failing: bool,
    /// The last write ended in the middle of a line.
    is_torn: bool,
}

impl Writer {
    fn run(mut self) {
        let mut spare = Vec::new();
        loop {
            let closes = self.shared.closes.load(Ordering::Acquire);
            if self.shared.reopens.swap(false, Ordering::AcqRel) {
                self.reopen();
            }
            for worker in 0..self.shared.buffers.len() {
                spare = self.collect(worker, spare);
            }
            if closes {
                return;
            }
            std::thread::park_timeout(Duration::from_millis(FLUSH_MS));
        }
    }

    fn reopen(&mut self) {
        match open(&self.target) {
            Ok(output) => self.output = output,
            Err(error) => {
                tracing::error!(%error, target = ?self.target, "the access log cannot be opened again")
            }
        }
    }

    /// Writes one worker's lines, leaving it an empty buffer. Gives back the one written, to be used again.
    fn collect(&mut self, worker: usize, mut spare: Vec<u8>) -> Vec<u8> {
        spare.clear();
        let lines = {
            let mut buffer = lock(&self.shared.buffers[worker]);
            std::mem::swap(&mut buffer.bytes, &mut spare);
            std::mem::take(&mut buffer.lines)
        };
        if spare.is_empty() {
            return spare;
        }
        let torn_end: &[u8] = if self.is_torn { b"\n" } else { b"" };
        let written = self
            .output
            .write_all(torn_end)
            .and_then(|()| self.output.write_all(&spare));
        match written.and_then(|()| self.output.flush()) {
            Ok(()) => (self.is_failing, self.is_torn) = (false, false),
            Err(error) => {
                self.shared.metrics.log_lines_dropped(worker, lines);
                if !self.is_failing {
                    tracing::error!(%error, target = ?self.target, "the access log cannot be written");
                }
                (self.is_failing, self.is_torn) = (true, true);
            }
        }
        spare
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
