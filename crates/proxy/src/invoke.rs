//! The life of a call, top to bottom. Read this first.
//!
//! A refusal, wherever it arises, jumps once to `gateway_response`; whatever happens, the call's
//! record is written when its answer has ended.

use std::sync::Arc;

use http::{Request, Response};
use rand::Rng;

use crate::DataPlaneState;
use crate::access_log::{Entry, Recorder};
use crate::body::{Body, RequestBody};
use crate::decide::decide;
use crate::gateway_response::Refused;
use crate::integration::Integrations;
use crate::invocation::{Invocation, RequestIds};
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
        let received_ms = self.state.time.now().wall_ms;
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
        decide(&self.state, request.headers(), call, left).await?;
        self.integrations.send(call, request).await
    }

    fn refuse(&self, refused: &Refused, call: &mut Invocation) -> Response<Body> {
        if let Refused::Misconfigured(why) = refused {
            tracing::warn!(request_id = call.ids.request(), %why, "a method cannot work as it is set up");
        }
        call.refused = Some(refused.reason());
        self.state.responses.answer(refused, &call.ids)
    }
}

fn ids() -> RequestIds {
    let mut random = [0; 27];
    rand::rng().fill_bytes(&mut random);
    RequestIds::new(random)
}
