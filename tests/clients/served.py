"""The server under test as the scripts beside this one see it: orgs of their own, raw requests, checks.

It is named by TOKENHOUSE_URL, and TOKENHOUSE_TOKEN is the token of its first administrator. Nothing that is printed
carries a secret: whatever looks like one is masked.
"""

import http.client
import json
import os
import re
import sys
import time
import traceback
import urllib.parse

URL = os.environ["TOKENHOUSE_URL"].rstrip("/")
OPERATOR = os.environ["TOKENHOUSE_TOKEN"]
HOST = urllib.parse.urlsplit(URL).netloc
PASSWORD = "a password of the tests, long enough"

_LIKE_A_SECRET = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|th_[a-z]+_\w+")


def masked(text):
    """A text without what may be a secret."""
    return _LIKE_A_SECRET.sub(lambda found: found[0][:6] + "...", str(text))


# --- checks: they say what was wanted and what came ---


def same(got, wanted, about=""):
    """Fails unless both are equal."""
    if got != wanted:
        raise AssertionError(masked(f"{about}\n  wanted {wanted!r}\n  got    {got!r}"))


def holds(truth, about):
    """Fails unless it is true."""
    if not truth:
        raise AssertionError(masked(about))


def within(seconds, look, about):
    """Looks again and again until it is so; gives back what was seen. What was used is written down now and then."""
    ends = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > ends:
            raise AssertionError(f"not within {seconds} s: {about}")
        time.sleep(0.2)


def is_secret(text):
    """Whether it has the form of a secret of this API: a random UUID in lower case. A handle's has another version."""
    return bool(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", text))


def is_handle(text):
    """Whether it has the form of a handle: a UUID in lower case, as Ruby's client asks for it, but not a random one."""
    return bool(re.fullmatch(r"[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}", text)) and not is_secret(text)


# --- requests ---


class Answer:
    """What came back."""

    def __init__(self, status, headers, raw):
        self.status, self.headers, self.raw = status, headers, raw

    @property
    def json(self):
        """The body."""
        return json.loads(self.raw)

    def ok(self, code=200):
        """What stands in the envelope of a good answer."""
        same(self.status, 200, self.raw)
        same(self.json["status"]["result"], "OK", self.raw)
        same(self.json["status"]["code"], code, self.raw)
        return self.json["response"]

    def refused(self, status, part=""):
        """That it is a refusal in the envelope, with this in its message."""
        same(self.status, status, self.raw)
        same(self.headers["content-type"], "application/json")
        said = self.json["status"]
        same((said["result"], said["code"]), ("ERROR", status), self.raw)
        holds(part in said["message"], f"{part!r} is not in {said['message']!r}")


def send(method, path, body=None, token=None, headers=None, chunked=False):
    """One request as it stands: the path goes out as it is, nothing is added but the token in X-AUTH-TOKEN.

    A body is bytes, or what becomes JSON.
    """
    headers = dict(headers or {})
    if token:
        headers["X-AUTH-TOKEN"] = token
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", "application/json")
    connection = http.client.HTTPConnection(HOST, timeout=30)
    try:
        if chunked:
            # In two pieces, so that the length is really told by the chunks.
            pieces = [body[:3], body[3:]] if body else []
            headers["Transfer-Encoding"] = "chunked"
            connection.request(method, path, iter([piece for piece in pieces if piece]), headers, encode_chunked=True)
        else:
            connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode())
    finally:
        connection.close()


def native(method, path, body=None, token=OPERATOR):
    """One request to the native API, which must go well; gives back the JSON."""
    answer = send(method, f"/v1/{path}", body, headers={"Authorization": f"Bearer {token}"})
    holds(200 <= answer.status < 300, f"{method} /v1/{path}: {answer.status} {answer.raw}")
    return answer.json


class Org:
    """An org of one script's own, with its administrator's token."""

    def __init__(self, name):
        self.name, self.admin = name, f"admin@{name}.example"
        made = native("POST", "orgs", {"name": name, "admin": self.admin})
        session = self.sign_in(self.admin, made["password"])
        reach = {"name": "first", "reach": ["native", "verify", "wavefront"]}
        self.token = native("POST", "tokens", reach, session)["secret"]

    def sign_in(self, email, password):
        """A session, which works in the native API."""
        return native("POST", "session", {"email": email, "password": password}, None)["secret"]

    def ask(self, method, path, body=None):
        """One request to the native API as the administrator."""
        return native(method, path, body, self.token)

    def verdict(self, secret):
        """`good`, or why a credential is not."""
        told = self.ask("POST", "verify", {"token": secret})
        return "good" if told["active"] else told["reason"]

    def person(self, name, *permissions):
        """A person who holds these permissions of Wavefront's and nothing else: the address and a token for here."""
        email = f"{name}@{self.name}.example"
        account = self.ask("POST", "accounts", {"kind": "user", "identifier": email, "password": PASSWORD})["id"]
        for permission in permissions:
            self.ask("PUT", f"accounts/{account}/permissions/{permission}", {})
        # The role is for making the token; afterwards only the permissions count.
        self.ask("PUT", f"accounts/{account}/roles/member", {})
        session = self.sign_in(email, PASSWORD)
        token = native("POST", "tokens", {"reach": ["verify", "wavefront"]}, session)["secret"]
        self.ask("DELETE", f"accounts/{account}/roles/member")
        return email, token

    def recoverable(self, on):
        """Whether secrets can be shown again."""
        policy = self.ask("GET", "policy")
        policy["recoverable"] = on
        self.ask("PUT", "policy", policy)


def main(title, parts):
    """Runs the parts of a script in order and prints one line; at the first failure what went wrong, and where."""
    begun = time.monotonic()
    for part in parts:
        try:
            part()
        except Exception:  # Whatever it is, it is told without secrets.
            name = getattr(part, "func", part).__name__
            print(masked(f"{title}: {name} failed\n{traceback.format_exc()}"), file=sys.stderr)
            sys.exit(1)
    print(f"{title}: ok, {len(parts)} parts, {time.monotonic() - begun:.1f} s")
