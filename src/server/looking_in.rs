//! The data plane as the control plane's own calls see it: `/tollgate/live`, `/tollgate/explain`, `/tollgate/try`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue};
use http::{Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tollgate_control::native::data_plane::{
    DataPlane, Explanation, LimitNow, Live, Question, Step, Testing, Tried, TriedCall, Trying,
    Verdict,
};
use tollgate_control::test_invoke::TestedMethod;
use tollgate_entity::Timestamp;
use tollgate_proxy::DataPlaneFigures;
use tollgate_proxy::explain::{self, LimitState};
use tollgate_proxy::test_invoke::Tester;

use super::live::LiveBook;
use super::test_invoke;

/// How long a tried call may take: a little longer than any integration.
const TRY_TIMEOUT: Duration = Duration::from_secs(35);
/// Bytes of an answer that are shown.
const SHOWN_BYTES_MAX: usize = 1 << 20;

/// What the control plane may see of the data plane.
pub struct LookingIn {
    pub book: LiveBook,
    pub figures: DataPlaneFigures,
    pub tester: Tester,
    /// Where the data plane listens.
    pub address: SocketAddr,
    pub now: fn() -> Timestamp,
}

impl DataPlane for LookingIn {
    fn live(&self) -> Live {
        self.book.live((self.now)())
    }

    fn explain(&self, question: &Question, key: Option<[u8; 16]>) -> Explanation {
        let path = question.path.split('?').next().unwrap_or_default();
        shown(self.figures.explain(&explain::Question {
            api_id: &question.rest_api_id,
            stage: &question.stage_name,
            http_method: &question.http_method,
            path,
            key,
        }))
    }

    fn test_method(&self, test: TestedMethod) -> Testing<'_> {
        Box::pin(test_invoke::test(&self.tester, test))
    }

    fn try_call(&self, call: TriedCall) -> Trying<'_> {
        Box::pin(async move {
            let request = request(call)?;
            let started = Instant::now();
            let answered = tokio::time::timeout(TRY_TIMEOUT, send(self.address, request));
            match answered.await {
                Err(_) => Err(format!(
                    "No answer came within {} seconds.",
                    TRY_TIMEOUT.as_secs()
                )),
                Ok(answer) => {
                    let mut tried = answer?;
                    tried.latency_ms = started.elapsed().as_secs_f64() * 1000.0;
                    Ok(tried)
                }
            }
        })
    }
}

/// The call as it goes to the data plane: to the API's own host, so that nothing of the path is ambiguous.
fn request(call: TriedCall) -> Result<Request<Full<Bytes>>, String> {
    let path = call.path.trim_start_matches('/');
    let target = format!("/{}/{path}", call.stage_name);
    let uri: Uri = target
        .parse()
        .map_err(|error| format!("The path {} cannot be called: {error}.", call.path))?;
    let method = Method::from_bytes(call.http_method.as_bytes())
        .map_err(|_| format!("{:?} is no HTTP method.", call.http_method))?;
    let mut request = Request::new(Full::new(Bytes::from(call.body)));
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    let headers = request.headers_mut();
    for (name, value) in &call.headers {
        let bad = || format!("The header {name:?} cannot be sent.");
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| bad())?;
        if name == HOST || name == CONTENT_LENGTH {
            return Err(format!("The header {name} is set by the call itself."));
        }
        headers.append(name, HeaderValue::from_str(value).map_err(|_| bad())?);
    }
    let host = format!("{}.execute-api.localhost", call.rest_api_id);
    let host = HeaderValue::from_str(&host).map_err(|_| "That is no API's id.".to_owned())?;
    headers.insert(HOST, host);
    if let Some(value) = call.key_value {
        let value = HeaderValue::from_str(value.expose());
        let mut value = value.map_err(|_| "The key's value cannot be sent.".to_owned())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static("x-api-key"), value);
    }
    Ok(request)
}

