//! HTTP and MOCK: a method's request is mapped to the integration's, and the integration's answer to the
//! method's. HTTP asks an endpoint in between, MOCK answers by the status that its request gives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, Response, StatusCode};
use tollgate_entity as entity;
use tollgate_entity::IntegrationType;

use super::endpoint::{self, AnswerBody, EndpointAnswer};
use super::header_targets::{X_AMZN_API_ID, X_AMZN_TRACE_ID};
use super::http_proxy::refuse_unsupported;
use super::integration_request::{IntegrationRequest, JSON, Payload, Prepared, Untouched};
use super::integration_response::{Asked, IntegrationResponses};
use super::{Integrations, lenient};
use crate::body::{Body, RequestBody, UpstreamBody};
use crate::deployed::Misconfigured;
use crate::gateway_response::Refused;
use crate::invocation::Invocation;
use crate::mapping::content::MediaTypes;
use crate::mapping::expression::{Expression, Values, path_variables};
use crate::mapping::uri::{Target, UriTemplate, parameters};
use crate::net::origin::Origin;
use crate::net::request_head::{Outbound, OwnHeaders};
use crate::snapshot::Stage;

/// Bytes that a request's body may have to be read for a mock's status, when no template gives one.
const STATUS_BODY_BYTES_MAX: usize = 64 * 1024;

/// A compiled integration of type HTTP or MOCK.
#[derive(Debug)]
pub struct Mapped {
    request: IntegrationRequest,
    /// None for a mock.
    endpoint: Option<Endpoint>,
    responses: IntegrationResponses,
}

#[derive(Debug)]
struct Endpoint {
    /// None passes the caller's verb on.
    method: Option<Method>,
    uri: UriTemplate,
    /// From the last byte of the request to the head of the answer.
    timeout: Duration,
}

impl Mapped {
    pub(super) fn compile(
        resource_path: &str,
        method: &entity::Method,
        integration: &entity::Integration,
        binary_types: &Arc<MediaTypes>,
    ) -> Result<Mapped, Misconfigured> {
        let request = IntegrationRequest::compile(resource_path, integration, binary_types, true)?;
        let endpoint = match integration.integration_type {
            IntegrationType::Mock => None,
            _ => Some(Endpoint::compile(resource_path, integration, &request)?),
        };
        Ok(Mapped {
            request,
            endpoint,
            responses: IntegrationResponses::compile(method, integration, binary_types)?,
        })
    }

    pub(super) async fn answer(
        &self,
        with: &Integrations,
        stage: &Stage,
        call: &mut Invocation,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Body>, Refused> {
        endpoint::log_method_request(call, request.headers());
        let bytes_max = request.body().bytes_max();
        let untouched = match self.endpoint {
            Some(_) => Untouched::Streams,
            None => Untouched::Read(STATUS_BODY_BYTES_MAX + 1),
        };
        let preparing = self
            .request
            .prepare(with, stage, call, &mut request, untouched);
        let mut prepared = preparing.await?;
        let (head, _) = request.into_parts();
        let lasting = std::mem::take(&mut prepared.lasting);
        let (answer, trace, ends) = match &self.endpoint {
            None => (mocked(&prepared.payload)?, None, Instant::now()),
            Some(endpoint) => {
                let (origin, outbound) = endpoint.outbound(with, stage, call, &head, prepared)?;
                let trace = outbound.headers.get(X_AMZN_TRACE_ID).cloned();
                let origin = stage.shown.to(origin)?;
                let (timeout, started) = (endpoint.timeout, Instant::now());
                let ends = started + timeout;
                let asked = endpoint::exchange(with, call, &origin, outbound, timeout, started);
                let (answered, lease) = asked.await?;
                endpoint::log_answer(call, &answered);
                let (parts, ()) = answered.into_parts();
                let body = UpstreamBody::new(lease, with.answer_patience);
                let answer = EndpointAnswer {
                    status: parts.status,
                    headers: parts.headers,
                    body: AnswerBody::Streamed(Box::new(body)),
                };
                (answer, trace, ends)
            }
        };
        let asked = Asked {
            with,
            stage,
            headers: &head.headers,
            lasting,
            bytes_max,
            ends,
        };
        let mut response = self.responses.respond(call, asked, answer).await?;
        if let Some(trace) = trace {
            response.headers_mut().insert(X_AMZN_TRACE_ID, trace);
        }
        Ok(response)
    }
}

/// The answer that a mock's request asks for.
fn mocked(payload: &Payload) -> Result<EndpointAnswer, Refused> {
    let none = || Misconfigured::new("the request to the mock gives no status code");
    let Payload::Whole(body) = payload else {
        return Err(Refused::Internal);
    };
    let text = std::str::from_utf8(body).ok();
    let status = text.and_then(lenient::status_code).ok_or_else(none)?;
    Ok(EndpointAnswer {
        status: StatusCode::from_u16(status).map_err(|_| none())?,
        headers: HeaderMap::new(),
        body: AnswerBody::Whole(Bytes::new()),
    })
}

impl Endpoint {
    fn compile(
        resource_path: &str,
        integration: &entity::Integration,
        request: &IntegrationRequest,
    ) -> Result<Endpoint, Misconfigured> {
        refuse_unsupported(integration)?;
        let uri = integration
            .uri
            .as_deref()
            .ok_or_else(|| Misconfigured::new("the integration has no URI"))?;
        let mut mapped = BTreeMap::new();
        if request.has_templates() {
            // A template may give any parameter; one without a mapping and without a value is refused
            // when it is called.
            let own = |name: &str| path_variables(resource_path).any(|(own, _)| own == name);
            let given = parameters(uri).filter(|name| !own(name));
            mapped.extend(given.map(|name| (name, Expression::Static("".into()))));
        }
        for (target, text) in integration.request_parameters.iter().flatten() {
            if let Some(name) = target.strip_prefix("integration.request.path.") {
                // What reads the body is evaluated with it, and then takes this one's place.
                let expression = Expression::of_request(text, resource_path);
                mapped.insert(name, expression.unwrap_or(Expression::Static("".into())));
            }
        }
        Ok(Endpoint {
            method: verb(integration)?,
            uri: UriTemplate::compile(uri, resource_path, &mapped)?,
            timeout: Duration::from_millis(integration.timeout_in_millis.max(1) as u64),
        })
    }

