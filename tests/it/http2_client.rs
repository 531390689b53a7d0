//! An HTTP/2 client for tests: one connection, as many requests at once as the gateway allows.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use http::{HeaderMap, Request, Response};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::tls_client::TlsGateway;

/// A connection, and the task that keeps it going; how that ends says how the connection ended.
pub struct Http2 {
    pub send: SendRequest<Bytes>,
    pub connection: JoinHandle<Result<(), h2::Error>>,
    authority: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Http2 {
    pub async fn open(tls: &TlsGateway) -> Http2 {
        Http2::open_with(tls.address, tls.client(&["h2"])).await
    }

    async fn open_with(address: SocketAddr, config: Arc<ClientConfig>) -> Http2 {
        let socket = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(config).connect(name, socket).await;
        let (send, connection) = h2::client::handshake(stream.unwrap()).await.unwrap();
        Http2 {
            send,
            connection: tokio::spawn(connection),
            authority: address.to_string(),
        }
    }

    /// A request to this gateway, to be changed before it is sent.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://{}{target}", self.authority));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    /// Begins a request; its body, if it has one, follows.
    pub async fn begin(
        &self,
        request: Request<()>,
        has_body: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut send = self.send.clone().ready().await?;
        send.send_request(request, !has_body)
    }

    pub async fn send(&self, request: Request<()>) -> Result<Answer, h2::Error> {
        let (answer, _) = self.begin(request, false).await?;
        read(answer.await?).await
    }

    pub async fn get(&self, target: &str, headers: &[(&str, &str)]) -> Result<Answer, h2::Error> {
        self.send(self.request("GET", target, headers)).await
    }
}

/// Reads an answer to its end.
pub async fn read(response: Response<h2::RecvStream>) -> Result<Answer, h2::Error> {
    let (head, mut stream) = response.into_parts();
    let mut body = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    Ok(Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: body.into(),
        trailers: stream.trailers().await?,
    })
}

/// Why a stream or connection ended, if the other side said so.
pub fn reason<T>(ended: Result<T, h2::Error>) -> Option<Reason> {
    ended.err().and_then(|error| error.reason())
}

/// Runs a test's asynchronous part.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}
