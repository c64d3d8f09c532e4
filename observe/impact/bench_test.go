package impact_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy"
)

// BenchmarkCompare decides recorded decisions again under two sides. SCRIM_DECISIONS says how many there are; the goal is a million in 60 s on 2 cores.
// They are of 200 agents with 20 roles and five tools each, 12 purposes and a task for every eight, by 300 policies, of 4 to 36 leaves each; one in
// forty is a table of a thousand. With SCRIM_SCATTERED any agent calls any tool for any purpose, so that hardly two are alike.
func BenchmarkCompare(b *testing.B) {
	n := 20_000
	if s := os.Getenv("SCRIM_DECISIONS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			b.Fatal(err)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var agents []flow.Party
	for i := range 200 {
		agents = append(agents, flow.Party{Agent: flow.AgentID(fmt.Sprintf("agent%d", i)), Domain: flow.DomainID(fmt.Sprintf("d%d", i%9)), Roles: []flow.Role{flow.Role(fmt.Sprintf("role%d", i%20))}})
	}
	purposes := map[flow.Purpose][]flow.Purpose{}
	for i := range 12 {
		purposes[flow.Purpose(fmt.Sprintf("p%d", i))] = nil
	}
	labels := []flow.Label{"person/name", "person/contact/email", "person/birth-date", "health/visit-date", "health/diagnosis", "finance/iban", "finance/amount", "text/free", "time/event", "location/city"}
	var fields []policy.Field
	for i := range 200 {
		fields = append(fields, policy.Field{Name: fmt.Sprintf("t%d/c%d", i%20, i), Dataset: fmt.Sprintf("t%d", i%20), Label: labels[i%len(labels)]})
	}
	entities := func(e *policy.Entities) {
		e.Agents, e.Purposes, e.Fields, e.RoleParents = agents, purposes, fields, nil
	}
	var policies []string
	for i := range 300 {
		effect, chain := "permit", "upto_"
		if i%10 == 9 {
			effect, chain = "forbid", "atleast_"
		}
		policies = append(policies, fmt.Sprintf("@id(\"p%d\") %s (principal in Role::\"role%d\", action in Action::%q, resource in DataClass::%q) when { context.purpose == Purpose::\"p%d\" };\n",
			i, effect, i%20, chain+[]string{"raw", "masked", "tokenized", "generalized"}[i%4], labels[rng.IntN(len(labels))], i%12))
	}
	old := set(b, entities, strings.Join(policies, ""))
	next := set(b, entities, strings.Join(policies[:280], ""))
	j := openJournal(b)
	var rows []written
	type tool struct {
		name    string
		from    flow.Party
		fields  []policy.Field
		purpose flow.Purpose
	}
	var tools []tool
	for i := range 100 {
		base, kinds := rng.IntN(180), 4+rng.IntN(9)
		tools = append(tools, tool{fmt.Sprintf("tool%d", i), agents[rng.IntN(len(agents))], fields[base : base+kinds], flow.Purpose(fmt.Sprintf("p%d", rng.IntN(12)))})
	}
	for i := range n {
		to := rng.IntN(len(agents))
		tl := &tools[(to*7+rng.IntN(5))%len(tools)] // an agent has its five tools
		if os.Getenv("SCRIM_SCATTERED") != "" {
			tl = &tools[rng.IntN(len(tools))]
			tl.purpose = flow.Purpose(fmt.Sprintf("p%d", rng.IntN(12)))
		}
		criticality := flow.Routine
		if rng.IntN(10) == 0 {
			criticality = flow.Critical
		}
		q := policy.Query{Flow: flow.Flow{
			From: tl.from, To: agents[to], Purpose: tl.purpose, Task: flow.Task{ID: flow.TaskID(fmt.Sprintf("task-%d", i/8)), Criticality: criticality},
			Protocol: "mcp/2025-11-25", Method: "tools/call", Subject: tl.name, Direction: flow.Response, Trace: flow.TraceID(fmt.Sprintf("%032x", rng.Uint64())), Parent: "018f2b7e-4d4e-7a10-9d3c-aaaaaaaaaaaa",
		}}
		kinds := len(tl.fields)
		count := kinds * (1 + rng.IntN(3))
		if i%40 == 0 {
			count = 1000
		}
		leaves := make([]flow.Leaf, count)
		for k := range leaves {
			f := tl.fields[k%kinds]
			leaves[k] = flow.Leaf{Path: flow.Path(fmt.Sprintf("/result/structuredContent/rows/%d/%s", k/kinds, f.Name)), Label: f.Label, Field: f.Name, Origin: flow.Catalogued, Subject: flow.SubjectRef{byte(k / kinds), byte(k / kinds >> 8), 1}}
		}
		rows = append(rows, j.decision(old, q, leaves, nil))
		if len(rows) == 2000 || i == n-1 {
			j.write(rows...)
			rows = rows[:0]
		}
	}
	runtime.GC()
	var most uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	before, runs := processorTime(b), 0
	for b.Loop() {
		runs++
		out, err := impact.Compare(b.Context(), j.source(), side(old.Apart(0)), side(next.Apart(0)), impact.Options{Workers: 2})
		if err != nil {
			b.Fatal(err)
		}
		if out.Decided != int64(n) || out.Flows.Close == 0 {
			b.Fatalf("decided %d of %d, flows %+v, not %v", out.Decided, n, out.Flows, out.Not)
		}
	}
	used := processorTime(b) - before
	close(done)
	<-ended
	b.ReportMetric(float64(used.Microseconds())/float64(runs)/float64(n), "cpu-µs/decision")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/decision")
	b.ReportMetric(float64(most)/(1<<20), "MiB-heap")
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
