"""Searches and saved searches through wavefront-api-client."""

import time
import uuid

import wavefront_api_client as wavefront
from api import Client, refused
from api_accounts import group_of, role_of, user
from served import holds, same, within

CUSTOMER_TOKENS = ("alpha", "Beta", "beta 2", "gamma")


def request(*queries, **rest):
    """A search's body."""
    return wavefront.SortableSearchRequest(query=list(queries), **rest)


def where(key, *values, **rest):
    """One condition."""
    return wavefront.SearchQuery(key=key, values=list(values), **rest)


def sort(field, ascending=True):
    """An order."""
    return wavefront.Sorting(field=field, ascending=ascending)


def tokens(run):
    """Conditions, orders, pages and facets of tokens."""
    admin, found = run.admin, run.admin.search.search_token_entities
    for identifier in ("sa::search-1", "sa::search-2"):
        body = wavefront.ServiceAccountWrite(identifier=identifier, active=True)
        admin.accounts.create_service_account(body=body)
    secrets, times = [], []
    for number, name in enumerate(CUSTOMER_TOKENS):
        account = f"sa::search-{number % 2 + 1}"
        body = wavefront.UserApiToken(token_id="", token_name=name)
        made = admin.tokens.generate_token_service_account(account, body=body).response[-1]
        secrets.append(made.token_id)
        times.append(made.date_generated)
    begun, ended = times[0], times[-1]
    mine = where("account", "sa::search", matching_method="STARTSWITH")

    def told(*queries, **rest):
        return [item.name for item in found(body=request(mine, *queries, **rest)).response.items]

    page = found(body=request(mine)).response
    same(sorted(item.name for item in page.items), sorted(CUSTOMER_TOKENS))
    same((page.offset, page.limit, page.more_items), (0, 100, False))
    same((page.sort.ascending, page.sort.field, page.sort.default), (False, "default", True))
    holds(page.total_items <= 4, "never more than there are")
    one = next(item for item in page.items if item.name == "alpha")
    same((one.account, one.account_type, one.customer), ("sa::search-1", "SERVICE_ACCOUNT", run.org.name))
    same(one.last_used, None)
    same((one.created_epoch_millis, one.date_generated), (begun, begun))
    everything = found(body=wavefront.SortableSearchRequest()).response
    same({item.id for item in everything.items}, {item.id for item in admin.tokens.get_customer_tokens().response})

    same(told(where("name", "BETA"), sort=sort("name")), ["Beta", "beta 2"], "CONTAINS, in any case")
    same(told(where("name", "beta", matching_method="EXACT")), ["Beta"], "EXACT")
    same(told(where("name", "gam", matching_method="STARTSWITH")), ["gamma"])
    same(told(where("name", "alpha", "gamma"), sort=sort("name", False)), ["gamma", "alpha"], "either, sorted")
    same(told(where("name", "beta", negated=True), sort=sort("name")), ["alpha", "gamma"], "negated")
    same(told(wavefront.SearchQuery(key="name", value="gamma")), ["gamma"], "one value")
    same(told(where("name", "et"), where("account", "sa::search-2"), sort=sort("name")), ["Beta"], "and")
    same(told(where("freetext", "SEARCH-2"), sort=sort("name")), ["Beta", "gamma"], "free text")
    same(told(where("id", one.id, matching_method="EXACT")), ["alpha"])
    same(told(where("accountType", "USER_ACCOUNT")), [])
    same(len(told(where("accountType", "SERVICE_ACCOUNT", matching_method="EXACT"))), 4)
    same(told(sort=sort("createdEpochMillis")), list(CUSTOMER_TOKENS), "in order of their making")
    same(told(sort=sort("createdEpochMillis", False)), list(reversed(CUSTOMER_TOKENS)))
    same(len(told(where("createdEpochMillis", start=begun, end=ended))), 4, "the ends of a range are in it")
    holds("gamma" not in told(where("createdEpochMillis", end=ended - 1)), "what is later is not")
    same(told(where("createdEpochMillis", end=begun - 1)), [])
    same(told(where("tags", "x")), [], "there are no tags")

    # "Used in the last 7 days" and its contrary, of which the one that was never used is a part.
    Client(secrets[0]).tokens.get_all_tokens()
    week = int(time.time() * 1000) - 7 * 24 * 3600 * 1000
    within(20, lambda: told(where("lastUsed", start=week)) == ["alpha"], "lastUsed is written down")
    same(told(where("lastUsed", start=week, negated=True), sort=sort("name")), ["Beta", "beta 2", "gamma"])
    same(told(where("lastUsed", end=week), sort=sort("name")), ["Beta", "beta 2", "gamma"])

    # Page by page until there are no more, each token once.
    seen, offset = [], 0
    while True:
        page = found(body=request(mine, sort=sort("name"), offset=offset, limit=3)).response
        seen += [item.name for item in page.items]
        offset += 3
        if not page.more_items:
            break
    same(seen, ["alpha", "Beta", "beta 2", "gamma"])
    same(offset, 6)
    same(found(body=request(mine, offset=100)).response.items, [])

    admin.accounts.deactivate_account("sa::search-2")
    same(told(where("accountType", "INACTIVE_SERVICE_ACCOUNT"), sort=sort("name")), ["Beta", "gamma"])
    body = wavefront.FacetsSearchRequestContainer(facets=["account", "accountType", "name"], query=[mine])
    facets = admin.search.search_token_for_facets(body=body).response.facets
    same(sorted(facets), ["account", "accountType", "name"])
    same(sorted(facets["account"]), ["sa::search-1", "sa::search-2"])
    same(sorted(facets["accountType"]), ["INACTIVE_SERVICE_ACCOUNT", "SERVICE_ACCOUNT"])
    same(sorted(facets["name"]), sorted(CUSTOMER_TOKENS))
    body = wavefront.FacetSearchRequestContainer(query=[mine], facet_query="bet", limit=1)
    values = admin.search.search_token_for_facet("name", body=body).response
    same((len(values.items), values.more_items), (1, True))
    body = wavefront.FacetSearchRequestContainer(query=[mine], facet_query="bet", limit=1, offset=1)
    more = admin.search.search_token_for_facet("name", body=body).response
    same((sorted(values.items + more.items), more.more_items), (["Beta", "beta 2"], False))

    for wrong, part in (
        (request(where("nonsense", "x")), "must be one of id"),
        (request(mine, sort=sort("nonsense")), "sort"),
    ):
        refused(400, part, found, body=wrong)
    email, token = run.org.person("seeker", "token_management")
    refused(403, "Accounts (user_management)", Client(token).search.search_token_entities, body=request())
    same([item.account for item in found(body=request(where("account", email))).response.items], [email])
    for identifier in ("sa::search-1", "sa::search-2"):
        admin.accounts.delete_account(identifier)
    same(told(), [], "what is revoked is not found")


