//! The URI of an integration and a caller's words in it: a caller never has a say in where a call goes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Request};

use super::lines;
use crate::invocation::{Invocation, RequestIds};
use crate::mapping::expression::{Expression, Values};
use crate::mapping::query;
use crate::mapping::uri::{Target, UriTemplate};
use crate::metrics::{Metrics, StageStats};
use crate::net::connection::Peer;
use crate::route::{Router, normal_path};
use crate::snapshot::{Stage, StageIndex};

/// Lines: the integration's URI, the resource's path, the caller's target, a header's value, then the
/// stage's variables as `name=value`.
pub fn uri(bytes: &[u8]) {
    let lines = lines(bytes);
    let [template, resource, target, header, variables @ ..] = lines.as_slice() else {
        return;
    };
    let variables = variables.iter().filter_map(|line| line.split_once('='));
    let stage = stage(
        variables
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect(),
    );
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(header.as_bytes()) {
        headers.insert("x-said", value);
    }
    let Some(call) = call(resource, target) else {
        return;
    };
    let values = Values {
        call: &call,
        stage: &stage,
        request_headers: &headers,
    };
    any_template(template, resource, &values);
    known_template(resource, &values);
}

/// Whatever the template is: a target is one line of visible characters, and its origin is the one that
/// a caller with nothing to say has, too.
fn any_template(template: &str, resource: &str, values: &Values<'_>) {
    let Ok(compiled) = UriTemplate::compile(template, resource, &BTreeMap::new()) else {
        return;
    };
    let Ok(Target { origin, path }) = compiled.target(values, values.call.uri.query(), &[]) else {
        return;
    };
    let text = path.as_str();
    assert!(
        text.starts_with('/') && text.bytes().all(|byte| byte > b' ' && byte != 0x7f),
        "{text}"
    );
    assert!(!origin.host.is_empty() && !origin.host_header.as_bytes().contains(&b'@'));
    let plain = resource
        .split('/')
        .map(|part| if part.starts_with('{') { "v" } else { part });
    let Some(other) = call(resource, &plain.collect::<Vec<_>>().join("/")) else {
        return;
    };
    let nothing = HeaderMap::new();
    let other = Values {
        call: &other,
        stage: values.stage,
        request_headers: &nothing,
    };
    if let Ok(target) = compiled.target(&other, None, &[]) {
        assert_eq!(target.origin, origin, "a caller chose the origin");
    }
}

/// A usual template, with a value in each of its places: all of them stay there.
fn known_template(resource: &str, values: &Values<'_>) {
    let of = |text: &str| Expression::of_request(text, resource).ok();
    let header = of("method.request.header.x-said");
    let path = crate::mapping::expression::path_variables(resource)
        .next()
        .and_then(|(name, _)| of(&format!("method.request.path.{name}")));
    let query = of("method.request.querystring.q");
    for in_path in [header.clone(), path, query].into_iter().flatten() {
        let Some(in_query) = header.clone() else {
            return;
        };
        let mapped = BTreeMap::from([("p", in_path.clone()), ("s", in_query.clone())]);
        let template = "http://up.test/base/{p}/tail?k={s}&end=1";
        let compiled = UriTemplate::compile(template, resource, &mapped).unwrap();
        let Ok(target) = compiled.target(values, None, &[]) else {
            continue; // a value that climbs, or none at all
        };
        let path = target.path.path();
        assert!(
            path.starts_with("/base/") && path.ends_with("/tail"),
            "{path}"
        );
        assert!(normal_path(path).starts_with("/base/"), "{path}");
        if !matches!(
            in_path,
            Expression::Path {
                is_greedy: true,
                ..
            }
        ) {
            assert_eq!(path.split('/').count(), 4, "{path}");
        }
        let query = target.path.query().unwrap();
        let all: Vec<_> = query::values(query, "k").collect();
        let said = in_query.value(values).unwrap_or_default();
        assert_eq!(all, [said], "{query}");
        assert_eq!(
            query::values(query, "end").collect::<Vec<_>>(),
            ["1"],
            "{query}"
        );
    }
}

/// A call of the one resource there is, if the target reaches it.
pub fn call(resource: &str, target: &str) -> Option<Invocation> {
    let uri: http::Uri = target.parse().ok()?;
    let request = Request::get(uri).body(()).ok()?;
    let mut router = Router::default();
    router.add(resource, "GET", 0);
    let path = normal_path(request.uri().path()).into_owned();
    let (method, spans) = router.find(&path, "GET")?;
    let address = ([127, 0, 0, 1], 80).into();
    let peer = Arc::new(Peer::new(address, address, false));
    let mut call = Invocation::new(&request, &peer, RequestIds::new([0; 27]), Instant::now(), 0);
    call.route = Some(call.routed(method, &path, spans));
    Some(call)
}

/// A stage with these variables and nothing deployed.
pub fn stage(variables: BTreeMap<String, String>) -> Stage {
    thread_local! {
        static STATS: Arc<StageStats> = Metrics::new(1).stage("abc123", "prod");
    }
    Stage {
        index: StageIndex(0),
        account_id: "000000000000".into(),
        api_id: "abc123".into(),
        name: "prod".into(),
        deployment_id: "d1".into(),
        variables,
        deployed: Arc::default(),
        throttles: Vec::new(),
        stats: STATS.with(Arc::clone),
        log_members: Box::default(),
        access_log: None,
        api_id_header: None,
        shown: Default::default(),
    }
}
