//! Custom domain names: the API and the stage that a host and a path lead to.

use std::borrow::Cow;

use foldhash::HashMap;
use tollgate_entity::domain_name::NO_BASE_PATH;
use tollgate_entity::{BasePathMapping, DomainName};

use crate::net::tls::domains::Uploaded;
use crate::stage::Named;

/// A domain name, where its paths lead, and the certificate that was uploaded for it.
pub struct DomainRow {
    pub domain: DomainName,
    pub mappings: Vec<BasePathMapping>,
    pub uploaded: Option<Uploaded>,
}

/// All custom domain names.
#[derive(Default)]
pub struct Domains(ByName<Domain>);

/// Something for each domain name, wildcards among them, found by the name that a client asks for.
#[derive(Clone, Debug)]
pub struct ByName<T> {
    exact: HashMap<Box<str>, T>,
    /// Without `*.`; a wildcard takes every name one level below.
    wildcards: HashMap<Box<str>, T>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        ByName {
            exact: HashMap::default(),
            wildcards: HashMap::default(),
        }
    }
}

impl<T> ByName<T> {
    /// `name` in lower case, as domain names are kept.
    pub fn insert(&mut self, name: &str, value: T) {
        match name.strip_prefix("*.") {
            Some(parent) => self.wildcards.insert(parent.into(), value),
            None => self.exact.insert(name.into(), value),
        };
    }

    fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wildcards.is_empty()
    }

    /// What there is for this name, whatever its case: its own before a wildcard's.
    pub fn find(&self, name: &str) -> Option<&T> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let name = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(name.to_ascii_lowercase()),
            false => Cow::Borrowed(name),
        };
        self.exact.get(&*name).or_else(|| {
            let (label, parent) = name.split_once('.')?;
            self.wildcards.get(parent).filter(|_| !label.is_empty())
        })
    }
}

/// Where the paths of one domain name lead; the longest base path first.
pub struct Domain(Vec<Mapping>);

struct Mapping {
    /// Without slashes at its ends; empty for the root.
    base_path: Box<str>,
    api_id: Box<str>,
    /// Without one the first segment below the base path names the stage.
    stage: Option<Box<str>>,
}

impl Domains {
    pub fn new(rows: Vec<DomainRow>) -> Domains {
        let mut domains = Domains::default();
        for row in rows {
            let domain = Domain::new(row.mappings);
            domains.0.insert(&row.domain.domain_name, domain);
        }
        domains
    }

    /// The domain name that a Host header (with or without port) means.
    pub fn of_host(&self, host: &str) -> Option<&Domain> {
        if self.0.is_empty() {
            return None;
        }
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => host,
        };
        self.0.find(name)
    }
}

impl Domain {
    fn new(mappings: Vec<BasePathMapping>) -> Domain {
        let base_path = |kept: &str| match kept {
            NO_BASE_PATH => "".into(),
            kept => kept.into(),
        };
        let mut mappings: Vec<Mapping> = mappings
            .into_iter()
            .map(|mapping| Mapping {
                base_path: base_path(&mapping.base_path),
                api_id: mapping.rest_api_id.into(),
                stage: mapping.stage.map(Into::into),
            })
            .collect();
        mappings.sort_by_key(|mapping| std::cmp::Reverse(mapping.base_path.len()));
        Domain(mappings)
    }

    /// Reads the API and the stage from a request's path: the longest base path wins.
    pub fn named<'a>(&'a self, path: &'a str) -> Option<Named<'a>> {
        let (mapping, below) = self
            .0
            .iter()
            .find_map(|mapping| Some((mapping, mapping.below(path)?)))?;
        let (stage, path) = match &mapping.stage {
            Some(stage) => (&**stage, below),
            None => {
                let rest = below.trim_start_matches('/');
                rest.split_at(rest.find('/').unwrap_or(rest.len()))
            }
        };
        Some(Named {
            api_id: &mapping.api_id,
            stage,
            path,
        })
    }
}

