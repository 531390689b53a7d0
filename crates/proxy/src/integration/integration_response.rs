//! The integration response: what an endpoint's answer becomes on its way to the caller.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use regex::Regex;
use tollgate_entity as entity;

use super::Integrations;
use super::endpoint::{self, AnswerBody, EndpointAnswer};
use super::header_targets::{Target, response_header};
use super::integration_request::{JSON, parse, text};
use crate::body::Body;
use crate::deployed::Misconfigured;
use crate::gateway_response::Refused;
use crate::invocation::Invocation;
use crate::mapping::content::{self, ContentHandling, Conversion, MediaTypes};
use crate::mapping::expression::Values;
use crate::mapping::parameters::ResponseSource;
use crate::mapping::template::{Lasting, Parameters, RenderError, Scope, Template};
use crate::snapshot::Stage;

/// A method's integration responses, compiled.
#[derive(Debug)]
pub struct IntegrationResponses {
    all: Vec<IntegrationResponse>,
    binary_types: Arc<MediaTypes>,
}

#[derive(Debug)]
struct IntegrationResponse {
    /// Over the status; none is the default response.
    pattern: Option<Regex>,
    /// What follows, unless it cannot work as it is set up.
    mapping: Result<ResponseMapping, Misconfigured>,
}

#[derive(Debug)]
struct ResponseMapping {
    status: StatusCode,
    headers: Vec<(HeaderName, ResponseSource)>,
    templates: Vec<ResponseTemplate>,
    handling: Option<ContentHandling>,
}

#[derive(Debug)]
struct ResponseTemplate {
    content_type: Box<str>,
    header: HeaderValue,
    /// None lets the body through as it is.
    template: Option<Result<Template, Misconfigured>>,
}

/// Who asked, and what the way there has left.
pub struct Asked<'a> {
    pub with: &'a Integrations,
    pub stage: &'a Stage,
    pub headers: &'a HeaderMap,
    pub lasting: Lasting,
    /// Bytes that a body may have that something has to look at.
    pub bytes_max: u64,
    /// Until when it must be there.
    pub ends: Instant,
}

impl IntegrationResponses {
    pub fn compile(
        method: &entity::Method,
        integration: &entity::Integration,
        binary_types: &Arc<MediaTypes>,
    ) -> Result<IntegrationResponses, Misconfigured> {
        let responses = integration.integration_responses.iter().flatten();
        Ok(IntegrationResponses {
            all: responses
                .map(|(status, response)| {
                    Ok(IntegrationResponse {
                        pattern: pattern(response.selection_pattern.as_deref())?,
                        mapping: ResponseMapping::compile(method, status, response),
                    })
                })
                .collect::<Result<_, _>>()?,
            binary_types: Arc::clone(binary_types),
        })
    }

    /// Maps an answer by the response that its status selects.
    pub async fn respond(
        &self,
        call: &mut Invocation,
        asked: Asked<'_>,
        answer: EndpointAnswer,
    ) -> Result<Response<Body>, Refused> {
        let mapping = self.select(answer.status.as_u16())?;
        let chosen = mapping.template(asked.headers);
        let template = chosen.and_then(|chosen| chosen.template.as_ref());
        let template = template
            .map(Result::as_ref)
            .transpose()
            .map_err(Clone::clone)?;
        let is_binary = self.binary_types.is_binary(&answer.headers);
        let wants_binary = self.binary_types.wants_binary(asked.headers);
        let conversion = content::of_response(is_binary, wants_binary, mapping.handling);
        let is_read = template.is_some_and(|template| template.literal().is_none())
            || (template.is_none() && conversion != Conversion::None)
            || mapping
                .headers
                .iter()
                .any(|(_, source)| source.reads_body())
            || call.execution_log.is_some();
        let mut body = answer.body;
        if is_read {
            body = AnswerBody::Whole(body.read(asked.with, asked.bytes_max, asked.ends).await?);
        }
        if let AnswerBody::Whole(body) = &body
            && call.integration_status.is_some()
        {
            call.log(|log| log.body("Endpoint response body before transformations", body));
        }
        let values = Values {
            call,
            stage: asked.stage,
            request_headers: asked.headers,
        };
        let mut lasting = asked.lasting;
        let whole = match &body {
            AnswerBody::Whole(body) => body.clone(),
            AnswerBody::Streamed(_) => Bytes::new(),
        };
        let headers = mapping.headers(&values, &answer.headers, &whole, &mut lasting)?;
        let body = match (template, body) {
            (None, AnswerBody::Streamed(body)) => AnswerBody::Streamed(body),
            (None, AnswerBody::Whole(body)) => AnswerBody::Whole(conversion.apply(body)?),
            (Some(template), _) => {
                let keeps_bytes = is_binary || conversion != Conversion::None;
                let converted = conversion.apply(whole)?;
                let text = text(&converted, keeps_bytes)?;
                let mut scope = Scope::new(&mut lasting, values, &text);
                AnswerBody::Whole(template.render(&mut scope).map_err(of_response)?.into())
            }
        };
        let said = lasting.response_override().map_err(of_response)?;
        let status = said
            .status
            .and_then(|status| StatusCode::from_u16(status).ok());
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status
            .filter(|status| !status.is_informational())
            .unwrap_or(mapping.status);
        let content_type = chosen.map(|chosen| chosen.header.clone());
        let content_type = content_type.unwrap_or(HeaderValue::from_static(JSON));
        let out = response.headers_mut();
        out.insert(CONTENT_TYPE, content_type);
        for (name, value) in headers {
            out.insert(name, value);
        }
        override_headers(out, said.headers)?;
        if let AnswerBody::Whole(body) = &body {
            endpoint::log_method_response(call, out, body);
        }
        // An answer that has no body by its status gets none: it would wait for someone to take it.
        let has_body = !matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
        if has_body {
            *response.body_mut() = match body {
                AnswerBody::Streamed(body) => Body::upstream(*body),
                AnswerBody::Whole(body) => Body::full(body),
            };
        }
        Ok(response)
    }

