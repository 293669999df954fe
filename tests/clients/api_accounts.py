"""Users and service accounts through wavefront-api-client, by the present API and by the older one."""

import uuid

import wavefront_api_client as wavefront
from api import Client, refused
from served import holds, is_handle, same

EVERYBODY = {"GET_TOKENS", "LOGIN", "LOGOUT", "REVOKE_TOKEN", "TOKEN"}
NOWHERE = str(uuid.uuid4())


def user(email, **holdings):
    """The body that makes a user."""
    return wavefront.UserToCreate(
        email_address=email,
        groups=holdings.get("groups", []),
        user_groups=holdings.get("user_groups", []),
        roles=holdings.get("roles", []),
    )


def names(groups):
    """The names of groups, in order of the alphabet."""
    return sorted(group.name for group in groups)


def role_of(run, name, *permissions):
    """A new role's id."""
    body = wavefront.RoleCreateDTO(name=name, permissions=list(permissions))
    return run.admin.roles.create_role(body=body).response.id


def group_of(run, name, *roles):
    """A new group's id."""
    body = wavefront.UserGroupWrite(name=name, role_ids=list(roles))
    return run.admin.groups.create_user_group(body=body).response.id


def service_accounts(run):
    """Made, read, changed, stopped, deleted."""
    admin = run.admin.accounts
    role, group = role_of(run, "sa role", "metrics_management"), group_of(run, "sa group")
    body = wavefront.ServiceAccountWrite(
        identifier="Backup", active=True, description="at night", groups=["ingestion"], roles=[role],
        user_groups=[group], tokens=[],
    )
    made = admin.create_service_account(body=body)
    same((made.status.code, made.status.message), (200, ""))
    account = made.response
    same((account.identifier, account.active, account.description), ("sa::backup", True, "at night"))
    same((account.groups, [held.id for held in account.roles]), (["ingestion"], [role]))
    same(names(account.user_groups), ["Service Accounts", "sa group"])
    same((account.tokens, account.last_used, account.united_roles), ([], None, [role]))
    same(sorted(account.united_permissions), ["ingestion", "metrics_management"])
    same(admin.get_service_account("SA::Backup").response.to_dict(), account.to_dict(), "names fold")

    # What a change does not name stays; tokens stay whatever it says of them.
    token = run.admin.tokens.generate_token_service_account("sa::backup").response[-1].token_id
    change = wavefront.ServiceAccountWrite(identifier="sa::backup", description="by day", active=True, tokens=[])
    changed = admin.update_service_account("sa::backup", body=change).response
    same((changed.description, [held.id for held in changed.roles]), ("by day", [role]))
    same((changed.groups, names(changed.user_groups)), (["ingestion"], ["Service Accounts", "sa group"]))
    same(len(changed.tokens), 1)
    holds(is_handle(changed.tokens[0].token_id), "an account shows handles")
    same(run.org.verdict(token), "good")
    for tokens in ([token], [changed.tokens[0].token_id], ["something else"]):
        change = wavefront.ServiceAccountWrite(identifier="sa::backup", active=True, tokens=tokens)
        same(len(admin.update_service_account("sa::backup", body=change).response.tokens), 1)
    # What it does name is replaced.
    change = wavefront.ServiceAccountWrite(identifier="sa::backup", active=True, groups=[], roles=[], user_groups=[])
    bare = admin.update_service_account("sa::backup", body=change).response
    same((bare.groups, bare.roles, bare.united_permissions), ([], [], []))
    holds("sa group" not in names(bare.user_groups), "it left the group")
    same(run.org.verdict(token), "good")

    stopped = admin.deactivate_account("sa::backup").response
    same((stopped.active, stopped.tokens[0].account_type), (False, "INACTIVE_SERVICE_ACCOUNT"))
    refused(401, "not valid", Client(token).tokens.get_all_tokens)
    same(admin.activate_account("sa::backup").response.active, True)
    same(len(Client(token).tokens.get_all_tokens().response), 1)
    change = wavefront.ServiceAccountWrite(identifier="sa::backup", active=False)
    same(admin.update_service_account("sa::backup", body=change).response.active, False)
    refused(401, "not valid", Client(token).tokens.get_all_tokens)
    asleep = wavefront.ServiceAccountWrite(identifier="sa::asleep", active=False)
    same(admin.create_service_account(body=asleep).response.active, False)

    listed = {account.identifier: account for account in admin.get_all_service_accounts().response}
    same((listed["sa::backup"].active, len(listed["sa::backup"].tokens)), (False, 1))
    holds("sa::asleep" in listed and run.org.admin not in listed, "all of them, and nobody else")

    for body, part in (
        (wavefront.ServiceAccountWrite(identifier="sa::backup", active=True), "sa::backup"),
        (wavefront.ServiceAccountWrite(identifier="sa::new", active=True, groups=["nonsense"]), "permission"),
        (wavefront.ServiceAccountWrite(identifier="sa::new", active=True, roles=[NOWHERE]), "roles"),
        (wavefront.ServiceAccountWrite(identifier="sa::new", active=True, user_groups=[NOWHERE]), "userGroups"),
        (wavefront.ServiceAccountWrite(identifier="sa::new", active=True, tokens=[NOWHERE]), "tokens"),
    ):
        refused(400, part if part != "sa::backup" else "", admin.create_service_account, body=body)
    for nobody in ("sa::new", run.org.admin):
        refused(404, "service account does not exist", admin.get_service_account, nobody)
        refused(404, "service account does not exist", admin.deactivate_account, nobody)
    # 404 would say that the account is gone.
    change = wavefront.ServiceAccountWrite(identifier="sa::backup", active=True, roles=[NOWHERE])
    refused(400, "roles", admin.update_service_account, "sa::backup", body=change)

    gone = admin.delete_account("sa::backup").response
    same((gone.identifier, gone.groups), ("sa::backup", []))
    same(run.org.verdict(token) == "good", False)
    refused(401, "not valid", Client(token).tokens.get_all_tokens)
    refused(404, "account does not exist", admin.delete_account, "sa::backup")
    same(admin.delete_multiple_accounts(body=["sa::asleep", "sa::backup"]).response, ["sa::asleep"])


