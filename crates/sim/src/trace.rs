//! What happened, as a hash that two runs of a seed must share, and as lines when they are asked for.

use std::cell::{Cell, RefCell};

thread_local! {
    static HASH: Cell<u64> = const { Cell::new(0) };
    static PRINTS: Cell<bool> = const { Cell::new(false) };
    static NOW_NS: Cell<u64> = const { Cell::new(0) };
    static FOUND: RefCell<Option<Violation>> = const { RefCell::new(None) };
}

/// An invariant that did not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    pub invariant: &'static str,
    pub text: String,
}

pub fn begin(prints: bool) {
    HASH.set(0xcbf2_9ce4_8422_2325);
    PRINTS.set(prints);
    NOW_NS.set(0);
    FOUND.take();
}

/// The hash and the violation, if any.
pub fn end() -> (u64, Option<Violation>) {
    (HASH.get(), FOUND.take())
}

pub fn at(now_ns: u64) {
    NOW_NS.set(now_ns);
}

/// Something happened; the numbers are part of the hash.
pub fn note(what: &'static str, numbers: &[u64]) {
    let mut hash = HASH.get();
    let mut mix = |value: u64| {
        hash = (hash ^ value)
            .wrapping_mul(0x0100_0000_01b3)
            .rotate_left(29)
    };
    mix(NOW_NS.get());
    mix(what.len() as u64 ^ (what.as_bytes()[0] as u64) << 8);
    numbers.iter().copied().for_each(&mut mix);
    HASH.set(hash);
    if PRINTS.get() {
        println!("{:>14.6} s  {what} {numbers:?}", NOW_NS.get() as f64 / 1e9);
    }
}

/// A line for people.
pub fn say(line: impl FnOnce() -> String) {
    if PRINTS.get() {
        println!("{:>14.6} s  {}", NOW_NS.get() as f64 / 1e9, line());
    }
}

/// An invariant does not hold: the run ends here.
pub fn violated(invariant: &'static str, text: String) -> ! {
    say(|| format!("VIOLATED {invariant}: {text}"));
    FOUND.with_borrow_mut(|found| {
        found.get_or_insert(Violation { invariant, text });
    });
    std::panic::panic_any("violated");
}
