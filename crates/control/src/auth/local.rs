//! Without authentication: only what a program on this machine would send, nothing a foreign web page could.

use http::HeaderMap;
use http::header::{HOST, ORIGIN};

use crate::error::Error;

/// Host must be loopback (else a name rebound to 127.0.0.1 would do) and Origin absent or loopback
/// (else any page open in a browser could write).
pub fn check(headers: &HeaderMap) -> Result<(), Error> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    if hosts.next().is_some() || !host.is_some_and(is_loopback) {
        return Err(Error::AccessDenied(
            "Without authentication only calls to a loopback host are answered.".to_owned(),
        ));
    }
    let foreign_origin = headers.get_all(ORIGIN).iter().any(|origin| {
        let authority = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"))
            .map(|(_, authority)| authority);
        !authority.is_some_and(is_loopback)
    });
    let cross_site = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    if foreign_origin || cross_site {
        return Err(Error::AccessDenied(
            "Without authentication calls of foreign web pages are not answered.".to_owned(),
        ));
    }
    Ok(())
}

/// `localhost`, `127.x.y.z` or `[::1]`, with or without a port.
fn is_loopback(authority: &str) -> bool {
    let (name, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) => (
                name,
                port.strip_prefix(':').or(port.is_empty().then_some("0")),
            ),
            None => return false,
        },
        None => match authority.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (authority, Some("0")),
        },
    };
    let port_fits = port.is_some_and(|port| port.parse::<u16>().is_ok());
    let name_fits = name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    port_fits && name_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        check(&headers).is_ok()
    }

    #[test]
    fn loopback_hosts_pass_and_names_do_not() {
        for host in [
            "localhost",
            "localhost:8081",
            "LOCALHOST:1",
            "127.0.0.1:8081",
            "127.3.2.1",
            "[::1]:8081",
            "[::1]",
        ] {
            assert!(checked(&[("host", host)]), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:8081",
            "127.0.0.1.evil.example",
            "localhost.evil",
            "10.0.0.1",
            "[::2]:1",
            "[::1",
            "localhost:8081:1",
            "localhost:x",
            "",
        ] {
            assert!(!checked(&[("host", host)]), "{host}");
        }
        assert!(!checked(&[]));
        assert!(!checked(&[("host", "localhost"), ("host", "evil.example")]));
    }

    #[test]
    fn pages_from_elsewhere_are_refused() {
        assert!(checked(&[
            ("host", "localhost"),
            ("origin", "http://localhost:3000")
        ]));
        for origin in [
            "https://evil.example",
            "null",
            "http://localhost.evil.example",
        ] {
            assert!(
                !checked(&[("host", "localhost"), ("origin", origin)]),
                "{origin}"
            );
        }
        assert!(!checked(&[
            ("host", "localhost"),
            ("sec-fetch-site", "cross-site")
        ]));
    }
}
