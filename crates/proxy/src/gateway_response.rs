//! Every refusal and its answer: the one table of statuses, messages and error types.
//!
//! Whatever refuses a request says so with a [`Refused`], whose variants carry what the caller is
//! shown; only this file knows how that looks on the wire, and `definition` how an API words it.

pub mod definition;
pub mod variable;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use crate::body::Body;
use crate::invocation::RequestIds;
use crate::mapping::expression::Values;
use crate::net::http1::Fault;

use self::definition::Definition;

/// Why a request was not answered by its integration.
#[derive(Clone, Debug, PartialEq)]
pub enum Refused {
    /// A message that is not strict HTTP.
    Faulty(Fault),
    /// A request that nothing can be asked with.
    BadRequest(BadRequest),
    /// A body larger than the gateway takes.
    RequestTooLarge {
        bytes_max: u64,
    },
    /// The body did not come in time.
    SlowBody,
    /// No such API or stage, or one that may not be called by this address.
    ForbiddenStage,
    /// No such resource or method.
    MissingAuthenticationToken,
    InvalidApiKey(KeyFault),
    Throttled {
        retry_after: Duration,
    },
    QuotaExceeded {
        resets_in: Duration,
    },
    /// Quota is left but no unit reserved, and none came in time.
    LedgerBusy {
        retry_after: Duration,
    },
    /// The ledger cannot be written, so nothing metered is let through.
    LedgerFailed {
        retry_after: Duration,
    },
    /// More calls in progress than the gateway takes.
    TooManyCalls {
        retry_after: Duration,
    },
    UnsupportedMediaType,
    /// Required parameters are not there; their names with commas.
    MissingParameters(Arc<str>),
    /// The body does not fit its model; what is wrong with it.
    InvalidBody(Arc<str>),
    /// The bodies that are held in memory leave no room for this one.
    NoRoom,
    /// The method cannot work as it is set up; the text is for operators, not for callers.
    Misconfigured(Arc<str>),
    IntegrationTimeout,
    IntegrationFailure(IntegrationFault),
    /// Our own fault; the details are in the log.
    Internal,
}

/// What is wrong with a request that is strict HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRequest {
    /// Not exactly one usable Host.
    Host,
    /// A target in a form that is not for us, or a path that would leave its place upstream.
    Target,
    /// CONNECT.
    Method,
    /// The body ended early or is not framed as it says.
    Body,
    /// A mapping reads the body as JSON, which it begins as and is not.
    Json,
}

/// What is wrong with an API key. The caller is not told, or anyone could find out which keys exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    Missing,
    Unknown,
    Disabled,
    /// In no plan that has this stage.
    NotInPlan,
}

/// Why the upstream gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntegrationFault {
    /// The name does not resolve.
    Name,
    /// Every address of the upstream is one that may not be called.
    Address,
    Connect,
    Tls,
    /// The connection ended before the answer, or what came is no answer.
    Answer,
}

/// Every reason a refusal can have; one row of [`TABLE`] each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    Malformed,
    AmbiguousLength,
    BadVersion,
    UriTooLong,
    HeadersTooLarge,
    SlowHead,
    BadHost,
    BadTarget,
    BadMethod,
    BadBody,
    BadJson,
    RequestTooLarge,
    SlowBody,
    NoStage,
    NoMethod,
    KeyMissing,
    KeyUnknown,
    KeyDisabled,
    KeyNotInPlan,
    Throttled,
    QuotaExceeded,
    LedgerBusy,
    LedgerFailed,
    TooManyCalls,
    UnsupportedMediaType,
    Misconfigured,
    IntegrationTimeout,
    UpstreamName,
    UpstreamAddress,
    UpstreamConnect,
    UpstreamTls,
    UpstreamAnswer,
    Internal,
    TooManyConnections,
    PlainHttp,
    NoRoom,
    MissingParameters,
    InvalidBody,
}

