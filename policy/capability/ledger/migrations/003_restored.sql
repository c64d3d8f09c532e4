-- Capabilities issued by then are not taken: what they had used, and whether they were revoked, was lost with the state of that time. Seconds since 1970; 0: none.
ALTER TABLE ledger_state ADD COLUMN horizon BIGINT NOT NULL DEFAULT 0;
