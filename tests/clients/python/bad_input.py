"""Definitions and templates that are wrong or hostile: each is refused, the error names the place, nothing is half-applied."""

import json
import urllib.error
import urllib.request

GOOD = {"openapi": "3.0.1", "info": {"title": "good", "version": "1"}, "paths": {"/a": {"get": {"responses": {}, "x-amazon-apigateway-integration": {"type": "mock"}}}}}
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi"))


def definition(paths, **more):
    return json.dumps({**GOOD, "paths": paths, **more}).encode()


def schemas(**of):
    return definition(GOOD["paths"], components={"schemas": of})


# What is sent, and words of which the error must have every one.
TABLE = [
    ("a cyclic $ref among path items", definition({"/loop": {"$ref": "#/paths/~1back"}, "/back": {"$ref": "#/paths/~1loop"}}), ["/paths/~1loop"]),
    ("a $ref to nothing", definition({"/lost": {"get": {"parameters": [{"$ref": "#/components/parameters/Nowhere"}], "responses": {}}}}), ["Nowhere"]),
    ("10 MB", definition(GOOD["paths"], **{"x-filler": "x" * 10_000_000}), ["6291456"]),
    ("a YAML bomb", (BOMB + "openapi: 3.0.1\ninfo: {title: t, version: '1'}\npaths: {}\n").encode(), []),
    ("nothing but brackets", b"[" * 200_000, []),
    ("text that is no definition", b"hello", []),
    ("paths that collide", definition({"/pets/{a}": GOOD["paths"]["/a"], "/pets/{b}": GOOD["paths"]["/a"]}), ["/pets/{"]),
    ("an integration there is not", definition({"/odd": {"get": {"responses": {}, "x-amazon-apigateway-integration": {"type": "magic"}}}}), ["/odd"]),
    ("a resource policy", definition(GOOD["paths"], **{"x-amazon-apigateway-policy": {"Version": "2012-10-17"}}), ["policy"]),
]


def definitions(check, gateway, client, refusal):
    api = client.import_rest_api(body=json.dumps(GOOD).encode())
    before = everything(client)
    for what, body, words in TABLE:
        for name, operation in (("import", client.import_rest_api), ("put", lambda body: client.put_rest_api(restApiId=api["id"], mode="overwrite", body=body))):
            error = refusal(operation, body=body)
            check(f"{name} of {what}: refused", error is not None and 400 <= error[1] < 500, error)
            check(f"{name} of {what}: the error names the place", error is not None and all(word in error[2] for word in words), error)
            check.equal(f"{name} of {what}: nothing is half-applied", everything(client), before)
    unknown_extension(check, client, refusal, api, before)
    looping_templates(check, client, api, gateway)
    client.delete_rest_api(restApiId=api["id"])


def unknown_extension(check, client, refusal, api, before):
    body = definition(GOOD["paths"], **{"x-amazon-apigateway-nonsense": True})
    error = refusal(client.put_rest_api, restApiId=api["id"], mode="overwrite", failOnWarnings=True, body=body)
    check("an unknown extension with failonwarnings: refused by its name", error is not None and "x-amazon-apigateway-nonsense" in error[2], error)
    check.equal("an unknown extension with failonwarnings: nothing is half-applied", everything(client), before)
    done = client.put_rest_api(restApiId=api["id"], mode="overwrite", body=body)
    check("an unknown extension without it: a warning by its name", any("x-amazon-apigateway-nonsense" in warning for warning in done.get("warnings", [])), done.get("warnings"))


def looping_templates(check, client, api, gateway):
    """A template is stored as it is, as on AWS; a call that it would hold up ends with 500, and the log says where."""
    (resource,) = (r for r in client.get_resources(restApiId=api["id"])["items"] if r["path"] == "/a")
    method = {"restApiId": api["id"], "resourceId": resource["id"], "httpMethod": "GET"}
    numbers = "[" + ",".join(["1"] * 900) + "]"
    loops = f"#set($many = {numbers})" + "#foreach($a in $many)" * 4 + "$a" + "#end" * 4
    for what, template, words in (("loops in loops", loops, "the request's mapping: it takes"), ("blocks without an end", "#foreach($a in [1])" * 5000, "the request template for application/json: line 1:")):
        client.put_integration(**method, type="MOCK", requestTemplates={"application/json": template})
        client.create_deployment(restApiId=api["id"], stageName="s")
        check.equal(f"a template of {what}: the call's status", status(f"{gateway.data}/{api['id']}/s/a"), 500)
        with open(gateway.log.name, errors="replace") as log:
            check(f"a template of {what}: the log says why", words in log.read(), f"no line of the log has `{words}`")
    client.delete_stage(restApiId=api["id"], stageName="s")


def status(url):
    try:
        return urllib.request.urlopen(url, timeout=30).status
    except urllib.error.HTTPError as error:
        return error.code


def everything(client):
    apis = client.get_rest_apis()["items"]
    return [(api["id"], api["name"], client.get_resources(restApiId=api["id"], embed=["methods"])["items"],
             [m["name"] for m in client.get_models(restApiId=api["id"])["items"]]) for api in apis]
