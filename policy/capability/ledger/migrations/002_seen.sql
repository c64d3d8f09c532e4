-- Tokens that were issued here or came here, for people to look at. No decision rests on it. See docs/spec/revocation.md.
CREATE TABLE ledger_tokens (
    token   BLOB PRIMARY KEY NOT NULL,  -- SHA-256 of the token's signing input
    parent  BLOB NOT NULL,              -- likewise; of a root: its own
    root    BLOB NOT NULL,
    issuer  TEXT NOT NULL,              -- domain of the root
    depth   BIGINT NOT NULL,
    id      BLOB NOT NULL,              -- the token's id, as its signer chose it
    holder  BLOB NOT NULL,              -- thumbprint
    issued  BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    here    BIGINT NOT NULL,            -- 1: this domain issued it, and it is on record
    seen    BIGINT NOT NULL,            -- when it was noted first
    shown   BIGINT NOT NULL,            -- when it came last; 0: it never did
    times   BIGINT NOT NULL,            -- how often
    uses    BIGINT NOT NULL,            -- limits that are counted here; -1: there is none
    epsilon BIGINT NOT NULL,
    delta   BIGINT NOT NULL,
    says    BLOB NOT NULL               -- JSON: what it admits, in words, and what it narrows
);
CREATE INDEX ledger_tokens_root ON ledger_tokens (root);
CREATE INDEX ledger_tokens_roots ON ledger_tokens (issued, token) WHERE depth = 0;
CREATE INDEX ledger_tokens_expires ON ledger_tokens (expires);
