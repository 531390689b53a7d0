//! Asking the ledger's writer to write everything now. Any number of askers make one request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::LedgerError;

/// Where askers and the writer meet. Requests are numbered; serving one serves all before it.
#[derive(Default)]
pub struct FlushDesk {
    state: Mutex<State>,
    asked: Notify,
    settled: Notify,
}

#[derive(Default)]
struct State {
    /// Whether a writer is there to serve.
    open: bool,
    asked: u64,
    /// Taken up by the writer.
    taken: u64,
    /// Answered, well or not.
    settled: u64,
    /// Answered well.
    written: u64,
}

impl FlushDesk {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can panic half-way, so its contents are whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn open(&self) {
        let mut state = self.state();
        *state = State {
            open: true,
            taken: state.asked,
            settled: state.asked,
            ..*state
        };
    }

    /// The writer goes; whoever still waits is not served any more.
    pub fn close(&self) {
        let mut state = self.state();
        state.open = false;
        state.settled = state.asked;
        drop(state);
        self.settled.notify_waiters();
    }

    pub async fn flush(&self, limit: Duration) -> Result<(), LedgerError> {
        let Some(number) = self.ask() else {
            return Ok(());
        };
        let settled = tokio::time::timeout(limit, self.settlement(number)).await;
        match settled {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(LedgerError::NotFlushed),
        }
    }

    fn ask(&self) -> Option<u64> {
        let mut state = self.state();
        if !state.open {
            return None;
        }
        state.asked += 1;
        let number = state.asked;
        drop(state);
        self.asked.notify_waiters();
        Some(number)
    }

    /// Whether request `number` was written, once that is known.
    async fn settlement(&self, number: u64) -> bool {
        loop {
            let settled = self.settled.notified(); // before the look, so that no wake is lost
            {
                let state = self.state();
                if state.settled >= number {
                    return state.written >= number;
                }
            }
            settled.await;
        }
    }

    fn take(&self) -> Option<u64> {
        let mut state = self.state();
        let new = state.open && state.asked > state.taken;
        state.taken = state.asked;
        new.then_some(state.taken)
    }

    fn settle(&self, number: u64, written: bool) {
        let mut state = self.state();
        state.settled = state.settled.max(number);
        if written {
            state.written = state.written.max(number);
        }
        drop(state);
        self.settled.notify_waiters();
    }
}

/// The writer's end: requests to write everything used up to now.
pub struct FlushRequests(Arc<FlushDesk>);

impl FlushRequests {
    pub fn new(desk: Arc<FlushDesk>) -> Self {
        FlushRequests(desk)
    }

    /// Waits for a request. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> FlushRequest {
        let desk = Arc::clone(&self.0);
        loop {
            let asked = desk.asked.notified(); // before the look, so that no wake is lost
            if let Some(request) = self.try_next() {
                return request;
            }
            asked.await;
        }
    }

    /// The request that waits by now, if any.
    pub fn try_next(&mut self) -> Option<FlushRequest> {
        let number = self.0.take()?;
        Some(FlushRequest {
            desk: Arc::clone(&self.0),
            number,
            written: false,
        })
    }
}

/// One request, standing for all that were made before it was taken. Dropped without `done`, it
/// tells the askers that the usage of the last moments is not written.
#[must_use = "dropping a request answers that nothing was written"]
pub struct FlushRequest {
    desk: Arc<FlushDesk>,
    number: u64,
    written: bool,
}

impl FlushRequest {
    /// Everything that was used before the request was taken is durable.
    pub fn done(mut self) {
        self.written = true;
    }
}

impl Drop for FlushRequest {
    fn drop(&mut self) {
        self.desk.settle(self.number, self.written);
    }
}
