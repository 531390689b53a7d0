"""The control plane through boto3: the core walk, defaults, orders, texts of errors, exception classes, paginators."""

import datetime
import os
import sys
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import bad_input
import nouns
from gateway import REGION, Checks, Gateway, Upstream, clear_of_midnight, today

check = Checks()
MOCK = {"application/json": '{"statusCode": 200}'}


def refused(what, /, client, exception, status, message, operation, **arguments):
    """The call must end in this modelled exception with this text; a text of None may be anything."""
    try:
        answer = operation(**arguments)
    except ClientError as error:
        seen = (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Message"])
        modelled = getattr(client.exceptions, exception, None)
        check(f"{what}: class", modelled is None or isinstance(error, modelled), type(error).__name__)
        check.equal(what, seen, (exception, status, seen[2] if message is None else message))
    else:
        check(what, False, f"not refused: {answer}")


def refusal(operation, **arguments):
    """The error's class, status and text; None where there was none."""
    try:
        operation(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Message"]
    return None


def without_metadata(answer):
    return {k: v for k, v in answer.items() if k != "ResponseMetadata"}


def call(gateway, path, key=None):
    request = urllib.request.Request(gateway.data + path, headers={"x-api-key": key} if key else {})
    try:
        return urllib.request.urlopen(request, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code


def core(client, gateway, upstream):
    """From an API to a metered call and back."""
    api = client.create_rest_api(name="core", description="d", tags={"team": "a"}, endpointConfiguration={"types": ["REGIONAL"]})
    check.equal("create_rest_api status", api["ResponseMetadata"]["HTTPStatusCode"], 201)
    check("createdDate is a date", isinstance(api["createdDate"], datetime.datetime))
    check.equal("create_rest_api", (api["name"], api["apiKeySource"], api["disableExecuteApiEndpoint"], api["tags"]), ("core", "HEADER", False, {"team": "a"}))
    api_id = api["id"]
    root = client.get_resources(restApiId=api_id)["items"][0]
    check.equal("the root resource", (root["path"], root["id"]), ("/", api["rootResourceId"]))
    pets = client.create_resource(restApiId=api_id, parentId=root["id"], pathPart="pets")
    pet = client.create_resource(restApiId=api_id, parentId=pets["id"], pathPart="{petId}")
    check.equal("create_resource", (pet["path"], pet["parentId"]), ("/pets/{petId}", pets["id"]))
    method = {"restApiId": api_id, "resourceId": pets["id"], "httpMethod": "GET"}
    made = client.put_method(**method, authorizationType="NONE", apiKeyRequired=True)
    check.equal("put_method", without_metadata(made), {"httpMethod": "GET", "authorizationType": "NONE", "apiKeyRequired": True})
    client.put_method_response(**method, statusCode="200", responseModels={"application/json": "Empty"})
    made = client.put_integration(**method, type="HTTP_PROXY", integrationHttpMethod="GET", uri=upstream.url + "/pets")
    shown = {k: made[k] for k in ("type", "httpMethod", "uri", "connectionType", "passthroughBehavior", "timeoutInMillis", "cacheNamespace", "cacheKeyParameters")}
    check.equal("put_integration", shown, {
        "type": "HTTP_PROXY", "httpMethod": "GET", "uri": upstream.url + "/pets", "connectionType": "INTERNET",
        "passthroughBehavior": "WHEN_NO_MATCH", "timeoutInMillis": 29000, "cacheNamespace": pets["id"], "cacheKeyParameters": [],
    })
    mock = {**method, "resourceId": pet["id"]}
    client.put_method(**mock, authorizationType="NONE", apiKeyRequired=True)
    client.put_integration(**mock, type="MOCK", requestTemplates=MOCK)
    client.put_method_response(**mock, statusCode="200")
    client.put_integration_response(**mock, statusCode="200", responseTemplates={"application/json": '{"pet": 1}'})
    resources = client.get_resources(restApiId=api_id, embed=["methods"])["items"]
    check.equal("get_resources is sorted by path", [r["path"] for r in resources], ["/", "/pets", "/pets/{petId}"])
    check.equal("embed=methods", resources[1]["resourceMethods"]["GET"]["methodIntegration"]["type"], "HTTP_PROXY")
    check.equal("without embed", client.get_resources(restApiId=api_id)["items"][1]["resourceMethods"], {"GET": {}})
    deployment = client.create_deployment(restApiId=api_id, stageName="prod", description="first")
    stage = client.get_stage(restApiId=api_id, stageName="prod")
    check.equal("get_stage", (stage["deploymentId"], stage["methodSettings"], stage["cacheClusterStatus"]), (deployment["id"], {}, "NOT_AVAILABLE"))
    plan = client.create_usage_plan(
        name="plan", throttle={"rateLimit": 100.5, "burstLimit": 200}, quota={"limit": 3, "period": "WEEK", "offset": 1},
        apiStages=[{"apiId": api_id, "stage": "prod", "throttle": {"/pets/GET": {"rateLimit": 50.0, "burstLimit": 60}}}],
    )
    check.equal("create_usage_plan", (plan["throttle"]["rateLimit"], plan["quota"]["offset"], plan["apiStages"][0]["throttle"]), (100.5, 1, {"/pets/GET": {"rateLimit": 50.0, "burstLimit": 60}}))
    check("no tags in a create without tags", "tags" not in plan, plan)
    key = client.create_api_key(name="key", enabled=True)
    attached = client.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    check.equal("create_usage_plan_key", without_metadata(attached), {"id": key["id"], "type": "API_KEY", "value": key["value"], "name": "key"})
    prod = f"/{api_id}/prod"
    check.equal("calls until the quota is used up", [call(gateway, prod + "/pets", key["value"]), call(gateway, prod + "/pets/1", key["value"]), call(gateway, prod + "/pets", key["value"]), call(gateway, prod + "/pets", key["value"])], [200, 200, 200, 429])
    check.equal("the upstream saw its share", len(upstream.seen), 2)
    usage = client.get_usage(usagePlanId=plan["id"], startDate=today(), endDate=today())
    check.equal("get_usage", usage["items"], {key["id"]: [[3, 0]]})
    usage = client.update_usage(usagePlanId=plan["id"], keyId=key["id"], patchOperations=[{"op": "replace", "path": "/remaining", "value": "1"}])
    check.equal("update_usage", usage["items"][key["id"]][-1], [3, 1])
    check.equal("the extension holds", [call(gateway, prod + "/pets", key["value"]), call(gateway, prod + "/pets", key["value"])], [200, 429])
    stages_and_deployments(client, api_id, deployment["id"])
    client.delete_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"])
    client.update_usage_plan(usagePlanId=plan["id"], patchOperations=[{"op": "remove", "path": "/apiStages", "value": f"{api_id}:prod"}])
    check.equal("delete_usage_plan", client.delete_usage_plan(usagePlanId=plan["id"])["ResponseMetadata"]["HTTPStatusCode"], 202)
    check.equal("delete_api_key", client.delete_api_key(apiKey=key["id"])["ResponseMetadata"]["HTTPStatusCode"], 202)
    check.equal("delete_method", client.delete_method(**method)["ResponseMetadata"]["HTTPStatusCode"], 204)
    client.delete_stage(restApiId=api_id, stageName="prod")
    check.equal("delete_rest_api", client.delete_rest_api(restApiId=api_id)["ResponseMetadata"]["HTTPStatusCode"], 202)


def stages_and_deployments(client, api, deployment):
    refused("a deployment a stage points at", client, "BadRequestException", 400, "Active stages pointing to this deployment must be moved or deleted",
            client.delete_deployment, restApiId=api, deploymentId=deployment)
    summary = client.get_deployment(restApiId=api, deploymentId=deployment, embed=["apisummary"])["apiSummary"]
    check.equal("embed=apisummary", summary["/pets"], {"GET": {"authorizationType": "NONE", "apiKeyRequired": True}})
    stage = client.update_stage(restApiId=api, stageName="prod", patchOperations=[
        {"op": "replace", "path": "/description", "value": "live"},
        {"op": "replace", "path": "/variables/colour", "value": "blue"},
        {"op": "replace", "path": "/*/*/throttling/burstLimit", "value": "123"},
        {"op": "replace", "path": "/~1pets~1{petId}/GET/throttling/rateLimit", "value": "7.5"},
    ])
    check.equal("update_stage", (stage["description"], stage["variables"]), ("live", {"colour": "blue"}))
    check.equal("a method setting starts from the defaults", stage["methodSettings"]["*/*"], {
        "metricsEnabled": False, "dataTraceEnabled": False, "throttlingBurstLimit": 123, "throttlingRateLimit": 10000.0, "cachingEnabled": False,
        "cacheTtlInSeconds": 300, "cacheDataEncrypted": False, "requireAuthorizationForCacheControl": True,
        "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
    })
    check.equal("its key is as it was sent", stage["methodSettings"]["~1pets~1{petId}/GET"]["throttlingRateLimit"], 7.5)
    stage = client.update_stage(restApiId=api, stageName="prod", patchOperations=[{"op": "remove", "path": "/*/*"}])
    check.equal("a setting can be removed", list(stage["methodSettings"]), ["~1pets~1{petId}/GET"])
    refused("a setting that is not there", client, "BadRequestException", 400, "Cannot remove method setting */* because there is no method setting for this method ",
            client.update_stage, restApiId=api, stageName="prod", patchOperations=[{"op": "remove", "path": "/*/*"}])
    other = client.create_stage(restApiId=api, stageName="beta", deploymentId=deployment, variables={"a": "1"}, tags={"x": "y"})
    check.equal("create_stage", (other["stageName"], other["variables"], other["tags"]), ("beta", {"a": "1"}, {"x": "y"}))
    refused("a stage twice", client, "ConflictException", 409, "Stage already exists", client.create_stage, restApiId=api, stageName="beta", deploymentId=deployment)
    refused("a stage of no deployment", client, "BadRequestException", 400, "Deployment id does not exist", client.create_stage, restApiId=api, stageName="gamma", deploymentId="nothere")
    check.equal("get_stages", sorted(s["stageName"] for s in client.get_stages(restApiId=api)["item"]), ["beta", "prod"])
    client.delete_stage(restApiId=api, stageName="beta")
    refused("an unknown stage", client, "NotFoundException", 404, "Invalid stage identifier specified", client.delete_stage, restApiId=api, stageName="beta")


def api_keys(client):
    made = client.create_api_key()
    check.equal("create_api_key defaults", (made["enabled"], made["stageKeys"], "name" in made, "tags" in made, len(made["value"])), (False, [], False, False, 40))
    check.equal("both dates are the same", made["createdDate"], made["lastUpdatedDate"])
    shown = client.get_api_key(apiKey=made["id"])
    check.equal("get_api_key", ("value" in shown, shown["tags"]), (False, {}))
    check.equal("get_api_key with its value", client.get_api_key(apiKey=made["id"], includeValue=True)["value"], made["value"])
    patched = client.update_api_key(apiKey=made["id"], patchOperations=[{"op": "replace", "path": "/name", "value": "n"}, {"op": "replace", "path": "/enabled", "value": "not-a-boolean"}])
    check.equal("update_api_key", (patched["name"], patched["enabled"], "value" in patched, patched["tags"]), ("n", False, False, {}))
    bad = {"client": client, "exception": "BadRequestException", "status": 400}
    refused("a short value", **bad, message="API Key value should be at least 20 characters", operation=client.create_api_key, value="short")
    refused("a long value", **bad, message="API Key value exceeds maximum size of 128 characters", operation=client.create_api_key, value="v" * 129)
    refused("a long name", **bad, message="Invalid API Key name, can be at most 1024 characters.", operation=client.create_api_key, name="n" * 1025)
    refused("a long description", **bad, message="Invalid API Key description specified.", operation=client.create_api_key, description="d" * 125001)
    refused("a path that is not for patches", **bad, operation=client.update_api_key, apiKey=made["id"], patchOperations=[{"op": "replace", "path": "/id", "value": "x"}],
            message="Invalid patch path  '/id' specified for op 'replace'. Must be one of: [/description, /enabled, /name, /customerId]")
    refused("an unknown key", client, "NotFoundException", 404, "Invalid API Key identifier specified", client.get_api_key, apiKey="nothere")
    refused("a value twice", client, "ConflictException", 409, "API Key already exists", client.create_api_key, value=made["value"])
    client.delete_api_key(apiKey=made["id"])


def lists_and_pages(client):
    names = ["Alpha one", "Alpha two", "beta", "alpha"]
    made = [client.create_api_key(name=name, customerId="c-" + name[:1])["id"] for name in names]
    listed = client.get_api_keys(includeValues=True)["items"]
    check.equal("get_api_keys is newest first", [k["id"] for k in listed], made[::-1])
    check("with values when asked", all("value" in k for k in listed) and all("value" not in k for k in client.get_api_keys()["items"]))
    for query, expected in (("Alpha", 2), ("alpha", 1), ("lpha", 0), ("one", 0), ("beta", 1)):
        check.equal(f"nameQuery {query}", len(client.get_api_keys(nameQuery=query)["items"]), expected)
    check.equal("customerId", len(client.get_api_keys(customerId="c-A")["items"]), 2)
    check.equal("a limit out of range is the default", len(client.get_api_keys(limit=-1)["items"]), 4)
    pages = list(client.get_paginator("get_api_keys").paginate(PaginationConfig={"PageSize": 1}))
    check.equal("paginator get_api_keys", [k["id"] for page in pages for k in page["items"]], made[::-1])
    check.equal("one a page", {len(page["items"]) for page in pages[:4]}, {1})
    plan = client.create_usage_plan(name="pages")["id"]
    for key in made:
        client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    pages = client.get_paginator("get_usage_plan_keys").paginate(usagePlanId=plan, PaginationConfig={"PageSize": 3})
    check.equal("paginator get_usage_plan_keys", [k["id"] for page in pages for k in page["items"]], made[::-1])
    check.equal("get_usage_plan_keys of no plan", client.get_usage_plan_keys(usagePlanId="nothere")["items"], [])
    plans = [plan] + [client.create_usage_plan(name=f"p{n}")["id"] for n in range(3)]
    pages = client.get_paginator("get_usage_plans").paginate(PaginationConfig={"PageSize": 2})
    check.equal("paginator get_usage_plans", sorted(p["id"] for page in pages for p in page["items"]), sorted(plans))
    check.equal("get_usage_plans of a key", [p["id"] for p in client.get_usage_plans(keyId=made[0])["items"]], [plan])
    apis = [client.create_rest_api(name=f"a{n}")["id"] for n in range(3)]
    pages = client.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 2})
    check.equal("paginator get_rest_apis", sorted(a["id"] for page in pages for a in page["items"]), sorted(apis))
    pages = client.get_paginator("get_resources").paginate(restApiId=apis[0], PaginationConfig={"PageSize": 1})
    check.equal("paginator get_resources", [r["path"] for page in pages for r in page["items"]], ["/"])
    client.delete_api_key(apiKey=made[0])
    check.equal("a deleted key is in no plan", len(client.get_usage_plan_keys(usagePlanId=plan)["items"]), 3)
    for key in made[1:]:
        client.delete_api_key(apiKey=key)
    for one in plans:
        client.delete_usage_plan(usagePlanId=one)
    for one in apis:
        client.delete_rest_api(restApiId=one)
    check.equal("nothing is an empty list", client.get_api_keys()["items"], [])


def usage_plans(client):
    bad = {"client": client, "exception": "BadRequestException", "status": 400, "operation": client.create_usage_plan, "name": "n"}
    quota = "Usage Plan quota "
    refused("a period there is not", **bad, message="Invalid Usage Plan quota period specified. Must be one of [DAY, WEEK, MONTH]", quota={"limit": 1, "period": "YEAR"})
    refused("a negative limit", **bad, message=quota + "limit must be a non-negative numeric", quota={"limit": -1, "period": "DAY"})
    refused("a day with an offset", **bad, message=quota + "offset must be zero in the DAY period", quota={"limit": 1, "period": "DAY", "offset": 1})
    refused("a week with offset 7", **bad, message=quota + "offset must be between 0 and 6 inclusive in the WEEK period", quota={"limit": 1, "period": "WEEK", "offset": 7})
    refused("a month with offset 28", **bad, message=quota + "offset must be between 0 and 27 inclusive in the MONTH period", quota={"limit": 1, "period": "MONTH", "offset": 28})
    refused("a blank stage", **bad, message="Invalid API Stage {api: %s, stage: %s} specified for usageplan %s", apiStages=[{"apiId": "", "stage": ""}])
    refused("a stage there is not", client, "NotFoundException", 404, "API Stage not found: x:y", client.create_usage_plan, name="n", apiStages=[{"apiId": "x", "stage": "y"}])
    refused("an unknown plan", client, "NotFoundException", 404, "Invalid Usage Plan ID specified", client.get_usage_plan, usagePlanId="nothere")
    plan = client.create_usage_plan(name="n", tags={"a": "b"})
    check.equal("create_usage_plan", (plan["apiStages"], plan["tags"], "quota" in plan, "throttle" in plan), ([], {"a": "b"}, False, False))
    replaced = [("/throttle/burstLimit", "100"), ("/throttle/rateLimit", "200"), ("/quota/limit", "5000"), ("/quota/period", "MONTH")]
    patched = client.update_usage_plan(usagePlanId=plan["id"], patchOperations=[{"op": "replace", "path": p, "value": v} for p, v in replaced])
    check.equal("replace makes what is missing", (patched["quota"], patched["throttle"]), ({"limit": 5000, "offset": 0, "period": "MONTH"}, {"burstLimit": 100, "rateLimit": 200.0}))
    patch = {"client": client, "operation": client.update_usage_plan, "usagePlanId": plan["id"]}
    refused("removing no stage", exception="BadRequestException", status=400, message="Invalid API Stage specified", patchOperations=[{"op": "remove", "path": "/apiStages"}], **patch)
    refused("removing half a stage", exception="BadRequestException", status=400, message="Invalid API Stage specified", patchOperations=[{"op": "remove", "path": "/apiStages", "value": "fakevalue"}], **patch)
    refused("removing a stage that is not there", exception="NotFoundException", status=404, message=f"Invalid API Stage {{api: x, stage: dev}} specified for usageplan {plan['id']}",
            patchOperations=[{"op": "remove", "path": "/apiStages", "value": "x:dev"}], **patch)
    refused("removing by path", exception="BadRequestException", status=400, patchOperations=[{"op": "remove", "path": "/apiStages/x:dev"}], **patch,
            message="Invalid patch path  '/apiStages/x:dev' specified for op 'remove'. Must be one of: [/apiStages, /quota, /throttle, /productCode, "
                    "/apiStages/<apidId:stageName>/throttle/<resourcePath>/<httpMethod>, /apiStages/<apidId:stageName>/throttle]")
    key = client.create_api_key(name="k")["id"]
    client.create_usage_plan_key(usagePlanId=plan["id"], keyId=key, keyType="API_KEY")
    refused("a key twice", client, "ConflictException", 409, None, client.create_usage_plan_key, usagePlanId=plan["id"], keyId=key, keyType="API_KEY")
    refused("an unknown key for a plan", client, "NotFoundException", 404, "Invalid API Key identifier specified", client.create_usage_plan_key, usagePlanId=plan["id"], keyId="nothere", keyType="API_KEY")
    refused("another key type", client, "BadRequestException", 400, None, client.create_usage_plan_key, usagePlanId=plan["id"], keyId=key, keyType="PASSWORD")
    client.delete_usage_plan(usagePlanId=plan["id"])
    check.equal("the key outlives its plan", client.get_api_key(apiKey=key)["id"], key)
    client.delete_api_key(apiKey=key)


def rest_apis(client):
    refused("an API without methods", client, "BadRequestException", 400, "The REST API doesn't contain any methods", client.create_deployment,
            restApiId=(api := client.create_rest_api(name="a"))["id"], stageName="s")
    one = {"restApiId": api["id"]}
    shown = client.get_rest_api(**one)
    check.equal("get_rest_api", (shown["endpointConfiguration"], shown["tags"], "description" in shown), ({"types": ["EDGE"], "ipAddressType": "ipv4"}, {}, False))
    refused("an id in capitals", client, "NotFoundException", 404, None, client.get_rest_api, restApiId=api["id"].upper() + "X")
    check.equal("the models of every API", [m["name"] for m in client.get_models(**one)["items"]], ["Empty", "Error"])
    check("get_model", "Empty Schema" in client.get_model(**one, modelName="Empty")["schema"])
    pets = client.create_resource(**one, parentId=api["rootResourceId"], pathPart="pets")
    refused("a sibling twice", client, "ConflictException", 409, "Another resource with the same parent already has this name: pets", client.create_resource, **one, parentId=api["rootResourceId"], pathPart="pets")
    proxy = client.create_resource(**one, parentId=pets["id"], pathPart="{proxy+}")
    refused("two variables", client, "BadRequestException", 400, "A sibling ({proxy+}) of this resource already has a variable path part -- only one is allowed", client.create_resource, **one, parentId=pets["id"], pathPart="{x}")
    refused("below greedy", client, "BadRequestException", 400, "Cannot create a child of a resource with a greedy path variable: {proxy+}", client.create_resource, **one, parentId=proxy["id"], pathPart="x")
    refused("bad characters", client, "BadRequestException", 400, None, client.create_resource, **one, parentId=pets["id"], pathPart="a b")
    moved = client.update_resource(**one, resourceId=proxy["id"], patchOperations=[{"op": "replace", "path": "/pathPart", "value": "{rest+}"}])
    check.equal("update_resource", moved["path"], "/pets/{rest+}")
    method = {**one, "resourceId": pets["id"], "httpMethod": "GET"}
    refused("a bad verb", client, "BadRequestException", 400, "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY", client.put_method, **{**method, "httpMethod": "FETCH"}, authorizationType="NONE")
    client.put_method(**method, authorizationType="NONE", requestParameters={"method.request.querystring.q": True})
    refused("a method twice", client, "ConflictException", 409, None, client.put_method, **method, authorizationType="NONE")
    refused("no integration yet", client, "NotFoundException", 404, "Invalid Integration identifier specified", client.get_integration, **method)
    refused("a method without an integration", client, "BadRequestException", 400, "No integration defined for method", client.create_deployment, **one, stageName="s")
    refused("no verb for HTTP", client, "BadRequestException", 400, "Enumeration value for HttpMethod must be non-empty", client.put_integration, **method, type="HTTP_PROXY", uri="http://127.0.0.1/")
    refused("no http address", client, "BadRequestException", 400, "Invalid HTTP endpoint specified for URI", client.put_integration, **method, type="HTTP_PROXY", integrationHttpMethod="GET", uri="ftp://x")
    refused("no integration type", client, "ValidationException", 400, None, client.put_integration, **method, type="MAGIC")
    client.put_method_response(**method, statusCode="200", responseParameters={"method.response.header.X-A": False})
    answer = client.update_method_response(**method, statusCode="200", patchOperations=[{"op": "replace", "path": "/responseParameters/method.response.header.X-A", "value": "true"}])
    check.equal("update_method_response answers 201", (answer["ResponseMetadata"]["HTTPStatusCode"], answer["responseParameters"]), (201, {"method.response.header.X-A": True}))
    patched = client.update_rest_api(**one, patchOperations=[{"op": "replace", "path": "/name", "value": "renamed"}, {"op": "add", "path": "/binaryMediaTypes/image~1png"}])
    check.equal("update_rest_api", (patched["name"], patched["binaryMediaTypes"]), ("renamed", ["image/png"]))
    refused("an unknown API", client, "NotFoundException", 404, "Invalid API identifier specified 000000000000:nothere", client.get_rest_api, restApiId="nothere")
    client.delete_resource(**one, resourceId=pets["id"])
    check.equal("deleting a resource takes what is below it", [r["path"] for r in client.get_resources(**one)["items"]], ["/"])
    client.delete_rest_api(**one)


def tags_and_account(client):
    account = client.get_account()
    check.equal("get_account", (account["throttleSettings"], account["features"]), ({"burstLimit": 5000, "rateLimit": 10000.0}, ["UsagePlans"]))
    role = "arn:aws:iam::000000000000:role/logs"
    check.equal("update_account", client.update_account(patchOperations=[{"op": "replace", "path": "/cloudwatchRoleArn", "value": role}])["cloudwatchRoleArn"], role)
    key, plan, api = client.create_api_key(name="k")["id"], client.create_usage_plan(name="p")["id"], client.create_rest_api(name="a")["id"]
    for path in (f"/apikeys/{key}", f"/usageplans/{plan}", f"/restapis/{api}"):
        arn = f"arn:aws:apigateway:{REGION}::{path}"
        check.equal(f"tag_resource {path[:8]}", client.tag_resource(resourceArn=arn, tags={"a": "1", "b c": "ü"})["ResponseMetadata"]["HTTPStatusCode"], 204)
        client.untag_resource(resourceArn=arn, tagKeys=["a"])
        check.equal(f"get_tags {path[:8]}", client.get_tags(resourceArn=arn)["tags"], {"b c": "ü"})
    check.equal("tags show on the noun", client.get_api_key(apiKey=key)["tags"], {"b c": "ü"})
    refused("tags of nothing", client, "NotFoundException", 404, None, client.get_tags, resourceArn=f"arn:aws:apigateway:{REGION}::/apikeys/nothere")
    refused("a reserved tag", client, "BadRequestException", 400, None, client.tag_resource, resourceArn=f"arn:aws:apigateway:{REGION}::/apikeys/{key}", tags={"aws:x": "y"})
    refused("what makes no sense here", client, "NotImplementedException", 501, None, client.get_domain_name_access_associations)
    client.delete_api_key(apiKey=key), client.delete_usage_plan(usagePlanId=plan), client.delete_rest_api(restApiId=api)


def domain_names(gateway, client):
    """A name of one's own, from its making to a call by it and back; client certificates and VPC links."""
    api = client.create_rest_api(name="shop")
    one = {"restApiId": api["id"]}
    method = {**one, "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    client.put_method(**method, authorizationType="NONE")
    client.put_integration(**method, type="MOCK", requestTemplates=MOCK)
    client.put_method_response(**method, statusCode="200")
    client.put_integration_response(**method, statusCode="200")
    client.create_deployment(**one, stageName="prod")
    domain = {"domainName": "shop.example.com"}
    made = client.create_domain_name(**domain, regionalCertificateArn="arn:aws:acm:us-east-1:000000000000:certificate/a", endpointConfiguration={"types": ["REGIONAL"]}, securityPolicy="TLS_1_2", tags={"a": "b"})
    check.equal("create_domain_name", (made["ResponseMetadata"]["HTTPStatusCode"], made["domainNameStatus"], made["securityPolicy"], made["tags"]), (201, "AVAILABLE", "TLS_1_2", {"a": "b"}))
    check("certificateUploadDate is a date", isinstance(made["certificateUploadDate"], datetime.datetime))
    check.equal("get_domain_names", [d["domainName"] for page in client.get_paginator("get_domain_names").paginate() for d in page["items"]], ["shop.example.com"])
    refused("a name twice", client, "BadRequestException", 400, "The domain name you provided already exists.", client.create_domain_name, **domain)
    mapping = client.create_base_path_mapping(**domain, **one, stage="prod", basePath="v1/shop")
    check.equal("create_base_path_mapping", without_metadata(mapping), {"basePath": "v1/shop", **one, "stage": "prod"})
    check.equal("get_base_path_mapping", without_metadata(client.get_base_path_mapping(**domain, basePath="v1/shop")), without_metadata(mapping))
    client.create_base_path_mapping(**domain, **one)
    check.equal("get_base_path_mappings", [m["basePath"] for m in client.get_base_path_mappings(**domain)["items"]], ["v1/shop", "(none)"])
    by_name = urllib.request.Request(gateway.data + "/v1/shop", headers={"host": "shop.example.com"})
    check.equal("a call by the name", urllib.request.urlopen(by_name, timeout=30).status, 200)
    refused("an API that a name leads to", client, "BadRequestException", 400, "Deleting RestApi failed. Please remove all base path mappings related to the RestApi in your domains: shop.example.com", client.delete_rest_api, **one)
    moved = client.update_base_path_mapping(**domain, basePath="(none)", patchOperations=[{"op": "replace", "path": "/basePath", "value": "v2"}])
    check.equal("update_base_path_mapping", moved["basePath"], "v2")
    for base_path in ("v1/shop", "v2"):
        check.equal("delete_base_path_mapping", client.delete_base_path_mapping(**domain, basePath=base_path)["ResponseMetadata"]["HTTPStatusCode"], 202)
    changed = client.update_domain_name(**domain, patchOperations=[{"op": "replace", "path": "/securityPolicy", "value": "TLS_1_0"}])
    check.equal("update_domain_name", changed["securityPolicy"], "TLS_1_0")
    refused("a truststore", client, "BadRequestException", 400, "mutualTlsAuthentication is not supported yet.", client.create_domain_name, domainName="m.example.com", mutualTlsAuthentication={"truststoreUri": "s3://b/k"})
    client.delete_domain_name(**domain)
    refused("a name that is gone", client, "NotFoundException", 404, "Invalid domain name identifier specified", client.get_domain_name, **domain)

    certificate = client.generate_client_certificate(description="d")
    name = {"clientCertificateId": certificate["clientCertificateId"]}
    check.equal("a client certificate is good for a year", (certificate["expirationDate"] - certificate["createdDate"]).days, 365)
    check("its certificate is shown, its key is not", "BEGIN CERTIFICATE" in certificate["pemEncodedCertificate"] and "PRIVATE" not in str(client.get_client_certificate(**name)))
    stage = client.update_stage(**one, stageName="prod", patchOperations=[{"op": "replace", "path": "/clientCertificateId", "value": name["clientCertificateId"]}])
    check.equal("a stage shows it", stage["clientCertificateId"], name["clientCertificateId"])
    refused("one that a stage shows", client, "BadRequestException", 400, None, client.delete_client_certificate, **name)
    link = client.create_vpc_link(name="l", targetArns=["arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/n/1"])
    check.equal("create_vpc_link", (link["ResponseMetadata"]["HTTPStatusCode"], link["status"]), (202, "AVAILABLE"))
    client.delete_vpc_link(vpcLinkId=link["id"]), client.delete_rest_api(**one), client.delete_client_certificate(**name)
    check.equal("nothing is left", (client.get_vpc_links()["items"], client.get_client_certificates()["items"], client.get_domain_names()["items"]), ([], [], []))


def imports(client):
    csv = "name,key,Enabled\none,import-one-0123456789,\ntwo,import-two-0123456789,FALSE\n"
    done = client.import_api_keys(body=csv.encode(), format="csv", failOnWarnings=True)
    check.equal("import_api_keys", (done["ResponseMetadata"]["HTTPStatusCode"], len(done["ids"]), done.get("warnings", [])), (201, 2, []))
    shown = [client.get_api_key(apiKey=key, includeValue=True) for key in done["ids"]]
    check.equal("enabled unless it says otherwise", [(k["name"], k["enabled"], k["value"]) for k in shown], [("one", True, "import-one-0123456789"), ("two", False, "import-two-0123456789")])
    again = client.import_api_keys(body=csv.replace("one,", "uno,", 1).encode(), format="csv")
    check.equal("the same values are the same keys", (again["ids"], client.get_api_key(apiKey=done["ids"][0])["name"]), (done["ids"], "uno"))
    refused("a file name for a file", client, "BadRequestException", 400, "Missing required column 'Key'", client.import_api_keys, body=b"/tmp/keys.csv", format="csv")
    for key in done["ids"]:
        client.delete_api_key(apiKey=key)


def credentials(gateway, client):
    def with_keys(key, secret):
        return boto3.client("apigateway", endpoint_url=gateway.endpoint, region_name=REGION, aws_access_key_id=key, aws_secret_access_key=secret, config=QUICK)

    key, _ = gateway.keys()
    refused("an unknown access key", client, "UnrecognizedClientException", 403, "The security token included in the request is invalid.", with_keys("AKIAUNKNOWNUNKNOWN00", "x").get_account)
    refused("a wrong secret", client, "InvalidSignatureException", 403, None, with_keys(key, "wrong").get_account)


def note_keys(gateway, client):
    """Every value that the gateway makes or is given is searched for at the end."""
    def made(parsed, **_):
        gateway.note(parsed.get("value"))

    def imported(params, **_):
        body = params["body"]
        lines = (body if isinstance(body, bytes) else body.encode()).decode(errors="replace").splitlines()
        for field in (field for line in lines for field in line.split(",")):
            gateway.note(field.strip())

    client.meta.events.register("after-call.api-gateway.CreateApiKey", made)
    client.meta.events.register("before-call.api-gateway.ImportApiKeys", imported)


QUICK = Config(retries={"max_attempts": 0}, parameter_validation=False)

clear_of_midnight(120)
with Gateway() as gateway, Upstream() as upstream:
    access_key, secret = gateway.keys()
    client = boto3.client("apigateway", endpoint_url=gateway.endpoint, region_name=REGION, aws_access_key_id=access_key, aws_secret_access_key=secret, config=QUICK)
    note_keys(gateway, client)
    check.run(core, client, gateway, upstream)
    for walk in (api_keys, lists_and_pages, usage_plans, rest_apis, tags_and_account, imports):
        check.run(walk, client)
    check.run(domain_names, gateway, client)
    check.run(nouns.of_an_api, check, refused, client)
    check.run(nouns.of_a_method, check, refused, client)
    check.run(bad_input.definitions, check, gateway, client, refusal)
    check.run(credentials, gateway, client)
    check("values to search for were noted", len(gateway.secrets) > 5, len(gateway.secrets))
check.finish()
