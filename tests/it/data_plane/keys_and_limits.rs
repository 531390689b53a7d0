//! Who is let through: keys, plans, throttles, quotas, and how each refusal is worded.

use std::time::Duration;

use serde_json::json;

use super::{refused, start};
use crate::api::{Key, Plan};
use crate::harness::clear_of_midnight;
use crate::http::{Reply, get};

#[test]
fn a_keyed_method_needs_an_enabled_key_of_a_plan_of_this_stage() {
    let (gateway, control, api) = start();
    api.mock("/pets", "GET", true, "pets");
    api.mock("/health", "GET", false, "up");
    api.deploy("prod");
    api.deploy("beta");
    let plan = Plan::create(&control, &api, "prod", &json!({}));
    let elsewhere = Plan::create(&control, &api, "beta", &json!({}));
    let (mine, other, loose, disabled) = (
        plan.key("mine"),
        elsewhere.key("other"),
        Key::create(&control, "loose"),
        plan.key("disabled"),
    );
    disabled.set_enabled(&control, false);
    let target = api.target("prod", "/pets");
    assert_eq!(
        get(gateway.data, &target, &[mine.header()]).brief(),
        (200, "pets".to_owned())
    );
    assert_eq!(
        get(gateway.data, &target, &[("X-API-KEY", &mine.value)]).status,
        200
    );
    let wrong = [
        vec![],
        vec![("x-api-key", "")],
        vec![("x-api-key", "wrong-key-value-0123456789")],
        vec![other.header()],
        vec![loose.header()],
        vec![disabled.header()],
        vec![("apikey", mine.value.as_str())],
    ];
    let refusals: Vec<Reply> = wrong
        .iter()
        .map(|headers| get(gateway.data, &target, headers))
        .collect();
    for refusal in &refusals {
        refused(refusal, 403, "ForbiddenException", "Forbidden");
        assert_eq!(
            names(refusal),
            names(&refusals[0]),
            "refusals must not differ by why"
        );
    }
    let upper = mine.value.to_uppercase();
    refused(
        &get(gateway.data, &target, &[("x-api-key", &upper)]),
        403,
        "ForbiddenException",
        "Forbidden",
    );
    refused(
        &get(
            gateway.data,
            &format!("{target}?x-api-key={}", mine.value),
            &[],
        ),
        403,
        "ForbiddenException",
        "Forbidden",
    );
    for headers in [
        vec![],
        vec![("x-api-key", "wrong")],
        vec![disabled.header()],
    ] {
        assert_eq!(
            get(gateway.data, &api.target("prod", "/health"), &headers).brief(),
            (200, "up".to_owned())
        );
    }
}

fn names(reply: &Reply) -> Vec<String> {
    reply
        .headers
        .iter()
        .map(|(name, _)| name.to_ascii_lowercase())
        .collect()
}

#[test]
fn limits_refuse_with_awss_words_and_say_when_to_come_back() {
    clear_of_midnight(Duration::from_secs(30));
    let (gateway, control, api) = start();
    api.mock("/pets", "GET", true, "pets");
    api.deploy("prod");
    let target = api.target("prod", "/pets");
    let slow = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "throttle": { "rateLimit": 0.01, "burstLimit": 1 } }),
    )
    .key("slow");
    assert_eq!(get(gateway.data, &target, &[slow.header()]).status, 200);
    let reply = get(gateway.data, &target, &[slow.header()]);
    refused(&reply, 429, "TooManyRequestsException", "Too Many Requests");
    let retry: u64 = reply
        .header("retry-after")
        .expect("Retry-After")
        .parse()
        .unwrap();
    assert!((1..=100).contains(&retry), "{retry}");
    let few = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "quota": { "limit": 1, "period": "DAY" } }),
    )
    .key("few");
    assert_eq!(get(gateway.data, &target, &[few.header()]).status, 200);
    let reply = get(gateway.data, &target, &[few.header()]);
    refused(&reply, 429, "LimitExceededException", "Limit Exceeded");
    let retry: u64 = reply
        .header("retry-after")
        .expect("Retry-After")
        .parse()
        .unwrap();
    assert!((1..=86_400).contains(&retry), "{retry}");
    for limits in [
        json!({ "quota": { "limit": 0, "period": "DAY" } }),
        json!({ "throttle": { "rateLimit": 0, "burstLimit": 0 } }),
    ] {
        let none = Plan::create(&control, &api, "prod", &limits).key("none");
        assert_eq!(
            get(gateway.data, &target, &[none.header()]).status,
            429,
            "{limits}"
        );
    }
}

