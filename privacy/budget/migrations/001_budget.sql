-- Budgets, what was charged to them, and the chains of entries that prove it. See docs/spec/budget-ledger.md.
CREATE TABLE budget_writers (
    id        BIGINT PRIMARY KEY,       -- 1 is the lasting writer of a database that one process has for itself
    name      TEXT NOT NULL,
    seq       BIGINT NOT NULL,          -- of its last entry
    hash      BLOB NOT NULL,            -- of its last entry
    signer    BLOB NOT NULL,            -- Ed25519 public key
    signature BLOB NOT NULL             -- over id, seq and hash
);

CREATE TABLE budget_entries (
    n    BIGINT PRIMARY KEY,            -- writer · 2⁴⁰ + seq
    body BLOB NOT NULL,
    hash BLOB NOT NULL
);

CREATE TABLE budget_scopes (
    scope    BLOB PRIMARY KEY NOT NULL, -- digest of the names
    dataset  TEXT NOT NULL,
    level    BIGINT NOT NULL,           -- 0 global, 1 domain, 2 workflow, 3 agent, 4 contract
    domain   TEXT NOT NULL,
    workflow TEXT NOT NULL,
    agent    TEXT NOT NULL,
    contract TEXT NOT NULL,
    plan     BLOB NOT NULL              -- body of the entry that set it; empty: no quota
);
CREATE INDEX budget_scopes_dataset ON budget_scopes (dataset, level);

CREATE TABLE budget_sums (
    scope   BLOB NOT NULL,
    block   BIGINT NOT NULL,
    entries BIGINT NOT NULL,            -- how many changed the sums
    sums    BLOB NOT NULL,
    PRIMARY KEY (scope, block)
);

CREATE TABLE budget_keys (
    idem    BLOB PRIMARY KEY NOT NULL,  -- digest of dataset, domain, agent and key
    charge  BLOB NOT NULL,
    request BLOB NOT NULL,
    writer  BIGINT NOT NULL
);

CREATE TABLE budget_answers (
    charge BLOB PRIMARY KEY NOT NULL,
    sealed BLOB NOT NULL
);

CREATE TABLE budget_clocks (
    scope BLOB PRIMARY KEY NOT NULL,    -- of a dataset in blocks by time
    seen  BIGINT NOT NULL               -- the latest time there was, in microseconds since 1970
);
