-- The integrations whose proxies service accounts of an onboarded org still get tokens for; an org without a row has the
-- list that it began with. `body` is JSON.
CREATE TABLE integrations (
    org_id UUID NOT NULL PRIMARY KEY REFERENCES org (id),
    body TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Which integration a token is for. What it may do stands in its scopes and reach alone, as of every token.
CREATE TABLE token_integration (
    token_id UUID NOT NULL PRIMARY KEY REFERENCES token (id),
    integration TEXT NOT NULL
);
