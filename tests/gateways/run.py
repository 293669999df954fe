#!/usr/bin/env python3
"""What real gateways let pass and what they do not, and what a client can forge. See tests/gateways.sh."""

import pathlib
import shutil
import sys
import tempfile

from parts import PERMISSION, Gateway, House, Upstream, ask, rules

NAMES = ("nginx", "caddy", "haproxy")
IDENTITY = ("org", "account", "identifier", "token", "kind")
CREDENTIALS = ("authorization", "x-auth-token", "x-sf-token")
SHORT = 'Bearer realm="tokenhouse", error="insufficient_scope"'
BAD = 'Bearer realm="tokenhouse", error="invalid_token"'
NOBODY = 'Bearer realm="tokenhouse"'


class Case:
    """One gateway before one house and one upstream."""

    def __init__(self, gateway, house, upstream):
        self.gateway, self.house, self.upstream = gateway, house, upstream

    def send(self, token=None, headers=(), **more):
        """Sends a request; gives the answer and what reached the upstream of it."""
        before = len(self.upstream.seen)
        bearer = [("Authorization", f"Bearer {token}")] if token else []
        answer = ask(self.gateway.port, headers=[*bearer, *headers], **more)
        return answer, self.upstream.seen[before:]

    def passes(self, token=None, headers=(), **more):
        """That it passes, says who it is exactly once, and carries no credential."""
        answer, seen = self.send(token, headers, **more)
        same((answer.status, len(seen)), (200, 1), f"status, requests that reached the upstream: {answer.body!r}")
        method, target, sent, body = seen[0]
        told = {name: [value for known, value in sent if known.replace("_", "-") == f"x-tokenhouse-{name}"] for name in IDENTITY}
        house = self.house
        expected = dict(zip(IDENTITY, (house.org, house.app, "sa::app", None, "service")))
        for name, value in expected.items():
            if value is not None:
                same(told[name], [value], f"X-Tokenhouse-{name}")
        same(len(told["token"]), 1, "X-Tokenhouse-Token")
        left = [name for name, value in sent if (name in CREDENTIALS or name == "x-tokenhouse-gate") and value]
        same(left, [], "credentials that reached the upstream")
        return method, target, sent, body

    def refused(self, status, challenge, token=None, headers=(), **more):
        """That it is refused, and nothing of it reaches the upstream."""
        answer, seen = self.send(token, headers, **more)
        same((answer.status, len(seen)), (status, 0), "status, requests that reached the upstream")
        # nginx passes on what a 403 says to nobody.
        if status == 401 or self.gateway.name != "nginx":
            same(answer.header("www-authenticate"), challenge, "challenge")

    def stopped(self, token=None, headers=(), **more):
        """That nothing of it reaches the upstream, whatever the gateway says."""
        answer, seen = self.send(token, headers, **more)
        same((answer.status >= 400, len(seen)), (True, 0), f"status {answer.status}, requests that reached the upstream")


