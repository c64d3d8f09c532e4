package vault

import "github.com/scrimhq/scrim/flow"

// Supplier returns who supplied a value that the task remembers, and whether it remembers it at all.
func (t *Task) Supplier(value flow.Secret) (flow.AgentID, bool) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	for key, k := range t.s.known {
		if value.Equal(key.Text) {
			return k.supplier, true
		}
	}
	return "", false
}
