-- What searching needs. The columns below are kept by the program and read by no struct: they are copies in the form in
-- which they are searched. An owner's identifier never changes; the type of a service account's tokens changes when it is
-- switched off or on.
ALTER TABLE token ADD COLUMN owner_fold TEXT COLLATE "binary" NOT NULL DEFAULT '';
ALTER TABLE token ADD COLUMN owner_type TEXT COLLATE "binary" NOT NULL DEFAULT '';
UPDATE token SET
    owner_fold = COALESCE((SELECT a.identifier_fold FROM account a WHERE a.id = token.owner_id), ''),
    owner_type = COALESCE((SELECT CASE WHEN a.kind = 'service' AND a.state <> 'active' THEN 'inactive_service' ELSE a.kind END
        FROM account a WHERE a.id = token.owner_id), '');

-- What is not of the Latin alphabet's first letters is folded when it is written next.
ALTER TABLE account ADD COLUMN description_fold TEXT COLLATE "binary" NOT NULL DEFAULT '';
ALTER TABLE account_group ADD COLUMN description_fold TEXT COLLATE "binary" NOT NULL DEFAULT '';
ALTER TABLE role ADD COLUMN description_fold TEXT COLLATE "binary" NOT NULL DEFAULT '';
UPDATE account SET description_fold = LOWER(description);
UPDATE account_group SET description_fold = LOWER(description);
UPDATE role SET description_fold = LOWER(description);

-- One index for each order of tokens that can be found: neither revoked nor of other kinds. Each holds all that decides
-- whether an entry counts, so that a page far back is reached without looking at rows.
CREATE INDEX token_live_by_id ON token (org_id, id, expires_at, state, kind)
    WHERE state <> 'revoked' AND (kind = 'user' OR kind = 'service');
CREATE INDEX token_live_by_name ON token (org_id, name_fold, id, expires_at, state, kind)
    WHERE state <> 'revoked' AND (kind = 'user' OR kind = 'service');
CREATE INDEX token_live_by_owner ON token (org_id, owner_fold, id, expires_at, state, kind)
    WHERE state <> 'revoked' AND (kind = 'user' OR kind = 'service');
CREATE INDEX token_live_by_owner_type ON token (org_id, owner_type, id, expires_at, state, kind)
    WHERE state <> 'revoked' AND (kind = 'user' OR kind = 'service');
CREATE INDEX token_live_by_making ON token (org_id, created_at, id, expires_at, state, kind)
    WHERE state <> 'revoked' AND (kind = 'user' OR kind = 'service');
CREATE INDEX token_live_by_use ON token (org_id, last_used_at, id, expires_at, state, kind)
    WHERE state <> 'revoked' AND (kind = 'user' OR kind = 'service');

-- When an owner's tokens were last used is told by this one.
DROP INDEX token_by_owner;
CREATE INDEX token_by_owner ON token (owner_id, kind, state, id, last_used_at);

CREATE INDEX account_by_making ON account (org_id, tombstone, created_at, id, kind);
CREATE INDEX account_by_identifier ON account (org_id, tombstone, identifier_fold, id, kind);
