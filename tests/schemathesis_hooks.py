"""Keeps the account that asks alive while tests/schemathesis.sh sends it through every operation.

Schemathesis reuses what the server answers, and `self` is a valid token id, so sooner or later it would revoke its own
token or suspend its own org, and everything after that would be answered with 401. Changes that name something of the
caller's own are therefore sent to an id that does not exist; reading it stays allowed.
"""

import json
import os
import urllib.parse
import uuid

import schemathesis


def read(variable):
    with open(os.environ[variable], encoding="utf-8") as file:
        return json.load(file)


WHOAMI = read("TOKENHOUSE_WHOAMI")
INIT = read("TOKENHOUSE_INIT")
# Every text by which a path can name the caller's token (its id, `self`, its secret), account or org.
OWN = {
    text.casefold()
    for text in (
        "self",
        WHOAMI["token"]["id"],
        WHOAMI["account"]["id"],
        WHOAMI["account"]["identifier"],
        WHOAMI["org"]["id"],
        INIT["token"],
    )
}


@schemathesis.hook
def before_call(context, case, **kwargs):
    if case.method.upper() in ("GET", "HEAD", "OPTIONS"):
        return
    for name, value in (case.path_parameters or {}).items():
        # The server sees it decoded, and folds and trims what people type.
        text = urllib.parse.unquote(str(value)).strip().casefold()
        if text in OWN or text.replace("-", "") in {own.replace("-", "") for own in OWN}:
            case.path_parameters[name] = str(uuid.uuid4())
    # A search would find the caller's own token as well: one more condition keeps it from finding anything.
    if case.path == "/v1/tokens/revoke" and isinstance(case.body, dict):
        search = case.body.get("search")
        if isinstance(search, list) and search:
            search.append({"field": "name", "op": "is", "value": str(uuid.uuid4())})
