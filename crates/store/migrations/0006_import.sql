-- Secrets that a restored database never had and that are dead all the same, from the journal: they must not move in again.
CREATE TABLE dead_secret (
    digest BYTEA NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);

-- Built-in roles that are there are left as they are when the program starts, so what administrators gain is given here.
UPDATE role SET permissions = '["house:accounts","house:groups","house:roles","house:tokens","house:tokens.issue","house:tokens.import","house:policy","house:ledger","house:verify","house:read"]'
    WHERE namespace = 'house' AND name_fold = 'administrator';
