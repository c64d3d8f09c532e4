package report

import (
	"context"

	"github.com/scrimhq/scrim/evidence/audit"
)

// seen is what an entry showed of one person.
type seen struct {
	seq int64
}

func (d *draft) look(context.Context, *audit.Entry, []audit.Subject) error { return nil }
