//! One call as far as it is known: what mapping expressions and the access log read.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{Method as HttpMethod, Request, Uri, Version};

use crate::deployed::Method;
use crate::execution_log::ExecutionLog;
use crate::gateway_response::{Reason, Refused};
use crate::key_index::KeyId;
use crate::net::connection::Peer;
use crate::route::{MethodIndex, Spans};
use crate::snapshot::{Plan, Stage};
use crate::stage;

/// A call. Filled in as it makes its way; what is absent was not reached.
#[derive(Clone)]
pub struct Invocation {
    pub ids: RequestIds,
    pub received: Instant,
    /// The same moment in milliseconds since 1970.
    pub received_ms: i64,
    /// When it was let through: when it came, or after it waited for a unit.
    pub decided: Instant,
    pub http_method: HttpMethod,
    /// In origin form.
    pub uri: Uri,
    pub version: Version,
    pub peer: Arc<Peer>,
    pub host: Option<HeaderValue>,
    pub user_agent: Option<HeaderValue>,
    /// Whether the host is a custom domain name.
    pub by_domain: bool,
    pub stage: Option<Arc<Stage>>,
    pub route: Option<Routed>,
    /// The id of the key the call is counted under; never its value.
    pub api_key_id: Option<KeyId>,
    pub usage_plan: Option<Arc<Plan>>,
    pub refused: Option<Reason>,
    /// What the refusal says beyond its reason.
    pub error: Option<Box<ErrorDetail>>,
    /// The request's headers, where the deployment words its own gateway responses: they may need them.
    pub request_headers: Option<Box<HeaderMap>>,
    pub integration_status: Option<u16>,
    pub integration_latency: Option<Duration>,
    /// Where its steps write what they do; none unless somebody asks.
    pub execution_log: Option<Box<ExecutionLog>>,
}

/// What a refusal says that is about this very call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorDetail {
    /// In the place of the reason's own message.
    pub message: Option<String>,
    /// `$context.error.validationErrorString`
    pub validation: Option<String>,
}

/// Where a call goes in its stage's deployment.
#[derive(Clone, Debug)]
pub struct Routed {
    pub method: MethodIndex,
    path: RoutedPath,
    /// Of the path's variables, outermost first.
    spans: Spans,
}

/// The path below the stage: most often a piece of the URI as it came.
#[derive(Clone, Debug)]
enum RoutedPath {
    InUri(Range<usize>),
    Made(Box<str>),
}

impl Invocation {
    /// A call that has just come in.
    pub fn new<B>(
        request: &Request<B>,
        peer: &Arc<Peer>,
        ids: RequestIds,
        received: Instant,
        received_ms: i64,
    ) -> Self {
        Invocation {
            ids,
            received,
            received_ms,
            decided: received,
            http_method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            peer: Arc::clone(peer),
            host: request.headers().get(HOST).cloned(),
            user_agent: request.headers().get(USER_AGENT).cloned(),
            by_domain: false,
            stage: None,
            route: None,
            api_key_id: None,
            usage_plan: None,
            refused: None,
            error: None,
            request_headers: None,
            integration_status: None,
            integration_latency: None,
            execution_log: None,
        }
    }

