-- Hop statements that were taken in, so that none is taken in again.
CREATE TABLE gateway_hops_seen (
    id BLOB PRIMARY KEY,        -- digest of issuer and jti
    expires BIGINT NOT NULL
);

-- What an agent's further calls of one trace continue: under which limits it was called. Trace and agent are those of the journal.
CREATE TABLE gateway_hops (
    trace TEXT NOT NULL,
    agent TEXT NOT NULL,
    sealed BLOB NOT NULL,
    expires BIGINT NOT NULL,
    PRIMARY KEY (trace, agent)
);
