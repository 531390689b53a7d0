//! What callers of the data plane see: one file for each thing they notice.

mod answers;
mod integrations;
mod keys_and_limits;
mod records;
mod routing;

use serde_json::json;

use crate::api::Api;
use crate::control::Control;
use crate::harness::Gateway;
use crate::http::Reply;

fn start() -> (Gateway, Control, Api) {
    let gateway = Gateway::start();
    let control = gateway.control();
    let api = Api::create(&control, "data plane");
    (gateway, control, api)
}

/// Asserts a refusal as AWS makes it on the data plane.
#[track_caller]
fn refused(reply: &Reply, status: u16, exception: &str, message: &str) {
    assert_eq!(
        reply.brief(),
        (status, json!({ "message": message }).to_string())
    );
    assert_eq!(reply.header("x-amzn-errortype"), Some(exception));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert!(
        reply
            .header("x-amzn-requestid")
            .is_some_and(|id| id.len() == 36),
        "{:?}",
        reply.headers
    );
    assert!(
        reply
            .header("x-amz-apigw-id")
            .is_some_and(|id| id.ends_with('=')),
        "{:?}",
        reply.headers
    );
}
