CREATE TABLE gateway_answers (
    id BLOB PRIMARY KEY,
    digest BLOB NOT NULL,
    pins BLOB NOT NULL,
    sealed BLOB NOT NULL,
    size BIGINT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX gateway_answers_expires ON gateway_answers (expires);
CREATE TABLE gateway_tasks (
    alias BLOB PRIMARY KEY,
    task TEXT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX gateway_tasks_expires ON gateway_tasks (expires);
