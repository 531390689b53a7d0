//! AWS's own published model judges our operations, errors and nouns, and docs/compatibility.md is in step with the table.
//!
//! The model is botocore's copy; `AWS_MODEL` names the JSON file (`make test` unpacks it). Without it the model's tests say so and pass.
//! `WRITE_DOCS=1` (`make docs`) rewrites docs/compatibility.md instead of comparing it.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on must fail

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tollgate_control::enumerations::ENUMERATIONS;
use tollgate_control::patch::listed::LISTED;
use tollgate_control::{Error, OPERATIONS, Operation};
use tollgate_entity as entity;
use tollgate_proxy::unenforced::STAGE_SETTINGS;

/// The model, or nothing when the tests run without `make`.
fn model() -> Option<Value> {
    let Ok(path) = std::env::var("AWS_MODEL") else {
        println!("AWS_MODEL is not set: nothing compared (make test sets it)");
        return None;
    };
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

#[test]
fn every_operation_has_awss_method_path_and_status() {
    let Some(model) = model() else { return };
    let theirs: BTreeMap<&str, Value> = model["operations"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, operation)| (name.as_str(), binding(&operation["http"])))
        .collect();
    let ours: BTreeMap<&str, Value> = OPERATIONS
        .iter()
        .map(|operation| (operation.name, our_binding(operation)))
        .collect();
    assert_eq!(
        ours.len(),
        OPERATIONS.len(),
        "an operation stands in the table twice"
    );
    assert_eq!(ours, theirs);
}

fn binding(http: &Value) -> Value {
    let uri = http["requestUri"].as_str().unwrap();
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    json!([
        http["method"],
        blank(path),
        http["responseCode"].as_u64().unwrap_or(200),
        query == "mode=import"
    ])
}

fn our_binding(operation: &Operation) -> Value {
    json!([
        operation.method.as_str(),
        blank(operation.path),
        operation.status,
        operation.importing
    ])
}