def users(run):
    """Made, read, changed, deleted, by the present API."""
    admin, customer = run.admin.accounts, run.org.name
    email = f"jane+1@{customer}.example"
    role, group = role_of(run, "user role", "alerts_management"), group_of(run, "user group")
    body = user(email, groups=["ingestion", "token_management"], user_groups=[group], roles=[role])
    made = admin.create_or_update_user_account(send_email=True, body=body)
    same((made.identifier, made.customer), (email, customer))
    same((sorted(made.groups), [held.id for held in made.roles]), (["ingestion", "token_management"], [role]))
    same((names(made.user_groups), made.last_successful_login), (["Everyone", "user group"], None))
    same(admin.get_user_account(email).to_dict(), made.to_dict())
    one = admin.get_account(email).response
    same(sorted(one.user_groups), sorted(held.id for held in made.user_groups))
    same((one.identifier, one.roles, one.united_roles), (email, [role], [role]))
    same(sorted(one.united_permissions), ["alerts_management", "ingestion", "token_management"])
    functions = set(admin.get_account_business_functions(email).response)
    same(functions, EVERYBODY | {"CREATE_TOKEN"})
    holds("ADMINISTER_ALL_TOKENS" in admin.get_account_business_functions(run.org.admin).response, "Accounts opens it")

    change = wavefront.UserRequestDTO(identifier=email, customer=customer, groups=["ingestion"])
    changed = admin.update_user_account(email, body=change)
    same((changed.groups, [held.id for held in changed.roles]), (["ingestion"], [role]), "what is absent stays")
    same(names(changed.user_groups), ["Everyone", "user group"])
    for field in ({"credential": "a new password"}, {"sso_id": "jane"}):
        change = wavefront.UserRequestDTO(identifier=email, customer=customer, **field)
        refused(400, "can't be set here", admin.update_user_account, email, body=change)
    refused(400, "roles", admin.update_user_account, email, body=wavefront.UserRequestDTO(roles=[NOWHERE]))

    same(sorted(admin.grant_account_permission(email, "events_management").groups), ["events_management", "ingestion"])
    same(admin.revoke_account_permission(email, "ingestion").groups, ["events_management"])
    refused(400, "permission", admin.grant_account_permission, email, "nonsense")
    same(admin.remove_account_from_roles(email, body=[role]).roles, [])
    same([held.id for held in admin.add_account_to_roles(email, body=[role]).roles], [role])
    refused(400, "roles", admin.add_account_to_roles, email, body=[NOWHERE])
    same(names(admin.remove_account_from_user_groups(email, body=[group]).user_groups), ["Everyone"])
    same(names(admin.add_account_to_user_groups(email, body=[group]).user_groups), ["Everyone", "user group"])
    refused(400, "userGroups", admin.add_account_to_user_groups, email, body=[NOWHERE])

    two = [f"{name}@{customer}.example" for name in ("kim", "lee")]
    last = admin.invite_user_accounts(body=[user(two[0], groups=["ingestion"]), user(two[1], groups=["ingestion"])])
    same((last.identifier, last.groups), (two[1], ["ingestion"]))
    given = admin.grant_permission_to_accounts("user_management", body=two)
    same((given.identifier, sorted(given.groups)), (two[1], ["ingestion", "user_management"]))
    held = admin.get_users_with_accounts_permission().response
    holds(set(two) <= set(held) and run.org.admin in held and email not in held, "who holds Accounts")
    admin.revoke_permission_from_accounts("user_management", body=two)
    holds(not set(two) & set(admin.get_users_with_accounts_permission().response), "and who does not any more")
    # All of them or none.
    refused(400, "nothing was changed", admin.grant_permission_to_accounts, "ingestion", body=[email, "sa::nobody"])
    same(admin.get_user_account(email).groups, ["events_management"])

    every = {one.identifier: one for one in admin.get_all_user_accounts().response}
    same((every[email].groups, every[email].customer), (["events_management"], customer))
    holds(set(two) <= set(every) and not any(name.startswith("sa::") for name in every), "all users, no others")
    told = admin.validate_accounts(body=[email, "nobody@nowhere.example", "sa::none"]).response
    same([one.identifier for one in told.valid_users], [email])
    same(told.invalid_identifiers, ["nobody@nowhere.example", "sa::none"])

    # Pages of all accounts, until there are no more.
    seen, offset = [], 0
    while True:
        page = admin.get_all_accounts(offset=offset, limit=2).response
        same((page.offset, page.limit), (offset, 2))
        seen += [one.identifier for one in page.items]
        offset += 2
        if not page.more_items:
            break
    same(seen, [one.identifier for one in admin.get_all_accounts().response.items])
    same(len(set(seen)), len(seen))
    holds(set(every) <= set(seen), "users are accounts")
    refused(400, "limit", admin.get_all_accounts, limit=0)

    refused(400, "", admin.create_or_update_user_account, body=user(email))
    refused(400, "", admin.create_or_update_user_account, body=user("nonsense"))
    refused(404, "user does not exist", admin.get_user_account, "nobody@nowhere.example")
    same(admin.delete_account(email).response.identifier, email)
    refused(404, "user does not exist", admin.get_user_account, email)
    same(admin.delete_multiple_accounts(body=[*two, email]).response, two)


