//! Export, then import, gives the same definition: for made-up definitions, in both specifications and both formats.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tollgate_entity::integration::{PassthroughBehavior, TlsConfig};
use tollgate_entity::model::reference_to;
use tollgate_entity::{
    ApiKeySource, Authorizer, AuthorizerType, DocumentationPart, DocumentationPartLocation,
    GatewayResponse, Integration, IntegrationResponse, IntegrationType, Method, MethodResponse,
    Model, RequestValidator,
};

use super::definition::Definition;
use super::export::{Dialect, Export, Extensions, text, write};
use super::import::base_path::BasePath;
use super::import::{document, parse};
use super::json;

const API: &str = "abc123";
const LAMBDA: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:1:function:F/invocations";
const TYPES: [&str; 3] = ["application/json", "text/xml", "application/vnd.a+json"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn importing_an_export_gives_the_same(seed in any::<u64>(), swagger in any::<bool>(), yaml in any::<bool>()) {
        let mut made = Made { rng: StdRng::seed_from_u64(seed), swagger };
        let definition = made.definition();
        let dialect = if swagger { Dialect::Swagger } else { Dialect::OpenApi };
        let export = Export {
            dialect,
            host: "host".into(),
            stage: "stage".into(),
            version: definition.version.clone().unwrap(),
            extensions: Extensions::ALL,
        };
        let exported = text(&write(&definition, &export), yaml).unwrap();
        let root = parse::parse(exported.as_bytes(), usize::MAX);
        prop_assert!(root.is_ok(), "{:?}\n{exported}", root);
        let read = document::read(&root.unwrap(), API, BasePath::Ignore).unwrap();
        prop_assert_eq!(&read.errors, &Vec::<String>::new(), "{}", exported);
        prop_assert_eq!(&read.warnings, &Vec::<String>::new(), "{}", exported);
        for (path, methods) in &definition.paths {
            for (verb, method) in methods {
                let came = &read.definition.paths[path][verb];
                prop_assert_eq!(&came.method_integration, &method.method_integration);
                prop_assert_eq!(came, method);
            }
        }
        prop_assert_eq!(&read.definition.authorizers, &definition.authorizers);
        prop_assert_eq!(&read.definition.models, &definition.models);
        prop_assert_eq!(&read.definition, &definition, "{}", exported);
        let again = text(&write(&read.definition, &export), yaml).unwrap();
        prop_assert_eq!(again, exported);
    }
}

/// A maker of definitions in the form that an import gives them. A Swagger body has one schema for all its types.
struct Made {
    rng: StdRng,
    swagger: bool,
}

impl Made {
    fn one_in(&mut self, times: u32) -> bool {
        self.rng.random_range(0..times) == 0
    }

