//! Access logs in the formats that stages ask for: one file for each destination, one thread for all.

use std::fs::DirBuilder;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use tollgate_entity::AccessLogSettings;

use super::format::Format;
use super::writer::{Buffers, FLUSH_MS, Output, Target, lock};
use crate::mapping::context::Facts;
use crate::metrics::Metrics;

/// Files that are open at once; destinations beyond get nothing, which is said.
const FILES_MAX: usize = 256;
/// Characters of a file's name.
const NAME_CHARS_MAX: usize = 200;

/// All stages' own access logs.
pub struct StageLogs {
    directory: PathBuf,
    workers: usize,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    /// None until the first stage asks for a log.
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    files: Mutex<Vec<Arc<LogFile>>>,
    reopens: AtomicBool,
    closes: AtomicBool,
}

struct LogFile {
    path: PathBuf,
    buffers: Buffers,
}

/// One stage's log: its format, and the file that its destination stands for.
pub struct StageLog {
    format: Format,
    file: Arc<LogFile>,
    logs: Arc<StageLogs>,
}

impl StageLogs {
    /// Nothing is made before a stage asks for a log.
    pub fn new(directory: PathBuf, workers: usize, metrics: Arc<Metrics>) -> StageLogs {
        StageLogs {
            directory,
            workers,
            metrics,
            shared: Arc::default(),
            thread: Mutex::default(),
        }
    }

    /// The log that a stage asks for; none when it names no format or no destination, as on AWS.
    pub fn open(logs: &Arc<StageLogs>, settings: &AccessLogSettings) -> Option<StageLog> {
        let (format, arn) = (
            settings.format.as_deref()?,
            settings.destination_arn.as_deref()?,
        );
        let file = logs.file(file_name(arn)?)?;
        Some(StageLog {
            format: Format::parse(format),
            file,
            logs: Arc::clone(logs),
        })
    }

    fn file(&self, name: String) -> Option<Arc<LogFile>> {
        let path = self.directory.join(name);
        let mut files = lock(&self.shared.files);
        if let Some(known) = files.iter().find(|file| file.path == path) {
            return Some(Arc::clone(known));
        }
        if files.len() >= FILES_MAX {
            tracing::error!(
                ?path,
                most = FILES_MAX,
                "a stage's access log is not kept: too many files are open for others"
            );
            return None;
        }
        let file = Arc::new(LogFile {
            path,
            buffers: Buffers::new(self.workers, Arc::clone(&self.metrics)),
        });
        files.push(Arc::clone(&file));
        drop(files);
        let mut thread = lock(&self.thread);
        if thread.is_none() {
            let shared = Arc::clone(&self.shared);
            let started = std::thread::Builder::new()
                .name("tollgate-stage-logs".to_owned())
                .spawn(move || write_all(&shared));
            match started {
                Ok(started) => *thread = Some(started),
                Err(error) => tracing::error!(%error, "stages' access logs cannot be written"),
            }
        }
        Some(file)
    }

    /// Opens all files anew, for log rotation.
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

impl StageLog {
    pub fn append(&self, worker: usize, facts: &Facts<'_>) {
        let second = facts.call.received_ms.div_euclid(1000);
        let write = |line: &mut Vec<u8>, _: &str| self.format.write(line, facts);
        if self.file.buffers.append(worker, second, write) {
            self.logs.wake();
        }
    }
}

/// The thread: collects every file's lines, opens a file when its first lines come, and closes those
/// that no stage writes to any more.
fn write_all(shared: &Shared) {
    let mut outputs: Vec<Writing> = Vec::new();
    let mut spare = Vec::new();
    loop {
        let closes = shared.closes.load(Ordering::Acquire);
        let reopens = shared.reopens.swap(false, Ordering::AcqRel);
        {
            let mut files = lock(&shared.files);
            for file in files.iter() {
                if !outputs.iter().any(|own| Arc::ptr_eq(&own.file, file)) {
                    outputs.push(Writing {
                        file: Arc::clone(file),
                        output: None,
                        is_failing: false,
                    });
                }
            }
            // Held by the list and by us only: its stages are gone, and so are their calls. What they
            // left is still collected below.
            files.retain(|file| Arc::strong_count(file) > 2);
        }
        for own in &mut outputs {
            spare = own.write(reopens, spare);
        }
        outputs.retain(|own| Arc::strong_count(&own.file) > 1);
        if closes {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(FLUSH_MS));
    }
}

/// A file as the thread has it.
struct Writing {
    file: Arc<LogFile>,
    /// None until its first lines come.
    output: Option<Output>,
    is_failing: bool,
}

impl Writing {
    fn write(&mut self, reopens: bool, spare: Vec<u8>) -> Vec<u8> {
        match &mut self.output {
            Some(output) if reopens => output.reopen(),
            Some(_) => {}
            None if self.file.buffers.are_empty() => return spare,
            None => self.open(),
        }
        match &mut self.output {
            Some(output) => self.file.buffers.collect(output, spare),
            None => spare,
        }
    }

    /// A file that cannot be opened is tried again; its lines wait in their buffers meanwhile, and are
    /// dropped and counted when these are full.
    fn open(&mut self) {
        let path = &self.file.path;
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let made = path
            .parent()
            .map_or(Ok(()), |parent| builder.recursive(true).create(parent));
        match made.and_then(|()| Output::open(Target::File(path.clone()))) {
            Ok(output) => self.output = Some(output),
            Err(error) if !self.is_failing => {
                tracing::error!(%error, ?path, "a stage's access log cannot be opened");
                self.is_failing = true;
            }
            Err(_) => {}
        }
    }
}

/// The file for a destination: the last part of its ARN, such as a log group's or a delivery stream's
/// name, without what a file's name should not have.
fn file_name(arn: &str) -> Option<String> {
    let arn = arn.trim().trim_end_matches(":*");
    let name = match arn.split_once(":log-group:") {
        Some((_, group)) => group,
        None => arn.rsplit([':', '/']).next()?,
    };
    let name: String = name
        .trim_matches('/')
        .chars()
        .take(NAME_CHARS_MAX)
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') => c,
            _ => '_',
        })
        .collect();
    let name = name.trim_start_matches('.');
    (!name.is_empty()).then(|| format!("{name}.log"))
}

#[cfg(test)]
mod tests;
