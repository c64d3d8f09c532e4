-- What was brought to a halt, by whom and why, and when it was let go on. See docs/spec/incidents.md.
CREATE TABLE freeze_entries (
    id     BIGINT PRIMARY KEY,  -- from 1, in the order in which they began
    kind   TEXT NOT NULL,       -- agent, domain, dataset
    name   TEXT NOT NULL,
    domain TEXT NOT NULL,       -- of an agent; "" any
    since  BIGINT NOT NULL,     -- milliseconds since 1970
    source TEXT NOT NULL,       -- operator, alarm
    reason TEXT NOT NULL,
    until  BIGINT NOT NULL,     -- when it was let go on; 0: it is frozen
    thawed TEXT NOT NULL        -- why
);
