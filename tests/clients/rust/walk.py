"""Runs the walk of the official Rust SDK (src/main.rs, built before) against a gateway of its own."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from gateway import Gateway, clear_of_midnight

clear_of_midnight(60)
with Gateway() as gateway:
    key, secret = gateway.keys()
    environment = {**os.environ, "ENDPOINT": gateway.endpoint, "DATA_PLANE": gateway.data.removeprefix("http://"), "ACCESS_KEY": key, "SECRET_KEY": secret, "NOTED": os.path.join(gateway.home, "noted")}
    done = subprocess.run([os.environ["RUST_WALK"]], env=environment)
    with open(environment["NOTED"]) as file:
        gateway.note(file.read())
sys.exit(done.returncode)
