-- Where callers want to be told what becomes of their tasks. Address and credentials are sealed.
CREATE TABLE gateway_pushes (
    id BLOB PRIMARY KEY,        -- keyed digest of the address that the agent was given
    owner BLOB NOT NULL,        -- keyed digest of the caller
    name BLOB,                  -- keyed digest of caller, agent, and the ids by which the caller knows it; absent until they are known
    sealed BLOB NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX gateway_pushes_owner ON gateway_pushes (owner);
CREATE INDEX gateway_pushes_name ON gateway_pushes (name);

-- Notifications that were released and are on their way.
CREATE TABLE gateway_notifications (
    seq BIGINT PRIMARY KEY,
    push BLOB NOT NULL,
    sealed BLOB NOT NULL,
    tries BIGINT NOT NULL,
    due BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
