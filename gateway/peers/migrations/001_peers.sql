-- Domains that were pinned, and the newest document of each that was believed.
CREATE TABLE peers (
    domain TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    pinned BIGINT NOT NULL,     -- 1: by command; 0: by configuration, or no longer, and kept so that it cannot be set back
    document TEXT NOT NULL,     -- "" until one was believed
    fetched BIGINT NOT NULL     -- when it was, in seconds since 1970
);
-- The domain's own document, so that its version only grows.
CREATE TABLE peers_own (
    id BIGINT PRIMARY KEY,
    version BIGINT NOT NULL,
    document TEXT NOT NULL
);
