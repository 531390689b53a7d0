//! MOCK: answers by itself, with the integration response that the request template's status selects.

use bytes::Bytes;
use http::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Request, Response, StatusCode};
use regex::Regex;
use tollgate_entity as entity;
use tollgate_entity::integration::PassthroughBehavior;

use super::{lenient, template};
use crate::body::{Body, RequestBody};
use crate::deployed::Misconfigured;
use crate::gateway_response::Refused;
use crate::invocation::Invocation;
use crate::mapping::expression::{Expression, Values};
use crate::snapshot::Stage;

const JSON: &str = "application/json";

/// Bytes that a request's body may have to be read for a status, when no template gives one.
const STATUS_BODY_BYTES_MAX: usize = 64 * 1024;

/// A compiled MOCK integration.
#[derive(Debug)]
pub struct Mock {
    /// By content type: the status that the request template gives.
    requests: Vec<(Box<str>, Result<u16, Misconfigured>)>,
    passthrough: PassthroughBehavior,
    responses: Vec<MockResponse>,
}

#[derive(Debug)]
struct MockResponse {
    /// Over the status; none is the default answer.
    pattern: Option<Regex>,
    status: StatusCode,
    headers: Vec<(HeaderName, Expression)>,
    templates: Vec<ResponseTemplate>,
}

#[derive(Debug)]
struct ResponseTemplate {
    content_type: Box<str>,
    header: HeaderValue,
    body: Result<Bytes, Misconfigured>,
}

impl Mock {
    pub(super) fn compile(integration: &entity::Integration) -> Result<Mock, Misconfigured> {
        let requests = integration.request_templates.iter().flatten();
        let responses = integration.integration_responses.iter().flatten();
        Ok(Mock {
            requests: requests
                .map(|(kind, text)| {
                    (
                        kind.as_str().into(),
                        status_of(text.as_deref().unwrap_or_default()),
                    )
                })
                .collect(),
            passthrough: integration.passthrough_behavior,
            responses: responses
                .map(|(status, response)| MockResponse::compile(status, response))
                .collect::<Result<_, _>>()?,
        })
    }

    pub(super) async fn answer(
        &self,
        stage: &Stage,
        call: &Invocation,
        request: Request<RequestBody>,
    ) -> Result<Response<Body>, Refused> {
        let (head, body) = request.into_parts();
        let status = match self.request_template(&head.headers)? {
            Some(status) => {
                body.read(0).await?;
                status.clone()?
            }
            None => status_of_body(body).await?,
        };
        let selected = self.select(status)?;
        let values = Values {
            call,
            stage,
            request_headers: &head.headers,
        };
        selected.response(&values)
    }

