//! The integration request: what a method's request becomes on its way to the endpoint.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use tollgate_entity as entity;
use tollgate_entity::integration::PassthroughBehavior;

use super::Integrations;
use super::header_targets::{Target, request_header};
use crate::body::RequestBody;
use crate::content_coding;
use crate::deployed::Misconfigured;
use crate::gateway_response::{BadRequest, Refused};
use crate::invocation::Invocation;
use crate::mapping::content::{self, ContentHandling, Conversion, MediaTypes};
use crate::mapping::expression::Values;
use crate::mapping::parameters::RequestSource;
use crate::mapping::query;
use crate::mapping::template::{Lasting, Parameters, RenderError, Scope, Template};
use crate::snapshot::Stage;

/// The type of a body that has none, and of what has no other.
pub const JSON: &str = "application/json";

/// A compiled integration request.
#[derive(Debug, Default)]
pub struct IntegrationRequest {
    templates: Vec<RequestTemplate>,
    passthrough: PassthroughBehavior,
    handling: Option<ContentHandling>,
    binary_types: Arc<MediaTypes>,
    headers: Vec<(HeaderName, RequestSource)>,
    queries: Vec<(Box<str>, RequestSource)>,
    path: Vec<(Box<str>, RequestSource)>,
    reads_body: bool,
}

#[derive(Debug)]
struct RequestTemplate {
    content_type: Box<str>,
    /// None lets the body through as it is.
    template: Option<Result<Template, Misconfigured>>,
}

/// What becomes of the body when nothing has to look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untouched {
    /// It goes on as it comes.
    Streams,
    /// So many bytes are read.
    Read(usize),
}

/// A request on its way, mapped.
#[derive(Debug)]
pub struct Prepared {
    pub payload: Payload,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// By name, both written as in a query.
    pub queries: Vec<(String, String)>,
    /// Values of the URI's parameters, by name.
    pub path: Vec<(Box<str>, String)>,
    /// What templates leave for the response's.
    pub lasting: Lasting,
    /// The body as it came, and the room it takes.
    held: Option<RequestBody>,
}

#[derive(Debug)]
pub enum Payload {
    Streamed(RequestBody),
    Whole(Bytes),
}

impl IntegrationRequest {
    /// `has_templates`: integrations of a proxy type have none, whatever is set.
    pub fn compile(
        resource_path: &str,
        integration: &entity::Integration,
        binary_types: &Arc<MediaTypes>,
        has_templates: bool,
    ) -> Result<IntegrationRequest, Misconfigured> {
        let templates = integration.request_templates.iter().flatten();
        let templates = templates.filter(|_| has_templates);
        let mut request = IntegrationRequest {
            templates: templates
                .map(|(kind, text)| RequestTemplate {
                    content_type: kind.as_str().into(),
                    template: parse("request template", kind, text.as_deref()),
                })
                .collect(),
            passthrough: match has_templates {
                true => integration.passthrough_behavior,
                false => PassthroughBehavior::WhenNoMatch,
            },
            handling: ContentHandling::of(integration.content_handling.as_deref())?,
            binary_types: Arc::clone(binary_types),
            headers: Vec::new(),
            queries: Vec::new(),
            path: Vec::new(),
            reads_body: false,
        };
        for (target, text) in integration.request_parameters.iter().flatten() {
            let source = RequestSource::parse(text, resource_path)?;
            request.reads_body |= source.reads_body();
            let bad = || Misconfigured::new(format!("{target} is not a request parameter"));
            let name = target
                .strip_prefix("integration.request.")
                .ok_or_else(bad)?;
            match name
                .split_once('.')
                .filter(|(_, name)| !name.is_empty())
                .ok_or_else(bad)?
            {
                ("path", name) => request.path.push((name.into(), source)),
                ("querystring", name) => {
                    request.queries.push((query::encoded(name).into(), source))
                }
                ("header", name) => {
                    if let Target::Set(header) = request_header(name)? {
                        request.headers.push((header, source));
                    }
                }
                _ => return Err(bad()),
            }
        }
        Ok(request)
    }

