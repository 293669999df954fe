-- One text for SQLite and PostgreSQL. No column may be NULL: what has no value has a sentinel (nil id, 0, '' or the
-- end of time), because NULLs sort differently on the two, and one of them reads as 0 into what is not an Option.
-- Times are epoch milliseconds and come from the program, as ids do.

CREATE TABLE settings (
    name TEXT COLLATE "binary" NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE org (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    name_fold TEXT COLLATE "binary" NOT NULL UNIQUE,
    state TEXT COLLATE "binary" NOT NULL,
    onboarded BOOLEAN NOT NULL,
    data_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE policy (
    org_id UUID NOT NULL PRIMARY KEY REFERENCES org (id),
    body TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE identity (
    id UUID NOT NULL PRIMARY KEY,
    kind TEXT COLLATE "binary" NOT NULL,
    login TEXT NOT NULL,
    login_fold TEXT COLLATE "binary" NOT NULL UNIQUE,
    password TEXT NOT NULL,
    default_org UUID NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE account (
    id UUID NOT NULL PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES org (id),
    identity_id UUID NOT NULL,
    kind TEXT COLLATE "binary" NOT NULL,
    identifier TEXT NOT NULL,
    identifier_fold TEXT COLLATE "binary" NOT NULL,
    description TEXT NOT NULL,
    state TEXT COLLATE "binary" NOT NULL,
    created_at BIGINT NOT NULL,
    created_by UUID NOT NULL,
    updated_at BIGINT NOT NULL,
    tombstone UUID NOT NULL,
    UNIQUE (org_id, identifier_fold, tombstone)
);
CREATE INDEX account_by_org ON account (org_id, tombstone, id);
CREATE INDEX account_by_identity ON account (identity_id, org_id);

CREATE TABLE account_group (
    id UUID NOT NULL PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES org (id),
    name TEXT NOT NULL,
    name_fold TEXT COLLATE "binary" NOT NULL,
    description TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (org_id, name_fold)
);

CREATE TABLE group_member (
    group_id UUID NOT NULL REFERENCES account_group (id),
    account_id UUID NOT NULL REFERENCES account (id),
    org_id UUID NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (group_id, account_id)
);
CREATE INDEX group_member_by_account ON group_member (account_id);

CREATE TABLE role (
    id UUID NOT NULL PRIMARY KEY,
    org_id UUID NOT NULL,
    kind TEXT COLLATE "binary" NOT NULL,
    namespace TEXT COLLATE "binary" NOT NULL,
    name TEXT NOT NULL,
    name_fold TEXT COLLATE "binary" NOT NULL,
    description TEXT NOT NULL,
    permissions TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (org_id, name_fold)
);

CREATE TABLE role_assignment (
    holder_id UUID NOT NULL,
    holder_kind TEXT COLLATE "binary" NOT NULL,
    role_id UUID NOT NULL REFERENCES role (id),
    org_id UUID NOT NULL REFERENCES org (id),
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (holder_id, role_id)
);
CREATE INDEX role_assignment_by_role ON role_assignment (role_id, org_id);

CREATE TABLE permission_grant (
    holder_id UUID NOT NULL,
    holder_kind TEXT COLLATE "binary" NOT NULL,
    permission TEXT COLLATE "binary" NOT NULL,
    org_id UUID NOT NULL REFERENCES org (id),
    expires_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (holder_id, permission)
);

CREATE TABLE token (
    id UUID NOT NULL PRIMARY KEY,
    short_id TEXT COLLATE "binary" NOT NULL UNIQUE,
    org_id UUID NOT NULL REFERENCES org (id),
    owner_id UUID NOT NULL,
    kind TEXT COLLATE "binary" NOT NULL,
    name TEXT NOT NULL,
    name_fold TEXT COLLATE "binary" NOT NULL,
    state TEXT COLLATE "binary" NOT NULL,
    scopes TEXT NOT NULL,
    reach BIGINT NOT NULL,
    addresses TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by UUID NOT NULL,
    created_through UUID NOT NULL,
    updated_at BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    idle_limit BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    last_used_address TEXT NOT NULL,
    revoked_at BIGINT NOT NULL
);
CREATE INDEX token_by_owner ON token (owner_id, kind, state, id);
CREATE INDEX token_by_org ON token (org_id, id);

CREATE TABLE secret (
    id UUID NOT NULL PRIMARY KEY,
    token_id UUID NOT NULL REFERENCES token (id),
    org_id UUID NOT NULL,
    digest BYTEA NOT NULL UNIQUE,
    last4 TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    good_until BIGINT NOT NULL,
    sealed BYTEA NOT NULL
);
CREATE INDEX secret_by_token ON secret (token_id, id);

CREATE TABLE ledger_head (
    id BIGINT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    at BIGINT NOT NULL,
    turns BIGINT NOT NULL
);

CREATE TABLE ledger_event (
    revision BIGINT NOT NULL PRIMARY KEY,
    epoch BIGINT NOT NULL,
    at BIGINT NOT NULL,
    org_id UUID NOT NULL,
    kind TEXT COLLATE "binary" NOT NULL,
    subject UUID NOT NULL,
    actor_account UUID NOT NULL,
    actor_token UUID NOT NULL,
    address TEXT NOT NULL,
    request_id TEXT NOT NULL,
    body TEXT NOT NULL,
    salt BYTEA NOT NULL,
    body_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL
);
CREATE INDEX ledger_event_by_org ON ledger_event (org_id, revision);
CREATE INDEX ledger_event_by_subject ON ledger_event (subject, revision);

CREATE TABLE heartbeat (
    node_id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    beat_at BIGINT NOT NULL,
    applied BIGINT NOT NULL
);

CREATE TABLE job (
    id UUID NOT NULL PRIMARY KEY,
    org_id UUID NOT NULL,
    kind TEXT COLLATE "binary" NOT NULL,
    state TEXT COLLATE "binary" NOT NULL,
    body TEXT NOT NULL,
    progress BIGINT NOT NULL,
    total BIGINT NOT NULL,
    created_by UUID NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    lease_node UUID NOT NULL,
    lease_until BIGINT NOT NULL,
    fence BIGINT NOT NULL
);
CREATE INDEX job_by_state ON job (state, kind, id);

CREATE TABLE usage_day (
    token_id UUID NOT NULL,
    day BIGINT NOT NULL,
    outcome TEXT COLLATE "binary" NOT NULL,
    uses BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    addresses TEXT NOT NULL,
    PRIMARY KEY (token_id, day, outcome)
);
CREATE INDEX usage_by_day ON usage_day (day);

CREATE TABLE once (
    id BYTEA NOT NULL PRIMARY KEY,
    org_id UUID NOT NULL,
    token_id UUID NOT NULL,
    secret_id UUID NOT NULL,
    operation TEXT NOT NULL,
    body_digest BYTEA NOT NULL,
    answer BYTEA NOT NULL,
    epoch BIGINT NOT NULL,
    revision BIGINT NOT NULL,
    purged BOOLEAN NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX once_by_token ON once (token_id);
CREATE INDEX once_by_secret ON once (secret_id);
CREATE INDEX once_by_expiry ON once (expires_at);

CREATE TABLE saved_search (
    id UUID NOT NULL PRIMARY KEY,
    org_id UUID NOT NULL REFERENCES org (id),
    account_id UUID NOT NULL,
    entity TEXT COLLATE "binary" NOT NULL,
    query TEXT NOT NULL,
    created_by UUID NOT NULL,
    created_at BIGINT NOT NULL,
    updated_by UUID NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX saved_search_by_account ON saved_search (account_id, id);

INSERT INTO ledger_head (id, epoch, revision, hash, at, turns) VALUES (1, 1, 0, '', 0, 0);
