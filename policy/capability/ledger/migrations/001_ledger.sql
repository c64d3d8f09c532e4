-- What capabilities have used up, which proofs were taken, and what is revoked. See docs/spec/revocation.md.
CREATE TABLE ledger_state (
    id         BIGINT PRIMARY KEY,      -- always 1
    version    BIGINT NOT NULL,         -- of the own list
    swept      BIGINT NOT NULL,         -- accounts of tokens that expired by then are gone; seconds since 1970, as are all times here
    forgotten  BIGINT NOT NULL          -- proofs issued by then are forgotten, and none of them is taken
);

CREATE TABLE ledger_accounts (
    token   BLOB PRIMARY KEY NOT NULL,  -- SHA-256 of the token's signing input
    uses    BIGINT NOT NULL,
    epsilon BIGINT NOT NULL,            -- ε · 10⁹
    delta   BIGINT NOT NULL,            -- δ · 10¹²
    expires BIGINT NOT NULL             -- of the token
);
CREATE INDEX ledger_accounts_expires ON ledger_accounts (expires);

-- Begins with the time, so that the index grows at its end.
CREATE TABLE ledger_taken (
    id BLOB PRIMARY KEY NOT NULL        -- issued at (8 bytes, big endian), digest of holder and id (24 bytes)
);

CREATE TABLE ledger_denied (
    kind   BIGINT NOT NULL,             -- 1 token, 2 holder, 3 task
    digest BLOB NOT NULL,
    name   TEXT NOT NULL,               -- as the operator named it; it is not published
    since  BIGINT NOT NULL,
    until  BIGINT NOT NULL,
    PRIMARY KEY (kind, digest)
);

CREATE TABLE ledger_lists (
    domain TEXT PRIMARY KEY NOT NULL,
    list   BLOB NOT NULL                -- as its domain signed it
);
