package policy

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

func TestQuestionsNeedAPermitForTheirTechnique(t *testing.T) {
	s := loadOpen(t, `
		@id("lab-asks") @reason("agreed")
		permit (principal in Role::"researcher", action == Action::"aggregate", resource == Dataset::"patients") when { context.purpose in Purpose::"research" };
		@id("not-low")
		forbid (principal, action in [Action::"aggregate", Action::"train"], resource == Dataset::"visits");
		permit (principal, action == Action::"aggregate", resource == Dataset::"visits");
		permit (principal, action in Action::"upto_raw", resource);`)
	for name, c := range map[string]struct {
		dataset, technique string
		to                 func(*Query)
		want               bool
		why                string
	}{
		"as agreed":                      {"patients", "aggregate", nil, true, "agreed"},
		"another technique":              {"patients", "train", nil, false, "no policy permits"},
		"another dataset":                {"trial", "aggregate", nil, false, "no policy permits"},
		"a dataset that nobody knows":    {"elsewhere", "aggregate", nil, false, "no policy permits"},
		"forbidden":                      {"visits", "aggregate", nil, false, "not-low"},
		"another purpose":                {"patients", "aggregate", func(q *Query) { q.Flow.Purpose = "billing" }, false, "no policy permits"},
		"what is no technique":           {"patients", "extract", nil, false, "no such technique"},
		"somebody else is the recipient": {"patients", "aggregate", func(q *Query) { q.Flow.To = flow.Party{Agent: "nobody", Domain: "lab"} }, false, "no policy permits"},
	} {
		q := toLab(flow.Routine)
		if c.to != nil {
			c.to(&q)
		}
		got, by, why := s.MayAsk(q, c.dataset, c.technique)
		if got != c.want || !strings.Contains(why, c.why) || got && len(by) != 1 {
			t.Errorf("%s: MayAsk() = %t, %v, %q, want %t because %q", name, got, by, why, c.want, c.why)
		}
	}
}
