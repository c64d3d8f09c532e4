-- What each audience was shown of each subject: labels, levels and keyed digests, no value.
CREATE TABLE exposure_held (
    audience TEXT NOT NULL,
    subject BLOB NOT NULL,      -- reference of the subject; of a task, for what is about somebody unknown
    version BIGINT NOT NULL,    -- goes up with every change
    expires BIGINT NOT NULL,
    facts BIGINT NOT NULL,      -- how many
    held BLOB NOT NULL,
    PRIMARY KEY (audience, subject)
);
CREATE INDEX exposure_held_subject ON exposure_held (subject);
CREATE INDEX exposure_held_expires ON exposure_held (expires);

-- Whom a task is about, as far as it has shown.
CREATE TABLE exposure_tasks (
    audience TEXT NOT NULL,
    task BLOB NOT NULL,
    subject BLOB NOT NULL,
    PRIMARY KEY (audience, task, subject)
);
CREATE INDEX exposure_tasks_subject ON exposure_tasks (subject);

-- How many facts an agent has added on a day.
CREATE TABLE exposure_added (
    audience TEXT NOT NULL,
    agent TEXT NOT NULL,
    day BIGINT NOT NULL,
    facts BIGINT NOT NULL,
    PRIMARY KEY (audience, agent, day)
);

CREATE TABLE exposure_state (
    id BIGINT PRIMARY KEY,      -- 1
    removals BIGINT NOT NULL    -- goes up whenever something is forgotten
);
