-- Where data came from and where it went. See docs/spec/lineage-receiving.md. Ids are the first 16 bytes of a SHA-256 of what
-- they stand for; times are milliseconds since 1970. Nothing here is a value, and nothing points at a subject.
-- How much each reporter told, so that none takes the room of the others.
CREATE TABLE lineage_tellers (
    teller TEXT PRIMARY KEY NOT NULL, -- "agent@domain"; '': this gateway's own journal
    nodes  BIGINT NOT NULL,           -- datasets, columns, jobs that it was the first to name
    edges  BIGINT NOT NULL,           -- between columns, between datasets, and between names of one dataset
    turn   BIGINT NOT NULL            -- grows whenever something is told that was not known
);

CREATE TABLE lineage_datasets (
    id        BLOB PRIMARY KEY NOT NULL,
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,        -- the newest that was told; '': none
    since     BIGINT NOT NULL,
    seen      BIGINT NOT NULL
);
CREATE INDEX lineage_datasets_name ON lineage_datasets (name);

CREATE TABLE lineage_columns (
    id      BLOB PRIMARY KEY NOT NULL,
    dataset BLOB NOT NULL,
    field   TEXT NOT NULL
);
CREATE INDEX lineage_columns_dataset ON lineage_columns (dataset);

-- A job as one reporter tells of it: two that use one name are two.
CREATE TABLE lineage_jobs (
    id        BLOB PRIMARY KEY NOT NULL,
    teller    TEXT NOT NULL,        -- "agent@domain"; '': this gateway's own journal
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    since     BIGINT NOT NULL,
    seen      BIGINT NOT NULL,
    run       TEXT NOT NULL,        -- the newest
    parent    BLOB NOT NULL         -- the job whose run started it; empty: none was told
);

-- What one run has read and written so far, until it is forgotten.
CREATE TABLE lineage_runs (
    id      BLOB NOT NULL,          -- of teller, job and run
    dataset BLOB NOT NULL,
    writes  BIGINT NOT NULL,        -- 0: it reads, 1: it writes
    told    BIGINT NOT NULL,        -- 1: it said how its columns are made
    seen    BIGINT NOT NULL,
    PRIMARY KEY (id, dataset, writes)
);
CREATE INDEX lineage_runs_seen ON lineage_runs (seen);

-- That a job made one dataset of another.
CREATE TABLE lineage_made (
    target BLOB NOT NULL,
    job    BLOB NOT NULL,
    source BLOB NOT NULL,
    since  BIGINT NOT NULL,
    seen   BIGINT NOT NULL,
    PRIMARY KEY (target, job, source)
);
CREATE INDEX lineage_made_source ON lineage_made (source);

-- Datasets and columns that a job made in a way nobody told: they have the labels of all that it read.
CREATE TABLE lineage_untold (
    target BLOB NOT NULL,           -- of a dataset
    job    BLOB NOT NULL,
    run    BLOB NOT NULL,           -- until this run tells how; empty: for good
    field  TEXT NOT NULL,           -- '': all columns
    PRIMARY KEY (target, job, run, field)
);

-- That a job made one column of another.
CREATE TABLE lineage_edges (
    target  BLOB NOT NULL,          -- a column, or a dataset: then all of its columns
    job     BLOB NOT NULL,
    source  BLOB NOT NULL,          -- a column, or a dataset as a whole
    whole   BIGINT NOT NULL,        -- 1: target is a dataset, 2: source is one, 3: both
    inside  BLOB NOT NULL,          -- the dataset of target
    origin  BLOB NOT NULL,          -- the dataset of source
    how     TEXT NOT NULL,          -- "DIRECT/IDENTITY", several with a space between
    masking BIGINT NOT NULL,        -- 1: whoever told of it always said that nothing of the value is left
    since   BIGINT NOT NULL,
    seen    BIGINT NOT NULL,
    PRIMARY KEY (target, job, source)
);
CREATE INDEX lineage_edges_inside ON lineage_edges (inside);
CREATE INDEX lineage_edges_origin ON lineage_edges (origin);

-- Two names of one dataset. Each pair is here both ways.
CREATE TABLE lineage_names (
    one   BLOB NOT NULL,
    other BLOB NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (one, other)
);

-- Who received a dataset.
CREATE TABLE lineage_deliveries (
    id       BLOB PRIMARY KEY NOT NULL, -- of all but flow, times and count
    dataset  BLOB NOT NULL,
    agent    TEXT NOT NULL,
    domain   TEXT NOT NULL,
    purpose  TEXT NOT NULL,
    policy   TEXT NOT NULL,
    level    TEXT NOT NULL,
    flow     TEXT NOT NULL,
    times    BIGINT NOT NULL,
    since    BIGINT NOT NULL,
    seen     BIGINT NOT NULL
);
CREATE INDEX lineage_deliveries_dataset ON lineage_deliveries (dataset);
