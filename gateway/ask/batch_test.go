package ask_test

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Several questions are priced together by the real language, cost less than one by one at the same exactness, and offer what fits.
func TestSeveralQuestionsArePricedTogether(t *testing.T) {
	t.Parallel()
	d := stays(false).Query
	d.Tables[0].Columns[1].Values = []relation.Value{{Kind: relation.Text, Text: "icu"}, {Kind: relation.Text, Text: "er"}}
	costs := gateway.Costs{Delta: 1_000_000_000, Selection: 1_000_000_000}
	q := query.Question{Dataset: "stays", Epsilon: 1_000_000_000, Queries: []query.Query{{SQL: "SELECT ward, COUNT(*) FROM stays GROUP BY ward"}, {SQL: "SELECT COUNT(*) FROM stays", Weight: 3}}}
	p, err := ask.SQL{}.Price(d, q, costs)
	if err != nil {
		t.Fatal(err)
	}
	if c := p.Cost(); c.Epsilon <= 0 || c.Epsilon > 1_000_000_000 || c.Mu2 <= 0 || p.Pilot() || len(p.Canonical()) == 0 {
		t.Errorf("the cost is %+v", c)
	}
	offers := p.Offers(func(cost account.Vector) int64 { return 1 - cost.Epsilon/500_000_001 })
	if len(offers) != 1 || offers[0].More < 1 {
		t.Errorf("offered is %+v", offers)
	}
	q.Queries[1].SQL = "SELECT COUNT(*) FROM stays WHERE ward = 'icu'"
	if _, err := (ask.SQL{}).Price(d, q, costs); err == nil || !strings.Contains(err.Error(), "shape") {
		t.Errorf("questions about other rows: %v", err)
	}
}
