#!/usr/bin/env python3
"""`wave configure` of wavefront-cli, unmodified: it asks whether a token may be a proxy's, and keeps it if so.

    wave.py NAME PROGRAM      NAME names the org that it makes, PROGRAM is `wave`
"""

import os
import pathlib
import subprocess
import sys
import tempfile
from functools import partial

from served import URL, Org, holds, main, same, send

name, program = sys.argv[1:]
org = Org(name)


def configure(token, url=URL):
    """What it kept: the lines of its file of credentials, none if it did not take the token."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home}
        line = [program, "configure", f"--wavefront-url={url}", f"--api-token={token}"]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=60, check=False)
        # It ends with 0 whatever came of it: the file tells.
        same(done.returncode, 0, done.stdout + done.stderr)
        kept = pathlib.Path(home, ".wavefront", "credentials")
        return kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []


def proxies():
    """A token with the permission Proxies is taken, until it is revoked."""
    _, token = org.person("proxy", "agent_management")
    same(configure(token), [URL, token])
    same(configure(token, f"{URL}/"), [f"{URL}/", token], "//api/daemon")
    send("PUT", "/api/v2/apitoken/customertokens/revoke", {"tokenID": token}, org.token).ok()
    same(configure(token), [], "revoked")


def others(token):
    """No other is."""
    same(configure(token), [])


_, plain = org.person("plain", "token_management", "ingestion", "user_management")
parts = [proxies, partial(others, plain), partial(others, "00000000-0000-4000-8000-000000000000")]
holds(os.access(program, os.X_OK), f"{program} is no program")
main("wavefront-cli (wave configure)", parts)
