"""What every client walk needs: a gateway with an upstream, and a list of checks that ends with `N passed, N failed`."""

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.error
import urllib.request

REGION = "us-east-1"
PATIENCE_S = 120
# Characters by which a secret is recognised; shorter ones would be found by chance.
SHORTEST = 16


class Gateway:
    """The real binary in a directory of its own; use as a context manager."""

    def __init__(self):
        binary = os.environ.get("TOLLGATE")
        if not binary:
            sys.exit("set TOLLGATE to the binary to test; `make test` does")
        self.home = tempfile.mkdtemp(prefix="tollgate-walk-")
        self.secrets = set()
        data, plane = free_port(), free_port()
        self.data = f"http://127.0.0.1:{data}"
        self.endpoint = f"http://127.0.0.1:{plane}"
        self.log = open(os.path.join(self.home, "output.log"), "w+")
        command = [binary, "serve", "--data-dir", self.data_dir, "--data-plane", f"127.0.0.1:{data}", "--control-plane", f"127.0.0.1:{plane}"]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("TOLLGATE", "AWS_"))}
        self.process = subprocess.Popen(command, cwd=self.home, env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    @property
    def data_dir(self):
        return os.path.join(self.home, "data")

    def __enter__(self):
        wait_until("the gateway to be ready", self.is_ready)
        return self

    def __exit__(self, kind, error, trace):
        self.process.terminate()
        status = self.process.wait(PATIENCE_S)
        if error is not None or status != 0:
            self.log.seek(0)
            print(f"--- the gateway ended with {status}; its last words:\n" + "".join(self.log.readlines()[-30:]))
        leaks = self.leaks()
        shutil.rmtree(self.home, ignore_errors=True)
        if leaks:
            sys.exit(f"a key's value or a secret is in {leaks}")

    def note(self, secret):
        """A key's value that must be found in nothing the gateway leaves behind."""
        if secret and len(secret) >= SHORTEST:
            self.secrets.add(secret)
        return secret

    def leaks(self):
        """The gateway's files that hold a noted secret. `credentials` is where the administrator's is meant to be."""
        secret = self.keys()[1]
        noted = [text.encode() for text in {*self.secrets, secret}]
        found = []
        for folder, _, names in os.walk(self.data_dir):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    content = file.read()
                if any(text in content for text in noted):
                    found.append(name)
        if "credentials" not in found:
            return ["no file: the search does not even find the administrator's secret where it belongs"]
        found.remove("credentials")
        with open(self.log.name, "rb") as file:
            content = file.read()
        return found + ["the log"] * any(text in content for text in noted)

    def is_ready(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            sys.exit(f"the gateway ended with {self.process.returncode}:\n{self.log.read()}")
        try:
            return urllib.request.urlopen(self.endpoint + "/readyz", timeout=5).status == 200
        except (urllib.error.URLError, OSError):
            return False

    def environment(self):
        """The caller's environment, with AWS's tools pointed at this gateway's own key and nothing else."""
        ours = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        return ours | {
            "AWS_SHARED_CREDENTIALS_FILE": os.path.join(self.data_dir, "credentials"),
            "AWS_CONFIG_FILE": os.path.join(self.home, "no-config"),
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def keys(self):
        """The administrator's access key: its id and its secret."""
        lines = open(os.path.join(self.data_dir, "credentials")).read().splitlines()
        pairs = dict(line.replace(" ", "").split("=", 1) for line in lines if "=" in line)
        return pairs["aws_access_key_id"], pairs["aws_secret_access_key"]


class Upstream:
    """Answers everything with 200 and remembers the paths; use as a context manager."""

    def __enter__(self):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                seen.append(self.path)
                body = json.dumps({"path": self.path}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                """A gateway that stops may reset the connections it kept; other errors are told."""
                if not isinstance(sys.exc_info()[1], ConnectionError):
                    super().handle_error(request, client_address)

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


class Checks:
    """Names what passed and what failed. A walk goes on after a failed check."""

    def __init__(self):
        self.passed, self.failed = 0, []

    def __call__(self, name, good, note=""):
        if good:
            self.passed += 1
            print(f"ok   {name}", flush=True)
        else:
            self.failed.append(name)
            print(f"FAIL {name}: {note}", flush=True)
        return good

    def equal(self, name, seen, expected):
        return self(name, seen == expected, f"{seen!r} instead of {expected!r}")

    def run(self, walk, *arguments):
        """Runs a walk to its end; an exception is one more failed check."""
        try:
            walk(*arguments)
        except Exception as error:
            self.failed.append(f"{walk.__name__} ended early")
            print(f"FAIL {walk.__name__} ended early: {error!r}")
            traceback.print_exc(file=sys.stdout)

    def finish(self):
        """Prints the summary and ends the process."""
        print(f"{self.passed} passed, {len(self.failed)} failed")
        sys.exit(1 if self.failed else 0)


def wait_until(what, look):
    deadline = time.monotonic() + PATIENCE_S
    while not look():
        if time.monotonic() > deadline:
            sys.exit(f"waited {PATIENCE_S} s for {what}")
        time.sleep(0.01)


def clear_of_midnight(need_s):
    """Waits for the next UTC day if this one ends within `need_s`: quotas are counted by UTC days."""
    while 86400 - time.time() % 86400 < need_s:
        time.sleep(0.2)


def today():
    return time.strftime("%Y-%m-%d", time.gmtime())


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