    /// Whether nothing in it needs more than the head of a request.
    pub fn needs_head_only(&self) -> bool {
        !self.reads_body && self.handling.is_none() && self.templates.is_empty()
    }

    /// Whether templates may name path parameters besides.
    pub fn has_templates(&self) -> bool {
        !self.templates.is_empty()
    }

    /// Maps a request. Its body is read only if something has to look at it.
    pub async fn prepare(
        &self,
        with: &Integrations,
        stage: &Stage,
        call: &mut Invocation,
        request: &mut Request<RequestBody>,
        untouched: Untouched,
    ) -> Result<Prepared, Refused> {
        let template = self.template(request.headers())?;
        let is_read = self.reads_body
            || call.execution_log.is_some()
            || match template {
                Some(template) => template.literal().is_none(),
                None => self.handling.is_some(),
            };
        let untouched = match template {
            Some(_) => Untouched::Read(0), // what it gives takes the body's place
            None => untouched,
        };
        let mut held = None;
        let payload = if is_read {
            content_coding::decode(request)?;
            let mut body = std::mem::replace(request.body_mut(), RequestBody::empty());
            let bytes = body.gather(&with.room).await?;
            call.log(|log| log.body("Method request body before transformations", &bytes));
            held = Some(body);
            Payload::Whole(bytes)
        } else {
            let body = std::mem::replace(request.body_mut(), RequestBody::empty());
            match untouched {
                Untouched::Streams => Payload::Streamed(body),
                Untouched::Read(bytes_max) => Payload::Whole(body.read(bytes_max).await?.into()),
            }
        };
        let values = Values {
            call,
            stage,
            request_headers: request.headers(),
        };
        let mut prepared = self.map(&values, template, payload)?;
        prepared.held = held;
        Ok(prepared)
    }

    /// The template for the request's content type; none passes the body on.
    fn template(&self, headers: &HeaderMap) -> Result<Option<&Template>, Refused> {
        let given = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let given = given.unwrap_or(JSON);
        let bare = given.split(';').next().unwrap_or_default().trim();
        let named = |wanted: &str| {
            let mut templates = self.templates.iter();
            templates.find(|template| template.content_type.eq_ignore_ascii_case(wanted))
        };
        let found = named(given)
            .or_else(|| named(bare))
            .or_else(|| named("$default"));
        if let Some(found) = found {
            let template = found.template.as_ref().map(Result::as_ref).transpose();
            return template.map_err(|cause| cause.clone().into());
        }
        match self.passthrough {
            PassthroughBehavior::WhenNoMatch => Ok(None),
            PassthroughBehavior::WhenNoTemplates if self.templates.is_empty() => Ok(None),
            PassthroughBehavior::WhenNoTemplates | PassthroughBehavior::Never => {
                Err(Refused::UnsupportedMediaType)
            }
        }
    }

    fn map(
        &self,
        values: &Values<'_>,
        template: Option<&Template>,
        payload: Payload,
    ) -> Result<Prepared, Refused> {
        let mut lasting = Lasting::default();
        let own = match &payload {
            Payload::Whole(body) => body.clone(),
            Payload::Streamed(_) => Bytes::new(),
        };
        let mut mapped = {
            let text = String::from_utf8_lossy(&own);
            let mut scope = Scope::new(&mut lasting, *values, &text);
            self.parameters(values, &mut scope).map_err(of_request)?
        };
        mapped.payload = match payload {
            Payload::Streamed(body) => Payload::Streamed(body),
            Payload::Whole(body) => {
                let is_binary = self.binary_types.is_binary(values.request_headers);
                let conversion = content::of_request(is_binary, self.handling);
                let keeps_bytes = is_binary || conversion != Conversion::None;
                let body = conversion.apply(body)?;
                Payload::Whole(match template {
                    None => body,
                    Some(template) => {
                        let text = text(&body, keeps_bytes)?;
                        let mut scope = Scope::new(&mut lasting, *values, &text);
                        template.render(&mut scope).map_err(of_request)?.into()
                    }
                })
            }
        };
        let said = lasting.request_override().map_err(of_request)?;
        mapped.override_headers(said.headers)?;
        mapped.override_queries(said.queries);
        for (name, values) in said.path {
            mapped.path.retain(|(own, _)| **own != *name);
            mapped.path.extend(
                values
                    .into_iter()
                    .next_back()
                    .map(|value| (Box::from(&*name), value.to_string())),
            );
        }
        mapped.lasting = lasting;
        Ok(mapped)
    }

