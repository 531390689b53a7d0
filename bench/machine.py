"""What the benchmark knows of the machine: its name, free ports, processor time and memory of processes."""

import os
import platform
import resource
import socket
import subprocess


def free_ports(count):
    """Ports of the loopback address that nobody uses now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def family(pid):
    """A process and its children, which are nginx's workers."""
    found = [pid]
    for task in tasks(pid):
        try:
            with open(f"/proc/{pid}/task/{task}/children") as children:
                for child in children.read().split():
                    found += family(int(child))
        except OSError:
            pass  # it ended meanwhile
    return found


def tasks(pid):
    try:
        return [int(task) for task in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def cpu_ns(pid):
    """Processor time so far of every thread of a process and its children, {thread id: (name, nanoseconds)}."""
    used = {}
    for process in family(pid):
        for task in tasks(process):
            try:
                with open(f"/proc/{process}/task/{task}/schedstat") as times, open(f"/proc/{process}/task/{task}/comm") as name:
                    used[task] = (name.read().strip(), int(times.read().split()[0]))
            except OSError:
                pass  # it ended meanwhile
    return used


def cpu_between(before, after):
    """Nanoseconds used between two readings of `cpu_ns`, by thread name."""
    spent = {}
    for task, (name, ns) in after.items():
        spent[name] = spent.get(name, 0) + ns - before.get(task, (name, 0))[1]
    return spent


class Neighbours:
    """How much processor time others took while something of ours ran, stolen time included."""

    def __init__(self, pids):
        self.pids = pids
        self.before = self.busy_s(), self.ours_s()

    def took_s(self):
        busy, ours = self.busy_s(), self.ours_s()
        return max(0.0, busy - self.before[0] - (ours - self.before[1]))

    @staticmethod
    def busy_s():
        with open("/proc/stat") as file:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, file.readline().split()[1:9])
        return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")

    def ours_s(self):
        of_pids = sum(ns for pid in self.pids for _, ns in cpu_ns(pid).values()) / 1e9
        children, own = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
        return of_pids + children.ru_utime + children.ru_stime + own.ru_utime + own.ru_stime


def memory_kib(pid):
    """Resident memory of a process and its children; pages that they share count once."""
    total = 0
    for process in family(pid):
        with open(f"/proc/{process}/smaps_rollup") as rollup:
            total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
    return total


def describe(directory):
    """The machine in words: what a reader needs to judge the figures."""
    with open("/proc/cpuinfo") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    with open("/proc/meminfo") as file:
        memory_gib = int(file.readline().split()[1]) / 2**20
    disk = subprocess.run(["df", "--output=fstype", directory], capture_output=True, text=True).stdout.split()[-1]
    return [
        ("processor", f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores"),
        ("memory", f"{memory_gib:.0f} GiB"),
        ("kernel", f"{platform.system()} {platform.release()}"),
        ("data on", disk),
    ]
