//! What can go wrong with a call, in AWS's words, and the one place that turns it into a response.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use tollgate_entity::Invalid;
use tollgate_store::StoreError;

/// The header clients pick the typed exception from.
pub const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// How long a client is asked to wait before it repeats a call that found the store busy or full.
const RETRY_AFTER_S: u64 = 5;

/// A refused or failed call. The text is what the client reads; `Internal` alone keeps its text for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    BadRequest(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    LimitExceeded(String),
    #[error("{0}")]
    ServiceUnavailable(String),
    /// An operation of AWS's model that Tollgate does not have (its name).
    #[error("The operation {0} is not implemented.")]
    NotImplemented(&'static str),
    /// The same for one that will not come, with the reason.
    #[error("The operation {0} is not implemented: {1}.")]
    Senseless(&'static str, &'static str),
    /// Neither AWS nor Tollgate has such a call.
    #[error("There is no operation {0}.")]
    UnknownOperation(String),
    /// Refused by the front layer: a value outside its enumeration or pattern. See `check`.
    #[error("{0}")]
    Validation(String),
    /// Refused by the front layer: the body is not JSON, or a member has the wrong type.
    #[error("{0}")]
    Serialization(String),
    #[error("Missing Authentication Token")]
    MissingAuthenticationToken,
    #[error("The security token included in the request is invalid.")]
    UnrecognizedClient,
    /// The console's cookie names no session, or one that is over.
    #[error("Your session has ended. Sign in again.")]
    SessionExpired,
    #[error("{0}")]
    InvalidSignature(String),
    #[error("{0}")]
    IncompleteSignature(String),
    #[error("{0}")]
    AccessDenied(String),
    /// The body is longer than this many bytes.
    #[error("The request body is larger than {0} bytes.")]
    RequestTooLarge(usize),
    /// The body did not arrive within this many seconds.
    #[error("The request body did not arrive within {0} seconds.")]
    RequestTimeout(u64),
    /// Ours to mend: logged with the request id, answered without detail.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::BadRequest(message.into())
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::NotFound(message.into())
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::Conflict(message.into())
    }

    pub fn limit_exceeded(message: impl Into<String>) -> Self {
        Self::LimitExceeded(message.into())
    }

    /// An API has as many of something (AWS's plural) as it may have.
    pub fn too_many(nouns: &str) -> Self {
        Self::limit_exceeded(format!(
            "Maximum number of {nouns} for this API has been reached."
        ))
    }

    pub fn internal(message: impl std::fmt::Display) -> Self {
        Self::Internal(message.to_string())
    }

    /// The status and the exception's name.
    pub fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "BadRequestException"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "NotFoundException"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "ConflictException"),
            Self::LimitExceeded(_) => (StatusCode::TOO_MANY_REQUESTS, "LimitExceededException"),
            Self::ServiceUnavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceUnavailableException",
            ),
            Self::NotImplemented(_) | Self::Senseless(..) => {
                (StatusCode::NOT_IMPLEMENTED, "NotImplementedException")
            }
            Self::UnknownOperation(_) => (StatusCode::NOT_FOUND, "UnknownOperationException"),
            Self::Validation(_) => (StatusCode::BAD_REQUEST, "ValidationException"),
            Self::Serialization(_) => (StatusCode::BAD_REQUEST, "SerializationException"),
            Self::MissingAuthenticationToken => {
                (StatusCode::FORBIDDEN, "MissingAuthenticationTokenException")
            }
            Self::UnrecognizedClient => (StatusCode::FORBIDDEN, "UnrecognizedClientException"),
            Self::SessionExpired => (StatusCode::UNAUTHORIZED, "UnauthorizedException"),
            Self::InvalidSignature(_) => (StatusCode::FORBIDDEN, "InvalidSignatureException"),
            Self::IncompleteSignature(_) => (StatusCode::FORBIDDEN, "IncompleteSignatureException"),
            Self::AccessDenied(_) => (StatusCode::FORBIDDEN, "AccessDeniedException"),
            Self::RequestTooLarge(_) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
            ),
            Self::RequestTimeout(_) => (StatusCode::REQUEST_TIMEOUT, "RequestTimeoutException"),
            Self::Internal(_) => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "InternalFailureException",
            ),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full => Self::ServiceUnavailable(
                "The gateway's disk is full; nothing was changed.".to_owned(),
            ),
            StoreError::Stopping => {
                Self::ServiceUnavailable("The gateway is stopping; nothing was changed.".to_owned())
            }
            other => Self::internal(other),
        }
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        Self::bad_request(invalid.to_string())
    }
}

/// What an internal error was, left on the response for the layer that knows the request id to log.
#[derive(Debug, Clone)]
pub(crate) struct Detail(pub String);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, name) = self.kind();
        let (message, detail) = match self {
            Self::Internal(detail) => ("Internal server error".to_owned(), Some(Detail(detail))),
            other => (other.to_string(), None),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ERROR_TYPE, HeaderValue::from_static(name));
        if matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
        ) {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        let body = serde_json::json!({ "message": message }).to_string();
        let mut response = (status, headers, body).into_response();
        if let Some(detail) = detail {
            response.extensions_mut().insert(detail);
        }
        response
    }
}
