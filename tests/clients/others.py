#!/usr/bin/env python3
"""Clients that are not installed here, as the requests that they send (wavefront.md 1.1, 7 and 10): the Go client with
the Terraform provider on it, the Ruby client with its command `wf`, the oldest Python clients, and curl.

    others.py NAME      NAME names the org that it makes
"""

import json
import re
import sys

from served import Org, holds, is_handle, is_secret, main, same, send

org = Org(sys.argv[1])
NOWHERE = "01890000-0000-7000-8000-000000000000"
# What the Ruby client wants of the id of a token, a group or a role before it sends anything.
RUBY_ID = re.compile(r"[a-f0-9]{8}(-[a-f0-9]{4}){3}-[a-f0-9]{12}")
BEARER = {"Authorization": f"Bearer {org.token}"}


def go(method, path, body=None):
    """As the Go client sends it: identifiers raw in the path, bodies in chunks without a length."""
    headers = BEARER | {"Accept-Encoding": "gzip", "User-Agent": "Go-http-client/1.1"}
    if body is None:
        return send(method, path, headers=headers)
    headers["Content-Type"] = "application/json"
    return send(method, path, json.dumps(body).encode(), headers=headers, chunked=True)


def ruby(method, path, body=None, kind="application/json"):
    """As the Ruby client sends it: the JSON literal `null` where it has nothing to say."""
    if method in ("GET", "DELETE"):
        return send(method, path, headers=BEARER)
    return send(method, path, json.dumps(body).encode(), headers=BEARER | {"Content-Type": kind})


def terraform_service_account():
    """A resource's life: made, given a token, read, changed, deleted."""
    path = "/api/v2/account/serviceaccount"
    go("GET", f"{path}/sa::tf").refused(404, "service account does not exist")
    body = {"identifier": "sa::tf", "active": True, "description": "by hand", "tokens": [], "groups": ["ingestion"]}
    made = go("POST", path, body).ok()
    same((made["identifier"], made["active"], made["tokens"]), ("sa::tf", True, []))
    # At once the token `main`, whose secret an operator copies from the list: that needs the recoverable mode.
    tokens = go("POST", "/api/v2/apitoken/serviceaccount/sa::tf", {"tokenName": "main"}).ok()
    same([token["tokenName"] for token in tokens], ["main"])
    secret = tokens[-1]["tokenID"]
    holds(is_secret(secret), "the secret is told")
    read = go("GET", f"{path}/sa::tf").ok()
    same((read["groups"], read["description"], len(read["tokens"])), (["ingestion"], "by hand", 1))
    # No absent list clears anything, and an empty list of tokens is none that it means.
    changed = go("PUT", f"{path}/sa::tf", {"identifier": "sa::tf", "active": True, "tokens": []}).ok()
    same((changed["groups"], len(changed["tokens"])), (["ingestion"], 1))
    same(org.verdict(secret), "good")
    renamed = go("PUT", f"/api/v2/apitoken/serviceaccount/sa::tf/{secret}", {"tokenID": secret, "tokenName": "ci"}).ok()
    same((renamed["tokenName"], renamed["account"]), ("ci", "sa::tf"))
    go("PUT", f"{path}/sa::tf", {"identifier": "sa::tf", "active": False, "tokens": []}).ok()
    holds(org.verdict(secret) != "good", "stopped")
    same(go("DELETE", "/api/v2/account/sa::tf").ok()["identifier"], "sa::tf")
    go("DELETE", "/api/v2/account/sa::tf").refused(404, "account does not exist")
    go("GET", f"{path}/sa::tf").refused(404)


def terraform_copies_main():
    """With the recoverable mode the list shows the token that the provider made and threw away."""
    org.recoverable(True)
    body = {"identifier": "sa::tf-main", "active": True, "tokens": []}
    go("POST", "/api/v2/account/serviceaccount", body).ok()
    go("POST", "/api/v2/apitoken/serviceaccount/sa::tf-main", {"tokenName": "main"}).ok()
    (main_token,) = go("GET", "/api/v2/apitoken/serviceaccount/sa::tf-main").ok()
    same((main_token["tokenName"], org.verdict(main_token["tokenID"])), ("main", "good"))
    org.recoverable(False)
    (main_token,) = go("GET", "/api/v2/apitoken/serviceaccount/sa::tf-main").ok()
    holds(is_handle(main_token["tokenID"]), "turned off, it is not shown")


