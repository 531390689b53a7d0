//! A call to a method as it is set up now, deployed or not: past the key and the limits, metered nowhere,
//! with the log of what was done.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tollgate_entity::DeploymentContent;

use crate::access_log::fixed_members;
use crate::body::{Body, RequestBody};
use crate::deployed::Deployed;
use crate::execution_log::ExecutionLog;
use crate::gateway_response::Refused;
use crate::invocation::Invocation;
use crate::invoke::{Calls, ids};
use crate::mapping::expression::path_variables;
use crate::mapping::query;
use crate::net::connection::Peer;
use crate::route::normal_path;
use crate::snapshot::{Stage, StageIndex};

/// The stage that such calls seem to come by, as on AWS.
const STAGE: &str = "test-invoke-stage";
/// Bytes of an answer that are shown.
const ANSWER_BYTES_MAX: usize = 10 << 20;
/// What a path must not have as it is.
const NOT_IN_PATHS: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'{')
    .add(b'}');

/// Calls methods that may not be deployed.
#[derive(Clone)]
pub struct Tester(Arc<Inner>);

struct Inner {
    /// Upstream connections belong to the runtime that they are made on: that of the first test.
    calls: OnceLock<Arc<Calls>>,
    make: Box<dyn Fn() -> Arc<Calls> + Send + Sync>,
}

/// A method to be tried, and the request.
#[derive(Debug)]
pub struct Test {
    /// One resource with the method.
    pub content: DeploymentContent,
    pub rest_api_id: String,
    pub account_id: String,
    /// A verb.
    pub http_method: String,
    /// From `/`; empty is the resource's own path.
    pub path_with_query: String,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    pub stage_variables: BTreeMap<String, String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Tested {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// AWS's execution log, without the times of its lines.
    pub request_id: String,
    pub log: Vec<String>,
    pub latency_ms: u64,
}

impl Tester {
    /// `make` is called on the first test's runtime.
    pub(crate) fn new(make: impl Fn() -> Arc<Calls> + Send + Sync + 'static) -> Tester {
        Tester(Arc::new(Inner {
            calls: OnceLock::new(),
            make: Box::new(make),
        }))
    }

    fn calls(&self) -> &Arc<Calls> {
        self.0.calls.get_or_init(|| (self.0.make)())
    }

    /// Makes the call.
    ///
    /// # Errors
    /// What is wrong with the request, for its sender.
    pub async fn run(&self, test: Test) -> Result<Tested, String> {
        let calls = self.calls();
        let received = Instant::now();
        let received_ms = calls.state.time.now().wall_ms;
        let request = self.request(&test)?;
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 443));
        let peer = Arc::new(Peer::new(local, local, true));
        let mut call = Invocation::new(&request, &peer, ids(), received, received_ms);
        let stage = Arc::new(self.stage(&test));
        let path = normal_path(request.uri().path());
        let found = stage.deployed.router.find(&path, &test.http_method);
        let (index, spans) = found.ok_or("Invalid path: it does not lead to the resource")?;
        call.route = Some(call.routed(index, &path, spans));
        call.stage = Some(Arc::clone(&stage));
        call.request_headers = Some(Box::new(request.headers().clone()));
        call.execution_log = Some(Box::default());
        call.log(|log| begin(log, &test, &request));
        let variables = path_values(&call);
        call.log(|log| log.pairs("Method request path", variables.into_iter()));
        let queries = query_values(request.uri());
        call.log(|log| log.pairs("Method request query string", queries.into_iter()));
        call.log(|log| {
            log.headers("Method request headers", request.headers());
            log.body("Method request body before transformations", &test.body);
        });

