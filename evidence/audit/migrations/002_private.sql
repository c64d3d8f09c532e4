-- What an event commits to, and how those whom it is about find it again. See docs/spec/log.md.
ALTER TABLE audit_entries ADD COLUMN payload BLOB;
ALTER TABLE audit_entries ADD COLUMN subjects BLOB;

CREATE TABLE audit_about (
    subject BLOB NOT NULL,      -- flow.SubjectRef
    seq     BIGINT NOT NULL,
    sealed  BLOB NOT NULL,      -- under the subject's own key
    PRIMARY KEY (subject, seq)
) WITHOUT ROWID;
CREATE INDEX audit_about_seq ON audit_about (seq);
