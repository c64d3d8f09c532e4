package exposure_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/store"
)

// BenchmarkLook is what the memory adds to a message about one subject, without the transaction: look-up, digests and rules. "again" shows
// what is held, "new" completes a combination, so that a piece is made coarser.
func BenchmarkLook(b *testing.B) {
	for _, name := range []string{"again", "new"} {
		b.Run(name, func(b *testing.B) {
			h := open(b, &exposure.Settings{Daily: 1 << 30})
			all := []piece{born("1"), sex("1"), postal("1")}
			if name == "again" {
				h.send(to("a"), all...)
			} else {
				h.send(to("a"), postal("1"))
			}
			for b.Loop() {
				m, err := h.begin(to("a"), all...)
				if err != nil {
					b.Fatal(err)
				}
				m.batch.Discard()
			}
		})
	}
}

// BenchmarkNewTask is the look-up of a message of a new task that says something about somebody unknown, as most answers are.
func BenchmarkNewTask(b *testing.B) {
	h := open(b, &exposure.Settings{Daily: 1 << 30})
	h.send(to("a"), born("1"))
	round := 0
	for b.Loop() {
		round++
		m, err := h.begin(exposure.To{Domain: "insurer", Agent: "a", Task: flow.TaskID(fmt.Sprint(round))}, born(""))
		if err != nil {
			b.Fatal(err)
		}
		m.batch.Discard()
	}
}

// BenchmarkHundredSubjects is a table of a hundred people of whom everything is new, looked at and written.
func BenchmarkHundredSubjects(b *testing.B) {
	h := open(b, &exposure.Settings{Daily: 1 << 30})
	round := 0
	for b.Loop() {
		var all []piece
		for i := range 100 {
			id := fmt.Sprint(round, "-", i)
			all = append(all, born(id), sex(id), postal(id))
		}
		round++
		m, err := h.begin(to("a"), all...)
		if err != nil {
			b.Fatal(err)
		}
		err = h.db.Update(context.Background(), func(tx store.Tx) error {
			if err := m.batch.Flush(tx); err != nil {
				return err
			}
			return m.look.Commit(tx)
		})
		if err != nil {
			b.Fatal(err)
		}
		m.batch.Keep()
		m.look.Keep()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/100, "µs/subject")
}
