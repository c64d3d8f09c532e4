-- Streams of datasets, and what their steps released. See docs/spec/dp-streams.md. Sealed columns hold released sums: noise is in them already.
CREATE TABLE dataset_streams (
    stream     TEXT PRIMARY KEY NOT NULL, -- dataset/name
    definition BLOB NOT NULL,             -- SHA-256 of what was declared: another definition is another stream
    params     TEXT NOT NULL,             -- JSON of the parameters of its running sums, public
    step       BIGINT NOT NULL            -- the last one that was released; 0: none
);

CREATE TABLE dataset_stream_steps (
    stream TEXT NOT NULL,
    step   BIGINT NOT NULL,
    shown  BIGINT NOT NULL,               -- milliseconds since 1970: from when on it is told
    sealed BLOB NOT NULL,                 -- released sums since the first step
    PRIMARY KEY (stream, step)
);
