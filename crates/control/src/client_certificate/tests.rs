//! Client certificates over the router.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde_json::{Value, json};
use tollgate_entity::ClientCertificate;

use crate::testing::{Gateway, START, api_with_method, text};

const YEAR_S: i64 = 365 * 24 * 3600;

#[tokio::test]
async fn certificates_are_made_for_a_year_with_a_key_that_nobody_is_shown() {
    let gateway = Gateway::new();
    let new = json!({"description": "to the shop", "tags": {"a": "b"}});
    let made = gateway.post("/clientcertificates", new).await.ok(201);
    let id = text(&made, "clientCertificateId");
    let pem = text(&made, "pemEncodedCertificate");
    assert_eq!(
        made,
        json!({"clientCertificateId": id, "description": "to the shop", "pemEncodedCertificate": pem,
               "createdDate": START, "expirationDate": START + YEAR_S, "tags": {"a": "b"}})
    );
    let path = format!("/clientcertificates/{id}");
    gateway.get(&path).await.is(200, made.clone());
    gateway
        .get("/clientcertificates")
        .await
        .is(200, json!({"item": [made]}));

    // The key is kept, belongs to the certificate, and is in no answer and not in the log.
    let store = &gateway.control.store;
    let key = store.read_blocking(|reader| reader.secret::<ClientCertificate>(&id));
    let key = key.unwrap().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()];
    let der = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).unwrap();
    let pair = CertifiedKey::from_der(chain, der, &rustls::crypto::ring::default_provider());
    assert!(pair.unwrap().keys_match().is_ok());
    assert!(!pem.contains("PRIVATE"));
    let logged = format!("{:?}", gateway.audit_log());
    assert!(logged.contains("GenerateClientCertificate") && !logged.contains("PRIVATE"));

    let second = gateway.post("/clientcertificates", json!({})).await.ok(201);
    assert_ne!(second["pemEncodedCertificate"], json!(pem));
    let page = gateway.get("/clientcertificates?limit=1").await.ok(200);
    assert_eq!(page["item"].as_array().unwrap().len(), 1);
    assert!(page["position"].is_string());
}

#[tokio::test]
async fn the_description_can_be_patched() {
    let gateway = Gateway::new();
    let made = gateway.post("/clientcertificates", json!({})).await.ok(201);
    let path = format!("/clientcertificates/{}", text(&made, "clientCertificateId"));
    let changed = gateway
        .patch(&path, &[("replace", "/description", Some("d"))])
        .await
        .ok(200);
    assert_eq!(
        (&changed["description"], &changed["tags"]),
        (&json!("d"), &json!({}))
    );
    gateway.patch(&path, &[("replace", "/expirationDate", Some("0"))]).await.bad(
        "Invalid patch path  '/expirationDate' specified for op 'replace'. Must be one of: [/description]",
    );
    gateway.delete(&path).await.is(202, Value::Null);
    let unknown = "Invalid client certificate identifier specified";
    gateway.get(&path).await.missing(unknown);
    gateway.patch(&path, &[]).await.missing(unknown);
    gateway.delete(&path).await.missing(unknown);
}

#[tokio::test]
async fn a_stage_names_one_that_is_there_and_keeps_it() {
    let gateway = Gateway::new();
    let (api, _) = api_with_method(&gateway).await;
    let deployments = format!("/restapis/{api}/deployments");
    gateway
        .post(&deployments, json!({"stageName": "prod"}))
        .await
        .ok(201);
    let stage = format!("/restapis/{api}/stages/prod");
    let name = |id: &str| {
        let id = id.to_owned();
        let (gateway, stage) = (&gateway, &stage);
        async move {
            gateway
                .patch(stage, &[("replace", "/clientCertificateId", Some(&id))])
                .await
        }
    };
    name("none")
        .await
        .bad("Invalid client certificate identifier specified");
    let made = gateway.post("/clientcertificates", json!({})).await.ok(201);
    let id = text(&made, "clientCertificateId");
    assert_eq!(name(&id).await.ok(200)["clientCertificateId"], json!(id));
    let path = format!("/clientcertificates/{id}");
    gateway.delete(&path).await.bad(&format!(
        "Cannot delete client certificate {id} because stages use it, including {api}:prod"
    ));
    assert_eq!(name("").await.ok(200).get("clientCertificateId"), None);
    gateway.delete(&path).await.ok(202);
    let store = &gateway.control.store;
    let key = store.read_blocking(|reader| reader.secret::<ClientCertificate>(&id));
    assert_eq!(key, Ok(None), "the key outlived its certificate");
}
