//! The data plane: decides, meters and proxies calls.
//!
//! [`DataPlane::start`] loads what is deployed, opens the ledger and serves; [`DataPlane::stop`] lets
//! calls finish and writes every counter. `invoke` is the life of a call, `build` how a change of the
//! configuration reaches it, `usage` how what was used reaches the disk.

pub mod access_log;
mod admission;
mod body;
mod book;
mod build;
mod content_coding;
mod decide;
mod deployed;
mod domain;
mod execution_log;
pub mod explain;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod gateway_response;
mod integration;
mod invocation;
mod invoke;
pub mod key_index; // public for benches/ and tests/ only
mod keys_of_nouns;
mod mapping;
mod method_request;
mod metrics;
pub mod net;
mod rate_limit_headers;
mod rates;
mod recent_keys;
mod route;
#[cfg(feature = "simulation")]
pub mod simulation;
mod snapshot;
mod stage;
mod start;
pub mod test_invoke;
#[cfg(test)]
mod testing;
mod time;
pub mod unenforced;
mod usage;
mod waiting;
mod working;

pub use metrics::Totals;
pub use recent_keys::Busy;
pub use start::{DataPlane, DataPlaneFigures, Settings, StartError};
pub use waiting::WaitLimits;

use std::sync::Arc;

use arc_swap::ArcSwap;
use tollgate_store::Digester;

use admission::Limiter;
use gateway_response::GatewayResponses;
use snapshot::Snapshot;
use time::Time;
use waiting::Waiting;

/// What every call looks at; one for the whole process.
pub(crate) struct DataPlaneState {
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    pub limiter: Limiter,
    pub waiting: Arc<Waiting>,
    pub wait_limits: WaitLimits,
    pub time: Arc<Time>,
    pub digester: Digester,
    pub responses: GatewayResponses,
    /// Send `RateLimit` and `RateLimit-Policy`.
    pub sends_rate_limits: bool,
}