    /// What the router found, to be noted. `path` is what it was asked for and the spans lie in: most
    /// often a piece of this call's own URI, and then it is not copied.
    pub fn routed(&self, method: MethodIndex, path: &str, spans: Spans) -> Routed {
        let whole = self.uri.path();
        let start = (path.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        let is_piece = whole
            .get(start..)
            .is_some_and(|rest| rest.starts_with(path));
        let path = match is_piece {
            true => RoutedPath::InUri(start..start + path.len()),
            false => RoutedPath::Made(path.into()),
        };
        Routed {
            method,
            path,
            spans,
        }
    }

    /// Notes why the call is refused.
    pub fn note_refusal(&mut self, refused: &Refused) {
        self.refused = Some(refused.reason());
        let validation = refused.validation_error();
        if validation.is_some() {
            let message = refused.message();
            self.error = Some(Box::new(ErrorDetail {
                message,
                validation,
            }));
        }
    }

    /// Adds to the execution log, if one is kept.
    pub fn log(&mut self, write: impl FnOnce(&mut ExecutionLog)) {
        if let Some(log) = &mut self.execution_log {
            write(log);
        }
    }

    /// The method called, once it is known.
    pub fn method(&self) -> Option<&Method> {
        let index = self.route.as_ref()?.method;
        self.stage.as_ref()?.deployed.methods.get(index as usize)
    }

    /// The path below the stage, as it was routed.
    pub fn routed_path(&self) -> Option<&str> {
        match &self.route.as_ref()?.path {
            RoutedPath::InUri(range) => self.uri.path().get(range.clone()),
            RoutedPath::Made(path) => Some(path),
        }
    }

    /// The value of a path variable in the caller's own spelling.
    pub fn path_parameter(&self, index: usize) -> Option<&str> {
        let span = self.route.as_ref()?.spans.get(index)?;
        self.routed_path()?
            .get(span.start as usize..span.end as usize)
    }

    /// The Host without its port.
    pub fn domain_name(&self) -> Option<&str> {
        let host = self.host.as_ref()?.to_str().ok()?;
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => Some(name),
            _ => Some(host),
        }
    }

    /// `$context.path`, in pieces: as it came, from the stage on, without the query. By a custom domain
    /// name there need be no stage in it: then it is the whole path, base path included.
    pub fn context_path(&self) -> [&str; 3] {
        let whole = self.uri.path();
        if self.by_domain {
            return [whole, "", ""];
        }
        let below = match self.route.as_ref().map(|route| &route.path) {
            Some(RoutedPath::InUri(range)) => whole.get(range.clone()),
            // Routed by another spelling, or not at all.
            Some(RoutedPath::Made(_)) | None => {
                let host = self.host.as_ref().and_then(|host| host.to_str().ok());
                stage::named(host.unwrap_or_default(), whole).map(|named| named.path)
            }
        };
        match (&self.stage, below) {
            (Some(stage), Some(below)) => ["/", &stage.name, below],
            _ => [whole, "", ""],
        }
    }
}

/// The two names every call has, made of random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestIds {
    request: [u8; 36],
    extended: [u8; 16],
}

pub const X_AMZN_REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
pub const X_AMZ_APIGW_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");

const HEX: &[u8; 16] = b"0123456789abcdef";

impl RequestIds {
    /// A version 4 UUID, and AWS's second id: sixteen characters of base64.
    pub fn new(random: [u8; 27]) -> Self {
        const BASE64: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut bytes = random;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let mut request = [b'-'; 36];
        let mut at = 0;
        for (index, byte) in bytes[..16].iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                at += 1;
            }
            request[at] = HEX[usize::from(byte >> 4)];
            request[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        let mut extended = [b'='; 16];
        for (index, letter) in extended[..15].iter_mut().enumerate() {
            let (byte, shift) = (16 + index * 6 / 8, index * 6 % 8);
            let pair =
                u16::from(bytes[byte]) << 8 | u16::from(bytes.get(byte + 1).copied().unwrap_or(0));
            *letter = BASE64[usize::from(pair >> (10 - shift) & 63)];
        }
        RequestIds { request, extended }
    }

    /// ASCII.
    pub fn request_bytes(&self) -> &[u8] {
        &self.request
    }

    /// ASCII.
    pub fn extended_bytes(&self) -> &[u8] {
        &self.extended
    }

    pub fn request(&self) -> &str {
        std::str::from_utf8(&self.request).unwrap_or_default()
    }

    pub fn extended(&self) -> &str {
        std::str::from_utf8(&self.extended).unwrap_or_default()
    }

    /// Puts both in an answer's headers.
    pub fn stamp(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_bytes(&self.request) {
            headers.insert(X_AMZN_REQUEST_ID, value);
        }
        if let Ok(value) = HeaderValue::from_bytes(&self.extended) {
            headers.insert(X_AMZ_APIGW_ID, value);
        }
    }

