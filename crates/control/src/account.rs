//! Account: GetAccount, UpdateAccount.

use serde_json::{Value, json};
use tollgate_entity::Account;
use tollgate_store::{Reader, Transaction};

use crate::Control;
use crate::error::Error;
use crate::extract::{Caller, Json};
use crate::patch::{Patch, PatchDocument, PatchRule, PathRefusal, add, remove, replace};

/// What AWS gives every account; shown, and enforced only where an operator configures it.
const RATE_LIMIT: f64 = 10_000.0;
const BURST_LIMIT: i32 = 5_000;
/// The one feature there is.
const USAGE_PLANS: &str = "UsagePlans";

/// GetAccount.
pub async fn get(control: Control) -> Result<Json<Value>, Error> {
    let account = control.store.read(find).await?;
    shown(&account)
}

/// UpdateAccount.
pub async fn update(
    control: Control,
    caller: Caller,
    patch: PatchDocument,
) -> Result<Json<Value>, Error> {
    let audit = caller.audit(json!({ "patchOperations": patch.patch_operations }));
    let change = move |transaction: &mut Transaction<'_>| {
        let mut account = find(transaction)?;
        patch.apply(&mut account)?;
        transaction.put(&account)?;
        Ok::<_, Error>(account)
    };
    let account = control.store.commit(audit, change).await?;
    shown(&account)
}

fn find(reader: &Reader<'_>) -> Result<Account, Error> {
    Ok(reader.get("", "account")?.unwrap_or_default())
}

fn shown(account: &Account) -> Result<Json<Value>, Error> {
    let mut shown = serde_json::to_value(account).map_err(Error::internal)?;
    shown["throttleSettings"] = json!({ "burstLimit": BURST_LIMIT, "rateLimit": RATE_LIMIT });
    shown["features"] = json!([USAGE_PLANS]);
    shown["apiKeyVersion"] = json!("4");
    Ok(Json(shown))
}

impl Patch for Account {
    #[rustfmt::skip]
    const RULES: &'static [PatchRule<Self>] = &[
        replace("/cloudwatchRoleArn", |account, new| new.set(&mut account.cloudwatch_role_arn)),
        add(    "/features",          |_, new| known_feature(new.text()?)),
        remove( "/features",          |_, old| {
            known_feature(old.value().unwrap_or(USAGE_PLANS))?;
            Err(Error::bad_request("Usage Plans cannot be disabled once enabled"))
        }),
    ];
    const REFUSAL: PathRefusal = PathRefusal::Listed;
}

fn known_feature(name: &str) -> Result<(), Error> {
    if name == USAGE_PLANS {
        return Ok(());
    }
    Err(Error::bad_request(format!(
        "Invalid feature '{name}' specified. Must be one of: [{USAGE_PLANS}]"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Gateway;

    #[tokio::test]
    async fn the_account_is_what_terraform_expects_and_keeps_a_role() {
        let gateway = Gateway::new();
        let mut expected = json!({
            "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0}, "features": ["UsagePlans"], "apiKeyVersion": "4",
        });
        gateway.get("/account").await.is(200, expected.clone());
        expected["cloudwatchRoleArn"] = json!("arn:aws:iam::1:role/r");
        let role = [
            (
                "replace",
                "/cloudwatchRoleArn",
                Some("arn:aws:iam::1:role/r"),
            ),
            ("add", "/features", Some("UsagePlans")),
        ];
        gateway
            .patch("/account", &role)
            .await
            .is(200, expected.clone());
        gateway.get("/account").await.is(200, expected);
        let cleared = gateway
            .patch("/account", &[("replace", "/cloudwatchRoleArn", Some(""))])
            .await
            .ok(200);
        assert!(cleared.get("cloudwatchRoleArn").is_none());
    }

    #[tokio::test]
    async fn what_cannot_be_changed_is_refused() {
        let gateway = Gateway::new();
        let refused = gateway
            .patch("/account", &[("remove", "/features", Some("UsagePlans"))])
            .await;
        refused.bad("Usage Plans cannot be disabled once enabled");
        let refused = gateway
            .patch(
                "/account",
                &[("replace", "/throttleSettings/rateLimit", Some("1"))],
            )
            .await;
        refused.bad("Invalid patch path  '/throttleSettings/rateLimit' specified for op 'replace'. Must be one of: [/cloudwatchRoleArn]");
        assert_eq!(
            gateway
                .patch("/account", &[("add", "/features", Some("Flight"))])
                .await
                .status,
            400
        );
    }
}
