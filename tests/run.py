"""Runs every test there is, goes on after failures, and ends with `N passed, N failed`."""

import collections
import glob
import gzip
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
CARGO_TESTS = re.compile(r"^test result: .*?(\d+) passed; (\d+) failed")
WALK_TESTS = re.compile(r"^(\d+) passed, (\d+) failed$")
# What names a failure, wherever it stands in a step's output; told again at the end, where it is looked for.
FAILURE = re.compile(r"^test .* FAILED$|^thread .* panicked at |^error|^FAIL|^Traceback|^seed ")
FAILURE_LINES_MAX = 40
LAST_LINES = 25


class Run:
    """The sums so far, and the words of the steps that failed by their names."""

    def __init__(self):
        self.passed, self.failed, self.broken = 0, 0, {}

    def step(self, name, command, counts=None, **settings):
        """Runs a command. Its tests are counted by the pattern; without one the command itself is one test."""
        print(f"\n== {name}", flush=True)
        start = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        passed = failed = 0
        failures, last = [], collections.deque(maxlen=LAST_LINES)
        for line in process.stdout:
            print(line, end="", flush=True)
            last.append(line)
            if FAILURE.search(line) and len(failures) < FAILURE_LINES_MAX:
                failures.append(line)
            found = counts and counts.match(line)
            if found:
                passed, failed = passed + int(found.group(1)), failed + int(found.group(2))
        good = process.wait() == 0
        if counts is None:
            passed = int(good)
        if not good and failed == 0:
            failed = 1  # it broke before it could count
        self.passed += passed
        self.failed += failed
        if failed:
            self.broken[name] = [*failures, "...\n", *last]
        print(f"== {name}: {passed} passed, {failed} failed, {time.monotonic() - start:.0f} s", flush=True)
        return good


def main():
    run = Run()
    target = target_directory()
    own_workspace = ["--manifest-path", "tests/clients/rust/Cargo.toml"]
    run.step("format", ["cargo", "fmt", "--all", "--check"])
    run.step("format of the Rust client", ["cargo", "fmt", *own_workspace, "--check"])
    run.step("clippy", ["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
    run.step("dependencies", ["tests/deny"])
    # The tests build the program too, so the walks need no build of their own.
    if run.step("build", ["cargo", "test", "--workspace", "--no-run"]):
        run.step("cargo test", ["cargo", "test", "--workspace", "--no-fail-fast"], CARGO_TESTS, AWS_MODEL=unpack_model(target))
        run.step("loom", ["make", "loom"], CARGO_TESTS)
        tools = {"TOLLGATE": os.path.join(target, "debug", "tollgate"), "AWS_CLI": os.path.join(VENV, "bin", "aws")}
        for name in ("cli", "python", "terraform"):
            run.step(f"walk: {name}", [PYTHON, f"tests/clients/{name}/walk.py"], WALK_TESTS, **tools)
        clients = os.path.join(target, "clients")
        if run.step("build of the Rust client", ["cargo", "build", "--locked", *own_workspace, "--target-dir", clients]):
            built = os.path.join(clients, "debug", "tollgate-client-walk")
            run.step("walk: rust", [PYTHON, "tests/clients/rust/walk.py"], WALK_TESTS, RUST_WALK=built, **tools)
    run.step("simulator", ["make", "sim", "SEEDS=10000"])
    print()
    for name, words in run.broken.items():
        print(f"== failed: {name}")
        print("".join(words))
    if run.broken:
        print("failed in: " + ", ".join(run.broken))
    print(f"{run.passed} passed, {run.failed} failed")
    return 1 if run.failed else 0


def target_directory():
    metadata = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True, capture_output=True)
    return json.loads(metadata.stdout)["target_directory"]


def unpack_model(target):
    """AWS's model of the service as botocore has it, as plain JSON for tests/aws.rs."""
    (packed,) = glob.glob(os.path.join(VENV, "lib", "python3*", "site-packages", "botocore", "data", "apigateway", "*", "service-2.json*"))
    opened = gzip.open(packed) if packed.endswith(".gz") else open(packed, "rb")
    plain = os.path.join(target, "aws-model.json")
    os.makedirs(target, exist_ok=True)
    with opened as source, open(plain, "wb") as copy:
        copy.write(source.read())
    return plain


if __name__ == "__main__":
    sys.exit(main())
