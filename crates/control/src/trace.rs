//! The outermost layer: a request id for every call, its log line, and what internal errors were.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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
    tracing::info!(request_id, source_ip, %method, operation, status, "call");
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    if let Ok(value) = HeaderValue::from_str(&STANDARD.encode(&id.as_bytes()[..11])) {
        headers.insert(EXTENDED_ID, value);
    }
    response
}
