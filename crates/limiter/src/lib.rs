//! Throttle and quota for API keys: exact under any number of threads and through crashes, with no IO of its own.
//!
//! ```
//! use tollgate_limiter::reserve::{Now, Past, Terms};
//! use tollgate_limiter::{Counters, Day, Period, Rate, RateTable, Refused, Reserve, Start, Ticks, admit};
//!
//! // One key: 2 requests a second in bursts of 3, and 4 requests a day.
//! let rates = RateTable::new();
//! let rate = Rate::new(Some(2.0), Some(3)).unwrap().unwrap();
//! let rate = rates.edit(None, rate, Ticks(0));
//! let terms = Terms { limit: 4, period: Period::Day, offset: 0, extension: None };
//! let counters = Counters::new();
//! let slot = counters.allocate(Start::Full).unwrap();
//! let counter = counters.get(slot).unwrap();
//!
//! // A request is decided with the day and the moment the caller gives, and counted when it passed.
//! let today = Day(20_000);
//! let request = |second: u64| {
//!     let now = Ticks(second * Ticks::PER_S);
//!     let passed = admit(&[(&counter.throttle, rate)], &rates, Some(&counter.quota), today, now)?;
//!     counter.used.note(passed.day);
//!     Ok(passed)
//! };
//!
//! // Nothing can be spent before it is written off on disk. The writer does that, ahead of use.
//! assert_eq!(request(0), Err(Refused::Unreserved));
//! let mut reserve = Reserve::new(Day(0));
//! let mut write_ahead = || {
//!     let now = Now { day: today, at_ms: 0 };
//!     reserve.need(slot);
//!     for load in reserve.loads(now) {
//!         reserve.recover(&counters, now, load, &Past { terms: Some(terms), ..Past::default() });
//!     }
//!     let rows = reserve.next_batch(&counters, now);
//!     // Here the rows go to the store, in one transaction.
//!     reserve.committed(&counters);
//!     rows.accounts[0].reserved
//! };
//! assert_eq!(write_ahead(), 1);
//! assert!(request(0).is_ok());
//! assert_eq!(write_ahead(), 2);
//! assert!(request(0).is_ok());
//! assert_eq!(write_ahead(), 3);
//! assert!(request(0).is_ok());
//! assert!(matches!(request(0), Err(Refused::Throttled { index: 0, .. })));
//! assert_eq!(write_ahead(), 4);
//! assert!(request(60).is_ok());
//! assert_eq!(request(60), Err(Refused::Exhausted));
//! ```
//!
//! `examples/embed.rs` is the same with threads and a writer of its own.
//!
//! # What is guaranteed
//!
//! - **Throttle** ([`Throttle`]): in every interval `[s, t]` admitted ≤ burst + ⌊rate × (t − s)⌋, across edits of the
//!   rate and restarts too. A client slightly slower than the rate is never denied.
//! - **Quota** ([`Quota`], [`reserve`]): in every window admitted ≤ limit, through crashes, power cuts, races and
//!   changes of the limit or the period; without a crash exactly the limit can be admitted; a crash writes off at most
//!   [`reserve::chunk`] of a counter.
//! - **Usage** ([`Used`], [`reserve`]): every admitted request is counted once, on its day; what a crash took is written
//!   off, never counted.
//! - Several limits are taken together ([`admit`]): a request that is refused consumes no quota.
//!
//! All rounding, and every doubt, goes against the client.
//!
//! # What it costs
//!
//! | path | cost |
//! |---|---|
//! | admitted | per limit some loads and one compare-and-swap, all in the counter's own cache line; no lock, no allocation |
//! | refused | loads only |
//! | counted | one compare-and-swap in that same line |
//! | a counter | 64 bytes; in the writer some 300 more while it is active |
//! | an edited rate | 40 bytes, for good |
//! | the disk | nothing on the request path; one row for half a chunk of requests, one a second for a counter in use |
//!
//! # What it does not do
//!
//! No store, no runtime, no configuration: it never reads a clock it was not given and never writes a byte. It starts no
//! thread. Time comes in as [`Ticks`] (monotonic, for throttles) and as [`Day`] (from trusted wall time, see
//! [`clock::WallGuard`], for quotas).

#![forbid(unsafe_code)]

mod admit;
pub mod clock;
mod counters;
#[cfg(all(test, loom))]
mod models;
pub mod period;
mod quota;
mod rate;
pub mod reserve;
mod slab;
mod sync;
mod throttle;
mod used;

pub use admit::{Admitted, Refused, admit};
pub use clock::Ticks;
pub use counters::{Counter, Counters, Slot};
pub use period::{Day, Period, Window};
pub use quota::{Left, NoUnit, Quota, UNITS_MAX};
pub use rate::{InvalidRate, Rate, RateId, RateTable};
pub use reserve::Reserve;
pub use throttle::{Denied, Start, Throttle};
pub use used::Used;
