-- The journal: rows, the end of their chain, and signed checkpoints. See docs/spec/log.md.
CREATE TABLE audit_entries (
    seq    BIGINT PRIMARY KEY,  -- from 1, without gaps
    flow   TEXT NOT NULL,       -- as in the event, to find it
    parent TEXT NOT NULL,
    event  BLOB NOT NULL,       -- JSON, exactly as hashed
    sealed BLOB,
    hash   BLOB NOT NULL
);
CREATE INDEX audit_entries_flow ON audit_entries (flow);
CREATE INDEX audit_entries_parent ON audit_entries (parent) WHERE parent <> '';

CREATE TABLE audit_head (
    id   BIGINT PRIMARY KEY,    -- always 1
    size BIGINT NOT NULL,
    hash BLOB NOT NULL
);

CREATE TABLE audit_checkpoints (
    size BIGINT PRIMARY KEY,
    note TEXT NOT NULL
);
