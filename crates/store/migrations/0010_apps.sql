-- Apps: programs that get access tokens for a client id and a secret. `terms` is what was asked for the app, JSON. Its
-- account in the org that owns it and the token whose secrets are its own stand beside, as nothing is decided without them.
CREATE TABLE app (
    identity_id UUID NOT NULL PRIMARY KEY REFERENCES identity (id),
    org_id UUID NOT NULL REFERENCES org (id),
    account_id UUID NOT NULL REFERENCES account (id),
    token_id UUID NOT NULL REFERENCES token (id),
    terms TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by UUID NOT NULL,
    updated_at BIGINT NOT NULL,
    updated_by UUID NOT NULL
);
CREATE INDEX app_by_org ON app (org_id, account_id);
CREATE INDEX app_by_account ON app (account_id);
