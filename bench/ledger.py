"""What durability costs: the ledger writer's share of the processor time at full load, with many active keys."""

import time
import urllib.request

import measure
import report
from gateway import UNTHROTTLED, Tollgate
from jobs import ADMITTED

ACTIVE = 50_000
FIRST = {100_000: 1_000_000, 1_000: 2_000_000}
SECONDS, ACTIVATION_S_MAX = 10, 60
WRITER = "tollgate-ledger"  # the thread's name, cut by the kernel to 15 letters


def measured(world, given, say, _shuffle):
    """Returns (Markdown, goals)."""
    proxy, rows, goals = Tollgate(world, data="ledger-data", metrics_token="read-the-metrics-please"), [], []
    proxy.start()
    try:
        for quota, first in FIRST.items():
            plan = proxy.plan(f"quota-{quota}", UNTHROTTLED, {"limit": quota, "period": "MONTH"})
            proxy.import_keys(plan, range(first, first + ACTIVE))
            keys = {"BENCH_FIRST": str(first), "BENCH_COUNT": str(ACTIVE), "BENCH_SEED": str(given.seed)}
            begun = time.monotonic()
            activate(proxy, keys)
            say(f"  quota {quota}: first calls of {ACTIVE} keys took {time.monotonic() - begun:.1f} s")
            before = figures(proxy)
            sample = measure.run(ADMITTED, proxy, SECONDS, keys=keys)
            after = figures(proxy)
            written = {name: after[name] - before[name] for name in after}
            share = sample.threads_us.get(WRITER, 0) / sample.cpu_us
            say(f"  quota {quota}: the writer takes {share:.1%} of {sample.cpu_us:.1f} us a request")
            rows.append([f"{quota:,}", f"{share:.1%}", f"{sample.cpu_us:.1f}", f"{sample.requests_s:,.0f}", f"{written['rows'] / SECONDS:,.0f}", f"{written['batches'] / SECONDS:,.0f}", f"{sample.p99_us / 1000:.1f}"])
            if quota == 100_000:
                goals.append(report.Goal("ledger's share of the CPU, 50,000 keys, quotas of 100,000", share, 0.03))
    finally:
        proxy.stop()
    text = f"{ACTIVE:,} keys that have called before, one at random for each request, full load for {SECONDS} s.\n\n"
    return text + report.table(["quota", "the writer's share of CPU", "CPU µs/request", "requests/s", "rows/s", "batches/s", "p99 ms"], rows), goals


def activate(proxy, keys):
    """Every key calls once at least, so that its counter has units."""
    called, end = 0, time.monotonic() + ACTIVATION_S_MAX  # a call that was refused is made again in the measured run
    while called < ACTIVE and time.monotonic() < end:
        in_turn = keys | {"BENCH_ORDER": "turn", "BENCH_START": str(called)}
        called += measure.flood(ADMITTED, proxy, 2, in_turn, connections=512)["requests"]


def figures(proxy):
    """The ledger's own figures out of /metrics."""
    asked = urllib.request.Request(f"{proxy.endpoint}/metrics", headers={"Authorization": "Bearer read-the-metrics-please"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        lines = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#"))
    return {name: float(lines[f"tollgate_ledger_{name}_total"]) for name in ("rows", "batches")}
