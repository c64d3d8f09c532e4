-- Answers that were released, to be given again. They are only ever added at the end; the gateway knows by heart where each is.
CREATE TABLE gateway_answers (
    seq BIGINT PRIMARY KEY,
    id BLOB NOT NULL,           -- keyed digest of caller, agent and the caller's own id
    digest BLOB NOT NULL,       -- keyed digest of the request
    pins BLOB NOT NULL,
    sealed BLOB NOT NULL,
    expires BIGINT NOT NULL
);

-- Which task of ours a protocol's own task or context id belongs to; ids are keyed digests.
CREATE TABLE gateway_tasks (
    alias BLOB PRIMARY KEY,
    task TEXT NOT NULL,
    expires BIGINT NOT NULL
);
