//! Host and path → which API and stage a request names, and the path below the stage.
//!
//! `{apiId}.execute-api.<anything>` with `/{stage}/…`; on any other host `/{apiId}/{stage}/…`; and
//! LocalStack's two forms, so that its users' scripts keep working.

/// What a request names. The path is as it came, without the query; empty when nothing follows the stage.
#[derive(Debug, PartialEq, Eq)]
pub struct Named<'a> {
    pub api_id: &'a str,
    pub stage: &'a str,
    pub path: &'a str,
}

/// Reads the API and the stage from the Host header (with or without port) and the request's path.
pub fn named<'a>(host: &'a str, path: &'a str) -> Option<Named<'a>> {
    if let Some(api_id) = api_of_host(host) {
        let (stage, path) = cut(path.trim_start_matches('/'))?;
        return Some(Named {
            api_id,
            stage,
            path,
        });
    }
    if let Some(rest) = path.strip_prefix("/restapis/") {
        let (api_id, rest) = cut(rest)?;
        let (stage, rest) = cut(rest.trim_start_matches('/'))?;
        let below = rest.strip_prefix("/_user_request_");
        if let Some(path) = below.filter(|path| path.is_empty() || path.starts_with('/')) {
            return Some(Named {
                api_id,
                stage,
                path,
            });
        }
    }
    let rest = path.strip_prefix("/_aws/execute-api/").unwrap_or(path);
    let (api_id, rest) = cut(rest.trim_start_matches('/'))?;
    let (stage, path) = cut(rest.trim_start_matches('/'))?;
    Some(Named {
        api_id,
        stage,
        path,
    })
}

/// The API id in `{apiId}.execute-api.<anything>`; ids are case-sensitive, the rest is not.
fn api_of_host(host: &str) -> Option<&str> {
    const MARK: &str = "execute-api.";
    let dot = host.bytes().position(|byte| byte == b'.')?;
    let (api_id, rest) = (&host[..dot], &host[dot + 1..]);
    let is_marked = rest
        .get(..MARK.len())
        .is_some_and(|m| m.eq_ignore_ascii_case(MARK));
    is_marked.then_some(api_id)
}

/// The first segment and what follows it, slash included; none when the segment is empty.
fn cut(path: &str) -> Option<(&str, &str)> {
    let end = path.bytes().position(|byte| byte == b'/');
    let end = end.unwrap_or(path.len());
    (end > 0).then(|| path.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(host: &str, path: &str, expected: Option<(&str, &str, &str)>) {
        let got = named(host, path).map(|n| (n.api_id, n.stage, n.path));
        assert_eq!(got, expected, "{host} {path}");
    }

    #[test]
    fn every_form_names_api_stage_and_path() {
        let pets = Some(("abc123", "prod", "/pets/7"));
        is(
            "abc123.execute-api.us-east-1.amazonaws.com",
            "/prod/pets/7",
            pets,
        );
        is("abc123.execute-api.localhost:8080", "/prod/pets/7", pets);
        is("abc123.Execute-API.localhost", "/prod/pets/7", pets);
        is("localhost:8080", "/abc123/prod/pets/7", pets);
        is("127.0.0.1", "/_aws/execute-api/abc123/prod/pets/7", pets);
        is(
            "127.0.0.1",
            "/restapis/abc123/prod/_user_request_/pets/7",
            pets,
        );
    }

    #[test]
    fn a_stage_alone_has_an_empty_path_and_less_names_nothing() {
        is("localhost", "/abc123/prod", Some(("abc123", "prod", "")));
        is("localhost", "/abc123/prod/", Some(("abc123", "prod", "/")));
        is("localhost", "/abc123", None);
        is("localhost", "/", None);
        is("localhost", "", None);
        is("abc123.execute-api.x", "/", None);
    }

    #[test]
    fn the_word_before_the_path_is_a_whole_segment() {
        let below = "/restapis/abc123/prod/_user_request_";
        is("localhost", below, Some(("abc123", "prod", "")));
        let longer = format!("{below}pets");
        let path = "/prod/_user_request_pets";
        is("localhost", &longer, Some(("restapis", "abc123", path)));
    }

    #[test]
    fn inner_double_slashes_stay_with_the_path() {
        is(
            "abc123.execute-api.x",
            "/prod//x",
            Some(("abc123", "prod", "//x")),
        );
    }
}
