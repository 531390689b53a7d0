//! What a setting's value may be: how its text is read, and how what is allowed is said.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;
use tollgate_proxy::net::address::Pattern;
use tollgate_proxy::net::tls::certificate::CertificateFiles;

use super::{Config, Secret};

/// The kinds of values; each carries where its value goes, so that a row of the table cannot mix two up.
pub enum Kind {
    /// A whole number from `least` to `most`, both included.
    Whole {
        least: u64,
        most: u64,
        put: fn(&mut Config, u64),
    },
    /// A finite number that is not negative.
    Number { put: fn(&mut Config, f64) },
    /// `true` or `false`.
    Switch { put: fn(&mut Config, bool) },
    /// One of a few words, each with what it does.
    Word { of: &'static [Choice] },
    /// An IP address and a port; `localhost` is read as 127.0.0.1.
    Address { put: fn(&mut Config, SocketAddr) },
    /// A file or directory.
    Path { put: fn(&mut Config, PathBuf) },
    /// Addresses, networks and names of hosts, separated by commas.
    Hosts { put: fn(&mut Config, Vec<Pattern>) },
    /// Files of certificates by ARN: a table of tables; in one text, the same as JSON.
    Certificates {
        put: fn(&mut Config, BTreeMap<String, CertificateFiles>),
    },
    /// Text that must fit a rule.
    Text {
        allowed: &'static str,
        fits: fn(&str) -> bool,
        put: fn(&mut Config, String),
    },
    /// A value that is never shown and has no flag, because flags are seen by every user of the machine.
    Secret {
        allowed: &'static str,
        fits: fn(&str) -> bool,
        put: fn(&mut Config, Secret),
    },
}

impl Kind {
    /// Puts a value's text in its place in the configuration; `Err` when the text is not allowed.
    pub fn set(&self, config: &mut Config, text: &str) -> Result<(), NotAllowed> {
        match self {
            Kind::Whole { least, most, put } => {
                let number: u64 = text.parse().map_err(|_| NotAllowed)?;
                if !(*least..=*most).contains(&number) {
                    return Err(NotAllowed);
                }
                put(config, number);
            }
            Kind::Number { put } => {
                let number: f64 = text.parse().map_err(|_| NotAllowed)?;
                if !number.is_finite() || number < 0.0 {
                    return Err(NotAllowed);
                }
                put(config, number);
            }
            Kind::Switch { put } => put(config, text.parse().map_err(|_| NotAllowed)?),
            Kind::Word { of } => {
                let (_, choose) = of
                    .iter()
                    .find(|(word, _)| *word == text)
                    .ok_or(NotAllowed)?;
                choose(config);
            }
            Kind::Address { put } => put(config, address(text).ok_or(NotAllowed)?),
            Kind::Path { put } => {
                if text.is_empty() {
                    return Err(NotAllowed);
                }
                put(config, PathBuf::from(text));
            }
            Kind::Hosts { put } => put(config, hosts(text).ok_or(NotAllowed)?),
            Kind::Certificates { put } => put(config, certificates(text).ok_or(NotAllowed)?),
            Kind::Text { fits, put, .. } => {
                if !fits(text) {
                    return Err(NotAllowed);
                }
                put(config, text.to_owned());
            }
            Kind::Secret { fits, put, .. } => {
                if !fits(text) {
                    return Err(NotAllowed);
                }
                put(config, Secret::new(text));
            }
        }
        Ok(())
    }

    /// What is allowed, in words that fit after "allowed is".
    pub fn allowed(&self) -> String {
        match self {
            Kind::Whole { least, most, .. } if *most == u64::MAX => {
                format!("a whole number, {least} or more")
            }
            Kind::Whole { least, most, .. } => format!("a whole number from {least} to {most}"),
            Kind::Number { .. } => "a number, 0 or more".into(),
            Kind::Switch { .. } => "true or false".into(),
            Kind::Word { of } => {
                let words: Vec<_> = of.iter().map(|(word, _)| format!("\"{word}\"")).collect();
                words.join(" or ")
            }
            Kind::Address { .. } => {
                "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080".into()
            }
            Kind::Path { .. } => "a path".into(),
            Kind::Hosts { .. } => {
                "addresses, networks and names separated by commas, such as 10.0.0.0/8,*.example.com".into()
            }
            Kind::Certificates { .. } => {
                "a table such as \"arn:aws:acm:us-east-1:000000000000:certificate/api\" = { certificate = \"api.pem\", key = \"api.key\" }; \
                 in the environment the same as JSON"
                    .into()
            }
            Kind::Text { allowed, .. } | Kind::Secret { allowed, .. } => (*allowed).into(),
        }
    }