        let answered = match stage
            .deployed
            .methods
            .get(index as usize)
            .map(|m| &m.integration)
        {
            Some(Ok(_)) => calls.go_on(&mut call, request).await,
            Some(Err(misconfigured)) => Err(misconfigured.clone().into()),
            None => Err(Refused::Internal),
        };
        if let Err(refused) = &answered {
            let why = failure(refused);
            call.log(|log| log.line(format!("Execution failed due to {why}")));
        }
        let is_answered = answered.is_ok();
        let response = answered.unwrap_or_else(|refused| calls.refuse(&refused, &mut call));
        let (status, headers, body) = read(response).await;
        call.log(|log| {
            log.body("Method response body after transformations", &body);
            log.headers("Method response headers", &headers);
            if is_answered {
                log.line("Successfully completed execution".to_owned());
            }
            log.line(format!("Method completed with status: {status}"));
        });
        Ok(Tested {
            status,
            headers,
            body,
            request_id: call.ids.request().to_owned(),
            log: call
                .execution_log
                .take()
                .map(|log| log.lines().to_vec())
                .unwrap_or_default(),
            latency_ms: u64::try_from(received.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn request(&self, test: &Test) -> Result<Request<RequestBody>, String> {
        let own_path = || test.content.resources.first().map(|own| own.path.clone());
        let path = match test.path_with_query.as_str() {
            "" => own_path().unwrap_or_default(),
            path if path.starts_with('/') => path.to_owned(),
            path => format!("/{path}"),
        };
        let target = utf8_percent_encode(&path, NOT_IN_PATHS).to_string();
        let uri: Uri = target.parse().map_err(|_| "Invalid path".to_owned())?;
        let room = &self.calls().integrations.room;
        let body = RequestBody::whole(test.body.clone(), room)
            .map_err(|_| "There is no room for the body; try again".to_owned())?;
        let mut request = Request::new(body);
        *request.uri_mut() = uri;
        *request.method_mut() = test
            .http_method
            .parse()
            .map_err(|_| "Invalid HTTP method".to_owned())?;
        let headers = request.headers_mut();
        for (name, value) in &test.headers {
            let bad = || format!("Invalid header {name}");
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            headers.append(header, HeaderValue::from_str(value).map_err(|_| bad())?);
        }
        if !headers.contains_key(HOST) {
            let host = format!("{}.execute-api.localhost", test.rest_api_id);
            let host = HeaderValue::try_from(host).map_err(|_| "Invalid API".to_owned())?;
            headers.insert(HOST, host);
        }
        Ok(request)
    }

    fn stage(&self, test: &Test) -> Stage {
        Stage {
            index: StageIndex(u32::MAX),
            account_id: test.account_id.as_str().into(),
            api_id: test.rest_api_id.as_str().into(),
            name: STAGE.into(),
            deployment_id: test.content.deployment_id.as_str().into(),
            variables: test.stage_variables.clone(),
            deployed: Arc::new(Deployed::compile(&test.content)),
            throttles: Vec::new(),
            stats: self
                .calls()
                .recorder
                .metrics
                .stage(&test.rest_api_id, STAGE),
            log_members: fixed_members([("apiId", &test.rest_api_id), ("stage", STAGE)]),
            access_log: None,
            shown: Default::default(),
            api_id_header: HeaderValue::from_str(&test.rest_api_id).ok(),
        }
    }
}

fn begin(log: &mut ExecutionLog, test: &Test, request: &Request<RequestBody>) {
    log.line(format!(
        "HTTP Method: {}, Resource Path: {}",
        test.http_method,
        request.uri().path()
    ));
}

fn path_values(call: &Invocation) -> Vec<(String, String)> {
    let Some(method) = call.method() else {
        return Vec::new();
    };
    let names = path_variables(&method.resource_path).enumerate();
    let value = |index| call.path_parameter(index).unwrap_or_default().to_owned();
    names
        .map(|(index, (name, _))| (name.to_owned(), value(index)))
        .collect()
}

/// By name, the values of each with commas.
fn query_values(uri: &Uri) -> Vec<(String, String)> {
    let text = uri.query().unwrap_or_default();
    let names = text.split('&').filter_map(|pair| pair.split('=').next());
    let mut names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    let value = |name: &str| query::values(text, name).collect::<Vec<_>>().join(",");
    names
        .into_iter()
        .map(|name| (name.to_owned(), value(name)))
        .collect()
}

/// Why the call was not answered by its integration, as the log tells it.
fn failure(refused: &Refused) -> String {
    match refused {
        Refused::Misconfigured(why) => format!("configuration error: {why}"),
        Refused::IntegrationTimeout => "a timeout error".to_owned(),
        Refused::IntegrationFailure(_) => {
            "an internal error: Network error communicating with endpoint".to_owned()
        }
        other => {
            let usual = other.reason().row().message.to_owned();
            format!("an error: {}", other.message().unwrap_or(usual))
        }
    }
}

/// An answer that is longer than what is shown is cut, one that breaks off ends there.
async fn read(response: Response<Body>) -> (u16, HeaderMap, Bytes) {
    let (head, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            let run = data.len().min(ANSWER_BYTES_MAX - bytes.len());
            bytes.extend_from_slice(&data[..run]);
        }
        if bytes.len() == ANSWER_BYTES_MAX {
            break;
        }
    }
    (head.status.as_u16(), head.headers, bytes.into())
}

#[cfg(test)]
mod tests;
