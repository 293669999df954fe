"""wavefront-api-client as its users have it, and a note of every method that answered."""

import functools
import json

import wavefront_api_client as wavefront
from served import HOST, Org, holds, same
from wavefront_api_client.rest import ApiException

# Every method of these must have been called. For SearchApi: of what is searched for here.
CALLED_WHOLE = (
    "AccountUserAndServiceAccountApi",
    "ApiTokenApi",
    "DirectIngestionApi",
    "RoleApi",
    "SavedSearchApi",
    "UserApi",
    "UserGroupApi",
    "WavefrontApi",
)
SEARCHED = ("account", "role", "service_account", "token", "user", "user_group")

answered = set()


class Noted:
    """One of the client's API classes; what answers is noted by class and name."""

    def __init__(self, api):
        self._api = api

    def __getattr__(self, name):
        method = getattr(self._api, name)

        @functools.wraps(method)
        def call(*args, **named):
            answer = method(*args, **named)
            answered.add((type(self._api).__name__, name))
            return answer

        return call


class Client:
    """The client with one token: `client.tokens.create_token()`."""

    def __init__(self, token, host=f"http://{HOST}", prefix=None, bearer=False):
        settings = wavefront.Configuration()
        settings.host = host
        if bearer:
            client = wavefront.ApiClient(settings, header_name="Authorization", header_value=f"Bearer {token}")
        else:
            settings.api_key["X-AUTH-TOKEN"] = token
            if prefix:
                settings.api_key_prefix["X-AUTH-TOKEN"] = prefix
            client = wavefront.ApiClient(settings)
        self.tokens = Noted(wavefront.ApiTokenApi(client))
        self.accounts = Noted(wavefront.AccountUserAndServiceAccountApi(client))
        self.users = Noted(wavefront.UserApi(client))
        self.groups = Noted(wavefront.UserGroupApi(client))
        self.roles = Noted(wavefront.RoleApi(client))
        self.search = Noted(wavefront.SearchApi(client))
        self.saved = Noted(wavefront.SavedSearchApi(client))
        self.cluster = Noted(wavefront.WavefrontApi(client))
        self.data = Noted(wavefront.DirectIngestionApi(client))


class Run:
    """What the parts of a run share: an org of its own, and the client as its administrator."""

    def __init__(self, name):
        self.org = Org(name)
        first = Client(self.org.token).tokens.create_token().response
        self.secret = first[-1].token_id
        self.admin = Client(self.secret)


def refused(status, part, call, *args, **named):
    """That the client raises: the status, and what the envelope's message says."""
    try:
        answer = call(*args, **named)
    except ApiException as error:
        same(error.status, status, error.body)
        said = json.loads(error.body)["status"]
        same((said["result"], said["code"]), ("ERROR", status))
        holds(part in said["message"], f"{part!r} is not in {said['message']!r}")
        return
    raise AssertionError(f"not refused with {status} {part!r}: {answer}")


def everything_was_called():
    """That no method of the classes above was left out."""
    wanted = set()
    for owner in (*CALLED_WHOLE, "SearchApi"):
        for name in vars(getattr(wavefront, owner)):
            if name.startswith("_") or name.endswith("_with_http_info"):
                continue
            if owner == "SearchApi" and not any(
                name in (f"search_{what}_entities", f"search_{what}_for_facet", f"search_{what}_for_facets")
                for what in SEARCHED
            ):
                # Of dashboards, alerts, sources and the like, which are not here.
                continue
            wanted.add((owner, name))
    missing = sorted(wanted - answered)
    holds(not missing, f"never called, or never answered well: {missing}")
    # So that an empty list of methods does not count as all of them.
    same(len(wanted), 96, "the methods of the client")
