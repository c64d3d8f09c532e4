package policy

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/flow"
)

// FuzzLoad loads whatever it is given: it returns a set or places of mistakes, and a set it returns decides.
func FuzzLoad(f *testing.F) {
	names, err := fs.Glob(Starter(), "*.cedar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(Starter(), name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(`permit (principal in Role::"nobody" action in Action::"upto_raw", resource); "`)
	f.Add("permit(principal,action in Action::\"upto_raw\",resource)when{context.hop+9223372036854775807>0};/*")
	f.Add("@id(\"\\u{0}\")forbid(principal,action,resource);;;\xff")
	snap, err := newSnapshot(Options{Entities: clinic()})
	if err != nil {
		f.Fatal(err)
	}
	q := toClaims()
	q.Flow.Hop = 1
	f.Fuzz(func(t *testing.T, text string) {
		s, err := snap.load(fstest.MapFS{"f.cedar": {Data: []byte(text)}}, -1)
		if err != nil {
			mistakes, ok := errors.AsType[Mistakes](err)
			if !ok || len(mistakes) == 0 || s != nil {
				t.Fatalf("set %v with error %v, want no set and mistakes", s, err)
			}
			for _, m := range mistakes {
				if m.File != "f.cedar" || m.Message == "" || m.Line > strings.Count(text, "\n")+1 {
					t.Fatalf("mistake without a place in the file: %+v", m)
				}
			}
			return
		}
		for _, l := range []flow.Label{email, birth, flow.FreeText} {
			e, err := s.Explain(q, flow.Leaf{Label: l})
			if err != nil || e.Class.Family.Reveals(e.Result.Treatment, e.Policy) {
				t.Fatalf("%s: result %s reveals more than policy %s, error %v", l, e.Result.Treatment, e.Policy, err)
			}
			if len(s.enforced.rules) == 0 && e.Result.Level != flow.Dropped {
				t.Fatalf("%s shows as %s without any policy", l, e.Result.Treatment)
			}
		}
	})
}

// FuzzTestFile reads whatever it is given as policy tests: results or places of mistakes.
func FuzzTestFile(f *testing.F) {
	seed, err := os.ReadFile("testdata/starter.test.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(seed))
	f.Add("- {name: x, to: {agent: a, roles: [b]}, label: public, need: masked/keep:4, expect: raw}")
	f.Add("a: &a [*a]")
	f.Add("tests:\n- <<: {label: x}\n  ? [a]\n  : b")
	s := loadStarter(f, clinic())
	f.Fuzz(func(t *testing.T, text string) {
		results, err := RunTestFile(s, "f.yaml", strings.NewReader(text))
		if err == nil {
			for _, r := range results {
				if r.Passed == (r.Failure != "") || r.Line < 1 {
					t.Fatalf("result %+v", r)
				}
			}
			return
		}
		if mistakes, ok := errors.AsType[Mistakes](err); !ok || len(mistakes) == 0 || results != nil {
			t.Fatalf("%d results with error %v", len(results), err)
		}
	})
}
