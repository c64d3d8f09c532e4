package account_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/dp/account"
)

// FuzzRows reads what strangers send: it neither panics nor hangs, an answer is finite, and a refusal repeats no more than a member's name.
func FuzzRows(f *testing.F) {
	if raw, err := os.ReadFile(filepath.Join(os.Getenv("SCRIM_DATA"), "accounting", "accounting_golden.json")); err == nil {
		var file struct{ Values []json.RawMessage }
		if json.Unmarshal(raw, &file) == nil {
			for _, one := range file.Values {
				f.Add([]byte(one))
			}
		}
	}
	for _, s := range []string{
		`{"id":"x","spec":[{"mech":"gaussian","sigma":1e-12,"count":1000000000000}],"input":{"delta":1e-300},"quantity":"epsilon"}`,
		`{"id":"x","spec":[{"mech":"poisson_subsampled_gaussian","sigma":1e-9,"q":0.5,"count":1000000000000}],"input":{"delta":1e-6},"quantity":"epsilon"}`,
		`{"id":"x","spec":[{"mech":"discrete_gaussian","sigma":1e9,"count":10000}],"input":{"delta":1e-6},"quantity":"epsilon"}`,
		`{"id":"x","spec":[{"mech":"discrete_laplace","a":1e-9,"sensitivity":1e9}],"input":{"orders":[1.0000001,1e6]},"quantity":"rdp"}`,
		`{"id":"x","spec":[{"mech":"gaussian"}],"input":{"epsilon":1e-12,"delta":0.5},"quantity":"sigma"}`,
		`{"values":[{"id":"y"}]}`, `[{"id":"z"},3]`, `{"id":"a","id":"b"}`, `{} {}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		rows := 0
		_ = account.ReadRows(bytes.NewReader(raw), func(row account.Row, err error) bool {
			if rows++; err != nil {
				if len(err.Error()) > 400 {
					t.Errorf("a long refusal: %v", err)
				}
				return rows < 20
			}
			begun := time.Now()
			a, err := row.Answer()
			if d := time.Since(begun); d > 20*time.Second {
				t.Errorf("a row took %v", d)
			}
			if err != nil {
				return rows < 20
			}
			for _, x := range a.Values {
				if math.IsNaN(x) || math.IsInf(x, 0) || x < 0 && row.Quantity != "threshold" {
					t.Errorf("%s: %v", raw, x)
				}
			}
			if _, err := json.Marshal(a); err != nil {
				t.Errorf("an answer cannot be written: %v", err)
			}
			return rows < 20
		})
	})
}

// TestRowsThatAreRefused: which member the refusal names.
func TestRowsThatAreRefused(t *testing.T) {
	const head, tail = `{"id":"r","spec":[{"mech":`, `}],"input":{"delta":1e-6},"quantity":"epsilon"}`
	for _, c := range []struct{ row, want string }{
		{head + `"gaussian","sigma":0` + tail, "spec[0].sigma"},
		{head + `"gaussian","sigma":-1` + tail, "spec[0].sigma"},
		{head + `"gaussian","sigma":1e400` + tail, "spec[0].sigma"},
		{head + `"gaussian","sigma":1e-400` + tail, "spec[0].sigma"},
		{head + `"gaussian","sigma":1e30` + tail, "spec[0].sigma"},
		{head + `"gaussian","sigma":"1"` + tail, "spec[0].sigma"},
		{head + `"gaussian","sigma":NaN` + tail, ""},
		{head + `"gaussian"` + tail, "spec[0].sigma"},
		{head + `"gaussian","sigma":1,"sigma":2` + tail, "spec[0].sigma"},
		{head + `"gaussian","sigma":1,"scale":2` + tail, "spec[0].scale"},
		{head + `"gaussian","sigma":1,"q":0.1` + tail, "spec[0].q"},
		{head + `"gaussian","sigma":1,"count":0` + tail, "spec[0].count"},
		{head + `"gaussian","sigma":1,"count":1.5` + tail, "spec[0].count"},
		{head + `"gaussian","sigma":1,"count":1e300` + tail, "spec[0].count"},
		{head + `"gaussian","sigma":1,"sampled":1` + tail, "spec[0].sampled"},
		{head + `"gaussian","sigma":1,"my secret":1` + tail, "spec[0].a member"},
		{head + `"telepathy"` + tail, "spec[0].mech"},
		{head + `"laplace","scale":1,"sensitivity":-1` + tail, "spec[0].sensitivity"},
		{head + `"discrete_laplace","a":1,"sensitivity":1.5` + tail, "spec[0].sensitivity"},
		{head + `"epsilon_delta","epsilon":1,"delta":1` + tail, "spec[0].delta"},
		{head + `"epsilon_delta","epsilon":1,"delta":-0.1` + tail, "spec[0].delta"},
		{head + `"laplace_threshold","epsilon":1` + tail, "spec[0].delta"},
		{head + `"gaussian_threshold","threshold_delta":1e-6` + tail, "spec[0].sigma"},
		{head + `"k_randomized_response","noise_parameter":0,"num_buckets":2` + tail, "spec[0].noise_parameter"},
		{head + `"k_randomized_response","noise_parameter":0.5,"num_buckets":1` + tail, "spec[0].num_buckets"},
		{head + `"poisson_subsampled_gaussian","sigma":1,"q":1.1` + tail, "spec[0].q"},
		{`{"id":"r","spec":[],"input":{"delta":1e-6},"quantity":"epsilon"}`, "spec"},
		{`{"id":"r","spec":{},"input":{"delta":1e-6},"quantity":"epsilon"}`, "spec"},
		{head + `"gaussian","sigma":1}],"input":{"delta":1},"quantity":"epsilon"}`, "input.delta"},
		{head + `"gaussian","sigma":1}],"input":{"delta":-1},"quantity":"epsilon"}`, "input.delta"},
		{head + `"gaussian","sigma":1}],"input":{"delta":0},"quantity":"epsilon"}`, "delta"},
		{head + `"gaussian","sigma":1}],"input":{},"quantity":"epsilon"}`, "input.delta"},
		{head + `"gaussian","sigma":1}],"input":{"epsilon":-1},"quantity":"delta"}`, "input.epsilon"},
		{head + `"gaussian","sigma":1}],"input":{"orders":[0.99]},"quantity":"rdp"}`, "input.orders"},
		{head + `"gaussian","sigma":1}],"input":{"orders":[]},"quantity":"rdp"}`, "input.orders"},
		{head + `"gaussian","sigma":1}],"input":{"orders":"mine"},"quantity":"rdp"}`, "input.orders"},
		{head + `"gaussian","sigma":1}],"input":{"delta":1e-6,"eps":1},"quantity":"epsilon"}`, "input.eps"},
		{head + `"gaussian","sigma":1}],"input":{"delta":1e-6},"quantity":"mood"}`, "quantity"},
		{head + `"gaussian","sigma":1}],"input":{"target_epsilon":1,"target_delta":1e-6,"filter":"sieve"},"quantity":"max_count"}`, "input.filter"},
		{head + `"gaussian","sigma":1}],"input":{"epsilon":1,"delta":1e-6},"quantity":"sigma"}`, "spec"},
		{head + `"laplace","scale":1}],"input":{"n_privacy_units":3},"quantity":"keep_probability"}`, "spec"},
		{head + `"poisson_subsampled_gaussian","sigma":1,"q":0.1,"neighboring":"replace_one"` + tail, "spec[0].neighboring"},
		{head + `"gaussian","sigma":1,"neighboring":"cousins"` + tail, "spec[0].neighboring"},
		{`{"id":"r","neighboring":"replace_one","spec":[{"mech":"poisson_subsampled_gaussian","sigma":1,"q":0.1}],"input":{"delta":1e-6},"quantity":"epsilon"}`, "neighboring"},
		{`{"id":"r","spec":[{"neighboring":"add_remove","noise_parameter":0.5,"num_buckets":2,"mech":"k_randomized_response"}],"input":{"delta":1e-6},"quantity":"epsilon"}`, "spec[0].neighboring"},
		{head + `"zcdp","rho":1}],"input":{"delta":0},"quantity":"epsilon"}`, "delta"},
	} {
		var got error
		err := account.ReadRows(strings.NewReader(c.row), func(row account.Row, err error) bool {
			if got = err; err == nil {
				_, got = row.Answer()
			}
			return true
		})
		if c.want == "" {
			if err == nil {
				t.Errorf("%s: read without an error", c.row)
			}
			continue
		}
		e, ok := got.(*account.Error)
		if err != nil || !ok || e.Member != c.want {
			t.Errorf("%s: %v, want an error about %s", c.row, got, c.want)
		}
	}
}
