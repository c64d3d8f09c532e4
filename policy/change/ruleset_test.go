package change_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/policy/change"
)

func set(pairs ...string) change.RuleSet {
	r := change.RuleSet{Files: map[string][]byte{change.Main: []byte("version: 1\n")}}
	for i := 0; i < len(pairs); i += 2 {
		r.Files[pairs[i]] = []byte(pairs[i+1])
	}
	return r
}

func ExampleRuleSet() {
	old := change.RuleSet{Files: map[string][]byte{"scrim.yaml": []byte("version: 1\n"), "policies/care.cedar": []byte("// nobody\n")}}
	now := change.RuleSet{Files: map[string][]byte{"scrim.yaml": []byte("version: 1\n"), "policies/care.cedar": []byte("// the doctors\n")}}
	for _, f := range change.Diff(old, now) {
		fmt.Println(f.Name)
	}
	fmt.Println(old.Digest() == now.Digest())
	// Output:
	// policies/care.cedar
	// false
}

func TestDigestTellsSetsApart(t *testing.T) {
	sets := []change.RuleSet{
		set(), set("a", ""), set("a", "b"), set("ab", ""), set("a", "", "b", ""), set("a", "b", "c", ""), set("a", "", "b", "c"), set("b", "a"),
	}
	seen := map[change.Digest]int{}
	for i, r := range sets {
		if j, ok := seen[r.Digest()]; ok {
			t.Errorf("sets %d and %d have one digest", i, j)
		}
		seen[r.Digest()] = i
		b, _ := r.AppendBinary(nil)
		back, err := change.ParseRuleSet(b)
		if err != nil || back.Digest() != r.Digest() {
			t.Errorf("set %d read back: %v", i, err)
		}
	}
}

func TestRuleSetNamesAreClean(t *testing.T) {
	for _, name := range []string{"", ".", "./a", "a//b", "a/../b", "a/", "a\x00", "a\nb", `a\b`, "\xff"} {
		r := set()
		r.Files[name] = nil
		if err := r.Check(); !errors.Is(err, change.ErrRuleSet) {
			t.Errorf("Check of a set with %q = %v, want ErrRuleSet", name, err)
		}
	}
	if err := (change.RuleSet{Files: map[string][]byte{"a": nil}}).Check(); !errors.Is(err, change.ErrRuleSet) {
		t.Errorf("a set without %s is good", change.Main)
	}
}

func TestRuleSetIsAFileSystem(t *testing.T) {
	r := set("policies/a.cedar", "a", "policies/deep/b.cedar", "bb", "policies/deep/er/c.test.yaml", "", "/etc/d.csv", "d", "../e.csv", "e")
	if err := fstest.TestFS(r.FS("policies"), "a.cedar", "deep/b.cedar", "deep/er/c.test.yaml"); err != nil {
		t.Error(err)
	}
	if err := fstest.TestFS(r.FS("."), "scrim.yaml", "policies/a.cedar"); err != nil {
		t.Error(err)
	}
}

func FuzzParseRuleSet(f *testing.F) {
	b, _ := set("a", "b", "c/d", "").AppendBinary(nil)
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add([]byte("scrim rule set v1\n\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := change.ParseRuleSet(b)
		if err != nil {
			return
		}
		if again, _ := r.AppendBinary(nil); !bytes.Equal(again, b) {
			t.Error("a rule set has two forms")
		}
	})
}