def same(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, not {wanted!r}")


def a_good_token_passes(case):
    house = case.house
    method, target, sent, _ = case.passes(house.good, target="/orders/1?page=2")
    same((method, target), ("GET", "/orders/1?page=2"), "request")
    same([value for name, value in sent if name == "x-tokenhouse-token"], [house.good_id], "X-Tokenhouse-Token")
    for name in CREDENTIALS[1:]:
        case.passes(headers=[(name, house.good)])
    case.passes(house.good, headers=[("X-Auth-Token", house.good)])


def a_body_passes(case):
    method, _, _, body = case.passes(case.house.good, method="POST", body=b"x" * 5000)
    same((method, len(body)), ("POST", 5000), "method, length")


def a_bad_token_is_refused(case):
    case.refused(401, BAD, "junk")
    case.refused(401, BAD, "00000000-0000-4000-8000-000000000000")
    case.refused(401, NOBODY)
    case.refused(401, BAD, headers=[("Authorization", "Basic dXNlcjpwYXNz")])


def a_missing_permission_is_refused(case):
    case.refused(403, f'{SHORT}, scope="{PERMISSION}"', case.house.poor)


def another_orgs_token_is_refused(case):
    case.refused(401, BAD, case.house.other)


def forged_identity_does_not_reach_the_upstream(case):
    forged = [(f"X-Tokenhouse-{name}", "forged") for name in IDENTITY]
    forged += [(f"X_Tokenhouse_{name}", "forged") for name in IDENTITY]
    forged += [(f"x-tokenhouse-{name}", "forged") for name in IDENTITY]
    forged += [(f"X-Tokenhouse_{name}", "forged") for name in IDENTITY]
    case.passes(case.house.good, headers=forged)
    case.refused(401, BAD, "junk", headers=forged)


def two_credentials_are_refused(case):
    house = case.house
    case.refused(401, BAD, house.good, headers=[("X-Auth-Token", house.poor)])
    case.refused(401, BAD, headers=[("X-Auth-Token", house.good), ("X-SF-Token", house.poor)])
    # Some gateways refuse a second Authorization header by themselves, or keep the last one of a name.
    case.stopped(house.poor, headers=[("Authorization", f"Bearer {house.good}")])


def an_address_can_not_be_forged(case):
    bound = case.house.bound
    case.passes(bound, source="127.0.0.2")
    case.refused(401, BAD, bound, source="127.0.0.3")
    for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP"):
        for value in ("127.0.0.2", "for=127.0.0.2", "127.0.0.2, 127.0.0.1"):
            case.refused(401, BAD, bound, headers=[(name, value)], source="127.0.0.3")


def a_gate_credential_of_the_clients_own_gets_nowhere(case):
    house = case.house
    for value in (f"Bearer {house.other}", f"Bearer {house.gateway}", "junk"):
        case.stopped(house.other, headers=[("X-Tokenhouse-Gate", value)])
        case.stopped("junk", headers=[("X-Tokenhouse-Gate", value)])


def connection_headers_forge_nothing(case):
    """A gateway may drop what `Connection` names; what is dropped must never be what is decided by."""
    dropped = "x-tokenhouse-gate, x-forwarded-for, x-forwarded-uri, x-forwarded-method, x-forwarded-host, close"
    forged = [("Connection", dropped), ("X-Forwarded-For", "127.0.0.2"), ("X-Forwarded-Uri", "/status")]
    case.stopped(case.house.poor, headers=forged)
    case.stopped(case.house.bound, headers=forged, source="127.0.0.3")
    account = [("Connection", "x-tokenhouse-account, close"), ("X-Tokenhouse-Account", "forged")]
    _, seen = case.send(case.house.good, headers=account)
    told = [value for _, _, sent, _ in seen for name, value in sent if name == "x-tokenhouse-account"]
    same("forged" in told, False, "a forged account reached the upstream")


def a_gate_that_is_down_lets_nothing_pass(case):
    case.house.stop()
    answer, seen = case.send(case.house.good)
    same((answer.status in (500, 502, 503), len(seen)), (True, 0), f"status {answer.status}, what reached the upstream")


def rules_decide_by_the_path(case):
    house = case.house
    case.passes(house.good, target="/orders/1/lines?page=2")
    case.passes(house.good, target="/orders")
    case.passes(house.good, target="/status", method="DELETE", host="other.example.com")
    case.refused(403, f'{SHORT}, scope="{PERMISSION}"', house.poor, target="/orders/1")
    case.refused(403, SHORT, house.good, target="/orders/1", method="POST")
    case.refused(403, SHORT, house.good, target="/orders/1", host="other.example.com")
    case.refused(403, SHORT, house.good, target="/admin")
    case.refused(401, BAD, "junk", target="/status")


def a_request_can_not_be_described_by_the_client(case):
    house = case.house
    forged = [("X-Forwarded-Uri", "/status"), ("X-Forwarded-Method", "GET"), ("X-Forwarded-Host", "api.example.com")]
    others = [("X-Original-URI", "/status"), ("X-Original-URL", "/status"), ("X-Rewrite-URL", "/status")]
    case.stopped(house.poor, headers=forged)
    case.stopped(house.good, headers=forged, target="/admin")
    case.stopped(house.good, headers=[*forged, *forged], target="/admin")
    case.stopped(house.good, headers=others, target="/admin")


def paths_of_two_meanings_reach_nobody(case):
    for target in (
        "/orders/../admin", "/orders/%2e%2e/admin", "/orders/..%2fadmin", "/orders/%2e%2e%2fadmin", "/orders/..;/admin",
        "/orders//../admin", "//admin", "/orders/%5c..%5cadmin", "/orders/\\..\\admin", "/orders/%252e%252e/admin",
        "/orders/%00", "/orders/%0d%0aX-Tokenhouse-Account:%20x", "/status/../admin", "/orders/./1", "/status;x/../admin",
        "http://api.example.com/admin", "/orders/%ff",
    ):
        case.stopped(case.house.good, target=target)


IN_URL = (
    a_good_token_passes, a_body_passes, a_bad_token_is_refused, a_missing_permission_is_refused,
    another_orgs_token_is_refused, forged_identity_does_not_reach_the_upstream, two_credentials_are_refused,
    an_address_can_not_be_forged, a_gate_credential_of_the_clients_own_gets_nowhere, connection_headers_forge_nothing,
    a_gate_that_is_down_lets_nothing_pass,
)
BY_RULES = (
    rules_decide_by_the_path, a_request_can_not_be_described_by_the_client, paths_of_two_meanings_reach_nobody,
    forged_identity_does_not_reach_the_upstream, connection_headers_forge_nothing,
)


def main():
    names = sys.argv[1:] or NAMES
    if set(names) - set(NAMES):
        sys.exit(f"usage: tests/gateways.sh [{' | '.join(NAMES)}]...")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tokenhouse-gateways."))
    upstream, house, failed, count = Upstream(), House(folder), 0, 0
    (folder / "gate.toml").write_text(rules())
    try:
        house.start()
        house.fill()
        for by_rules, tests in ((False, IN_URL), (True, BY_RULES)):
            for name in names:
                house.stop()
                house.start(folder / "gate.toml" if by_rules else None)
                case = Case(Gateway(name, folder, house, upstream, by_rules), house, upstream)
                for test in tests:
                    told = f"{name}, {'rules' if by_rules else 'permission in the URL'}: {test.__name__.replace('_', ' ')}"
                    count += 1
                    try:
                        test(case)
                        print(f"ok      {told}")
                    except (AssertionError, OSError) as error:
                        failed += 1
                        print(f"FAILED  {told}: {error}")
                case.gateway.stop()
        log = (folder / "server.log").read_text(errors="replace")
        secrets = (house.good, house.bound, house.poor, house.gateway, house.other)
        if any(secret in log for secret in secrets) or "panicked at" in log:
            failed += 1
            print("FAILED  the server's log holds a secret, or the server panicked")
    finally:
        house.stop()
        if failed:
            for log in sorted(folder.glob("*.log")):
                print(f"--- the end of {log.name} ---", *log.read_text(errors="replace").splitlines()[-15:], sep="\n")
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{count - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
