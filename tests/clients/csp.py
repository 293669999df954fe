#!/usr/bin/env python3
"""Clients of VMware Cloud Services' tokens, unmodified: the token services of wavefront-sdk-python, vdk-control-api-auth;
and authlib, which knows nothing but the metadata document.

    csp.py NAME      NAME names the org that it makes
"""

import importlib.metadata
import json
import logging
import os
import sys
import time

# What the standard asks for is HTTPS; here everything is on this machine.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from served import PASSWORD, URL, Org, holds, main, same
from vdk.plugin.control_api_auth.auth_config import InMemoryCredentialsCache
from vdk.plugin.control_api_auth.authentication import Authentication
from wavefront_sdk.auth.csp.token_service_factory import TokenServiceProvider
from wavefront_sdk.client import WavefrontClient

AM = f"{URL}/csp/gateway/am/api"
OPERATIONS = "a0a00000-0000-4000-8000-000000000001"
SCOPES = {
    "organizationScopes": {"roles": [{"name": "org_member"}]},
    "servicesScopes": [{"serviceDefinitionId": OPERATIONS, "roles": [{"name": "aoa:directDataIngestion"}]}],
}

org = Org(sys.argv[1])
org_id = org.ask("GET", "whoami")["org"]["id"]
email = f"ada@{org.name}.example"
account = org.ask("POST", "accounts", {"kind": "user", "identifier": email, "password": PASSWORD})["id"]
for role in ("org_member", "developer", "aoa:directDataIngestion"):
    org.ask("PUT", f"accounts/{account}/roles/{role}", {})
session = org.sign_in(email, PASSWORD)
org.ask("POST", f"orgs/{org_id}/onboard")


def ask(method, path, body=None):
    """One request to the dialect as that person."""
    answer = requests.request(method, AM + path, json=body, headers={"csp-auth-token": session}, timeout=30)
    holds(answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}")
    return answer.json()


def api_token(**more):
    """A new api token: its value."""
    wanted = {"allowedScopes": {**SCOPES, **more}, "tokenName": "client"}
    return ask("POST", "/loggedin/user/api-tokens", wanted)["apiToken"]


def app(**more):
    """A new app: client id and secret."""
    wanted = {"displayName": "app", "description": "", "grantTypes": ["client_credentials"], "allowedScopes": SCOPES}
    made = ask("POST", f"/orgs/{org_id}/oauth-apps", {**wanted, "accessTokenTTL": 1800, **more})
    return made["clientId"], made["clientSecret"]


def sends(service, word):
    """Data gets there with what a token service of the client brings."""
    client = WavefrontClient(URL, service, flush_interval_seconds=3600, enable_internal_metrics=False)
    client.send_metric(f"{org.name}.{word}", 1, int(time.time()), "here", {})
    client.flush_now()
    same(client.get_failure_count(), 0)
    client.close()


def sdk_api_token():
    """An api token is exchanged when it is needed, and not again while the access token lives."""
    value = api_token()
    service = TokenServiceProvider().get("API_TOKEN", base_url=URL, csp_api_token=value)
    first = service.get_csp_access_token()
    holds(first and service.get_csp_access_token() == first, "it is kept")
    same(org.verdict(first), "good")
    sends(service, "user")
    # A base address that ends in a slash.
    holds(TokenServiceProvider().get("API_TOKEN", base_url=URL + "/", csp_api_token=value).get_token(), "a slash more")


def sdk_app():
    """A server-to-server app, with and without its org, and with a secret that has a colon in it."""
    client_id, secret = app()
    for org_wanted in ("", org_id):
        config = {"csp_app_id": client_id, "csp_app_secret": secret, "csp_org_id": org_wanted, "base_url": URL}
        sends(TokenServiceProvider().get("OAUTH", **config), "app")
    client_id, secret = app(secret="S3cret:with%25+a colon")
    config = {"csp_app_id": client_id, "csp_app_secret": secret, "base_url": URL}
    holds(TokenServiceProvider().get("OAUTH", **config).get_token(), "a secret of its own")


def sdk_refused():
    """What is refused is told in words that it can read; else it would stop with an exception."""
    # It logs every one.
    logging.disable()
    value, (client_id, _) = api_token(), app()
    same(TokenServiceProvider().get("API_TOKEN", base_url=URL, csp_api_token=value[:-1] + "!").get_token(), None)
    config = {"csp_app_id": client_id, "csp_app_secret": "wrong", "base_url": URL}
    same(TokenServiceProvider().get("OAUTH", **config).get_token(), None)
    logging.disable(logging.NOTSET)


def vdk():
    """It renews by what the standard calls a refresh, and reads who it is out of the access token."""
    cache = InMemoryCredentialsCache()
    url = f"{AM}/auth/api-tokens/authorize"
    client = Authentication(token=api_token(), authorization_url=url, auth_type="api-token", credentials_cache=cache)
    client.authenticate()
    same(org.verdict(client.read_access_token()), "good")
    # Where it was given a token itself it looks into that one, and an api token holds nothing to read.
    reader = Authentication(authorization_url=url, credentials_cache=cache)
    same(reader.get_authenticated_username(), email)


def authlib():
    """A client that knows nothing but the issuer, and a service that believes the published keys."""
    metadata = requests.get(f"{URL}/.well-known/oauth-authorization-server", timeout=30).json()
    same(metadata["issuer"], URL)
    client_id, secret = app()
    for method in ("client_secret_basic", "client_secret_post"):
        holds(method in metadata["token_endpoint_auth_methods_supported"], method)
        client = OAuth2Session(client_id, secret, token_endpoint_auth_method=method, scope="ingestion")
        token = client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
        same((token["token_type"], token["scope"]), ("Bearer", "ingestion"))
        # Half an hour, rounded down.
        holds(token["expires_in"] in (1799, 1800), token["expires_in"])
        keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=30).json())
        read = jwt.decode(token["access_token"], keys, algorithms=["RS256", "ES256", "EdDSA"])
        same(read.header["typ"], "at+jwt")
        same((read.claims["iss"], read.claims["aud"], read.claims["client_id"]), (URL, URL, client_id))
        jwt.JWTClaimsRegistry(iss={"essential": True, "value": URL}, exp={"essential": True}).validate(read.claims)


def authlib_id_token():
    """A client of OpenID Connect refreshes with an api token and believes what it is told of its owner."""
    metadata = requests.get(f"{AM}/.well-known/openid-configuration", timeout=30).json()
    holds("openid" in metadata["scopes_supported"], metadata)
    client = OAuth2Session(token_endpoint_auth_method="none")
    client.token = {"refresh_token": api_token(generalScopes=["openid"]), "token_type": "bearer"}
    token = client.refresh_token(metadata["token_endpoint"])
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=30).json())
    read = jwt.decode(token["id_token"], keys, algorithms=metadata["id_token_signing_alg_values_supported"])
    access = jwt.decode(token["access_token"], keys, algorithms=["RS256"]).claims
    wanted = {name: {"essential": True, "value": value} for name, value in (("iss", URL), ("aud", access["azp"]))}
    known = {"client_id": access["azp"], "access_token": token["access_token"]}
    claims = CodeIDToken(read.claims, read.header, wanted, known)
    claims.validate()
    same((claims["sub"], claims["email"], claims["context_name"]), (access["sub"], email, org_id))


title = f"vdk-control-api-auth {importlib.metadata.version('vdk-control-api-auth')} and others of csp"
main(title, [sdk_api_token, sdk_app, sdk_refused, vdk, authlib, authlib_id_token])
