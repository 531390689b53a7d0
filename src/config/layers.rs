//! Flags over environment over file over defaults: which text each setting gets, and where it came from.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::kind::Kind;
use super::settings::{GivenIn, SETTINGS, Setting, find};

/// What every environment variable of ours begins with.
pub const PREFIX: &str = "TOLLGATE_";

/// Variables of ours that are not settings of the gateway: the client's endpoint, and the file's name.
const OTHER_VARIABLES: &[&str] = &["TOLLGATE_ENDPOINT", "TOLLGATE_CONFIG"];

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Default,
    File { file: PathBuf, line: usize },
    Environment(String),
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::File { file, line } => write!(f, "{}:{line}", file.display()),
            Source::Environment(name) => write!(f, "environment variable {name}"),
            Source::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value that was given for a setting.
pub struct Given {
    pub setting: &'static Setting,
    pub text: String,
    pub source: Source,
}

/// A name or a value that cannot be used; reads as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(pub String);

impl Problem {
    /// A value that is not allowed. A secret's value is not shown.
    pub fn not_allowed(setting: &Setting, text: &str, source: &Source) -> Problem {
        let name = setting.name;
        let allowed = setting.kind.allowed();
        Problem(match setting.kind.is_secret() {
            true => format!("{source}: the value of {name} is not allowed; allowed is {allowed}"),
            false => format!("{source}: {name} = \"{text}\" is not allowed; allowed is {allowed}"),
        })
    }

    fn unknown(
        place: impl fmt::Display,
        name: &str,
        known: impl Iterator<Item = String>,
    ) -> Problem {
        Problem(match crate::cli::nearest::nearest(name, known) {
            Some(meant) => {
                format!("{place}: unknown setting \"{name}\"; did you mean \"{meant}\"?")
            }
            None => format!(
                "{place}: unknown setting \"{name}\"; `tollgate serve --help` lists them all"
            ),
        })
    }
}

/// Everything given in a `tollgate.toml`, and what is wrong with it.
pub fn from_file(file: &Path, contents: &str) -> (Vec<Given>, Vec<Problem>) {
    let table = match DeTable::parse(contents) {
        Ok(table) => table,
        Err(error) => {
            let line = error.span().map_or(1, |span| line_at(contents, span.start));
            let problem = format!("{}:{line}: {}", file.display(), error.message());
            return (vec![], vec![Problem(problem)]);
        }
    };
    let mut given = vec![];
    let mut problems = vec![];
    for (name, value) in table.get_ref() {
        let line = line_at(contents, name.span().start);
        let source = Source::File {
            file: file.into(),
            line,
        };
        match one_of_file(name.get_ref(), value.get_ref(), source) {
            Ok(one) => given.push(one),
            Err(problem) => problems.push(problem),
        }
    }
    given.sort_by_key(|one| match one.source {
        Source::File { line, .. } => line,
        _ => 0,
    });
    (given, problems)
}

fn one_of_file(name: &str, value: &DeValue<'_>, source: Source) -> Result<Given, Problem> {
    let Some(setting) = find(name) else {
        let known = SETTINGS.iter().map(|setting| setting.name.to_owned());
        return Err(Problem::unknown(source, name, known));
    };
    if setting.given_in == GivenIn::Environment {
        let variable = setting.variable();
        return Err(Problem(format!(
            "{source}: {name} cannot be given in a file; set the environment variable {variable}"
        )));
    }
    let text = match (&setting.kind, value) {
        (Kind::Certificates { .. }, DeValue::Table(_)) => Some(json(value).to_string()),
        (Kind::Certificates { .. }, _) => None,
        _ => text(value),
    };
    match text {
        Some(text) => Ok(Given {
            setting,
            text,
            source,
        }),
        None => Err(Problem(format!(
            "{source}: {name} cannot be a {}; allowed is {}",
            value.type_str(),
            setting.kind.allowed()
        ))),
    }
}

/// The text of a TOML value: a string, number or boolean, or an array of strings.
fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .ok()
            .map(|n| n.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(on) => Some(on.to_string()),
        DeValue::Array(list) => {
            let texts: Option<Vec<&str>> = list.iter().map(|one| one.get_ref().as_str()).collect();
            texts.map(|texts| texts.join(","))
        }
        _ => None,
    }
}

/// A TOML value as JSON; what the setting's kind does not allow is refused there.
fn json(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::Table(table) => {
            let members = table.iter();
            let members =
                members.map(|(name, value)| (name.get_ref().to_string(), json(value.get_ref())));
            Value::Object(members.collect())
        }
        other => text(other).map_or(Value::Null, Value::String),
    }
}

/// The line, counted from 1, of a byte of the text.
fn line_at(text: &str, byte: usize) -> usize {
    text.as_bytes()
        .iter()
        .take(byte)
        .filter(|b| **b == b'\n')
        .count()
        + 1
}

