//! The core of the control plane through the official Rust SDK: names each check, ends with `N passed, N failed`.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;

use aws_sdk_apigateway::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_apigateway::error::ProvideErrorMetadata;
use aws_sdk_apigateway::primitives::Blob;
use aws_sdk_apigateway::types::{
    ApiKeysFormat, ApiStage, IntegrationType, Op, PatchOperation, QuotaPeriodType, QuotaSettings,
    ThrottleSettings,
};
use aws_sdk_apigateway::{Client, Config};

/// What passed and what failed.
#[derive(Default)]
struct Checks {
    passed: usize,
    failed: usize,
}

impl Checks {
    fn equal<T: PartialEq + std::fmt::Debug>(&mut self, name: &str, seen: T, expected: T) {
        if seen == expected {
            self.passed += 1;
            println!("ok   {name}");
        } else {
            self.failed += 1;
            println!("FAIL {name}: {seen:?} instead of {expected:?}");
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut checks = Checks::default();
    let client = client();
    if let Err(error) = core(&client, &mut checks).await {
        checks.failed += 1;
        println!("FAIL the walk ended early: {error:?}");
    }
    println!("{} passed, {} failed", checks.passed, checks.failed);
    ExitCode::from(u8::from(checks.failed > 0))
}

fn client() -> Client {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let keys = Credentials::new(
        variable("ACCESS_KEY"),
        variable("SECRET_KEY"),
        None,
        None,
        "walk",
    );
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(variable("ENDPOINT"))
        .credentials_provider(keys)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

async fn core(client: &Client, checks: &mut Checks) -> Result<(), Box<dyn Error>> {
    let (api, resource) = make_api(client, checks).await?;
    let key = client
        .create_api_key()
        .name("rust")
        .enabled(true)
        .send()
        .await?;
    let (key_id, value) = (
        key.id().unwrap_or_default(),
        key.value().unwrap_or_default(),
    );
    checks.equal("a generated value has 40 characters", value.len(), 40);
    // The gateway's files are searched for it at the end.
    std::fs::write(std::env::var("NOTED")?, value)?;
    let plan = make_plan(client, checks, &api).await?;
    let attached = client
        .create_usage_plan_key()
        .usage_plan_id(&plan)
        .key_id(key_id)
        .key_type("API_KEY")
        .send()
        .await?;
    checks.equal("create_usage_plan_key", attached.value(), Some(value));
    let target = format!("/{api}/prod/pets");
    checks.equal("without a key", call(&target, None)?, 403);
    let calls = [
        call(&target, Some(value))?,
        call(&target, Some(value))?,
        call(&target, Some(value))?,
    ];
    checks.equal("until the quota is used up", calls, [200, 200, 429]);
    metering(client, checks, &plan, key_id).await?;
    checks.equal("the extension holds", call(&target, Some(value))?, 200);
    errors(client, checks, value).await;
    import(client, checks).await?;
    client
        .update_api_key()
        .api_key(key_id)
        .patch_operations(patch(Op::Replace, "/enabled", "false"))
        .send()
        .await?;
    checks.equal("a disabled key", call(&target, Some(value))?, 403);
    take_down(client, checks, &api, &resource, &plan, key_id).await
}

/// An API with one keyed method that answers by itself; its id and that of its resource.
async fn make_api(
    client: &Client,
    checks: &mut Checks,
) -> Result<(String, String), Box<dyn Error>> {
    let api = client
        .create_rest_api()
        .name("rust")
        .tags("a", "b")
        .send()
        .await?;
    checks.equal("create_rest_api", api.name(), Some("rust"));
    checks.equal("createdDate is a date", api.created_date().is_some(), true);
    let id = api.id().unwrap_or_default();
    let root = api.root_resource_id().unwrap_or_default();
    let resource = client
        .create_resource()
        .rest_api_id(id)
        .parent_id(root)
        .path_part("pets")
        .send()
        .await?;
    let pets = resource.id().unwrap_or_default();
    checks.equal("create_resource", resource.path(), Some("/pets"));
    let method = client
        .put_method()
        .rest_api_id(id)
        .resource_id(pets)
        .http_method("GET")
        .authorization_type("NONE")
        .api_key_required(true)
        .send()
        .await?;
    checks.equal("put_method", method.api_key_required(), Some(true));
    client
        .put_integration()
        .rest_api_id(id)
        .resource_id(pets)
        .http_method("GET")
        .r#type(IntegrationType::Mock)
        .request_templates("application/json", "{\"statusCode\": 200}")
        .send()
        .await?;
    client
        .put_method_response()
        .rest_api_id(id)
        .resource_id(pets)
        .http_method("GET")
        .status_code("200")
        .send()
        .await?;
    let response = client.put_integration_response();
    response
        .rest_api_id(id)
        .resource_id(pets)
        .http_method("GET")
        .status_code("200")
        .response_templates("application/json", "[]")
        .send()
        .await?;
    let deployment = client
        .create_deployment()
        .rest_api_id(id)
        .stage_name("prod")
        .send()
        .await?;
    let stage = client
        .get_stage()
        .rest_api_id(id)
        .stage_name("prod")
        .send()
        .await?;
    checks.equal("get_stage", stage.deployment_id(), deployment.id());
    Ok((id.to_owned(), pets.to_owned()))
}

async fn make_plan(
    client: &Client,
    checks: &mut Checks,
    api: &str,
) -> Result<String, Box<dyn Error>> {
    let plan = client
        .create_usage_plan()
        .name("rust")
        .throttle(
            ThrottleSettings::builder()
                .rate_limit(50.5)
                .burst_limit(100)
                .build(),
        )
        .quota(
            QuotaSettings::builder()
                .limit(2)
                .period(QuotaPeriodType::Month)
                .build(),
        )
        .api_stages(ApiStage::builder().api_id(api).stage("prod").build())
        .send()
        .await?;
    let rate = plan.throttle().map(|throttle| throttle.rate_limit());
    checks.equal("create_usage_plan throttle", rate, Some(50.5));
    let quota = plan
        .quota()
        .map(|quota| (quota.limit(), quota.period().cloned()));
    checks.equal(
        "create_usage_plan quota",
        quota,
        Some((2, Some(QuotaPeriodType::Month))),
    );
    Ok(plan.id().unwrap_or_default().to_owned())
}

async fn metering(
    client: &Client,
    checks: &mut Checks,
    plan: &str,
    key: &str,
) -> Result<(), Box<dyn Error>> {
    let extended = client
        .update_usage()
        .usage_plan_id(plan)
        .key_id(key)
        .patch_operations(patch(Op::Replace, "/remaining", "1"))
        .send()
        .await?;
    let days = extended.items().and_then(|items| items.get(key));
    checks.equal(
        "update_usage",
        days.and_then(|days| days.last()),
        Some(&vec![2, 1]),
    );
    let (start, end) = (
        extended.start_date().unwrap_or_default(),
        extended.end_date().unwrap_or_default(),
    );
    let usage = client
        .get_usage()
        .usage_plan_id(plan)
        .start_date(start)
        .end_date(end)
        .send()
        .await?;
    let days = usage.items().and_then(|items| items.get(key));
    checks.equal(
        "get_usage",
        days.and_then(|days| days.last()),
        Some(&vec![2, 1]),
    );
    let listed = client
        .get_usage_plans()
        .into_paginator()
        .items()
        .send()
        .try_collect()
        .await?;
    checks.equal("paginated get_usage_plans", listed.len(), 1);
    Ok(())
}

/// Errors arrive as the SDK's own variants.
async fn errors(client: &Client, checks: &mut Checks, value: &str) {
    let unknown = client
        .get_rest_api()
        .rest_api_id("nothere")
        .send()
        .await
        .expect_err("refused")
        .into_service_error();
    checks.equal("NotFoundException", unknown.is_not_found_exception(), true);
    let twice = client
        .create_api_key()
        .value(value)
        .send()
        .await
        .expect_err("refused")
        .into_service_error();
    checks.equal("ConflictException", twice.is_conflict_exception(), true);
    let short = client
        .create_api_key()
        .value("short")
        .send()
        .await
        .expect_err("refused")
        .into_service_error();
    checks.equal(
        "BadRequestException",
        (short.is_bad_request_exception(), short.message()),
        (true, Some("API Key value should be at least 20 characters")),
    );
}

async fn import(client: &Client, checks: &mut Checks) -> Result<(), Box<dyn Error>> {
    let csv = "name,key\nimported,imported-rust-0123456789\n";
    let done = client
        .import_api_keys()
        .format(ApiKeysFormat::Csv)
        .fail_on_warnings(true)
        .body(Blob::new(csv))
        .send()
        .await?;
    checks.equal("import_api_keys", done.ids().len(), 1);
    let id = done.ids().first().cloned().unwrap_or_default();
    let key = client
        .get_api_key()
        .api_key(&id)
        .include_value(true)
        .send()
        .await?;
    checks.equal(
        "an imported key",
        (key.value(), key.enabled()),
        (Some("imported-rust-0123456789"), true),
    );
    client.delete_api_key().api_key(id).send().await?;
    Ok(())
}

async fn take_down(
    client: &Client,
    checks: &mut Checks,
    api: &str,
    resource: &str,
    plan: &str,
    key: &str,
) -> Result<(), Box<dyn Error>> {
    let stage = format!("{api}:prod");
    client
        .update_usage_plan()
        .usage_plan_id(plan)
        .patch_operations(patch(Op::Remove, "/apiStages", &stage))
        .send()
        .await?;
    client
        .delete_usage_plan()
        .usage_plan_id(plan)
        .send()
        .await?;
    client.delete_api_key().api_key(key).send().await?;
    client
        .delete_resource()
        .rest_api_id(api)
        .resource_id(resource)
        .send()
        .await?;
    client.delete_rest_api().rest_api_id(api).send().await?;
    let left = client.get_rest_apis().send().await?;
    checks.equal("nothing is left", left.items().len(), 0);
    Ok(())
}

fn patch(op: Op, path: &str, value: &str) -> PatchOperation {
    PatchOperation::builder()
        .op(op)
        .path(path)
        .value(value)
        .build()
}

/// A call of the data plane: its status.
fn call(target: &str, key: Option<&str>) -> Result<u16, Box<dyn Error>> {
    let mut stream = TcpStream::connect(std::env::var("DATA_PLANE")?)?;
    let key = key.map_or(String::new(), |key| format!("x-api-key: {key}\r\n"));
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n{key}\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).ok_or("no status")?;
    Ok(status.parse()?)
}
