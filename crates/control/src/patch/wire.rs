//! How a batch of changes arrives: its JSON, checked by the front layer.

use axum::extract::{FromRequest, Request};
use serde::Deserialize;

use super::{Op, PatchDocument, PatchOperation};
use crate::check::Check;
use crate::error::Error;
use crate::extract::{Caller, Json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireDocument {
    patch_operations: Option<Vec<WireOperation>>,
}

#[derive(Deserialize)]
struct WireOperation {
    op: Option<String>,
    path: Option<String>,
    value: Option<String>,
    from: Option<String>,
}

/// A batch whose operations may be none of AWS's, for handlers that tell more than that at once.
pub struct UncheckedPatch(WireDocument);

impl UncheckedPatch {
    /// Notes what is wrong with the operations in `check`; the batch is whole only if nothing was.
    pub fn checked(self, check: &mut Check) -> PatchDocument {
        self.0.noted(check)
    }
}

impl<S: Send + Sync> FromRequest<S> for UncheckedPatch {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        Json::from_request(request, state)
            .await
            .map(|Json(wire)| UncheckedPatch(wire))
    }
}

impl WireDocument {
    pub(crate) fn checked(self, operation: &str) -> Result<PatchDocument, Error> {
        let mut check = Check::body_of(operation);
        let patch = self.noted(&mut check);
        check.finish()?;
        Ok(patch)
    }

    fn noted(self, check: &mut Check) -> PatchDocument {
        let names = Op::NAMES.map(|(name, _)| name);
        let mut patch_operations = Vec::new();
        for (index, wire) in self
            .patch_operations
            .unwrap_or_default()
            .into_iter()
            .enumerate()
        {
            let at = format!("patchOperations.{}.member.op", index + 1);
            check.present(&at, &wire.op);
            check.optional(&at, wire.op.as_deref(), &names);
            if let Some(op) = wire.op.as_deref().and_then(Op::named) {
                patch_operations.push(PatchOperation {
                    op,
                    path: wire.path,
                    value: wire.value,
                    from: wire.from,
                });
            }
        }
        PatchDocument { patch_operations }
    }
}

impl<S: Send + Sync> FromRequest<S> for PatchDocument {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let operation = request
            .extensions()
            .get::<Caller>()
            .map_or("", |caller| caller.operation);
        let Json(wire) = Json::<WireDocument>::from_request(request, state).await?;
        wire.checked(operation)
    }
}
