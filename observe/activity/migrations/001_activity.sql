-- What happened, added up by minute, hour and day. Names that events hold, and counts; see docs/spec/activity.md.
CREATE TABLE activity_state (
    id  BIGINT PRIMARY KEY,      -- always 1
    seq BIGINT NOT NULL          -- entries of the journal up to here are in the sums
);
CREATE TABLE activity_flows (
    unit    BIGINT NOT NULL,     -- 0 minute, 1 hour, 2 day
    at      BIGINT NOT NULL,     -- when it began, in seconds since 1970
    sender  TEXT NOT NULL,       -- domain; "*" where there was no room for more names
    recipient TEXT NOT NULL,
    purpose TEXT NOT NULL,
    outcome TEXT NOT NULL,
    rule    TEXT NOT NULL,       -- of a refusal
    entries BIGINT NOT NULL,
    bytes   BIGINT NOT NULL,
    highest BIGINT NOT NULL,     -- level at which something was shown; -1: nothing was
    PRIMARY KEY (unit, at, sender, recipient, purpose, outcome, rule)
) WITHOUT ROWID;
CREATE TABLE activity_levels (
    unit    BIGINT NOT NULL,
    at      BIGINT NOT NULL,
    label   TEXT NOT NULL,
    recipient TEXT NOT NULL,     -- domain
    level   BIGINT NOT NULL,
    shown   BIGINT NOT NULL,     -- values
    PRIMARY KEY (unit, at, label, recipient, level)
) WITHOUT ROWID;
