-- Two groups every org has, whatever they are called: the program knows them by their kind. Orgs from before get theirs
-- when a node starts, in small transactions.

ALTER TABLE account_group ADD COLUMN kind TEXT COLLATE "binary" NOT NULL DEFAULT 'custom';
CREATE UNIQUE INDEX account_group_by_kind ON account_group (org_id, kind) WHERE kind <> 'custom';

-- Who holds a role or a permission, some of them in the order of their ids.
DROP INDEX role_assignment_by_role;
CREATE INDEX role_assignment_by_role ON role_assignment (role_id, org_id, holder_kind, holder_id);
CREATE INDEX permission_grant_by_permission ON permission_grant (org_id, permission);