/// How a refusal looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub reason: Reason,
    /// The reason's name in logs, metrics and `x-tollgate-reason`.
    pub name: &'static str,
    /// AWS's gateway response type, or one of ours where AWS has no such refusal.
    pub response_type: &'static str,
    pub status: u16,
    pub message: &'static str,
    /// The message in JSON, as it is answered.
    pub body: &'static str,
    /// `x-amzn-ErrorType`.
    pub error_type: &'static str,
}

/// A message to the caller, and the same in JSON.
struct Message {
    text: &'static str,
    json: &'static str,
}

/// Messages are written into JSON as they stand, so they have nothing to escape.
macro_rules! message {
    ($text:literal) => {
        Message {
            text: $text,
            json: concat!("{\"message\":\"", $text, "\"}"),
        }
    };
}

const fn row(
    reason: Reason,
    name: &'static str,
    response_type: &'static str,
    status: u16,
    message: Message,
    error_type: &'static str,
) -> Row {
    Row {
        reason,
        name,
        response_type,
        status,
        message: message.text,
        body: message.json,
        error_type,
    }
}

const BAD: Message = message!("Bad Request");
const BAD_TYPE: &str = "BadRequestException";
const FORBIDDEN: Message = message!("Forbidden");
const FORBIDDEN_TYPE: &str = "ForbiddenException";
const BUSY: Message = message!("Service Unavailable");
const BUSY_TYPE: &str = "ServiceUnavailableException";
const INTERNAL: Message = message!("Internal server error");
const INTERNAL_TYPE: &str = "InternalServerErrorException";
const NETWORK: Message = message!("Network error communicating with endpoint");
const NO_TOKEN: Message = message!("Missing Authentication Token");
const NO_TOKEN_TYPE: &str = "MissingAuthenticationTokenException";
const LARGE_HEAD: Message = message!("Request Header Fields Too Large");
const LARGE_HEAD_TYPE: &str = "RequestHeaderFieldsTooLargeException";