    fn parameters(
        &self,
        values: &Values<'_>,
        scope: &mut Scope<'_>,
    ) -> Result<Prepared, RenderError> {
        let mut mapped = Prepared {
            payload: Payload::Whole(Bytes::new()),
            headers: Vec::new(),
            queries: Vec::new(),
            path: Vec::new(),
            lasting: Lasting::default(),
            held: None,
        };
        for (name, source) in &self.headers {
            let value = source.values(values, scope)?.pop();
            // What no header can hold is not set.
            let value = value.and_then(|text| HeaderValue::try_from(text).ok());
            mapped
                .headers
                .extend(value.map(|value| (name.clone(), value)));
        }
        for (name, source) in &self.queries {
            for value in source.values(values, scope)? {
                mapped
                    .queries
                    .push((name.to_string(), query::encoded(&value)));
            }
        }
        for (name, source) in &self.path {
            // The others are in the URI's own expressions, which know how a path is spelled.
            if source.reads_body() {
                let value = source.values(values, scope)?.pop();
                mapped.path.push((name.clone(), value.unwrap_or_default()));
            }
        }
        Ok(mapped)
    }
}

impl Prepared {
    fn override_headers(&mut self, said: Parameters) -> Result<(), Misconfigured> {
        for (name, values) in said {
            let Target::Set(header) = request_header(&name)? else {
                continue;
            };
            self.headers.retain(|(own, _)| *own != header);
            for value in values {
                let value = HeaderValue::from_str(&value);
                self.headers
                    .extend(value.ok().map(|value| (header.clone(), value)));
            }
        }
        Ok(())
    }

    fn override_queries(&mut self, said: Parameters) {
        for (name, values) in said {
            let name = query::encoded(&name);
            self.queries.retain(|(own, _)| *own != name);
            for value in values {
                self.queries.push((name.clone(), query::encoded(&value)));
            }
        }
    }
}

/// Parses a template; an empty one lets the body through.
pub fn parse(
    what: &str,
    content_type: &str,
    text: Option<&str>,
) -> Option<Result<Template, Misconfigured>> {
    let text = text.filter(|text| !text.is_empty())?;
    Some(
        Template::parse(text)
            .map_err(|error| Misconfigured::new(format!("the {what} for {content_type}: {error}"))),
    )
}

/// A body as a template reads it. Bytes that were sent as such must be text to be read as one.
pub fn text(body: &[u8], keeps_bytes: bool) -> Result<std::borrow::Cow<'_, str>, Misconfigured> {
    let text = String::from_utf8_lossy(body);
    match (keeps_bytes, &text) {
        (true, std::borrow::Cow::Owned(_)) => Err(Misconfigured::new(
            "a template cannot read a body that is binary",
        )),
        _ => Ok(text),
    }
}

/// A body that is not the JSON it begins as is its sender's fault.
fn of_request(error: RenderError) -> Refused {
    match error {
        RenderError::Body(_) => Refused::BadRequest(BadRequest::Json),
        other => Misconfigured::new(format!("the request's mapping: {other}")).into(),
    }
}
