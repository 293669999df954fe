"""The parts of the picture: a client that sends what it likes, the real gateways with the documented recipes, the real
server behind them, and an upstream that remembers what reached it."""

import http.client
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operations.md"
PERMISSION = "external/orders/read"
HOST = "api.example.com"


def recipe(mark, heading=None):
    """The only block of the page with this mark, below this heading."""
    text = PAGE.read_text(encoding="utf-8")
    if heading:
        text = text.split(f"\n{heading}\n")[1]
    (found,) = re.findall(rf"^```{mark}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return found


def rules():
    """The rules file of the page."""
    (found,) = (text for text in re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S) if "[[rule]]" in text)
    return found


def free():
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def listening(port, process, what):
    """Waits until somebody listens."""
    for _ in range(300):
        if process.poll() is not None:
            raise SystemExit(f"{what} ended with status {process.returncode} before it listened")
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"{what} does not listen")


class Answer:
    """An answer: its status, its headers as pairs in small letters, its body."""

    def __init__(self, response):
        self.status = response.status
        self.headers = [(name.lower(), value) for name, value in response.getheaders()]
        self.body = response.read()

    def header(self, name):
        return ", ".join(value for known, value in self.headers if known == name)


def ask(port, target="/orders/1", headers=(), method="GET", body=b"", source="127.0.0.2", host=HOST):
    """Sends a request as it is, byte for byte, and reads the answer."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines += ["Connection: close"] if not any(name.lower() == "connection" for name, _ in headers) else []
    lines += [f"Content-Length: {len(body)}"] if body else []
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=(source, 0)) as sock:
        sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        response = http.client.HTTPResponse(sock, method=method)
        response.begin()
        return Answer(response)


class Upstream:
    """An API that knows nothing about tokens and remembers what it is sent."""

    def __init__(self):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = [(name.lower(), value) for name, value in self.headers.items()]
                seen.append((self.command, self.path, headers, body))
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(b"ok")

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_):
                pass

            def handle(self):
                # Gateways drop kept connections as they like.
                try:
                    super().handle()
                except ConnectionError:
                    pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class House:
    """The server: an installation of its own, and what the tests need in it."""

    def __init__(self, folder):
        self.folder, self.serving = folder, None
        self.port, self.gate = free(), free()
        self.place = ["--database", f"sqlite://{folder}/tokenhouse.db", "--data", str(folder)]
        made = subprocess.run(
            [os.environ["TOKENHOUSE_BIN"], "init", *self.place, "--org", "Operator", "--admin", "operator@example.org", "--json"],
            capture_output=True, check=True, stdin=subprocess.DEVNULL,
        )
        self.admin = json.loads(made.stdout)["token"]
        self.org = json.loads(made.stdout)["org_id"]

    def start(self, rules_file=None):
        """Serves, with these rules."""
        settings = {
            "HTTP__LISTEN": f"127.0.0.1:{self.port}", "HTTP__TRUSTED_PROXIES": "127.0.0.1",
            "GATE__LISTEN": f"127.0.0.1:{self.gate}", "GATE__ORG": "Operator", "GATE__RULES": str(rules_file or ""),
        }
        environment = {**os.environ, **{f"TOKENHOUSE__{name}": value for name, value in settings.items()}}
        with open(self.folder / "server.log", "ab") as log:
            self.serving = subprocess.Popen(
                [os.environ["TOKENHOUSE_BIN"], "serve", *self.place], env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log,
            )
        for port in (self.port, self.gate):
            listening(port, self.serving, f"tokenhouse (see {self.folder}/server.log)")
        for _ in range(300):
            # It is ready when it knows the present state, a moment after it listens.
            if ask(self.port, "/healthz/ready", source="127.0.0.1").status == 200:
                return
            time.sleep(0.1)
        raise SystemExit("tokenhouse is not ready")

    def stop(self):
        if self.serving:
            self.serving.send_signal(signal.SIGTERM)
            self.serving.wait(30)
            self.serving = None

    def send(self, method, path, body=None, token=None):
        """One request to the native API."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method, data=json.dumps(body or {}).encode(),
            headers={"Authorization": f"Bearer {token or self.admin}", "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def fill(self):
        """Accounts and tokens: one that may read orders, one that may not, one bound to an address, another org's."""
        self.app = self.send("POST", "/v1/accounts", {"kind": "service", "identifier": "sa::app"})["id"]
        self.send("PUT", f"/v1/accounts/{self.app}/permissions/{PERMISSION.replace('/', '%2F')}")
        good = self.send("POST", "/v1/tokens", {"owner": self.app})
        self.good, self.good_id = good["secret"], good["id"]
        self.bound = self.send("POST", "/v1/tokens", {"owner": self.app, "cidrs": ["127.0.0.2"]})["secret"]
        poor = self.send("POST", "/v1/accounts", {"kind": "service", "identifier": "sa::poor"})["id"]
        self.poor = self.send("POST", "/v1/tokens", {"owner": poor})["secret"]
        gateway = self.send("POST", "/v1/accounts", {"kind": "service", "identifier": "sa::gateway"})["id"]
        self.send("PUT", f"/v1/accounts/{gateway}/roles/verifier")
        self.gateway = self.send("POST", "/v1/tokens", {"owner": gateway})["secret"]
        other = self.send("POST", "/v1/orgs", {"name": "other", "admin": "admin@other.example"})
        signed = {"email": "admin@other.example", "password": other["password"]}
        session = self.send("POST", "/v1/session", signed)["secret"]
        self.other = self.send("POST", "/v1/tokens", {}, session)["secret"]


class Gateway:
    """A gateway with the recipe of the page, its ports, paths and credential put in."""

    def __init__(self, name, folder, house, upstream, by_rules):
        self.name, self.port = name, free()
        self.log = open(folder / f"{name}.log", "ab")
        self.places = {
            "127.0.0.1:8000": f"127.0.0.1:{self.port}", "http://:8000": f"http://:{self.port}",
            "127.0.0.1:9000": f"127.0.0.1:{upstream.port}",
            "127.0.0.1:8080": f"127.0.0.1:{house.port}", "127.0.0.1:9190": f"127.0.0.1:{house.gate}",
            "th_s_...": house.gateway, "/etc/haproxy/": f"{folder}/",
        }
        if by_rules:
            self.places[f"?permission={PERMISSION}"] = "?"
        command = getattr(self, name)(folder)
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
            env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
        )
        listening(self.port, self.process, f"{name} (see {folder}/{name}.log)")

    def filled(self, text):
        for known, put in self.places.items():
            text = text.replace(known, put)
        return text

    def nginx(self, folder):
        temporary = "\n".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        whole = (
            f"daemon off;\nuser root;\npid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\nevents {{}}\n"
            f"http {{\naccess_log off;\n{temporary}\n{self.filled(recipe('nginx'))}}}\n"
        )
        if os.geteuid():
            whole = whole.replace("user root;\n", "")
        (folder / "nginx.conf").write_text(whole)
        return ["nginx", "-e", str(folder / "nginx.log"), "-c", str(folder / "nginx.conf")]

    def caddy(self, folder):
        (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + self.filled(recipe("caddyfile")))
        return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]

    def haproxy(self, folder):
        (folder / "tokenhouse.lua").write_text(self.filled(recipe("lua")))
        (folder / "haproxy.cfg").write_text(self.filled(recipe("haproxy")))
        return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]

    def stop(self):
        self.process.kill()
        self.process.wait(10)
        self.log.close()