def older_users(run):
    """The same by the API for users that came before."""
    admin, customer = run.admin.users, run.org.name
    email = f"old@{customer}.example"
    group = group_of(run, "older group")
    made = admin.create_user(send_email=False, body=user(email, groups=["ingestion"]))
    same((made.identifier, made.groups, names(made.user_groups)), (email, ["ingestion"], ["Everyone"]))
    same(admin.get_user(email).to_dict(), made.to_dict())
    same(admin.get_user_business_functions(email).identifier, email)
    change = wavefront.UserRequestDTO(identifier=email, customer=customer, groups=["metrics_management"])
    same(admin.update_user(email, body=change).groups, ["metrics_management"])
    same(sorted(admin.grant_user_permission(email, group="ingestion").groups), ["ingestion", "metrics_management"])
    same(admin.revoke_user_permission(email, group="metrics_management").groups, ["ingestion"])
    refused(400, "permission", admin.grant_user_permission, email, group="nonsense")
    same(names(admin.add_user_to_user_groups(email, body=[group]).user_groups), ["Everyone", "older group"])
    same(names(admin.remove_user_from_user_groups(email, body=[group]).user_groups), ["Everyone"])
    other = f"older@{customer}.example"
    same(admin.invite_users(body=[user(other)]).identifier, other)
    same(admin.grant_permission_to_users("events_management", body=[email, other]).groups, ["events_management"])
    same(admin.revoke_permission_from_users("events_management", body=[email, other]).groups, [])
    every = {one.identifier: one for one in admin.get_all_users()}
    same((every[email].groups, every[email].customer), (["ingestion"], customer))
    told = admin.validate_users(body=[other, "x@nowhere.example"]).response
    same(([one.identifier for one in told.valid_users], told.invalid_identifiers), ([other], ["x@nowhere.example"]))
    same(admin.delete_user(email), None)
    refused(404, "does not exist", admin.get_user, email)
    refused(404, "does not exist", admin.delete_user, email)
    same(admin.delete_multiple_users(body=[other, email]).response, [other])
    # It takes service accounts too.
    run.admin.accounts.create_service_account(body=wavefront.ServiceAccountWrite(identifier="sa::old", active=True))
    same(admin.grant_user_permission("sa::old", group="ingestion").groups, ["ingestion"])
    same(admin.get_user_business_functions("sa::old").identifier, "sa::old")
    admin.delete_user("sa::old")
    refused(404, "does not exist", run.admin.accounts.get_account, "sa::old")


