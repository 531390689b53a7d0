//! HTTP_PROXY: the request goes on as it came, the answer comes back as it was given.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http::{Method, Request, Response};
use smallvec::SmallVec;
use tollgate_entity as entity;

use super::Integrations;
use super::endpoint::{self, AnswerBody, exchange};
use super::header_targets::{self, X_AMZN_API_ID, X_AMZN_TRACE_ID, request_header};
use super::integration_request::{IntegrationRequest, Payload, Untouched};
use super::mapped::{target, verb};
use crate::body::{Body, RequestBody, UpstreamBody};
use crate::deployed::Misconfigured;
use crate::gateway_response::Refused;
use crate::invocation::Invocation;
use crate::mapping::content::MediaTypes;
use crate::mapping::context::X_API_KEY;
use crate::mapping::expression::{Expression, Values};
use crate::mapping::parameters::RequestSource;
use crate::mapping::query;
use crate::mapping::uri::{Target, UriTemplate};
use crate::net::headers;
use crate::net::origin::Origin;
use crate::net::request_head::{Outbound, OwnHeaders};
use crate::snapshot::Stage;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

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
    /// Set when something has to look at the body before it goes on.
    request: Option<Box<IntegrationRequest>>,
}

/// Headers that say who is calling and by which way.
const INTRODUCING: [HeaderName; 6] = [
    HOST,
    X_FORWARDED_FOR,
    X_FORWARDED_PORT,
    X_FORWARDED_PROTO,
    X_AMZN_TRACE_ID,
    X_AMZN_API_ID,
];

impl HttpProxy {
    pub(super) fn compile(
        resource_path: &str,
        integration: &entity::Integration,
        binary_types: &Arc<MediaTypes>,
    ) -> Result<HttpProxy, Misconfigured> {
        refuse_unsupported(integration)?;
        let request = IntegrationRequest::compile(resource_path, integration, binary_types, false)?;
        let request = (!request.needs_head_only()).then(|| Box::new(request));
        let uri = integration
            .uri
            .as_deref()
            .ok_or_else(|| Misconfigured::new("the integration has no URI"))?;
        let method = verb(integration)?;
        let mut paths = BTreeMap::new();
        let (mut headers, mut queries) = (Vec::new(), Vec::new());
        for (target, text) in integration.request_parameters.iter().flatten() {
            let expression = match RequestSource::parse(text, resource_path)? {
                RequestSource::Call(expression) => expression,
                // Evaluated with the body: then it takes this one's place.
                RequestSource::Body(_) => Expression::Static("".into()),
            };
            let bad = || Misconfigured::new(format!("{target} is not a request parameter"));
            let name = target
                .strip_prefix("integration.request.")
                .ok_or_else(bad)?;
            match name.split_once('.').ok_or_else(bad)? {
                ("path", name) => drop(paths.insert(name, expression)),
                ("querystring", name) if passes_anyway(&expression, name) => {}
                ("querystring", name) => queries.push((query::encoded(name).into(), expression)),
                ("header", name) => {
                    if let header_targets::Target::Set(header) = request_header(name)? {
                        headers.push((header, expression));
                    }
                }
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
            request,
        })
    }

    /// Whether a call's body goes through as it comes, both ways.
    #[inline]
    pub(super) fn streams(&self, call: &Invocation) -> bool {
        self.request.is_none() && call.execution_log.is_none()
    }

