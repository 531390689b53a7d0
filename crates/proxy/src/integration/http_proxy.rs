//! HTTP_PROXY: the request goes on as it came, the answer comes back as it was given.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Request, Response};
use smallvec::SmallVec;
use tollgate_entity as entity;

use super::Integrations;
use super::deadline::in_time;
use crate::body::{Body, Fate, RequestBody, UpstreamBody};
use crate::deployed::Misconfigured;
use crate::gateway_response::Refused;
use crate::invocation::Invocation;
use crate::mapping::context::X_API_KEY;
use crate::mapping::expression::{Expression, Values};
use crate::mapping::query;
use crate::mapping::uri::{Target, UriTemplate};
use crate::net::headers;
use crate::net::origin::Origin;
use crate::net::request_head::{Outbound, OwnHeaders};
use crate::snapshot::Stage;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
const X_AMZN_API_ID: HeaderName = HeaderName::from_static("x-amzn-apigateway-api-id");

/// A compiled HTTP_PROXY integration.
#[derive(Debug)]
pub struct HttpProxy {
    /// None passes the caller's verb on.
    method: Option<Method>,
    uri: UriTemplate,
    headers: Vec<(HeaderName, Expression)>,
    /// By name, as it is written in a query.
    queries: Vec<(Box<str>, Expression)>,
    /// From the last byte of the request to the head of the answer.
    timeout: Duration,
}

/// Headers that a mapping must not set: they frame the message, are for one hop or are the gateway's
/// own. As on AWS the mapping can be set up, and the call is answered 500. `authorization` is not
/// among them: AWS refuses to map that to integrations of type AWS and AWS_PROXY, which it signs
/// itself, and mapping it is the usual way to sign in at an HTTP upstream.
static NOT_MAPPED: [HeaderName; 9] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    PROXY_AUTHENTICATE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    X_AMZN_TRACE_ID,
];

impl HttpProxy {
    pub(super) fn compile(
        resource_path: &str,
        integration: &entity::Integration,
    ) -> Result<HttpProxy, Misconfigured> {
        refuse_unsupported(integration)?;
        let uri = integration
            .uri
            .as_deref()
            .ok_or_else(|| Misconfigured::new("the integration has no URI"))?;
        let method = match integration.http_method.as_deref() {
            None | Some("ANY") => None,
            Some(verb) => Some(
                verb.parse()
                    .map_err(|_| Misconfigured::new(format!("{verb} is no HTTP method")))?,
            ),
        };
        let mut paths = BTreeMap::new();
        let (mut headers, mut queries) = (Vec::new(), Vec::new());
        for (target, text) in integration.request_parameters.iter().flatten() {
            let expression = Expression::of_request(text, resource_path)?;
            let bad = || Misconfigured::new(format!("{target} is not a request parameter"));
            let name = target
                .strip_prefix("integration.request.")
                .ok_or_else(bad)?;
            match name.split_once('.').ok_or_else(bad)? {
                ("path", name) => drop(paths.insert(name, expression)),
                ("querystring", name) if passes_anyway(&expression, name) => {}
                ("querystring", name) => queries.push((query::encoded(name).into(), expression)),
                ("header", name) => headers.push((header_target(name)?, expression)),
                _ => return Err(bad()),
            }
        }
        let uri = UriTemplate::compile(uri, resource_path, &paths)?;
        let timeout = Duration::from_millis(integration.timeout_in_millis.max(1) as u64);
        Ok(HttpProxy {
            method,
            uri,
            headers,
            queries,
            timeout,
        })
    }

    pub(super) async fn send(
        &self,
        with: &Integrations,
        stage: &Stage,
        call: &mut Invocation,
        request: Request<RequestBody>,
    ) -> Result<Response<Body>, Refused> {
        let (origin, mut outbound) = self.outbound(with, stage, call, request)?;
        let asks_head = outbound.method == Method::HEAD;
        let traces = [
            outbound.own.get(&X_AMZN_TRACE_ID),
            outbound.headers.get(X_AMZN_TRACE_ID),
        ];
        let trace = traces.into_iter().flatten().next().cloned();
        let bytes_max = outbound.body.bytes_max();
        let fate = outbound.body.watch();
        let started = call.decided;
        let mut unsent = Some(outbound);
        let calling = pin!(with.pool.call(&origin, &mut unsent, started));
        let result = in_time(
            with.pool.alarms(),
            started + self.timeout,
            self.timeout,
            calling,
            fate.as_deref(),
        )
        .await;
        call.integration_latency = Some(started.elapsed());
        let (response, lease) = match result {
            Some(Ok(answered)) => answered,
            Some(Err(fault)) => {
                // When the caller's body was the reason, the caller is told that.
                let body = fate.map_or(Fate::Complete, |fate| fate.get());
                let failure = Refused::IntegrationFailure(fault);
                return Err(body.refusal(bytes_max).unwrap_or(failure));
            }
            None => return Err(Refused::IntegrationTimeout),
        };
        call.integration_status = Some(response.status().as_u16());
        let (mut head, ()) = response.into_parts();
        if asks_head && call.http_method != Method::HEAD {
            head.headers.remove(CONTENT_LENGTH); // written from what the body is
        }
        if let Some(trace) = trace {
            head.headers.insert(X_AMZN_TRACE_ID, trace);
        }
        let body = UpstreamBody::new(lease, with.answer_patience);
        Ok(Response::from_parts(head, Body::upstream(body)))
    }

