//! A signed client of the control plane.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tollgate_control::auth::sigv4;
use tollgate_entity::Timestamp;

use super::credentials::{self, Credentials, Places};
use super::endpoint::Endpoint;
use super::failed::Failed;
use crate::config::layers::Source;
use crate::config::{self, Config, Loaded};

/// How long a call may take, from sending it to the last byte of the answer.
const CALL_TIMEOUT_S: u64 = 120;
/// Elements asked for in one page of a list: AWS's maximum.
const PAGE_LIMIT: &str = "500";
/// What AWS's signature leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// What every client command takes.
#[derive(Debug, clap::Args)]
pub struct Connection {
    /// The control plane's address; without it the one of the gateway's own settings (TOLLGATE_CONTROL_PLANE,
    /// tollgate.toml), or http://127.0.0.1:8081.
    #[arg(long, value_name = "URL", env = "TOLLGATE_ENDPOINT", global = true)]
    pub endpoint: Option<String>,
    /// Read the gateway's settings from this file instead of tollgate.toml in the current directory (environment:
    /// TOLLGATE_CONFIG).
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// PEM file of certificate authorities to trust for an https endpoint, besides the machine's own.
    #[arg(long, value_name = "FILE", env = "AWS_CA_BUNDLE", global = true)]
    pub ca_file: Option<PathBuf>,
    /// The gateway's data directory, for the access key in its file `credentials`; without it that of
    /// TOLLGATE_DATA_DIR, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are used, or AWS_SHARED_CREDENTIALS_FILE, or
    /// the data directory of the gateway's settings.
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
}

/// Calls the control plane at one endpoint, signed with one access key.
pub struct Client {
    endpoint: Endpoint,
    credentials: Option<Credentials>,
    region: String,
}

impl Client {
    /// A client as the command line and the environment ask for.
    pub fn new(connection: &Connection) -> Result<Client, Failed> {
        let environment: Vec<_> = std::env::vars_os().collect();
        let own = config::load(vec![], connection.config.as_deref(), environment.clone());
        let given = connection.endpoint.as_ref().filter(|url| !url.is_empty());
        let endpoint = match (given, &own) {
            (Some(url), _) => url.clone(),
            (None, Ok(own)) => control_plane(&own.config),
            (None, Err(_)) => String::new(), // refused below
        };
        let places = Places {
            flag: connection.data_dir.clone(),
            named: own.as_ref().ok().and_then(named_dir),
            usual: own.as_ref().ok().map(|own| own.config.data_dir.clone()),
        };
        let credentials = credentials::find(&places, &environment)?;
        // Settings that cannot be read are no matter to whoever needs nothing of them.
        if let Err(invalid) = own
            && (endpoint.is_empty() || credentials.is_none())
        {
            return Err(invalid.into());
        }
        let region = ["AWS_REGION", "AWS_DEFAULT_REGION"]
            .iter()
            .find_map(|name| std::env::var(name).ok());
        Ok(Client {
            endpoint: Endpoint::parse(&endpoint, connection.ca_file.as_deref())?,
            credentials,
            region: region
                .filter(|region| !region.is_empty())
                .unwrap_or_else(|| "us-east-1".to_owned()),
        })
    }

    /// A client of the gateway that runs in this process.
    pub fn at(
        address: std::net::SocketAddr,
        credentials: Option<Credentials>,
        region: &str,
    ) -> Client {
        Client {
            endpoint: Endpoint::plain(address),
            credentials,
            region: region.to_owned(),
        }
    }

