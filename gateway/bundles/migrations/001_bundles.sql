-- Every version of the bundles that the domain published.
CREATE TABLE bundles_published (
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    bundle TEXT NOT NULL,       -- as it was signed first; it is signed anew when it is served
    PRIMARY KEY (name, version)
);
-- The newest version of each bundle of others that was taken. One that is subscribed to no longer stays, so that nobody can set it back.
CREATE TABLE bundles_taken (
    domain TEXT NOT NULL,
    name TEXT NOT NULL,
    bundle TEXT NOT NULL,
    seen BIGINT NOT NULL,       -- when its domain was last heard of it, in seconds since 1970
    PRIMARY KEY (domain, name)
);
