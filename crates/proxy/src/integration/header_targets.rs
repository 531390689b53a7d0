//! Headers that mappings may set, on the way to an endpoint and back to the caller.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HOST, HeaderName, MAX_FORWARDS,
    PROXY_AUTHENTICATE, SERVER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
    WWW_AUTHENTICATE,
};

use crate::deployed::Misconfigured;
use crate::invocation::{X_AMZ_APIGW_ID, X_AMZN_REQUEST_ID};

pub const X_AMZN_TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
pub const X_AMZN_API_ID: HeaderName = HeaderName::from_static("x-amzn-apigateway-api-id");

/// What becomes of a mapping to a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Set(HeaderName),
    /// It is left out.
    Dropped,
}

/// Headers that a mapping must not set: they frame the message or are the gateway's own. As on AWS the
/// mapping can be set up, and the call is answered 500. `authorization` is not among them: AWS refuses
/// to map that to integrations of type AWS and AWS_PROXY, which it signs itself, and mapping it is the
/// usual way to sign in at an HTTP upstream.
static NOT_SET: [HeaderName; 9] = [
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

/// A header of the request to an endpoint.
pub fn request_header(name: &str) -> Result<Target, Misconfigured> {
    let header = HeaderName::from_bytes(name.as_bytes()).ok();
    let allowed = header.filter(|header| !NOT_SET.contains(header) && *header != X_AMZN_API_ID);
    allowed
        .map(Target::Set)
        .ok_or_else(|| Misconfigured::new(format!("header {name} cannot be mapped")))
}

/// Headers of an answer that are for one hop: no caller gets them.
static NOT_SENT_BACK: [HeaderName; 4] = [
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
];

/// Headers that callers get under another name, as they do from AWS.
static REMAPPED: [HeaderName; 16] = [
    AUTHORIZATION,
    CONNECTION,
    CONTENT_LENGTH,
    HeaderName::from_static("content-md5"),
    DATE,
    EXPECT,
    HOST,
    MAX_FORWARDS,
    PROXY_AUTHENTICATE,
    SERVER,
    TRAILER,
    UPGRADE,
    USER_AGENT,
    WWW_AUTHENTICATE,
    X_AMZN_REQUEST_ID,
    X_AMZ_APIGW_ID,
];

/// A header of the answer to the caller.
pub fn response_header(name: &str) -> Result<Target, Misconfigured> {
    let bad = |_| Misconfigured::new(format!("header {name} cannot be mapped"));
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(bad)?;
    if NOT_SENT_BACK.contains(&header) {
        return Ok(Target::Dropped);
    }
    if !REMAPPED.contains(&header) {
        return Ok(Target::Set(header));
    }
    let remapped = format!("x-amzn-remapped-{header}");
    HeaderName::from_bytes(remapped.as_bytes())
        .map(Target::Set)
        .map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_frames_a_message_is_not_mapped_into_it() {
        for name in [
            "Content-Length",
            "transfer-encoding",
            "X-Amzn-Trace-Id",
            "x-amzn-apigateway-api-id",
            "a b",
            "",
        ] {
            assert!(request_header(name).is_err(), "{name}");
        }
        for name in ["Authorization", "Host", "Content-MD5", "X-Custom"] {
            assert!(matches!(request_header(name), Ok(Target::Set(_))), "{name}");
        }
        let back = |name| match response_header(name).unwrap() {
            Target::Set(header) => header.to_string(),
            Target::Dropped => "-".to_owned(),
        };
        assert_eq!(back("Content-Length"), "x-amzn-remapped-content-length");
        assert_eq!(back("WWW-Authenticate"), "x-amzn-remapped-www-authenticate");
        assert_eq!(back("Transfer-Encoding"), "-");
        assert_eq!(
            back("Access-Control-Allow-Origin"),
            "access-control-allow-origin"
        );
        assert!(response_header("a b").is_err());
    }
}
