//! The outermost layer: a request id for every call, its log line, and what internal errors were.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{HeaderName, HeaderValue};
use uuid::Uuid;

use crate::error::Detail;
use crate::extract::Caller;
use crate::{Control, Operation};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const EXTENDED_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");

pub async fn trace(State(control): State<Control>, mut request: Request, next: Next) -> Response {
    let id = Uuid::new_v4();
    let request_id = id.to_string();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let source_ip = peer
        .map(|ConnectInfo(peer)| peer.ip().to_string())
        .unwrap_or_default();
    let caller = Caller {
        who: String::new(),
        operation: "",
        request_id: request_id.clone(),
        source_ip: source_ip.clone(),
        at: control.now(),
    };
    request.extensions_mut().insert(caller);
    let method = request.method().clone();
    let mut response = next.run(request).await;
    let operation = response
        .extensions()
        .get::<&'static Operation>()
        .map_or("-", |operation| operation.name);
    let status = response.status().as_u16();
    if let Some(Detail(detail)) = response.extensions().get::<Detail>() {
        tracing::error!(request_id, operation, detail, "a call failed");
    }
    if matches!(
        response.status(),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED
    ) {
        // Only strangers are answered so, and they must not fill the log.
        tracing::debug!(request_id, source_ip, %method, status, "a call was refused");
    } else {
        tracing::info!(request_id, source_ip, %method, operation, status, "call");
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    if let Ok(value) = HeaderValue::from_str(&STANDARD.encode(&id.as_bytes()[..11])) {
        headers.insert(EXTENDED_ID, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tollgate_store::StoreOptions;
    use tracing::{Event, Level, Metadata, Subscriber, span};

    use crate::ControlSettings;
    use crate::testing::Gateway;

    thread_local! {
        /// Of each test apart: a subscriber for one thread alone misses what others have made tracing forget.
        static SEEN: RefCell<Vec<Level>> = const { RefCell::new(Vec::new()) };
    }

    /// Notes the levels of this module's events.
    struct Levels;

    impl Subscriber for Levels {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "tollgate_control::trace"
        }
        fn event(&self, event: &Event<'_>) {
            SEEN.with_borrow_mut(|seen| seen.push(*event.metadata().level()));
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    #[tokio::test]
    async fn strangers_do_not_fill_the_log() {
        tracing::subscriber::set_global_default(Levels).unwrap();
        Gateway::new().get("/account").await.ok(200);
        let guarded = Gateway::with(ControlSettings::default(), StoreOptions::default());
        assert_eq!(guarded.get("/account").await.status, 403);
        assert_eq!(SEEN.take(), [Level::INFO, Level::DEBUG]);
    }
}