def terraform_users_groups_roles():
    """What it makes and what it looks for."""
    email = f"tf+1@{org.name}.example"
    everyone = {"key": "name", "value": "Everyone", "matchingMethod": "EXACT"}
    found = go("POST", "/api/v2/search/usergroup", {"query": [everyone], "limit": 100, "offset": 0}).ok()
    same([group["name"] for group in found["items"]], ["Everyone"])
    made = go("POST", "/api/v2/user?sendEmail=false", {"emailAddress": email, "groups": [], "userGroups": None})
    same((made.ok()["identifier"], made.json["identifier"], made.json["customer"]), (email, email, org.name))
    role = go("POST", "/api/v2/role", {"name": "tf", "permissions": ["ingestion"]}).ok()
    body = {"name": "tf", "description": "", "roleIDs": [role["id"]]}
    group = go("POST", "/api/v2/usergroup", body).ok()
    same([held["id"] for held in group["roles"]], [role["id"]])
    body = {"identifier": email, "groups": ["events_management"], "userGroups": [group["id"]]}
    changed = go("PUT", f"/api/v2/user/{email}", body)
    same(changed.ok()["groups"], ["events_management"])
    # It reads a user bare, and finds him by the key `id`.
    read = go("GET", f"/api/v2/user/{email}")
    same((read.status, read.json["identifier"], read.json["groups"]), (200, email, ["events_management"]))
    same(sorted(held["name"] for held in read.json["userGroups"]), ["Everyone", "tf"])
    condition = {"key": "id", "value": email, "matchingMethod": "EXACT"}
    body = {"query": [condition], "limit": 100, "offset": 0, "timeRange": None}
    found = go("POST", "/api/v2/search/user", body).ok()
    same(([user["identifier"] for user in found["items"]], found["moreItems"]), ([email], False))
    condition["value"] = role["id"]
    found = go("POST", "/api/v2/search/role", {"query": [condition], "limit": 100, "offset": 0}).ok()
    same([one["permissions"] for one in found["items"]], [["ingestion"]])
    # A data source reads all of them: no condition, page after page until `moreItems` is false.
    seen, offset = [], 0
    while True:
        found = go("POST", "/api/v2/search/user", {"query": None, "limit": 1, "offset": offset}).ok()
        same(found["sort"], {"ascending": False, "field": "default", "default": True})
        seen += [user["identifier"] for user in found["items"]]
        offset += 1
        if not found["moreItems"]:
            break
    same(sorted(seen), sorted({email, org.admin}))
    for path in (f"user/{NOWHERE}@x.example", f"role/{NOWHERE}", f"usergroup/{NOWHERE}"):
        go("GET", f"/api/v2/{path}").refused(404, "does not exist")
    same(go("DELETE", f"/api/v2/usergroup/{group['id']}").ok()["name"], "tf")
    same(go("DELETE", f"/api/v2/role/{role['id']}").ok()["name"], "tf")
    same(go("DELETE", f"/api/v2/user/{email}").status, 200)


def ruby_tokens():
    """`wf apitoken`: bodies of `null`, plain text, and a deletion by what creation printed."""
    before = ruby("GET", "/api/v2/apitoken").ok()
    holds(all(RUBY_ID.search(token["tokenID"]) for token in before), "ids that it takes")
    for kind in ("application/json", "text/plain"):
        made = ruby("POST", "/api/v2/apitoken", kind=kind).ok()
        printed = made[-1]["tokenID"]
        holds(RUBY_ID.search(printed) and is_secret(printed), "the last one is new")
        body = {"tokenID": printed, "tokenName": kind}
        same(ruby("PUT", f"/api/v2/apitoken/{printed}", body).ok()["tokenName"], kind)
        left = ruby("DELETE", f"/api/v2/apitoken/{printed}").ok()
        same([token["tokenID"] for token in left], [token["tokenID"] for token in before])
    # All of something it reads by 999 at a time.
    condition = [{"key": "account", "value": org.admin, "matchingMethod": "EXACT"}]
    found = ruby("POST", "/api/v2/search/token", {"limit": 999, "offset": 0, "query": condition}).ok()
    same((found["limit"], [token["id"] for token in found["items"]]), (999, [token["tokenID"] for token in before]))


