-- How far the journal was followed, and what agents were given. See docs/spec/lineage.md. Nothing here is a value.
CREATE TABLE trace_state (
    id      BIGINT PRIMARY KEY,     -- always 1
    seq     BIGINT NOT NULL,        -- entries up to here are in the graph
    skipped BIGINT NOT NULL         -- of them, how many could not be followed
);

-- Which columns an agent was given, by label, so that what it sends is known to be made of them perhaps.
CREATE TABLE trace_held (
    agent     TEXT NOT NULL,
    domain    TEXT NOT NULL,
    label     TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    field     TEXT NOT NULL,
    seq       BIGINT NOT NULL,      -- entry that gave it first
    PRIMARY KEY (agent, domain, label, namespace, name, field)
);

-- Where events go, and how far.
CREATE TABLE trace_sinks (
    name    TEXT PRIMARY KEY NOT NULL,
    seq     BIGINT NOT NULL,        -- entries up to here were sent
    place   BIGINT NOT NULL,        -- of a file: its length then
    refused BIGINT NOT NULL         -- events that the receiver did not take
);
