//! TestInvokeMethod: calls a method as it is set up now, deployed or not.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tollgate_entity::{DeploymentContent, Timestamp};
use tollgate_store::Reader;

use crate::error::Error;
use crate::extract::{Caller, Json, Path};
use crate::native::data_plane;
use crate::resource::At;
use crate::{Control, deployment, find, method};

/// The body of TestInvokeMethod.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NewTest {
    path_with_query_string: Option<String>,
    body: Option<String>,
    headers: Option<BTreeMap<String, String>>,
    /// Wins over `headers` where both have a name.
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    stage_variables: Option<BTreeMap<String, String>>,
}

/// A method to be called, and the request.
#[derive(Debug)]
pub struct TestedMethod {
    /// One resource with the method.
    pub content: DeploymentContent,
    pub rest_api_id: String,
    pub account_id: String,
    /// A verb.
    pub http_method: String,
    pub path_with_query: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub stage_variables: BTreeMap<String, String>,
}

/// What the method answered.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestResult {
    pub status: u16,
    pub body: String,
    /// The last value of each.
    pub headers: BTreeMap<String, String>,
    pub multi_value_headers: BTreeMap<String, Vec<String>>,
    /// AWS's execution log.
    pub log: String,
    /// Milliseconds.
    pub latency: u64,
}

/// What came of a test, before it is put into AWS's form.
#[derive(Debug)]
pub struct Tested {
    pub status: u16,
    /// In the order in which they came; a name may come more than once.
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub request_id: String,
    /// Lines of the log, without their times.
    pub log: Vec<String>,
    pub latency_ms: u64,
}

/// TestInvokeMethod.
pub async fn test(
    control: Control,
    caller: Caller,
    Path(at): Path<At>,
    Json(new): Json<NewTest>,
) -> Result<Json<TestResult>, Error> {
    let data_plane = data_plane::data_plane(&control)?;
    let settings = Arc::clone(&control.settings);
    let (api_id, verb) = (at.api.clone(), at.verb.clone());
    let look = move |reader: &Reader<'_>| {
        let api = find::rest_api(reader, &settings, &at.api)?;
        let mut resource = find::resource(reader, &at.api, &at.resource)?;
        let own = method::find(&mut resource, &at.verb)?.clone();
        if own.method_integration.is_none() {
            return Err(Error::bad_request("No integration defined for method"));
        }
        resource.resource_methods = BTreeMap::from([(own.http_method.clone(), own)]);
        Ok(DeploymentContent {
            resources: vec![resource],
            ..deployment::content_of(reader, &api, "")?
        })
    };
    let test = TestedMethod {
        content: control.store.read(look).await?,
        rest_api_id: api_id,
        account_id: control.settings.account_id.clone(),
        // A method for any verb is called with one.
        http_method: match verb.as_str() {
            "ANY" => "GET".to_owned(),
            _ => verb,
        },
        headers: headers(&new),
        path_with_query: new.path_with_query_string.unwrap_or_default(),
        body: new.body.unwrap_or_default(),
        stage_variables: new.stage_variables.unwrap_or_default(),
    };
    tracing::info!(
        who = caller.who,
        api = test.rest_api_id,
        "a method is tested"
    );
    let tested = data_plane.test_method(test).await;
    Ok(Json(shown(tested.map_err(Error::BadRequest)?, caller.at)))
}

fn headers(new: &NewTest) -> Vec<(String, String)> {
    let several = new.multi_value_headers.iter().flatten();
    let several: Vec<(String, String)> = several
        .flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone())))
        .collect();
    let single = new.headers.iter().flatten().filter(|(name, _)| {
        !several
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name))
    });
    let single = single.map(|(name, value)| (name.clone(), value.clone()));
    single.chain(several.iter().cloned()).collect()
}

fn shown(tested: Tested, at: Timestamp) -> TestResult {
    let time = jiff::Timestamp::from_second(at.0).unwrap_or_default();
    let time = time.strftime("%a %b %d %H:%M:%S UTC %Y").to_string();
    let mut log = format!("Execution log for request {}\n", tested.request_id);
    let start = format!("Starting execution for request: {}", tested.request_id);
    for line in [start].iter().chain(&tested.log) {
        log.push_str(&format!("{time} : {line}\n"));
    }
    let mut result = TestResult {
        status: tested.status,
        body: tested.body,
        log,
        latency: tested.latency_ms,
        ..TestResult::default()
    };
    for (name, value) in tested.headers {
        let all = result.multi_value_headers.entry(name.clone()).or_default();
        all.push(value.clone());
        result.headers.insert(name, value);
    }
    result
}

#[cfg(test)]
mod tests;
