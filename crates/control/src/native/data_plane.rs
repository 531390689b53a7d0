//! What only the data plane knows: how busy it is, why it would refuse a call, what it answers one.
//!
//! The control plane does not know the data plane; whoever wires both hands one in as a [`DataPlane`].

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollgate_entity::Timestamp;
use tollgate_store::SecretValue;

use crate::Control;
use crate::error::Error;
use crate::extract::{Caller, Json};
use crate::find;
use crate::test_invoke::{Tested, TestedMethod};

/// What becomes of a call that is tried.
pub type Trying<'a> = Pin<Box<dyn Future<Output = Result<Tried, String>> + Send + 'a>>;

/// What becomes of a method that is tested.
pub type Testing<'a> = Pin<Box<dyn Future<Output = Result<Tested, String>> + Send + 'a>>;

/// The data plane of this process.
pub trait DataPlane: Send + Sync {
    /// How busy it is.
    fn live(&self) -> Live;

    /// Why a call would pass or be refused now; takes nothing from any limit. `key` is the digest of its key's value.
    fn explain(&self, question: &Question, key: Option<[u8; 16]>) -> Explanation;

    /// Makes a call, counted like any other.
    ///
    /// # Errors
    /// A text for the caller: the data plane could not be reached, or the call cannot be made.
    fn try_call(&self, call: TriedCall) -> Trying<'_>;

    /// Calls a method that may not be deployed, past key and limits; counted nowhere.
    ///
    /// # Errors
    /// A text for the caller: what is wrong with the request.
    fn test_method(&self, test: TestedMethod) -> Testing<'_>;
}

/// Rates of the last minutes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Live {
    pub at: Timestamp,
    /// Second by second, oldest first; the last is the newest whole second.
    pub seconds: Vec<LiveSecond>,
    /// Refusals since the start, by reason.
    pub refusals: BTreeMap<&'static str, u64>,
    /// The keys that called most lately, busiest first.
    pub top_keys: Vec<LiveKey>,
    /// Calls with keys that `topKeys` looks at, and the seconds over which they came.
    pub top_keys_calls: u64,
    pub top_keys_s: u64,
    /// Connections of clients open now.
    pub connections: u64,
    /// Calls refused for a reason or answered, since the start.
    pub calls: u64,
}

/// One second's calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveSecond {
    pub at: Timestamp,
    /// Let through and answered below 500.
    pub answered: u64,
    /// Answered with 5xx by the upstream, cut, or given up.
    pub failed: u64,
    /// Refused by the gateway with 403.
    pub forbidden: u64,
    /// Refused by the gateway with 429.
    pub limited: u64,
    /// Refused by the gateway for other reasons.
    pub refused: u64,
}

/// A busy key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveKey {
    pub api_key_id: String,
    pub calls: u64,
    /// Of those, refused by a limit.
    pub limited: u64,
}

/// What ExplainCall is asked. Without a key: what a call without one would get.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Question {
    pub rest_api_id: String,
    pub stage_name: String,
    /// A verb.
    pub http_method: String,
    /// Below the stage, from `/`, with or without a query.
    pub path: String,
    /// The id of the key.
    pub key_id: Option<String>,
}

/// Why a call passes or not.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// What the next such call would get.
    pub verdict: Verdict,
    /// What was looked at, in order; it ends with the first that says no.
    pub steps: Vec<Step>,
    /// The limits that the call would meet, in the order in which they are asked.
    pub limits: Vec<LimitNow>,
    /// The plan it would be held to and counted under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage_plan_id: Option<String>,
    /// `/pets/{id}`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_path: Option<String>,
}

/// What a call would get.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// `passes` or `refused`.
    pub outcome: String,
    /// The status of the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// As in metrics and the access log: `throttled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whole seconds until it would pass, where waiting helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

/// One link of the chain from the call to its limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// `stage`, `method`, `key`, `plan`, `integration`
    pub step: &'static str,
    pub passed: bool,
    /// One sentence for people.
    pub text: String,
}

