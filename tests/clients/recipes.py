#!/usr/bin/env python3
"""Runs the recipes of docs/clients.md as they stand there, one after another in one shell: every block that is marked
as shell or as Python. Only the server's address and the first token are put in their place.

    recipes.py NAME VENVS      NAME names the org that it makes, VENVS is the folder of the clients
"""

import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from served import URL, Org, holds, main, masked, same

name, venvs = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "clients.md"
org = Org(name)


def blocks():
    """The blocks of the page with their marks, in order."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def script():
    """One shell script of them all."""
    lines = ["set -euo pipefail"]
    for mark, text in blocks():
        if mark == "python":
            client = "sdk" if "wavefront_sdk" in text else "api-2.202.2"
            lines.append(f"{shlex.quote(str(venvs / client / 'bin' / 'python'))} -W ignore - <<'PYTHON'\n{text}PYTHON")
        elif mark == "sh":
            lines.append(text.replace("http://127.0.0.1:8080", URL).replace("th_u_...", org.token))
    return "\n".join(lines)


def every_recipe():
    """All of them run to the end, and what they made is there."""
    org.recoverable(True)
    marks = [mark for mark, _ in blocks()]
    same((marks.count("sh"), marks.count("python")), (6, 2), "blocks that can be run")
    text = script()
    holds("th_u_..." not in text and ":8080" not in text, "what is put in its place")
    path = f"{venvs / 'wave' / 'bin'}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "PATH": path}
        for inherited in ("TOKENHOUSE_URL", "TOKENHOUSE_TOKEN"):
            environment.pop(inherited)
        done = subprocess.run(
            ["bash"], input=text, env=environment, cwd=home, capture_output=True, text=True, timeout=120, check=False
        )
        same(done.returncode, 0, masked(done.stdout + done.stderr))
        same(pathlib.Path(home, ".wavefront", "credentials").exists(), True, "wave kept the token")
    holds("0 failures" in done.stdout and "Successfully validated token." in done.stdout, done.stdout)
    holds("main SERVICE_ACCOUNT" in done.stdout, done.stdout)
    (sender,) = [one for one in org.ask("GET", "accounts")["items"] if one["identifier"] == "sa::sender"]
    same(sender["kind"], "service")


main("docs/clients.md", [every_recipe])
