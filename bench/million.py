"""A million keys in one plan: memory, start, calls of random keys, and an import while the gateway serves."""

import threading
import time
from dataclasses import replace
from statistics import median

import machine
import measure
import report
from gateway import UNTHROTTLED, Tollgate
from jobs import ADMITTED

KEYS, FIRST = 1_000_000, 1_000_000
IMPORTED = 100_000
ACTIVATION_S_MAX = 40
SETTLE_S = 2
IMPORT_RATE, IMPORT_S = 4000, 12


def measured(world, given, say, shuffle):
    """Returns (Markdown, goals)."""
    facts, goals = [], []
    note = lambda what, figure: (facts.append([what, figure]), say(f"  {what}: {figure}"))
    proxy = Tollgate(world, data="million-data")
    empty, _ = restarted(proxy)
    proxy.start()
    try:
        plan = proxy.plan("million", UNTHROTTLED, {"limit": 100_000, "period": "MONTH"})
        note("import of a million keys, 100,000 a file", f"{proxy.import_keys(plan, range(FIRST, FIRST + KEYS)):.1f} s")
        note("memory after it", f"{machine.memory_kib(proxy.pid) / 1024:.0f} MiB")
    finally:
        proxy.stop()
    full, ready_s = restarted(proxy)
    each = (full - empty) * 1024 / KEYS
    note("memory without and with a million keys, after a start", f"{empty / 1024:.1f} and {full / 1024:.1f} MiB: {each:.0f} bytes each")
    note("from exec to ready", f"{ready_s:.2f} s")
    goals += [report.Goal("bytes for each of a million keys", each, 150), report.Goal("seconds to start with a million keys", ready_s, 3)]
    proxy.start()
    try:
        random_keys(proxy, given, note)
    finally:
        proxy.stop()
    goals.append(import_while_serving(world, plan, note, say, shuffle))
    return report.table(["", ""], facts), goals


def restarted(proxy):
    """Memory in KiB some moments after a start, and seconds from exec to ready."""
    proxy.start()
    try:
        time.sleep(SETTLE_S)
        return machine.memory_kib(proxy.pid), proxy.ready_s
    finally:
        proxy.stop()


def random_keys(proxy, given, note):
    """First one key, then all of them in turn for some time, then any of them."""
    one = measure.run(ADMITTED, proxy, given.seconds)
    note("admitted, always the same key", f"{one.cpu_us:.1f} µs CPU/request, {one.requests_s:,.0f}/s")
    keys = {"BENCH_FIRST": str(FIRST), "BENCH_COUNT": str(KEYS), "BENCH_SEED": str(given.seed)}
    # First calls may be refused when the disk is slow.
    any_key = replace(ADMITTED, strays=10**9)
    cold = measure.run(any_key, proxy, given.seconds, keys=keys)
    note("admitted, random keys that never called before", f"{cold.cpu_us:.1f} µs CPU/request, {cold.requests_s:,.0f}/s, p99 {cold.p99_us / 1000:.1f} ms")
    called, refused, begun = 0, 0, time.monotonic()
    while called < KEYS and time.monotonic() - begun < ACTIVATION_S_MAX:
        in_turn = keys | {"BENCH_ORDER": "turn", "BENCH_START": str(called)}
        seen = measure.flood(ADMITTED, proxy, 5, in_turn, connections=256)
        called, refused = called + seen["requests"], refused + seen["refused"]
    note("first calls of keys in turn", f"{min(KEYS, called):,} in {time.monotonic() - begun:.0f} s, {refused} of them refused with 503")
    warm = measure.run(any_key, proxy, given.seconds, keys=keys)
    note("admitted, random keys after that", f"{warm.cpu_us:.1f} µs CPU/request, {warm.requests_s:,.0f}/s, p99 {warm.p99_us / 1000:.1f} ms")
    note("memory after that", f"{machine.memory_kib(proxy.pid) / 1024:.0f} MiB")


def import_while_serving(world, plan, note, say, shuffle):
    """The same load with and without 100,000 keys imported meanwhile, on both cores as a user runs it."""
    proxy = Tollgate(world, workers=2, cores={0, 1}, data="million-data")
    proxy.start()
    found = {True: [], False: []}
    took, next_key = [], FIRST + KEYS
    try:
        runs = [True, False] * 2
        shuffle(runs)
        for importing in runs:
            if importing:
                numbers = range(next_key, next_key + IMPORTED)
                next_key += IMPORTED
                work = threading.Thread(target=lambda: took.append(proxy.import_keys(plan, numbers)))
                work.start()
            sample = measure.run(ADMITTED, proxy, IMPORT_S, rate=IMPORT_RATE)
            if importing:
                work.join()
            found[importing].append(sample.p999_us / 1000)
            say(f"  {'with' if importing else 'without'} import: p99 {sample.p99_us / 1000:.2f} ms, p99.9 {sample.p999_us / 1000:.2f} ms")
    finally:
        proxy.stop()
    if len(took) != len(found[True]):
        raise measure.Broken("an import while serving failed")
    without, with_import = median(found[False]), median(found[True])
    note(f"p99.9 at {IMPORT_RATE:,} requests/s without and with 100,000 keys imported meanwhile ({median(took):.1f} s)", f"{without:.2f} and {with_import:.2f} ms")
    return report.Goal("ms that an import of 100,000 keys adds to p99.9", with_import - without, 5)
