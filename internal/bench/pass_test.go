package bench

import (
	"context"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// BenchmarkPass takes answers of 10 KiB with 20 findings down the road: found, decided and rewritten, with and without the
// record. Besides the time it reports the processor time, which a busy machine stretches less.
func BenchmarkPass(b *testing.B) {
	for _, c := range []struct {
		name, scenario string
		terms          terms
		unrecorded     bool
	}{
		{"structured", "load", masked, true}, {"structured-raw", "load", unmasked, true}, {"structured-tokens", "load", tokenized, true},
		{"text", "text", masked, true}, {"transparent", "load", transparent, true}, {"structured-recorded", "load", masked, false}, {"tokens-recorded", "load", tokenized, false},
	} {
		b.Run(c.name, func(b *testing.B) {
			p := newPayload(Options{Scenario: c.scenario, Protocol: "a2a", Request: 1024, Response: 10 << 10, Findings: 20})
			gw := openGateway(b, c.terms, c.unrecorded)
			snap := gw.Gateway.Snapshot()
			table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Response, false)
			agent := snap.Agents["stub"]
			schemas := snap.Catalog.Schemas(catalog.Data, "stub", "", flow.Response)
			before := cpuTime()
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				body := p.answer(n, []byte("10000001"))
				_, err := gw.Gateway.Pass(context.Background(), &gateway.Message{
					Snapshot: snap, Table: table, Body: body, Owner: "stub", Schemas: schemas,
					NoteIn: gateway.NotePlace{Under: "result/message", Names: []string{"metadata", "note"}},
					Query: policy.Query{Flow: flow.Flow{
						ID: gateway.NewFlowID(), Parent: "p", From: agent.Party, To: snap.Agents["caller"].Party, Purpose: "work", Protocol: "a2a/1.0", Method: "SendMessage",
						Direction: flow.Response, Task: flow.Task{ID: task(n, c.unrecorded), Criticality: flow.Critical},
					}},
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// task is a new one for each answer. Where nothing is recorded the memory of a task is never settled, so that there only a
// few take turns.
func task(n int, unrecorded bool) flow.TaskID {
	if unrecorded {
		return flow.TaskID(strconv.Itoa(n % variants))
	}
	return flow.TaskID(gateway.NewFlowID())
}

func openGateway(b *testing.B, t terms, unrecorded bool) *run.Gateway {
	b.Helper()
	dir := b.TempDir()
	if _, err := writeConfig(dir, "http://127.0.0.1:1", "a2a", t); err != nil {
		b.Fatal(err)
	}
	c, err := config.Load(filepath.Join(dir, "scrim.yaml"))
	if err != nil {
		b.Fatal(err)
	}
	gw, err := run.Open(context.Background(), c, run.Options{Unrecorded: unrecorded, Store: store.Options{NoSync: true}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := gw.Close(); err != nil {
			b.Error(err)
		}
	})
	return gw
}
