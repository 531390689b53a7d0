"""Starts and stops what is measured: Tollgate, nginx, haproxy, Envoy, and the upstream that all of them call."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import machine

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 60
CUSTOMERS = 1000
PROXY_CORES, LOAD_CORE = {0}, {1}
PORTS = ("open", "keyed", "slow", "spent", "tls", "control")


class Broken(Exception):
    """Something does not work, so that nothing can be measured."""


def customer_key(number):
    return f"bench-customer-{number:07d}-key"


def find_program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not found:
        raise Broken(f"{name} is not installed; bench/install installs it")
    return found


class Process:
    """A process of ours, pinned to cores; its output goes to a file, its configuration is a template filled in."""

    def __init__(self, name, directory, command, cores, output):
        self.name, self.output = name, output
        with open(output, "ab") as out, open(os.path.join(directory, f"{name}.err"), "ab") as err:
            pin = lambda: os.sched_setaffinity(0, cores)
            self.process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=err, preexec_fn=pin)
        self.errors = os.path.join(directory, f"{name}.err")

    @property
    def pid(self):
        return self.process.pid

    def wait_for(self, ports):
        """Until every port accepts."""
        end = time.monotonic() + PATIENCE_S
        for port in ports:
            while True:
                if self.process.poll() is not None:
                    raise Broken(f"{self.name} ended with {self.process.returncode}:\n{tail(self.errors)}{tail(self.output)}")
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if time.monotonic() > end:
                        raise Broken(f"{self.name} does not listen on {port}:\n{tail(self.errors)}")
                    time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            # A quick end: haproxy and nginx take SIGTERM for that, Tollgate and Envoy for a clean one.
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise Broken(f"{self.name} did not stop")


def tail(path):
    try:
        with open(path, "rb") as file:
            return file.read()[-3000:].decode(errors="replace")
    except OSError:
        return ""


def fill(template, target, **values):
    with open(os.path.join(HERE, "configs", template)) as file:
        text = file.read()
    for name, value in values.items():
        text = text.replace(f"@{name.upper()}@", str(value))
    left = re.search(r"@[A-Z]+@", text)
    if left:
        raise Broken(f"{template} wants {left[0]}")
    with open(target, "w") as file:
        file.write(text)
    return target


class World:
    """The directory, the upstream, the certificate and the keys that all proxies share."""

    def __init__(self, directory, tollgate, envoy):
        self.directory, self.tollgate, self.envoy = directory, tollgate, envoy
        (self.upstream_port,) = machine.free_ports(1)
        self.write_keys()
        self.write_certificate()
        large = os.path.join(directory, "large")
        with open(large, "wb") as file:
            file.write(b"x" * 2**20)
        config = fill("upstream.conf", self.path("upstream.conf"), dir=directory, user=user_line(), upstream=self.upstream_port)
        self.upstream = Process("upstream", directory, [find_program("nginx"), "-c", config, "-e", "stderr"], LOAD_CORE, self.path("upstream.out"))
        self.upstream.wait_for([self.upstream_port])

    def path(self, name):
        return os.path.join(self.directory, name)

    def write_keys(self):
        keys = [(customer_key(n), f"customer-{n}") for n in range(CUSTOMERS)]
        with open(self.path("keys.nginx"), "w") as file:
            file.writelines(f'"{key}" "{name}";\n' for key, name in keys)
        with open(self.path("keys.haproxy"), "w") as file:
            file.writelines(f"{key} {name}\n" for key, name in keys)
        self.credentials = json.dumps([{"key": key, "client": name} for key, name in keys])

    def write_certificate(self):
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.path("server.key"), "-out", self.path("server.crt")]
        subprocess.run(make, check=True, capture_output=True)
        with open(self.path("server.pem"), "w") as pem:
            for part in ("server.crt", "server.key"):
                with open(self.path(part)) as file:
                    pem.write(file.read())

    def close(self):
        self.upstream.stop()


def user_line():
    """As root, nginx's workers stay root: they must read the benchmark's directory."""
    return "user root;" if os.geteuid() == 0 else ""


class Proxy:
    """One that is measured. `ports` says where it does which job."""

    template = log_pattern = None

    def __init__(self, world, workers=1, cores=PROXY_CORES):
        self.world, self.workers, self.cores = world, workers, cores
        self.ports = dict(zip(PORTS, machine.free_ports(len(PORTS))))
        self.log, self.process = world.path(f"{self.name}-{workers}.log"), None

    def configure(self):
        values = {name: port for name, port in self.ports.items()}
        return fill(self.template, self.world.path(f"{self.workers}-{self.template}"), dir=self.world.directory, user=user_line(), workers=self.workers, log=self.log,
                    upstream=self.world.upstream_port, credentials=self.world.credentials, **values)

    def listens_on(self):
        return [self.ports[name] for name in ("open", "keyed", "slow", "tls")]

    def start(self):
        if os.path.exists(self.log):
            os.remove(self.log)
        self.process = Process(self.name, self.world.directory, self.command(self.configure()), self.cores, self.output())
        self.process.wait_for(self.listens_on())

    def output(self):
        return self.world.path(f"{self.name}-{self.workers}.out")

    def stop(self):
        self.process.stop()

    @property
    def pid(self):
        return self.process.pid

    def where(self, job):
        """Port and path of a job."""
        return self.ports[job.port], "/" + job.path

    def key(self, kind):
        return customer_key(7)

    def logged(self):
        """What the access log holds, {status: calls}, once the proxy has stopped."""
        found, pattern = {}, re.compile(self.log_pattern)
        with open(self.log, "rb") as file:
            for line in file:
                match = pattern.search(line)
                status = int(match[1]) if match else 0
                found[status] = found.get(status, 0) + 1
        return found


class Nginx(Proxy):
    name, template, log_pattern = "nginx", "nginx.conf", rb'" (\d{3}) \d+ "'

    def command(self, config):
        return [find_program("nginx"), "-c", config, "-e", "stderr"]

    @staticmethod
    def version(world):
        return subprocess.run([find_program("nginx"), "-v"], capture_output=True, text=True).stderr.split("/")[-1].strip()


class Haproxy(Proxy):
    name, template, log_pattern = "haproxy", "haproxy.cfg", rb" (?:-?\d+/){4}\+?-?\d+ (\d{3}) "

    def command(self, config):
        return [find_program("haproxy"), "-f", config]

    def output(self):
        return self.log

    @staticmethod
    def version(world):
        return subprocess.run([find_program("haproxy"), "-v"], capture_output=True, text=True).stdout.split()[2]


class Envoy(Proxy):
    name, template, log_pattern = "envoy", "envoy.yaml", rb'HTTP/[\d.]+" (\d{3}) '

    def command(self, config):
        return [self.world.envoy, "-c", config, "--concurrency", str(self.workers), "--disable-hot-restart", "--log-level", "error", "--file-flush-interval-msec", "1000"]

    @staticmethod
    def version(world):
        return subprocess.run([world.envoy, "--version"], capture_output=True, text=True).stdout.split("version:")[1].split("/")[1]
