//! Tests of ImportApiKeys, on the wire.

use serde_json::{Value, json};

use crate::testing::{Answer, Gateway};

const A: &str = "apikey1234abcdefghij0123456789";
const B: &str = "apikey1234abcdefghij012345678A";
const IMPORT: &str = "/apikeys?mode=import&format=csv";

async fn import(gateway: &Gateway, csv: &str) -> Answer {
    gateway.call("POST", IMPORT, csv.to_owned()).await
}

async fn key(gateway: &Gateway, id: &Value) -> Value {
    gateway
        .get(&format!(
            "/apikeys/{}?includeValue=true",
            id.as_str().unwrap()
        ))
        .await
        .ok(200)
}

async fn plan(gateway: &Gateway, name: &str, stages: Value) -> String {
    let plan = gateway
        .post("/usageplans", json!({"name": name, "apiStages": stages}))
        .await
        .ok(201);
    plan["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn rows_become_keys_in_their_order_and_join_their_plans() {
    let gateway = Gateway::new();
    let (p1, p2) = (
        plan(&gateway, "p1", json!([])).await,
        plan(&gateway, "p2", json!([])).await,
    );
    let csv = format!(
        "Name,key,description,Enabled,usageplanIds\r\nfirst,{A},d,,{p1}\r\nsecond,{B},,FALSE,'{p1}, {p2}'\r\n"
    );
    let done = import(&gateway, &csv).await.ok(201);
    assert_eq!(done["warnings"], json!([]));
    let (first, second) = (
        key(&gateway, &done["ids"][0]).await,
        key(&gateway, &done["ids"][1]).await,
    );
    assert_eq!(
        (&first["name"], &first["value"], &first["enabled"]),
        (&json!("first"), &json!(A), &json!(true))
    );
    assert_eq!(
        (&second["name"], &second["value"], &second["enabled"]),
        (&json!("second"), &json!(B), &json!(false))
    );
    let plans = gateway
        .get(&format!(
            "/usageplans?keyId={}",
            done["ids"][1].as_str().unwrap()
        ))
        .await
        .ok(200);
    assert_eq!(plans["item"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_known_value_updates_its_key() {
    let gateway = Gateway::new();
    let body = json!({"name": "old", "value": A, "enabled": false, "description": "kept", "customerId": "c"});
    let before = gateway.post("/apikeys", body).await.ok(201);
    let p = plan(&gateway, "p", json!([])).await;
    let done = import(&gateway, &format!("Key,Name,UsagePlanIds\n{A},new,{p}\n"))
        .await
        .ok(201);
    assert_eq!(done, json!({"ids": [before["id"]], "warnings": []}));
    let after = key(&gateway, &before["id"]).await;
    assert_eq!(
        (&after["name"], &after["description"], &after["customerId"]),
        (&json!("new"), &json!("kept"), &json!("c"))
    );
    // What a row does not say, stays: an import never switches a disabled key on by silence.
    assert_eq!(after["enabled"], false);
    let done = import(
        &gateway,
        &format!("Key,Name,UsagePlanIds,Enabled\n{A},new,{p},true\n"),
    )
    .await
    .ok(201);
    assert_eq!(done, json!({"ids": [before["id"]], "warnings": []}));
    assert_eq!(key(&gateway, &before["id"]).await["enabled"], true);
}

#[tokio::test]
async fn bad_rows_are_warnings_and_the_rest_is_imported() {
    let gateway = Gateway::new();
    gateway.put_stages(&[("a", "s")]);
    let stage = json!([{"apiId": "a", "stage": "s"}]);
    let (p1, p2) = (
        plan(&gateway, "p1", stage.clone()).await,
        plan(&gateway, "p2", stage).await,
    );
    let csv =
        format!("Name,Key,UsagePlanIds\nx,short,\na,{A},nosuch\n\nb,{B},\"{p1},{p2}\"\nb,{B},\n");
    let done = import(&gateway, &csv).await.ok(201);
    let ids = done["ids"].as_array().unwrap();
    assert_eq!(ids.len(), 2);
    let warnings: Vec<_> = done["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect();
    assert_eq!(
        warnings[0],
        "Line 2: API Key value should be at least 20 characters"
    );
    assert_eq!(warnings[1], "Line 3: there is no Usage Plan nosuch");
    assert!(warnings[2].starts_with(&format!(
        "Line 5: Usage Plan {p2} cannot be added because API Key"
    )));
    assert_eq!(warnings[3], "Line 6: the same Key is on line 5 already");
    let in_p1 = gateway.get(&format!("/usageplans/{p1}/keys")).await.ok(200);
    assert_eq!(in_p1["item"][0]["id"], ids[1]);
}

#[tokio::test]
async fn with_failonwarnings_any_warning_leaves_everything_as_it_was() {
    let gateway = Gateway::new();
    for csv in [
        format!("Name,Key\na,{A}\nx,short\n"),
        format!("Name,Key,UsagePlanIds\na,{A},nosuch\n"),
    ] {
        let refused = gateway
            .call("POST", &format!("{IMPORT}&failonwarnings=true"), csv)
            .await;
        assert_eq!(refused.status, 400);
        assert!(
            refused
                .refusal()
                .contains("Nothing was imported because of warnings: Line"),
            "{}",
            refused.refusal()
        );
    }
    assert_eq!(gateway.get("/apikeys").await.ok(200), json!({"item": []}));
    let fine = gateway
        .call(
            "POST",
            &format!("{IMPORT}&failonwarnings=true"),
            format!("Name,Key\na,{A}\n"),
        )
        .await;
    assert_eq!(fine.ok(201)["ids"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_without_its_columns_or_cut_off_imports_nothing() {
    let gateway = Gateway::new();
    let refusal = async |csv: &str| import(&gateway, csv).await.refusal();
    assert_eq!(
        refusal("/tmp/apikey.csv").await,
        "400 BadRequestException: Missing required column 'Key'"
    );
    assert_eq!(
        refusal("Key,Nam\n").await,
        "400 BadRequestException: Missing required column 'Name'"
    );
    let cut = format!("Name,Key,UsagePlanIds\na,{A},\nb,{B},\"p1,");
    assert!(
        refusal(&cut)
            .await
            .starts_with("400 BadRequestException: Line 3: a quote is opened and never closed")
    );
    assert_eq!(gateway.get("/apikeys").await.ok(200), json!({"item": []}));
    assert_eq!(gateway.audit_log().len(), 0);
}

#[tokio::test]
async fn only_csv_is_imported() {
    let gateway = Gateway::new();
    let refused = gateway
        .call("POST", "/apikeys?mode=import&format=xml", "x")
        .await;
    assert_eq!(
        refused.refusal(),
        "400 ValidationException: 1 validation error detected: Value 'xml' at 'format' failed to satisfy constraint: \
         Member must satisfy enum value set: [csv]"
    );
}

#[tokio::test]
async fn ten_thousand_rows_are_one_change() {
    let gateway = Gateway::new();
    let p = plan(&gateway, "p", json!([])).await;
    let mut csv = String::from("Name,Key,UsagePlanIds\n");
    for n in 0..10_000 {
        csv.push_str(&format!("customer {n},value-of-a-customer-{n:06},{p}\n"));
    }
    let done = import(&gateway, &csv).await.ok(201);
    let ids = done["ids"].as_array().unwrap();
    assert_eq!((ids.len(), &done["warnings"]), (10_000, &json!([])));
    assert_eq!(key(&gateway, &ids[9_999]).await["name"], "customer 9999");
    let log = gateway.audit_log();
    assert_eq!(
        (log.len(), log[0].audit.operation.as_str()),
        (2, "ImportApiKeys")
    );
    assert_eq!(log[0].audit.what["rows"], 10_000);
    assert!(
        !log[0]
            .audit
            .what
            .to_string()
            .contains("value-of-a-customer")
    );
}

#[tokio::test]
async fn a_preview_tells_what_an_import_would_do_and_leaves_nothing() {
    let gateway = Gateway::new();
    let first = "Name,Key\nknown,aaaaaaaaaaaaaaaaaaaa1\n";
    gateway
        .call("POST", "/apikeys?mode=import&format=csv", first)
        .await
        .ok(201);
    let file = "Name,Key,UsagePlanIds\nknown,aaaaaaaaaaaaaaaaaaaa1,\nnew,bbbbbbbbbbbbbbbbbbbb2,nowhere\nshort,abc,\n";
    let preview = gateway
        .call("POST", "/tollgate/preview-import", file)
        .await
        .ok(200);
    assert_eq!(
        preview,
        json!({
            "created": 1, "updated": 1, "warningCount": 2,
            "rows": [
                {"line": 2, "name": "known", "value": "****aaa1", "usagePlanIds": [], "wouldBe": "updated"},
                {"line": 3, "name": "new", "value": "****bbb2", "usagePlanIds": ["nowhere"], "wouldBe": "created"},
            ],
            "warnings": [
                {"line": 3, "text": "there is no Usage Plan nowhere"},
                {"line": 4, "text": "API Key value should be at least 20 characters"},
            ],
        })
    );
    let keys = gateway.get("/apikeys").await.ok(200);
    assert_eq!(keys["item"].as_array().unwrap().len(), 1);
    assert_eq!(gateway.audit_log().len(), 1);
}