def ruby_service_accounts():
    """`wf serviceaccount`: what it got it sends back, objects and all."""
    path = "/api/v2/account/serviceaccount"
    made = ruby("POST", path, {"identifier": "sa::wf", "active": True}).ok()
    # It asks each of these whether it is empty.
    for member in ("groups", "userGroups", "roles", "tokens"):
        holds(isinstance(made[member], list), f"{member} is a list")
    token = ruby("POST", "/api/v2/apitoken/serviceaccount/sa::wf").ok()[-1]["tokenID"]
    for kind in ("application/json", "text/plain"):
        same(ruby("POST", f"{path}/sa::wf/deactivate", kind=kind).ok()["active"], False)
        same(ruby("POST", f"{path}/sa::wf/activate", kind=kind).ok()["active"], True)
    got = ruby("GET", f"{path}/sa::wf").ok()
    kept = ("description", "tokens", "groups", "userGroups", "active", "identifier")
    back = {name: got[name] for name in kept if name in got} | {"description": "changed"}
    holds(isinstance(back["tokens"][0], dict) and isinstance(back["userGroups"][0], dict), "objects go back")
    changed = ruby("PUT", f"{path}/sa::wf", back).ok()
    same(changed["description"], "changed")
    for member in ("tokens", "groups", "userGroups", "roles"):
        same(changed[member], got[member], member)
    same(org.verdict(token), "good")
    for permission in ("grant", "revoke"):
        given = ruby("POST", f"/api/v2/account/sa::wf/{permission}/ingestion", kind="text/plain")
        same(given.ok()["groups"], ["ingestion"] if permission == "grant" else [])
    told = ruby("POST", "/api/v2/account/validateAccounts", ["sa::wf", "sa::nobody"]).ok()
    same(([one["identifier"] for one in told["validUsers"]], told["invalidIdentifiers"]), (["sa::wf"], ["sa::nobody"]))
    holds("GET_TOKENS" in ruby("GET", "/api/v2/account/sa::wf/businessFunctions").ok(), "what everybody may")
    same(ruby("POST", "/api/v2/account/deleteAccounts", ["sa::wf", "sa::nobody"]).ok(), ["sa::wf"])
    ruby("POST", path, {"identifier": "sa::wf", "active": True, "tokens": [NOWHERE]}).refused(400, "tokens")


def ruby_pages_by_cursor():
    """It goes on at a cursor where there is one, and asks for 999 at a time."""
    for number in range(5):
        ruby("POST", "/api/v2/account/serviceaccount", {"identifier": f"sa::page-{number}", "active": True}).ok()
    condition = [{"key": "identifier", "value": "sa::page-", "matchingMethod": "STARTSWITH"}]
    body = {"limit": 2, "query": condition, "sort": {"field": "identifier", "ascending": True}}
    seen = []
    while True:
        page = ruby("POST", "/api/v2/search/serviceaccount", body).ok()
        seen += [account["identifier"] for account in page["items"]]
        holds(page["moreItems"] == ("cursor" in page), "a cursor where there is more")
        if not page["moreItems"]:
            break
        body["cursor"] = page["cursor"]
    same(seen, [f"sa::page-{number}" for number in range(5)])
    ruby("POST", "/api/v2/search/token", {"limit": 1000}).ok()
    for wrong in ({"limit": 0}, {"limit": 1001}, {"limit": -1}, {"limit": "x"}, {"cursor": "nonsense"}):
        ruby("POST", "/api/v2/search/token", wrong).refused(400)
    ruby("POST", "/api/v2/account/deleteAccounts", seen).ok()


