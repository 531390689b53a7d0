"""AWS's two guides to usage plans, walked with the real AWS CLI and curl: from no API at all to a quota that is extended."""

import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from gateway import Checks, Gateway, Upstream, clear_of_midnight, today

check = Checks()


class Shell:
    """`aws apigateway` and `curl`, as a person would type them."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.aws_cli = os.environ.get("AWS_CLI", "aws")

    def aws(self, *words):
        """What the command printed, as JSON; fails loudly."""
        done = self.run(*words)
        if done.returncode != 0:
            raise RuntimeError(f"aws apigateway {' '.join(words)}: {done.stderr.strip()}")
        answer = json.loads(done.stdout) if done.stdout.strip() else None
        if words[0] == "create-api-key":
            self.gateway.note(answer["value"])
        return answer

    def refusal(self, *words):
        """What the command said when it was refused."""
        done = self.run(*words)
        return done.stderr.strip() if done.returncode != 0 else f"not refused: {done.stdout}"

    def run(self, *words):
        command = [self.aws_cli, "--endpoint-url", self.gateway.endpoint, "--output", "json", "apigateway", *words]
        return subprocess.run(command, env=self.gateway.environment(), capture_output=True, text=True)

    def curl(self, path, key=None, times=1):
        """One curl for all the calls: a list of (status, message, Retry-After)."""
        command = ["curl", "-s", "-i", *[self.gateway.data + path] * times]
        if key is not None:
            command += ["-H", f"x-api-key: {key}"]
        answers = subprocess.run(command, capture_output=True, text=True).stdout
        heads = re.split(r"(?=HTTP/1\.1 \d{3})", answers)[1:]
        return [answer(head) for head in heads]


def answer(text):
    head, _, body = text.partition("\r\n\r\n") if "\r\n\r\n" in text else text.partition("\n\n")
    retry = re.search(r"(?mi)^retry-after: *(\d+)", head)
    try:
        message = json.loads(body).get("message")
    except ValueError:
        message = body
    return int(head.split()[1]), message, int(retry.group(1)) if retry else None


def walk(gateway, upstream):
    sh = Shell(gateway)
    api, target = make_api(sh, upstream)
    plan = make_plan(sh, api)
    keys = make_keys(sh, plan)
    refuse_bad_keys(sh, api, target, keys)
    use_up(sh, upstream, plan, target, keys["generated"])
    extend(sh, plan, target, keys["generated"])
    manage_keys(sh, plan, target, keys)
    turn_off_the_key(sh, api, target)
    take_down(sh, api, plan, keys)


def make_api(sh, upstream):
    api = sh.aws("create-rest-api", "--name", "pets", "--description", "for the walk")
    check.equal("create-rest-api", (api["name"], api["apiKeySource"]), ("pets", "HEADER"))
    resources = sh.aws("get-resources", "--rest-api-id", api["id"])["items"]
    check.equal("a new API has the root", [r["path"] for r in resources], ["/"])
    pets = sh.aws("create-resource", "--rest-api-id", api["id"], "--parent-id", resources[0]["id"], "--path-part", "pets")
    method = ["--rest-api-id", api["id"], "--resource-id", pets["id"], "--http-method", "GET"]
    made = sh.aws("put-method", *method, "--authorization-type", "NONE", "--no-api-key-required")
    check.equal("put-method without a key requirement", made["apiKeyRequired"], False)
    sh.aws("put-integration", *method, "--type", "HTTP_PROXY", "--integration-http-method", "GET", "--uri", upstream.url + "/pets")
    sh.aws("create-deployment", "--rest-api-id", api["id"], "--stage-name", "prod")
    target = f"/{api['id']}/prod/pets"
    check.equal("an open method answers", sh.curl(target)[0][0], 200)
    updated = sh.aws("update-method", *method, "--patch-operations", "op=replace,path=/apiKeyRequired,value=true")
    check.equal("update-method requires a key", updated["apiKeyRequired"], True)
    check.equal("it does not show before a deployment", sh.curl(target)[0][0], 200)
    sh.aws("create-deployment", "--rest-api-id", api["id"], "--stage-name", "prod", "--description", "with a key")
    check.equal("it shows after it", sh.curl(target)[0][:2], (403, "Forbidden"))
    return {"id": api["id"], "method": method}, target


def make_plan(sh, api):
    made = sh.aws(
        "create-usage-plan", "--name", "free", "--description", "2 a second, 20 a day",
        "--throttle", "burstLimit=10,rateLimit=2", "--quota", "limit=20,offset=0,period=DAY",
        "--api-stages", f"apiId={api['id']},stage=prod",
    )
    check.equal("create-usage-plan throttle", made["throttle"], {"burstLimit": 10, "rateLimit": 2.0})
    check.equal("create-usage-plan quota", made["quota"], {"limit": 20, "offset": 0, "period": "DAY"})
    check.equal("create-usage-plan stages", made["apiStages"], [{"apiId": api["id"], "stage": "prod"}])
    check.equal("get-usage-plan", sh.aws("get-usage-plan", "--usage-plan-id", made["id"]), made | {"tags": {}})
    return made["id"]


def make_keys(sh, plan):
    generated = sh.aws("create-api-key", "--name", "generated", "--enabled")
    check("a generated value has 40 characters", re.fullmatch(r"[A-Za-z0-9]{40}", generated["value"]), generated["value"])
    custom = sh.aws("create-api-key", "--name", "custom", "--enabled", "--value", "my-own-key-value-0123456789")
    check.equal("a custom value is kept", custom["value"], "my-own-key-value-0123456789")
    disabled = sh.aws("create-api-key", "--name", "disabled", "--no-enabled")
    check.equal("a key can be made disabled", disabled["enabled"], False)
    for key in (generated, custom, disabled):
        made = sh.aws("create-usage-plan-key", "--usage-plan-id", plan, "--key-id", key["id"], "--key-type", "API_KEY")
        check.equal(f"create-usage-plan-key {key['name']}", made, {"id": key["id"], "type": "API_KEY", "value": key["value"], "name": key["name"]})
    keys = {"generated": generated, "custom": custom, "disabled": disabled}
    return keys | import_keys(sh, plan)


def import_keys(sh, plan):
    """Both ways: a file of keys, and a file that puts them into plans as well."""
    loose, planned = "imported-alone-0123456789", "imported-planned-0123456789"
    files = {
        "loose.csv": f"name,key\nloose,{loose}\n",
        "planned.csv": f"Name,Key,Description,Enabled,UsagePlanIds\nplanned,{planned},from a file,TRUE,{plan}\n",
    }
    ids = {}
    for value in (loose, planned):
        sh.gateway.note(value)
    for name, text in files.items():
        path = os.path.join(sh.gateway.home, name)
        with open(path, "w") as file:
            file.write(text)
        done = sh.aws("import-api-keys", "--body", "fileb://" + path, "--format", "csv", "--fail-on-warnings")
        check.equal(f"import-api-keys {name}", (len(done["ids"]), done.get("warnings", [])), (1, []))
        ids[name] = done["ids"][0]
    sh.aws("create-usage-plan-key", "--usage-plan-id", plan, "--key-id", ids["loose.csv"], "--key-type", "API_KEY")
    listed = sh.aws("get-usage-plan-keys", "--usage-plan-id", plan)["items"]
    check.equal("get-usage-plan-keys has all five", {k["name"] for k in listed}, {"generated", "custom", "disabled", "loose", "planned"})
    return {"loose": {"id": ids["loose.csv"], "value": loose}, "planned": {"id": ids["planned.csv"], "value": planned}}


def refuse_bad_keys(sh, api, target, keys):
    check.equal("no key: 403 Forbidden", sh.curl(target)[0][:2], (403, "Forbidden"))
    check.equal("a wrong key: 403 Forbidden", sh.curl(target, "not-a-key-of-anyone-0123456789")[0][:2], (403, "Forbidden"))
    check.equal("a disabled key: 403 Forbidden", sh.curl(target, keys["disabled"]["value"])[0][:2], (403, "Forbidden"))
    sh.aws("create-deployment", "--rest-api-id", api["id"], "--stage-name", "beta")
    other = sh.aws("create-usage-plan", "--name", "beta", "--api-stages", f"apiId={api['id']},stage=beta")
    stranger = sh.aws("create-api-key", "--name", "stranger", "--enabled")
    sh.aws("create-usage-plan-key", "--usage-plan-id", other["id"], "--key-id", stranger["id"], "--key-type", "API_KEY")
    check.equal("a key of another plan: 403 Forbidden", sh.curl(target, stranger["value"])[0][:2], (403, "Forbidden"))
    check.equal("the same key where it belongs: 200", sh.curl(target.replace("/prod/", "/beta/"), stranger["value"])[0][0], 200)
    keys["stranger"], keys["other plan"] = stranger, other
    for name in ("custom", "loose", "planned"):
        check.equal(f"the {name} key: 200", sh.curl(target, keys[name]["value"])[0][0], 200)


def use_up(sh, upstream, plan, target, key):
    before = len(upstream.seen)
    answers = sh.curl(target, key["value"], times=16)
    statuses = [status for status, _, _ in answers]
    check.equal("the burst of 10 goes through", statuses[:10], [200] * 10)
    check("then 429 Too Many Requests", (429, "Too Many Requests") in [a[:2] for a in answers], answers)
    check("with Retry-After", all(retry == 1 for status, _, retry in answers if status == 429), answers)
    served, refused = statuses.count(200), None
    while served <= 20 and refused is None:
        status, message, retry = sh.curl(target, key["value"])[0]
        if (status, message) == (429, "Too Many Requests"):
            time.sleep(retry)
        elif status == 200:
            served += 1
        else:
            refused = (status, message)
    check.equal("the 21st call of the day: 429 Limit Exceeded", refused, (429, "Limit Exceeded"))
    check.equal("exactly 20 reached the upstream", (served, len(upstream.seen) - before), (20, 20))
    day = today()
    usage = sh.aws("get-usage", "--usage-plan-id", plan, "--key-id", key["id"], "--start-date", day, "--end-date", day)
    check.equal("get-usage", (usage["startDate"], usage["items"]), (day, {key["id"]: [[20, 0]]}))
    usage = sh.aws("get-usage", "--usage-plan-id", plan, "--start-date", day, "--end-date", day)
    check.equal("get-usage of the whole plan", sum(days[0][0] for days in usage["items"].values()), 23)


def extend(sh, plan, target, key):
    extended = sh.aws("update-usage", "--usage-plan-id", plan, "--key-id", key["id"], "--patch-operations", "op=replace,path=/remaining,value=2")
    check.equal("update-usage", extended["items"][key["id"]][-1], [20, 2])
    answers = []
    while len(answers) < 3:
        status, message, retry = sh.curl(target, key["value"])[0]
        if message == "Too Many Requests":
            time.sleep(retry)
        else:
            answers.append((status, None if status == 200 else message))
    check.equal("two more calls, then Limit Exceeded", answers, [(200, None), (200, None), (429, "Limit Exceeded")])
    refusal = sh.refusal("update-usage", "--usage-plan-id", plan, "--key-id", key["id"], "--patch-operations", "op=add,path=/remaining,value=2")
    check("update-usage knows replace only", "(BadRequestException)" in refusal and "Must be one of: []" in refusal, refusal)


def manage_keys(sh, plan, target, keys):
    value, key = keys["custom"]["value"], keys["custom"]["id"]
    sh.aws("update-api-key", "--api-key", key, "--patch-operations", "op=replace,path=/enabled,value=false")
    check.equal("a key disabled by update-api-key: 403", sh.curl(target, value)[0][:2], (403, "Forbidden"))
    sh.aws("update-api-key", "--api-key", key, "--patch-operations", "op=replace,path=/enabled,value=true", "op=replace,path=/name,value=renamed")
    check.equal("and enabled again: 200", sh.curl(target, value)[0][0], 200)
    shown = sh.aws("get-api-key", "--api-key", key)
    check.equal("get-api-key hides the value", (shown["name"], "value" in shown), ("renamed", False))
    check.equal("get-api-key --include-value", sh.aws("get-api-key", "--api-key", key, "--include-value")["value"], value)
    found = sh.aws("get-api-keys", "--name-query", "gener", "--include-values")["items"]
    check.equal("get-api-keys by prefix", [k["value"] for k in found], [keys["generated"]["value"]])
    plans = sh.aws("get-usage-plans", "--key-id", key)["items"]
    check.equal("get-usage-plans of a key", [p["id"] for p in plans], [plan])
    refusal = sh.refusal("create-api-key", "--name", "again", "--value", value)
    check("a value twice: ConflictException", "(ConflictException)" in refusal and "API Key already exists" in refusal, refusal)
    changed = sh.aws("update-usage-plan", "--usage-plan-id", plan, "--patch-operations", "op=replace,path=/quota/limit,value=30", "op=replace,path=/throttle/rateLimit,value=5")
    check.equal("update-usage-plan", (changed["quota"]["limit"], changed["throttle"]["rateLimit"]), (30, 5.0))
    check.equal("a raised quota counts at once", sh.curl(target, keys["generated"]["value"])[0][0], 200)


def turn_off_the_key(sh, api, target):
    sh.aws("update-method", *api["method"], "--patch-operations", "op=replace,path=/apiKeyRequired,value=false")
    check.equal("the key is still needed before a deployment", sh.curl(target)[0][0], 403)
    sh.aws("create-deployment", "--rest-api-id", api["id"], "--stage-name", "prod")
    check.equal("and not needed after it", sh.curl(target)[0][0], 200)
    check.equal("a wrong key does no harm there", sh.curl(target, "wrong")[0][0], 200)


def take_down(sh, api, plan, keys):
    sh.aws("delete-usage-plan-key", "--usage-plan-id", plan, "--key-id", keys["custom"]["id"])
    refusal = sh.refusal("get-usage-plan-key", "--usage-plan-id", plan, "--key-id", keys["custom"]["id"])
    check("delete-usage-plan-key", "(NotFoundException)" in refusal, refusal)
    refusal = sh.refusal("delete-usage-plan", "--usage-plan-id", plan)
    expected = f"Cannot delete Usage Plan {plan} because there are API Stages associated with it, including {api['id']}:prod"
    check("delete-usage-plan with stages is refused", "(BadRequestException)" in refusal and expected in refusal, refusal)
    for name in (plan, keys["other plan"]["id"]):
        stage = "prod" if name == plan else "beta"
        sh.aws("update-usage-plan", "--usage-plan-id", name, "--patch-operations", f"op=remove,path=/apiStages,value={api['id']}:{stage}")
        sh.aws("delete-usage-plan", "--usage-plan-id", name)
    for name in ("generated", "custom", "disabled", "loose", "planned", "stranger"):
        sh.aws("delete-api-key", "--api-key", keys[name]["id"])
    sh.aws("delete-rest-api", "--rest-api-id", api["id"])
    left = [sh.aws(*words)["items"] for words in (["get-usage-plans"], ["get-api-keys"], ["get-rest-apis"])]
    check.equal("nothing is left", left, [[], [], []])


clear_of_midnight(240)
with Gateway() as gateway, Upstream() as upstream:
    check.run(walk, gateway, upstream)
check.finish()
