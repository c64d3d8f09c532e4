-- Erasures that wait for their confirmation, and whether the files of the last one are still to be scrubbed. See docs/spec/erasure.md.
CREATE TABLE erasure_requests (
    id      TEXT PRIMARY KEY NOT NULL,  -- random
    digest  BLOB NOT NULL,              -- of unit and value, under a key for this alone: it is no reference to the subject
    asker   TEXT NOT NULL,              -- name of the credential
    expires BIGINT NOT NULL             -- seconds since 1970, UTC
);
CREATE TABLE erasure_state (
    id     BIGINT PRIMARY KEY,          -- always 1
    erased BIGINT NOT NULL,             -- erasures so far
    clean  BIGINT NOT NULL              -- of these, from the first on, so many left no trace in the database's files
);
