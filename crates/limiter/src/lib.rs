//! Throttle and quota for API keys: decides, counts, does no IO.

#![forbid(unsafe_code)]

mod admit;
pub mod clock;
mod counters;
pub mod period;
mod quota;
mod rate;
pub mod reserve;
mod slab;
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
