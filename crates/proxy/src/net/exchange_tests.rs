//! A call on a connection that turns out to have ended, and the same call on the next one.

use bytes::Bytes;
use h2::RecvStream;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::body::RequestBody;
use crate::net::http2::body::StreamBody;
use crate::net::pace::Patience;
use crate::net::request_head::OwnHeaders;

/// What a client sends as a body, all of it there already.
async fn sent(content: &'static str) -> RecvStream {
    let (ours, theirs) = duplex(64 * 1024);
    let (client, server) = tokio::join!(h2::client::handshake(ours), h2::server::handshake(theirs));
    let ((mut client, connection), mut server) = (client.unwrap(), server.unwrap());
    tokio::spawn(connection);
    let request = Request::post("http://a.example/").body(()).unwrap();
    let (_response, mut stream) = client.send_request(request, false).unwrap();
    stream.send_data(Bytes::from(content), true).unwrap();
    let (request, respond) = server.accept().await.unwrap().unwrap();
    let mut body = request.into_body();
    tokio::spawn(async move {
        let _kept = (client, respond, _response);
        while server.accept().await.is_some() {}
    });
    while body.flow_control().used_capacity() < content.len() {
        tokio::task::yield_now().await;
    }
    body
}

async fn request(content: &'static str, length: Option<u64>) -> Option<Box<Outbound>> {
    let stream = StreamBody::new(sent(content).await, length, Patience::default());
    let mut headers = HeaderMap::new();
    if length.is_none() {
        let chunked = HeaderValue::from_static("chunked");
        headers.insert(http::header::TRANSFER_ENCODING, chunked);
    }
    Some(Box::new(Outbound {
        method: Method::POST,
        target: "/x".parse().unwrap(),
        headers,
        own: OwnHeaders::default(),
        body: RequestBody::of_stream(Some(stream), 1024),
    }))
}

#[tokio::test]
async fn a_call_of_which_nothing_was_written_is_sent_whole_on_the_next_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for (length, head, body) in [
        (Some(4), "content-length: 4\r\n", "body"),
        (
            None,
            "transfer-encoding: chunked\r\n",
            "4\r\nbody\r\n0\r\n\r\n",
        ),
    ] {
        let mut call = request("body", length).await;
        let ended = TcpStream::connect(address).await.unwrap();
        let (_other, _) = listener.accept().await.unwrap();
        let ended = ended.into_std().unwrap();
        ended.shutdown(std::net::Shutdown::Write).unwrap();
        let mut wire = Wire::new(Socket::Plain(TcpStream::from_std(ended).unwrap()));
        assert!(wire.call(&mut call).await.is_err());
        assert!(
            call.is_some(),
            "the call is lost although nothing of it was written"
        );

        let open = TcpStream::connect(address).await.unwrap();
        let (mut upstream, _) = listener.accept().await.unwrap();
        let expected = format!("POST /x HTTP/1.1\r\n{head}\r\n{body}");
        let bytes = expected.len();
        let served = tokio::spawn(async move {
            let mut seen = vec![0; bytes];
            upstream.read_exact(&mut seen).await.unwrap();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            upstream.write_all(answer).await.unwrap();
            String::from_utf8(seen).unwrap()
        });
        let mut wire = Wire::new(Socket::Plain(open));
        let (response, exchange) = wire.call(&mut call).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(served.await.unwrap(), expected);
        assert!(exchange.leaves_usable(&wire));
    }
}
