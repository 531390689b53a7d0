"""Tollgate as it is measured: started as a user would start it, set up with its own command line."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request

from proxies import CUSTOMERS, PATIENCE_S, Broken, Process, Proxy, customer_key, fill

MANY = 100_000_000  # a quota that no run uses up
UNTHROTTLED = {"rateLimit": 1_000_000, "burstLimit": 1_000_000}
# Key kind: throttle, quota. Quotas are durable in all of them.
PLANS = {
    "good": (UNTHROTTLED, {"limit": MANY, "period": "MONTH"}),
    "slow": ({"rateLimit": 0.01, "burstLimit": 1}, {"limit": MANY, "period": "MONTH"}),
    "spent": (UNTHROTTLED, {"limit": 1, "period": "MONTH"}),
}
ROUTES = (("open", "/", False), ("keyed", "/", True), ("large", "/large", False))


class Tollgate(Proxy):
    name, template, log_pattern = "tollgate", "tollgate.toml", rb'"status":"?(\d{3})'

    def __init__(self, world, workers=1, cores=None, data=None, **settings):
        super().__init__(world, workers, *([cores] if cores else []))
        self.data, self.settings, self.api = world.path(data or f"data-{workers}"), settings, None
        self.log = os.path.join(self.data, "access.log")
        self.keys = {"good": customer_key(7)}
        self.has_tls = "--tls-address" in subprocess.run([world.tollgate, "serve", "--help"], capture_output=True, text=True).stdout

    def command(self, config):
        return [self.world.tollgate, "serve", "--config", config]

    def configure(self):
        config = fill(self.template, self.world.path(f"{os.path.basename(self.data)}.toml"), data=self.data, workers=self.workers, open=self.ports["open"], control=self.ports["control"])
        with open(config, "a") as file:
            settings = dict(self.settings)
            if self.has_tls:
                settings |= {"tls_address": f"127.0.0.1:{self.ports['tls']}", "tls_certificate": self.world.path("server.crt"), "tls_key": self.world.path("server.key")}
            file.writelines(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
        return config

    def listens_on(self):
        return [self.ports["open"]]

    def start(self):
        begun = time.monotonic()
        super().start()
        self.wait_until_ready()
        self.ready_s = time.monotonic() - begun
        self.set_up()

    def wait_until_ready(self):
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                urllib.request.urlopen(f"{self.endpoint}/readyz", timeout=5).close()
                return
            except OSError as error:
                if time.monotonic() > end or self.process.process.poll() is not None:
                    raise Broken(f"tollgate is not ready: {error}")
                time.sleep(0.005)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.ports['control']}"

    def where(self, job):
        path = "large" if job.path == "large" else "open" if job.port == "open" else "keyed"
        return self.ports["tls" if job.tls else "open"], f"/{self.api}/prod/{path}"

    def key(self, kind):
        return self.keys[kind]

    def run(self, *arguments):
        """A command of Tollgate's own client; its answer."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TOLLGATE_"))}
        command = [self.world.tollgate, *arguments, "-o", "json", "--endpoint", self.endpoint, "--data-dir", self.data]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise Broken(f"tollgate {' '.join(arguments)}: {done.stderr}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def call(self, operation, body=None, **parameters):
        words = [f"{name}={value}" if isinstance(value, str) else f"{name}:={json.dumps(value)}" for name, value in parameters.items()]
        options = [part for word in words for part in ("--param", word)]
        return self.run("call", operation, *options, *(["--body", json.dumps(body)] if body else []))

    def plan(self, name, throttle, quota):
        return self.call("CreateUsagePlan", name=name, throttle=throttle, quota=quota, apiStages=[{"apiId": self.api, "stage": "prod"}])["id"]

    def import_keys(self, plan, numbers, key=customer_key):
        """Imports keys into a plan through the public CSV import, as many as fit into each file. Returns seconds."""
        begun, rows_max = time.monotonic(), 100_000
        numbers = list(numbers)
        for start in range(0, len(numbers), rows_max):
            file = self.data + ".csv"
            with open(file, "w") as csv:
                csv.write("Name,Key,UsagePlanIds\n")
                csv.writelines(f"c{n},{key(n)},{plan}\n" for n in numbers[start:start + rows_max])
            self.run("import", file, "--fail-on-warnings")
            os.remove(file)
        self.wait_until_known(key(numbers[-1]))
        return time.monotonic() - begun

    def wait_until_known(self, key):
        """A data plane that is short of processor time may take in a change after the control plane has answered."""
        end = time.monotonic() + PATIENCE_S
        while True:
            asked = urllib.request.Request(f"http://127.0.0.1:{self.ports['open']}/{self.api}/prod/keyed", headers={"x-api-key": key})
            try:
                return urllib.request.urlopen(asked, timeout=10).close()
            except urllib.error.HTTPError as error:
                if error.code == 429:
                    return None
                if time.monotonic() > end:
                    raise Broken(f"tollgate does not know an imported key after {PATIENCE_S} s: {error}")
                time.sleep(0.01)

    def set_up(self):
        """Makes the API, the plans and the keys, once for the data directory."""
        done = [api for api in (self.call("GetRestApis") or {}).get("item", []) if api["name"] == "bench"]
        if done:
            self.api = done[0]["id"]
        else:
            self.make_api()
        if "slow" not in self.keys:
            self.find_or_make_plans(make=not done)

    def make_api(self):
        api = self.call("CreateRestApi", name="bench")
        self.api = api["id"]
        for path, upstream, needs_key in ROUTES:
            resource = self.call("CreateResource", restApiId=self.api, parentId=api["rootResourceId"], pathPart=path)["id"]
            method = {"restApiId": self.api, "resourceId": resource, "httpMethod": "GET"}
            self.call("PutMethod", **method, authorizationType="NONE", apiKeyRequired=needs_key)
            # AWS's wire form gives the upstream's method the name of the method's own.
            uri = f"http://127.0.0.1:{self.world.upstream_port}{upstream}"
            self.call("PutIntegration", **method, body={"type": "HTTP_PROXY", "httpMethod": "GET", "uri": uri})
        self.call("CreateDeployment", restApiId=self.api, stageName="prod")

    def find_or_make_plans(self, make):
        for kind in PLANS:
            self.keys[kind] = customer_key(7) if kind == "good" else f"bench-customer-{kind}-key"
        if make:
            for kind, (throttle, quota) in PLANS.items():
                plan = self.plan(kind, throttle, quota)
                if kind == "good":
                    self.import_keys(plan, range(CUSTOMERS))
                else:
                    self.import_keys(plan, [kind], key=self.keys.get)

    @staticmethod
    def version(world):
        return subprocess.run([world.tollgate, "version"], capture_output=True, text=True).stdout.strip()
