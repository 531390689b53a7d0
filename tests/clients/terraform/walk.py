"""Terraform's AWS provider against the gateway: apply, no drift, change in place, no drift, destroy.

Runs when `terraform` is on the PATH and a directory of plugins holds the AWS provider; says so when not.
`TF_PLUGIN_DIR` names such a directory; otherwise the usual places are looked at.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, ".."))
from gateway import Checks, Gateway, clear_of_midnight

check = Checks()
PROVIDER = "*/hashicorp/aws/**/terraform-provider-aws*"
LIMIT_S = 600


def mirror():
    """A directory of plugins that holds the AWS provider, or None."""
    usual = ["~/.terraform.d/plugins", "~/.local/share/terraform/plugins", "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/*", "/opt/*/*"]
    places = [os.environ["TF_PLUGIN_DIR"]] if os.environ.get("TF_PLUGIN_DIR") else [d for place in usual for d in sorted(glob.glob(os.path.expanduser(place)))]
    return next((place for place in places if glob.glob(os.path.join(place, PROVIDER), recursive=True)), None)


class Terraform:
    """One working directory; every command's output is kept for the message of a failed check."""

    def __init__(self, gateway, plugins):
        self.work = tempfile.mkdtemp(prefix="tollgate-terraform-")
        shutil.copy(os.path.join(here, "main.tf"), self.work)
        settings = os.path.join(self.work, "settings.tfrc")
        with open(settings, "w") as file:
            file.write(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{plugins}"\n  }}\n}}\n')
        inherited = {k: v for k, v in gateway.environment().items() if not k.startswith("TF_")}
        self.environment = inherited | {"TF_CLI_CONFIG_FILE": settings, "TF_IN_AUTOMATION": "1", "CHECKPOINT_DISABLE": "1", "TF_VAR_endpoint": gateway.endpoint}

    def run(self, *words):
        try:
            done = subprocess.run(["terraform", *words], cwd=self.work, env=self.environment, capture_output=True, text=True, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            return 124, "Error: took too long"
        return done.returncode, done.stdout + done.stderr

    def must(self, name, *words, status=0):
        code, output = self.run(*words)
        return check(name, code == status, trouble(output))

    def outputs(self):
        _, output = self.run("output", "-json", "-no-color")
        return {name: one["value"] for name, one in json.loads(output).items()}


def trouble(output):
    """What went wrong or what would change, without the rest."""
    errors = re.findall(r"Error: [^\n]*(?:\n[^\n]*Exception[^\n]*)*", output)
    changes = [line.strip() for line in output.splitlines() if re.search(r"must be|will be|^\s*[~+-] ", line)]
    return " | ".join(errors or changes[:40]) or output[-300:]


def call(gateway, path, key):
    request = urllib.request.Request(gateway.data + path, headers={"x-api-key": key})
    try:
        answer = urllib.request.urlopen(request, timeout=30)
        return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, None


def walk(gateway, terraform):
    if not terraform.must("init", "init", "-input=false", "-no-color"):
        return
    common = ["-input=false", "-no-color"]
    for edition in (1, 2):
        of = [*common, f"-var=edition={edition}"]
        if not terraform.must(f"apply edition {edition}", "apply", "-auto-approve", *of):
            break
        terraform.must(f"no drift after edition {edition}", "plan", "-detailed-exitcode", *of)
        seen = terraform.outputs()
        for name in ("chosen", "generated"):
            gateway.note(seen[name])
        check.equal(f"edition {edition}: a resource is found by path", seen["found"], True)
        check.equal(f"edition {edition}: the chosen value is read back", seen["chosen"], "terraform-chosen-value-0123456789")
        path = f"/{seen['api']}/live{seen['path']}"
        check.equal(f"edition {edition}: the generated key works", call(gateway, path, seen["generated"]), (200, [f"edition {edition}"]))
        check.equal(f"edition {edition}: the chosen key", call(gateway, path, seen["chosen"])[0], 200 if edition == 1 else 403)
    terraform.must("destroy", "destroy", "-auto-approve", *common, "-var=edition=2")
    _, left = terraform.run("state", "list")
    check.equal("nothing is left", left.strip(), "")


plugins = mirror()
if shutil.which("terraform") is None or plugins is None:
    print("terraform: not run, because " + ("the AWS provider is in no plugin directory" if shutil.which("terraform") else "terraform is not on the PATH"))
    check.finish()
clear_of_midnight(300)
with Gateway() as gateway:
    terraform = Terraform(gateway, plugins)
    check.run(walk, gateway, terraform)
    shutil.rmtree(terraform.work, ignore_errors=True)
check.finish()
