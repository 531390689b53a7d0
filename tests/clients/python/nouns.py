"""The nouns of an API's definition through boto3: each made, read, listed in pages, changed, refused once, removed."""

import json

MOCK = {"application/json": '{"statusCode": 200}'}


def replace(path, value):
    return [{"op": "replace", "path": path, "value": value}]


# Of each noun: its operations' name, the member that names one, what makes it, a patch, the changed member, what is
# refused in its making.
TABLE = [
    ("model", "models", "modelName", dict(name="Pet", contentType="application/json", schema='{"type": "object"}'), "name",
     replace("/description", "d"), ("description", "d"), dict(name="not a name", contentType="application/json")),
    ("request_validator", "request_validators", "requestValidatorId", dict(name="v", validateRequestBody=True), "id",
     replace("/validateRequestParameters", "true"), ("validateRequestParameters", True), None),
    ("authorizer", "authorizers", "authorizerId", dict(name="a", type="COGNITO_USER_POOLS", identitySource="method.request.header.A", providerARNs=["arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_A"]), "id",
     replace("/name", "b"), ("name", "b"), dict(name="x", type="TOKEN")),
    ("documentation_part", "documentation_parts", "documentationPartId", dict(location={"type": "API"}, properties='{"info": {"description": "d"}}'), "id",
     replace("/properties", '{"info": {"description": "e"}}'), ("properties", '{"info": {"description": "e"}}'), dict(location={"type": "MODEL"}, properties="{}")),
    ("documentation_version", "documentation_versions", "documentationVersion", dict(documentationVersion="1"), "version",
     replace("/description", "d"), ("description", "d"), dict(documentationVersion="1")),
]


def of_an_api(check, refused, client):
    api = client.create_rest_api(name="nouns")
    one = {"restApiId": api["id"]}
    for noun, plural, argument, made_of, named, patch, (member, value), bad in TABLE:
        operation = lambda verb, name=noun: getattr(client, f"{verb}_{name}")
        made = operation("create")(**one, **made_of)
        it = {**one, argument: made[named]}
        check.equal(f"create_{noun}", made["ResponseMetadata"]["HTTPStatusCode"], 201)
        check.equal(f"get_{noun}", operation("get")(**it)[named], made[named])
        changed = operation("update")(**it, patchOperations=patch)
        check.equal(f"update_{noun}", changed[member], value)
        listed, position = [], None
        while True:
            page = operation("get", plural)(**one, limit=1, **({"position": position} if position else {}))
            listed += [item[named] for item in page["items"]]
            position = page.get("position")
            if not position:
                break
        check(f"get_{plural} in pages of one", made[named] in listed and len(listed) == len(set(listed)), listed)
        refused(f"update_{noun} of another path", client, "BadRequestException", 400, None, operation("update"), **it, patchOperations=replace("/nonsense", "x"))
        if bad is not None:
            refused(f"create_{noun} of something bad", client, "ConflictException" if noun == "documentation_version" else "BadRequestException", 409 if noun == "documentation_version" else 400, None, operation("create"), **one, **bad)
        check.equal(f"delete_{noun}", operation("delete")(**it)["ResponseMetadata"]["HTTPStatusCode"], 202)
        refused(f"a {noun} that is gone", client, "NotFoundException", 404, None, operation("get"), **it)
    documentation(check, client, one)
    gateway_responses(check, refused, client, one)
    client.delete_rest_api(**one)


def documentation(check, client, one):
    parts = [{"location": {"type": "API"}, "properties": {"title": "t"}}, {"location": {"type": "RESOURCE", "path": "/a"}, "properties": {"description": "d"}}]
    definition = {"openapi": "3.0.1", "info": {"title": "t", "version": "1"}, "paths": {}, "x-amazon-apigateway-documentation": {"version": "1", "documentationParts": parts}}
    done = client.import_documentation_parts(**one, mode="merge", body=json.dumps(definition).encode())
    check.equal("import_documentation_parts", (len(done["ids"]), done.get("warnings", [])), (2, []))


