package gateway

import "context"

// isProven notes that whoever calls showed a credential of the caller, or proved the capability that stands in for one.
func isProven(ctx context.Context) {
	if e := entryOf(ctx); e != nil {
		e.mu.Lock()
		e.proven = true
		e.mu.Unlock()
	}
}

// provenBy reports whether a refusal is the doing of the caller that it names. A capability is public: before it is proven, whoever got hold of a
// copy can be refused in its holder's name. What came by no door is a caller's who was proven before.
func provenBy(ctx context.Context, r *Refusal) bool {
	if r.unproven || r.Rule == RuleIdentity || r.Rule == RuleHop {
		return false
	}
	e := entryOf(ctx)
	if e == nil {
		return true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.proven
}
