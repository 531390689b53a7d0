//! The life of a call, top to bottom. Read this first.
//!
//! A refusal, wherever it arises, jumps once to `gateway_response`; whatever happens, the call's
//! record is written when its answer has ended.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response};
use rand::Rng;

use crate::DataPlaneState;
use crate::access_log::{Entry, Recorder};
use crate::body::{Body, RequestBody};
use crate::content_coding;
use crate::decide::decide;
use crate::gateway_response::Refused;
use crate::integration::Integrations;
use crate::invocation::{Invocation, RequestIds};
use crate::mapping::expression::Values;
use crate::method_request;
use crate::net::serving::{Arrival, Service};
use crate::rate_limit_headers::RateLimits;

/// One worker's calls.
pub struct Calls {
    pub state: Arc<DataPlaneState>,
    pub integrations: Integrations,
    pub recorder: Arc<Recorder>,
}

impl Service for Calls {
    async fn answer(self: Arc<Self>, arrival: Arrival) -> Response<Body> {
        let Arrival {
            request,
            peer,
            received,
            refused,
        } = arrival;
        let received_ms = self.state.time.wall_ms_at(received);
        let call = Invocation::new(&request, &peer, ids(), received, received_ms);
        let mut entry = Entry::new(call, &self.recorder);
        let mut left = RateLimits::default();

        let answered = match refused {
            None => self.serve(request, &mut entry.call, &mut left).await,
            Some(refused) => Err(refused),
        };
        let mut response =
            answered.unwrap_or_else(|refused| self.refuse(&refused, &mut entry.call));
        if self.state.sends_rate_limits {
            left.write(response.headers_mut());
        }
        entry.follow(response)
    }
}

impl Calls {
    async fn serve(
        &self,
        request: Request<RequestBody>,
        call: &mut Invocation,
        left: &mut RateLimits,
    ) -> Result<Response<Body>, Refused> {
        let decided = decide(&self.state, request.headers(), call, left).await;
        let definitions = call
            .stage
            .as_ref()
            .and_then(|stage| stage.deployed.responses.as_deref());
        if definitions.is_some_and(|definitions| definitions.reads_headers) {
            call.request_headers = Some(Box::new(request.headers().clone()));
        }
        decided?;
        self.go_on(call, request).await
    }

    /// What follows when a call is let through. What few calls need is boxed, so that all others carry
    /// no room for it.
    pub(crate) async fn go_on(
        &self,
        call: &mut Invocation,
        mut request: Request<RequestBody>,
    ) -> Result<Response<Body>, Refused> {
        let stage = call.stage.as_ref();
        let compression = stage.and_then(|stage| stage.deployed.compression_bytes_min);
        if compression.is_some() {
            content_coding::decode(&mut request)?;
        }
        if call.method().is_some_and(|method| method.request.is_some()) {
            Box::pin(self.check(call, &mut request)).await?;
        }
        match compression {
            None => self.integrations.send(call, request).await,
            Some(bytes_min) => Box::pin(self.send_compressed(bytes_min, call, request)).await,
        }
    }

    async fn send_compressed(
        &self,
        bytes_min: u64,
        call: &mut Invocation,
        request: Request<RequestBody>,
    ) -> Result<Response<Body>, Refused> {
        let asks_head = *request.method() == Method::HEAD;
        let wanted = content_coding::wanted(request.headers()).filter(|_| !asks_head);
        let response = self.integrations.send(call, request).await?;
        Ok(match wanted {
            Some(coding) => content_coding::encode(response, coding, bytes_min).await,
            None => response,
        })
    }

    /// After the limits: a call that is admitted counts, whatever is wrong with its request.
    async fn check(
        &self,
        call: &mut Invocation,
        request: &mut Request<RequestBody>,
    ) -> Result<(), Refused> {
        let Some(stage) = call.stage.clone() else {
            return Err(Refused::Internal);
        };
        let index = call.route.as_ref().map(|route| route.method as usize);
        let method = index.and_then(|index| stage.deployed.methods.get(index));
        let Some(asked) = method.and_then(|method| method.request.as_deref()) else {
            return Ok(());
        };
        asked.check_parameters(call, request.headers())?;
        if asked.wants_body() {
            content_coding::decode(request)?;
            let body = request.body_mut().gather(&self.integrations.room).await?;
            let kind = method_request::content_type(request.headers()).into_owned();
            let checked = asked.check_body(request.headers(), &body);
            call.log(|log| match &checked {
                Err(Refused::InvalidBody(faults)) => log.line(format!(
                    "Request body does not match model schema for content type {kind}: {faults}"
                )),
                _ => log.line(format!(
                    "Request validation succeeded for content type {kind}"
                )),
            });
            checked?;
        }
        Ok(())
    }

    pub(crate) fn refuse(&self, refused: &Refused, call: &mut Invocation) -> Response<Body> {
        if let Refused::Misconfigured(why) = refused {
            tracing::warn!(request_id = call.ids.request(), %why, "a method cannot work as it is set up");
        }
        let reason = refused.reason();
        call.note_refusal(refused);
        let defined = call.stage.as_ref().and_then(|stage| {
            let definitions = stage.deployed.responses.as_deref()?;
            Some((stage, definitions.of(reason)?))
        });
        match defined {
            None => self.state.responses.answer(refused, &call.ids),
            Some((stage, definition)) => {
                let none = HeaderMap::new();
                let values = Values {
                    call,
                    stage,
                    request_headers: call.request_headers.as_deref().unwrap_or(&none),
                };
                self.state.responses.defined(refused, definition, &values)
            }
        }
    }
}

pub(crate) fn ids() -> RequestIds {
    let mut random = [0; 27];
    rand::rng().fill_bytes(&mut random);
    RequestIds::new(random)
}
