package revocations

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
)

// How long what is revoked stays so, where nobody says: as long as the longest life that a token may have, and a day; and a year for
// keys and tasks, which outlive tokens.
const (
	TokenLife = 91 * 24 * time.Hour
	OtherLife = 366 * 24 * time.Hour
)

// Until is when the time of a revocation is over that begins now and says nothing about it.
func Until(k ledger.Kind, now time.Time) time.Time {
	if k == ledger.OfToken {
		return now.Add(TokenLife)
	}
	return now.Add(OtherLife)
}

// Revoked tells of a revocation.
type Revoked struct {
	Version   int64   `json:"version"`   // of the own list
	Reference flow.ID `json:"reference"` // of the row in the journal
}

// Revoke puts denials on the domain's list. When it returns they are on record and in force here; a running [Exchange] sends them to peers
// at once. The record names what was revoked as the list does: by kind and digest.
func Revoke(ctx context.Context, led *ledger.Ledger, journal Journal, domain flow.DomainID, id flow.ID, denials []ledger.Denial) (Revoked, error) {
	party := flow.Party{Domain: domain}
	ev := flow.Event{
		Time: time.Now(), Outcome: flow.Changed, Flow: flow.Flow{ID: id, From: party, To: party, Protocol: "admin", Method: "cap/revoke"},
	}
	version, err := led.Revoke(ctx, denials, func(tx store.Tx, version int64) error {
		ev.Reason = fmt.Sprintf("revoked: %s; version %d of the list", named(denials), version)
		_, err := journal.Append(tx, ev, audit.Private{})
		return err
	})
	if err != nil {
		return Revoked{}, err
	}
	return Revoked{Version: version, Reference: id}, nil
}

// named lists denials as the journal has them.
func named(all []ledger.Denial) string {
	const most = 8
	var out []string
	for i, d := range all {
		if i == most {
			out = append(out, fmt.Sprintf("and %d more", len(all)-most))
			break
		}
		out = append(out, d.Kind.String()+" "+d.Digest())
	}
	return strings.Join(out, ", ")
}
