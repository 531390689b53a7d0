"""The jobs every proxy is measured in: which port, path and key, how many connections, which answer is right."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Job:
    name: str
    title: str
    port: str = "open"
    path: str = "small"
    key: str = None
    connections: int = 64
    status: int = 200
    # Who answers something else for the same refusal.
    other_status: dict = field(default_factory=dict)
    # Answers of another status that are right: tokens that a bucket regains meanwhile.
    strays: int = 0
    body_bytes_min: int = 1
    http2: bool = False
    workers: int = 1

    @property
    def tls(self):
        return self.port == "tls"

    def expected(self, proxy):
        return self.other_status.get(proxy, self.status)


JOBS = [
    Job("pass", "pass-through, no key"),
    Job("admitted", "admitted: key, throttle, quota, metering", port="keyed", key="good"),
    Job("one", "admitted, 1 connection", port="keyed", key="good", connections=1),
    Job("403", "refused 403: no key", port="keyed", status=403, other_status={"envoy": 401}),
    Job("429", "refused 429: throttled", port="slow", key="slow", status=429, strays=20),
    Job("quota", "refused 429: quota used up", port="spent", key="spent", status=429, strays=20),
    Job("large", "1 MiB bodies, no key", path="large", body_bytes_min=2**20, connections=16),
    Job("tls", "admitted over TLS, connections kept", port="tls", key="good"),
    Job("http2", "admitted, HTTP/2 over TLS in, HTTP/1 out", port="tls", key="good", http2=True),
    Job("threads", "admitted, two threads on both cores", port="keyed", key="good", workers=2),
]

ADMITTED = next(job for job in JOBS if job.name == "admitted")
