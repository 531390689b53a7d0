"""Latency at equal load: every proxy is offered the same rate, about 55 % of what the slowest of them can take."""

from statistics import median

import compare
import measure
import report
from gateway import Tollgate
from jobs import ADMITTED

SHARE = 0.55


def measured(world, given, say, shuffle):
    """Returns (Markdown, goals)."""
    peers = [name for name in ("nginx", "haproxy") if name in given.peers]
    proxies = [Tollgate(world)] + [compare.PEERS[name](world) for name in peers]
    samples, started = {proxy.name: [] for proxy in proxies}, []
    try:
        for proxy in proxies:
            proxy.start()
            started.append(proxy)
        most = min(max(measure.run(ADMITTED, proxy, 1).requests_s for _ in range(2)) for proxy in proxies)
        rate = round(most * SHARE, -2)
        say(f"  {rate:.0f} requests a second for each")
        for number in range(given.rounds):
            order = list(proxies)
            shuffle(order)
            for proxy in order:
                sample = measure.run_alone(ADMITTED, proxy, given.seconds, say, rate=rate)
                samples[proxy.name].append(sample)
                say(f"  round {number + 1}: {proxy.name:8} p50 {sample.p50_us} us, p99 {sample.p99_us} us, {sample.requests_s:.0f}/s")
    finally:
        for proxy in started:
            proxy.stop()
    middle = lambda name, figure: median(getattr(sample, figure) for sample in samples[name])
    rows = [[name, f"{middle(name, 'requests_s'):,.0f}", *(f"{middle(name, figure) / 1000:.2f}" for figure in ("p50_us", "p99_us", "p999_us")), f"{middle(name, 'cpu_us'):.1f}"] for name in samples]
    goals = []
    if "nginx" in samples:
        pairs = [a.p99_us / b.p99_us for a, b in zip(samples["tollgate"], samples["nginx"])]
        goals.append(report.Goal("p99 at equal load ÷ nginx", middle("tollgate", "p99_us") / middle("nginx", "p99_us"), 1.2, note=f"paired rounds {median(pairs):.2f}"))
    text = f"{rate:,.0f} requests a second offered to each ({SHARE:.0%} of the slowest's most), 64 connections.\n\n"
    return text + report.table(["", "requests/s", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs/request"], rows), goals
