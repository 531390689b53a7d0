"""The comparison: rounds of all jobs over all proxies in shuffled order, then what the proxies' own access logs say of the answers."""

import os

import machine
import measure
import report
from gateway import Tollgate
from proxies import Broken, Envoy, Haproxy, Nginx

PEERS = {"nginx": Nginx, "haproxy": Haproxy, "envoy": Envoy}
BOTH_CORES = {0, 1}
# What logs say of a call whose client left at the end of a run.
CUT = (0, 499)


def compare(world, jobs, given, say, shuffle):
    """Measures the jobs. Returns {job name: {proxy name: [Sample]}} and {proxy name: (MiB at first, MiB at last)}."""
    pairs = started(world, jobs, given.peers, say)
    proxies = list(dict.fromkeys(proxy for _, ready in pairs for proxy in ready))
    samples = {job.name: {proxy.name: [] for proxy in ready} for job, ready in pairs}
    memory = {}
    try:
        for proxy in proxies:
            proxy.start()
        at_first = {proxy: machine.memory_kib(proxy.pid) / 1024 for proxy in proxies}
        warm = set()
        for job, ready in pairs:
            for proxy in ready:
                measure.prime(job, proxy)
                if proxy not in warm:
                    measure.run(job, proxy, 1)
                    warm.add(proxy)
        for number in range(given.rounds):
            shuffle(pairs)
            for job, ready in pairs:
                shuffle(ready)
                for proxy in ready:
                    sample = measure.run_alone(job, proxy, given.seconds, say)
                    samples[job.name][proxy.name].append(sample)
                    say(f"round {number + 1}: {job.name:8} {proxy.name:8} {sample.cpu_us:7.2f} us CPU/request, {sample.requests_s:8.0f}/s, p99 {sample.p99_us / 1000:.2f} ms")
        memory = {proxy.name: (at_first[proxy], machine.memory_kib(proxy.pid) / 1024) for proxy in proxies if proxy.workers == 1}
    finally:
        for proxy in proxies:
            if proxy.process:
                proxy.stop()
    for proxy in proxies:
        check_log(proxy, [job for job, ready in pairs if proxy in ready], samples, say)
    return samples, memory


def started(world, jobs, peers, say):
    """Which job is measured with which proxies: one process of each serves all jobs of as many threads."""
    made, pairs = {}, []
    for job in jobs:
        if job.workers not in made:
            cores = {"cores": BOTH_CORES} if job.workers > 1 else {}
            kinds = [Tollgate] + [PEERS[name] for name in peers]
            made[job.workers] = [kind(world, job.workers, **cores) for kind in kinds]
        ready = list(made[job.workers])
        if job.tls and not ready[0].has_tls:
            say(f"{job.name}: not available for tollgate yet: this build has no TLS listener")
            ready = ready[1:]
        pairs.append((job, ready))
    return pairs


def check_log(proxy, jobs, samples, say):
    """The proxy's own log of all jobs: no status that no job expects, and none of the calls missing."""
    logged, wanted = proxy.logged(), {}
    for job in jobs:
        status = job.expected(proxy.name)
        wanted[status] = wanted.get(status, 0) + sum(sample.requests for sample in samples[job.name][proxy.name])
    strays = sum(job.strays + measure.PRIMING for job in jobs)
    strangers = {status: calls for status, calls in logged.items() if status not in wanted and status not in CUT}
    if sum(strangers.values()) > strays:
        raise Broken(f"{proxy.name}: the access log has answers that nobody expects: {strangers}")
    for status, calls in wanted.items():
        missing = calls - logged.get(status, 0)
        if missing > calls / 2:
            raise Broken(f"{proxy.name}: of {calls} answers with {status} the access log has {logged.get(status, 0)}")
        if missing > 0:
            say(f"{proxy.name}: {missing} of {calls} answers with {status} are missing in the access log")
    os.remove(proxy.log)
