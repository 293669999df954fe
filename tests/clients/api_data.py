"""Data that wavefront-api-client sends directly, on its way to the service behind."""

import base64
import json
import os

from api import Client, refused
from served import holds, same


def taken():
    """What the service behind got so far."""
    with open(os.environ["TOKENHOUSE_TAKEN"], encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def report(run):
    """Points come there as they were sent, with another credential."""
    line = f"{run.org.name}.load 1 source=here"
    _, token = run.org.person("sender", "ingestion")
    Client(token).data.report(f="wavefront", body=line)
    got = [one for one in taken() if run.org.name in base64.b64decode(one["body"]).decode()]
    same([one["target"] for one in got], ["/base/report?f=wavefront"])
    holds(token not in json.dumps(got), "the sender's credential stays here")
    same(got[0]["headers"]["authorization"], "Bearer " + os.environ["TOKENHOUSE_UPSTREAM_TOKEN"])
    _, token = run.org.person("silent", "agent_management")
    refused(403, "Direct Data Ingestion (ingestion)", Client(token).data.report, f="wavefront", body=line)