    /// Calls and reads the JSON of the answer; `Null` for an empty one. `path` is percent-encoded.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<Value, Failed> {
        let request = self.request(method, path, query, body)?;
        let limit = Duration::from_secs(CALL_TIMEOUT_S);
        let response = match tokio::time::timeout(limit, self.exchange(request)).await {
            Ok(response) => response?,
            Err(_) => {
                return Err(Failed::Failed(format!(
                    "no answer within {CALL_TIMEOUT_S} seconds"
                )));
            }
        };
        read(response)
    }

    /// GET of one thing.
    pub async fn get(&self, path: &str, query: &[(String, String)]) -> Result<Value, Failed> {
        self.call(Method::GET, path, query, vec![]).await
    }

    /// All elements of a list, page by page.
    pub async fn list(&self, path: &str, query: &[(String, String)]) -> Result<Vec<Value>, Failed> {
        let mut items = vec![];
        let mut position = None;
        loop {
            let page = self.page(path, query, position.as_deref()).await?;
            items.extend(page["item"].as_array().cloned().unwrap_or_default());
            match page["position"].as_str() {
                Some(next) => position = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    /// One page of a list, from a position on.
    pub async fn page(
        &self,
        path: &str,
        query: &[(String, String)],
        position: Option<&str>,
    ) -> Result<Value, Failed> {
        let mut query = query.to_vec();
        query.push(("limit".into(), PAGE_LIMIT.into()));
        query.extend(position.map(|position| ("position".into(), position.into())));
        self.get(path, &query).await
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        query: &[(String, String)],
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, Failed> {
        let pairs: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        let target = match pairs.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{}", pairs.join("&")),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(http::header::HOST, &self.endpoint.authority)
            .header(http::header::ACCEPT, "application/json");
        if !body.is_empty() {
            request = request.header(http::header::CONTENT_TYPE, "application/json");
        }
        let mut request = request
            .body(body)
            .map_err(|error| Failed::Usage(error.to_string()))?;
        if let Some(Credentials {
            access_key_id,
            secret_access_key,
        }) = &self.credentials
        {
            let now = Timestamp(jiff::Timestamp::now().as_second());
            sigv4::sign(
                &mut request,
                access_key_id,
                secret_access_key,
                &self.region,
                now,
            )
            .map_err(|_| {
                Failed::Usage("the access key's id has characters that no header can carry".into())
            })?;
        }
        Ok(request.map(|body| Full::new(Bytes::from(body))))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Failed> {
        let broken = |error: hyper::Error| {
            Failed::Failed(format!(
                "the connection to {} broke: {error}",
                self.endpoint.authority
            ))
        };
        let stream = self.endpoint.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(broken)?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(broken)?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(broken)?.to_bytes();
        connection.abort();
        Ok(Response::from_parts(parts, body))
    }
}

/// The data directory that TOLLGATE_DATA_DIR names.
fn named_dir(own: &Loaded) -> Option<PathBuf> {
    let mut all = own.effective.iter();
    let dir = all.find(|one| one.setting.name == "data_dir")?;
    matches!(dir.source, Source::Environment(_)).then(|| own.config.data_dir.clone())
}

/// Where a gateway with these settings has its control plane.
fn control_plane(config: &Config) -> String {
    let mut address = config.control_plane.0;
    if address.ip().is_unspecified() {
        address.set_ip(match address.is_ipv4() {
            true => Ipv4Addr::LOCALHOST.into(),
            false => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let scheme = match config.control_tls_certificate {
        Some(_) => "https",
        None => "http",
    };
    format!("{scheme}://{address}")
}

/// One segment of a path, percent-encoded.
pub fn encode(segment: &str) -> String {
    utf8_percent_encode(segment, RESERVED).to_string()
}

fn read(response: Response<Bytes>) -> Result<Value, Failed> {
    let (parts, body) = response.into_parts();
    let value = match body.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned())),
    };
    if parts.status.is_success() {
        return match value {
            Value::String(_) => Err(Failed::Failed(
                "the answer is not JSON; is the endpoint a Tollgate control plane?".into(),
            )),
            value => Ok(value),
        };
    }
    let name = parts
        .headers
        .get("x-amzn-errortype")
        .and_then(|name| name.to_str().ok());
    let name = name
        .and_then(|name| name.split([':', '#']).next())
        .unwrap_or(parts.status.as_str());
    let message = value["message"]
        .as_str()
        .or_else(|| value["Message"].as_str());
    Err(Failed::Refused {
        status: parts.status.as_u16(),
        name: name.to_owned(),
        message: message.map_or_else(|| super::output::cell(&value), str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, name: Option<&str>, body: &str) -> String {
        let mut response = Response::builder().status(status);
        if let Some(name) = name {
            response = response.header("x-amzn-ErrorType", name);
        }
        read(response.body(Bytes::from(body.to_owned())).unwrap())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn errors_carry_aws_name_and_text() {
        let message = r#"{"message":"Invalid Usage Plan ID specified"}"#;
        assert_eq!(
            refused(404, Some("NotFoundException:http://x/"), message),
            "NotFoundException: Invalid Usage Plan ID specified"
        );
        assert_eq!(refused(502, None, "bad gateway"), "502: bad gateway");
    }

    #[test]
    fn a_missing_signature_says_where_keys_come_from() {
        let text = refused(
            403,
            Some("MissingAuthenticationTokenException"),
            r#"{"message":"Missing Authentication Token"}"#,
        );
        assert!(text.contains("AWS_SHARED_CREDENTIALS_FILE"), "{text}");
    }

    #[test]
    fn segments_are_encoded_as_the_signature_reads_them() {
        assert_eq!(encode("arn:aws:x/{a} b~"), "arn%3Aaws%3Ax%2F%7Ba%7D%20b~");
    }
}