/// A path without the names of its labels: a router wants one name a position, the model has several.
fn blank(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        if segment.starts_with('{') {
            "{}"
        } else {
            segment
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

#[test]
fn every_modelled_error_has_awss_name_and_status() {
    let Some(model) = model() else { return };
    let text = String::new;
    let ours = [
        Error::BadRequest(text()),
        Error::NotFound(text()),
        Error::Conflict(text()),
        Error::LimitExceeded(text()),
        Error::ServiceUnavailable(text()),
    ];
    for error in ours {
        let (status, name) = error.kind();
        let modelled = &model["shapes"][name];
        assert_eq!(
            modelled["exception"],
            json!(true),
            "{name} is not in the model"
        );
        assert_eq!(
            modelled["error"]["httpStatusCode"],
            json!(status.as_u16()),
            "{name}"
        );
    }
}

/// Members of AWS's nouns that ours do not keep, each with its reason.
const NOT_KEPT: &[(&str, &str, &str)] = &[
    ("Account", "apiKeyVersion", "the same for everybody"),
    ("Account", "features", "the same for everybody"),
    ("Account", "throttleSettings", "the same for everybody"),
    (
        "Authorizer",
        "jwtConfiguration",
        "authorizers of type JWT are refused",
    ),
    ("Deployment", "apiSummary", "made when it is asked for"),
    (
        "DomainName",
        "domainNameId",
        "only private domains have one",
    ),
    (
        "DomainName",
        "managementPolicy",
        "only private domains have one",
    ),
    (
        "DomainName",
        "mutualTlsAuthentication",
        "refused until it is enforced",
    ),
    ("DomainName", "policy", "only private domains have one"),
    ("RestApi", "apiStatus", "an API here is never on its way"),
    (
        "RestApi",
        "apiStatusMessage",
        "an API here is never on its way",
    ),
    ("RestApi", "policy", "refused until policies exist"),
    ("RestApi", "warnings", "only imports of APIs warn"),
];

/// Words of AWS's enumerations that are refused, each with its reason.
const WORDS_NOT_KEPT: &[(&str, &str, &str, &str)] =
    &[("Authorizer", "type", "JWT", "refused until it is enforced")];

fn word_not_kept(shape: &str, member: &str, word: &str) -> bool {
    WORDS_NOT_KEPT
        .iter()
        .any(|(s, m, w, _)| (*s, *m, *w) == (shape, member, word))
}

fn not_kept(shape: &str, member: &str) -> bool {
    NOT_KEPT.iter().any(|(s, m, _)| *s == shape && *m == member)
}

/// Samples for members that are enumerations although the model calls them strings, or that have fewer words here.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("Integration", "passthroughBehavior", "WHEN_NO_MATCH"),
    // A cache cluster is there or not; nothing takes its time here.
    ("Stage", "cacheClusterStatus", "AVAILABLE"),
];

/// Fills every member the model knows, lets our noun read it and write it again, and compares the members.
struct Judge {
    model: Value,
    complaints: Vec<String>,
}

impl Judge {
    fn noun<T: Serialize + DeserializeOwned>(&mut self, shape: &str) {
        let filled = self.sample(shape, &mut Vec::new());
        let noun: T = match serde_json::from_value(filled.clone()) {
            Ok(noun) => noun,
            Err(error) => {
                return self
                    .complaints
                    .push(format!("{shape} cannot be read: {error} in {filled}"));
            }
        };
        let written = serde_json::to_value(&noun).unwrap();
        self.compare(shape, &filled, &written);
        for (member, word) in self.words(shape) {
            let mut filled = filled.clone();
            filled[&member] = json!(word);
            let read: Option<T> = serde_json::from_value(filled).ok();
            let kept = read.map(|noun| serde_json::to_value(&noun).unwrap()[&member].clone());
            if !not_kept(shape, &member)
                && !word_not_kept(shape, &member, &word)
                && kept != Some(json!(word))
            {
                self.complaints
                    .push(format!("{shape}.{member} does not keep {word:?}: {kept:?}"));
            }
        }
    }

    fn compare(&mut self, shape: &str, filled: &Value, written: &Value) {
        let names = |value: &Value| {
            value
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect::<BTreeSet<String>>()
        };
        let not_kept: BTreeSet<String> = NOT_KEPT
            .iter()
            .filter(|(s, ..)| *s == shape)
            .map(|(_, member, _)| (*member).to_owned())
            .collect();
        let (theirs, ours) = (names(filled), names(written));
        for missing in theirs
            .difference(&ours)
            .filter(|member| !not_kept.contains(*member))
        {
            self.complaints
                .push(format!("{shape}.{missing} is not kept"));
        }
        for kept in not_kept.intersection(&ours) {
            self.complaints.push(format!(
                "{shape}.{kept} is kept after all: take it off the list"
            ));
        }
        for extra in ours.difference(&theirs) {
            self.complaints
                .push(format!("{shape}.{extra} is not AWS's"));
        }
        for member in theirs.intersection(&ours) {
            if filled[member] != written[member] {
                self.complaints.push(format!(
                    "{shape}.{member} was {} and became {}",
                    filled[member], written[member]
                ));
            }
        }
    }

    /// The members of a shape that are enumerations, with every word each may have.
    fn words(&self, shape: &str) -> Vec<(String, String)> {
        let members = self.model["shapes"][shape]["members"].as_object().unwrap();
        let given = |member: &str| SAMPLES.iter().any(|(s, m, _)| *s == shape && *m == member);
        let words = members
            .iter()
            .filter(|(member, _)| !given(member))
            .flat_map(|(member, target)| {
                let words = self.model["shapes"][target["shape"].as_str().unwrap()]["enum"]
                    .as_array()
                    .cloned()
                    .unwrap_or_default();
                words
                    .into_iter()
                    .map(|word| (wire_name(member, target), word.as_str().unwrap().to_owned()))
            });
        words.collect()
    }

    /// A value with every member filled.
    fn sample(&self, shape: &str, inside: &mut Vec<String>) -> Value {
        let definition = &self.model["shapes"][shape];
        if let Some(words) = definition["enum"].as_array() {
            return words[0].clone();
        }
        match definition["type"].as_str().unwrap() {
            "structure" if inside.iter().any(|outer| outer == shape) => json!({}),
            "structure" => {
                inside.push(shape.to_owned());
                let members = definition["members"].as_object().unwrap().iter();
                // Inside another noun only what is kept, so that the whole can be compared.
                let nested = inside.len() > 1;
                let filled = members
                    .filter(|(member, _)| !(nested && not_kept(shape, member)))
                    .map(|(member, target)| {
                        let given = SAMPLES.iter().find(|(s, m, _)| *s == shape && m == member);
                        let value = match given {
                            Some((.., word)) => json!(word),
                            None => self.sample(target["shape"].as_str().unwrap(), inside),
                        };
                        (wire_name(member, target), value)
                    })
                    .collect();
                inside.pop();
                Value::Object(filled)
            }
            "list" => json!([self.sample(definition["member"]["shape"].as_str().unwrap(), inside)]),
            "map" => {
                json!({ "key": self.sample(definition["value"]["shape"].as_str().unwrap(), inside) })
            }
            "boolean" => json!(true),
            "integer" | "long" => json!(7),
            "timestamp" => json!(1_700_000_000),
            "double" | "float" => json!(2.5),
            "string" => json!("text"),
            other => panic!("{shape} has an unknown type {other}"),
        }
    }
}

fn wire_name(member: &str, target: &Value) -> String {
    target["locationName"].as_str().unwrap_or(member).to_owned()
}

#[test]
fn every_noun_has_awss_members_and_words() {
    let Some(model) = model() else { return };
    let mut judge = Judge {
        model,
        complaints: Vec::new(),
    };
    judge.noun::<entity::Account>("Account");
    judge.noun::<entity::ApiKey>("ApiKey");
    judge.noun::<entity::ApiStage>("ApiStage");
    judge.noun::<entity::Authorizer>("Authorizer");
    judge.noun::<entity::BasePathMapping>("BasePathMapping");
    judge.noun::<entity::CanarySettings>("CanarySettings");
    judge.noun::<entity::ClientCertificate>("ClientCertificate");
    judge.noun::<entity::Deployment>("Deployment");
    judge.noun::<entity::DocumentationPart>("DocumentationPart");
    judge.noun::<entity::DocumentationPartLocation>("DocumentationPartLocation");
    judge.noun::<entity::DocumentationVersion>("DocumentationVersion");
    judge.noun::<entity::DomainName>("DomainName");
    judge.noun::<entity::GatewayResponse>("GatewayResponse");
    judge.noun::<entity::Integration>("Integration");
    judge.noun::<entity::IntegrationResponse>("IntegrationResponse");
    judge.noun::<entity::Method>("Method");
    judge.noun::<entity::MethodResponse>("MethodResponse");
    judge.noun::<entity::MethodSetting>("MethodSetting");
    judge.noun::<entity::Model>("Model");
    judge.noun::<entity::QuotaSettings>("QuotaSettings");
    judge.noun::<entity::RequestValidator>("RequestValidator");
    judge.noun::<entity::Resource>("Resource");
    judge.noun::<entity::RestApi>("RestApi");
    judge.noun::<entity::Stage>("Stage");
    judge.noun::<entity::ThrottleSettings>("ThrottleSettings");
    judge.noun::<entity::UsagePlan>("UsagePlan");
    judge.noun::<entity::VpcLink>("VpcLink");
    assert!(
        judge.complaints.is_empty(),
        "{}",
        judge.complaints.join("\n")
    );
}

/// The front layer refuses what is not among them, so a word that AWS added would be refused here.
#[test]
fn every_enumeration_has_awss_words() {
    let Some(model) = model() else { return };
    for (shape, ours) in ENUMERATIONS {
        let theirs = model["shapes"][shape]["enum"].as_array();
        let theirs: BTreeSet<&str> = theirs
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter(|word| {
                !WORDS_NOT_KEPT
                    .iter()
                    .any(|(_, _, refused, _)| refused == word)
            })
            .collect();
        assert_eq!(
            ours.iter().copied().collect::<BTreeSet<_>>(),
            theirs,
            "{shape}"
        );
    }
}

/// What is there but narrower than AWS's, operation by operation.
const DIFFERS: &[(&str, &str)] = &[
    ("CreateRestApi", REST_API),
    ("UpdateRestApi", REST_API),
    ("CreateDeployment", STAGE),
    ("CreateStage", STAGE),
    ("UpdateStage", STAGE),
    (
        "ImportRestApi",
        "refused: `x-amazon-apigateway-policy`, the endpoint type PRIVATE; ignored with a warning: VPC endpoints",
    ),
    (
        "PutRestApi",
        "refused: `x-amazon-apigateway-policy`, the endpoint type PRIVATE; ignored with a warning: VPC endpoints",
    ),
    ("GetExport", "`postman` adds nothing"),
    (
        "FlushStageCache",
        "nothing is cached, so that there is nothing to flush",
    ),
    (
        "FlushStageAuthorizersCache",
        "nothing is cached, so that there is nothing to flush",
    ),
    (
        "TestInvokeMethod",
        "`clientCertificateId` is without effect",
    ),
    ("PutMethod", METHOD),
    ("UpdateMethod", METHOD),
    ("CreateAuthorizer", AUTHORIZER),
    ("UpdateAuthorizer", AUTHORIZER),
    ("PutIntegration", INTEGRATION),
    ("UpdateIntegration", INTEGRATION),
    ("PutIntegrationResponse", INTEGRATION_RESPONSE),
    ("UpdateIntegrationResponse", INTEGRATION_RESPONSE),
    (
        "TagResource",
        "tags with the prefix `tollgate:` are refused, here and wherever a noun is created with tags",
    ),
    (
        "GetAccount",
        "`throttleSettings` are AWS's defaults; only what an operator configures is enforced",
    ),
    (
        "UpdateAccount",
        "`cloudwatchRoleArn` is stored without effect",
    ),
    ("GetUsage", "exact at once, where AWS lags"),
    ("CreateDomainName", DOMAIN_NAME),
    ("UpdateDomainName", DOMAIN_NAME),
    ("CreateBasePathMapping", BASE_PATH),
    ("UpdateBasePathMapping", BASE_PATH),
    (
        "GenerateClientCertificate",
        "the key is ECDSA on P-256, where AWS makes RSA",
    ),
    (
        "CreateVpcLink",
        "`AVAILABLE` at once; nothing is linked, integrations call their URI directly",
    ),
];

const REST_API: &str = "refused: the endpoint type PRIVATE, `policy`; `apiKeySource` AUTHORIZER is stored, and calls that need a \
     key answer 500; stored without effect: the other endpoint types, `ipAddressType`, `securityPolicy`, `endpointAccessMode`";
const STAGE: &str = "see below for what is stored without effect";
const METHOD: &str = "the authorization types AWS_IAM, CUSTOM and COGNITO_USER_POOLS are stored, and calls answer 500";
const AUTHORIZER: &str = "stored and reported; calls to methods that use it answer 500";
const DOMAIN_NAME: &str = "refused: `mutualTlsAuthentication`, `policy`, `managementPolicy`, the endpoint type PRIVATE, \
     `endpointAccessMode` STRICT, routing rules, security policies with FIPS; an ARN of a certificate must stand in `[certificates]` \
     where TLS is served, and may be any where it is not; `certificateBody`, `certificatePrivateKey` and `certificateChain` can be \
     patched, too; policies that ask for TLS 1.3 are enforced, all others are \
     TLS 1.2 and 1.3 with forward secrecy and without post-quantum key exchange; the host names and zones of AWS are only shown";
const BASE_PATH: &str = "a base path may have several levels, which AWS refuses here and allows in the API of version 2 only";

const INTEGRATION: &str = "HTTP, HTTP_PROXY and MOCK are served (docs/mapping.md has the subset of templates; a reference \
     to nothing prints nothing); the types AWS and AWS_PROXY, templates outside the subset and `insecureSkipVerification` are stored and answer 500 when called; \
     with `connectionType` VPC_LINK the link must exist and the URI is called directly; stored without effect: \
     `cacheNamespace`, `cacheKeyParameters`, `credentials`, `responseTransferMode`, `integrationTarget`";
const INTEGRATION_RESPONSE: &str = "templates outside the subset of docs/mapping.md and patterns only Java has are stored \
     and answer 500 when called";

#[test]
fn every_update_operation_has_paths_and_every_path_an_op() {
    for operation in OPERATIONS {
        if !operation.name.starts_with("Update") || operation.handler.is_none() {
            continue;
        }
        let listed = LISTED
            .iter()
            .find(|listed| listed.operation == operation.name);
        let paths = listed.map(|listed| listed.paths()).unwrap_or_default();
        assert!(
            !paths.is_empty(),
            "{} is not in control's patch/listed.rs",
            operation.name
        );
        for patchable in paths {
            assert!(
                patchable.path.starts_with('/') && !patchable.ops.is_empty(),
                "{patchable:?}"
            );
        }
    }
}

/// Absences that stay need their reason.
#[test]
fn what_is_absent_for_good_says_why() {
    for operation in OPERATIONS {
        let reason = operation.reason;
        assert!(
            operation.handler.is_none() || reason.is_empty(),
            "{}",
            operation.name
        );
        assert!(
            !reason.ends_with('.') && !reason.contains('|'),
            "{}",
            operation.name
        );
    }
}

#[test]
fn the_compatibility_page_is_in_step_with_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md");
    let page = compatibility();
    if std::env::var_os("WRITE_DOCS").is_some() {
        return std::fs::write(file, page).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == page,
        "docs/compatibility.md is stale: run `make docs`"
    );
}

