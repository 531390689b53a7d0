"""Memory of an idle connection: many clients that made one request each and keep their connection."""

import resource
import socket

import compare
import machine
import measure
import report
from gateway import Tollgate
from jobs import ADMITTED
from proxies import Broken

CONNECTIONS = 5000


def measured(world, given, say, _shuffle):
    """Returns (Markdown, goals)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CONNECTIONS + 1000:
        raise Broken(f"{CONNECTIONS} connections need more open files than the limit of {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, CONNECTIONS + 1000), hard))
    rows, goals = [], []
    for kind in [Tollgate] + [compare.PEERS[name] for name in given.peers]:
        proxy = kind(world)
        proxy.start()
        try:
            measure.run(ADMITTED, proxy, 1)
            each = of_one(proxy)
        finally:
            proxy.stop()
        say(f"  {proxy.name}: {each:.1f} KiB a connection")
        rows.append([proxy.name, f"{each:.1f}"])
        if kind is Tollgate:
            goals.append(report.Goal("KiB of an idle HTTP/1 connection", each, 20))
    return f"{CONNECTIONS:,} connections, one admitted request each, then idle.\n\n" + report.table(["", "KiB each"], rows), goals


def of_one(proxy):
    port, path = proxy.where(ADMITTED)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nx-api-key: {proxy.key(ADMITTED.key)}\r\n\r\n".encode()
    before, open_now = machine.memory_kib(proxy.pid), []
    try:
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", port), 10)
            open_now.append(connection)
            connection.sendall(request)
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                raise Broken(f"{proxy.name} does not answer connection {len(open_now)} with 200")
        return (machine.memory_kib(proxy.pid) - before) / CONNECTIONS
    finally:
        for connection in open_now:
            connection.close()
