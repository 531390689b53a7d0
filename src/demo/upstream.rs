//! The demo's example upstream: three pets over HTTP.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Name, kind and price in cents of each pet; its id is its place, from 1.
const PETS: &[(&str, &str, u32)] = &[
    ("Rex", "dog", 24_999),
    ("Tom", "cat", 12_499),
    ("Goldie", "fish", 99),
];

/// Starts the upstream on a free port of loopback, on the current runtime, until the runtime ends.
pub async fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(accept(listener));
    Ok(address)
}

async fn accept(listener: TcpListener) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("the example upstream cannot accept a connection: {error}");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        tokio::spawn(async move {
            let answer = service_fn(|request: Request<Incoming>| async move {
                Ok::<_, Infallible>(answer(request.method(), request.uri().path()))
            });
            // A client that goes away in the middle of a request is no one's trouble here.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
    }
}

fn answer(method: &Method, path: &str) -> Response<Full<Bytes>> {
    let (status, body) = match (method, path) {
        (&Method::GET, "/health") => (StatusCode::OK, json!({"status": "ok"})),
        (&Method::GET, "/pets") => (StatusCode::OK, (1..=PETS.len()).filter_map(pet).collect()),
        (&Method::GET, path) => match path
            .strip_prefix("/pets/")
            .and_then(|id| pet(id.parse().ok()?))
        {
            Some(pet) => (StatusCode::OK, pet),
            None => (
                StatusCode::NOT_FOUND,
                json!({"error": "there is no such pet"}),
            ),
        },
        _ => (
            StatusCode::METHOD_NOT_ALLOWED,
            json!({"error": "only GET is answered here"}),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(format!("{body}\n"))));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    response
}

fn pet(id: usize) -> Option<Value> {
    let (name, kind, price_cents) = PETS.get(id.checked_sub(1)?)?;
    Some(json!({"id": id, "name": name, "type": kind, "price": f64::from(*price_cents) / 100.0}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn got(method: Method, path: &str) -> (u16, Value) {
        let response = answer(&method, path);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn pets_are_listed_found_and_missed() {
        let (status, pets) = got(Method::GET, "/pets").await;
        assert_eq!((status, pets.as_array().unwrap().len()), (200, 3));
        let rex = json!({"id": 1, "name": "Rex", "type": "dog", "price": 249.99});
        assert_eq!(got(Method::GET, "/pets/1").await, (200, rex));
        for missing in ["/pets/0", "/pets/4", "/pets/x", "/"] {
            assert_eq!(got(Method::GET, missing).await.0, 404, "{missing}");
        }
        assert_eq!(
            got(Method::GET, "/health").await,
            (200, json!({"status": "ok"}))
        );
        assert_eq!(got(Method::POST, "/pets").await.0, 405);
    }
}