/// Everything given in `TOLLGATE_…` variables. An empty variable counts as not given, because compose files and unit
/// files pass optional settings on in that way.
pub fn from_environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> (Vec<Given>, Vec<Problem>) {
    let mut given = vec![];
    let mut problems = vec![];
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        if value.is_empty() || OTHER_VARIABLES.contains(&name) || is_service_link(name) {
            continue;
        }
        let Some(setting) = SETTINGS.iter().find(|setting| setting.variable() == name) else {
            let known = SETTINGS.iter().map(Setting::variable);
            problems.push(Problem::unknown("environment", name, known));
            continue;
        };
        let source = Source::Environment(name.to_owned());
        match value.into_string() {
            Ok(text) => given.push(Given {
                setting,
                text,
                source,
            }),
            Err(_) => problems.push(Problem(format!("{source}: the value is not UTF-8"))),
        }
    }
    (given, problems)
}

/// Whether Kubernetes sets this variable by itself beside a service that is called `tollgate`.
fn is_service_link(name: &str) -> bool {
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(contents: &str) -> (Vec<(String, String)>, Vec<String>) {
        let (given, problems) = from_file(Path::new("tollgate.toml"), contents);
        let given = given.into_iter().map(|g| {
            (
                format!("{} = {}", g.setting.name, g.text),
                g.source.to_string(),
            )
        });
        (given.collect(), problems.into_iter().map(|p| p.0).collect())
    }

    #[test]
    fn a_file_gives_values_with_their_lines() {
        let (given, problems) = file(
            "# mine\ndata_dir = \"/srv/t\"\nworkers = 0x4\naccount_rate_limit = 2.5\n\nauth = true\nintegration_deny = [\"10.0.0.0/8\", \"fd00::/8\"]\n",
        );
        assert_eq!(problems, Vec::<String>::new());
        let expected = [
            ("data_dir = /srv/t", 2),
            ("workers = 4", 3),
            ("account_rate_limit = 2.5", 4),
            ("auth = true", 6),
            ("integration_deny = 10.0.0.0/8,fd00::/8", 7),
        ];
        let expected: Vec<_> = expected
            .iter()
            .map(|(text, line)| (text.to_string(), format!("tollgate.toml:{line}")))
            .collect();
        assert_eq!(given, expected);
    }

    #[test]
    fn a_file_with_an_unknown_name_says_the_line_and_the_nearest_name() {
        let (_, problems) = file("workers = 1\ndrain_timout_s = 3\nzzz = 1\n");
        assert_eq!(
            problems,
            [
                "tollgate.toml:2: unknown setting \"drain_timout_s\"; did you mean \"drain_timeout_s\"?",
                "tollgate.toml:3: unknown setting \"zzz\"; `tollgate serve --help` lists them all",
            ]
        );
    }

    #[test]
    fn a_file_that_is_not_toml_says_the_line() {
        let (_, problems) = file("workers = 1\nruntime = multi\n");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("tollgate.toml:2: "), "{problems:?}");
        let (_, problems) = file("workers = 1\nworkers = 2\n");
        assert!(problems[0].starts_with("tollgate.toml:2: "), "{problems:?}");
    }

    #[test]
    fn tables_and_secrets_that_belong_in_the_environment_are_refused() {
        let (_, problems) = file("master_key = \"00\"\n[workers]\nx = 1\n");
        assert_eq!(
            problems,
            [
                "tollgate.toml:1: master_key cannot be given in a file; set the environment variable TOLLGATE_MASTER_KEY",
                "tollgate.toml:2: workers cannot be a table; allowed is a whole number from 0 to 1024",
            ]
        );
    }

    fn environment(variables: &[(&str, &str)]) -> (Vec<(String, String)>, Vec<String>) {
        let pairs = variables
            .iter()
            .map(|(n, v)| (OsString::from(n), OsString::from(v)));
        let (given, problems) = from_environment(pairs);
        let given = given
            .into_iter()
            .map(|g| (g.setting.name.to_owned(), g.text));
        (given.collect(), problems.into_iter().map(|p| p.0).collect())
    }

    #[test]
    fn the_environment_gives_values_by_name() {
        let (given, problems) = environment(&[
            ("PATH", "/bin"),
            ("TOLLGATE_DATA_DIR", "/srv/t"),
            ("TOLLGATE_WORKERS", ""),
            ("TOLLGATE_ENDPOINT", "http://x"),
            ("TOLLGATE_SERVICE_HOST", "10.0.0.1"),
            ("TOLLGATE_PORT", "tcp://10.0.0.1:80"),
        ]);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(given, [("data_dir".to_owned(), "/srv/t".to_owned())]);
    }

    #[test]
    fn the_environment_with_an_unknown_name_says_so() {
        let (_, problems) = environment(&[("TOLLGATE_WORKER", "1")]);
        assert_eq!(
            problems,
            [
                "environment: unknown setting \"TOLLGATE_WORKER\"; did you mean \"TOLLGATE_WORKERS\"?"
            ]
        );
    }
}