#[test]
fn keyed_answers_carry_the_limits_that_apply() {
    clear_of_midnight(Duration::from_secs(30));
    let (gateway, control, api) = start();
    api.mock("/pets", "GET", true, "pets");
    api.mock("/health", "GET", false, "up");
    api.deploy("prod");
    let target = api.target("prod", "/pets");
    let limits = json!({ "throttle": { "rateLimit": 2, "burstLimit": 10 }, "quota": { "limit": 20, "period": "DAY" } });
    let key = Plan::create(&control, &api, "prod", &limits).key("both");
    let reply = get(gateway.data, &target, &[key.header()]);
    assert_eq!(
        joined(&reply, "ratelimit-policy"),
        r#""throttle";q=10;w=5, "quota";q=20;w=86400"#
    );
    assert!(
        joined(&reply, "ratelimit").contains(r#""quota";r=19"#),
        "{:?}",
        reply.headers
    );
    assert!(
        joined(&reply, "ratelimit").contains(r#""throttle";r=9"#),
        "{:?}",
        reply.headers
    );
    let key = Plan::create(
        &control,
        &api,
        "prod",
        &json!({ "quota": { "limit": 7, "period": "WEEK" } }),
    )
    .key("quota");
    let reply = get(gateway.data, &target, &[key.header()]);
    assert_eq!(
        joined(&reply, "ratelimit-policy"),
        r#""quota";q=7;w=604800"#
    );
    let key = Plan::create(&control, &api, "prod", &json!({})).key("none");
    let reply = get(gateway.data, &target, &[key.header()]);
    assert_eq!(
        (reply.header("ratelimit"), reply.header("ratelimit-policy")),
        (None, None)
    );
    let open = get(gateway.data, &api.target("prod", "/health"), &[]);
    assert_eq!(
        (open.header("ratelimit"), open.header("x-tollgate-reason")),
        (None, None)
    );
}

fn joined(reply: &Reply, name: &str) -> String {
    let values: Vec<&str> = reply
        .headers
        .iter()
        .filter(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.as_str())
        .collect();
    values.join(", ")
}

#[test]
fn method_throttles_of_plan_and_stage_are_held() {
    let (gateway, control, api) = start();
    for path in ["/pets", "/pets/{petId}", "/shops"] {
        api.mock(path, "GET", true, "ok");
    }
    api.mock("/open", "GET", false, "ok");
    api.deploy("prod");
    let call = |path: &str, key: &Key| {
        get(gateway.data, &api.target("prod", path), &[key.header()]).status
    };
    let plan = Plan::create(&control, &api, "prod", &json!({}));
    let stage = format!("{}:prod", api.id);
    // As the SDKs write the path of a method, and as Terraform does.
    for path in ["~1pets/GET", "/pets/{petId}/GET"] {
        let at = format!("/apiStages/{stage}/throttle/{path}");
        control
            .patch(
                &plan.path(),
                &[
                    ("replace", &format!("{at}/rateLimit"), "0.001"),
                    ("replace", &format!("{at}/burstLimit"), "2"),
                ],
            )
            .ok(200);
    }
    let (first, second) = (plan.key("first"), plan.key("second"));
    assert_eq!(
        [
            call("/pets", &first),
            call("/pets", &first),
            call("/pets", &first)
        ],
        [200, 200, 429]
    );
    assert_eq!(
        [
            call("/pets/1", &first),
            call("/pets/2", &first),
            call("/pets/3", &first)
        ],
        [200, 200, 429],
        "one bucket for the matched resource"
    );
    assert_eq!(
        [call("/shops", &first), call("/pets", &second)],
        [200, 200],
        "other methods and other keys have their own"
    );
    // Settings of the stage are for all callers, keyed or not.
    let settings = format!("{}/stages/prod", api.path());
    control
        .patch(
            &settings,
            &[
                ("replace", "/~1shops/GET/throttling/rateLimit", "0.001"),
                ("replace", "/~1shops/GET/throttling/burstLimit", "1"),
            ],
        )
        .ok(200);
    assert_eq!(
        [call("/shops", &first), call("/shops", &second)],
        [200, 429]
    );
    control
        .patch(
            &settings,
            &[
                ("replace", "/*/*/throttling/rateLimit", "0.001"),
                ("replace", "/*/*/throttling/burstLimit", "1"),
            ],
        )
        .ok(200);
    let open = || get(gateway.data, &api.target("prod", "/open"), &[]);
    assert_eq!(open().status, 200);
    refused(
        &open(),
        429,
        "TooManyRequestsException",
        "Too Many Requests",
    );
    // -1 takes the stage's limit away again.
    control
        .patch(
            &settings,
            &[
                ("replace", "/*/*/throttling/rateLimit", "-1"),
                ("replace", "/*/*/throttling/burstLimit", "-1"),
            ],
        )
        .ok(200);
    assert_eq!([open().status, open().status], [200, 200]);
}