    /// What stands for the value in `--help`.
    pub fn placeholder(&self) -> &'static str {
        match self {
            Kind::Whole { .. } | Kind::Number { .. } => "N",
            Kind::Switch { .. } => "BOOL",
            Kind::Word { .. } => "WORD",
            Kind::Address { .. } => "ADDR",
            Kind::Path { .. } => "PATH",
            Kind::Hosts { .. } => "HOSTS",
            Kind::Certificates { .. } => "JSON",
            Kind::Text { .. } | Kind::Secret { .. } => "TEXT",
        }
    }

    /// Whether the value must never be shown, and never be a flag.
    pub fn is_secret(&self) -> bool {
        matches!(self, Kind::Secret { .. })
    }
}

/// A word, and what choosing it does.
pub type Choice = (&'static str, fn(&mut Config));

/// The text is not one of the allowed values.
#[derive(Debug, PartialEq, Eq)]
pub struct NotAllowed;

fn address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some((Ipv4Addr::LOCALHOST, port.parse().ok()?).into()),
        None => text.parse().ok(),
    }
}

/// The patterns of a comma-separated list; an empty list is allowed.
fn hosts(text: &str) -> Option<Vec<Pattern>> {
    let patterns = text
        .split(',')
        .map(str::trim)
        .filter(|pattern| !pattern.is_empty());
    patterns.map(|pattern| pattern.parse().ok()).collect()
}

/// The members of one certificate's table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

fn certificates(text: &str) -> Option<BTreeMap<String, CertificateFiles>> {
    let tables: BTreeMap<String, Files> = serde_json::from_str(text).ok()?;
    let is_file = |path: &PathBuf| !path.as_os_str().is_empty();
    let files = |(arn, files): (String, Files)| {
        let Files { certificate, key } = files;
        let fits = arn.starts_with("arn:") && is_file(&certificate) && is_file(&key);
        fits.then_some((arn, CertificateFiles { certificate, key }))
    };
    tables.into_iter().map(files).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_an_ip_and_a_port() {
        assert_eq!(
            address("127.0.0.1:80"),
            Some("127.0.0.1:80".parse().unwrap())
        );
        assert_eq!(
            address("localhost:80"),
            Some("127.0.0.1:80".parse().unwrap())
        );
        assert_eq!(address("[::1]:80"), Some("[::1]:80".parse().unwrap()));
        for bad in [
            "",
            "80",
            ":80",
            "127.0.0.1",
            "localhost",
            "localhost:x",
            "example.com:80",
            "127.0.0.1:99999",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn certificates_are_files_by_arn() {
        let one = |text: &str| certificates(&text.replace('\'', "\""));
        let read = one("{'arn:a': {'certificate': 'c.pem', 'key': '/k.pem'}}").unwrap();
        assert_eq!(read["arn:a"].certificate, PathBuf::from("c.pem"));
        assert_eq!(read["arn:a"].key, PathBuf::from("/k.pem"));
        assert_eq!(one("{}"), Some(BTreeMap::new()));
        for bad in [
            "",
            "[]",
            "{'arn:a': 'c.pem'}",
            "{'arn:a': {'certificate': 'c.pem'}}",
            "{'arn:a': {'certificate': 'c', 'key': 'k', 'chain': 'x'}}",
            "{'arn:a': {'certificate': '', 'key': 'k'}}",
            "{'name': {'certificate': 'c', 'key': 'k'}}",
        ] {
            assert_eq!(one(bad), None, "{bad}");
        }
    }

    #[test]
    fn hosts_are_checked_one_by_one() {
        assert_eq!(hosts(""), Some(vec![]));
        let three = hosts("10.0.0.0/8, 192.0.2.1,*.example.com").unwrap();
        assert_eq!(three.len(), 3);
        for bad in [
            "10.0.0.0/33",
            "10.0.0.0/",
            "fd00::/129",
            "10.0.0.0/8 fd00::/8",
            "a b",
        ] {
            assert_eq!(hosts(bad), None, "{bad}");
        }
    }
}
