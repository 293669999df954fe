#!/usr/bin/env python3
"""wavefront-sdk-python, unmodified: data of an application, on its way to the service behind.

    sdk.py NAME      NAME names the org that it makes
"""

import base64
import importlib.metadata
import json
import logging
import os
import sys
import time
import uuid

from served import URL, Org, holds, main, same
from wavefront_sdk.client import WavefrontClient

org = Org(sys.argv[1])


def taken(word):
    """What the service behind got with this word in it."""
    with open(os.environ["TOKENHOUSE_TAKEN"], encoding="utf-8") as file:
        every = [json.loads(line) for line in file]
    for one in every:
        one["body"] = base64.b64decode(one["body"]).decode()
    return [one for one in every if word in one["body"]]


def sender(token):
    """The client; it sends when it is told to."""
    return WavefrontClient(URL, token, flush_interval_seconds=3600, enable_internal_metrics=False)


def data():
    """Metrics, histograms and spans come there with another credential."""
    _, token = org.person("app", "ingestion")
    client = sender(token)
    now = int(time.time())
    client.send_metric(f"{org.name}.load", 42.5, now, "here", {"zone": "a"})
    client.send_distribution(f"{org.name}.times", [(30, 20)], {"!M"}, now, "here", {})
    client.send_span(f"{org.name}.span", now * 1000, 5, "here", uuid.uuid4(), uuid.uuid4(), [], [], [("a", "b")], [])
    client.flush_now()
    same(client.get_failure_count(), 0)
    client.close()
    for word, form in (("load", "wavefront"), ("times", "histogram"), ("span", "trace")):
        (got,) = taken(f"{org.name}.{word}")
        same(got["target"], f"/base/report?f={form}")
        same(got["headers"]["content-encoding"], "gzip")
        same(got["headers"]["authorization"], "Bearer " + os.environ["TOKENHOUSE_UPSTREAM_TOKEN"])
        holds(token not in json.dumps(got), "the sender's credential stays here")
    (got,) = taken(f"{org.name}.load")
    holds(f'"{org.name}.load" 42.5 {now} source="here" "zone"="a"' in got["body"], "as it was sent")


def refused():
    """Without the permission nothing gets there, and the client counts a failure."""
    # It logs every one.
    logging.disable()
    _, token = org.person("silent", "agent_management")
    for wrong in (token, str(uuid.uuid4())):
        client = sender(wrong)
        client.send_metric(f"{org.name}.never", 1, int(time.time()), "here", {})
        client.flush_now()
        same(client.get_failure_count(), 1)
        client.close()
    same(taken(f"{org.name}.never"), [])


main(f"wavefront-sdk-python {importlib.metadata.version('wavefront-sdk-python')}", [data, refused])
