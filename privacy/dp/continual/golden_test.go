package continual_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/continual"
)

// golden is a file of errors of running counts at noise multiplier 1, which is ½-zCDP.
type golden struct {
	Values []struct {
		T               int
		TreeMax         float64 `json:"tree_rmse_max"`
		TreeMean        float64 `json:"tree_rmse_mean"`
		TreeSensitivity float64 `json:"tree_sensitivity2"`
		RootMax         float64 `json:"sqrt_fact_rmse_max"`
		RootMean        float64 `json:"sqrt_fact_rmse_mean"`
		RootSensitivity float64 `json:"sqrt_fact_sens2"`
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	path := filepath.Join(os.Getenv("SCRIM_DATA"), "accounting", "streaming_golden.json")
	text, err := os.ReadFile(path)
	if err != nil {
		const why = "the table is not there: set SCRIM_DATA to the folder that holds accounting"
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Values) == 0 {
		t.Fatal("the table is empty")
	}
	return g
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Abs(b) }

// event is a stream of counts in which one unit moves one count by one, at ½-zCDP.
func event(m continual.Method, horizon int) continual.Params {
	p := continual.Params{
		Method: m, Keys: 1, Horizon: horizon, Rho: 500_000_000,
		Contribution: continual.Contribution{Steps: 1, Apart: 1, Keys: 1, Most: 1},
	}
	if m == continual.SquareRoot {
		p.Band = horizon
	}
	return p
}

func accuracy(t *testing.T, p continual.Params) continual.Accuracy {
	t.Helper()
	a, err := p.Accuracy(0)
	if err != nil {
		t.Fatalf("Accuracy() error = %v", err)
	}
	if !a.Exact {
		t.Fatal("Accuracy() has a bound of the sensitivity, want what it is")
	}
	return a
}

func TestErrorsEqualTheTable(t *testing.T) {
	for _, row := range readGolden(t).Values {
		tree := accuracy(t, event(continual.Tree, row.T))
		for name, pair := range map[string][2]float64{
			"PlainMax": {tree.PlainMax, row.TreeMax}, "PlainMean": {tree.PlainMean, row.TreeMean},
			"Sensitivity²": {tree.Sensitivity * tree.Sensitivity, row.TreeSensitivity},
		} {
			if !near(pair[0], pair[1]) {
				t.Errorf("tree, T = %d: %s = %v, want %v", row.T, name, pair[0], pair[1])
			}
		}
		if tree.Max >= tree.PlainMax || tree.Mean >= tree.PlainMean {
			t.Errorf("tree, T = %d: combined %v, %v, want less than plain %v, %v", row.T, tree.Max, tree.Mean, tree.PlainMax, tree.PlainMean)
		}
		root := accuracy(t, event(continual.SquareRoot, row.T))
		for name, pair := range map[string][2]float64{
			"Max": {root.Max, row.RootMax}, "Mean": {root.Mean, row.RootMean},
			"Sensitivity²": {root.Sensitivity * root.Sensitivity, row.RootSensitivity},
		} {
			if !near(pair[0], pair[1]) {
				t.Errorf("square root, T = %d: %s = %v, want %v", row.T, name, pair[0], pair[1])
			}
		}
	}
}
