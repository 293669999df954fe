"""Groups and roles through wavefront-api-client."""

import uuid

import wavefront_api_client as wavefront
from api import refused
from api_accounts import group_of, names, role_of, user
from served import holds, is_handle, same

NOWHERE = str(uuid.uuid4())


def groups(run):
    """Made, filled, given roles, deleted."""
    admin, customer = run.admin.groups, run.org.name
    role, other = role_of(run, "of groups", "metrics_management"), role_of(run, "of groups too", "ingestion")
    body = wavefront.UserGroupWrite(name="night shift", description="who is awake", role_ids=[role])
    made = admin.create_user_group(body=body).response
    holds(is_handle(made.id), "an id is a UUID in lower case")
    same((made.name, made.description, made.customer), ("night shift", "who is awake", customer))
    same(([held.id for held in made.roles], made.role_count), ([role], 1))
    same((made.users, made.user_count), ([], 0))
    told = made.properties
    same((told.name_editable, told.users_editable, told.roles_editable), (True, True, True))
    same(admin.get_user_group(made.id).response.to_dict(), made.to_dict())

    people = [f"{name}@{customer}.example" for name in ("ann", "bob")]
    for email in people:
        run.admin.accounts.create_or_update_user_account(body=user(email))
    filled = admin.add_users_to_user_group(made.id, body=people).response
    same((sorted(filled.users), filled.user_count), (people, 2))
    same(run.admin.accounts.get_account(people[0]).response.united_permissions, ["metrics_management"])
    same(admin.remove_users_from_user_group(made.id, body=people[:1]).response.users, people[1:])
    same(run.admin.accounts.get_account(people[0]).response.united_permissions, [])
    both = admin.add_roles_to_user_group(made.id, body=[other]).response
    same(sorted(held.name for held in both.roles), ["of groups", "of groups too"])
    same(admin.remove_roles_from_user_group(made.id, body=[role]).response.role_count, 1)
    body = wavefront.UserGroupWrite(id=made.id, name="day shift", role_ids=[role])
    changed = admin.update_user_group(made.id, body=body).response
    same((changed.name, changed.description), ("day shift", "who is awake"), "what is absent stays")
    same(([held.id for held in changed.roles], changed.user_count), ([role], 1))

    refused(400, "roles", admin.add_roles_to_user_group, made.id, body=[NOWHERE])
    refused(400, "nothing was changed", admin.add_users_to_user_group, made.id, body=["nobody@nowhere.example"])
    refused(400, "", admin.create_user_group, body=wavefront.UserGroupWrite(name="day shift", role_ids=[]))
    refused(404, "group does not exist", admin.get_user_group, NOWHERE)
    refused(404, "group does not exist", admin.add_users_to_user_group, NOWHERE, body=people)
    refused(404, "group does not exist", admin.get_user_group, "nonsense")

    seen, offset = [], 0
    while True:
        page = admin.get_all_user_groups(offset=offset, limit=1).response
        seen += [group.name for group in page.items]
        offset += 1
        if not page.more_items:
            break
    same(seen, [group.name for group in admin.get_all_user_groups().response.items])
    holds({"Everyone", "Service Accounts", "day shift"} <= set(seen), seen)

    # What there is without anybody's making it.
    everyone = [group for group in admin.get_all_user_groups().response.items if group.name == "Everyone"]
    same(len(everyone), 1)
    told = everyone[0].properties
    same((told.name_editable, told.users_editable), (False, False))
    refused(400, "", admin.delete_user_group, everyone[0].id)
    refused(400, "", admin.remove_users_from_user_group, everyone[0].id, body=people)
    same(names(run.admin.accounts.get_user_account(people[0]).user_groups), ["Everyone"])

    gone = admin.delete_user_group(made.id).response
    same((gone.id, gone.name), (made.id, "day shift"))
    refused(404, "group does not exist", admin.delete_user_group, made.id)
    same(run.admin.accounts.get_account(people[1]).response.united_permissions, [])