def people(run):
    """Users, service accounts, accounts, groups and roles."""
    admin, search, customer = run.admin, run.admin.search, run.org.name
    role = role_of(run, "found role", "dashboard_management")
    group = group_of(run, "found group", role)
    emails = [f"found{number}@{customer}.example" for number in (1, 2, 3)]
    for email in emails:
        admin.accounts.create_or_update_user_account(body=user(email, groups=["ingestion"], user_groups=[group]))
    for identifier in ("sa::found-1", "sa::found-2"):
        body = wavefront.ServiceAccountWrite(identifier=identifier, active=identifier.endswith("1"), roles=[role])
        admin.accounts.create_service_account(body=body)
    admin.tokens.generate_token_service_account("sa::found-1")

    exact = request(where("id", emails[1], matching_method="EXACT"), limit=100, offset=0)
    (one,) = search.search_user_entities(body=exact).response.items
    same((one.identifier, one.id, one.customer, one._self), (emails[1], emails[1], customer, False))
    same((one.groups, one.united_roles), (["ingestion"], [role]))
    same(sorted(one.united_permissions), ["dashboard_management", "ingestion"])
    holds(group in one.user_groups and all(isinstance(held, str) for held in one.user_groups), "ids of groups")
    (own,) = search.search_user_entities(body=request(where("identifier", run.org.admin))).response.items
    same(own._self, True)
    both = request(where("identifier", "found", matching_method="STARTSWITH"), sort=sort("identifier", False))
    same([item.identifier for item in search.search_user_entities(body=both).response.items], emails[::-1])
    body = wavefront.FacetSearchRequestContainer(query=[where("identifier", "found")])
    same(search.search_user_for_facet("groups", body=body).response.items, ["ingestion"])
    body = wavefront.FacetsSearchRequestContainer(facets=["identifier"], query=[where("identifier", "found")])
    same(sorted(search.search_user_for_facets(body=body).response.facets["identifier"]), emails)

    services = search.search_service_account_entities
    (one,) = services(body=request(where("identifier", "sa::found-1", matching_method="EXACT"))).response.items
    same((one.active, len(one.tokens), one.united_roles), (True, 1, [role]))
    held = services(body=request(where("roles", role), sort=sort("identifier"))).response
    same([item.identifier for item in held.items], ["sa::found-1", "sa::found-2"])
    asleep = services(body=request(where("active", "false"), where("identifier", "found"))).response
    same([(item.identifier, item.active) for item in asleep.items], [("sa::found-2", False)])
    body = wavefront.FacetSearchRequestContainer(query=[where("identifier", "sa::found")])
    same(sorted(search.search_service_account_for_facet("active", body=body).response.items), ["false", "true"])
    body = wavefront.FacetsSearchRequestContainer(facets=["identifier"], query=[where("roles", role)])
    facets = search.search_service_account_for_facets(body=body).response.facets
    same(sorted(facets["identifier"]), ["sa::found-1", "sa::found-2"])

    every = search.search_account_entities(body=request(where("identifier", "found"), sort=sort("identifier"))).response
    same([item.identifier for item in every.items], [*emails, "sa::found-1", "sa::found-2"])
    same((every.items[0].groups, every.items[3].roles), (["ingestion"], [role]))
    body = wavefront.FacetSearchRequestContainer(query=[where("identifier", "found")])
    same(len(search.search_account_for_facet("identifier", body=body).response.items), 5)
    body = wavefront.FacetsSearchRequestContainer(facets=["unitedPermissions"], query=[where("identifier", "found")])
    facets = search.search_account_for_facets(body=body).response.facets
    same(sorted(facets["unitedPermissions"]), ["dashboard_management", "ingestion"])

    # A group of exactly this name is looked for by Terraform, which wants one and only one.
    found = search.search_user_group_entities(body=request(where("name", "Everyone", matching_method="EXACT"))).response
    same([(item.name, item.properties.name_editable) for item in found.items], [("Everyone", False)])
    (one,) = search.search_user_group_entities(body=request(where("name", "found group"))).response.items
    same((one.id, one.user_count, one.role_count), (group, 3, 1))
    body = wavefront.FacetSearchRequestContainer(query=[where("name", "found")])
    same(search.search_user_group_for_facet("name", body=body).response.items, ["found group"])
    body = wavefront.FacetsSearchRequestContainer(facets=["name"], query=[where("id", group)])
    same(search.search_user_group_for_facets(body=body).response.facets, {"name": ["found group"]})

    (one,) = search.search_role_entities(body=request(where("id", role, matching_method="EXACT"))).response.items
    same((one.name, one.permissions), ("found role", ["dashboard_management"]))
    same((one.linked_accounts_count, one.linked_groups_count), (2, 1))
    same(search.search_role_entities(body=request(where("name", "administrator"))).response.items, [])
    body = wavefront.FacetSearchRequestContainer(query=[where("name", "found")])
    same(search.search_role_for_facet("permissions", body=body).response.items, ["dashboard_management"])
    body = wavefront.FacetsSearchRequestContainer(facets=["name"], query=[where("id", role)])
    same(search.search_role_for_facets(body=body).response.facets, {"name": ["found role"]})


