"""The eleven token endpoints through wavefront-api-client."""

import time
import uuid

import wavefront_api_client as wavefront
from api import Client, refused
from served import HOST, holds, is_handle, is_secret, same, within

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def named(token, name):
    """The body that names a token."""
    return wavefront.UserApiToken(token_id=token, token_name=name)


def ids(tokens):
    """The ids of a list of tokens."""
    return [token.token_id for token in tokens]


def own_tokens(run):
    """Made, listed, renamed and revoked, by handle and by secret."""
    email, token = run.org.person("own", "token_management")
    mine = Client(token).tokens
    begun = int(time.time() * 1000)
    before = mine.get_all_tokens()
    same((before.status.result, before.status.code, before.status.message), ("OK", 200, ""))
    made = mine.create_token().response
    secret = made[-1].token_id
    holds(is_secret(secret), "what was made last is a secret")
    holds(all(is_handle(token) for token in ids(made)[:-1]), "the others are handles")
    same(run.org.verdict(secret), "good")
    same(ids(Client(secret).tokens.get_all_tokens().response)[:-1], ids(made)[:-1], "the new one works")
    same((made[-1].token_name, made[-1].account, made[-1].account_type), (None, email, "USER_ACCOUNT"))
    holds(abs(made[-1].date_generated - begun) < 60_000, "made now")
    same(made[-1].last_used, None, "never used yet")

    # Named by the secret, as `wf apitoken rename` has it, and by the handle, as whoever lists has it.
    handle = mine.get_all_tokens().response[-1].token_id
    holds(is_handle(handle), "a list shows handles")
    renamed = mine.update_token_name(secret, body=named(secret, "by secret")).response
    same((renamed.token_id, renamed.token_name), (handle, "by secret"))
    same(mine.update_token_name(handle, body=named(handle, "by handle")).response.token_name, "by handle")
    same(mine.update_token_name(handle).response.token_name, "by handle", "no body says nothing of the name")
    same(mine.update_token_name(handle, body=named(handle, "")).response.token_name, None, "an empty name is none")

    # New ones come last and stay where they are.
    secrets = [secret]
    for _ in range(3):
        now = mine.create_token().response
        same(ids(now)[:-1], ids(mine.get_all_tokens().response)[:-1])
        secrets.append(now[-1].token_id)
    listed = mine.get_all_tokens().response
    dates = [token.date_generated for token in listed]
    same(dates, sorted(dates), "oldest first")
    same(listed[-4].token_id, handle)

    # Revoked: at once, once, and for ever.
    left = mine.delete_token(secrets[1]).response
    same(ids(left), [token for token in ids(listed) if token != listed[-3].token_id])
    same(run.org.verdict(secrets[1]), "revoked")
    refused(401, "not valid", Client(secrets[1]).tokens.get_all_tokens)
    refused(404, "token does not exist", mine.delete_token, secrets[1])
    refused(404, "token does not exist", mine.delete_token, listed[-3].token_id)
    refused(404, "token does not exist", mine.update_token_name, UNKNOWN, body=named(UNKNOWN, "x"))
    # One that revokes itself is told so, and then is nobody.
    last = Client(secrets[3])
    same(len(last.tokens.delete_token(secrets[3]).response), len(left) - 1)
    refused(401, "not valid", last.tokens.get_all_tokens)
    # Use is written down now and then.
    used = within(20, lambda: mine.get_all_tokens().response[-2].last_used, "lastUsed of a token that was used")
    holds(abs(used - begun) < 120_000, "used just now")


def ways_in(run):
    """The token in each form in which this client can be told to send it."""
    same(len(Client(run.secret, prefix="Bearer").tokens.get_all_tokens().response), 2)
    same(len(Client(run.secret, bearer=True).tokens.get_all_tokens().response), 2)
    same(len(Client(run.secret, host=f"http://{HOST}/").tokens.get_all_tokens().response), 2, "//api/v2")
    for nobody in (UNKNOWN, "nonsense"):
        refused(401, "not valid", Client(nobody).tokens.get_all_tokens)


def at_most_twenty(run):
    """The limit, and that revoking makes room."""
    _, token = run.org.person("twenty", "token_management")
    mine = Client(token).tokens
    for _ in range(19):
        made = mine.create_token().response
    same(len(made), 20)
    refused(400, "20", mine.create_token)
    same(len(mine.get_all_tokens().response), 20)
    same(len(mine.delete_token(made[5].token_id).response), 19)
    same(len(mine.create_token().response), 20)


