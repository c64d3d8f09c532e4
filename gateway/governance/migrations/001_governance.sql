-- Rules as versions: which is in force, what each was, and what is proposed. See docs/spec/governance.md.
CREATE TABLE governance_state (
    id      BIGINT PRIMARY KEY,         -- always 1
    turn    BIGINT NOT NULL,            -- steps so far: whoever takes one counts it first, so that steps follow each other
    version BIGINT NOT NULL             -- in force; 0: none ever was
);
CREATE TABLE governance_versions (
    version BIGINT PRIMARY KEY,
    body    BLOB NOT NULL,              -- JSON: digest, whose, when, the row of the journal that says so
    mac     BLOB NOT NULL               -- of version and body, under a key of the keyset
);
CREATE TABLE governance_rules (
    digest  BLOB PRIMARY KEY NOT NULL,  -- of the rule set
    content BLOB NOT NULL               -- the rule set, compressed and sealed under a key of the keyset
);
CREATE TABLE governance_proposals (
    id      TEXT PRIMARY KEY NOT NULL,  -- random
    made    BIGINT NOT NULL,            -- nanoseconds since 1970, UTC
    ended   BIGINT NOT NULL,            -- 1: nothing becomes of it any more
    body    BLOB NOT NULL,              -- JSON
    mac     BLOB NOT NULL               -- of id and body
);
CREATE TABLE governance_reviews (
    what    TEXT PRIMARY KEY NOT NULL,  -- policies, budgets, or a contract's id
    at      BIGINT NOT NULL,            -- seconds since 1970, UTC
    who     TEXT NOT NULL               -- name of the credential
);
CREATE INDEX governance_proposals_open ON governance_proposals (ended, made);
