#!/usr/bin/env python3
"""Runs the services of docs/clients.md that verify tokens, as they stand there, and sends them requests.

    verifying.py NAME VENVS      NAME names the org that it makes, VENVS is the folder of the clients
"""

import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

from served import URL, Org, holds, main, same, within

name, venvs = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "clients.md"
org = Org(name)
org_id = org.ask("GET", "whoami")["org"]["id"]


def block(file):
    """The block of the page that is marked with the name of a file."""
    (text,) = re.findall(rf"^```\w+ {re.escape(file)}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    return text


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Service:
    """A service that asks the Tokenhouse at an address."""

    def __init__(self, file, program, folder, house, account, token):
        pathlib.Path(folder, file).write_text(block(file), encoding="utf-8")
        self.port = free_port()
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "PORT": str(self.port), "NO_PROXY": "127.0.0.1",
            "TOKENHOUSE_URL": house, "SHOP_ID": account, "SHOP_TOKEN": token,
        }
        # Into a file: nobody reads a pipe, and a full one would stop the service.
        self.log = pathlib.Path(folder, f"{self.port}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*program, file], cwd=folder, env=environment, stdout=log, stderr=log)

    def __enter__(self):
        def listens():
            holds(self.process.poll() is None, self.log.read_text(encoding="utf-8"))
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        try:
            within(30, listens, "the service listens")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def get(self, authorization=None):
        """Status, challenge and body of a request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", "/orders", headers={"Authorization": authorization} if authorization else {})
            answer = connection.getresponse()
            body = answer.read().decode()
            same(answer.headers["Retry-After"] is not None, answer.status == 503, "when to try again")
            same(answer.headers["WWW-Authenticate"] is not None, answer.status in (401, 403), "a challenge")
            return answer.status, body if answer.status == 200 else ""
        finally:
            connection.close()


def service_account(identifier, *roles):
    """The id of a new service account and a token of its."""
    account = org.ask("POST", "accounts", {"kind": "service", "identifier": identifier})["id"]
    for role in roles:
        org.ask("PUT", f"accounts/{account}/roles/{role}", {})
    return account, org.ask("POST", "tokens", {"owner": account})


def asks(file, program, folder, suffix):
    account, own = service_account(f"sa::shop{suffix}", "verifier")
    _, reader = service_account(f"sa::reader{suffix}", "member")
    _, other = service_account(f"sa::other{suffix}")
    whom = f"sa::reader{suffix} of {org_id}\n"
    with Service(file, program, folder, URL, account, own["secret"]) as service:
        same(service.get(f"Bearer {reader['secret']}"), (200, whom))
        same(service.get(), (401, ""))
        same(service.get("Basic YTpi"), (401, ""))
        same(service.get("Bearer junk"), (401, ""))
        same(service.get(f"Bearer {other['secret']}"), (403, ""))
        org.ask("POST", f"tokens/{reader['id']}/revoke", {})
        same(service.get(f"Bearer {reader['secret']}"), (401, ""), "at the next request")
        # The service's own token dies: nobody can tell any more.
        org.ask("POST", f"tokens/{own['id']}/revoke", {})
        same(service.get(f"Bearer {other['secret']}"), (503, ""))
    with Service(file, program, folder, f"http://127.0.0.1:{free_port()}", account, own["secret"]) as service:
        same(service.get(f"Bearer {other['secret']}"), (503, ""), "nobody answers")


def python():
    with tempfile.TemporaryDirectory() as folder:
        asks("service.py", [str(venvs / "verifying" / "bin" / "python")], folder, "-py")


def javascript():
    if not shutil.which("node"):
        print("javascript: node is not installed here, so this was not run")
        return
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "node_modules").symlink_to(venvs / "javascript" / "node_modules")
        asks("service.mjs", ["node"], folder, "-js")


main("services that verify", [python, javascript])
