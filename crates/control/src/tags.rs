//! Tags on keys, plans, APIs, stages, domain names, client certificates and VPC links, named by their ARN. TagResource, UntagResource, GetTags.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tollgate_entity::{
    ApiKey, ClientCertificate, DomainName, RestApi, Stage, Tags, UsagePlan, VpcLink, tags,
};
use tollgate_store::{Reader, Transaction};

use crate::error::Error;
use crate::extract::{Caller, Json, Path, Query};
use crate::{Control, ControlSettings, find};

/// Tags as they travel.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Tagging {
    tags: Option<Tags>,
}

/// TagResource: adds tags and changes those that are there.
pub async fn tag(
    control: Control,
    caller: Caller,
    Path(arn): Path<String>,
    Json(new): Json<Tagging>,
) -> Result<(), Error> {
    let new = new.tags.unwrap_or_default();
    let audit = caller.audit(json!({ "resourceArn": arn, "tags": new }));
    let tagged = Tagged::named(&arn)?;
    let settings = control.settings.clone();
    let change = move |transaction: &mut Transaction<'_>| {
        let mut all = tagged.tags(transaction, &settings)?;
        all.extend(new);
        tags::check(&all)?;
        tagged.put(transaction, &settings, all)
    };
    control.store.commit(audit, change).await
}

/// UntagResource: a tag that is not there is no error.
pub async fn untag(
    control: Control,
    caller: Caller,
    Path(arn): Path<String>,
    query: Query,
) -> Result<(), Error> {
    let names: Vec<String> = query.all("tagKeys").map(str::to_owned).collect();
    let audit = caller.audit(json!({ "resourceArn": arn, "tagKeys": names }));
    let tagged = Tagged::named(&arn)?;
    let settings = control.settings.clone();
    let change = move |transaction: &mut Transaction<'_>| {
        let mut all = tagged.tags(transaction, &settings)?;
        all.retain(|name, _| !names.contains(name));
        tagged.put(transaction, &settings, all)
    };
    control.store.commit(audit, change).await
}

/// GetTags.
pub async fn list(control: Control, Path(arn): Path<String>) -> Result<Json<Tagging>, Error> {
    let tagged = Tagged::named(&arn)?;
    let settings = control.settings.clone();
    let tags = control
        .store
        .read(move |reader| tagged.tags(reader, &settings))
        .await?;
    Ok(Json(Tagging { tags: Some(tags) }))
}

/// What can carry tags.
#[derive(Debug, PartialEq, Eq)]
enum Tagged {
    ApiKey(String),
    UsagePlan(String),
    RestApi(String),
    Stage {
        api_id: String,
        name: String,
    },
    DomainName(String),
    ClientCertificate(String),
    VpcLink(String),
    /// Well named, but of a kind that there is none of.
    Unknown,
}

