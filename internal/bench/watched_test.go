package bench

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
)

// BenchmarkPassWatched is [BenchmarkPass] of structured answers, on record and not, while the live page of the console is open, and while nobody looks. The
// goal is that looking costs a message two hundredths at most. It takes turns, so that a busy machine slows both down alike.
func BenchmarkPassWatched(b *testing.B) {
	for _, unrecorded := range []bool{true, false} {
		name := map[bool]string{true: "unrecorded", false: "recorded"}[unrecorded]
		b.Run(name, func(b *testing.B) {
			p := newPayload(Options{Scenario: "load", Protocol: "a2a", Request: 1024, Response: 10 << 10, Findings: 20})
			gw := openGateway(b, masked, unrecorded)
			snap := gw.Gateway.Snapshot()
			table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Response, false)
			agent := snap.Agents["stub"]
			schemas := snap.Catalog.Schemas(catalog.Data, "stub", "", flow.Response)
			n := 0
			pass := func() {
				n++
				_, err := gw.Gateway.Pass(context.Background(), &gateway.Message{
					Snapshot: snap, Table: table, Body: p.answer(n, []byte("10000001")), Owner: "stub", Schemas: schemas,
					NoteIn: gateway.NotePlace{Under: "result/message", Names: []string{"metadata", "note"}},
					Query: policy.Query{Flow: flow.Flow{
						ID: gateway.NewFlowID(), Parent: "p", From: agent.Party, To: snap.Agents["caller"].Party, Purpose: "work", Protocol: "a2a/1.0", Method: "SendMessage",
						Direction: flow.Response, Task: flow.Task{ID: task(n, unrecorded), Criticality: flow.Critical},
					}},
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			admin, err := gw.Admin()
			if err != nil {
				b.Fatal(err)
			}
			c := gw.Config()
			token, err := api.ReadToken(filepath.Clean(c.Path(c.Data)))
			if err != nil {
				b.Fatal(err)
			}
			s := httptest.NewServer(admin)
			defer s.Close()
			const turn = 2000    // a second or more, so that frames are sent
			var spent [2]float64 // processor time, unwatched and watched
			var passed [2]int
			for b.Loop() {
				for watched := range 2 {
					stop := func() {}
					if watched == 1 {
						stop = watch(b, s.URL, token.Expose())
					}
					before := cpuTime()
					for range turn {
						pass()
					}
					spent[watched] += float64(cpuTime() - before)
					passed[watched] += turn
					stop()
				}
			}
			alone, seen := spent[0]/float64(passed[0]), spent[1]/float64(passed[1])
			b.ReportMetric(alone, "cpu-ns/unwatched")
			b.ReportMetric(seen, "cpu-ns/watched")
			b.ReportMetric(100*(seen-alone)/alone, "%more")
		})
	}
}

// watch opens the stream of the live page and reads it until it is stopped.
func watch(b *testing.B, url, token string) (stop func()) {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/live/events?label=person", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		b.Fatalf("the stream of the live page = %s", res.Status)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body) // until it is stopped
	})
	return func() { cancel(); wg.Wait() }
}