    fn select(&self, status: u16) -> Result<&ResponseMapping, Misconfigured> {
        let status = status.to_string();
        let matches = |response: &&IntegrationResponse| {
            response
                .pattern
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(&status))
        };
        let matching = self.all.iter().find(matches);
        let selected = matching.or_else(|| self.all.iter().find(|r| r.pattern.is_none()));
        let selected = selected.ok_or_else(|| {
            Misconfigured::new(format!(
                "no match for output mapping and no default output mapping configured: \
                no integration response is selected by {status}"
            ))
        })?;
        selected.mapping.as_ref().map_err(Clone::clone)
    }
}

impl ResponseMapping {
    fn compile(
        method: &entity::Method,
        status: &str,
        response: &entity::IntegrationResponse,
    ) -> Result<ResponseMapping, Misconfigured> {
        let bad_status = || Misconfigured::new(format!("{status} is no HTTP status"));
        let code: StatusCode = status.parse().map_err(|_| bad_status())?;
        if code.is_informational() {
            return Err(bad_status());
        }
        let declared = method.method_responses.iter().flatten();
        let declared = declared.into_iter().find(|(own, _)| *own == status);
        let declared = declared.ok_or_else(|| {
            let text = format!("output mapping refers to an invalid method response: {status}");
            Misconfigured::new(text)
        })?;
        let declared = declared.1.response_parameters.as_ref();
        let mut headers = Vec::new();
        for (target, text) in response.response_parameters.iter().flatten() {
            if !declared.is_some_and(|declared| declared.contains_key(target)) {
                let text =
                    format!("{target} is mapped and not declared by the method response {status}");
                return Err(Misconfigured::new(text));
            }
            let name = target.strip_prefix("method.response.header.");
            let name =
                name.ok_or_else(|| Misconfigured::new(format!("{target} cannot be mapped")))?;
            if let Target::Set(header) = response_header(name)? {
                headers.push((header, ResponseSource::parse(text)?));
            }
        }
        let templates = response.response_templates.iter().flatten();
        Ok(ResponseMapping {
            status: code,
            headers,
            templates: templates
                .map(|(kind, text)| ResponseTemplate::compile(kind, text.as_deref()))
                .collect::<Result<_, _>>()?,
            handling: ContentHandling::of(response.content_handling.as_deref())?,
        })
    }

    /// The first that the caller accepts by name, else JSON, else the first.
    fn template(&self, headers: &HeaderMap) -> Option<&ResponseTemplate> {
        let named = |wanted: &str| {
            let mut templates = self.templates.iter();
            templates.find(|template| template.content_type.eq_ignore_ascii_case(wanted))
        };
        let accepted = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .filter_map(|range| range.split(';').next())
            .find_map(|range| named(range.trim()));
        accepted
            .or_else(|| named(JSON))
            .or_else(|| self.templates.first())
    }

    /// What has no value, or one that no header can hold, is not set.
    fn headers(
        &self,
        values: &Values<'_>,
        answered: &HeaderMap,
        body: &Bytes,
        lasting: &mut Lasting,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Refused> {
        let text = String::from_utf8_lossy(body);
        let mut scope = Scope::new(lasting, *values, &text);
        let mut headers = Vec::with_capacity(self.headers.len());
        for (name, source) in &self.headers {
            let value = source
                .value(values, answered, &mut scope)
                .map_err(of_response)?;
            let value = value.and_then(|text| HeaderValue::try_from(text).ok());
            headers.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(headers)
    }
}

impl ResponseTemplate {
    fn compile(content_type: &str, text: Option<&str>) -> Result<ResponseTemplate, Misconfigured> {
        let bad = |_| Misconfigured::new(format!("{content_type} is no content type"));
        Ok(ResponseTemplate {
            content_type: content_type.into(),
            header: HeaderValue::from_str(content_type).map_err(bad)?,
            template: parse("response template", content_type, text),
        })
    }
}

fn override_headers(headers: &mut HeaderMap, said: Parameters) -> Result<(), Misconfigured> {
    for (name, values) in said {
        let Target::Set(header) = response_header(&name)? else {
            continue;
        };
        headers.remove(&header);
        for value in values {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(header.clone(), value);
            }
        }
    }
    Ok(())
}

/// A pattern matches the whole status, as on AWS.
fn pattern(text: Option<&str>) -> Result<Option<Regex>, Misconfigured> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let whole = Regex::new(&format!("^(?:{text})$"));
    whole
        .map(Some)
        .map_err(|_| Misconfigured::new(format!("selectionPattern {text} is not supported")))
}

fn of_response(error: RenderError) -> Refused {
    Misconfigured::new(format!("the response's mapping: {error}")).into()
}