impl Tagged {
    /// Reads `arn:<partition>:apigateway:<region>:[<account>]:/<collection>/<id>…`; any partition and region will do.
    fn named(arn: &str) -> Result<Self, Error> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let ["arn", partition, "apigateway", _, _, path] = parts.as_slice() else {
            return Err(malformed(arn));
        };
        if *partition != "aws" && !partition.starts_with("aws-") {
            return Err(malformed(arn));
        }
        let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        if path.len() < 2 || path.iter().any(|segment| segment.is_empty()) {
            return Err(malformed(arn));
        }
        Ok(match path.as_slice() {
            ["apikeys", id] => Self::ApiKey((*id).into()),
            ["usageplans", id] => Self::UsagePlan((*id).into()),
            ["restapis", id] => Self::RestApi((*id).into()),
            ["restapis", api_id, "stages", name] => Self::Stage {
                api_id: (*api_id).into(),
                name: (*name).into(),
            },
            ["domainnames", name] => Self::DomainName((*name).into()),
            ["clientcertificates", id] => Self::ClientCertificate((*id).into()),
            ["vpclinks", id] => Self::VpcLink((*id).into()),
            _ => Self::Unknown,
        })
    }

    fn tags(&self, reader: &Reader<'_>, settings: &ControlSettings) -> Result<Tags, Error> {
        Ok(match self {
            Self::ApiKey(id) => find::api_key(reader, id)?.tags,
            Self::UsagePlan(id) => find::usage_plan(reader, id)?.tags,
            Self::RestApi(id) => find::rest_api(reader, settings, id)?.tags,
            Self::Stage { api_id, name } => find::stage(reader, api_id, name)?.tags,
            Self::DomainName(name) => find::domain_name(reader, name)?.tags,
            Self::ClientCertificate(id) => find::client_certificate(reader, id)?.tags,
            Self::VpcLink(id) => find::vpc_link(reader, id)?.tags,
            Self::Unknown => return Err(Error::not_found("Invalid resource identifier specified")),
        })
    }

    fn put(
        &self,
        transaction: &mut Transaction<'_>,
        settings: &ControlSettings,
        tags: Tags,
    ) -> Result<(), Error> {
        match self {
            Self::ApiKey(id) => {
                let key = find::api_key(transaction, id)?;
                transaction.put_api_key(&ApiKey { tags, ..key })?;
            }
            Self::UsagePlan(id) => {
                let plan = find::usage_plan(transaction, id)?;
                transaction.put(&UsagePlan { tags, ..plan })?;
            }
            Self::RestApi(id) => {
                let api = find::rest_api(transaction, settings, id)?;
                transaction.put(&RestApi { tags, ..api })?;
            }
            Self::Stage { api_id, name } => {
                let stage = find::stage(transaction, api_id, name)?;
                transaction.put(&Stage { tags, ..stage })?;
            }
            Self::DomainName(name) => {
                let domain = find::domain_name(transaction, name)?;
                transaction.put(&DomainName { tags, ..domain })?;
            }
            Self::ClientCertificate(id) => {
                let certificate = find::client_certificate(transaction, id)?;
                transaction.put(&ClientCertificate {
                    tags,
                    ..certificate
                })?;
            }
            Self::VpcLink(id) => {
                let link = find::vpc_link(transaction, id)?;
                transaction.put(&VpcLink { tags, ..link })?;
            }
            Self::Unknown => {}
        }
        Ok(())
    }
}