def tokens_of_a_service_account(run):
    """Someone else's tokens, and what the account's state does to them."""
    body = wavefront.ServiceAccountWrite(identifier="sa::deployer", active=True)
    run.admin.accounts.create_service_account(body=body)
    admin = run.admin.tokens
    same(admin.get_tokens_service_account("sa::deployer").response, [])
    main = admin.generate_token_service_account("sa::deployer", body=named("", "main")).response
    same([token.token_name for token in main], ["main"])
    same((main[0].account, main[0].account_type), ("sa::deployer", "SERVICE_ACCOUNT"))
    both = admin.generate_token_service_account("SA::Deployer").response
    same([token.token_name for token in both], ["main", None], "the new one is last; names fold")
    first, second = main[0].token_id, both[1].token_id
    holds(is_secret(first) and is_secret(second) and is_handle(both[0].token_id), "secrets are told once")
    handle = both[0].token_id
    listed = admin.get_tokens_service_account("sa::deployer").response
    same(listed[0].token_id, handle)
    changed = admin.update_token_name_service_account("sa::deployer", second, body=named(second, "ci")).response
    same((changed.token_id, changed.token_name), (listed[1].token_id, "ci"))

    # The account's own list is what its token lists; it can't make more of itself.
    service = Client(first)
    same([token.token_name for token in service.tokens.get_all_tokens().response], ["main", "ci"])
    refused(403, "API Tokens (token_management)", service.tokens.create_token)
    refused(403, "Accounts (user_management)", service.tokens.get_customer_tokens)
    refused(403, "Accounts (user_management)", service.tokens.get_tokens_service_account, "sa::deployer")

    # Nor can it be let: not by itself, and through a role it has no effect.
    refused(400, "service account", run.admin.accounts.grant_account_permission, "sa::deployer", "token_management")
    body = wavefront.RoleCreateDTO(name="makers", permissions=["token_management"])
    role = run.admin.roles.create_role(body=body).response.id
    run.admin.roles.add_assignees(role, body=["sa::deployer"])
    refused(403, "", service.tokens.create_token)

    run.admin.accounts.deactivate_account("sa::deployer")
    refused(401, "not valid", service.tokens.get_all_tokens)
    types = {token.account_type for token in admin.get_tokens_service_account("sa::deployer").response}
    same(types, {"INACTIVE_SERVICE_ACCOUNT"})
    run.admin.accounts.activate_account("sa::deployer")
    same(len(service.tokens.get_all_tokens().response), 2)

    left = admin.delete_token_service_account("sa::deployer", handle).response
    same([token.token_name for token in left], ["ci"])
    refused(401, "not valid", service.tokens.get_all_tokens)
    refused(404, "token does not exist", admin.delete_token_service_account, "sa::deployer", handle)
    # Another's token is not this one's.
    own = run.admin.tokens.get_all_tokens().response[-1].token_id
    refused(404, "token does not exist", admin.delete_token_service_account, "sa::deployer", own)
    for nobody in ("sa::nobody", run.org.admin):
        refused(404, "service account does not exist", admin.get_tokens_service_account, nobody)
        refused(404, "service account does not exist", admin.generate_token_service_account, nobody)


def tokens_of_everybody(run):
    """Every token of the organization, for who holds Accounts and nobody else."""
    email, secret = run.org.person("plain")
    plain = Client(secret).tokens
    same([token.account for token in plain.get_all_tokens().response], [email], "one's own needs no permission")
    refused(403, "API Tokens (token_management)", plain.create_token)
    refused(403, "Accounts (user_management)", plain.get_customer_tokens)
    clerk = Client(run.org.person("clerk", "user_management")[1]).tokens
    refused(403, "API Tokens (token_management)", clerk.create_token)

    every = clerk.get_customer_tokens().response
    same(len({token.id for token in every}), len(every))
    dates = [token.created_epoch_millis for token in every]
    same(dates, sorted(dates), "oldest first")
    same({token.customer for token in every}, {run.org.name})
    same({token.account_type for token in every}, {"USER_ACCOUNT", "SERVICE_ACCOUNT"})
    holds(all(is_handle(token.id) for token in every), "no secret is shown to an administrator")
    theirs = [token for token in every if token.account == email]
    same((len(theirs), theirs[0].name, theirs[0].date_generated), (1, None, theirs[0].created_epoch_millis))
    for text in (theirs[0].id, secret):
        one = clerk.get_customer_token(text).response
        same((one.id, one.account, one.customer), (theirs[0].id, email, run.org.name))
    refused(404, "token does not exist", clerk.get_customer_token, UNKNOWN)

    gone = clerk.delete_customer_token(body=named(theirs[0].id, None)).response
    same((gone.account, gone.account_type, gone.token_id), (email, "USER_ACCOUNT", theirs[0].id))
    refused(401, "not valid", plain.get_all_tokens)
    refused(404, "token does not exist", clerk.get_customer_token, theirs[0].id)
    refused(404, "token does not exist", clerk.delete_customer_token, body=named(secret, None))
    holds(theirs[0].id not in {token.id for token in clerk.get_customer_tokens().response}, "gone from the list")


def shown_again(run):
    """The recoverable mode: the lists show secrets, as the original's do."""
    run.org.recoverable(True)
    run.admin.accounts.create_service_account(body=wavefront.ServiceAccountWrite(identifier="sa::tf", active=True))
    admin = run.admin.tokens
    secret = admin.create_token().response[-1].token_id
    main = admin.generate_token_service_account("sa::tf", body=named("", "main")).response[-1].token_id
    same(admin.get_all_tokens().response[-1].token_id, secret)
    copied = admin.get_tokens_service_account("sa::tf").response
    same([(token.token_id, token.token_name) for token in copied], [(main, "main")])
    same(len(Client(copied[0].token_id).tokens.get_all_tokens().response), 1, "what was copied works")
    holds(all(is_handle(token.id) for token in admin.get_customer_tokens().response), "not to everybody")
    own = Client(copied[0].token_id).tokens.get_all_tokens().response
    same(own[0].token_id, main, "its own secret is told to the account itself")
    run.org.recoverable(False)
    holds(all(is_handle(token) for token in ids(admin.get_all_tokens().response)), "turned off, nothing is shown")
    same(run.org.verdict(secret), "good", "and nothing else has changed")
    admin.delete_token(secret)


def another_org(run, other):
    """What belongs to another org is not there."""
    theirs = other.admin.tokens
    handle = run.admin.tokens.get_all_tokens().response[0].token_id
    for text in (handle, run.secret):
        refused(404, "token does not exist", theirs.get_customer_token, text)
        refused(404, "token does not exist", theirs.delete_customer_token, body=named(text, None))
        refused(404, "token does not exist", theirs.delete_token, text)
    refused(404, "service account does not exist", theirs.get_tokens_service_account, "sa::deployer")
    same({token.account for token in theirs.get_customer_tokens().response}, {other.org.admin})
    holds(uuid.UUID(handle), "a handle is a UUID")
