"""`make bench`: measures Tollgate beside nginx, haproxy and Envoy and prints tables. Fails on breakage, never on a timing."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import compare
import equal_load
import idle
import ledger
import machine
import measure
import million
import report
from gateway import Tollgate
from jobs import JOBS
from proxies import LOAD_CORE, Broken, World

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
EXTRAS = {
    "equal": ("p99 at equal load", equal_load.measured),
    "idle": ("Idle connections", idle.measured),
    "ledger": ("The ledger at full load", ledger.measured),
    "million": ("A million keys", million.measured),
}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", default="", help="names with commas between; empty: all of " + ",".join([job.name for job in JOBS] + list(EXTRAS)))
    parser.add_argument("--peers", default="", help="names with commas between, or none; empty: all of " + ",".join(compare.PEERS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=2, help="of each measured run")
    parser.add_argument("--seed", type=int, default=None, help="of the order of runs")
    parser.add_argument("--tollgate", default=None, help="a binary to measure instead of this tree's release build")
    parser.add_argument("--results", default=None, help="file the tables are written to besides the output")
    given = parser.parse_args()
    given.seed = random.randrange(10**6) if given.seed is None else given.seed
    return given


def target_directory():
    metadata = subprocess.run(["cargo", "metadata", "--format-version", "1", "--no-deps"], cwd=ROOT, check=True, capture_output=True)
    return json.loads(metadata.stdout)["target_directory"]


def chosen(names, known, what):
    picked = [name for name in names.split(",") if name and name != "none"]
    for name in picked:
        if name not in known:
            raise Broken(f"there is no {what} {name}; there are {', '.join(known)}")
    return picked


def main():
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    if (os.cpu_count() or 1) < 2:
        raise Broken("the benchmark needs two cores: one for the proxy, one for the load")
    os.sched_setaffinity(0, LOAD_CORE)
    known = [job.name for job in JOBS] + list(EXTRAS)
    names = chosen(given.jobs, known, "job") or known
    given.peers = chosen(given.peers or ",".join(compare.PEERS), list(compare.PEERS), "peer")
    target = target_directory()
    os.makedirs(os.path.join(target, "bench"), exist_ok=True)
    directory = tempfile.mkdtemp(prefix="run-", dir=os.path.join(target, "bench"))
    world = None
    try:
        world = World(directory, given.tollgate or os.path.join(target, "release", "tollgate"), os.path.join(target, "bench", "venv", "bin", "envoy"))
        text = measured(world, given, names)
    finally:
        if world:
            world.close()
        shutil.rmtree(directory, ignore_errors=True)
    print("\n" + text)
    if given.results:
        report.write(given.results, text)
        print(f"written to {given.results}")


def measured(world, given, names):
    """Runs what is asked for; the tables."""
    begun, shuffle = time.monotonic(), random.Random(given.seed).shuffle
    say = lambda line: print(f"[{time.monotonic() - begun:4.0f} s] {line}", flush=True)
    facts = machine.describe(world.directory)
    facts += [(kind.name, kind.version(world)) for kind in [Tollgate] + [compare.PEERS[name] for name in given.peers]]
    facts += [("seed", given.seed), ("rounds", f"{given.rounds} of {given.seconds} s")]
    for name, value in facts:
        say(f"{name}: {value}")
    parts, goals = [], []
    jobs = [job for job in JOBS if job.name in names]
    if jobs:
        samples, memory = compare.compare(world, jobs, given, say, shuffle)
        parts += [f"### {job.title} (`{job.name}`)\n\n" + report.job_table(samples[job.name]) for job in jobs]
        parts.append("### Memory\n\n" + report.memory_table(memory))
        goals += report.goals(samples)
    for name, (title, extra) in EXTRAS.items():
        if name in names:
            say(f"{name}: {title}")
            text, reached = extra(world, given, say, shuffle)
            parts.append(f"### {title} (`{name}`)\n\n{text}")
            goals += reached
    facts += [("runs that others disturbed", f"{measure.disturbed}, {measure.repeated} more were repeated")]
    head = [report.table(["", ""], facts)] + ([f"### Goals\n\n{report.goal_table(goals)}"] if goals else [])
    return "\n\n".join(head + parts) + "\n"


if __name__ == "__main__":
    try:
        main()
    except Broken as broken:
        sys.exit(f"broken: {broken}")
