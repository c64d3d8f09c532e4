package policy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/flow"
)

// population is the one that figures are told of: 200 agents, 20 roles, 200 fields, 50 classes, 12 purposes, 10 % forbids.
func population(tb testing.TB, policies, cacheSize int) (*Set, []Query, []flow.Leaf) {
	tb.Helper()
	return populationAnd(tb, policies, cacheSize, "")
}

// populationAnd has further policies.
func populationAnd(tb testing.TB, policies, cacheSize int, more string) (*Set, []Query, []flow.Leaf) {
	tb.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	e := Entities{Purposes: map[flow.Purpose][]flow.Purpose{}, RoleParents: map[flow.Role][]flow.Role{}}
	var classes []flow.Label
	for _, c := range flow.DefaultTaxonomy().All() {
		if strings.Contains(string(c.Label), "/") && len(classes) < 50 {
			classes = append(classes, c.Label)
		}
	}
	for i := range 20 {
		e.RoleParents[flow.Role(fmt.Sprintf("r%d", i))] = nil
	}
	for i := range 12 {
		e.Purposes[flow.Purpose(fmt.Sprintf("p%d", i))] = nil
		if i >= 4 {
			e.Purposes[flow.Purpose(fmt.Sprintf("p%d", i))] = []flow.Purpose{flow.Purpose(fmt.Sprintf("p%d", i%4))}
		}
	}
	for i := range 200 {
		e.Agents = append(e.Agents, flow.Party{
			Agent: flow.AgentID(fmt.Sprintf("a%d", i)), Domain: flow.DomainID(fmt.Sprintf("d%d", i%5)), Attested: i%2 == 0,
			Roles: []flow.Role{flow.Role(fmt.Sprintf("r%d", i%20)), flow.Role(fmt.Sprintf("r%d", (i*7+3)%20))},
		})
		e.Fields = append(e.Fields, Field{Name: fmt.Sprintf("t%d/c%d", i/20, i), Dataset: fmt.Sprintf("t%d", i/20), Label: classes[i%50]})
	}
	var b strings.Builder
	levels := []string{"raw", "tokenized", "generalized", "masked"}
	for i := range policies {
		effect, chain := "permit", "upto_"
		if i%10 == 0 {
			effect, chain = "forbid", "atleast_"
		}
		fmt.Fprintf(&b, `@id("P%d") @reason("rule %d") %s (principal in Role::"r%d", action in Action::"%s%s", resource in DataClass::%q)
when { context.purpose in Purpose::"p%d" && context.capabilities.contains("cap%d") && principal.attested } unless { context.hop > 3 && !context.consent };
`, i, i, effect, r.IntN(20), chain, levels[r.IntN(4)], classes[r.IntN(50)], r.IntN(12), r.IntN(3))
	}
	s, err := Load(fstest.MapFS{"population.cedar": {Data: []byte(b.String() + more)}}, Options{Entities: e, CacheSize: cacheSize})
	if err != nil {
		tb.Fatal(err)
	}
	var queries []Query
	var leaves []flow.Leaf
	for range 512 {
		queries = append(queries, Query{
			Flow: flow.Flow{
				From: e.Agents[r.IntN(200)], To: e.Agents[r.IntN(200)], Purpose: flow.Purpose(fmt.Sprintf("p%d", r.IntN(12))), Hop: r.IntN(5),
				Task: flow.Task{Criticality: flow.Criticality(r.IntN(3))}, Protocol: "a2a/1.0",
			},
			Consent: r.IntN(2) == 0, Capabilities: []string{"cap0", "cap1"},
		})
		f := e.Fields[r.IntN(200)]
		leaves = append(leaves, flow.Leaf{Label: f.Label, Field: f.Name, Origin: flow.Catalogued})
	}
	return s, queries, leaves
}

// BenchmarkLadder decides one leaf of one flow: the whole ladder, uncached.
func BenchmarkLadder(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprintf("policies=%d", n), func(b *testing.B) {
			s, queries, leaves := population(b, n, -1)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := s.Decide(queries[i%512], leaves[i%512:i%512+1]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLadderCached decides the same leaves when every decision is in the cache.
func BenchmarkLadderCached(b *testing.B) {
	s, queries, leaves := population(b, 1000, 0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Decide(queries[i%512], leaves[i%512:i%512+1]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMessage decides a message of 20 leaves, uncached.
func BenchmarkMessage(b *testing.B) {
	s, queries, leaves := population(b, 1000, -1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Decide(queries[i%512], leaves[i%492:i%492+20]); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad parses, lints and validates 1,000 policies.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		population(b, 1000, -1)
	}
}
