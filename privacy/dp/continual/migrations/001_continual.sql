-- Streams of running sums. See docs/spec/dp-continual.md. Sealed columns hold true sums and noise, which is as secret as they are.
CREATE TABLE continual_streams (
    stream   TEXT PRIMARY KEY NOT NULL,
    instance BLOB NOT NULL,             -- random: tells a stream from another one that had the same name
    params   TEXT NOT NULL,             -- JSON of Params, public
    epochs   BIGINT NOT NULL,           -- how many are paid for
    step     BIGINT NOT NULL,           -- the last one; 0: none
    head     BLOB NOT NULL              -- sealed: where the stream stands after that step; empty: nowhere
);

CREATE TABLE continual_steps (
    stream TEXT NOT NULL,
    step   BIGINT NOT NULL,
    sealed BLOB NOT NULL,               -- what later steps and windows need of this one
    PRIMARY KEY (stream, step)
);
