package policy

import (
	"fmt"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

// TestTheCacheTellsApart asks twice with one thing changed between, where a policy or the tier looks at that thing.
func TestTheCacheTellsApart(t *testing.T) {
	when := func(cond string) string {
		return `permit (principal, action in Action::"upto_raw", resource) when { ` + cond + ` };`
	}
	for name, c := range map[string]struct {
		policies string
		change   func(q *Query, leaf *flow.Leaf)
	}{
		"approval":      {when("true"), func(q *Query, _ *flow.Leaf) { q.Approved = true }},
		"attestation":   {when("true"), func(q *Query, _ *flow.Leaf) { q.Flow.To.Attested = true }},
		"criticality":   {when("true"), func(q *Query, _ *flow.Leaf) { q.Flow.Task.Criticality = flow.Low }},
		"consent":       {when("context.consent"), func(q *Query, _ *flow.Leaf) { q.Consent = true }},
		"approved":      {when("context.approved"), func(q *Query, _ *flow.Leaf) { q.Approved = true }},
		"attested":      {when("context.attested"), func(q *Query, _ *flow.Leaf) { q.Flow.To.Attested = true }},
		"purpose":       {when(`context.purpose == Purpose::"research"`), func(q *Query, _ *flow.Leaf) { q.Flow.Purpose = "research" }},
		"task":          {when(`context.task == Task::"t9"`), func(q *Query, _ *flow.Leaf) { q.Flow.Task.ID = "t9" }},
		"hop":           {when("context.hop == 7"), func(q *Query, _ *flow.Leaf) { q.Flow.Hop = 7 }},
		"direction":     {when(`context.direction == "response"`), func(q *Query, _ *flow.Leaf) { q.Flow.Direction = flow.Response }},
		"protocol":      {when(`context.protocol == "mcp"`), func(q *Query, _ *flow.Leaf) { q.Flow.Protocol = "mcp" }},
		"skill":         {when(`context.skill == "sum"`), func(q *Query, _ *flow.Leaf) { q.Flow.Subject = "sum" }},
		"contract":      {when(`context.contract.contains("x")`), func(q *Query, _ *flow.Leaf) { q.Contracts = []string{"x"} }},
		"capabilities":  {when(`context.capabilities.contains("x")`), func(q *Query, _ *flow.Leaf) { q.Capabilities = []string{"x"} }},
		"same domain":   {when("context.same_domain"), func(q *Query, _ *flow.Leaf) { q.Flow.From.Domain = q.Flow.To.Domain }},
		"sender":        {when(`context.from == Agent::"study"`), func(q *Query, _ *flow.Leaf) { q.Flow.From.Agent = "study" }},
		"sender's role": {when(`context.from in Role::"doctor"`), func(q *Query, _ *flow.Leaf) { q.Flow.From.Roles = []flow.Role{"doctor"} }},
		"the whole":     {when(`context.from.attested`), func(q *Query, _ *flow.Leaf) { q.Flow.From.Attested = true }},
		"recipient":     {when(`principal == Agent::"study"`), func(q *Query, _ *flow.Leaf) { q.Flow.To.Agent = "study" }},
		"role":          {when(`principal in Role::"doctor"`), func(q *Query, _ *flow.Leaf) { q.Flow.To.Roles = []flow.Role{"doctor"} }},
		"domain":        {when(`principal in Domain::"lab"`), func(q *Query, _ *flow.Leaf) { q.Flow.To.Domain = "lab" }},
		"label":         {when(`resource in DataClass::"person"`), func(_ *Query, l *flow.Leaf) { l.Label = email }},
		"field":         {when(`resource is DataClass`), func(_ *Query, l *flow.Leaf) { l.Field = "patients/phone" }},
		"need":          {when("true"), func(_ *Query, l *flow.Leaf) { l.Need = &flow.Treatment{Level: flow.Masked} }},
	} {
		s := mustLoad(t, c.policies)
		q, leaf := toClaims(), flow.Leaf{Label: "government-id/ssn"}
		if name == "criticality" || name == "need" {
			leaf.Label = birth
		}
		before := decideOne(t, s, q, leaf)
		c.change(&q, &leaf)
		after := decideOne(t, s, q, leaf)
		if before.Treatment == after.Treatment {
			t.Errorf("%s: %s before and after it changed", name, after.Treatment)
		}
		if again := decideOne(t, s, q, leaf); fmt.Sprint(again) != fmt.Sprint(after) {
			t.Errorf("%s: %v at first and then %v", name, after, again)
		}
	}
}

func TestSetsServeManyAtOnce(t *testing.T) {
	s, queries, leaves := population(t, 200, 100)
	want := make([]string, len(queries))
	for i, q := range queries {
		want[i] = fmt.Sprint(decideOne(t, s, q, leaves[i]))
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range queries {
				i = (i*7 + g*31) % len(queries)
				terms, err := s.Decide(queries[i], leaves[i:i+1])
				if err != nil || fmt.Sprint(terms.Leaves[0]) != want[i] {
					t.Errorf("query %d: %v, error %v; want %s", i, terms.Leaves, err, want[i])
					return
				}
			}
		})
	}
	wg.Wait()
}