def gateway_responses(check, refused, client, one):
    check("get_gateway_responses has every type", len(client.get_gateway_responses(**one)["items"]) > 15)
    it = {**one, "responseType": "THROTTLED"}
    check.equal("get_gateway_response as it comes", (client.get_gateway_response(**it)["statusCode"], client.get_gateway_response(**it)["defaultResponse"]), ("429", True))
    made = client.put_gateway_response(**it, statusCode="420", responseTemplates={"application/json": "{}"})
    check.equal("put_gateway_response", (made["statusCode"], made["defaultResponse"]), ("420", False))
    changed = client.update_gateway_response(**it, patchOperations=replace("/statusCode", "421"))
    check.equal("update_gateway_response", changed["statusCode"], "421")
    refused("a response type there is not", client, "ValidationException", 400, None, client.put_gateway_response, **one, responseType="NONSENSE")
    client.delete_gateway_response(**it)
    check.equal("delete_gateway_response", client.get_gateway_response(**it)["statusCode"], "429")


def of_a_method(check, refused, client):
    """Every operation on methods, integrations, their responses, deployments and stages that the core has not."""
    api = client.create_rest_api(name="methods")
    one = {"restApiId": api["id"]}
    resource = {**one, "resourceId": api["rootResourceId"]}
    check.equal("get_resource", client.get_resource(**resource)["path"], "/")
    method = {**resource, "httpMethod": "GET"}
    answer = {**method, "statusCode": "200"}
    client.put_method(**method, authorizationType="NONE")
    check.equal("update_method", client.update_method(**method, patchOperations=replace("/operationName", "o"))["operationName"], "o")
    client.put_integration(**method, type="MOCK", requestTemplates=MOCK)
    check.equal("update_integration", client.update_integration(**method, patchOperations=replace("/passthroughBehavior", "NEVER"))["passthroughBehavior"], "NEVER")
    check.equal("get_integration", client.get_integration(**method)["type"], "MOCK")
    client.put_method_response(**answer)
    check.equal("get_method_response", client.get_method_response(**answer)["statusCode"], "200")
    client.put_integration_response(**answer)
    check.equal("update_integration_response", client.update_integration_response(**answer, patchOperations=replace("/selectionPattern", "2.*"))["selectionPattern"], "2.*")
    check.equal("get_integration_response", client.get_integration_response(**answer)["selectionPattern"], "2.*")
    check.equal("get_method", client.get_method(**method)["methodIntegration"]["integrationResponses"]["200"]["selectionPattern"], "2.*")
    refused("an integration's path that is not for patches", client, "BadRequestException", 400, None, client.update_integration, **method, patchOperations=replace("/type", "HTTP"))
    first = client.create_deployment(**one, stageName="s")["id"]
    second = client.create_deployment(**one)["id"]
    it = {**one, "deploymentId": second}
    check.equal("update_deployment", client.update_deployment(**it, patchOperations=replace("/description", "d"))["description"], "d")
    pages = client.get_paginator("get_deployments").paginate(**one, PaginationConfig={"PageSize": 1})
    check.equal("paginator get_deployments", sorted(d["id"] for page in pages for d in page["items"]), sorted([first, second]))
    stage = {**one, "stageName": "s"}
    client.update_stage(**stage, patchOperations=replace("/canarySettings/percentTraffic", "10") + replace("/canarySettings/deploymentId", second))
    check.equal("canary settings are stored", client.get_stage(**stage)["canarySettings"]["percentTraffic"], 10.0)
    for flush in (client.flush_stage_cache, client.flush_stage_authorizers_cache):
        check.equal("a flush", flush(**stage)["ResponseMetadata"]["HTTPStatusCode"], 202)
    exported = json.loads(client.get_export(**stage, exportType="oas30", parameters={"extensions": "apigateway"})["body"].read())
    check.equal("get_export", list(exported["paths"]["/"]), ["get"])
    refused("an export there is not", client, "BadRequestException", 400, None, client.get_export, **stage, exportType="raml")
    refused("get_sdk", client, "NotImplementedException", 501, None, client.get_sdk, **stage, sdkType="javascript")
    types = client.get_sdk_types()["items"]
    check.equal("get_sdk_type", client.get_sdk_type(id=types[0]["id"])["id"], types[0]["id"])
    model = {**one, "modelName": "Empty"}
    check("get_model_template", client.get_model_template(**model)["ResponseMetadata"]["HTTPStatusCode"] == 200)
    for name in ("delete_integration_response", "delete_method_response"):
        check.equal(name, getattr(client, name)(**answer)["ResponseMetadata"]["HTTPStatusCode"], 204)
    check.equal("delete_integration", client.delete_integration(**method)["ResponseMetadata"]["HTTPStatusCode"], 204)
    client.delete_stage(**stage)
    check.equal("delete_deployment", client.delete_deployment(**it)["ResponseMetadata"]["HTTPStatusCode"], 202)
    client.delete_rest_api(**one)
