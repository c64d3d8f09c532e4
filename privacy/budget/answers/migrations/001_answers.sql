-- Answers that were paid for, and who asked under which key. See docs/spec/budget-ledger.md. Times are nanoseconds since 1970.
CREATE TABLE answers_versions (
    dataset TEXT NOT NULL,
    since   BIGINT NOT NULL,            -- schedule: when version 0 began
    every   BIGINT NOT NULL,            -- schedule: how long a version lasts; 0: for ever
    begun   BIGINT NOT NULL,            -- when the latest version that was served began: none before it is served again
    PRIMARY KEY (dataset, since, every)
);

CREATE TABLE answers_given (
    question BLOB PRIMARY KEY NOT NULL, -- identity of question and version
    dataset  TEXT NOT NULL,
    version  BIGINT NOT NULL,           -- of the data; -1: it has none
    begins   BIGINT NOT NULL,
    ends     BIGINT NOT NULL,           -- 0: never
    owner    BLOB,                      -- who computes it, while body is null
    until    BIGINT NOT NULL,           -- the owner is given up then
    body     BLOB,                      -- sealed
    at       BIGINT NOT NULL            -- when it was claimed
);
CREATE INDEX answers_given_ends ON answers_given (ends);

CREATE TABLE answers_asked (
    asker    BLOB PRIMARY KEY NOT NULL, -- digest of dataset, domain, agent and idempotency key
    request  BLOB NOT NULL,             -- digest of the request that it came with first
    question BLOB NOT NULL,
    failed   BIGINT NOT NULL,           -- 1: it was charged, and there is no answer
    at       BIGINT NOT NULL
);
CREATE INDEX answers_asked_at ON answers_asked (at);