    /// The template for the request's content type. None lets the body itself say the status.
    fn request_template(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<&Result<u16, Misconfigured>>, Refused> {
        let given = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or(JSON);
        let bare = given.split(';').next().unwrap_or_default().trim();
        let named = |wanted: &str| {
            self.requests
                .iter()
                .find(|(kind, _)| kind.eq_ignore_ascii_case(wanted))
        };
        if let Some((_, status)) = named(given)
            .or_else(|| named(bare))
            .or_else(|| named("$default"))
        {
            return Ok(Some(status));
        }
        match self.passthrough {
            PassthroughBehavior::WhenNoMatch => Ok(None),
            PassthroughBehavior::WhenNoTemplates if self.requests.is_empty() => Ok(None),
            PassthroughBehavior::WhenNoTemplates | PassthroughBehavior::Never => {
                Err(Refused::UnsupportedMediaType)
            }
        }
    }

    fn select(&self, status: u16) -> Result<&MockResponse, Misconfigured> {
        let status = status.to_string();
        let matching = self
            .responses
            .iter()
            .find(|r| r.pattern.as_ref().is_some_and(|p| p.is_match(&status)));
        let selected = matching.or_else(|| self.responses.iter().find(|r| r.pattern.is_none()));
        selected.ok_or_else(|| {
            Misconfigured::new(format!("no integration response is selected by {status}"))
        })
    }
}

fn status_of(text: &str) -> Result<u16, Misconfigured> {
    if !template::is_literal(text) {
        return Err(Misconfigured::new(
            "request templates with expressions are not supported",
        ));
    }
    lenient::status_code(text)
        .ok_or_else(|| Misconfigured::new("the request template gives no status code"))
}

async fn status_of_body(body: RequestBody) -> Result<u16, Refused> {
    let none = || Misconfigured::new("neither a request template nor the body gives a status code");
    let bytes = body.read(STATUS_BODY_BYTES_MAX + 1).await?;
    let status = std::str::from_utf8(&bytes)
        .ok()
        .filter(|text| text.len() <= STATUS_BODY_BYTES_MAX)
        .and_then(lenient::status_code);
    Ok(status.ok_or_else(none)?)
}

/// Headers that a response parameter must not set: they frame the message.
static NOT_MAPPED: [HeaderName; 5] = [
    CONNECTION,
    CONTENT_LENGTH,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

impl MockResponse {
    fn compile(
        status: &str,
        response: &entity::IntegrationResponse,
    ) -> Result<MockResponse, Misconfigured> {
        let bad_status = || Misconfigured::new(format!("{status} is no HTTP status"));
        let status: StatusCode = status.parse().map_err(|_| bad_status())?;
        if status.is_informational() {
            return Err(bad_status());
        }
        if response.content_handling.is_some() {
            return Err(Misconfigured::new("contentHandling is not supported"));
        }
        let parameters = response.response_parameters.iter().flatten();
        let templates = response.response_templates.iter().flatten();
        Ok(MockResponse {
            pattern: pattern(response.selection_pattern.as_deref())?,
            status,
            headers: parameters
                .filter_map(|(target, text)| header_mapping(target, text).transpose())
                .collect::<Result<_, _>>()?,
            templates: templates
                .map(|(kind, text)| {
                    ResponseTemplate::compile(kind, text.as_deref().unwrap_or_default())
                })
                .collect::<Result<_, _>>()?,
        })
    }

    fn response(&self, values: &Values<'_>) -> Result<Response<Body>, Refused> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        let mut content_type = HeaderValue::from_static(JSON);
        if let Some(template) = self.template(values.request_headers) {
            let body = template.body.clone()?;
            // An answer that has no body by its status gets none: it would wait for someone to take it.
            if !matches!(
                self.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            ) {
                *response.body_mut() = Body::full(body);
            }
            content_type = template.header.clone();
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        for (name, expression) in &self.headers {
            let value = expression
                .value(values)
                .and_then(|text| HeaderValue::from_str(&text).ok());
            if let Some(value) = value {
                headers.insert(name.clone(), value);
            }
        }
        Ok(response)
    }

    /// The first that the caller accepts by name, else JSON, else the first.
    fn template(&self, headers: &HeaderMap) -> Option<&ResponseTemplate> {
        let named = |wanted: &str| {
            self.templates
                .iter()
                .find(|t| t.content_type.eq_ignore_ascii_case(wanted))
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
}

impl ResponseTemplate {
    fn compile(content_type: &str, text: &str) -> Result<ResponseTemplate, Misconfigured> {
        let bad = |_| Misconfigured::new(format!("{content_type} is no content type"));
        let body = match template::is_literal(text) {
            true => Ok(Bytes::copy_from_slice(text.as_bytes())),
            false => Err(Misconfigured::new(
                "response templates with expressions are not supported",
            )),
        };
        let header = HeaderValue::from_str(content_type).map_err(bad)?;
        Ok(ResponseTemplate {
            content_type: content_type.into(),
            header,
            body,
        })
    }
}

fn pattern(text: Option<&str>) -> Result<Option<Regex>, Misconfigured> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let whole = Regex::new(&format!("^(?:{text})$"));
    whole
        .map(Some)
        .map_err(|_| Misconfigured::new(format!("selectionPattern {text} is not supported")))
}

/// None when there is nothing to map from: a mock has no integration that sent headers.
fn header_mapping(
    target: &str,
    text: &str,
) -> Result<Option<(HeaderName, Expression)>, Misconfigured> {
    let name = target.strip_prefix("method.response.header.");
    let header = name.and_then(|name| HeaderName::from_bytes(name.as_bytes()).ok());
    let header = header.filter(|header| !NOT_MAPPED.contains(header));
    let header = header.ok_or_else(|| Misconfigured::new(format!("{target} cannot be mapped")))?;
    if text.starts_with("integration.response.header.")
        || text.starts_with("integration.response.multivalueheader.")
    {
        return Ok(None);
    }
    let expression = Expression::of_any(text);
    let expression = expression
        .ok_or_else(|| Misconfigured::new(format!("mapping expression {text} is not supported")))?;
    Ok(Some((header, expression)))
}
