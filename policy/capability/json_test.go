package capability

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gowebpki/jcs"

	"github.com/scrimhq/scrim/flow"
)

// Numbers are written as another implementation of RFC 8785 writes them, and admitted only where nothing is lost.
func TestNumbers(t *testing.T) {
	for _, text := range []string{"0", "-0", "1", "1.0", "10", "0.1", "1e20", "1e21", "1E21", "123456789012345680000", "1e-6", "1e-7", "0.000001", "9007199254740994", "5e-324", "1.7976931348623157e308", "-1.5e-10", "100e-2", "0e999999999999", "0.0000", "4.50", "333333333.3333333"} {
		f, got, ok := canonicalNumber(text)
		want, err := jcs.Transform([]byte("[" + text + "]"))
		if err != nil && !strings.HasPrefix(text, "0e9") {
			t.Fatal(err)
		}
		if !ok || err == nil && "["+got+"]" != string(want) {
			t.Errorf("%s is written %s (%v), want %s", text, got, ok, want)
		}
		if back, err := strconv.ParseFloat(got, 64); err != nil || back != f {
			t.Errorf("%s comes back as %v", text, back)
		}
	}
	for _, text := range []string{"9007199254740993", "1.00000000000000001", "1e400", "-1e400", "1e-400", "1e999999999999999999999", "1e-999999999999999999999", "0.1000000000000000055511151231257827", "123456789012345678901234567890"} {
		if _, got, ok := canonicalNumber(text); ok {
			t.Errorf("%s is admitted as %s", text, got)
		}
	}
}

