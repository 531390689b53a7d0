"""The results as Markdown: tables of jobs, ratios, and which goals are reached."""

import os
from dataclasses import dataclass
from statistics import median


@dataclass
class Goal:
    """A figure and the most it may be."""

    what: str
    figure: float
    most: float
    note: str = ""

    def row(self):
        digits = 3 if self.most < 0.1 else 2 if self.most < 10 else 1
        return [self.what, f"≤ {self.most}", f"{self.figure:.{digits}f}", self.note, "yes" if self.figure <= self.most else "**no**"]


# Job, the other (a peer, or another of Tollgate's own jobs), the most that Tollgate's CPU per request may be of it.
GOALS = [
    ("admitted", "nginx", 1.05), ("admitted", "haproxy", 0.95), ("admitted", "envoy", 0.35), ("admitted", "pass", 1.2),
    ("429", "nginx", 0.8), ("quota", "nginx", 0.8), ("403", "nginx", 1.0), ("large", "nginx", 0.65), ("tls", "nginx", 1.0), ("http2", "nginx", 1.1), ("threads", "admitted", 1.0),
]


def goals(samples):
    found = []
    for job, other, most in GOALS:
        ours = samples.get(job, {}).get("tollgate")
        theirs = samples.get(job, {}).get(other) or samples.get(other, {}).get("tollgate")
        if ours and theirs:
            of_medians, paired = ratios(ours, theirs)
            whose = "tollgate's own " + other if other in samples else other
            found.append(Goal(f"CPU, {job} ÷ {whose}", of_medians, most, f"paired rounds {paired:.2f}"))
    return found


def ratios(ours, theirs):
    """Of the medians, and the median of each round's own ratio."""
    middle = lambda taken: median(sample.cpu_us for sample in taken)
    return middle(ours) / middle(theirs), median(a.cpu_us / b.cpu_us for a, b in zip(ours, theirs))


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def job_table(of_job):
    """CPU, rate and latency of every proxy in one job."""
    body, ours = [], of_job.get("tollgate")
    for name in sorted(of_job, key=["tollgate", "nginx", "haproxy", "envoy"].index):
        taken = of_job[name]
        times = [sample.cpu_us for sample in taken]
        middle = lambda figure: median(getattr(sample, figure) for sample in taken)
        compared = ["", ""] if name == "tollgate" or not ours else [f"{ratio:.2f}" for ratio in ratios(ours, taken)]
        body.append([name, f"{min(times):.1f} / {median(times):.1f} / {max(times):.1f}", f"{middle('requests_s'):,.0f}", f"{middle('p50_us') / 1000:.2f}", f"{middle('p99_us') / 1000:.2f}", *compared])
    return table(["", "CPU µs/request: min / median / max", "requests/s", "p50 ms", "p99 ms", "tollgate ÷ it: medians", "paired rounds"], body)


def memory_table(memory):
    return table(["", "MiB after the start", "MiB after all jobs"], [[name, f"{first:.1f}", f"{last:.1f}"] for name, (first, last) in memory.items()])


def goal_table(all_goals):
    return table(["goal", "wanted", "measured", "", "reached"], [goal.row() for goal in all_goals])


BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def write(path, text):
    """Writes the file, or only what is between its marks if it has them."""
    page = ""
    if os.path.exists(path):
        with open(path) as file:
            page = file.read()
    if BEGIN in page and END in page:
        text = page[: page.index(BEGIN)] + BEGIN + "\n" + text + page[page.index(END) :]
    with open(path, "w") as file:
        file.write(text)