    pub(super) async fn send(
        &self,
        with: &Integrations,
        stage: &Stage,
        call: &mut Invocation,
        request: Request<RequestBody>,
    ) -> Result<Response<Body>, Refused> {
        let (origin, outbound) = self.outbound(with, stage, call, request)?;
        let asks_head = outbound.method == Method::HEAD;
        let traces = [
            outbound.own.get(&X_AMZN_TRACE_ID),
            outbound.headers.get(X_AMZN_TRACE_ID),
        ];
        let trace = traces.into_iter().flatten().next().cloned();
        let started = call.decided;
        let (response, lease) =
            exchange(with, call, &origin, outbound, self.timeout, started).await?;
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

    /// The same for a body that something has to look at: it is read whole, and so is the answer when
    /// somebody wants to know what happens.
    pub(super) async fn send_whole(
        &self,
        with: &Integrations,
        stage: &Stage,
        call: &mut Invocation,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Body>, Refused> {
        endpoint::log_method_request(call, request.headers());
        let bytes_max = request.body().bytes_max();
        let plain = IntegrationRequest::default();
        let own = self.request.as_deref().unwrap_or(&plain);
        let preparing = own.prepare(with, stage, call, &mut request, Untouched::Streams);
        let mut prepared = preparing.await?;
        let (mut head, _) = request.into_parts();
        let mapped_names = self.headers.iter().map(|(name, _)| name.clone());
        let own_names: Vec<HeaderName> = INTRODUCING.into_iter().chain(mapped_names).collect();
        let (target, mapped) = match self.request.is_some() {
            true => {
                let mapped = std::mem::take(&mut prepared.headers);
                // What passes anyway is there already.
                prepared
                    .queries
                    .retain(|(name, _)| self.queries.iter().any(|(own, _)| **own == **name));
                let uri = head.uri.clone();
                let query = uri.query();
                let target = target(&self.uri, stage, call, &head.headers, query, &prepared)?;
                (target, mapped.into_iter().collect())
            }
            false => {
                let values = Values {
                    call,
                    stage,
                    request_headers: &head.headers,
                };
                (self.target(&values)?, self.mapped_headers(&values))
            }
        };
        let origin = stage.shown.to(Arc::clone(&target.origin))?;
        let (body, shown) = match prepared.payload {
            Payload::Whole(bytes) => (RequestBody::whole(bytes.clone(), &with.room)?, bytes),
            Payload::Streamed(body) => (body, Bytes::new()),
        };
        let trace = head.headers.get(X_AMZN_TRACE_ID).cloned();
        head.headers.remove(TRANSFER_ENCODING);
        let outbound = self.assemble(with, stage, call, head, body, target, mapped);
        let trace = outbound.own.get(&X_AMZN_TRACE_ID).cloned().or(trace);
        if call.execution_log.is_some() {
            endpoint::log_request(call, &origin, &outbound, &own_names, &shown);
        }
        let started = Instant::now();
        let ends = started + self.timeout;
        let asks_head = outbound.method == Method::HEAD;
        let (response, lease) =
            exchange(with, call, &origin, outbound, self.timeout, started).await?;
        endpoint::log_answer(call, &response);
        let (mut head, ()) = response.into_parts();
        if asks_head && call.http_method != Method::HEAD {
            head.headers.remove(CONTENT_LENGTH);
        }
        if let Some(trace) = trace {
            head.headers.insert(X_AMZN_TRACE_ID, trace);
        }
        let body = UpstreamBody::new(lease, with.answer_patience);
        if call.execution_log.is_none() {
            return Ok(Response::from_parts(head, Body::upstream(body)));
        }
        let body = AnswerBody::Streamed(Box::new(body));
        let body = body.read(with, bytes_max, ends).await?;
        call.log(|log| log.body("Endpoint response body before transformations", &body));
        endpoint::log_method_response(call, &head.headers, &body);
        Ok(Response::from_parts(head, Body::full(body)))
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
        let values = Values {
            call,
            stage,
            request_headers: &head.headers,
        };
        let target = self.target(&values)?;
        let mapped = self.mapped_headers(&values);
        let origin = stage.shown.to(Arc::clone(&target.origin))?;
        Ok((
            origin,
            self.assemble(with, stage, call, head, body, target, mapped),
        ))
    }

    #[inline]
    #[expect(clippy::too_many_arguments, reason = "the parts of one request")]
    fn assemble(
        &self,
        with: &Integrations,
        stage: &Stage,
        call: &Invocation,
        head: http::request::Parts,
        body: RequestBody,
        target: Target,
        mapped: SmallVec<[(HeaderName, HeaderValue); 4]>,
    ) -> Box<Outbound> {
        let mut headers = head.headers;
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
        Box::new(Outbound {
            method: self.method.clone().unwrap_or(head.method),
            target: target.path,
            headers,
            own,
            body,
        })
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

/// What no integration that calls an endpoint can do.
pub(super) fn refuse_unsupported(integration: &entity::Integration) -> Result<(), Misconfigured> {
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