/// All refusals, in the order of [`Reason`].
#[rustfmt::skip]
pub const TABLE: [Row; 38] = [
    row(Reason::Malformed,            "malformed",              "DEFAULT_4XX",                  400, BAD, BAD_TYPE),
    row(Reason::AmbiguousLength,      "ambiguous-length",       "DEFAULT_4XX",                  400, BAD, BAD_TYPE),
    row(Reason::BadVersion,           "bad-version",            "DEFAULT_5XX",                  505, message!("HTTP Version Not Supported"), "HttpVersionNotSupportedException"),
    row(Reason::UriTooLong,           "uri-too-long",           "DEFAULT_4XX",                  414, message!("URI Too Long"), "UriTooLongException"),
    row(Reason::HeadersTooLarge,      "headers-too-large",      "DEFAULT_4XX",                  431, LARGE_HEAD, LARGE_HEAD_TYPE),
    row(Reason::SlowHead,             "slow-head",              "DEFAULT_4XX",                  408, message!("Request Timeout"), "RequestTimeoutException"),
    row(Reason::BadHost,              "bad-host",               "DEFAULT_4XX",                  400, BAD, BAD_TYPE),
    row(Reason::BadTarget,            "bad-target",             "DEFAULT_4XX",                  400, BAD, BAD_TYPE),
    row(Reason::BadMethod,            "bad-method",             "DEFAULT_4XX",                  400, BAD, BAD_TYPE),
    row(Reason::BadBody,              "bad-body",               "DEFAULT_4XX",                  400, BAD, BAD_TYPE),
    row(Reason::BadJson,              "bad-json",               "DEFAULT_4XX",                  400, message!("Invalid JSON in request body"), BAD_TYPE),
    row(Reason::RequestTooLarge,      "request-too-large",      "REQUEST_TOO_LARGE",            413, message!("Request Too Long"), ""),
    row(Reason::SlowBody,             "slow-body",              "DEFAULT_4XX",                  408, message!("Request Timeout"), "RequestTimeoutException"),
    row(Reason::NoStage,              "no-stage",               "DEFAULT_4XX",                  403, FORBIDDEN, FORBIDDEN_TYPE),
    row(Reason::NoMethod,             "no-method",              "MISSING_AUTHENTICATION_TOKEN", 403, NO_TOKEN, NO_TOKEN_TYPE),
    row(Reason::KeyMissing,           "key-missing",            "INVALID_API_KEY",              403, FORBIDDEN, FORBIDDEN_TYPE),
    row(Reason::KeyUnknown,           "key-unknown",            "INVALID_API_KEY",              403, FORBIDDEN, FORBIDDEN_TYPE),
    row(Reason::KeyDisabled,          "key-disabled",           "INVALID_API_KEY",              403, FORBIDDEN, FORBIDDEN_TYPE),
    row(Reason::KeyNotInPlan,         "key-not-in-plan",        "INVALID_API_KEY",              403, FORBIDDEN, FORBIDDEN_TYPE),
    row(Reason::Throttled,            "throttled",              "THROTTLED",                    429, message!("Too Many Requests"), "TooManyRequestsException"),
    row(Reason::QuotaExceeded,        "quota-exceeded",         "QUOTA_EXCEEDED",               429, message!("Limit Exceeded"), "LimitExceededException"),
    row(Reason::LedgerBusy,           "ledger-busy",            "DEFAULT_5XX",                  503, BUSY, BUSY_TYPE),
    row(Reason::LedgerFailed,         "ledger-failed",          "DEFAULT_5XX",                  503, BUSY, BUSY_TYPE),
    row(Reason::TooManyCalls,         "too-many-calls",         "DEFAULT_5XX",                  503, BUSY, BUSY_TYPE),
    row(Reason::UnsupportedMediaType, "unsupported-media-type", "UNSUPPORTED_MEDIA_TYPE",       415, message!("Unsupported Media Type"), BAD_TYPE),
    row(Reason::Misconfigured,        "misconfigured",          "API_CONFIGURATION_ERROR",      500, INTERNAL, INTERNAL_TYPE),
    row(Reason::IntegrationTimeout,   "integration-timeout",    "INTEGRATION_TIMEOUT",          504, message!("Endpoint request timed out"), INTERNAL_TYPE),
    row(Reason::UpstreamName,         "upstream-name",          "INTEGRATION_FAILURE",          504, NETWORK, INTERNAL_TYPE),
    row(Reason::UpstreamAddress,      "upstream-address",       "API_CONFIGURATION_ERROR",      500, INTERNAL, INTERNAL_TYPE),
    row(Reason::UpstreamConnect,      "upstream-connect",       "INTEGRATION_FAILURE",          504, NETWORK, INTERNAL_TYPE),
    row(Reason::UpstreamTls,          "upstream-tls",           "INTEGRATION_FAILURE",          504, NETWORK, INTERNAL_TYPE),
    row(Reason::UpstreamAnswer,       "upstream-answer",        "INTEGRATION_FAILURE",          504, NETWORK, INTERNAL_TYPE),
    row(Reason::Internal,             "internal",               "DEFAULT_5XX",                  500, INTERNAL, INTERNAL_TYPE),
    row(Reason::TooManyConnections,   "too-many-connections",   "DEFAULT_5XX",                  503, BUSY, BUSY_TYPE),
    row(Reason::PlainHttp,            "plain-http",             "DEFAULT_4XX",                  400, message!("This port speaks TLS: use https"), BAD_TYPE),
    row(Reason::NoRoom,               "no-room",                "DEFAULT_5XX",                  503, BUSY, BUSY_TYPE),
    row(Reason::MissingParameters,    "missing-parameters",     "BAD_REQUEST_PARAMETERS",       400, message!("Missing required request parameters"), BAD_TYPE),
    row(Reason::InvalidBody,          "invalid-body",           "BAD_REQUEST_BODY",             400, message!("Invalid request body"), BAD_TYPE),
];

