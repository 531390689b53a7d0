//! What tests of integrations share: the gateway's front around one method, called over real sockets.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Response;
use tollgate_entity as entity;
use tollgate_entity::{DeploymentContent, IntegrationType};

use super::Integrations;
use crate::access_log::{AccessLog, Entry, Recorder, Target, fixed_members};
use crate::body::Body;
use crate::body::room::Room;
use crate::deployed::Deployed;
use crate::gateway_response::{GatewayResponses, Refused};
use crate::invocation::{Invocation, RequestIds};
use crate::key_index::KeyId;
use crate::metrics::Metrics;
use crate::net::address::AddressRules;
use crate::net::connect::Connector;
use crate::net::listener::Listener;
use crate::net::serving::{Arrival, RuntimeLayout, Service, Serving, ServingLimits};
use crate::net::testing::{Upstream, connect, read_to_end};
use crate::net::upstream::{Pool, PoolLimits};
use crate::snapshot::{Stage, StageIndex};

pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// Routes every path in one stage and sends it on.
struct Front {
    stage: Arc<Stage>,
    integrations: Integrations,
    recorder: Arc<Recorder>,
    execution_log: Option<Arc<Mutex<Vec<String>>>>,
}

impl Service for Front {
    async fn answer(self: Arc<Self>, arrival: Arrival) -> Response<Body> {
        let ids = RequestIds::new([7; 27]);
        let call = Invocation::new(
            &arrival.request,
            &arrival.peer,
            ids,
            arrival.received,
            1_700_000_000_123,
        );
        let mut entry = Entry::new(call, &self.recorder);
        let result = match arrival.refused {
            Some(refused) => Err(refused),
            None => {
                let path = arrival.request.uri().path();
                let (method, spans) = self
                    .stage
                    .deployed
                    .router
                    .find(path, arrival.request.method().as_str())
                    .unwrap();
                entry.call.route = Some(entry.call.routed(method, path, spans));
                entry.call.stage = Some(Arc::clone(&self.stage));
                entry.call.api_key_id = KeyId::new("keykeykey1");
                entry.call.execution_log = self.execution_log.as_ref().map(|_| Box::default());
                self.integrations
                    .send(&mut entry.call, arrival.request)
                    .await
            }
        };
        if let (Some(kept), Some(log)) = (&self.execution_log, &entry.call.execution_log) {
            kept.lock().unwrap().extend_from_slice(log.lines());
        }
        let response = result.unwrap_or_else(|refused: Refused| {
            entry.call.refused = Some(refused.reason());
            GatewayResponses { shows_reason: true }.answer(&refused, &entry.call.ids)
        });
        entry.follow(response)
    }
}

/// A gateway in front of one method, with what it needs.
pub struct Gateway {
    pub serving: Serving,
    pub metrics: Arc<Metrics>,
    pub stage: Arc<Stage>,
    pub log: Arc<AccessLog>,
    pub directory: tempfile::TempDir,
}

#[derive(Default)]
pub struct Setup {
    pub path: &'static str,
    pub integration: entity::Integration,
    pub variables: Vec<(&'static str, String)>,
    pub limits: ServingLimits,
    pub pool: PoolLimits,
    pub answer_patience: Option<Duration>,
    pub hides_api_key: bool,
    pub binary_types: Vec<&'static str>,
    /// The method declares no responses; else it declares what is mapped.
    pub declares_nothing: bool,
    /// Where calls' execution logs go.
    pub execution_log: Option<Arc<Mutex<Vec<String>>>>,
    pub layout: RuntimeLayout,
}

impl Gateway {
    pub fn new(setup: Setup) -> Gateway {
        let connector =
            Connector::new(AddressRules::default(), None, Duration::from_secs(5)).unwrap();
        Gateway::with(setup, connector)
    }

    pub fn with(setup: Setup, connector: Connector) -> Gateway {
        let metrics = Arc::new(Metrics::new(1));
        let stage = Arc::new(stage(&setup, &metrics));
        let directory = tempfile::tempdir().unwrap();
        let target = Target::File(directory.path().join("access.log"));
        let log = Arc::new(AccessLog::start(target, 1, Arc::clone(&metrics)).unwrap());
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let (own_stage, own_metrics, own_log) =
            (Arc::clone(&stage), Arc::clone(&metrics), Arc::clone(&log));
        let connector = Arc::new(connector);
        let make = move |worker| {
            let pool = Pool::new(
                setup.pool,
                Arc::clone(&connector),
                Arc::clone(&own_metrics),
                worker,
            );
            let forwards_api_key = !setup.hides_api_key;
            let answer_patience = setup.answer_patience.unwrap_or(Duration::from_secs(20));
            Arc::new(Front {
                execution_log: setup.execution_log.clone(),
                stage: Arc::clone(&own_stage),
                integrations: Integrations {
                    pool,
                    forwards_api_key,
                    answer_patience,
                    room: Room::new(1 << 26),
                },
                recorder: Arc::new(Recorder {
                    log: Some(Arc::clone(&own_log)),
                    metrics: Arc::clone(&own_metrics),
                    worker,
                }),
            })
        };
        let serving = Serving::start(
            vec![listener.into()],
            setup.layout,
            setup.limits,
            Arc::clone(&metrics),
            make,
        )
        .unwrap();
        Gateway {
            serving,
            metrics,
            stage,
            log,
            directory,
        }
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.serving.addresses()[0])
    }

