//! The scheduler: which task goes on is chance, and nothing else runs meanwhile.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// Tasks that were woken, by number, and who waits for one.
#[derive(Default)]
struct Ready {
    woken: BTreeSet<usize>,
    sleeper: Option<Waker>,
}

struct Signal {
    id: usize,
    ready: Arc<Mutex<Ready>>,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        let mut ready = lock(&self.ready);
        ready.woken.insert(self.id);
        if let Some(sleeper) = ready.sleeper.take() {
            drop(ready);
            sleeper.wake();
        }
    }
}

fn lock(ready: &Mutex<Ready>) -> std::sync::MutexGuard<'_, Ready> {
    ready.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Task {
    /// Absent while it is polled.
    work: Option<Work>,
    waker: Waker,
}

/// The tasks of one process. Numbers are never given twice.
#[derive(Clone, Default)]
pub struct Tasks {
    list: Rc<RefCell<Vec<Option<Task>>>>,
    ready: Arc<Mutex<Ready>>,
    held: Rc<RefCell<BTreeSet<usize>>>,
}

impl Tasks {
    pub fn spawn(&self, work: impl Future<Output = ()> + 'static) -> usize {
        let mut list = self.list.borrow_mut();
        let id = list.len();
        let signal = Signal {
            id,
            ready: Arc::clone(&self.ready),
        };
        list.push(Some(Task {
            work: Some(Box::pin(tokio::task::unconstrained(work))),
            waker: Waker::from(Arc::new(signal)),
        }));
        lock(&self.ready).woken.insert(id);
        id
    }

    /// Everything ends where it stands.
    pub fn kill(&self) {
        let tasks = std::mem::take(&mut *self.list.borrow_mut());
        drop(tasks);
        lock(&self.ready).woken.clear();
        self.held.borrow_mut().clear();
    }

    pub fn end_all_but(&self, kept: usize) {
        let mut gone = Vec::new();
        for (id, task) in self.list.borrow_mut().iter_mut().enumerate() {
            if id != kept {
                gone.push(task.take());
            }
        }
        drop(gone);
    }

    pub fn is_done(&self, id: usize) -> bool {
        self.list.borrow().get(id).is_none_or(Option::is_none)
    }

    /// Those that have not ended.
    pub fn count(&self) -> usize {
        self.list.borrow().iter().flatten().count()
    }

    /// Its thread gets no core until it is released.
    pub fn hold(&self, id: usize) {
        self.held.borrow_mut().insert(id);
    }

    pub fn release(&self, id: usize) {
        self.held.borrow_mut().remove(&id);
    }

    pub fn release_all(&self) {
        self.held.borrow_mut().clear();
    }

    /// The woken tasks that may go on.
    pub fn choices(&self) -> Vec<usize> {
        let held = self.held.borrow();
        let list = self.list.borrow();
        let may = |id: &&usize| {
            let is_there = |task: &Task| task.work.is_some();
            !held.contains(id)
                && list
                    .get(**id)
                    .is_some_and(|task| task.as_ref().is_some_and(is_there))
        };
        lock(&self.ready)
            .woken
            .iter()
            .filter(may)
            .copied()
            .collect()
    }

    /// One step of a task.
    pub fn step(&self, id: usize) {
        lock(&self.ready).woken.remove(&id);
        let taken = {
            let mut list = self.list.borrow_mut();
            let task = list.get_mut(id).and_then(Option::as_mut);
            task.and_then(|task| Some((task.work.take()?, task.waker.clone())))
        };
        let Some((mut work, waker)) = taken else {
            return;
        };
        let done = work
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready();
        let mut list = self.list.borrow_mut();
        match list.get_mut(id) {
            Some(task) if done => *task = None,
            Some(Some(task)) => task.work = Some(work),
            _ => {}
        }
    }

    /// Ready when a task may go on.
    pub fn poll_ready(&self, context: &mut Context<'_>) -> Poll<()> {
        if !self.choices().is_empty() {
            return Poll::Ready(());
        }
        lock(&self.ready).sleeper = Some(context.waker().clone());
        Poll::Pending
    }
}

/// Lets any other task go first.
pub async fn pause() {
    let mut paused = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut paused, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}
