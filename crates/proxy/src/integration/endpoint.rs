//! A call to an HTTP endpoint: the request goes out, the head of its answer comes back, and the body as
//! it comes or whole.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, StatusCode};

use super::Integrations;
use super::deadline::in_time;
use crate::body::{Fate, ReadError, UpstreamBody};
use crate::gateway_response::{IntegrationFault, Refused};
use crate::invocation::Invocation;
use crate::mapping::expression::path_variables;
use crate::mapping::query;
use crate::net::origin::Origin;
use crate::net::request_head::Outbound;
use crate::net::upstream::Lease;

/// An endpoint's answer, or what stands for one.
#[derive(Debug)]
pub struct EndpointAnswer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: AnswerBody,
}

#[derive(Debug)]
pub enum AnswerBody {
    Streamed(Box<UpstreamBody>),
    Whole(Bytes),
}

impl AnswerBody {
    /// All of it, if it is not too large and comes in time.
    pub async fn read(
        self,
        with: &Integrations,
        bytes_max: u64,
        ends: Instant,
    ) -> Result<Bytes, Refused> {
        let body = match self {
            AnswerBody::Streamed(body) => body,
            AnswerBody::Whole(body) => return Ok(body),
        };
        let reading = tokio::time::timeout_at(ends.into(), body.read(bytes_max, &with.room));
        match reading.await {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(ReadError::TooLarge)) => {
                tracing::warn!(bytes_max, "an upstream's answer is too large to be mapped");
                Err(Refused::IntegrationFailure(IntegrationFault::Answer))
            }
            Ok(Err(ReadError::NoRoom)) => Err(Refused::NoRoom),
            Ok(Err(ReadError::Broken)) => {
                Err(Refused::IntegrationFailure(IntegrationFault::Answer))
            }
            Ok(Err(ReadError::Stalled)) | Err(_) => Err(Refused::IntegrationTimeout),
        }
    }
}

/// Sends a request and waits for the head of its answer; notes both in the call.
#[inline]
pub async fn exchange(
    with: &Integrations,
    call: &mut Invocation,
    origin: &Arc<Origin>,
    mut outbound: Box<Outbound>,
    timeout: Duration,
    started: Instant,
) -> Result<(Response<()>, Lease), Refused> {
    let bytes_max = outbound.body.bytes_max();
    let fate = outbound.body.watch();
    let mut unsent = Some(outbound);
    let calling = pin!(with.pool.call(origin, &mut unsent, started));
    let result = in_time(
        with.pool.alarms(),
        started + timeout,
        timeout,
        calling,
        fate.as_deref(),
    )
    .await;
    call.integration_latency = Some(started.elapsed());
    let answered = match result {
        Some(Ok(answered)) => answered,
        Some(Err(fault)) => {
            // When the caller's body was the reason, the caller is told that.
            let body = fate.map_or(Fate::Complete, |fate| fate.get());
            let failure = Refused::IntegrationFailure(fault);
            return Err(body.refusal(bytes_max).unwrap_or(failure));
        }
        None => return Err(Refused::IntegrationTimeout),
    };
    call.integration_status = Some(answered.0.status().as_u16());
    Ok(answered)
}

/// Notes in the execution log what goes to an endpoint. `own`: the headers that the gateway sets.
pub fn log_request(
    call: &mut Invocation,
    origin: &Origin,
    outbound: &Outbound,
    own: &[HeaderName],
    body: &[u8],
) {
    let scheme = if origin.is_tls { "https" } else { "http" };
    let host = String::from_utf8_lossy(origin.host_header.as_bytes());
    let uri = format!("{scheme}://{host}{}", outbound.target);
    let mut headers = outbound.headers.clone();
    for name in own {
        if let Some(value) = outbound.own.get(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    call.log(|log| {
        log.line(format!("Endpoint request URI: {uri}"));
        log.headers("Endpoint request headers", &headers);
        log.body("Endpoint request body after transformations", body);
        log.line(format!("Sending request to {uri}"));
    });
}

/// Notes in the execution log the head of an endpoint's answer.
pub fn log_answer(call: &mut Invocation, head: &Response<()>) {
    let latency_ms = call.integration_latency.unwrap_or_default().as_millis();
    call.log(|log| {
        let status = head.status().as_u16();
        log.line(format!(
            "Received response. Status: {status}, Integration latency: {latency_ms} ms"
        ));
        log.headers("Endpoint response headers", head.headers());
    });
}

/// Notes in the execution log what the caller asks.
pub fn log_method_request(call: &mut Invocation, headers: &HeaderMap) {
    let Some(mut log) = call.execution_log.take() else {
        return;
    };
    let path = call.method().map(|method| &*method.resource_path);
    let path = path_variables(path.unwrap_or_default()).enumerate();
    let path = path.filter_map(|(index, (name, _))| Some((name, call.path_parameter(index)?)));
    log.pairs("Method request path", path);
    let queries = query::pairs(call.uri.query().unwrap_or_default());
    log.pairs("Method request query string", queries);
    log.headers("Method request headers", headers);
    call.execution_log = Some(log);
}

/// Notes in the execution log what the caller gets.
pub fn log_method_response(call: &mut Invocation, headers: &HeaderMap, body: &[u8]) {
    call.log(|log| {
        log.body("Method response body after transformations", body);
        log.headers("Method response headers", headers);
    });
}
