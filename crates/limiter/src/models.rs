//! The lock-free words in every interleaving of a few threads and under every value a weak memory may show: `make loom`.
//!
//! Each model says in its name what must hold. Threads may be interrupted at most three times in one run
//! (LOOM_MAX_PREEMPTIONS sets another number): a mistake that needs more interruptions than that has not been seen
//! anywhere. What is not modelled: the standard library's locks, and the writer, which is one thread by its type.

mod admit;
mod quota;
mod throttle;
mod used;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const PREEMPTIONS: usize = 3;

/// Runs a model in every interleaving, and says how many there were.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(PREEMPTIONS));
    let runs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&runs);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    println!("{} interleavings", runs.load(Ordering::Relaxed));
}

/// Does one thing on a thread of its own, the other on this one, and gives both results.
fn race<S: Send + Sync + 'static, A: 'static, B>(
    shared: &Arc<S>,
    there: impl FnOnce(&S) -> A + 'static,
    here: impl FnOnce(&S) -> B,
) -> (A, B) {
    let theirs = Arc::clone(shared);
    let thread = loom::thread::spawn(move || there(&theirs));
    let here = here(shared);
    (thread.join().unwrap(), here)
}
