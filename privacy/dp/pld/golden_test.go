package pld

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// goldenRow is a row of accounting_golden.json. Its expected value is exact, or what another accountant found.
type goldenRow struct {
	ID    string
	Group string
	Spec  []struct {
		Mech           string
		Sigma          float64
		Scale          float64
		A              float64
		Q              float64
		Epsilon        float64
		Delta          float64
		Sensitivity    float64
		NoiseParameter float64 `json:"noise_parameter"`
		NumBuckets     int64   `json:"num_buckets"`
		Count          int64
	}
	Input struct {
		Delta   *float64
		Epsilon *float64
	}
	Quantity    string
	Exact       json.RawMessage
	Independent float64
	Expected    json.RawMessage
	RelTol      float64 `json:"rel_tol"`
}

func goldenRows(t *testing.T) []goldenRow {
	t.Helper()
	root := os.Getenv("SCRIM_DATA")
	data, err := os.ReadFile(filepath.Join(root, "accounting", "accounting_golden.json"))
	if root == "" || err != nil {
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal("SCRIM_DATA does not lead to accounting/accounting_golden.json")
		}
		t.Skip("SCRIM_DATA does not lead to accounting/accounting_golden.json")
	}
	var file struct {
		Values []json.RawMessage
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	var rows []goldenRow
	for _, raw := range file.Values {
		var head struct{ Group string }
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Fatal(err)
		}
		switch head.Group {
		case "gaussian", "laplace", "discrete_laplace", "discrete_gaussian", "poisson_subsampled_gaussian", "heterogeneous", "randomized_response", "approx_dp_boxes":
			var r goldenRow
			if err := json.Unmarshal(raw, &r); err != nil {
				t.Fatal(err)
			}
			rows = append(rows, r)
		}
	}
	if len(rows) < 25 {
		t.Fatalf("found %d rows of the groups that concern this package, want at least 25", len(rows))
	}
	return rows
}

// terms makes the mechanisms of a row.
func (r goldenRow) terms(t *testing.T) []Term {
	t.Helper()
	var out []Term
	for _, m := range r.Spec {
		var p PLD
		var err error
		switch m.Mech {
		case "gaussian":
			p, err = Gaussian(m.Sigma, m.Sensitivity)
		case "laplace":
			p, err = Laplace(m.Scale, m.Sensitivity)
		case "discrete_laplace":
			p, err = DiscreteLaplace(m.A, int64(m.Sensitivity))
		case "discrete_gaussian":
			p, err = DiscreteGaussian(m.Sigma, int64(m.Sensitivity))
		case "poisson_subsampled_gaussian":
			p, err = SubsampledGaussian(m.Sigma, m.Q, m.Sensitivity)
		case "k_randomized_response":
			p, err = RandomizedResponse(m.NoiseParameter, m.NumBuckets)
		case "epsilon_delta":
			p, err = EpsilonDelta(m.Epsilon, m.Delta)
		default:
			t.Fatalf("%s: mechanism %s is not known", r.ID, m.Mech)
		}
		if err != nil {
			t.Fatalf("%s: %v", r.ID, err)
		}
		out = append(out, Term{p, m.Count})
	}
	return out
}

func TestGoldenValues(t *testing.T) {
	for _, r := range goldenRows(t) {
		var want float64
		if err := json.Unmarshal(r.Expected, &want); err != nil {
			t.Fatal(err)
		}
		c, err := Compose(r.terms(t), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got Bound
		if r.Quantity == "epsilon" {
			got, err = c.Epsilon(*r.Input.Delta)
		} else {
			got, err = c.Delta(*r.Input.Epsilon)
		}
		if err != nil {
			t.Fatal(err)
		}
		low := want
		if r.Exact == nil {
			low = min(low, r.Independent)
		}
		t.Logf("%-34s %s %.12g, %.12g of %.12g: excess %.2g", r.ID, r.Quantity, got.Value, got.Value/want-1, want, got.Excess/got.Value)
		if !(got.Value >= low*(1-r.RelTol) && got.Value <= want*(1+r.RelTol)) {
			t.Errorf("%s: %s = %.12g, want %.12g within %g", r.ID, r.Quantity, got.Value, want, r.RelTol)
		}
		if exact := r.Exact != nil; exact && got.Value < want*(1-1e-9) { // rows of lattices are exact to that
			t.Errorf("%s: %s = %.17g is below the exact %.17g", r.ID, r.Quantity, got.Value, want)
		}
	}
}
