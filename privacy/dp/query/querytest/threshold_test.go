package querytest_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/audit"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/privacy/dp/query/querytest"
)

const nano = 1_000_000_000

// sides are a database and it without its first unit, which has the most rows of all.
func sides(units int) (with, without querytest.Database) {
	rng := rand.New(rand.NewPCG(4, 4))
	with = querytest.Random(rng, clinic(), querytest.Options{Units: units})
	return with, with.Neighbours(rng, 1)[0]
}

func priced(t *testing.T, sql string, epsilon int64) *query.Priced {
	t.Helper()
	p, err := query.Compile(clinic(), query.Question{SQL: sql})
	if err != nil {
		t.Fatal(err)
	}
	pr, err := p.Price(query.Terms{Epsilon: epsilon, SelectionDelta: 1_000_000_000, Noise: query.LaplaceNoise})
	if err != nil {
		t.Fatal(err)
	}
	return pr
}

func threshold(t *testing.T, pr *query.Priced, with, without relation.Engine, column int, claim audit.Claim) audit.Finding {
	t.Helper()
	pair, err := querytest.Pair(t.Context(), pr, seed, with, without, column)
	if err != nil {
		t.Fatal(err)
	}
	f, err := audit.Threshold(t.Context(), pair, claim, audit.ThresholdOptions{Samples: rounds(2_500, 60_000), Alpha: 1e-7})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestWholeQuestionsKeepTheirEpsilon draws 2,500 answers with noise on each side, the heaviest unit being there or not. By alpha it
// cries wolf once in a million runs, all questions together.
func TestWholeQuestionsKeepTheirEpsilon(t *testing.T) {
	with, without := sides(8)
	weak := 0.1 * float64(rounds(0, 1)) // of 2,500 answers the audit sees 0.46 ± 0.10 of the groups, and so now and then hardly anything
	for _, tt := range []struct {
		sql    string
		column int
		least  float64 // what the audit sees at least of ε = 2: one that sees nothing shows nothing
	}{
		{"SELECT count(*) FROM stays", 0, 0.9},
		{"SELECT sum(age) FROM stays", 0, 0.7},
		{"SELECT avg(age), count(*) FROM stays", 1, 0},
		{"SELECT ward, count(*) FROM stays GROUP BY ward HAVING count(*) > -1000", 1, weak},
		{"SELECT diagnosis, count(*) FROM stays WHERE diagnosis = 'a' GROUP BY diagnosis", 1, 0},
		{"SELECT median(age) FROM stays", 0, 0},
		{"SELECT histogram(age, 4) FROM stays", 0, weak},
	} {
		claim := audit.Claim{Epsilon: 2}
		pr := priced(t, tt.sql, 2*nano)
		if pr.Plan().Private() {
			claim.Delta = 1e-6
		}
		a, b := with, without
		if pr.Plan().Private() {
			a, b = sides(200) // so many that groups are selected
		}
		f := threshold(t, pr, a.Engine(), b.Engine(), tt.column, claim)
		t.Logf("%s: ε ≥ %.3f, claimed %g", tt.sql, f.Lower, claim.Epsilon)
		if f.Refuted {
			t.Errorf("%s: refuted: %+v", tt.sql, f)
		}
		if f.Lower < tt.least {
			t.Errorf("%s: the audit sees ε ≥ %.3f, want at least %g", tt.sql, f.Lower, tt.least)
		}
	}
}

// TestMistakesAreRefuted: the same audit sees rows that nobody bounds, and noise that is too small.
func TestMistakesAreRefuted(t *testing.T) {
	with, without := sides(8)
	unbounded := func(db querytest.Database) relation.Engine {
		return engine(func(ctx context.Context, q *relation.Bounded, seed relation.Seed) ([]relation.Group, error) {
			all := *q
			all.Rows, all.Sums = 1000, []relation.Sum{{Op: relation.Count, High: 1000}}
			return relation.Evaluate(ctx, &all, seed, db.Open(), nil)
		})
	}
	const sql = "SELECT count(*) FROM stays"
	if f := threshold(t, priced(t, sql, 2*nano), unbounded(with), unbounded(without), 0, audit.Claim{Epsilon: 2}); !f.Refuted {
		t.Errorf("rows that nobody bounds: %+v, want refuted", f)
	}
	if f := threshold(t, priced(t, sql, 4*nano), with.Engine(), without.Engine(), 0, audit.Claim{Epsilon: 2}); !f.Refuted {
		t.Errorf("half of the noise: %+v, want refuted", f)
	}
}