def ruby_settings():
    """`wf settings` and `wf cluster`."""
    permissions = {one["groupName"]: one for one in ruby("GET", "/api/v2/customer/permissions").ok()}
    same(len(permissions), 18)
    same(permissions["user_management"]["displayName"], "Accounts")
    (everyone,) = ruby("GET", "/api/v2/customer/preferences/defaultUserGroups").ok()
    same((everyone["name"], bool(RUBY_ID.search(everyone["id"]))), ("Everyone", True))
    preferences = ruby("GET", "/api/v2/customer/preferences").ok()
    same([group["name"] for group in preferences["defaultUserGroups"]], ["Everyone"])
    same(ruby("GET", "/api/v2/cluster/info").ok(), {"clusterAlias": org.name, "statusPageLink": None})
    # No credential: generators fetch it as it is.
    document = send("GET", "/api/v2/swagger.json").json
    same(document["swagger"], "2.0")
    holds(len([1 for path in document["paths"].values() for _ in path]) >= 96, "all that the Python client calls")


def old_python():
    """No body at all, forms, bare lists."""
    made = send("POST", "/api/v2/apitoken", b"", org.token, {"Content-Type": "application/json"}).ok()
    send("DELETE", f"/api/v2/apitoken/{made[-1]['tokenID']}", token=org.token).ok()
    email = f"form@{org.name}.example"
    body = {"emailAddress": email, "groups": [], "userGroups": []}
    made = send("POST", "/api/v2/user?sendEmail=True", body, org.token)
    # No mail goes out, and that is said: `wf` prints it as a warning.
    same(made.ok(202)["identifier"], email)
    same(made.json["status"]["message"], "no mail was sent: an administrator sets the password")
    bare = {name: value for name, value in made.json.items() if name not in ("status", "response")}
    same(bare, made.json["response"], "the same user bare and in the envelope")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    given = send("POST", f"/api/v2/user/{email}/grant", b"group=ingestion", org.token, form)
    same(given.ok()["groups"], ["ingestion"])
    taken = send("POST", f"/api/v2/user/{email}/revoke", b"group=ingestion", org.token, form)
    same(taken.ok()["groups"], [])
    send("POST", f"/api/v2/user/{email}/grant", b"", org.token, form).refused(400, "group")
    listed = send("GET", "/api/v2/user", token=org.token)
    holds(isinstance(listed.json, list), "a bare list")
    same(sorted(user["identifier"] for user in listed.json), sorted([org.admin, email]))


def curl():
    """By hand: a token in either header, in the query only where it has to be."""
    same(len(send("GET", "/api/v2/apitoken", headers={"X-AUTH-TOKEN": f"bearer {org.token}"}).ok()), 1)
    same(len(send("GET", "/api/v2/apitoken", token=org.token, headers=BEARER).ok()), 1)
    send("GET", "/api/v2/apitoken").refused(401, "a credential is required")
    two = send("GET", "/api/v2/apitoken", token=NOWHERE, headers=BEARER)
    two.refused(400, "two different credentials")
    send("GET", f"/api/v2/apitoken?token={org.token}").refused(401, "a credential is required")
    send("GET", f"/api/daemon/test?token={org.token}").ok()
    changed = send("POST", "/api/v2/apitoken?wait=nodes", {"tokenName": "by hand"}, org.token)
    secret = changed.ok()[-1]["tokenID"]
    receipt = changed.headers["x-tokenhouse-receipt"]
    holds(re.fullmatch(r"epoch=\d+; revision=\d+; journaled=true; confirmed=yes", receipt), receipt)
    # Asked again under the same key it is done once.
    key = {"Idempotency-Key": "once"}
    twice = [send("POST", "/api/v2/apitoken", {}, org.token, key).ok()[-1]["tokenID"] for _ in range(2)]
    same(twice[0], twice[1])
    same(len(send("GET", "/api/v2/apitoken", token=org.token).ok()), 3)
    for token in (secret, twice[0]):
        send("DELETE", f"/api/v2/apitoken/{token}", token=org.token).ok()
    for method in ("PATCH", "DELETE"):
        send(method, "/api/v2/apitoken", b"{}", org.token).refused(405)
    send("GET", "/api/v2/nothing", token=org.token).refused(404, "nothing is served")


main(
    "Go, Terraform, Ruby and curl, request by request",
    [
        terraform_service_account,
        terraform_copies_main,
        terraform_users_groups_roles,
        ruby_tokens,
        ruby_service_accounts,
        ruby_pages_by_cursor,
        ruby_settings,
        old_python,
        curl,
    ],
)
