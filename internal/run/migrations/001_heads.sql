-- The newest end of each chain of a shared ledger of budgets that this gateway knows to be durable. See docs/spec/budget-ledger.md.
CREATE TABLE run_budget_heads (
    chain BIGINT PRIMARY KEY,
    seq   BIGINT NOT NULL,
    hash  BLOB NOT NULL
);
