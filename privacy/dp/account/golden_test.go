package account_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// golden is what a row of the golden file expects.
type golden struct {
	ID       string          `json:"id"`
	Group    string          `json:"group"`
	Quantity string          `json:"quantity"`
	Exact    json.RawMessage `json:"exact"`
	Expected json.RawMessage `json:"expected"`
	Tol      float64         `json:"rel_tol"`
}

func values(t *testing.T, raw json.RawMessage) []float64 {
	t.Helper()
	if raw == nil {
		return nil
	}
	if raw[0] != '[' {
		raw = json.RawMessage("[" + string(raw) + "]")
	}
	var v []float64
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func goldenFile(t *testing.T) []byte {
	t.Helper()
	dir := os.Getenv("SCRIM_DATA")
	raw, err := os.ReadFile(filepath.Join(dir, "accounting", "accounting_golden.json"))
	if dir == "" || err != nil {
		if os.Getenv("SCRIM_REQUIRE") == "1" {
			t.Fatal("SCRIM_DATA names no folder with accounting/accounting_golden.json")
		}
		t.Skip("SCRIM_DATA names no folder with accounting/accounting_golden.json")
	}
	return raw
}

func TestGoldenValues(t *testing.T) {
	raw := goldenFile(t)
	var file struct{ Values []json.RawMessage }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Values) < 50 {
		t.Fatalf("the golden file has %d rows, want at least 50", len(file.Values))
	}
	for _, one := range file.Values {
		var want golden
		var row account.Row
		if err := json.Unmarshal(one, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(one, &row); err != nil {
			t.Errorf("%s: %v", want.ID, err)
			continue
		}
		got, err := row.Answer()
		if err != nil {
			t.Errorf("%s: Answer() error = %v", want.ID, err)
			continue
		}
		expected := values(t, want.Expected)
		least := values(t, want.Exact)
		if least == nil {
			least = expected
		}
		for i, x := range got.Values {
			if !(x >= least[i]*(1-want.Tol)) || !(x <= expected[i]*(1+want.Tol)) {
				t.Errorf("%s: Answer() = %v by %q, want %v: off by %.2g, tolerance %.2g", want.ID, x, got.By, expected[i], math.Abs(x/expected[i]-1), want.Tol)
			}
		}
	}
}
