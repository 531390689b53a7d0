//! One call on an HTTP/2 stream: its request handed on, its answer sent as the client makes room.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, EXPECT, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;

use crate::body::Body;
use crate::net::connection::Exchange;
use crate::net::edge;
use crate::net::pace::{Patience, WritePace};
use crate::net::serving::{Arrival, Service};
use crate::net::worker::Front;

/// Headers that speak of a connection; HTTP/2 has none of them.
static NOT_IN_HTTP2: [HeaderName; 5] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Takes up a request. It is answered beside the others of its connection.
pub fn open<S: Service>(
    front: &Arc<Front<S>>,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
) {
    let exchange = Exchange::open(Arc::clone(&front.connection));
    let received = Instant::now();
    let limits = &front.shared.limits;
    let (request, refused) = edge::receive_stream(request, limits);
    let arrival = Arrival {
        request,
        peer: Arc::clone(&front.peer),
        received,
        refused,
    };
    let (service, patience) = (Arc::clone(&front.service), limits.patience);
    tokio::spawn(async move {
        serve(service, arrival, respond, &patience).await;
        drop(exchange);
    });
}

/// Ends early when the client takes its request back or goes away; what was admitted then stays counted.
async fn serve<S: Service>(
    service: Arc<S>,
    arrival: Arrival,
    mut respond: SendResponse<Bytes>,
    patience: &Patience,
) {
    let is_head = arrival.request.method() == Method::HEAD;
    if arrival.refused.is_none() && waits_for_continue(arrival.request.headers()) {
        let mut go_on = Response::new(());
        *go_on.status_mut() = StatusCode::CONTINUE;
        let _ = respond.send_informational(go_on); // then the stream has ended, which is seen below
    }
    let mut answering = pin!(service.answer(arrival));
    let answered = poll_fn(|context| {
        if respond.poll_reset(context).is_ready() {
            return Poll::Ready(None);
        }
        answering.as_mut().poll(context).map(Some)
    });
    let Some(response) = answered.await else {
        return;
    };
    let (head, body) = response.into_parts();
    let mut head = Response::from_parts(head, ());
    let has_body = prepare(&mut head, &body, is_head);
    match respond.send_response(head, !has_body) {
        Ok(stream) if has_body => send(stream, body, patience).await,
        Ok(_) => {}
        Err(error) => {
            tracing::debug!(%error, "an answer cannot be sent on its stream");
            respond.send_reset(Reason::INTERNAL_ERROR);
        }
    }
}

/// Whether the client sends its body only when it is told to.
fn waits_for_continue(headers: &HeaderMap) -> bool {
    let expected = headers.get(EXPECT).map(HeaderValue::as_bytes);
    expected.is_some_and(|expected| expected.eq_ignore_ascii_case(b"100-continue"))
}

/// Makes an answer's head one of HTTP/2, and says whether a body follows it.
fn prepare(head: &mut Response<()>, body: &Body, is_head: bool) -> bool {
    let status = head.status();
    let headers = head.headers_mut();
    for name in &NOT_IN_HTTP2 {
        headers.remove(name);
    }
    if !headers.contains_key(DATE) {
        headers.insert(DATE, date());
    }
    let may_have_length = !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Some(length) = HttpBody::size_hint(body).exact()
        && may_have_length
        && !(is_head && length == 0)
        && !headers.contains_key(CONTENT_LENGTH)
    {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    !is_head && !HttpBody::is_end_stream(body)
}

async fn send(mut stream: SendStream<Bytes>, mut body: Body, patience: &Patience) {
    let mut pace = WritePace::default();
    loop {
        let frame = poll_fn(|context| {
            if stream.poll_reset(context).is_ready() {
                return Poll::Ready(Err(()));
            }
            Pin::new(&mut body).poll_frame(context).map(Ok)
        });
        let sent = match frame.await {
            Err(()) => return,
            Ok(None) => return drop(stream.send_data(Bytes::new(), true)),
            Ok(Some(Err(_cut))) => return stream.send_reset(Reason::INTERNAL_ERROR),
            Ok(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => {
                    let is_last = HttpBody::is_end_stream(&body);
                    match send_data(&mut stream, data, is_last, &mut pace, patience).await {
                        Sent::All if is_last => return,
                        sent => sent,
                    }
                }
                Err(frame) => {
                    let trailers: HeaderMap = frame.into_trailers().unwrap_or_default();
                    return drop(stream.send_trailers(trailers));
                }
            },
        };
        match sent {
            Sent::All => {}
            Sent::Gone => return,
            Sent::TooSlowly => return stream.send_reset(Reason::CANCEL),
        }
    }
}

/// What became of a piece of an answer.
enum Sent {
    All,
    /// The client takes no more of it.
    Gone,
    TooSlowly,
}

/// Sends as much at a time as the client has made room for.
async fn send_data(
    stream: &mut SendStream<Bytes>,
    mut data: Bytes,
    is_last: bool,
    pace: &mut WritePace,
    patience: &Patience,
) -> Sent {
    if data.is_empty() && is_last && stream.send_data(Bytes::new(), true).is_err() {
        return Sent::Gone;
    }
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = poll_fn(|context| {
            loop {
                let room = stream.capacity();
                if room > 0 {
                    return Poll::Ready(Ok(room));
                }
                match stream.poll_capacity(context) {
                    Poll::Ready(Some(Ok(_))) => {}
                    Poll::Ready(_) => return Poll::Ready(Err(Sent::Gone)),
                    Poll::Pending => {
                        ready!(pace.poll_stuck(patience, context));
                        return Poll::Ready(Err(Sent::TooSlowly));
                    }
                }
            }
        });
        let piece = match room.await {
            Ok(room) => data.split_to(room.min(data.len())),
            Err(ended) => return ended,
        };
        let bytes = piece.len();
        if stream.send_data(piece, is_last && data.is_empty()).is_err() {
            return Sent::Gone;
        }
        if !pace.takes(bytes, patience) {
            return Sent::TooSlowly;
        }
    }
    Sent::All
}

/// The present second, as the Date header has it; written once a second and thread.
fn date() -> HeaderValue {
    thread_local! {
        static WRITTEN: RefCell<Option<(u64, HeaderValue)>> = const { RefCell::new(None) };
    }
    let now = SystemTime::now();
    let second = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    WRITTEN.with_borrow_mut(|written| match written {
        Some((at, text)) if *at == second => text.clone(),
        _ => {
            let text = HeaderValue::from_str(&httpdate::fmt_http_date(now));
            let text = text.unwrap_or(HeaderValue::from_static(""));
            *written = Some((second, text.clone()));
            text
        }
    })
}
