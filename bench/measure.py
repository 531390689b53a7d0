"""One measured run of one proxy in one job: load on the other core, processor time, latency, and whether every answer was right."""

import http.client
import json
import os
import re
import ssl
import subprocess
from dataclasses import dataclass, replace

import machine
from proxies import HERE, LOAD_CORE, Broken, find_program

STREAMS = 8  # of each HTTP/2 connection
PRIMING = 4  # requests
# A run counts when others took at most this share of a core meanwhile; so many are repeated at most, in a row and in all.
NEIGHBOURS_MAX, REPEATS, REPEATS_IN_ALL = 0.08, 3, 60
repeated, disturbed = 0, 0


@dataclass
class Sample:
    cpu_us: float
    requests_s: float
    p50_us: float
    p99_us: float
    p999_us: float
    requests: int
    threads_us: dict
    # Processor time that others took meanwhile.
    neighbours_s: float


def ask(job, proxy):
    """One request by a plain client; status and body's length."""
    port, path = proxy.where(job)
    if job.tls:
        context = ssl.create_default_context(cafile=proxy.world.path("server.crt"))
        connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
        # The name is in the certificate; the address is what is listened on.
        connection._create_connection = lambda address, *rest: __import__("socket").create_connection(("127.0.0.1", port), 10)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"x-api-key": proxy.key(job.key)} if job.key else {})
        answer = connection.getresponse()
        return answer.status, len(answer.read())
    finally:
        connection.close()


def check(job, proxy):
    """Exactly the expected answer, as a plain client sees it."""
    status, length = ask(job, proxy)
    if job.strays and status != job.expected(proxy.name):
        status, length = ask(job, proxy)  # the first took the one token that was regained
    if status != job.expected(proxy.name) or length < job.body_bytes_min:
        raise Broken(f"{proxy.name} answers {job.name} with {status} and {length} bytes")


def prime(job, proxy):
    """Takes what a throttle or quota lets through at first."""
    for _ in range(PRIMING):
        ask(job, proxy)


def run_alone(job, proxy, seconds, say, **how):
    """`run`, again as long as others take much of the machine meanwhile, a few times at most."""
    global repeated, disturbed
    for attempt in range(REPEATS + 1):
        sample = run(job, proxy, seconds, **how)
        if sample.neighbours_s <= NEIGHBOURS_MAX * seconds:
            return sample
        again = attempt < REPEATS and repeated < REPEATS_IN_ALL
        say(f"  {job.name}, {proxy.name}: others took {sample.neighbours_s:.2f} s of the processors, {'again' if again else 'kept'}")
        if not again:
            disturbed += 1
            return sample
        repeated += 1


def run(job, proxy, seconds, rate=None, keys=None):
    """Loads the proxy for some seconds; raises Broken unless every answer was right. `rate`: requests a second, instead
    of as many as it takes. `keys`: environment of wrk/keys.lua, for another key with each request."""
    check(job, proxy)
    neighbours = machine.Neighbours([proxy.pid, proxy.world.upstream.pid])
    before = machine.cpu_ns(proxy.pid)
    seen = h2load(job, proxy, seconds, rate) if job.http2 or rate else wrk(job, proxy, seconds, keys)
    spent = machine.cpu_between(before, machine.cpu_ns(proxy.pid))
    neighbours_s = neighbours.took_s()
    check(job, proxy)
    requests = seen["requests"]
    if requests < 10 * seconds:
        raise Broken(f"{proxy.name} answered only {requests} requests of {job.name}")
    wrong = seen["refused"] if job.expected(proxy.name) < 400 else requests - seen["refused"]
    if wrong > job.strays or seen["failed"]:
        raise Broken(f"{proxy.name}, {job.name}: {wrong} answers of another status, {seen['failed']} failed, of {requests}")
    if seen["bytes"] < requests * job.body_bytes_min:
        raise Broken(f"{proxy.name}, {job.name}: {seen['bytes']} bytes in {requests} answers")
    cpu_us = sum(spent.values()) / 1000 / requests
    if cpu_us <= 0:
        raise Broken(f"{proxy.name} used no processor time: nothing was measured")
    threads = {name: ns / 1000 / requests for name, ns in spent.items()}
    return Sample(cpu_us, requests / seen["seconds"], seen["p50_us"], seen["p99_us"], seen["p999_us"], requests, threads, neighbours_s)


def flood(job, proxy, seconds, keys, connections):
    """Loads the proxy for some seconds without measuring it; what was counted. First calls of keys may wait in vain for
    the disk and are refused then, which the caller tells."""
    seen = wrk(replace(job, connections=connections), proxy, seconds, keys)
    if seen["failed"]:
        raise Broken(f"{proxy.name}: {seen['failed']} failed of {seen['requests']}")
    return seen


def url(job, proxy):
    port, path = proxy.where(job)
    return f"{'https' if job.tls else 'http'}://127.0.0.1:{port}{path}"


def loaded(command, seconds, environment=None):
    """Runs a load generator on its core; its output. It ends by itself."""
    pin = lambda: os.sched_setaffinity(0, LOAD_CORE)
    done = subprocess.run(command, preexec_fn=pin, capture_output=True, text=True, timeout=seconds + 60, env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise Broken(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


def wrk(job, proxy, seconds, keys=None):
    headers = ["-H", f"x-api-key: {proxy.key(job.key)}"] if job.key and not keys else []
    script = "keys.lua" if keys else "report.lua"
    command = [find_program("wrk"), "-t1", f"-c{job.connections}", f"-d{seconds}s", "--timeout", "10s", "-s", os.path.join(HERE, "wrk", script), *headers, url(job, proxy)]
    output = loaded(command, seconds, {"BENCH_WRK": os.path.join(HERE, "wrk"), **(keys or {})})
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise Broken(f"wrk printed no result: {output}")
    seen = json.loads(lines[-1])
    return seen | {"seconds": seen["duration_us"] / 1e6}


def h2load(job, proxy, seconds, rate=None):
    """HTTP/2, or a fixed rate of HTTP/1: `rate` is requests a second over all connections."""
    log = proxy.world.path("h2load.log")
    headers = ["-H", f"x-api-key: {proxy.key(job.key)}"] if job.key else []
    shape = ["-c", str(job.connections // STREAMS), "-m", str(STREAMS)] if job.http2 else ["--h1", "-c", str(job.connections), "-m", "1"]
    if rate:
        shape += ["--rps", str(rate / (job.connections // STREAMS if job.http2 else job.connections))]
    command = [find_program("h2load"), "-t1", *shape, "-D", str(seconds), "--log-file", log, *headers, url(job, proxy)]
    if os.path.exists(log):
        os.remove(log)
    output = loaded(command, seconds)
    requests = re.search(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", output)
    traffic = re.search(r"\((\d+)\) total", output)
    if not requests or not traffic:
        raise Broken(f"h2load printed no result: {output}")
    times, refused = [], 0
    with open(log) as file:
        for line in file:
            _, status, us = line.split()
            times.append(int(us))
            refused += int(status) >= 400
    times.sort()
    if not times:
        raise Broken(f"h2load logged nothing: {output}")
    at = lambda part: times[min(len(times) - 1, int(part * len(times)))]
    return {
        "requests": int(requests[2]), "refused": refused, "failed": int(requests[5]) + int(requests[6]), "bytes": int(traffic[1]), "seconds": seconds,
        "p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999),
    }
