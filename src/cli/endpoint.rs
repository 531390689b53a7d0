//! Where the control plane is, and a connection to it: plain, or TLS with a certificate that is checked.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tollgate_proxy::net::connect::client_config;
use tollgate_proxy::net::socket::Socket;

use super::failed::Failed;

/// How long connecting may take, the TLS handshake included.
const CONNECT_TIMEOUT_S: u64 = 5;

/// The control plane's end.
pub struct Endpoint {
    /// `host:port`, as it stands in the `Host` header.
    pub authority: String,
    tls: Option<(ServerName<'static>, TlsConnector)>,
}

impl Endpoint {
    /// An endpoint from its URL. `ca_file` is trusted besides the machine's own roots.
    pub fn parse(url: &str, ca_file: Option<&Path>) -> Result<Endpoint, Failed> {
        let (is_tls, authority, host) = parts(url)?;
        let tls = match is_tls {
            false => None,
            true => {
                let config =
                    client_config(ca_file).map_err(|bad| Failed::Usage(bad.to_string()))?;
                let name = ServerName::try_from(host)
                    .map_err(|_| wrong(url, "names a host that no certificate can be for"))?;
                Some((name, TlsConnector::from(Arc::new(config))))
            }
        };
        Ok(Endpoint { authority, tls })
    }

    /// The plain endpoint at an address.
    pub fn plain(address: SocketAddr) -> Endpoint {
        Endpoint {
            authority: address.to_string(),
            tls: None,
        }
    }

    pub async fn connect(&self) -> Result<Socket, Failed> {
        let limit = Duration::from_secs(CONNECT_TIMEOUT_S);
        match tokio::time::timeout(limit, self.open()).await {
            Ok(opened) => opened,
            Err(_) => {
                Err(self.unreachable(format!("no connection within {CONNECT_TIMEOUT_S} seconds")))
            }
        }
    }

    async fn open(&self) -> Result<Socket, Failed> {
        let stream = TcpStream::connect(&self.authority).await;
        let stream = stream.map_err(|error| self.unreachable(error.to_string()))?;
        let Some((name, connector)) = &self.tls else {
            return Ok(Socket::Plain(stream));
        };
        match connector.connect(name.clone(), stream).await {
            Ok(stream) => Ok(Socket::Tls(Box::new(stream.into()))),
            Err(error) => Err(Failed::Failed(format!(
                "no TLS connection to {}: {error}\n{}",
                self.authority,
                advice(&error)
            ))),
        }
    }

    fn unreachable(&self, error: String) -> Failed {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Failed::Unreachable(format!(
            "nothing answers at {scheme}://{}: {error}\nIs `tollgate serve` running? --endpoint URL, TOLLGATE_ENDPOINT or \
             the gateway's own settings (--config FILE) say where.",
            self.authority
        ))
    }
}

/// What to do about a handshake that failed.
fn advice(error: &std::io::Error) -> &'static str {
    use rustls::{CertificateError, Error};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(Error::InvalidMessage(_)) => {
            "It does not speak TLS there: use http:// for this endpoint."
        }
        Some(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => "--endpoint https://NAME:PORT must have a name that is in the certificate.",
        Some(Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        )) => "Renew the certificate, or set this machine's clock right.",
        _ => {
            "--ca-file FILE (or AWS_CA_BUNDLE) names authorities to trust besides the machine's own."
        }
    }
}

fn wrong(url: &str, why: &str) -> Failed {
    Failed::Usage(format!(
        "the endpoint \"{url}\" {why}; allowed is http://HOST:PORT or https://HOST:PORT, such as http://127.0.0.1:8081"
    ))
}

/// Whether it is TLS, the `host:port`, and the host alone.
fn parts(url: &str) -> Result<(bool, String, String), Failed> {
    let uri: Uri = url.parse().map_err(|_| wrong(url, "is not a URL"))?;
    let is_tls = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(wrong(url, "does not begin with http:// or https://")),
    };
    if uri.path() != "/" || uri.query().is_some() {
        return Err(wrong(url, "has a path"));
    }
    let authority = uri
        .authority()
        .filter(|authority| !authority.as_str().contains('@'));
    let authority = authority.ok_or_else(|| wrong(url, "has no plain host"))?;
    let has_colon = authority.as_str().len() > authority.host().len();
    if has_colon && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(wrong(url, "has a port that is none"));
    }
    let host = authority.host().trim_matches(['[', ']']).to_owned();
    let authority = match (authority.port(), is_tls) {
        (Some(_), _) => authority.to_string(),
        (None, false) => format!("{authority}:80"),
        (None, true) => format!("{authority}:443"),
    };
    Ok((is_tls, authority, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_http_or_https_with_a_host() {
        let of = |url: &str| {
            let (is_tls, authority, host) = parts(url).unwrap();
            (is_tls, format!("{authority} {host}"))
        };
        assert_eq!(
            of("http://127.0.0.1:8081"),
            (false, "127.0.0.1:8081 127.0.0.1".into())
        );
        assert_eq!(of("https://[::1]:8081/"), (true, "[::1]:8081 ::1".into()));
        assert_eq!(of("http://gateway"), (false, "gateway:80 gateway".into()));
        assert_eq!(of("https://gateway"), (true, "gateway:443 gateway".into()));
        for bad in [
            "",
            "127.0.0.1:8081",
            "ftp://x",
            "http://u:p@h:1",
            "http://x:1/path",
            "https://x:1?a=b",
            "http://x:99999",
            "http://x:0",
            "http://x:",
        ] {
            let message = parts(bad).unwrap_err().to_string();
            assert!(
                message.contains("allowed is http://HOST:PORT or https://HOST:PORT"),
                "{bad}: {message}"
            );
        }
    }

    #[test]
    fn a_file_of_authorities_must_hold_some() {
        let refused = Endpoint::parse("https://gateway", Some(Path::new("/nonexistent")));
        assert!(matches!(refused.err(), Some(Failed::Usage(_))));
    }
}
