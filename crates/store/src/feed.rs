//! The feed of changes to the data plane, and the barrier that a commit waits at until they are adopted.
//!
//! Every commit that changed something queues its changes, in the order of the commits, and then
//! waits until the data plane says that it decides by them. Without a data plane nobody waits.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// What a commit put or deleted. It names the thing; what became of it is read from the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Change {
    /// An API key by its id.
    ApiKey(String),
    PlanKey {
        plan: String,
        key: String,
    },
    UsagePlan(String),
    RestApi(String),
    Stage {
        api: String,
        stage: String,
    },
    Deployment {
        api: String,
        deployment: String,
    },
    Resource {
        api: String,
        resource: String,
    },
    Extension {
        plan: String,
        key: String,
    },
    Account,
    /// Anything else, by the kind, parent and id it is stored under.
    Other {
        kind: &'static str,
        parent: String,
        id: String,
    },
}

impl Change {
    /// The change of a stored document.
    pub(crate) fn of(kind: &'static str, parent: &str, id: &str) -> Self {
        let (parent, id) = (parent.to_owned(), id.to_owned());
        match kind {
            "usage_plan" => Change::UsagePlan(id),
            "rest_api" => Change::RestApi(id),
            "stage" => Change::Stage {
                api: parent,
                stage: id,
            },
            "deployment" => Change::Deployment {
                api: parent,
                deployment: id,
            },
            "resource" => Change::Resource {
                api: parent,
                resource: id,
            },
            "account" => Change::Account,
            _ => Change::Other { kind, parent, id },
        }
    }
}

/// Where commits and the data plane meet.
#[derive(Default)]
pub(crate) struct Exchange {
    state: Mutex<State>,
    /// Wakes the feed's owner.
    queued: Notify,
    /// Wakes commits: something was adopted, or the owner is gone.
    moved: Notify,
    moved_blocking: Condvar,
}

#[derive(Default)]
struct State {
    /// Which feed is in force, counted from 1; 0 is none.
    owner: u64,
    owners: u64,
    queue: Vec<Change>,
    /// The newest commit queued.
    revision: u64,
    adopted: u64,
}

impl Exchange {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can panic half-way, so its contents are whole in any case.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a commit's changes. Called in the order of the commits.
    pub fn publish(self: &Arc<Self>, revision: u64, changes: Vec<Change>) -> Adoption {
        let mut state = self.state();
        state.revision = revision;
        if state.owner == 0 || changes.is_empty() {
            return Adoption {
                exchange: self.clone(),
                owner: 0,
                revision,
            };
        }
        state.queue.extend(changes);
        let owner = state.owner;
        drop(state);
        self.queued.notify_waiters();
        Adoption {
            exchange: self.clone(),
            owner,
            revision,
        }
    }

    /// A feed from here on; an earlier one falls silent.
    pub fn feed(self: &Arc<Self>) -> Feed {
        let mut state = self.state();
        state.owners += 1;
        state.owner = state.owners;
        state.queue.clear();
        let feed = Feed {
            exchange: self.clone(),
            owner: state.owner,
            revision: state.revision,
        };
        drop(state);
        self.wake_commits();
        feed
    }

    fn wake_commits(&self) {
        self.moved.notify_waiters();
        self.moved_blocking.notify_all();
    }
}

/// A commit's place at the barrier.
pub(crate) struct Adoption {
    exchange: Arc<Exchange>,
    /// The feed that was in force; 0 is none.
    owner: u64,
    revision: u64,
}

impl Adoption {
    /// Waits until the change is adopted or nobody is there to adopt it, at most `limit`.
    pub async fn wait(self, limit: Duration) {
        let adopted = async {
            loop {
                let moved = self.exchange.moved.notified(); // before the look, so that no wake is lost
                if self.is_over(&self.exchange.state()) {
                    return;
                }
                moved.await;
            }
        };
        if tokio::time::timeout(limit, adopted).await.is_err() {
            self.complain(limit);
        }
    }

    /// The same for a thread without a runtime.
    pub fn wait_blocking(self, limit: Duration) {
        let state = self.exchange.state();
        let waited = self
            .exchange
            .moved_blocking
            .wait_timeout_while(state, limit, |state| !self.is_over(state));
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !self.is_over(&state) {
            drop(state);
            self.complain(limit);
        }
    }

    fn is_over(&self, state: &State) -> bool {
        self.owner == 0 || state.owner != self.owner || state.adopted >= self.revision
    }

    fn complain(&self, limit: Duration) {
        tracing::error!(
            revision = self.revision,
            waited_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            "the data plane has not adopted a change in time; the change is stored"
        );
    }
}

/// The data plane's end: what has changed since it was taken or last asked.
///
/// Take the feed first and read the store afterwards: a change between the two is then seen twice,
/// never missed. Dropping the feed frees all commits that wait for it.
pub struct Feed {
    exchange: Arc<Exchange>,
    owner: u64,
    revision: u64,
}

impl Feed {
    /// Waits for changes and takes all that are queued, in the order of their commits.
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Vec<Change> {
        let exchange = self.exchange.clone();
        loop {
            let queued = exchange.queued.notified(); // before the look, so that no wake is lost
            if let Some(changes) = self.try_next() {
                return changes;
            }
            queued.await;
        }
    }

    /// What is queued by now, without waiting.
    pub fn try_next(&mut self) -> Option<Vec<Change>> {
        let mut state = self.exchange.state();
        if state.owner != self.owner || state.queue.is_empty() {
            return None;
        }
        self.revision = state.revision;
        Some(std::mem::take(&mut state.queue))
    }

    /// The revision that the store has at least once these changes are read from it: that of the
    /// newest commit in what `next` returned last (before that, of the moment the feed was taken).
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Says that the data plane decides by every change up to `revision`.
    pub fn adopted(&self, revision: u64) {
        let mut state = self.exchange.state();
        if state.owner == self.owner {
            state.adopted = state.adopted.max(revision);
            drop(state);
            self.exchange.wake_commits();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut state = self.exchange.state();
        if state.owner == self.owner {
            state.owner = 0;
            state.queue.clear();
            drop(state);
            self.exchange.wake_commits();
        }
    }
}
