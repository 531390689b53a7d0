//! What a key has used of a plan: windows of a quota and extensions of the current one.

use serde::{Deserialize, Serialize};
pub use tollgate_limiter::period::{Day, Window, window};

use crate::QuotaSettings;

/// A change of what one key may use in one window (UpdateUsage): the window's limit is the plan's
/// limit plus `delta`. It ends with its window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extension {
    pub plan_id: String,
    pub key_id: String,
    /// First day of the window it is for, in days since 1970-01-01.
    pub window_start_day: i32,
    /// Requests more (or, negative, fewer) than the plan's limit.
    pub delta: i64,
}

impl QuotaSettings {
    /// The window that `day` (since 1970-01-01) falls in; none while the quota has no period, or outside 1970-2149.
    pub fn window_of(&self, day: i32) -> Option<Window> {
        let offset = u8::try_from(self.offset).ok()?;
        let day = Day(u16::try_from(day).ok()?);
        Some(window(self.period?.into(), offset, day))
    }
}