    /// AWS's trace id for this call, `Root=1-<time>-<24 digits>`; the digits are the request id's.
    pub fn trace(&self, received_ms: i64) -> [u8; 40] {
        let mut trace = *b"Root=1-00000000-000000000000000000000000";
        let seconds = received_ms.div_euclid(1000) as u32;
        for (at, digit) in trace[7..15].iter_mut().enumerate() {
            *digit = HEX[(seconds >> (28 - 4 * at) & 15) as usize];
        }
        let digits = self.request.iter().filter(|byte| **byte != b'-');
        for (place, digit) in trace[16..].iter_mut().zip(digits) {
            *place = *digit;
        }
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metrics;
    use crate::snapshot::StageIndex;

    fn call(host: &'static str, uri: &'static str) -> Invocation {
        let request = Request::get(uri).header(HOST, host).body(()).unwrap();
        let address = "127.0.0.1:80".parse().unwrap();
        let peer = Arc::new(Peer::new(address, address, false));
        let ids = RequestIds::new([0; 27]);
        Invocation::new(&request, &peer, ids, Instant::now(), 0)
    }

    fn prod() -> Arc<Stage> {
        Arc::new(Stage {
            index: StageIndex(0),
            account_id: "000000000000".into(),
            api_id: "abc123".into(),
            name: "prod".into(),
            deployment_id: "d1".into(),
            variables: Default::default(),
            deployed: Default::default(),
            throttles: Vec::new(),
            stats: Metrics::new(1).stage("abc123", "prod"),
            log_members: Box::default(),
            access_log: None,
            api_id_header: None,
            shown: Default::default(),
        })
    }

    #[test]
    fn the_context_path_is_as_it_came_from_the_stage_on() {
        let own = "abc123.execute-api.test";
        for (host, uri, routed, expected) in [
            (own, "/prod//open/a/b?c=d", "/open/a/b", "/prod//open/a/b"),
            (own, "/prod/x/../a", "/a", "/prod/x/../a"),
            (own, "/prod", "/", "/prod"),
            (
                "localhost:80",
                "/abc123/prod//a%2Fb/",
                "/a%2Fb/",
                "/prod//a%2Fb/",
            ),
        ] {
            let mut call = call(host, uri);
            call.stage = Some(prod());
            assert_eq!(call.context_path().concat(), expected, "not routed");
            call.route = Some(call.routed(0, routed, Spans::new()));
            assert_eq!(call.context_path().concat(), expected);
            assert_eq!(call.routed_path(), Some(routed));
        }
        let mut by_domain = call("api.example.com", "/v1/a/b?c=d");
        by_domain.by_domain = true;
        by_domain.stage = Some(prod());
        assert_eq!(by_domain.context_path().concat(), "/v1/a/b");
        by_domain.route = Some(by_domain.routed(0, "/a/b", Spans::new()));
        assert_eq!(by_domain.context_path().concat(), "/v1/a/b");
        let mut call = call("localhost", "/abc123/prod/a/b?c");
        assert_eq!(call.context_path().concat(), "/abc123/prod/a/b");
        call.stage = Some(prod());
        let uri = call.uri.clone();
        call.route = Some(call.routed(0, &uri.path()["/abc123/prod".len()..], Spans::new()));
        assert_eq!(call.context_path().concat(), "/prod/a/b");
    }

    #[test]
    fn ids_have_the_shape_of_aws() {
        let random: [u8; 27] = std::array::from_fn(|index| (index * 37) as u8);
        let ids = RequestIds::new(random);
        assert_eq!(ids.request(), "00254a6f-94b9-4e03-a84d-7297bce1062b");
        assert_eq!(ids.extended(), "UHWav-QJLlN4ncI=");
        assert_eq!(
            &ids.trace(1_700_000_000_999),
            b"Root=1-6553f100-00254a6f94b94e03a84d7297"
        );
    }
}
