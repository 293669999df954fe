-- What was asked of an api token, beside what decides: the roles that it names, how long it lives each time that it is
-- made anew (milliseconds), and how many days before its end its owner wants to hear of it; 0 for not at all.
CREATE TABLE api_token (
    token_id UUID NOT NULL PRIMARY KEY REFERENCES token (id),
    asked TEXT NOT NULL,
    life BIGINT NOT NULL,
    notice_days BIGINT NOT NULL
);