impl Reason {
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

impl Refused {
    pub fn reason(&self) -> Reason {
        match self {
            Refused::Faulty(fault) => match fault {
                Fault::BothLengths | Fault::SeveralLengths => Reason::AmbiguousLength,
                Fault::BadVersion => Reason::BadVersion,
                Fault::TargetTooLong => Reason::UriTooLong,
                Fault::HeadTooLarge | Fault::TooManyHeaders => Reason::HeadersTooLarge,
                Fault::SlowHead => Reason::SlowHead,
                Fault::Malformed
                | Fault::BareLineFeed
                | Fault::BadLength
                | Fault::BadEncoding
                | Fault::BadChunk => Reason::Malformed,
            },
            Refused::BadRequest(BadRequest::Host) => Reason::BadHost,
            Refused::BadRequest(BadRequest::Target) => Reason::BadTarget,
            Refused::BadRequest(BadRequest::Method) => Reason::BadMethod,
            Refused::BadRequest(BadRequest::Body) => Reason::BadBody,
            Refused::BadRequest(BadRequest::Json) => Reason::BadJson,
            Refused::RequestTooLarge { .. } => Reason::RequestTooLarge,
            Refused::SlowBody => Reason::SlowBody,
            Refused::ForbiddenStage => Reason::NoStage,
            Refused::MissingAuthenticationToken => Reason::NoMethod,
            Refused::InvalidApiKey(KeyFault::Missing) => Reason::KeyMissing,
            Refused::InvalidApiKey(KeyFault::Unknown) => Reason::KeyUnknown,
            Refused::InvalidApiKey(KeyFault::Disabled) => Reason::KeyDisabled,
            Refused::InvalidApiKey(KeyFault::NotInPlan) => Reason::KeyNotInPlan,
            Refused::Throttled { .. } => Reason::Throttled,
            Refused::QuotaExceeded { .. } => Reason::QuotaExceeded,
            Refused::LedgerBusy { .. } => Reason::LedgerBusy,
            Refused::LedgerFailed { .. } => Reason::LedgerFailed,
            Refused::TooManyCalls { .. } => Reason::TooManyCalls,
            Refused::UnsupportedMediaType => Reason::UnsupportedMediaType,
            Refused::MissingParameters(_) => Reason::MissingParameters,
            Refused::InvalidBody(_) => Reason::InvalidBody,
            Refused::NoRoom => Reason::NoRoom,
            Refused::Misconfigured(_) => Reason::Misconfigured,
            Refused::IntegrationTimeout => Reason::IntegrationTimeout,
            Refused::IntegrationFailure(IntegrationFault::Name) => Reason::UpstreamName,
            Refused::IntegrationFailure(IntegrationFault::Address) => Reason::UpstreamAddress,
            Refused::IntegrationFailure(IntegrationFault::Connect) => Reason::UpstreamConnect,
            Refused::IntegrationFailure(IntegrationFault::Tls) => Reason::UpstreamTls,
            Refused::IntegrationFailure(IntegrationFault::Answer) => Reason::UpstreamAnswer,
            Refused::Internal => Reason::Internal,
        }
    }

    /// The message to the caller where it is not the reason's own.
    pub fn message(&self) -> Option<String> {
        match self {
            Refused::MissingParameters(names) => {
                Some(format!("{}: [{names}]", self.reason().row().message))
            }
            _ => None,
        }
    }

    /// `$context.error.validationErrorString`
    pub fn validation_error(&self) -> Option<String> {
        match self {
            Refused::MissingParameters(_) => self.message(),
            Refused::InvalidBody(faults) => Some(faults.to_string()),
            _ => None,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Refused::Throttled { retry_after }
            | Refused::LedgerBusy { retry_after }
            | Refused::LedgerFailed { retry_after }
            | Refused::TooManyCalls { retry_after } => Some(*retry_after),
            Refused::QuotaExceeded { resets_in } => Some(*resets_in),
            Refused::NoRoom => Some(NO_ROOM_RETRY_AFTER),
            _ => None,
        }
    }