    /// The request as the endpoint gets it, and where that is: nothing of the caller's but what is mapped.
    fn outbound(
        &self,
        with: &Integrations,
        stage: &Stage,
        call: &mut Invocation,
        head: &http::request::Parts,
        prepared: Prepared,
    ) -> Result<(Arc<Origin>, Box<Outbound>), Refused> {
        let headers = &head.headers;
        let target = target(&self.uri, stage, call, headers, None, &prepared)?;
        let method = self.method.clone().unwrap_or_else(|| head.method.clone());
        let has_body = !matches!(method, Method::GET | Method::HEAD);
        let mut shown = Bytes::new();
        let body = match prepared.payload {
            Payload::Whole(bytes) if has_body => {
                shown = bytes.clone();
                RequestBody::whole(bytes, &with.room)?
            }
            Payload::Streamed(body) if has_body => body,
            _ => RequestBody::empty(),
        };
        let mut out = HeaderMap::new();
        out.insert(ACCEPT, HeaderValue::from_static(JSON));
        let agent = HeaderValue::from_str(&format!("AmazonAPIGateway_{}", stage.api_id));
        out.extend(agent.ok().map(|agent| (USER_AGENT, agent)));
        if has_body && !http_body::Body::is_end_stream(&body) {
            let kind = headers.get(CONTENT_TYPE).cloned();
            out.insert(CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static(JSON)));
        }
        for (name, _) in &prepared.headers {
            out.remove(name);
        }
        for (name, value) in prepared.headers {
            out.append(name, value);
        }
        let trace = headers.get(X_AMZN_TRACE_ID).cloned();
        let trace =
            trace.or_else(|| HeaderValue::from_bytes(&call.ids.trace(call.received_ms)).ok());
        out.extend(trace.map(|trace| (X_AMZN_TRACE_ID, trace)));
        out.extend(stage.api_id_header.clone().map(|id| (X_AMZN_API_ID, id)));
        if body.is_chunked() {
            out.insert(
                http::header::TRANSFER_ENCODING,
                HeaderValue::from_static("chunked"),
            );
        }
        let mut own = OwnHeaders::default();
        if !out.contains_key(HOST) {
            own.set(HOST, target.origin.host_header.clone());
        }
        let outbound = Box::new(Outbound {
            method,
            target: target.path,
            headers: out,
            own,
            body,
        });
        if call.execution_log.is_some() {
            endpoint::log_request(call, &target.origin, &outbound, &[HOST], &shown);
        }
        Ok((target.origin, outbound))
    }
}

/// The integration's verb; none passes the caller's on.
pub(super) fn verb(integration: &entity::Integration) -> Result<Option<Method>, Misconfigured> {
    match integration.http_method.as_deref() {
        None | Some("ANY") => Ok(None),
        Some(verb) => verb
            .parse()
            .map(Some)
            .map_err(|_| Misconfigured::new(format!("{verb} is no HTTP method"))),
    }
}

/// Where a mapped request goes. `query` is the caller's, where it goes on.
pub(super) fn target(
    uri: &UriTemplate,
    stage: &Stage,
    call: &Invocation,
    headers: &HeaderMap,
    query: Option<&str>,
    prepared: &Prepared,
) -> Result<Target, Refused> {
    let values = Values {
        call,
        stage,
        request_headers: headers,
    };
    let queries: Vec<(&str, String)> = prepared
        .queries
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    uri.target_with(&values, query, &queries, &prepared.path)
}