impl Mapping {
    /// What follows the base path, if the path begins with it as whole segments.
    fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.base_path.is_empty() {
            return Some(path);
        }
        let below = path
            .trim_start_matches('/')
            .strip_prefix(&*self.base_path)?;
        (below.is_empty() || below.starts_with('/')).then_some(below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Base path, API, stage.
    type Leads = (&'static str, &'static str, Option<&'static str>);

    fn domains(rows: &[(&str, &[Leads])]) -> Domains {
        let rows = rows.iter().map(|(name, mappings)| {
            let domain = DomainName {
                domain_name: (*name).into(),
                ..Default::default()
            };
            let mapping = |(base_path, api, stage): &Leads| BasePathMapping {
                base_path: (*base_path).into(),
                rest_api_id: (*api).into(),
                stage: stage.map(Into::into),
                ..Default::default()
            };
            DomainRow {
                domain,
                mappings: mappings.iter().map(mapping).collect(),
                uploaded: None,
            }
        });
        Domains::new(rows.collect())
    }

    #[track_caller]
    fn is(domains: &Domains, host: &str, path: &str, expected: Option<(&str, &str, &str)>) {
        let named = domains.of_host(host).and_then(|domain| domain.named(path));
        let got = named.map(|n| (n.api_id, n.stage, n.path));
        assert_eq!(got, expected, "{host} {path}");
    }

    #[test]
    fn the_longest_base_path_wins_by_whole_segments() {
        let all = domains(&[(
            "api.example.com",
            &[
                ("(none)", "root", Some("prod")),
                ("shop", "shop", Some("prod")),
                ("shop/v2", "shop2", Some("beta")),
                ("shop/v2/admin", "admin", Some("prod")),
            ],
        )]);
        let host = "api.example.com";
        is(
            &all,
            host,
            "/shop/v2/admin/x",
            Some(("admin", "prod", "/x")),
        );
        is(&all, host, "/shop/v2/adm", Some(("shop2", "beta", "/adm")));
        is(&all, host, "/shop/v2", Some(("shop2", "beta", "")));
        is(&all, host, "/shop/v21", Some(("shop", "prod", "/v21")));
        is(
            &all,
            host,
            "/shopping/x",
            Some(("root", "prod", "/shopping/x")),
        );
        is(&all, host, "/", Some(("root", "prod", "/")));
        is(&all, host, "//shop//x", Some(("shop", "prod", "//x")));
    }

    #[test]
    fn without_a_stage_the_next_segment_names_it() {
        let all = domains(&[
            ("a.example", &[("(none)", "one", None)]),
            ("b.example", &[("v1", "two", None)]),
        ]);
        is(
            &all,
            "a.example",
            "/prod/x/y",
            Some(("one", "prod", "/x/y")),
        );
        is(&all, "a.example", "/", Some(("one", "", "")));
        is(&all, "b.example", "/v1/prod/x", Some(("two", "prod", "/x")));
        is(&all, "b.example", "/v1", Some(("two", "", "")));
        is(&all, "b.example", "/prod/x", None);
    }

    #[test]
    fn hosts_are_read_without_port_and_case_and_a_wildcard_takes_one_level() {
        let all = domains(&[
            ("*.example.com", &[("(none)", "any", Some("s"))]),
            ("api.example.com", &[("(none)", "own", Some("s"))]),
        ]);
        for own in [
            "api.example.com:8443",
            "API.Example.com",
            "api.example.com.",
        ] {
            is(&all, own, "/", Some(("own", "s", "/")));
        }
        is(&all, "other.example.com", "/", Some(("any", "s", "/")));
        for none in [
            "example.com",
            "a.b.example.com",
            ".example.com",
            "",
            "[::1]:80",
            "x:y",
        ] {
            is(&all, none, "/", None);
        }
    }
}
