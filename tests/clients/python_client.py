#!/usr/bin/env python3
"""wavefront-api-client, unmodified, over every call of it that this server answers.

    python_client.py NAME      NAME begins the names of the orgs that it makes
"""

import importlib.metadata
import sys
from functools import partial

import api
import api_accounts
import api_data
import api_groups
import api_searches
import api_tokens
from served import main

name = sys.argv[1]
run = api.Run(name)
other = api.Run(f"{name}-other")
parts = [
    partial(api_tokens.ways_in, run),
    partial(api_tokens.own_tokens, run),
    partial(api_tokens.at_most_twenty, run),
    partial(api_tokens.tokens_of_a_service_account, run),
    partial(api_tokens.tokens_of_everybody, run),
    partial(api_tokens.shown_again, run),
    partial(api_tokens.another_org, run, other),
    partial(api_accounts.service_accounts, run),
    partial(api_accounts.users, run),
    partial(api_accounts.older_users, run),
    partial(api_accounts.who_may, run),
    partial(api_groups.groups, run),
    partial(api_groups.roles, run),
    partial(api_searches.tokens, run),
    partial(api_searches.people, run),
    partial(api_searches.saved, run, other),
    partial(api_data.report, run),
    api.everything_was_called,
]
main(f"wavefront-api-client {importlib.metadata.version('wavefront-api-client')}", parts)
