-- Parts of messages that went by reference. Of a reference only a digest is kept, so that nobody redeems what is written here.
CREATE TABLE gateway_handles (
    id BLOB PRIMARY KEY,        -- SHA-256 of the reference
    task BLOB NOT NULL,         -- keyed digest of the task
    sender BLOB NOT NULL,       -- keyed digest of the party whose part it was
    expires BIGINT NOT NULL,
    uses BIGINT NOT NULL,       -- left; -1: without a limit
    size BIGINT NOT NULL,       -- of what is sealed
    head BLOB NOT NULL,         -- sealed: who may redeem it and why
    content BLOB NOT NULL       -- sealed: the part
);
CREATE INDEX gateway_handles_expires ON gateway_handles (expires, size);
CREATE INDEX gateway_handles_task ON gateway_handles (task, size);
CREATE INDEX gateway_handles_sender ON gateway_handles (sender, size);

-- Whom the parts are about; 16 zero bytes stand for somebody unknown.
CREATE TABLE gateway_handle_subjects (
    handle BLOB NOT NULL,
    subject BLOB NOT NULL,
    PRIMARY KEY (handle, subject)
);
CREATE INDEX gateway_handle_subjects_subject ON gateway_handle_subjects (subject);

-- What each redeemer got, so that it can be had in pieces.
CREATE TABLE gateway_handle_forms (
    handle BLOB NOT NULL,
    redeemer BLOB NOT NULL,     -- keyed digest
    seq BIGINT NOT NULL,        -- the newest has the highest of its handle
    pins BLOB NOT NULL,         -- what it was decided by
    request BLOB NOT NULL,      -- keyed digest of the redeemer's own id of its request; empty: it gave none
    tag TEXT NOT NULL,          -- entity tag, random
    size BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (handle, redeemer)
);