def saved(run, other):
    """Kept searches: one's own, given back as they came."""
    mine = run.admin.saved
    inner = '{"searchTerms":[{"type":"freetext","value":"CLS \\u00e4"}],"sortOrder":"ascending","pageNum":1}'
    made = mine.create_saved_search(body=wavefront.SavedSearch(entity_type="TOKEN", query={"old ones": inner})).response
    same((made.entity_type, made.query, made.user_id), ("TOKEN", {"old ones": inner}, run.org.admin))
    same((made.creator_id, made.updater_id), (run.org.admin, run.org.admin))
    holds(abs(made.created_epoch_millis - time.time() * 1000) < 60_000, "made now")
    same(mine.get_saved_search(made.id).response.to_dict(), made.to_dict())
    mine.create_saved_search(body=wavefront.SavedSearch(entity_type="ROLE", query={"r": "{}"}))
    page = mine.get_all_saved_searches(offset=0, limit=1).response
    same((len(page.items), page.more_items), (1, True))
    same(len(mine.get_all_saved_searches().response.items), 2)
    for entity in ("TOKEN", "token"):
        listed = mine.get_all_entity_type_saved_searches(entity).response
        same([item.id for item in listed.items], [made.id])
    refused(400, "entity", mine.get_all_entity_type_saved_searches, "nonsense")
    body = wavefront.SavedSearch(id=made.id, entity_type="TOKEN", query={"new": "{}"})
    changed = mine.update_saved_search(made.id, body=body).response
    same((changed.query, changed.created_epoch_millis), ({"new": "{}"}, made.created_epoch_millis))
    # Nobody else's business: neither another org's nor another person's of the same.
    neighbour = Client(run.org.person("neighbour")[1]).saved
    for stranger in (other.admin.saved, neighbour):
        same(stranger.get_all_saved_searches().response.items, [])
        refused(404, "saved search does not exist", stranger.get_saved_search, made.id)
        refused(404, "saved search does not exist", stranger.update_saved_search, made.id, body=body)
        refused(404, "saved search does not exist", stranger.delete_saved_search, made.id)
    same(mine.delete_saved_search(made.id).response.id, made.id)
    refused(404, "saved search does not exist", mine.get_saved_search, made.id)
    refused(404, "saved search does not exist", mine.get_saved_search, str(uuid.uuid4()))
