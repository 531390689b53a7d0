//! One call on an HTTP/2 stream: its request handed on, its answer sent as the client makes room.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

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
use crate::gateway_response::Refused;
use crate::integration::X_AMZN_TRACE_ID;
use crate::invocation::{X_AMZ_APIGW_ID, X_AMZN_REQUEST_ID};
use crate::net::connection::Exchange;
use crate::net::date::with_date;
use crate::net::edge;
use crate::net::pace::{Patience, WritePace};
use crate::net::serving::{Arrival, Service};
use crate::net::worker::Front;
use crate::rate_limit_headers::RATE_LIMIT;

/// Whether a header speaks of a connection; HTTP/2 has none of those.
fn is_not_in_http2(name: &HeaderName) -> bool {
    matches!(*name, CONNECTION | TRANSFER_ENCODING | UPGRADE)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Whether a header has another value in every answer. Such a value is of no use to later answers, so it
/// does not push others out of the table that both sides keep of what was sent.
fn is_new_each_time(name: &HeaderName) -> bool {
    const NAMES: [HeaderName; 4] = [
        X_AMZN_REQUEST_ID,
        X_AMZ_APIGW_ID,
        X_AMZN_TRACE_ID,
        RATE_LIMIT,
    ];
    NAMES.contains(name)
}

/// What a client is told to wait when there are too many calls.
const FULL_RETRY_AFTER: Duration = Duration::from_secs(1);

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
    let place = front.shared.take_up_call();
    let refused = refused.or_else(|| {
        let retry_after = FULL_RETRY_AFTER;
        let is_full = place.is_none();
        is_full.then_some(Refused::TooManyCalls { retry_after })
    });
    let arrival = Arrival {
        request,
        peer: Arc::clone(&front.peer),
        received,
        refused,
    };
    let (service, patience) = (Arc::clone(&front.service), limits.patience);
    // Boxed here: a task that is spawned is moved several times, and this one is large.
    tokio::spawn(Box::pin(async move {
        serve(service, arrival, respond, &patience).await;
        drop((exchange, place));
    }));
}

/// Ends early when the client takes its request back or goes away; what was admitted then stays counted.
async fn serve<S: Service>(
    service: Arc<S>,
    arrival: Arrival,
    mut respond: SendResponse<Bytes>,
    patience: &Patience,
) {
    let is_head = arrival.request.method() == Method::HEAD;
    let received = arrival.received;
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
    let has_body = prepare(&mut head, &body, is_head, received);
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
fn prepare(head: &mut Response<()>, body: &Body, is_head: bool, now: Instant) -> bool {
    let status = head.status();
    let headers = head.headers_mut();
    while let Some(name) = headers.keys().find(|name| is_not_in_http2(name)).cloned() {
        headers.remove(name);
    }
    for (name, value) in headers.iter_mut() {
        if is_new_each_time(name) {
            value.set_sensitive(true); // to HPACK: not to be remembered
        }
    }
    if !headers.contains_key(DATE) {
        with_date(now, |date| headers.insert(DATE, date.clone()));
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