    /// Whether the rest of the request cannot be trusted or is not wanted, so that the connection ends.
    fn ends_connection(&self) -> bool {
        matches!(
            self,
            Refused::Faulty(_)
                | Refused::BadRequest(
                    BadRequest::Host | BadRequest::Target | BadRequest::Method | BadRequest::Body
                )
                | Refused::RequestTooLarge { .. }
                | Refused::SlowBody
                | Refused::NoRoom
        )
    }
}

/// When a call whose body found no room may try again.
const NO_ROOM_RETRY_AFTER: Duration = Duration::from_secs(1);

pub const X_AMZN_ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const X_TOLLGATE_REASON: HeaderName = HeaderName::from_static("x-tollgate-reason");

/// What an operator may choose about refusals.
#[derive(Clone, Copy, Debug, Default)]
pub struct GatewayResponses {
    /// Send `x-tollgate-reason`. It tells an attacker which keys exist.
    pub shows_reason: bool,
}

impl GatewayResponses {
    /// The answer to a refused request, in AWS's own words.
    pub fn answer(&self, refused: &Refused, ids: &RequestIds) -> Response<Body> {
        let row = refused.reason().row();
        let mut response = match refused {
            Refused::RequestTooLarge { bytes_max } => too_large(*bytes_max),
            _ => standard(row, refused.message(), ids),
        };
        *response.status_mut() =
            StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.add_headers(refused, row, response.headers_mut());
        response
    }

    /// The same as the API defines it.
    pub fn defined(
        &self,
        refused: &Refused,
        definition: &Definition,
        values: &Values<'_>,
    ) -> Response<Body> {
        let row = refused.reason().row();
        let mut response = definition.response(refused, row, values);
        let headers = response.headers_mut();
        values.call.ids.stamp(headers);
        headers.insert(X_AMZN_ERROR_TYPE, HeaderValue::from_static(row.error_type));
        self.add_headers(refused, row, headers);
        response
    }

    fn add_headers(&self, refused: &Refused, row: &Row, headers: &mut HeaderMap) {
        if let Some(wait) = refused.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds(wait)));
        }
        if self.shows_reason {
            headers.insert(X_TOLLGATE_REASON, HeaderValue::from_static(row.name));
        }
        if refused.ends_connection() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// AWS's usual form: a message in JSON, the error's type and the request's ids in headers.
