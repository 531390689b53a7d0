//! A whole data plane for tests: what is deployed is given as entities, and called over real sockets.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tollgate_entity as entity;
use tollgate_entity::{
    ApiKey, ApiStage, Deployment, DeploymentContent, IntegrationResponse, IntegrationType, Method,
    Resource, RestApi, Stage, UsagePlan,
};
use tollgate_store::{Audit, Store, StoreError, StoreOptions};

use crate::access_log::Target;
use crate::gateway_response::GatewayResponses;
use crate::integration::testing::declared;
use crate::net::address::AddressRules;
use crate::net::serving::{RuntimeLayout, ServingLimits};
use crate::net::testing::connect;
use crate::net::upstream::PoolLimits;
use crate::{DataPlane, Settings, WaitLimits};

/// The value of the key that `keyed` methods of [`Served`] admit.
pub const KEY: &str = "a-key-for-tests-0123456789";

/// A data plane that serves one API's stage `prod`, with a key in a plan.
pub struct Served {
    data_plane: Option<DataPlane>,
    _store: Store,
    directory: tempfile::TempDir,
}

impl Served {
    pub fn new(content: DeploymentContent) -> Served {
        Served::staged(content, Stage::default(), UsagePlan::default(), |_| {})
    }

    /// The same with members of the stage, of the plan, and of the settings.
    pub fn staged(
        content: DeploymentContent,
        stage: Stage,
        plan: UsagePlan,
        adjust: impl FnOnce(&mut Settings),
    ) -> Served {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), StoreOptions::default()).unwrap();
        let audit = || Audit {
            operation: "Test".to_owned(),
            ..Audit::default()
        };
        let own = |stage: Stage| Stage {
            rest_api_id: "api1".into(),
            stage_name: "prod".into(),
            deployment_id: "dep1".into(),
            ..stage
        };
        let stage = own(stage);
        let commit = store.commit_blocking(audit(), move |tx| {
            tx.put(&RestApi {
                id: "api1".into(),
                name: "api".into(),
                ..RestApi::default()
            })?;
            tx.put(&Deployment {
                rest_api_id: "api1".into(),
                id: "dep1".into(),
                ..Deployment::default()
            })?;
            tx.put(&DeploymentContent {
                deployment_id: "dep1".into(),
                ..content
            })?;
            tx.put(&stage)?;
            tx.put(&UsagePlan {
                id: "plan1".into(),
                api_stages: vec![ApiStage {
                    api_id: "api1".into(),
                    stage: "prod".into(),
                    ..ApiStage::default()
                }],
                ..plan
            })?;
            let key = ApiKey {
                id: "key0000001".into(),
                enabled: true,
                ..ApiKey::default()
            };
            tx.insert_api_key(&key, KEY)?;
            tx.insert_plan_key("plan1", "key0000001")?;
            Ok::<(), StoreError>(())
        });
        commit.unwrap();
        let mut settings = settings(directory.path());
        adjust(&mut settings);
        let data_plane = DataPlane::start(settings, &store).unwrap();
        Served {
            data_plane: Some(data_plane),
            _store: store,
            directory,
        }
    }

    pub fn tester(&self) -> crate::test_invoke::Tester {
        self.data_plane.as_ref().unwrap().tester()
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.data_plane.as_ref().unwrap().addresses()[0])
    }

    /// Sends one request and reads its answer to the end of the connection. The path is below the stage.
    pub fn call(&self, verb: &str, path: &str, headers: &str, body: &[u8]) -> String {
        String::from_utf8(self.call_bytes(verb, path, headers, body)).unwrap()
    }

    pub fn call_bytes(&self, verb: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let length = match body.is_empty() || headers.contains("transfer-encoding") {
            true => String::new(),
            false => format!("content-length: {}\r\n", body.len()),
        };
        let head = format!(
            "{verb} /api1/prod{path} HTTP/1.1\r\nhost: api.test\r\nconnection: close\r\n{headers}{length}\r\n"
        );
        self.send(&[head.as_bytes(), body].concat())
    }

    /// Sends bytes as they are and reads to the end of the connection.
    pub fn send(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    pub fn get(&self, path: &str, headers: &str) -> String {
        self.call("GET", path, headers, b"")
    }

    /// Stops, so that everything is written; where files are.
    pub fn stop(&mut self) -> PathBuf {
        if let Some(data_plane) = self.data_plane.take() {
            data_plane.stop();
        }
        self.directory.path().to_owned()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop();
    }
}

fn settings(directory: &Path) -> Settings {
    Settings {
        address: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        layout: RuntimeLayout::default(),
        workers: 1,
        serving: ServingLimits::default(),
        pool: PoolLimits::default(),
        connect_timeout: Duration::from_secs(5),
        extra_roots: None,
        addresses: AddressRules::default(),
        forwards_api_key: true,
        answer_patience: Duration::from_secs(20),
        responses: GatewayResponses { shows_reason: true },
        sends_rate_limits: true,
        access_log: Some(Target::File(directory.join("access.log"))),
        stage_log_directory: directory.join("access-logs"),
        wait_limits: WaitLimits::default(),
        account_id: "000000000000".to_owned(),
        account: None,
        drain_max: Duration::from_secs(5),
        buffered_bytes_max: 1 << 26,
    }
}

/// A deployment with these methods: path, verb, method.
pub fn content(methods: Vec<(&str, &str, Method)>) -> DeploymentContent {
    let mut resources: BTreeMap<&str, Resource> = BTreeMap::new();
    for (path, verb, method) in methods {
        let resource = resources.entry(path).or_insert_with(|| Resource {
            id: format!("res{}", path.len()),
            path: path.to_owned(),
            ..Resource::default()
        });
        let method = Method {
            http_method: verb.to_owned(),
            ..method
        };
        resource.resource_methods.insert(verb.to_owned(), method);
    }
    DeploymentContent {
        resources: resources.into_values().collect(),
        ..DeploymentContent::default()
    }
}

/// A method that answers by itself.
pub fn mock(answer: &str) -> Method {
    let response = IntegrationResponse {
        status_code: "200".into(),
        response_templates: Some([("application/json".into(), Some(answer.into()))].into()),
        ..IntegrationResponse::default()
    };
    let template = Some("{\"statusCode\": 200}".to_owned());
    method(entity::Integration {
        integration_type: IntegrationType::Mock,
        request_templates: Some(
            [
                ("application/json".to_owned(), template.clone()),
                ("$default".to_owned(), template),
            ]
            .into(),
        ),
        integration_responses: Some([("200".into(), response)].into()),
        timeout_in_millis: 20_000,
        ..entity::Integration::default()
    })
}

/// A method that anyone may call.
pub fn method(integration: entity::Integration) -> Method {
    Method {
        authorization_type: "NONE".into(),
        method_responses: Some(declared(&integration)),
        method_integration: Some(integration),
        ..Method::default()
    }
}

/// The same method for holders of a key.
pub fn keyed(method: Method) -> Method {
    Method {
        api_key_required: true,
        ..method
    }
}