def roles(run):
    """Made, given to accounts and groups, changed, deleted."""
    admin, customer = run.admin.roles, run.org.name
    body = wavefront.RoleCreateDTO(name="watch", description="sees", permissions=["alerts_management"])
    made = admin.create_role(body=body).response
    holds(is_handle(made.id), "an id is a UUID in lower case")
    same((made.name, made.description, made.customer), ("watch", "sees", customer))
    same((made.permissions, made.linked_accounts_count, made.linked_groups_count), (["alerts_management"], 0, 0))
    same((made.sample_linked_accounts, made.sample_linked_groups), ([], []))
    same(admin.get_role(made.id).response.to_dict(), made.to_dict())

    email, group = f"eve@{customer}.example", group_of(run, "watchers")
    run.admin.accounts.create_or_update_user_account(body=user(email))
    run.admin.accounts.create_service_account(body=wavefront.ServiceAccountWrite(identifier="sa::watch", active=True))
    given = admin.add_assignees(made.id, body=[email, "sa::watch", group]).response
    same((given.linked_accounts_count, given.linked_groups_count), (2, 1))
    same(sorted(given.sample_linked_accounts), [email, "sa::watch"])
    same([held.name for held in given.sample_linked_groups], ["watchers"])
    account = run.admin.accounts.get_service_account("sa::watch").response
    same((account.united_roles, account.united_permissions), ([made.id], ["alerts_management"]))
    left = admin.remove_assignees(made.id, body=["sa::watch", group]).response
    same((left.sample_linked_accounts, left.linked_groups_count), ([email], 0))
    refused(400, "nothing was changed", admin.add_assignees, made.id, body=[email, "sa::nobody"])
    refused(400, "nothing was changed", admin.add_assignees, made.id, body=[NOWHERE])

    other = role_of(run, "watch too")
    same(admin.grant_permission_to_roles("ingestion", body=[other, made.id]).response.id, made.id)
    same(sorted(admin.get_role(made.id).response.permissions), ["alerts_management", "ingestion"])
    same(admin.get_role(other).response.permissions, ["ingestion"])
    same(admin.revoke_permission_from_roles("ingestion", body=[other]).response.permissions, [])
    refused(400, "permission", admin.grant_permission_to_roles, "nonsense", body=[other])
    refused(400, "", admin.grant_permission_to_roles, "ingestion", body=[made.id, NOWHERE])

    body = wavefront.RoleUpdateDTO(id=made.id, name="guard", permissions=["events_management"])
    changed = admin.update_role(made.id, body=body).response
    same((changed.name, changed.description, changed.permissions), ("guard", "sees", ["events_management"]))
    holds(changed.last_updated_ms >= made.created_epoch_millis, "changed later than made")
    same(run.admin.accounts.get_account(email).response.united_permissions, ["events_management"])
    refused(400, "", admin.create_role, body=wavefront.RoleCreateDTO(name="guard", permissions=[]))
    refused(400, "permission", admin.create_role, body=wavefront.RoleCreateDTO(name="x", permissions=["nonsense"]))
    refused(404, "role does not exist", admin.get_role, NOWHERE)
    refused(404, "role does not exist", admin.update_role, NOWHERE, body=body)
    refused(404, "role does not exist", admin.add_assignees, NOWHERE, body=[email])

    page = admin.get_all_roles(offset=0, limit=1).response
    same((len(page.items), page.more_items), (1, True))
    every = admin.get_all_roles().response
    holds({"guard", "watch too"} <= {role.name for role in every.items}, "all of them")
    # The house's own roles are not in this dialect's words.
    holds(not {"administrator", "member"} & {role.name for role in every.items}, "none of the house's")
    same(admin.delete_role(made.id).response.name, "guard")
    refused(404, "role does not exist", admin.delete_role, made.id)
    same(run.admin.accounts.get_account(email).response.united_permissions, [])