fn standard(row: &Row, message: Option<String>, ids: &RequestIds) -> Response<Body> {
    let body = match message {
        None => Bytes::from_static(row.body.as_bytes()),
        Some(message) => serde_json::json!({ "message": message }).to_string().into(),
    };
    let mut response = Response::new(Body::full(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ids.stamp(headers);
    headers.insert(X_AMZN_ERROR_TYPE, HeaderValue::from_static(row.error_type));
    response
}

/// AWS answers this one before its gateway: plain text under exactly this content type, without ids.
fn too_large(bytes_max: u64) -> Response<Body> {
    let text = format!("HTTP content length exceeded {bytes_max} bytes.");
    let mut response = Response::new(Body::full(Bytes::from(text)));
    let content_type = HeaderValue::from_static("text; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// The answer to a connection over the cap, to be written as it is: no request is read from it.
pub fn turned_away() -> String {
    unread(Reason::TooManyConnections.row(), "retry-after: 1\r\n")
}

/// The answer to a client that speaks plain HTTP where TLS is spoken.
pub fn plain_http() -> String {
    unread(Reason::PlainHttp.row(), "")
}

fn unread(row: &Row, more: &str) -> String {
    let status = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\n{X_AMZN_ERROR_TYPE}: {}\r\n\
        content-length: {}\r\n{more}connection: close\r\n\r\n{}",
        row.status,
        status.canonical_reason().unwrap_or_default(),
        row.error_type,
        row.body.len(),
        row.body
    )
}

/// Whole seconds to wait, rounded up, at least one.
fn seconds(wait: Duration) -> u64 {
    let rounded = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    rounded.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn shown(refused: Refused) -> (u16, Vec<(String, String)>, String) {
        let ids = RequestIds::new([0; 27]);
        let response = GatewayResponses::default().answer(&refused, &ids);
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, headers, String::from_utf8(body.to_vec()).unwrap())
    }

    fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
        headers
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    #[test]
    fn the_table_stands_in_the_order_of_the_reasons() {
        for (index, row) in TABLE.iter().enumerate() {
            assert_eq!(row.reason as usize, index, "{}", row.name);
            assert!(StatusCode::from_u16(row.status).is_ok());
            let body: serde_json::Value = serde_json::from_str(row.body).unwrap();
            assert_eq!(body, serde_json::json!({ "message": row.message }));
        }
        assert_eq!(Reason::InvalidBody as usize + 1, TABLE.len());
    }

    #[tokio::test]
    async fn a_key_that_is_wrong_in_any_way_is_answered_the_same() {
        let missing = shown(Refused::InvalidApiKey(KeyFault::Missing)).await;
        assert_eq!(missing.0, 403);
        assert_eq!(missing.2, r#"{"message":"Forbidden"}"#);
        assert_eq!(header(&missing.1, "content-type"), Some("application/json"));
        assert_eq!(
            header(&missing.1, "x-amzn-errortype"),
            Some("ForbiddenException")
        );
        assert_eq!(
            header(&missing.1, "x-amzn-requestid"),
            Some("00000000-0000-4000-8000-000000000000")
        );
        assert_eq!(
            header(&missing.1, "x-amz-apigw-id"),
            Some("AAAAAAAAAAAAAAA=")
        );
        for other in [KeyFault::Unknown, KeyFault::Disabled, KeyFault::NotInPlan] {
            assert_eq!(shown(Refused::InvalidApiKey(other)).await, missing);
        }
    }

    #[tokio::test]
    async fn limits_say_when_to_come_again() {
        let throttled = shown(Refused::Throttled {
            retry_after: Duration::from_millis(1200),
        })
        .await;
        assert_eq!(
            (throttled.0, throttled.2.as_str()),
            (429, r#"{"message":"Too Many Requests"}"#)
        );
        assert_eq!(header(&throttled.1, "retry-after"), Some("2"));
        let exhausted = shown(Refused::QuotaExceeded {
            resets_in: Duration::from_secs(3600),
        })
        .await;
        assert_eq!(
            (exhausted.0, exhausted.2.as_str()),
            (429, r#"{"message":"Limit Exceeded"}"#)
        );
        assert_eq!(header(&exhausted.1, "retry-after"), Some("3600"));
        let busy = shown(Refused::LedgerBusy {
            retry_after: Duration::ZERO,
        })
        .await;
        assert_eq!((busy.0, header(&busy.1, "retry-after")), (503, Some("1")));
    }

    #[tokio::test]
    async fn a_large_body_is_answered_as_the_edge_of_aws_does() {
        let (status, headers, body) = shown(Refused::RequestTooLarge {
            bytes_max: 10_485_760,
        })
        .await;
        assert_eq!(status, 413);
        assert_eq!(body, "HTTP content length exceeded 10485760 bytes.");
        let expected = [
            ("content-type", "text; charset=utf-8"),
            ("connection", "close"),
        ];
        assert_eq!(headers, expected.map(|(n, v)| (n.to_owned(), v.to_owned())));
    }

    #[test]
    fn the_reason_is_shown_only_when_asked_for() {
        let ids = RequestIds::new([7; 27]);
        let refused = Refused::InvalidApiKey(KeyFault::Disabled);
        let silent = GatewayResponses::default().answer(&refused, &ids);
        assert!(!silent.headers().contains_key(&X_TOLLGATE_REASON));
        let open = GatewayResponses { shows_reason: true }.answer(&refused, &ids);
        assert_eq!(open.headers()[&X_TOLLGATE_REASON], "key-disabled");
    }
}
