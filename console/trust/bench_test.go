package trust_test

import (
	"cmp"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// BenchmarkPagesOfALongLog measures pages with SCRIM_BENCH_ROWS entries on record; 20,000 without it.
func BenchmarkPagesOfALongLog(b *testing.B) {
	rows, err := strconv.Atoi(cmp.Or(os.Getenv("SCRIM_BENCH_ROWS"), "20000"))
	must(b, err)
	h := open(b)
	ev := flow.Event{Time: time.Now(), Outcome: flow.Released, PolicyHash: fmt.Sprintf("%064d", 1), ConfigHash: fmt.Sprintf("%064d", 2), Flow: flow.Flow{
		From: flow.Party{Agent: "intake", Domain: own}, To: flow.Party{Agent: "claims", Domain: "insurer.example"}, Purpose: "billing", Protocol: "a2a/1.0", Method: "SendMessage"},
		Levels: []flow.LevelCount{{Label: "person/contact/email", Level: flow.Masked, Count: 2}}}
	for at := 0; at < rows; at += 1000 {
		must(b, h.db.Update(b.Context(), func(tx store.Tx) error {
			for i := at; i < min(at+1000, rows); i++ {
				ev.Flow.ID = flow.ID(fmt.Sprintf("flow-%d", i))
				if _, err := h.log.Append(tx, ev, audit.Private{}); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	_, err = h.log.Checkpoint(b.Context())
	must(b, err)
	half := fmt.Sprint(rows / 2)
	for name, at := range map[string]string{
		"log": "/log", "newest": "/log/rows", "middle": "/log/rows?before=" + half, "filter that fits nothing": "/log/rows?method=console/", "who": "/log/rows?who=claims",
		"flow": "/log/rows?flow=flow-" + half, "entry": "/log/rows/" + half,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h.get(b, at)
			}
		})
	}
}
