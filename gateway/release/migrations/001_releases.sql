-- Releases of tables: what was decided for a destination, and how far it came.
CREATE TABLE releases (
    flow TEXT PRIMARY KEY,
    target BLOB NOT NULL,       -- digest of the destination's name
    plan TEXT NOT NULL,         -- hash
    state TEXT NOT NULL,        -- opened, closed, published or failed
    sealed BLOB                 -- fingerprint of the source and the random bytes of its commitment
);
CREATE INDEX releases_target ON releases (target);
