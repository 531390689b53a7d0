//! Stages' own access logs, written by a whole data plane.

use tollgate_entity::{AccessLogSettings, DeploymentContent, RequestValidator, Stage, UsagePlan};

use super::file_name;
use crate::integration::testing::http_proxy;
use crate::testing::{KEY, Served, content, keyed, method, mock};

const ARN: &str = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/api/prod";

/// The lines that calls left in a stage with this format.
fn logged(format: &str, calls: impl FnOnce(&Served)) -> Vec<String> {
    let validated = tollgate_entity::Method {
        request_validator_id: Some("v".into()),
        request_parameters: Some([("method.request.querystring.q".to_owned(), true)].into()),
        ..mock("ok")
    };
    let gone = http_proxy("http://127.0.0.1:1/".into(), &[]);
    let content = DeploymentContent {
        request_validators: vec![RequestValidator {
            id: "v".into(),
            validate_request_parameters: true,
            ..RequestValidator::default()
        }],
        ..content(vec![
            ("/pets/{petId}", "GET", keyed(mock("pet"))),
            ("/checked", "GET", validated),
            ("/gone", "GET", method(gone)),
        ])
    };
    let stage = Stage {
        access_log_settings: Some(AccessLogSettings {
            format: Some(format.to_owned()),
            destination_arn: Some(ARN.to_owned()),
        }),
        ..Stage::default()
    };
    let mut served = Served::staged(content, stage, UsagePlan::default(), |_| {});
    calls(&served);
    let file = served.stop().join("access-logs/aws_api_prod.log");
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn get(served: &Served, path: &str) {
    let headers = format!("x-api-key: {KEY}\r\nuser-agent: a \"b\\c\r\n");
    served.get(path, &headers);
}

#[test]
fn the_common_log_format_is_what_everyone_reads() {
    let format = "$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime] \
        \"$context.httpMethod $context.resourcePath $context.protocol\" $context.status $context.responseLength $context.requestId";
    let lines = logged(format, |served| {
        get(served, "/pets/7?x=y");
        get(served, "/nowhere");
    });
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("127.0.0.1 - - ["), "{}", lines[0]);
    assert!(
        lines[0].contains("] \"GET /pets/{petId} HTTP/1.1\" 200 3 "),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].contains("] \"GET - HTTP/1.1\" 403 42 "),
        "{}",
        lines[1]
    );
    let id = lines[0].rsplit(' ').next().unwrap();
    assert_eq!(id.len(), 36);
}

#[test]
fn json_stays_json_whatever_callers_send() {
    let format = "{ \"id\": \"$context.requestId\",\n \"agent\": \"$context.identity.userAgent\", \"key\": \"$context.identity.apiKey\", \
        \"keyId\": \"$context.identity.apiKeyId\", \"ms\": $context.responseLatency, \"error\": $context.error.messageString, \
        \"why\": \"$context.error.validationErrorString\", \"type\": \"$context.error.responseType\", \"integration\": \"$context.integration.error\", \
        \"istatus\": \"$context.integration.status\", \"none\": \"$context.authorizer.claims.sub\", \"cost\": \"$5\" }";
    let lines = logged(format, |served| {
        get(served, "/checked");
        get(served, "/gone");
        get(served, "/pets/7");
    });
    let read = |line: &str| -> serde_json::Value {
        serde_json::from_str(&line.replace("\"error\": -,", "\"error\": null,")).unwrap()
    };
    let (checked, gone, pet) = (read(&lines[0]), read(&lines[1]), read(&lines[2]));
    assert_eq!(checked["agent"], "a \"b\\c");
    assert_eq!(checked["error"], "Missing required request parameters: [q]");
    assert_eq!(checked["why"], "Missing required request parameters: [q]");
    assert_eq!(checked["type"], "BAD_REQUEST_PARAMETERS");
    assert_eq!(
        (&checked["integration"], &checked["none"], &checked["cost"]),
        (&"-".into(), &"-".into(), &"$5".into())
    );
    assert_eq!(
        gone["integration"],
        "Network error communicating with endpoint"
    );
    assert_eq!(
        (&pet["key"], &pet["keyId"], &pet["type"]),
        (&"-".into(), &"key0000001".into(), &"-".into())
    );
    assert!(checked["ms"].is_u64() && pet["error"].is_null());
    assert!(!lines.concat().contains(KEY));
}

#[test]
fn xml_and_csv_stay_what_they_are() {
    let lines = logged(
        "<request id=\"$context.requestId\"><agent>$context.identity.userAgent</agent><s>$context.status</s></request>",
        |served| {
            served.get("/nowhere", "user-agent: <a&\"b>\r\n");
        },
    );
    assert!(
        lines[0].ends_with("<agent>&lt;a&amp;&quot;b&gt;</agent><s>403</s></request>"),
        "{}",
        lines[0]
    );
    let lines = logged(
        "$context.requestId,$context.httpMethod,$context.path,\"$context.identity.userAgent\"",
        |served| {
            served.get("/nowhere", "user-agent: a\tb\r\n");
        },
    );
    assert!(
        lines[0].ends_with(",GET,/prod/nowhere,\"a\\u0009b\""),
        "{}",
        lines[0]
    );
}

#[test]
fn a_destination_is_a_file_of_its_name_in_the_directory() {
    for (arn, name) in [
        (ARN, Some("aws_api_prod.log")),
        (
            "arn:aws:logs:us-east-1:000000000000:log-group:plain:*",
            Some("plain.log"),
        ),
        (
            "arn:aws:firehose:us-east-1:000000000000:deliverystream/amazon-apigateway-x",
            Some("amazon-apigateway-x.log"),
        ),
        (
            "arn:aws:logs:r:a:log-group:../../etc/passwd",
            Some("_.._etc_passwd.log"),
        ),
        ("arn:aws:logs:r:a:log-group:é\n", Some("_.log")),
        ("arn:aws:logs:r:a:log-group:", None),
        ("", None),
    ] {
        assert_eq!(file_name(arn).as_deref(), name, "{arn}");
    }
}
