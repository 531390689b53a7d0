//! `tollgate call`: any operation of the control plane by its AWS name.

use std::io::Read;
use std::path::Path;

use http::Method;
use serde_json::{Map, Value};
use tollgate_control::operations::{OPERATIONS, Operation};

use super::client::{Client, Connection, encode};
use super::failed::Failed;
use super::nearest::nearest;
use super::output::{self, Output};

/// Bytes of a body or a file that is sent: what the control plane takes.
const BODY_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// `tollgate call`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tollgate call GetRestApis --param limit=10\n  \
    tollgate call create-usage-plan --param name=free --param quota:='{\"limit\":20,\"period\":\"DAY\"}'\n  \
    tollgate call UpdateApiKey --param apiKey=a1b2c3 --body '{\"patchOperations\":[{\"op\":\"replace\",\"path\":\"/enabled\",\"value\":\"false\"}]}'")]
pub struct Call {
    /// AWS's name of the operation: GetRestApis, or get-rest-apis as the AWS CLI spells it.
    operation: String,
    /// NAME=TEXT, or NAME:=JSON for what is not text. Labels of the path go there; the rest goes into the query of a
    /// GET or DELETE and into the body of others. Can be repeated.
    #[arg(short, long = "param", value_name = "NAME=TEXT")]
    params: Vec<String>,
    /// The body: JSON, or @FILE, or - for stdin. With it, --param goes into path and query only.
    #[arg(short, long)]
    body: Option<String>,
    #[command(flatten)]
    connection: Connection,
    /// Form of the output.
    #[arg(short, long, value_enum, default_value = "json")]
    output: Output,
}

impl Call {
    pub async fn run(self) -> Result<(), Failed> {
        let operation = find(&self.operation)?;
        let params = self
            .params
            .iter()
            .map(|param| read_param(param))
            .collect::<Result<Vec<_>, _>>()?;
        let body = self.body.as_deref().map(read_body).transpose()?;
        let request = Prepared::new(operation, params, body)?;
        let client = Client::new(&self.connection)?;
        let answer = client
            .call(
                operation.method.clone(),
                &request.path,
                &request.query,
                request.body,
            )
            .await?;
        match (answer, self.output) {
            (Value::Null, _) => Ok(()),
            (answer, Output::Json) => output::print_json(&answer),
            (answer, Output::Table) => output::print(&output::generic(&answer)),
        }
    }
}

/// The operation of that name, case and hyphens aside.
fn find(name: &str) -> Result<&'static Operation, Failed> {
    let found = OPERATIONS
        .iter()
        .find(|operation| plain(operation.name) == plain(name));
    found.ok_or_else(|| {
        let near = nearest(&plain(name), OPERATIONS.iter().map(|operation| plain(operation.name)));
        let mut like: Vec<&str> = OPERATIONS
            .iter()
            .filter(|operation| near.as_deref() == Some(&plain(operation.name)) || is_like(operation.name, name))
            .map(|operation| operation.name)
            .collect();
        like.truncate(SUGGESTIONS_MAX);
        Failed::Usage(match like.is_empty() {
            true => format!("there is no operation \"{name}\"; the names are AWS's, such as GetRestApis or CreateUsagePlan"),
            false => format!("there is no operation \"{name}\"; did you mean {}?", like.join(", ")),
        })
    })
}

/// Operations that are suggested for one that is unknown.
const SUGGESTIONS_MAX: usize = 6;

/// Whether what was typed is part of an operation's name.
fn is_like(operation: &str, typed: &str) -> bool {
    let typed = plain(typed);
    typed.len() >= 4 && plain(operation).contains(&typed)
}

