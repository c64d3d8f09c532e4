-- A tree of hashes in files takes the place of the chain. See docs/spec/log.md.
ALTER TABLE audit_entries RENAME COLUMN hash TO proof; -- that we wrote the row; of a row of the chain: its hash there

ALTER TABLE audit_head DROP COLUMN hash;
ALTER TABLE audit_head ADD COLUMN tree TEXT NOT NULL DEFAULT '';       -- that the last row belongs to
ALTER TABLE audit_head ADD COLUMN tree_first BIGINT NOT NULL DEFAULT 0; -- row of that tree
ALTER TABLE audit_head ADD COLUMN chained BIGINT NOT NULL DEFAULT 0;   -- rows of the chain that are not in a tree yet
ALTER TABLE audit_head ADD COLUMN pruned BIGINT NOT NULL DEFAULT 0;    -- rows up to here have their event in the tree alone
UPDATE audit_head SET chained = size;

ALTER TABLE audit_checkpoints RENAME TO audit_chained; -- goes with the last row of the chain

CREATE TABLE audit_trees (
    name       TEXT PRIMARY KEY NOT NULL, -- of the period
    tree_first BIGINT NOT NULL,
    began      BIGINT NOT NULL            -- nanoseconds since 1970
);
CREATE UNIQUE INDEX audit_trees_first ON audit_trees (tree_first);
