-- Policies and what they name, by their hash, so that decisions of an earlier time can be made again. See docs/spec/impact.md.
CREATE TABLE impact_rules (
    hash TEXT PRIMARY KEY NOT NULL,
    used BIGINT NOT NULL,       -- when they came into force last, in milliseconds since 1970
    kept BLOB NOT NULL          -- JSON of policy.Kept, compressed with gzip
);
CREATE INDEX impact_rules_used ON impact_rules (used);