/// A name without case, hyphens and underscores: AWS spells one label in several ways.
fn plain(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Reads `NAME=TEXT` or `NAME:=JSON`.
fn read_param(param: &str) -> Result<(String, Value), Failed> {
    let (name, text) = param
        .split_once('=')
        .filter(|(name, _)| !name.is_empty() && *name != ":")
        .ok_or_else(|| {
            Failed::Usage(format!(
                "--param \"{param}\" is not NAME=TEXT or NAME:=JSON"
            ))
        })?;
    let value = match name.strip_suffix(':') {
        None => return Ok((name.to_owned(), Value::String(text.to_owned()))),
        Some(name) => serde_json::from_str(text).map(|value| (name.to_owned(), value)),
    };
    value.map_err(|error| {
        Failed::Usage(format!(
            "--param \"{param}\": what follows := is not JSON: {error}"
        ))
    })
}

fn read_body(body: &str) -> Result<Vec<u8>, Failed> {
    match body.strip_prefix('@') {
        Some(file) => read(Path::new(file)),
        None if body == "-" => read(Path::new("-")),
        None => Ok(body.as_bytes().to_vec()),
    }
}

/// Reads a file, or stdin for `-`.
pub fn read(file: &Path) -> Result<Vec<u8>, Failed> {
    let cannot =
        |error: std::io::Error| Failed::Usage(format!("cannot read {}: {error}", file.display()));
    let mut bytes = vec![];
    let taken = match file == Path::new("-") {
        true => std::io::stdin()
            .lock()
            .take(BODY_BYTES_MAX + 1)
            .read_to_end(&mut bytes),
        false => std::fs::File::open(file)
            .map_err(cannot)?
            .take(BODY_BYTES_MAX + 1)
            .read_to_end(&mut bytes),
    };
    taken.map_err(cannot)?;
    match bytes.len() as u64 > BODY_BYTES_MAX {
        true => Err(Failed::Usage(format!(
            "{} is larger than {BODY_BYTES_MAX} bytes",
            file.display()
        ))),
        false => Ok(bytes),
    }
}

/// All of stdin, which must be text.
pub fn stdin_text() -> Result<String, Failed> {
    String::from_utf8(read(Path::new("-"))?)
        .map_err(|_| Failed::Usage("stdin is not UTF-8".to_owned()))
}

/// What is sent.
#[derive(Debug, PartialEq)]
struct Prepared {
    path: String,
    query: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Prepared {
    fn new(
        operation: &Operation,
        mut params: Vec<(String, Value)>,
        body: Option<Vec<u8>>,
    ) -> Result<Prepared, Failed> {
        let path = fill(operation, &mut params)?;
        let mut query = vec![];
        if operation.importing {
            query.push(("mode".to_owned(), "import".to_owned()));
        }
        let has_members = [Method::POST, Method::PUT, Method::PATCH].contains(&operation.method);
        let body = match body {
            None if has_members && !operation.importing => {
                let members: Map<String, Value> = params.into_iter().collect();
                Value::Object(members).to_string().into_bytes()
            }
            body => {
                query.extend(
                    params
                        .into_iter()
                        .map(|(name, value)| (name, query_text(value))),
                );
                body.unwrap_or_default()
            }
        };
        Ok(Prepared { path, query, body })
    }
}

/// The operation's path with its labels filled in; the parameters that were used are taken out.
fn fill(operation: &Operation, params: &mut Vec<(String, Value)>) -> Result<String, Failed> {
    let mut path = String::new();
    for segment in operation.path.split('/').skip(1) {
        path.push('/');
        let Some(label) = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'))
        else {
            path.push_str(segment);
            continue;
        };
        let at = params
            .iter()
            .position(|(name, _)| plain(name) == plain(label));
        let missing = || {
            Failed::Usage(format!(
                "{} needs --param {label}=… ({})",
                operation.name, operation.path
            ))
        };
        let (_, value) = params.remove(at.ok_or_else(missing)?);
        let text = query_text(value);
        match text.is_empty() {
            true => return Err(missing()),
            false => path.push_str(&encode(&text)),
        }
    }
    Ok(path)
}

fn query_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn prepared(
        name: &str,
        params: &[&str],
        body: Option<&str>,
    ) -> Result<(String, Pairs, String), String> {
        let run = || {
            let params = params
                .iter()
                .map(|param| read_param(param))
                .collect::<Result<Vec<_>, _>>()?;
            Prepared::new(
                find(name)?,
                params,
                body.map(|body| body.as_bytes().to_vec()),
            )
        };
        let sent = run().map_err(|failed: Failed| failed.to_string())?;
        Ok((sent.path, sent.query, String::from_utf8(sent.body).unwrap()))
    }

    type Pairs = Vec<(String, String)>;

    fn pairs(pairs: &[(&str, &str)]) -> Pairs {
        pairs
            .iter()
            .map(|(n, v)| (n.to_string(), v.to_string()))
            .collect()
    }

    #[test]
    fn names_are_found_however_they_are_spelled() {
        for name in [
            "GetUsagePlanKeys",
            "getusageplankeys",
            "get-usage-plan-keys",
        ] {
            assert_eq!(find(name).unwrap().name, "GetUsagePlanKeys");
        }
    }

    #[test]
    fn unknown_names_get_suggestions() {
        let text = find("GetRestApps").unwrap_err().to_string();
        assert!(
            text.contains("did you mean") && text.contains("GetRestApis"),
            "{text}"
        );
        let text = find("UsagePlanKey").unwrap_err().to_string();
        assert!(text.contains("CreateUsagePlanKey"), "{text}");
        assert!(
            find("zzz")
                .unwrap_err()
                .to_string()
                .contains("such as GetRestApis")
        );
    }

    #[test]
    fn labels_go_into_the_path_and_the_rest_into_the_query_of_a_get() {
        let sent = prepared(
            "GetUsage",
            &["usagePlanId=p 1/x", "startDate=2026-01-01", "limit:=5"],
            None,
        )
        .unwrap();
        assert_eq!(sent.0, "/usageplans/p%201%2Fx/usage");
        assert_eq!(
            sent.1,
            pairs(&[("startDate", "2026-01-01"), ("limit", "5")])
        );
        assert_eq!(sent.2, "");
        let sent = prepared(
            "UntagResource",
            &["resource-arn=arn:a", "tagKeys=a", "tagKeys=b"],
            None,
        )
        .unwrap();
        assert_eq!(sent.0, "/tags/arn%3Aa");
        assert_eq!(sent.1, pairs(&[("tagKeys", "a"), ("tagKeys", "b")]));
    }

    #[test]
    fn the_rest_goes_into_the_body_of_a_post() {
        let sent = prepared(
            "CreateResource",
            &["restApiId=a", "parentId=r", "pathPart=pets"],
            None,
        )
        .unwrap();
        assert_eq!(
            (sent.0.as_str(), sent.2.as_str()),
            ("/restapis/a/resources/r", r#"{"pathPart":"pets"}"#)
        );
        let sent = prepared("CreateApiKey", &["name=1", "enabled:=true"], None).unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(&sent.2).unwrap(),
            json!({"name": "1", "enabled": true})
        );
        assert_eq!(prepared("CreateApiKey", &[], None).unwrap().2, "{}");
    }

    #[test]
    fn with_a_body_parameters_go_into_the_query() {
        let sent = prepared("ImportApiKeys", &["format=csv"], Some("Name,Key\n")).unwrap();
        assert_eq!(sent.0, "/apikeys");
        assert_eq!(sent.1, pairs(&[("mode", "import"), ("format", "csv")]));
        assert_eq!(sent.2, "Name,Key\n");
    }

    #[test]
    fn what_is_missing_or_malformed_is_said() {
        assert_eq!(
            prepared("GetApiKey", &[], None).unwrap_err(),
            "GetApiKey needs --param api_Key=… (/apikeys/{api_Key})"
        );
        assert_eq!(
            prepared("GetApiKey", &["apiKey="], None)
                .unwrap_err()
                .split(' ')
                .next(),
            Some("GetApiKey")
        );
        for bad in ["name", "=x", ":=1"] {
            assert!(
                prepared("CreateApiKey", &[bad], None)
                    .unwrap_err()
                    .contains("NAME=TEXT"),
                "{bad}"
            );
        }
        assert!(
            prepared("CreateApiKey", &["enabled:=yes"], None)
                .unwrap_err()
                .contains("is not JSON")
        );
    }
}
