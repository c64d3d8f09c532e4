-- What this witness cosigned. See docs/spec/witness.md. Times are seconds since 1970. Nothing here is about a person.
CREATE TABLE witness_logs (
    origin TEXT PRIMARY KEY NOT NULL,
    size   BIGINT NOT NULL,     -- of the latest checkpoint that was cosigned
    root   BLOB NOT NULL,
    time   BIGINT NOT NULL      -- of the latest cosignature; it never goes back
);

-- The checkpoints themselves, so that a second one of the same size is noticed. The oldest go.
CREATE TABLE witness_checkpoints (
    origin TEXT NOT NULL,
    size   BIGINT NOT NULL,
    root   BLOB NOT NULL,
    note   BLOB NOT NULL,
    PRIMARY KEY (origin, size)
);

-- Two checkpoints of one size with two roots, both signed by the log: proof that it shows different people different things.
CREATE TABLE witness_equivocations (
    origin TEXT NOT NULL,
    size   BIGINT NOT NULL,
    root   BLOB NOT NULL,       -- of the one that was refused
    time   BIGINT NOT NULL,
    first  BLOB NOT NULL,       -- the note that was cosigned
    second BLOB NOT NULL,       -- the note that was refused
    PRIMARY KEY (origin, size, root)
);