/// What a limit says now.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LimitNow {
    /// `plan-method-throttle`, `plan-throttle`, `stage-method-throttle`, `account-throttle`, `quota`
    pub limit: &'static str,
    pub passed: bool,
    /// Requests per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst_limit: Option<u64>,
    /// Requests that would pass now, one after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<u64>,
    /// A quota's requests in a period.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota_limit: Option<u64>,
    /// `DAY`, `WEEK` or `MONTH`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining: Option<u64>,
    /// When the quota's window ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
    /// Whole seconds until it lets the next call pass, where it does not now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
}

/// The body of TryCall.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewTry {
    rest_api_id: String,
    stage_name: String,
    http_method: String,
    /// Below the stage, from `/`, with or without a query.
    path: String,
    headers: BTreeMap<String, String>,
    body: String,
    /// The id of a key, whose value is sent as `x-api-key`.
    key_id: Option<String>,
}

/// A call to be made.
#[derive(Debug)]
pub struct TriedCall {
    pub rest_api_id: String,
    pub stage_name: String,
    pub http_method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub key_value: Option<SecretValue>,
}

/// What a call was answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    pub status: u16,
    /// In the order in which they came; a name may come more than once.
    pub headers: Vec<(String, String)>,
    /// As text; base64 where it is none.
    pub body: String,
    pub is_base64_encoded: bool,
    /// Whether the body was longer than what is shown of it.
    pub truncated: bool,
    pub latency_ms: f64,
}

/// GetLive.
pub async fn live(control: Control) -> Result<Json<Live>, Error> {
    Ok(Json(data_plane(&control)?.live()))
}

/// ExplainCall.
pub async fn explain(
    control: Control,
    Json(question): Json<Question>,
) -> Result<Json<Explanation>, Error> {
    let (api, stage) = (question.rest_api_id.clone(), question.stage_name.clone());
    let key = question.key_id.clone();
    let settings = control.settings.clone();
    let known = control.store.read(move |reader| {
        find::rest_api(reader, &settings, &api)?;
        find::stage(reader, &api, &stage)?;
        let Some(key) = &key else {
            return Ok(None);
        };
        find::api_key(reader, key)?;
        Ok::<_, Error>(reader.key_row(key)?.map(|row| row.digest))
    });
    let digest = known.await?;
    Ok(Json(data_plane(&control)?.explain(&question, digest)))
}

/// TryCall. What it costs its key is real; the audit log tells who made it.
pub async fn try_call(
    control: Control,
    caller: Caller,
    Json(new): Json<NewTry>,
) -> Result<Json<Tried>, Error> {
    let data_plane = data_plane(&control)?;
    let key_id = new.key_id.clone();
    let key_value = control.store.read(move |reader| match key_id {
        None => Ok(None),
        Some(id) => {
            find::api_key(reader, &id)?;
            let value = reader.api_key_value(&id)?;
            value.map(Some).ok_or_else(|| {
                Error::bad_request(
                    "The value of this key is not kept (key_reveal = \"once\"): give it in the header x-api-key.",
                )
            })
        }
    });
    tracing::info!(who = caller.who, api = new.rest_api_id, stage = new.stage_name, key = ?new.key_id, "a call is tried");
    let call = TriedCall {
        key_value: key_value.await?,
        rest_api_id: new.rest_api_id,
        stage_name: new.stage_name,
        http_method: new.http_method,
        path: new.path,
        headers: new.headers,
        body: new.body,
    };
    data_plane
        .try_call(call)
        .await
        .map(Json)
        .map_err(Error::BadRequest)
}

pub(crate) fn data_plane(control: &Control) -> Result<Arc<dyn DataPlane>, Error> {
    control.data_plane.clone().ok_or_else(|| {
        Error::ServiceUnavailable("The data plane does not run in this process.".to_owned())
    })
}
