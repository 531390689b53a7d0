//! Where an upstream is: scheme, host and port, and how they are written.

use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::Authority;
use rustls::pki_types::ServerName;

use super::identity::Identity;

/// An upstream. Two are the same when scheme, host, port and what is shown to them are.
#[derive(Clone, Debug)]
pub struct Origin {
    pub is_tls: bool,
    /// In lower case, without brackets.
    pub host: Box<str>,
    pub port: u16,
    /// The `Host` header.
    pub host_header: HeaderValue,
    /// The host, when it is an address.
    pub address: Option<IpAddr>,
    /// What the certificate must be for.
    pub(super) server_name: Option<ServerName<'static>>,
    /// The certificate it is shown, if one is.
    pub(super) identity: Option<Arc<Identity>>,
}

impl Origin {
    /// From `http` or `https` and `host[:port]`. None for another scheme, a user name, or no host.
    pub fn new(scheme: &str, authority: &str) -> Option<Origin> {
        let is_tls = match scheme {
            s if s.eq_ignore_ascii_case("http") => false,
            s if s.eq_ignore_ascii_case("https") => true,
            _ => return None,
        };
        let authority: Authority = authority.parse().ok()?;
        let bare = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        let is_odd = authority.as_str().contains('@') || bare.is_empty();
        let has_port = authority.as_str().len() > authority.host().len();
        if is_odd || (has_port && authority.port_u16().is_none()) {
            return None;
        }
        let host = bare.to_ascii_lowercase();
        let port = authority
            .port_u16()
            .unwrap_or(if is_tls { 443 } else { 80 });
        Some(Origin {
            is_tls,
            port,
            host_header: HeaderValue::from_str(authority.as_str()).ok()?,
            address: host.parse().ok(),
            server_name: ServerName::try_from(host.clone()).ok(),
            identity: None,
            host: host.into(),
        })
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        (self.is_tls, self.port, &self.host) == (other.is_tls, other.port, &other.host)
            && self.identity == other.identity
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.is_tls, self.port, &self.host, &self.identity).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_from_its_parts() {
        let origin = Origin::new("https", "API.example.com").unwrap();
        assert_eq!(
            (origin.is_tls, &*origin.host, origin.port),
            (true, "api.example.com", 443)
        );
        assert_eq!(origin.host_header, "API.example.com");
        assert_eq!(origin, Origin::new("HTTPS", "api.example.com:443").unwrap());
        let local = Origin::new("http", "[::1]:8080").unwrap();
        assert_eq!(
            (&*local.host, local.port, local.address),
            ("::1", 8080, "::1".parse().ok())
        );
        assert_eq!(local.host_header, "[::1]:8080");
        for (scheme, authority) in [
            ("ftp", "a"),
            ("http", ""),
            ("http", "u:p@a"),
            ("http", "a:99999"),
            ("http", ":80"),
            ("http", "a b"),
        ] {
            assert!(
                Origin::new(scheme, authority).is_none(),
                "{scheme}://{authority}"
            );
        }
    }
}
