//! The signals that the program listens to, heard on a thread of their own: nothing that hangs keeps them from it.

use std::io::{self, IsTerminal};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Whoever stops a program often does it twice at once: a shell and a service manager, or a Ctrl-C that goes to a whole
/// group. Signals that come within this time after the first one are taken for the same.
const SAME_SIGNAL: Duration = Duration::from_secs(1);

/// What a signal asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// The first signal that ends the program, by its name.
    Stop(&'static str),
    /// SIGHUP: certificates and the access log's file may have changed.
    Reload,
    /// SIGUSR1: the access log was moved away and is to be opened again.
    ReopenLog,
}

/// Signals that must not end the program while it starts.
pub struct Signals {
    runtime: Runtime,
    hangup: Signal,
    reopen: Signal,
    had_terminal: bool,
}

impl Signals {
    /// From here on SIGHUP and SIGUSR1 are remembered instead of ending the process.
    pub fn hold() -> io::Result<Signals> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let (hangup, reopen) = (
            signal(SignalKind::hangup())?,
            signal(SignalKind::user_defined1())?,
        );
        drop(entered);
        Ok(Signals {
            runtime,
            hangup,
            reopen,
            had_terminal: has_terminal(),
        })
    }

    /// From here on SIGTERM and SIGINT are heard, too, instead of ending the process. The first one of these is told; one
    /// that comes more than `SAME_SIGNAL` later ends the process at once with status 1.
    pub fn hear(self) -> io::Result<Receiver<Asked>> {
        let entered = self.runtime.enter();
        let (terminate, interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        drop(entered);
        let (asked, heard) = channel();
        std::thread::Builder::new()
            .name("signals".into())
            .spawn(move || self.listen(terminate, interrupt, &asked))?;
        Ok(heard)
    }

    fn listen(self, mut terminate: Signal, mut interrupt: Signal, asked: &Sender<Asked>) {
        let Signals {
            runtime,
            mut hangup,
            mut reopen,
            had_terminal,
        } = self;
        let mut stopping: Option<Instant> = None;
        loop {
            let next = runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => Asked::Stop("SIGTERM"),
                    _ = interrupt.recv() => Asked::Stop("SIGINT"),
                    _ = hangup.recv() => match had_terminal && !has_terminal() {
                        true => Asked::Stop("SIGHUP (the terminal has gone)"),
                        false => Asked::Reload,
                    },
                    _ = reopen.recv() => Asked::ReopenLog,
                }
            });
            match (&next, stopping) {
                (Asked::Stop(_), None) => stopping = Some(Instant::now()),
                (Asked::Stop(_), Some(first)) if first.elapsed() < SAME_SIGNAL => continue,
                // Without a word: whatever hangs may be what it would be written to.
                (Asked::Stop(_), Some(_)) => std::process::exit(1),
                _ => {}
            }
            if asked.send(next).is_err() && stopping.is_none() {
                return; // the server is gone
            }
        }
    }
}

/// Whether somebody sits at a terminal. One that was closed is none any more.
fn has_terminal() -> bool {
    io::stdin().is_terminal() || io::stderr().is_terminal()
}