async fn send(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<Tried, String> {
    let unreached = |error: &dyn std::fmt::Display| {
        format!("The data plane at {address} could not be reached: {error}.")
    };
    let stream = TcpStream::connect(reachable(address))
        .await
        .map_err(|error| unreached(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| unreached(&error))?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| unreached(&error))?;
        read(response).await
    };
    tokio::pin!(exchange, connection);
    // The connection ends with its one call; it has to be driven until then.
    tokio::select! {
        answer = &mut exchange => answer,
        _ = &mut connection => exchange.await,
    }
}

/// A server that listens on every address is reached by loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn read(response: Response<Incoming>) -> Result<Tried, String> {
    let (head, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    let mut truncated = false;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("The answer broke off: {error}."))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let room = SHOWN_BYTES_MAX - bytes.len();
        bytes.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            truncated = true;
            break;
        }
    }
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    let (body, is_base64_encoded) = match String::from_utf8(bytes) {
        Ok(text) => (text, false),
        Err(error) => (STANDARD.encode(error.as_bytes()), true),
    };
    Ok(Tried {
        status: head.status.as_u16(),
        headers: headers.collect(),
        body,
        is_base64_encoded,
        truncated,
        latency_ms: 0.0,
    })
}

fn shown(told: explain::Explanation) -> Explanation {
    let verdict = match told.refused {
        None => Verdict {
            outcome: "passes".to_owned(),
            ..Verdict::default()
        },
        Some(refused) => Verdict {
            outcome: "refused".to_owned(),
            status: Some(refused.status),
            reason: Some(refused.reason.to_owned()),
            retry_after_s: refused.retry_after.map(whole_seconds),
        },
    };
    let steps = told.steps.into_iter().map(|step| Step {
        step: step.name,
        passed: step.passed,
        text: step.text,
    });
    Explanation {
        verdict,
        steps: steps.collect(),
        limits: told.limits.into_iter().map(limit).collect(),
        usage_plan_id: told.usage_plan_id,
        resource_path: told.resource_path,
    }
}

fn limit(now: explain::LimitNow) -> LimitNow {
    let shown = LimitNow {
        limit: now.name,
        passed: now.denied.is_none(),
        retry_after_s: now.denied.flatten().map(whole_seconds),
        ..LimitNow::default()
    };
    match now.state {
        LimitState::Throttle {
            rate,
            burst,
            available,
        } => LimitNow {
            rate_limit: Some(rate),
            burst_limit: Some(burst),
            available: Some(available),
            ..shown
        },
        LimitState::Quota {
            limit,
            period,
            remaining,
            resets_at,
        } => LimitNow {
            quota_limit: Some(limit),
            period: Some(period),
            remaining: Some(remaining),
            resets_at: Some(resets_at),
            ..shown
        },
    }
}

/// Rounded up, at least one.
fn whole_seconds(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(path: &str, headers: &[(&str, &str)]) -> TriedCall {
        TriedCall {
            rest_api_id: "abc123defg".into(),
            stage_name: "prod".into(),
            http_method: "GET".into(),
            path: path.into(),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            body: String::new(),
            key_value: Some(tollgate_store::SecretValue::new("v".repeat(20))),
        }
    }

    #[test]
    fn a_call_goes_to_the_api_by_its_own_host() {
        let request = request(call("/pets/1?a=b", &[("accept", "text/plain")])).unwrap();
        assert_eq!(request.uri(), "/prod/pets/1?a=b");
        assert_eq!(request.headers()[HOST], "abc123defg.execute-api.localhost");
        assert_eq!(request.headers()["x-api-key"], "v".repeat(20));
        assert!(request.headers()["x-api-key"].is_sensitive());
    }

    #[test]
    fn what_cannot_be_sent_is_told() {
        assert!(request(call("/a b", &[])).is_err());
        assert!(request(call("/", &[("host", "x")])).is_err());
        assert!(request(call("/", &[("a\nb", "x")])).is_err());
        assert!(request(call("/", &[("a", "x\r\ny: z")])).is_err());
    }

    #[test]
    fn every_address_is_reached_by_loopback() {
        let to = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(to("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(to("[::]:80"), "[::1]:80");
        assert_eq!(to("10.0.0.1:80"), "10.0.0.1:80");
    }
}
