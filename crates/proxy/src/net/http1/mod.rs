//! HTTP/1.1 with a client: one connection, its requests one after the other, and how it ends.
//!
//! The connection is read, answered and timed by its one task. A request's head is checked and taken over
//! in one pass; its body is read by whoever it is handed to; an answer is written from one buffer.

mod answer;
mod body;
mod head;
mod inbox;
mod outgoing;
mod wire;

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use http::{Method, Request};
use tokio::time::{Sleep, sleep};

use self::answer::{Answer, Asked};
pub use self::body::CallerBody;
use self::body::Line;
pub use self::head::{Fault, HeadLimits};
use self::head::{Framing, Head};
use self::wire::{Next, Wire};
use super::edge;
use super::serving::{Arrival, Phase, Service};
use super::socket::Socket;
use super::worker::Front;
use crate::body::RequestBody;
use crate::gateway_response::Refused;

#[cfg(any(test, fuzzing))]
pub(crate) use self::inbox::Inbox;

/// How long connections go on after a stop, with answers that say they close. A client that pauses
/// for longer between two calls may find its connection closed, as it may at any time.
const LAST_ANSWERS: Duration = Duration::from_millis(250);

/// Serves a connection to its end.
pub(super) async fn serve<S: Service>(front: &Arc<Front<S>>, socket: Socket) {
    let mut talking = pin!(talk(front, socket));
    let mut last_answers: Option<Pin<Box<Sleep>>> = None;
    let ended = poll_fn(|context| {
        front.connection.remember(context.waker());
        loop {
            if let Poll::Ready(result) = talking.as_mut().poll(context) {
                return Poll::Ready(result);
            }
            match front.shared.phase() {
                Phase::Serving => return Poll::Pending,
                Phase::Stopping if front.connection.is_last() => return Poll::Pending,
                Phase::Stopping => {
                    let timer = last_answers.get_or_insert_with(|| Box::pin(sleep(LAST_ANSWERS)));
                    ready!(timer.as_mut().poll(context));
                    front.connection.set_last();
                }
                Phase::Cutting => return Poll::Ready(Ok(())),
            }
        }
    });
    if let Err(error) = ended.await {
        front.broke(&error);
    }
}

/// Answers one request after the other.
async fn talk<S: Service>(front: &Arc<Front<S>>, socket: Socket) -> io::Result<()> {
    let mut wire = Box::new(Wire::new(socket, Arc::clone(&front.shared)));
    loop {
        let next = poll_fn(|context| wire.poll_head(&front.connection, context)).await?;
        let received = Instant::now();
        let (head, fault) = match next {
            Next::Request(head) => (head, None),
            Next::Fault(fault) => (unreadable(), Some(fault)),
            Next::End => break,
        };
        let asked = Asked::by(&head);
        wire.begin(head.framing, head.expects_continue);
        let length = match head.framing {
            Framing::Length(bytes) => Some(bytes),
            Framing::Chunked => None,
        };
        let (mut line, body) = Line::open(wire, length);
        let body = RequestBody::of_caller(body, front.shared.limits.body_bytes_max);
        let arrival = arrive(front, head.request.map(|()| body), received, fault);
        let response = {
            // Boxed, so that a connection between two calls keeps no room for one.
            let mut answering = Box::pin(Arc::clone(&front.service).answer(arrival));
            let answered = poll_fn(|context| match answering.as_mut().poll(context) {
                Poll::Ready(response) => Poll::Ready(Some(response)),
                Poll::Pending => line.poll_gone(context).map(|()| None),
            });
            answered.await
        };
        let Some(response) = response else {
            return Ok(());
        };
        let is_last = front.shared.phase() != Phase::Serving;
        let answer =
            line.begin_answer(|out| Answer::begin(response, asked, is_last, received, out));
        let Some(mut answer) = answer else {
            return Ok(());
        };
        poll_fn(|context| line.poll_answer(&mut answer, context)).await?;
        let keeps_alive = answer.keeps_alive();
        let Some(own) = line.close() else {
            return Ok(());
        };
        wire = own;
        if !keeps_alive || !wire.skip_body() {
            let reads_on = fault.is_some() || wire.has_more();
            poll_fn(|context| wire.poll_close(reads_on, context)).await;
            return Ok(());
        }
        wire.rest();
    }
    poll_fn(|context| wire.poll_close(false, context)).await;
    Ok(())
}

fn arrive<S>(
    front: &Front<S>,
    mut request: Request<RequestBody>,
    received: Instant,
    fault: Option<Fault>,
) -> Arrival {
    let body_bytes_max = front.shared.limits.body_bytes_max;
    let refused = match fault {
        Some(fault) => Some(Refused::Faulty(fault)),
        None => edge::check(&mut request, body_bytes_max).err(),
    };
    Arrival {
        request,
        peer: Arc::clone(&front.peer),
        received,
        refused,
    }
}

/// Stands for a head that was not read, in the log.
fn unreadable() -> Head {
    let mut request = Request::new(());
    *request.method_mut() = Method::from_bytes(b"-").unwrap_or_default();
    Head {
        request,
        framing: Framing::Length(0),
        keeps_alive: false,
        expects_continue: false,
        takes_trailers: false,
    }
}
