-- What recipients said of values that they were sent. See docs/spec/incidents.md.
CREATE TABLE usefulness_verdicts (
    flow    TEXT NOT NULL,      -- that brought the value
    leaf    BLOB NOT NULL,      -- keyed digest of the place or label that the verdict is about
    domain  TEXT NOT NULL,      -- of the recipient
    agent   TEXT NOT NULL,
    label   TEXT NOT NULL,      -- "": the flow has no such value
    level   BIGINT NOT NULL,
    param   TEXT NOT NULL,
    policies TEXT NOT NULL,     -- that decided it, separated by spaces
    verdict TEXT NOT NULL,
    at      BIGINT NOT NULL,    -- milliseconds since 1970
    PRIMARY KEY (flow, leaf)
);
CREATE INDEX usefulness_verdicts_at ON usefulness_verdicts (at);
