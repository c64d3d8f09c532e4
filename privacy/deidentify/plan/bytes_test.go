package plan_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/json/lines"
	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
)

// TestRowsOfAClassAreAlikeToTheByte: nothing of how the source wrote a row is left, by which one of a class could be told from another.
func TestRowsOfAClassAreAlikeToTheByte(t *testing.T) {
	const models = "version: 1\ncolumns:\n  age: {role: quasi}\n  sex: {role: quasi}\nprivacy: [{model: k-anonymity, k: 3}]\n"
	for name, in := range map[string]string{
		"line ends": "age,sex\n30,f\n30,f\r\n30,f\n",
		"quotes":    "age,sex\n30,f\n\"30\",f\n30,\"f\"\n",
		"last line": "age,sex\n30,f\n30,f\n30,f",
	} {
		text, _, err := carry(t, in, models, plan.Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		seen := map[string]bool{}
		for _, line := range strings.SplitAfter(text, "\n")[1:] {
			if line != "" {
				seen[line] = true
			}
		}
		if len(seen) != 1 {
			t.Errorf("%s: rows of one class are written in %d ways: %q", name, len(seen), text)
		}
	}
}

// TestObjectsOfAClassAreAlikeToTheByte is the same for JSON lines: order of members, space, escapes, and what is not there.
func TestObjectsOfAClassAreAlikeToTheByte(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "in.jsonl", `{"age":30,"sex":"f"}
{"sex":"f","age":30}
{ "age" : 30, "sex":"\u0066" }
{"age":30,"sex":"f","x":1}
{"age":30,"sex":null}
{"age":30}
{"x":2,"age":30}`)
	src, err := lines.File(filepath.Join(dir, "in.jsonl"), lines.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	r, err := src.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	columns := r.Columns()
	r.Close()
	p, err := plan.Parse("plan.yaml", []byte("version: 1\ncolumns:\n  age: {role: quasi}\n  sex: {role: quasi}\nprivacy: [{model: k-anonymity, k: 3}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Compile(columns, nil, folder(dir))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plan.Run(t.Context(), c, src, lines.Target(filepath.Join(dir, "out.jsonl"), lines.Options{}), plan.Options{}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "out.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for line := range strings.SplitAfterSeq(string(b), "\n") {
		if line != "" {
			seen[line]++
		}
	}
	for line, n := range seen {
		if n < 3 {
			t.Errorf("%q stands for %d rows of a class of at least 3", line, n)
		}
	}
}

// TestSpellingsOfQuasiIdentifiers: what is written at the level of values does not come in classes smaller than k, however it is spelled.
func TestSpellingsOfQuasiIdentifiers(t *testing.T) {
	for name, in := range map[string]string{
		"numbers": "age,x\n30,1\n30.0,1\n030,1\n30,1\n",
		"spaces":  "age,x\na,1\n\" a\",1\na,1\na ,1\n",
		"empty":   "age,x\n,1\n\"\",1\n,1\n\"\",1\n",
	} {
		for _, recoding := range []string{"global", "local"} {
			text, _, err := carry(t, in, "version: 1\ncolumns:\n  age: {role: quasi}\n  x: {technique: keep}\nrecoding: "+recoding+"\nprivacy: [{model: k-anonymity, k: 3}]\n", plan.Options{})
			if err != nil && !errors.Is(err, anonymity.ErrNone) {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for key, class := range released(t, text, 1) {
				if len(class) < 3 {
					t.Errorf("%s, %s: %q stands for %d rows", name, recoding, key, len(class))
				}
			}
		}
	}
}