    fn some<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let chosen = self.one_in(2);
        chosen.then(|| make(self))
    }

    /// Texts that formats trip over.
    fn text(&mut self) -> String {
        const PIECES: [&str; 22] = [
            "a",
            "é",
            "\n",
            "\"",
            "'",
            ": ",
            " #",
            " ",
            "{",
            "}",
            "0",
            "- ",
            "yes",
            "null",
            "~",
            "\t",
            "|",
            "&a",
            "*",
            "\\",
            "%",
            "\u{1f600}",
        ];
        let count = self.rng.random_range(1..8);
        let pieces = (0..count).map(|_| *PIECES.choose(&mut self.rng).unwrap());
        pieces.collect()
    }

    fn flag(&mut self) -> bool {
        self.one_in(2)
    }

    fn definition(&mut self) -> Definition {
        let names: Vec<String> = (0..self.rng.random_range(0..4))
            .map(|n| format!("M{n}"))
            .collect();
        let authorizers: Vec<_> = (0..self.rng.random_range(0..4))
            .map(|n| self.authorizer(n))
            .collect();
        let request_validators: Vec<_> = (0..self.rng.random_range(0..3))
            .map(|n| self.validator(n))
            .collect();
        let all = ["/", "/a", "/a/{x}", "/a/{x}/b", "/c.d/{p+}", "/e-f:g"];
        let mut paths = indexmap::IndexMap::new();
        for path in all {
            if self.flag() {
                let mut methods = BTreeMap::new();
                for verb in ["GET", "POST", "ANY"] {
                    if self.flag() {
                        let method = self.method(verb, &names, &authorizers, &request_validators);
                        methods.insert(verb.to_owned(), method);
                    }
                }
                paths.insert(path.to_owned(), methods);
            }
        }
        Definition {
            name: Some(self.text()),
            description: self.some(Self::text),
            version: Some(self.text()),
            binary_media_types: self.some(|it| vec!["image/png".into(), it.text()]),
            minimum_compression_size: self.some(|it| it.rng.random_range(0..1000)),
            api_key_source: self.some(|_| ApiKeySource::Authorizer),
            disable_execute_api_endpoint: self.some(|_| true),
            security_policy: self.some(|_| "TLS_1_2".into()),
            endpoint_access_mode: self.some(|_| "BASIC".into()),
            models: names.iter().map(|name| self.model(name, &names)).collect(),
            request_validators,
            authorizers,
            gateway_responses: self.some(Self::gateway_response).into_iter().collect(),
            documentation: self.some(Self::part).into_iter().collect(),
            paths,
        }
    }

    fn model(&mut self, name: &str, names: &[String]) -> Model {
        let description = self.some(Self::text);
        let mut schema = super::node::Members::new();
        schema.insert("type".into(), "object".into());
        if let Some(description) = &description {
            schema.insert("description".into(), description.as_str().into());
        }
        let other = reference_to(API, names.choose(&mut self.rng).unwrap());
        let to = |text: String| super::node::Members::from_iter([("$ref".to_owned(), text.into())]);
        let mut properties = super::node::Members::new();
        properties.insert("other".into(), to(other).into());
        properties.insert("own".into(), to("#/definitions/inner".into()).into());
        properties.insert("$ref".into(), super::node::Node::empty());
        schema.insert("properties".into(), properties.into());
        let inner =
            super::node::Members::from_iter([("inner".to_owned(), super::node::Node::empty())]);
        schema.insert("definitions".into(), inner.into());
        Model {
            rest_api_id: API.into(),
            name: name.into(),
            description,
            schema: Some(json::pretty(&super::node::Node::from(schema))),
            content_type: "application/json".into(),
            ..Model::default()
        }
    }

    fn validator(&mut self, number: usize) -> RequestValidator {
        RequestValidator {
            rest_api_id: API.into(),
            name: Some(format!("v{number} {}", self.text())),
            validate_request_body: self.flag(),
            validate_request_parameters: self.flag(),
            ..RequestValidator::default()
        }
    }

    fn authorizer(&mut self, number: usize) -> Authorizer {
        let names = ["api_key", "sigv4", "token", "pool"];
        let base = Authorizer {
            rest_api_id: API.into(),
            name: names[number].into(),
            auth_type: Some("custom".into()),
            authorizer_uri: Some(LAMBDA.into()),
            authorizer_credentials: self.some(|_| "arn:aws:iam::1:role/r".into()),
            identity_source: Some("method.request.header.Authorization".into()),
            identity_validation_expression: self.some(|_| "^x+".into()),
            authorizer_result_ttl_in_seconds: self.some(|it| it.rng.random_range(1..3600)),
            ..Authorizer::default()
        };
        match self.rng.random_range(0..3) {
            0 => Authorizer {
                authorizer_type: AuthorizerType::Token,
                ..base
            },
            1 => Authorizer {
                authorizer_type: AuthorizerType::Request,
                identity_source: Some("method.request.header.A, context.identity.sourceIp".into()),
                ..base
            },
            _ => Authorizer {
                authorizer_type: AuthorizerType::CognitoUserPools,
                auth_type: Some("cognito_user_pools".into()),
                provider_arns: vec!["arn:aws:cognito-idp:us-east-1:1:userpool/p".into()],
                authorizer_uri: None,
                ..base
            },
        }
    }

    fn gateway_response(&mut self) -> GatewayResponse {
        let of = |name: &str, text: String| BTreeMap::from([(name.to_owned(), text)]);
        GatewayResponse {
            rest_api_id: API.into(),
            response_type: "THROTTLED".into(),
            status_code: Some("420".into()),
            response_parameters: self
                .some(|_| of("gatewayresponse.header.X", "'*'".into()))
                .unwrap_or_default(),
            response_templates: self
                .some(|it| of("application/json", it.text()))
                .unwrap_or_default(),
            default_response: false,
        }
    }

    fn part(&mut self) -> DocumentationPart {
        let text =
            super::node::Members::from_iter([("description".to_owned(), self.text().into())]);
        DocumentationPart {
            rest_api_id: API.into(),
            location: DocumentationPartLocation {
                part_type: "METHOD".into(),
                path: Some("/a".into()),
                method: self.some(|_| "GET".into()),
                ..DocumentationPartLocation::default()
            },
            properties: json::pretty(&super::node::Node::from(text)),
            ..DocumentationPart::default()
        }
    }

    /// Models of a body: one for all types in Swagger, any for each in OpenAPI 3.
    fn models(&mut self, names: &[String], types: &[&str]) -> Option<BTreeMap<String, String>> {
        let first = names.choose(&mut self.rng)?.clone();
        let each = types.iter().map(|content_type| {
            let other = names.choose(&mut self.rng).unwrap().clone();
            let model = if self.swagger { first.clone() } else { other };
            ((*content_type).to_owned(), model)
        });
        Some(each.collect())
    }

    fn types(&mut self) -> Vec<&'static str> {
        let count = self.rng.random_range(1..=TYPES.len());
        TYPES[..count].to_vec()
    }

    fn method(
        &mut self,
        verb: &str,
        names: &[String],
        authorizers: &[Authorizer],
        validators: &[RequestValidator],
    ) -> Method {
        let (consumed, produced) = (self.types(), self.types());
        let mut method = Method {
            http_method: verb.to_owned(),
            authorization_type: "NONE".into(),
            api_key_required: self.flag(),
            operation_name: self.some(Self::text),
            request_parameters: self.some(|it| {
                let keys = [
                    "method.request.path.x",
                    "method.request.querystring.q",
                    "method.request.header.H-1",
                ];
                keys.iter()
                    .map(|key| ((*key).to_owned(), it.flag()))
                    .collect()
            }),
            request_models: self.some(|it| it.models(names, &consumed)).flatten(),
            request_validator_id: self
                .some(|it| validators.choose(&mut it.rng)?.name.clone())
                .flatten(),
            ..Method::default()
        };
        match self.rng.random_range(0..3) {
            0 => method.authorization_type = "AWS_IAM".into(),
            1 => {
                if let Some(own) = authorizers.choose(&mut self.rng) {
                    let cognito = own.authorizer_type == AuthorizerType::CognitoUserPools;
                    method.authorization_type = if cognito {
                        "COGNITO_USER_POOLS"
                    } else {
                        "CUSTOM"
                    }
                    .into();
                    method.authorizer_id = Some(own.name.clone());
                    method.authorization_scopes =
                        self.some(|it| vec![it.text()]).filter(|_| cognito);
                }
            }
            _ => {}
        }
        let mut responses = BTreeMap::new();
        for status in ["200", "404"] {
            if self.flag() {
                let response = MethodResponse {
                    status_code: status.into(),
                    response_parameters: self
                        .some(|_| BTreeMap::from([("method.response.header.X-A".into(), false)])),
                    response_models: self.some(|it| it.models(names, &produced)).flatten(),
                };
                responses.insert(status.to_owned(), response);
            }
        }
        // Swagger requires responses; an operation that says none is warned of.
        if responses.is_empty() {
            let status_code = "201".to_owned();
            responses.insert(
                "201".into(),
                MethodResponse {
                    status_code,
                    ..MethodResponse::default()
                },
            );
        }
        method.method_responses = Some(responses);
        method.method_integration = self.some(|_| ()).map(|()| self.integration(&method));
        method
    }

    fn templates(&mut self) -> BTreeMap<String, Option<String>> {
        let types = self.types();
        let each = types
            .into_iter()
            .map(|one| (one.to_owned(), self.some(Self::text)));
        each.collect()
    }

    fn integration(&mut self, method: &Method) -> Integration {
        let http = self.flag();
        let integration_type = match (http, self.flag()) {
            (true, true) => IntegrationType::Http,
            (true, false) => IntegrationType::HttpProxy,
            (false, true) => IntegrationType::AwsProxy,
            (false, false) => IntegrationType::Mock,
        };
        let mock = integration_type == IntegrationType::Mock;
        let declared = method.request_parameters.as_ref();
        let mut responses = BTreeMap::new();
        let declared_responses = method.method_responses.iter().flatten();
        for (number, (status, response)) in declared_responses.enumerate() {
            let headers = response.response_parameters.as_ref();
            let response = IntegrationResponse {
                status_code: status.clone(),
                selection_pattern: (number > 0).then(|| "4\\d{2}".into()),
                response_parameters: headers.map(|_| {
                    BTreeMap::from([("method.response.header.X-A".into(), "'a: b'".into())])
                }),
                response_templates: self.some(Self::templates),
                content_handling: self.some(|_| "CONVERT_TO_TEXT".into()),
            };
            responses.insert(status.clone(), response);
        }
        Integration {
            integration_type,
            http_method: (!mock).then(|| "POST".into()),
            uri: (!mock).then(|| {
                if http {
                    "http://127.0.0.1:1/{x}".into()
                } else {
                    LAMBDA.into()
                }
            }),
            connection_type: http.then(|| {
                if self.one_in(3) {
                    "VPC_LINK"
                } else {
                    "INTERNET"
                }
                .to_owned()
            }),
            connection_id: None,
            credentials: self.some(|_| "arn:aws:iam::1:role/r".into()),
            request_parameters: declared.map(|_| {
                let key = "integration.request.querystring.z".to_owned();
                BTreeMap::from([(key, "method.request.querystring.q".to_owned())])
            }),
            request_templates: self.some(Self::templates),
            passthrough_behavior: *[
                PassthroughBehavior::WhenNoMatch,
                PassthroughBehavior::WhenNoTemplates,
                PassthroughBehavior::Never,
            ]
            .choose(&mut self.rng)
            .unwrap(),
            content_handling: self.some(|_| "CONVERT_TO_BINARY".into()),
            timeout_in_millis: if self.flag() { 29_000 } else { 1_234 },
            cache_namespace: self.some(Self::text).unwrap_or_default(),
            cache_key_parameters: declared
                .map(|_| vec!["method.request.querystring.q".into()])
                .unwrap_or_default(),
            integration_responses: Some(responses).filter(|all| !all.is_empty()),
            tls_config: self.some(|it| TlsConfig {
                insecure_skip_verification: it.flag(),
            }),
            response_transfer_mode: self.some(|_| "BUFFERED".into()),
            integration_target: self.some(Self::text),
        }
        .linked()
    }
}

/// A VPC link needs an id.
trait Linked {
    fn linked(self) -> Self;
}

impl Linked for Integration {
    fn linked(mut self) -> Self {
        if self.connection_type.as_deref() == Some("VPC_LINK") {
            self.connection_id = Some("${stageVariables.link}".into());
        }
        self
    }
}