fn malformed(arn: &str) -> Error {
    Error::bad_request(format!("Invalid ARN. ARN is not well formed {arn}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Gateway, text};

    #[test]
    fn arns_name_what_they_name() {
        let named =
            |path: &str| Tagged::named(&format!("arn:aws:apigateway:eu-west-1::{path}")).ok();
        assert_eq!(named("/apikeys/k1"), Some(Tagged::ApiKey("k1".into())));
        assert_eq!(
            named("/usageplans/p1"),
            Some(Tagged::UsagePlan("p1".into()))
        );
        assert_eq!(named("/restapis/a1"), Some(Tagged::RestApi("a1".into())));
        assert_eq!(
            named("/restapis/a1/stages/s"),
            Some(Tagged::Stage {
                api_id: "a1".into(),
                name: "s".into()
            })
        );
        assert_eq!(named("/vpclinks/x"), Some(Tagged::VpcLink("x".into())));
        assert_eq!(
            named("/domainnames/*.a.example"),
            Some(Tagged::DomainName("*.a.example".into()))
        );
        assert_eq!(
            named("/clientcertificates/c1"),
            Some(Tagged::ClientCertificate("c1".into()))
        );
        assert_eq!(named("/sdktypes/x"), Some(Tagged::Unknown));
        assert_eq!(named("/apikeys/"), None);
        assert_eq!(named("/apikeys"), None);
    }

    #[test]
    fn what_is_no_arn_is_refused() {
        for bad in [
            "",
            "x",
            "arn:aws:s3:::bucket/x",
            "arn:gcp:apigateway:r::/apikeys/k",
            "arn:aws:apigateway:r",
        ] {
            assert!(
                matches!(Tagged::named(bad), Err(Error::BadRequest(_))),
                "{bad}"
            );
        }
        assert!(Tagged::named("arn:aws-cn:apigateway:cn-north-1::/apikeys/k").is_ok());
    }

    /// One thing of each kind, by its path in an ARN.
    async fn things(gateway: &Gateway) -> Vec<String> {
        let key = gateway.post("/apikeys", json!({"name": "k"})).await.ok(201);
        let plan = gateway
            .post("/usageplans", json!({"name": "p"}))
            .await
            .ok(201);
        let api = gateway
            .post("/restapis", json!({"name": "a"}))
            .await
            .ok(201);
        let (key, plan, api) = (text(&key, "id"), text(&plan, "id"), text(&api, "id"));
        gateway.put_stages(&[(&api, "prod")]);
        let domain = json!({"domainName": "*.a.example"});
        gateway.post("/domainnames", domain).await.ok(201);
        let certificate = gateway.post("/clientcertificates", json!({})).await.ok(201);
        let arns = ["arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/n/1"];
        let link = json!({"name": "l", "targetArns": arns});
        let link = gateway.post("/vpclinks", link).await.ok(202);
        vec![
            format!("/apikeys/{key}"),
            format!("/usageplans/{plan}"),
            format!("/restapis/{api}"),
            format!("/restapis/{api}/stages/prod"),
            "/domainnames/*.a.example".to_owned(),
            format!(
                "/clientcertificates/{}",
                text(&certificate, "clientCertificateId")
            ),
            format!("/vpclinks/{}", text(&link, "id")),
        ]
    }

    fn tags_of(path: &str) -> String {
        let arn = format!("arn:aws:apigateway:us-east-1::{path}");
        format!("/tags/{}", arn.replace(':', "%3A").replace('/', "%2F"))
    }

    #[tokio::test]
    async fn tags_are_added_changed_shown_and_removed() {
        let gateway = Gateway::new();
        for path in things(&gateway).await {
            let target = tags_of(&path);
            gateway.get(&target).await.is(200, json!({"tags": {}}));
            gateway
                .put(&target, json!({"tags": {"a": "1", "b c": "2"}}))
                .await
                .is(204, serde_json::Value::Null);
            gateway
                .put(&target, json!({"tags": {"a": "3"}}))
                .await
                .ok(204);
            assert_eq!(
                gateway.get(&path).await.ok(200)["tags"],
                json!({"a": "3", "b c": "2"}),
                "{path}"
            );
            gateway
                .delete(&format!("{target}?tagKeys=b%20c&tagKeys=nosuch"))
                .await
                .is(204, serde_json::Value::Null);
            gateway
                .get(&target)
                .await
                .is(200, json!({"tags": {"a": "3"}}));
        }
        assert_eq!(gateway.audit_log()[0].audit.operation, "UntagResource");
    }

    #[tokio::test]
    async fn fifty_tags_are_the_most_however_they_come() {
        let gateway = Gateway::new();
        let path = things(&gateway).await.remove(0);
        let tags = |range: std::ops::Range<i32>| -> Tags {
            range.map(|n| (format!("k{n}"), String::new())).collect()
        };
        gateway
            .put(&tags_of(&path), json!({"tags": tags(0..50)}))
            .await
            .ok(204);
        gateway
            .put(&tags_of(&path), json!({"tags": tags(10..30)}))
            .await
            .ok(204);
        assert_eq!(
            gateway
                .put(&tags_of(&path), json!({"tags": tags(50..51)}))
                .await
                .status,
            400
        );
        assert_eq!(
            gateway
                .put(&tags_of(&path), json!({"tags": {"aws:x": ""}}))
                .await
                .status,
            400
        );
        assert_eq!(
            gateway.get(&tags_of(&path)).await.ok(200)["tags"]
                .as_object()
                .unwrap()
                .len(),
            50
        );
    }

    #[tokio::test]
    async fn what_is_not_there_has_no_tags() {
        let gateway = Gateway::new();
        gateway
            .get(&tags_of("/apikeys/x"))
            .await
            .missing("Invalid API Key identifier specified");
        gateway
            .get(&tags_of("/usageplans/x"))
            .await
            .missing("Invalid Usage Plan ID specified");
        gateway
            .get(&tags_of("/restapis/x"))
            .await
            .missing("Invalid API identifier specified 000000000000:x");
        gateway
            .get(&tags_of("/restapis/x/stages/y"))
            .await
            .missing("Invalid stage identifier specified");
        gateway
            .get(&tags_of("/vpclinks/x"))
            .await
            .missing("Invalid Vpc Link identifier specified");
        gateway
            .get(&tags_of("/domainnames/x"))
            .await
            .missing("Invalid domain name identifier specified");
        gateway
            .get(&tags_of("/clientcertificates/x"))
            .await
            .missing("Invalid client certificate identifier specified");
        gateway
            .get(&tags_of("/sdktypes/x"))
            .await
            .missing("Invalid resource identifier specified");
        gateway
            .get("/tags/x")
            .await
            .bad("Invalid ARN. ARN is not well formed x");
    }
}
