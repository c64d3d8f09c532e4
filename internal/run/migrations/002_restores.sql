-- Restores from backups, and what became of the time that was lost. See docs/spec/backup.md.
CREATE TABLE run_restores (
    id       BIGINT PRIMARY KEY,
    archive  TEXT NOT NULL,   -- id of the backup
    restored BIGINT NOT NULL, -- seconds since 1970, as are all times here
    made     BIGINT NOT NULL, -- when the backup was
    entries  BIGINT NOT NULL, -- of the journal in the backup
    upto     BIGINT NOT NULL, -- entries after a newer log was taken up
    people   BIGINT NOT NULL, -- entries of the journal when the subject keys were copied; -1: none were put back
    reason   TEXT NOT NULL,   -- of whoever answers for what was lost; empty: nobody does
    state    BIGINT NOT NULL, -- 0 the gateway has not looked yet, 1 what was lost is accounted for, 2 that is on record
    anew     BIGINT NOT NULL, -- the log began a tree anew at this time; 0: it goes on
    told     TEXT NOT NULL    -- what is put on record
);
