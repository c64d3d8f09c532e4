package budget

// Waiting is how many operations wait for the transaction that is under way.
func (l *Ledger) Waiting() int { return len(l.queue) }