fn compatibility() -> String {
    let there = OPERATIONS
        .iter()
        .filter(|operation| operation.handler.is_some())
        .count();
    let mut page = format!(
        "# Compatibility with Amazon API Gateway\n\n\
         Of the {} operations of AWS's model (REST APIs, 2015-07-09) {there} are here. The others answer 501 `NotImplementedException` and name themselves.\n\n\
         Made from the operations table by `make docs`. What calls of the data plane do, and in which order: [calls.md](calls.md).\n\n\
         | operation | request | success | state |\n|---|---|---|---|\n",
        OPERATIONS.len(),
    );
    let mut sorted: Vec<&Operation> = OPERATIONS.iter().collect();
    sorted.sort_by_key(|operation| operation.name);
    for operation in sorted {
        let note = DIFFERS.iter().find(|(name, _)| *name == operation.name);
        let state = match (operation.handler.is_some(), note) {
            (false, None) if !operation.reason.is_empty() => {
                format!("answers 501: {}", operation.reason)
            }
            (false, None) => "absent".to_owned(),
            (true, None) => "supported".to_owned(),
            (true, Some((_, note))) => format!("differs: {note}"),
            (false, Some(_)) => panic!("{} is absent and cannot differ", operation.name),
        };
        let query = if operation.importing {
            "?mode=import"
        } else {
            ""
        };
        writeln!(
            page,
            "| {} | `{} {}{query}` | {} | {state} |",
            operation.name, operation.method, operation.path, operation.status
        )
        .unwrap();
    }
    page + &settings_without_effect() + &patch_paths()
}

fn settings_without_effect() -> String {
    let mut text = "\n## Settings of stages without effect\n\n\
        They are stored and reported. A stage that has one is told when the gateway starts, and by `tollgate check`; so is \
        every deployed method that cannot be called, with its reason.\n\n\
        | setting | what happens instead |\n|---|---|\n"
        .to_owned();
    for setting in &STAGE_SETTINGS {
        writeln!(text, "| `{}` | {} |", setting.name, setting.instead).unwrap();
    }
    text
}

fn patch_paths() -> String {
    let mut text = "\n## What can be patched\n\n\
        `{…}` is one segment, `~1` in it a slash; `{resourcePath}` may be several.\n\n\
        | operation | path | op |\n|---|---|---|\n"
        .to_owned();
    for listed in LISTED {
        for patchable in listed.paths() {
            let (operation, ops) = (listed.operation, patchable.ops.join(", "));
            writeln!(text, "| {operation} | `{}` | {ops} |", patchable.path).unwrap();
        }
    }
    text
}
