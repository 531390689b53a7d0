//! Nanoseconds of the decision after the digest: `cargo bench -p tollgate-proxy`.
#![allow(clippy::unwrap_used)] // a benchmark that cannot go on must fail

mod keys;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use divan::Bencher;
use keys::{Keys, digest};
use tollgate_limiter::Ticks;

const MANY: u64 = 1_000_000;

static ONE: LazyLock<Keys> = LazyLock::new(|| Keys::new(1));
static MILLION: LazyLock<Keys> = LazyLock::new(|| Keys::new(MANY));
/// Moves on by as much for each decision as the throttle needs to let it through.
static CLOCK: AtomicU64 = AtomicU64::new(0);

fn main() {
    divan::main();
}

fn now() -> Ticks {
    Ticks(CLOCK.fetch_add(Ticks::PER_S / 1_000_000, Ordering::Relaxed))
}

/// Always the same key; with two threads both want it.
#[divan::bench(threads = [1, 2], sample_size = 100_000)]
fn one_key(bencher: Bencher<'_, '_>) {
    let digest = digest(0);
    bencher.bench(|| ONE.decide(divan::black_box(&digest), now()).unwrap());
}

/// A key at random out of a million, so that index and counter come from memory.
#[divan::bench(threads = [1, 2], sample_size = 1000)]
fn a_million_keys(bencher: Bencher<'_, '_>) {
    LazyLock::force(&MILLION);
    let next = AtomicU64::new(0);
    bencher.bench(|| {
        let random = next.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        MILLION
            .decide(&digest((random >> 32) % MANY), now())
            .unwrap()
    });
}