    /// The request as the upstream gets it, and where that is.
    fn outbound(
        &self,
        with: &Integrations,
        stage: &Stage,
        call: &Invocation,
        request: Request<RequestBody>,
    ) -> Result<(Arc<Origin>, Box<Outbound>), Refused> {
        let (head, body) = request.into_parts();
        let mut headers = head.headers;
        let values = Values {
            call,
            stage,
            request_headers: &headers,
        };
        let target = self.target(&values)?;
        let mapped: SmallVec<[(HeaderName, HeaderValue); 4]> = self.mapped_headers(&values);

        headers::strip_request(&mut headers, body.is_chunked());
        if !with.forwards_api_key {
            headers.remove(X_API_KEY);
        }
        let mut own = OwnHeaders::default();
        own.set(HOST, target.origin.host_header.clone());
        introduce(&mut own, &headers, stage, call);
        for (name, value) in mapped {
            own.set(name, value);
        }
        let outbound = Box::new(Outbound {
            method: self.method.clone().unwrap_or(head.method),
            target: target.path,
            headers,
            own,
            body,
        });
        Ok((stage.shown.to(target.origin)?, outbound))
    }

    fn target(&self, values: &Values<'_>) -> Result<Target, Refused> {
        let mut mapped = Vec::new();
        for (name, expression) in &self.queries {
            for value in expression.every_value(values) {
                mapped.push((&**name, query::encoded(&value)));
            }
        }
        self.uri.target(values, values.call.uri.query(), &mapped)
    }

    /// What has no value, or one that no header can hold, is not set.
    fn mapped_headers(&self, values: &Values<'_>) -> SmallVec<[(HeaderName, HeaderValue); 4]> {
        let value = |expression: &Expression| {
            let text = expression.value(values).map(Cow::into_owned)?;
            HeaderValue::try_from(text).ok()
        };
        self.headers
            .iter()
            .filter_map(|(name, from)| Some((name.clone(), value(from)?)))
            .collect()
    }
}

/// The caller's whole query goes on, so mapping a parameter to itself changes nothing.
fn passes_anyway(expression: &Expression, name: &str) -> bool {
    matches!(expression, Expression::Query(own) | Expression::EveryQuery(own) if **own == *name)
}

fn header_target(name: &str) -> Result<HeaderName, Misconfigured> {
    let header = HeaderName::from_bytes(name.as_bytes()).ok();
    let allowed = header.filter(|header| !NOT_MAPPED.contains(header) && *header != X_AMZN_API_ID);
    allowed.ok_or_else(|| Misconfigured::new(format!("header {name} cannot be mapped")))
}

fn refuse_unsupported(integration: &entity::Integration) -> Result<(), Misconfigured> {
    let unsupported = |what: &str| Err(Misconfigured::new(format!("{what} is not supported")));
    // What is behind a VPC link is reached by the URI itself.
    let connection = integration.connection_type.as_deref();
    if !matches!(connection, None | Some("INTERNET" | "VPC_LINK")) {
        return unsupported("connectionType other than INTERNET and VPC_LINK");
    }
    if integration
        .tls_config
        .is_some_and(|tls| tls.insecure_skip_verification)
    {
        return unsupported("insecureSkipVerification");
    }
    if integration.content_handling.is_some() {
        return unsupported("contentHandling");
    }
    Ok(())
}

/// Tells the upstream who is calling and by which way.
fn introduce(own: &mut OwnHeaders, headers: &HeaderMap, stage: &Stage, call: &Invocation) {
    let peer = &call.peer;
    own.set(X_FORWARDED_FOR, forwarded_for(headers, &peer.remote_ip));
    own.set(X_FORWARDED_PORT, peer.local_port.clone());
    let protocol = if peer.is_tls { "https" } else { "http" };
    own.set(X_FORWARDED_PROTO, HeaderValue::from_static(protocol));
    if !headers.contains_key(X_AMZN_TRACE_ID)
        && let Ok(trace) = HeaderValue::from_bytes(&call.ids.trace(call.received_ms))
    {
        own.set(X_AMZN_TRACE_ID, trace);
    }
    if let Some(api_id) = &stage.api_id_header {
        own.set(X_AMZN_API_ID, api_id.clone());
    }
}

/// What the caller says of the way before us, and the caller's own address.
fn forwarded_for(headers: &HeaderMap, remote: &HeaderValue) -> HeaderValue {
    if !headers.contains_key(X_FORWARDED_FOR) {
        return remote.clone();
    }
    let mut all = Vec::new();
    for value in headers.get_all(X_FORWARDED_FOR).iter().chain([remote]) {
        if !all.is_empty() {
            all.extend_from_slice(b", ");
        }
        all.extend_from_slice(value.as_bytes());
    }
    HeaderValue::from_maybe_shared(bytes::Bytes::from(all)).unwrap_or_else(|_| remote.clone())
}
