"""Applies each patch beside this file to a copy of the tree and lets the simulator find the mistake.

Fails when a mistake survives, when a patch that is none (`Expect: survives`) is killed, or when a patch no longer
applies. `run.py name…` tries those only. SEEDS (default 20000) says how many seeds a mistake may survive.
"""

import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
# A target directory of its own: Cargo tells the crates of two copies of a workspace apart by nothing but file times.
TARGET = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "mutants")
TREE = os.path.join(TARGET, "tree")
SEEDS = os.environ.get("SEEDS", "20000")
VIOLATION = re.compile(r"^seed (\d+) violates (\S+): (.*)$", re.M)


def copy_tree():
    """Makes the copy like the tree; files that are the same keep their times, so that little is built anew."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True)
    wanted = [name for name in listed.stdout.splitlines() if os.path.isfile(os.path.join(ROOT, name))]
    for name in wanted:
        source, target = os.path.join(ROOT, name), os.path.join(TREE, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target) or read(source) != read(target):
            shutil.copyfile(source, target)
    kept = {os.path.join(TREE, name) for name in wanted}
    for folder, _, names in os.walk(TREE):
        for name in names:
            if os.path.join(folder, name) not in kept:
                os.remove(os.path.join(folder, name))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def apply(patch):
    """Whether the patch and those it needs apply. The copy must not be taken for a part of this repository."""
    text = read(patch).decode()
    for needed in re.findall(r"^Needs: (\S+)$", text, re.M):
        if not apply(os.path.join(HERE, needed)):
            return False
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": TARGET}
    return subprocess.run(["git", "apply", patch], cwd=TREE, env=environment).returncode == 0


def attempt(patch):
    """The row for one patch: what became of it, and whether that is as it should be."""
    survives = re.search(r"^Expect: survives$", read(patch).decode(), re.M) is not None
    copy_tree()
    if not apply(patch):
        return "does not apply", False
    build = ["cargo", "build", "--quiet", "--profile", "sim", "-p", "tollgate-sim"]
    environment = {**os.environ, "CARGO_TARGET_DIR": TARGET}
    if subprocess.run(build, cwd=TREE, env=environment).returncode != 0:
        return "does not build", False
    start = time.monotonic()
    command = [os.path.join(TARGET, "sim", "tollgate-sim"), "--seeds", SEEDS, "--twice-one-in", "0"]
    ran = subprocess.run(command, capture_output=True, text=True)
    found = VIOLATION.search(ran.stdout)
    if found is None:
        return f"survived {SEEDS} seeds", survives and ran.returncode == 0
    seed, invariant, text = found.groups()
    return f"seed {seed}, {invariant}: {text[:90]} ({time.monotonic() - start:.1f} s)", not survives


def main():
    names = sorted(name for name in os.listdir(HERE) if name.endswith(".patch"))
    wanted = sys.argv[1:]
    good = True
    for name in names:
        title = name.removesuffix(".patch")
        if wanted and title not in wanted:
            continue
        outcome, is_good = attempt(os.path.join(HERE, name))
        good = good and is_good
        print(f"{'ok ' if is_good else 'BAD'} {title:<36} {outcome}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
