-- What is remembered of callers, and the alarms that were raised. See docs/spec/incidents.md.
CREATE TABLE alarm_actors (
    domain TEXT NOT NULL,
    agent  TEXT NOT NULL,       -- "" the domain as a whole
    state  BLOB NOT NULL,       -- JSON: counts, labels and purposes; no value
    PRIMARY KEY (domain, agent)
);
CREATE TABLE alarm_raised (
    id     BIGINT PRIMARY KEY,  -- from 1
    at     BIGINT NOT NULL,     -- milliseconds since 1970
    kind   TEXT NOT NULL,
    domain TEXT NOT NULL,
    agent  TEXT NOT NULL,
    span   TEXT NOT NULL,
    seen   BIGINT NOT NULL,
    most   BIGINT NOT NULL,
    done   TEXT NOT NULL        -- what was done about it
);
CREATE INDEX alarm_raised_at ON alarm_raised (at);