// The strict reader takes nothing that the standard library's refuses, and refuses more, on purpose.
func TestJSON(t *testing.T) {
	for _, text := range []string{`{}`, ` { "a" : [ 1 , -0.5e+3 , true , false , null , "x" ] } `, `"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"`, `[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]`, `""`, `{"":{}}`} {
		if _, ok := parse(text); !ok || !json.Valid([]byte(text)) {
			t.Errorf("%s is refused", text)
		}
	}
	for _, text := range []string{``, ` `, `{`, `[1,]`, `{"a":1,}`, `{a:1}`, `{"a" 1}`, `{"a":}`, `[1 2]`, `01`, `-`, `1.`, `.5`, `1e`, `+1`, `0x1`, `NaN`, `Infinity`, `tru`, `nul`, `"`, `"\x"`, `"\u12"`, `"\u123g"`, `"` + "\n" + `"`, `'a'`, `1 2`, `{}{}`, "\ufeff{}", `[`, `]`, `// x`, `"\`,
		// what the standard library takes
		`{"a":1,"a":1}`, `{"a":1,"\u0061":2}`, `"\ud83d"`, `"\ud83d\u0041"`, `"\ude00"`, "\"\xff\"", `[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]`, `[` + strings.Repeat(`1,`, maxValues) + `1]`} {
		if v, ok := parse(text); ok {
			t.Errorf("%.40q is read as %+v", text, v)
		}
	}
	v, ok := parse(`"a\u0041\n\ud83d\ude00é"`)
	if !ok || v.text != "aA\n😀é" {
		t.Errorf("decoded as %q", v.text)
	}
	many := `{"x":0`
	for i := range 40 {
		many += `,"m` + strconv.Itoa(i) + `":0`
	}
	if _, ok := parse(many + `}`); !ok {
		t.Error("many members are refused")
	}
	if _, ok := parse(many + `,"m39":0}`); ok {
		t.Error("the last of many members twice is taken")
	}
	if got := string(appendText(nil, "\"\\\b\t\n\f\r\x01\x1fé😀/<")); got != `"\"\\\b\t\n\f\r\u0001\u001fé😀/<"` {
		t.Errorf("written as %s", got)
	}
	if compareUTF16("\U0001F600", "\uFB33") >= 0 {
		t.Error("names are not in the order of their UTF-16 code units")
	}
}

func TestGrantsAsJSON(t *testing.T) {
	g := rootGrant()
	g.NotBefore = start
	g.Tools["prior-auth/read"] = Arguments{"f": SubPath("/a"), "p": Prefix("x"), "n": {Kind: InRange, Min: &Edge{0.5, true}}, "*": Any(), "e": Equal(Null()), "t": OneOf(Truth(true), Number(-2))}
	for name, g := range map[string]Grant{"everything": g, "nothing": {}, "uses alone": {Uses: ptr(int64(3))}, "nothing admitted": {Recipients: []string{}, Levels: map[flow.Label]flow.Level{}, Tools: map[string]Arguments{}, Datasets: map[string][]string{"d": {}}}} {
		b, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		var back Grant
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("%s: %v in %s", name, err, b)
		}
		if name == "everything" { // empty arguments are no arguments
			g.Tools["prior-auth/*"] = Arguments{}
		}
		if !reflect.DeepEqual(g, back) {
			t.Errorf("%s comes back as %+v from %s", name, back, b)
		}
	}
	for text, member := range map[string]string{
		`[]`: "grant", `{"agent":"a","agent":"a"}`: "grant", `{"agents":"a"}`: "grant", `{"agent":""}`: "agent", `{"agent":1}`: "agent", `{"type":"x"}`: "type",
		`{"expires":"2026-03-02"}`: "expires", `{"expires":"2026-03-02T09:00:00.5Z"}`: "expires", `{"expires":1}`: "expires", `{"max_depth":33}`: "max_depth", `{"max_depth":-1}`: "max_depth", `{"max_depth":1.0}`: "max_depth",
		`{"recipients":"x"}`: "recipients", `{"recipients":null}`: "recipients", `{"tools":{"x":{}}}`: "tools", `{"counted":""}`: "counted", `{"audience":["a b"]}`: "audience",
	} {
		var g Grant
		err := json.Unmarshal([]byte(text), &g)
		e, ok := errors.AsType[*Error](err)
		if !ok && member == "grant" && err != nil {
			continue // encoding/json refuses first
		}
		if !ok || e.Rule != RuleForm || e.Member != member {
			t.Errorf("%s: %v, want form of %s", text, err, member)
		}
	}
	if _, err := json.Marshal(Grant{Tools: map[string]Arguments{"a/b": {"x": {Kind: Exactly}}}}); err == nil {
		t.Error("a constraint without its value is written")
	}
	if _, err := json.Marshal(Grant{Tools: map[string]Arguments{"a/b": {"x": Equal(Number(math.NaN()))}}}); err == nil {
		t.Error("a constraint on no number is written")
	}
	if _, err := json.Marshal(Grant{Expires: start.Add(time.Nanosecond)}); err == nil {
		t.Error("half a second is written")
	}
}

func TestSentences(t *testing.T) {
	vd, err := verifierAt(start, Options{}).Verify(fourLinks(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`intake of hospital may, until 2026-03-02 10:00:00 UTC, send to insurer/* or lab/tests for treatment-authorisation or billing in t1 or t2: health raw, person at most tokenized, all else dropped; criticality at most routine; ` +
			`calls prior-auth/*, prior-auth/submit (code "A1" or "B2"; days from 1 to 30 or absent); reads labs (all columns), visits (age and code); computes by dp-sum or psi; counted at insurer: 9 uses, ε 1, δ 0.00000000001; ` +
			`presented at hospital or insurer; vouched for by gateways of hospital; known to policies as care-desk; handed on at most 3 more times`,
		`intake/plan/read/ask of hospital may, until 2026-03-02 10:00:00 UTC, send to insurer/* for billing in t1 or t2: health raw, person at most tokenized, all else dropped; criticality at most routine; ` +
			`calls prior-auth/submit (code "A1"); reads labs (all columns), visits (age and code); computes by dp-sum or psi; counted at insurer: 2 uses, ε 1, δ 0.00000000001; ` +
			`presented at hospital or insurer; vouched for by gateways of hospital; not handed on`,
	}
	lines := strings.Split(vd.String(), "\n")
	if len(lines) != 4 || lines[0] != want[0] || lines[3] != want[1] {
		t.Errorf("the chain reads\n%s", vd)
	}
	bare := Sentence(Grant{Agent: "a", Expires: start, Levels: map[flow.Label]flow.Level{}, Purposes: []flow.Purpose{}, Tools: map[string]Arguments{}, Uses: ptr(int64(1)), Counted: "d", MaxDepth: 2})
	if bare != "a may, until 2026-03-02 09:00:00 UTC, send to anybody for no purpose: every label dropped; calls no tool; counted at d: 1 use; handed on down to depth 2; not bounded: tasks, criticality, datasets, techniques, cost, audience" {
		t.Errorf("a bare grant reads\n%s", bare)
	}
	if s := Sentence(Grant{Agent: "a\x1b[2J", Purposes: []flow.Purpose{"\u202e"}, Tools: map[string]Arguments{"a/b": {"\n": Prefix("\x07")}}}); strings.ContainsAny(s, "\x1b\x07\n\u202e") {
		t.Errorf("a grant that rules the terminal reads %q", s)
	}
}
