-- The keys that access tokens are signed with. The private half is sealed under the master key, and empty once the key
-- signs no more. What a key is for at a moment follows from when each one begins to sign.
CREATE TABLE signing_key (
    id UUID NOT NULL PRIMARY KEY,
    algorithm TEXT COLLATE "binary" NOT NULL,
    public BYTEA NOT NULL,
    sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    ended_at BIGINT NOT NULL,
    compromised BOOLEAN NOT NULL
);
