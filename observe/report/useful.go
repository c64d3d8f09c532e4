package report

import (
	"context"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/usefulness"
	"github.com/scrimhq/scrim/store"
)

// Usefulness is what recipients said of one label that was shown at one level under the same policies.
type Usefulness struct {
	Label      flow.Label                   `json:"label"`
	Level      flow.Level                   `json:"level"`
	Param      flow.Param                   `json:"param,omitempty"`
	Policies   string                       `json:"policies,omitempty"`
	Verdicts   map[usefulness.Verdict]int64 `json:"verdicts"`
	Recipients int64                        `json:"recipients"` // agents that said something: one alone tells little
	Domains    int64                        `json:"domains"`
}

// UsefulnessOf tells what recipients said since a time, by what it is about. Verdicts about values that there were not are left out.
func UsefulnessOf(ctx context.Context, db store.DB, since time.Time) (all []Usefulness, err error) {
	const of = "FROM usefulness_verdicts WHERE at >= ? AND label <> ''"
	all = []Usefulness{}
	err = db.View(ctx, func(tx store.Tx) error {
		rows, err := tx.Query("SELECT label, level, param, policies, COUNT(DISTINCT domain || ' ' || agent), COUNT(DISTINCT domain) "+of+" GROUP BY label, level, param, policies ORDER BY label, level DESC, param, policies", since.UnixMilli())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			u := Usefulness{Verdicts: map[usefulness.Verdict]int64{}}
			if err := rows.Scan(&u.Label, &u.Level, &u.Param, &u.Policies, &u.Recipients, &u.Domains); err != nil {
				return err
			}
			all = append(all, u)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		return count(tx, of, since, all)
	})
	if err != nil {
		return nil, fmt.Errorf("reading verdicts: %w", err)
	}
	return all, nil
}

// count fills in how often each verdict was given.
func count(tx store.Tx, of string, since time.Time, all []Usefulness) error {
	type key struct {
		label    flow.Label
		level    flow.Level
		param    flow.Param
		policies string
	}
	at := map[key]int{}
	for i, u := range all {
		at[key{u.Label, u.Level, u.Param, u.Policies}] = i
	}
	rows, err := tx.Query("SELECT label, level, param, policies, verdict, COUNT(*) "+of+" GROUP BY label, level, param, policies, verdict", since.UnixMilli())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var k key
		var v usefulness.Verdict
		var n int64
		if err := rows.Scan(&k.label, &k.level, &k.param, &k.policies, &v, &n); err != nil {
			return err
		}
		if i, ok := at[k]; ok {
			all[i].Verdicts[v] = n
		}
	}
	return rows.Err()
}
