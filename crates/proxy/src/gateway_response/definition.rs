//! The gateway responses that a deployment defines, compiled: status, headers and a body for each reason.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Response, StatusCode};
use tollgate_entity as entity;
use tollgate_entity::ResponseType;

use super::variable::Variable;
use super::{Reason, Refused, Row, TABLE};
use crate::body::Body;
use crate::mapping::expression::Values;
use crate::mapping::substitution::{Piece, pieces};

const JSON: &str = "application/json";

/// AWS's own template, where a definition has none.
const USUAL: &str = "{\"message\":$context.error.messageString}";

/// What may stand after a `$`.
const ROOTS: [&str; 3] = ["context.", "stageVariables.", "method.request."];

/// Headers that a definition must not set: they frame the message.
static NOT_MAPPED: [HeaderName; 5] = [
    CONNECTION,
    CONTENT_LENGTH,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Which definition words which refusal.
pub struct Definitions {
    /// By reason.
    of: Box<[Option<Arc<Definition>>]>,
    /// Whether one of them looks at a request's headers, so that these have to be kept.
    pub reads_headers: bool,
}

/// How one type of refusal is answered.
#[derive(Debug)]
pub struct Definition {
    /// None leaves each reason its own.
    status: Option<StatusCode>,
    headers: Vec<(HeaderName, Variable)>,
    /// At least one.
    templates: Vec<Template>,
}

#[derive(Debug)]
struct Template {
    content_type: Box<str>,
    header: HeaderValue,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(Box<str>),
    /// What has no value in a call leaves nothing behind.
    Variable(Variable),
}

impl Definitions {
    /// None when nothing is defined, as for most APIs.
    pub fn compile(defined: &[entity::GatewayResponse]) -> Option<Box<Definitions>> {
        if defined.is_empty() {
            return None;
        }
        let definition = |name: &str| {
            let own = defined.iter().find(|own| own.response_type == name)?;
            Some(Arc::new(Definition::compile(own, defined)))
        };
        let compiled: Vec<(&str, Option<Arc<Definition>>)> =
            entity::gateway_response::RESPONSE_TYPES
                .iter()
                .map(|kind| (kind.name, definition(kind.name)))
                .collect();
        let named = |name: &str| {
            let (_, definition) = compiled.iter().find(|(own, _)| *own == name)?;
            definition.clone()
        };
        let of = TABLE.iter().map(|row| {
            // The edge refuses these, as AWS's does: no definition has an effect on them.
            if row.reason == Reason::RequestTooLarge {
                return None;
            }
            let fallback = ResponseType::named(row.response_type)?.falls_back_to;
            named(row.response_type).or_else(|| fallback.and_then(named))
        });
        let all = compiled.iter().filter_map(|(_, own)| own.as_ref());
        let reads_headers = all.into_iter().any(|own| own.reads_headers());
        Some(Box::new(Definitions {
            of: of.collect(),
            reads_headers,
        }))
    }

    /// The definition for a refusal, if there is one.
    pub fn of(&self, reason: Reason) -> Option<&Definition> {
        self.of.get(reason as usize)?.as_deref()
    }
}

impl Definition {
    /// What cannot be used of it is left out, and said.
    fn compile(own: &entity::GatewayResponse, all: &[entity::GatewayResponse]) -> Definition {
        let left_out = |what: &str| {
            tracing::warn!(
                response_type = own.response_type,
                what,
                "a part of a gateway response cannot be used and is left out"
            );
        };
        let fallback = ResponseType::named(&own.response_type).and_then(|kind| kind.falls_back_to);
        let inherited = all
            .iter()
            .find(|other| Some(&*other.response_type) == fallback)
            .and_then(|other| other.status_code.as_deref());
        let status = own.status_code.as_deref().or(inherited).and_then(|text| {
            let status = text.parse::<StatusCode>().ok();
            let status = status.filter(|status| !status.is_informational());
            if status.is_none() {
                left_out(text);
            }
            status
        });
        let mut headers = Vec::new();
        for (target, text) in &own.response_parameters {
            match header(target, text) {
                Some(header) => headers.push(header),
                None => left_out(target),
            }
        }
        let mut templates = Vec::new();
        for (kind, text) in &own.response_templates {
            match Template::compile(kind, text) {
                Some(template) => templates.push(template),
                None => left_out(kind),
            }
        }
        if templates.is_empty() {
            templates.extend(Template::compile(JSON, USUAL));
        }
        Definition {
            status,
            headers,
            templates,
        }
    }

    fn reads_headers(&self) -> bool {
        let parts = self.templates.iter().flat_map(|template| &template.parts);
        let in_templates = parts.filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Variable(variable) => Some(variable),
        });
        let mut all = self.headers.iter().map(|(_, own)| own).chain(in_templates);
        self.templates.len() > 1 || all.any(Variable::reads_headers)
    }

    /// The answer; the gateway's own headers are still to be set.
    pub(super) fn response(
        &self,
        refused: &Refused,
        row: &Row,
        values: &Values<'_>,
    ) -> Response<Body> {
        let own = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status.unwrap_or(own);
        if let Some(template) = self.template(values.request_headers) {
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, template.header.clone());
            // An answer that has no body by its status gets none.
            if !matches!(
                response.status(),
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            ) {
                *response.body_mut() = Body::full(template.render(row, values));
            }
        }
        debug_assert_eq!(refused.reason(), row.reason);
        for (name, variable) in &self.headers {
            let value = variable.value(row, values);
            if let Some(value) = value.and_then(|text| HeaderValue::from_str(&text).ok()) {
                response.headers_mut().insert(name.clone(), value);
            }
        }
        response
    }

    /// The first that the caller accepts by name, else JSON, else the first.
    fn template(&self, headers: &HeaderMap) -> Option<&Template> {
        let named = |wanted: &str| {
            let mut templates = self.templates.iter();
            templates.find(|own| own.content_type.eq_ignore_ascii_case(wanted))
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

impl Template {
    fn compile(content_type: &str, text: &str) -> Option<Template> {
        let parts = pieces(text, &ROOTS).into_iter().map(|piece| match piece {
            Piece::Text(text) => Part::Text(text.into()),
            Piece::Variable(name) => match Variable::parse(name) {
                Some(variable) => Part::Variable(variable),
                None => Part::Text("".into()),
            },
        });
        Some(Template {
            content_type: content_type.into(),
            header: HeaderValue::from_str(content_type).ok()?,
            parts: parts.collect(),
        })
    }

    fn render(&self, row: &Row, values: &Values<'_>) -> Bytes {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(own) => text.push_str(own),
                Part::Variable(variable) => {
                    text.push_str(&variable.value(row, values).unwrap_or_default());
                }
            }
        }
        text.into()
    }
}

/// `gatewayresponse.header.<name>` and what it is set to.
fn header(target: &str, text: &str) -> Option<(HeaderName, Variable)> {
    let name = target.strip_prefix("gatewayresponse.header.")?;
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    (!NOT_MAPPED.contains(&name)).then_some(())?;
    Some((name, Variable::parse(text)?))
}

#[cfg(test)]
mod tests;
