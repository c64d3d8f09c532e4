-- Negotiations with other domains, and what came of them. A row stays until what was offered last has expired, so that nothing of
-- it can be played again.
CREATE TABLE offer_contracts (
    negotiation TEXT PRIMARY KEY,
    peer TEXT NOT NULL,
    state TEXT NOT NULL,        -- offered, waiting, accepting, agreed, ended
    signed BLOB NOT NULL,       -- what was offered last, or agreed: a JWS in JSON serialisation
    note TEXT NOT NULL,         -- what is to be sent to the peer yet: offer, accept, end; "" nothing
    expires BIGINT NOT NULL,
    changed BIGINT NOT NULL
);