    /// Sends one request and reads its answer to the end of the connection.
    pub fn call(&self, line: &str, headers: &str, body: &str) -> String {
        let mut stream = self.connect();
        stream
            .write_all(request(line, &format!("connection: close\r\n{headers}"), body).as_bytes())
            .unwrap();
        read_to_end(&mut stream)
    }

    pub fn get(&self, target: &str) -> String {
        self.call(&format!("GET {target}"), "", "")
    }

    /// The access log's lines, once everything is written.
    pub fn log(&self) -> Vec<serde_json::Value> {
        self.log.close();
        let text = std::fs::read_to_string(self.directory.path().join("access.log")).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

pub fn request(line: &str, headers: &str, body: &str) -> String {
    let length = match body.is_empty() {
        true => String::new(),
        false => format!("content-length: {}\r\n", body.len()),
    };
    format!("{line} HTTP/1.1\r\nhost: api.test\r\n{headers}{length}\r\n{body}")
}

/// Method responses for all that an integration maps.
pub fn declared(integration: &entity::Integration) -> BTreeMap<String, entity::MethodResponse> {
    let responses = integration.integration_responses.iter().flatten();
    responses
        .map(|(status, response)| {
            let parameters = response.response_parameters.iter().flatten();
            let response = entity::MethodResponse {
                status_code: status.clone(),
                response_parameters: Some(
                    parameters.map(|(name, _)| (name.clone(), false)).collect(),
                ),
                ..Default::default()
            };
            (status.clone(), response)
        })
        .collect()
}

fn stage(setup: &Setup, metrics: &Metrics) -> Stage {
    let method = entity::Method {
        http_method: "ANY".into(),
        authorization_type: "NONE".into(),
        method_integration: Some(setup.integration.clone()),
        method_responses: (!setup.declares_nothing).then(|| declared(&setup.integration)),
        ..Default::default()
    };
    let resource = entity::Resource {
        id: "res1".into(),
        path: setup.path.into(),
        resource_methods: BTreeMap::from([("ANY".into(), method)]),
        ..Default::default()
    };
    let content = DeploymentContent {
        resources: vec![resource],
        binary_media_types: setup.binary_types.iter().map(|t| (*t).to_owned()).collect(),
        ..Default::default()
    };
    Stage {
        index: StageIndex(0),
        account_id: "000000000000".into(),
        api_id: "api1".into(),
        name: "prod".into(),
        deployment_id: "dep1".into(),
        variables: setup
            .variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect(),
        deployed: Arc::new(Deployed::compile(&content)),
        throttles: Vec::new(),
        stats: metrics.stage("api1", "prod"),
        log_members: fixed_members([("apiId", "api1"), ("stage", "prod")]),
        access_log: None,
        api_id_header: Some(http::HeaderValue::from_static("api1")),
        shown: Default::default(),
    }
}

pub fn http_proxy(uri: String, parameters: &[(&str, &str)]) -> entity::Integration {
    entity::Integration {
        integration_type: IntegrationType::HttpProxy,
        http_method: Some("ANY".into()),
        uri: Some(uri),
        request_parameters: Some(map(parameters)),
        timeout_in_millis: 20_000,
        ..Default::default()
    }
}

pub fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

/// A gateway in front of an upstream: `{proxy+}` to the same path there.
pub fn before(upstream: &Upstream) -> Gateway {
    Gateway::new(Setup {
        path: "/{proxy+}",
        integration: proxy(upstream.address),
        ..Setup::default()
    })
}

pub fn proxy(address: SocketAddr) -> entity::Integration {
    let mapping = [(
        "integration.request.path.proxy",
        "method.request.path.proxy",
    )];
    http_proxy(format!("http://{address}/{{proxy}}"), &mapping)
}

#[track_caller]
pub fn has(text: &str, line: &str) {
    assert!(
        text.contains(&format!("\r\n{line}\r\n")),
        "no {line:?} in\n{text}"
    );
}

#[track_caller]
pub fn has_not(text: &str, part: &str) {
    assert!(!text.contains(part), "{part:?} in\n{text}");
}

#[track_caller]
pub fn is_refused(answer: &str, status: u16, message: &str, reason: &str) {
    assert!(
        answer.starts_with(&format!("HTTP/1.1 {status} ")),
        "{answer}"
    );
    assert!(
        answer.ends_with(&format!("\r\n\r\n{{\"message\":\"{message}\"}}")),
        "{answer}"
    );
    has(answer, &format!("x-tollgate-reason: {reason}"));
}
