//! What a stage and its deployment have that is stored and not enforced. `tollgate check` and the start's log tell it,
//! docs/compatibility.md lists the kinds.

use std::fmt;

use tollgate_entity::{DeploymentContent, Stage};

use crate::deployed::Deployed;

/// Something that is set and does not do what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unenforced {
    /// `<api>/<stage>`, and the method where it is one's.
    pub place: String,
    /// What it is and what happens instead.
    pub what: String,
}

impl fmt::Display for Unenforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// A setting of a stage that is stored and does nothing.
pub struct StageSetting {
    /// As AWS names it.
    pub name: &'static str,
    pub instead: &'static str,
    is_set: fn(&Stage) -> bool,
}

/// Settings of stages that do nothing. None of them would keep a call out; a method whose protection is not enforced
/// is not callable at all.
pub static STAGE_SETTINGS: [StageSetting; 6] = [
    StageSetting {
        name: "canarySettings",
        instead: "every call goes to the stage's own deployment",
        is_set: |stage| stage.canary_settings.is_some(),
    },
    StageSetting {
        name: "cacheClusterEnabled",
        instead: "nothing is cached, every call reaches its integration",
        is_set: |stage| stage.cache_cluster_enabled,
    },
    StageSetting {
        name: "webAclArn",
        instead: "no web ACL is asked",
        is_set: |stage| stage.web_acl_arn.is_some(),
    },
    StageSetting {
        name: "tracingEnabled",
        instead: "no traces are sent",
        is_set: |stage| stage.tracing_enabled,
    },
    StageSetting {
        name: "methodSettings: loggingLevel, dataTraceEnabled",
        instead: "no execution log is written; the access log has every call",
        is_set: |stage| {
            stage.method_settings.values().any(|setting| {
                let level = setting.logging_level.as_deref();
                level.is_some_and(|level| level != "OFF")
                    || setting.data_trace_enabled == Some(true)
            })
        },
    },
    StageSetting {
        name: "methodSettings: metricsEnabled",
        instead: "metrics are at /metrics, the same for all methods",
        is_set: |stage| {
            let mut settings = stage.method_settings.values();
            settings.any(|setting| setting.metrics_enabled == Some(true))
        },
    },
];

/// Everything of a stage that is set and not enforced: its own settings first, then what makes methods uncallable.
pub fn unenforced(stage: &Stage, content: &DeploymentContent) -> Vec<Unenforced> {
    let place = format!("{}/{}", stage.rest_api_id, stage.stage_name);
    let set = STAGE_SETTINGS
        .iter()
        .filter(|setting| (setting.is_set)(stage));
    let mut found: Vec<Unenforced> = set
        .map(|setting| Unenforced {
            place: place.clone(),
            what: format!("{} does nothing: {}", setting.name, setting.instead),
        })
        .collect();
    for method in &Deployed::compile(content).methods {
        if let Err(cause) = &method.integration {
            let (verb, path) = (&method.http_method, &method.resource_path);
            found.push(Unenforced {
                place: format!("{place} {verb} {path}"),
                what: format!("{cause}; calls answer 500"),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use tollgate_entity::{
        CanarySettings, Integration, IntegrationType, Method, MethodSetting, Resource,
    };

    fn stage() -> Stage {
        Stage {
            rest_api_id: "abc".into(),
            stage_name: "prod".into(),
            ..Stage::default()
        }
    }

    fn content(method: Method) -> DeploymentContent {
        DeploymentContent {
            resources: vec![Resource {
                path: "/pets".into(),
                resource_methods: BTreeMap::from([("GET".to_owned(), method)]),
                ..Resource::default()
            }],
            ..DeploymentContent::default()
        }
    }

    fn method(authorization_type: &str, kind: IntegrationType) -> Method {
        Method {
            http_method: "GET".into(),
            authorization_type: authorization_type.into(),
            method_integration: Some(Integration {
                integration_type: kind,
                uri: Some("http://127.0.0.1:1/".into()),
                http_method: Some("GET".into()),
                timeout_in_millis: 29_000,
                ..Integration::default()
            }),
            ..Method::default()
        }
    }

    #[test]
    fn a_stage_that_is_enforced_whole_has_nothing_to_tell() {
        let fine = content(method("NONE", IntegrationType::HttpProxy));
        assert_eq!(unenforced(&stage(), &fine), []);
    }

    #[test]
    fn every_setting_of_the_table_is_found() {
        let setting = |setting: MethodSetting| BTreeMap::from([("*/*".to_owned(), setting)]);
        let samples: [fn(&mut Stage); 4] = [
            |stage| stage.canary_settings = Some(CanarySettings::default()),
            |stage| stage.cache_cluster_enabled = true,
            |stage| stage.web_acl_arn = Some("arn:aws:wafv2:a".into()),
            |stage| stage.tracing_enabled = true,
        ];
        let logging = setting(MethodSetting {
            logging_level: Some("INFO".into()),
            ..MethodSetting::default()
        });
        let metrics = setting(MethodSetting {
            metrics_enabled: Some(true),
            ..MethodSetting::default()
        });
        let mut stages: Vec<Stage> = samples
            .iter()
            .map(|change| {
                let mut stage = stage();
                change(&mut stage);
                stage
            })
            .collect();
        stages.extend([logging, metrics].map(|method_settings| Stage {
            method_settings,
            ..stage()
        }));
        assert_eq!(stages.len(), STAGE_SETTINGS.len());
        for (stage, setting) in stages.iter().zip(&STAGE_SETTINGS) {
            let found = unenforced(stage, &DeploymentContent::default());
            let told = format!(
                "abc/prod: {} does nothing: {}",
                setting.name, setting.instead
            );
            assert_eq!(
                found.iter().map(ToString::to_string).collect::<Vec<_>>(),
                [told]
            );
        }
    }

    #[test]
    fn methods_that_cannot_be_called_are_told_with_their_reason() {
        for (kind, integration) in [
            ("AWS_IAM", IntegrationType::Mock),
            ("CUSTOM", IntegrationType::Mock),
            ("COGNITO_USER_POOLS", IntegrationType::Mock),
            ("NONE", IntegrationType::Aws),
            ("NONE", IntegrationType::AwsProxy),
        ] {
            let found = unenforced(&stage(), &content(method(kind, integration)));
            assert_eq!(found.len(), 1, "{kind} {integration:?}: {found:?}");
            assert_eq!(found[0].place, "abc/prod GET /pets");
            assert!(
                found[0].what.ends_with("; calls answer 500"),
                "{}",
                found[0]
            );
        }
        let mut keyed = content(Method {
            api_key_required: true,
            ..method("NONE", IntegrationType::HttpProxy)
        });
        keyed.api_key_source = tollgate_entity::ApiKeySource::Authorizer;
        assert_eq!(unenforced(&stage(), &keyed).len(), 1);
    }
}
