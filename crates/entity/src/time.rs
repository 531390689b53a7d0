//! Points in time as AWS writes them on the wire: seconds since 1970, a JSON number.

use serde::{Deserialize, Serialize};

/// Whole seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From milliseconds since 1970, rounded down.
    pub fn from_ms(ms: i64) -> Self {
        Timestamp(ms.div_euclid(1000))
    }

    /// The UTC day it falls on, counted from 1970-01-01.
    pub fn day(self) -> i32 {
        i32::try_from(self.0.div_euclid(86_400)).unwrap_or(i32::MAX)
    }
}
