-- A node is more than the time of its last heartbeat: how many there were tells one that lives from one whose clock
-- stands still, and a revision means nothing without its epoch. The rows are made anew by every node that starts.

DROP TABLE heartbeat;

CREATE TABLE node (
    id UUID NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    beat_at BIGINT NOT NULL,
    beats BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    applied BIGINT NOT NULL
);
