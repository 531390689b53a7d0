//! Tollgate's own calls, for what AWS has no operation for: the console and the CLI use them like any client.
//!
//! They live under `/tollgate/` behind the same authentication, and are described by `GET /tollgate/openapi.json`.

pub mod access_keys;
pub mod audit_log;
pub mod data_plane;
mod described;
pub mod session;
mod undeployed;

use axum::routing::{delete, get, post};

use crate::api_key;
use crate::operations::{DELETE, GET, Operation, POST, op};

/// The calls that need a caller. Those that make one are in `session`.
#[rustfmt::skip]
pub static NATIVE: &[Operation] = &[
    op("GetOpenApi", GET, "/tollgate/openapi.json", 200, || get(described::openapi)),
    op("GetLive", GET, "/tollgate/live", 200, || get(data_plane::live)),
    op("ExplainCall", POST, "/tollgate/explain", 200, || post(data_plane::explain)),
    op("TryCall", POST, "/tollgate/try", 200, || post(data_plane::try_call)),
    op("PreviewImport", POST, "/tollgate/preview-import", 200, || post(api_key::preview_import)),
    op("GetUndeployed", GET, "/tollgate/undeployed", 200, || get(undeployed::undeployed)),
    op("GetAuditLog", GET, "/tollgate/audit", 200, || get(audit_log::list)),
    op("GetAccessKeys", GET, "/tollgate/access-keys", 200, || get(access_keys::list)),
    op("CreateAccessKey", POST, "/tollgate/access-keys", 201, || post(access_keys::create)),
    op("DeleteAccessKey", DELETE, "/tollgate/access-keys/{access_key_id}", 204, || delete(access_keys::delete)),
];