def who_may(run):
    """Without Accounts nobody learns of the others, whatever he asks."""
    email, token = run.org.person("nosy", "token_management")
    nosy = Client(token)
    missing = "Accounts (user_management)"
    change = wavefront.ServiceAccountWrite(identifier="sa::x", active=True)
    for call, arguments in (
        (nosy.accounts.get_all_accounts, ()),
        (nosy.accounts.get_all_service_accounts, ()),
        (nosy.accounts.get_all_user_accounts, ()),
        (nosy.accounts.get_users_with_accounts_permission, ()),
        (nosy.accounts.get_service_account, ("sa::x",)),
        (nosy.accounts.get_user_account, (run.org.admin,)),
        (nosy.accounts.delete_account, (run.org.admin,)),
        (nosy.accounts.grant_account_permission, (email, "user_management")),
        (nosy.users.get_all_users, ()),
        (nosy.groups.get_all_user_groups, ()),
        (nosy.roles.get_all_roles, ()),
    ):
        refused(403, missing, call, *arguments)
    refused(403, missing, nosy.accounts.create_service_account, body=change)
    refused(403, missing, nosy.accounts.create_or_update_user_account, body=user("y@nowhere.example"))
    # Whoever has Accounts gives what is Wavefront's, also what he does not hold, but not to himself.
    clerk_email, token = run.org.person("clerk2", "user_management")
    clerk = Client(token)
    same(sorted(clerk.accounts.grant_account_permission(email, "ingestion").groups), ["ingestion", "token_management"])
    clerk.accounts.revoke_account_permission(email, "ingestion")
    same(clerk.cluster.get_cluster_info().response.cluster_alias, run.org.name)
    clerk.accounts.get_account(clerk_email)
