-- Keys of subjects, what tokens point at, and the memory of tasks. See docs/spec/tokens.md.
-- Every sealed column is useless without the keyring; erasing a subject deletes its rows in three tables.
CREATE TABLE vault_subjects (
    subject BLOB PRIMARY KEY NOT NULL,  -- flow.SubjectRef
    kid     BLOB NOT NULL,              -- random name of the key
    sealed  BLOB NOT NULL               -- the subject's own key
);

CREATE TABLE vault_handles (
    handle    BLOB PRIMARY KEY NOT NULL, -- random
    subject   BLOB NOT NULL,             -- zeros: unknown
    recipient TEXT NOT NULL,
    grp       TEXT NOT NULL,
    label     TEXT NOT NULL,
    epoch     BIGINT NOT NULL,
    UNIQUE (subject, recipient, grp, label, epoch)
);

CREATE TABLE vault_values (
    lookup  BLOB PRIMARY KEY NOT NULL,  -- keyed digest of scope and value
    name    BLOB NOT NULL UNIQUE,       -- keyed digest of the token
    subject BLOB NOT NULL,
    epoch   BIGINT NOT NULL,
    sealed  BLOB NOT NULL               -- token, scope and, if it may be opened, value
);
CREATE INDEX vault_values_subject ON vault_values (subject);

CREATE TABLE vault_issued (
    day       BIGINT NOT NULL,          -- days since 1970, UTC
    recipient TEXT NOT NULL,
    label     TEXT NOT NULL,
    digest    BLOB NOT NULL,            -- keyed digest of scope and value
    PRIMARY KEY (day, recipient, label, digest)
);

CREATE TABLE vault_tasks (
    task    BLOB PRIMARY KEY NOT NULL,  -- keyed digest of the task's id
    kid     BLOB NOT NULL,
    sealed  BLOB NOT NULL,              -- the task's own key
    expires BIGINT NOT NULL             -- seconds since 1970, UTC
);
CREATE INDEX vault_tasks_expires ON vault_tasks (expires);

CREATE TABLE vault_surrogates (
    task      BLOB NOT NULL,
    recipient TEXT NOT NULL,
    digest    BLOB NOT NULL,            -- of the value, under the task's key
    name      BLOB NOT NULL,            -- of the surrogate, under the task's key
    sealed    BLOB NOT NULL,
    PRIMARY KEY (task, recipient, digest),
    UNIQUE (task, recipient, name)
);

CREATE TABLE vault_known (
    task   BLOB NOT NULL,
    digest BLOB NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (task, digest)
);

CREATE TABLE vault_state (
    id        BIGINT PRIMARY KEY,       -- always 1
    erasures  BIGINT NOT NULL
);
