//! Host and target of a request: whichever form they come in, one API, one stage and one path are meant.

use http::{HeaderMap, HeaderValue, Uri};

use super::lines;
use crate::net::edge::origin_form;
use crate::stage::named;

/// First line: the request's target. The others: its Host headers.
pub fn target(bytes: &[u8]) {
    let lines = lines(bytes);
    let Some((target, hosts)) = lines.split_first() else {
        return;
    };
    let Ok(uri) = target.parse::<Uri>() else {
        return;
    };
    if target.contains('#') {
        return; // the inspector refuses fragments
    }
    let mut headers = HeaderMap::new();
    for host in hosts.iter().take(3) {
        if let Ok(host) = HeaderValue::from_str(host) {
            headers.append(http::header::HOST, host);
        }
    }
    let Ok(formed) = origin_form(&uri, &headers) else {
        return;
    };
    assert_eq!(headers.get_all(http::header::HOST).iter().count(), 1);
    let (uri, host) = formed.unwrap_or_else(|| (uri, headers[http::header::HOST].clone()));
    assert!(
        uri.scheme().is_none() && uri.authority().is_none(),
        "{uri:?}"
    );
    assert!(uri.path().starts_with('/'), "{uri:?}");
    let host = host.to_str().unwrap();
    assert!(
        !host.is_empty() && !host.contains(['@', '/', '?', '#', ' ', ',']),
        "{host}"
    );
    let Some(found) = named(host, uri.path()) else {
        return;
    };
    assert!(!found.api_id.contains('/') && !found.stage.contains('/') && !found.stage.is_empty());
    assert!(found.path.is_empty() || found.path.starts_with('/'));
    assert!(uri.path().ends_with(found.path));
    // The forms that name it by host, by path and as LocalStack does are the same.
    let (id, stage, path) = (found.api_id, found.stage, found.path);
    if id.is_empty() || id.contains('.') || matches!(id, "restapis" | "_aws") {
        return;
    }
    for (host, target) in [
        (format!("{id}.execute-api.test"), format!("/{stage}{path}")),
        (format!("{id}.EXECUTE-API.a:80"), format!("/{stage}{path}")),
        ("localhost".to_owned(), format!("/{id}/{stage}{path}")),
        (
            "localhost".to_owned(),
            format!("/_aws/execute-api/{id}/{stage}{path}"),
        ),
        (
            "localhost".to_owned(),
            format!("/restapis/{id}/{stage}/_user_request_{path}"),
        ),
    ] {
        assert_eq!(
            named(&host, &target).as_ref(),
            Some(&found),
            "{host} {target}"
        );
    }
}
