package capability

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

func ptr[T any](v T) *T { return &v }

// childOf returns a child's grant that takes over everything, changed.
func childOf(p Grant, change func(*Grant)) Grant {
	g := inherit(&p, Grant{})
	g.Levels, g.Datasets, g.Tools = maps.Clone(g.Levels), maps.Clone(g.Datasets), maps.Clone(g.Tools)
	change(&g)
	return g
}

type widening struct {
	name, member string
	change       func(*Grant)
}

// widenings are ways to get more than the parent has.
func widenings() []widening {
	return []widening{
		{"another agent", "agent", func(g *Grant) { g.Agent = "desk" }},
		{"an agent that only begins alike", "agent", func(g *Grant) { g.Agent = "intake2" }},
		{"a sub-agent of such", "agent", func(g *Grant) { g.Agent = "intake2/x" }},
		{"two words at once", "agent", func(g *Grant) { g.Agent = "intake/a/b" }},
		{"audience left out", "audience", func(g *Grant) { g.Audience = nil }},
		{"audience more", "audience", func(g *Grant) { g.Audience = append(g.Audience, "lab") }},
		{"recipients left out", "recipients", func(g *Grant) { g.Recipients = nil }},
		{"recipients more", "recipients", func(g *Grant) { g.Recipients = []string{"lab/other"} }},
		{"recipients by pattern", "recipients", func(g *Grant) { g.Recipients = []string{"lab/*"} }},
		{"recipient of a domain that begins alike", "recipients", func(g *Grant) { g.Recipients = []string{"insurer2/x"} }},
		{"purposes left out", "purposes", func(g *Grant) { g.Purposes = nil }},
		{"purpose more", "purposes", func(g *Grant) { g.Purposes = []flow.Purpose{"marketing"} }},
		{"tasks left out", "tasks", func(g *Grant) { g.Tasks = nil }},
		{"task more", "tasks", func(g *Grant) { g.Tasks = []flow.TaskID{"t1", "t3"} }},
		{"criticality left out", "criticality", func(g *Grant) { g.Criticality = nil }},
		{"criticality higher", "criticality", func(g *Grant) { g.Criticality = ptr(flow.Critical) }},
		{"levels left out", "levels", func(g *Grant) { g.Levels = nil }},
		{"level higher", "levels", func(g *Grant) { g.Levels["person"] = flow.Raw }},
		{"level of the other family", "levels", func(g *Grant) { g.Levels["person"] = flow.Generalized }},
		{"level higher under a prefix", "levels", func(g *Grant) { g.Levels["person/name"] = flow.Raw }},
		{"level of a label that only begins alike", "levels", func(g *Grant) { g.Levels["personnel"] = flow.Masked }},
		{"level of all", "levels", func(g *Grant) { g.Levels["*"] = flow.Masked }},
		{"exception from a level dropped", "levels", func(g *Grant) { delete(g.Levels, "health/genetics") }},
		{"level of what is above", "levels", func(g *Grant) { delete(g.Levels, "person"); g.Levels["finance"] = flow.Raw }},
		{"datasets left out", "datasets", func(g *Grant) { g.Datasets = nil }},
		{"dataset more", "datasets", func(g *Grant) { g.Datasets["bills"] = []string{"sum"} }},
		{"all columns", "datasets", func(g *Grant) { g.Datasets["visits"] = nil }},
		{"column more", "datasets", func(g *Grant) { g.Datasets["visits"] = []string{"age", "name"} }},
		{"techniques left out", "techniques", func(g *Grant) { g.Techniques = nil }},
		{"technique more", "techniques", func(g *Grant) { g.Techniques = []string{"dp-mean"} }},
		{"cost left out", "cost", func(g *Grant) { g.Cost = nil }},
		{"ε higher", "cost", func(g *Grant) { g.Cost = &flow.Cost{EpsilonNano: 1e9 + 1} }},
		{"δ higher", "cost", func(g *Grant) { g.Cost = &flow.Cost{DeltaPico: 11} }},
		{"uses left out", "uses", func(g *Grant) { g.Uses = nil }},
		{"uses raised", "uses", func(g *Grant) { g.Uses = ptr(int64(10)) }},
		{"counted elsewhere", "counted", func(g *Grant) { g.Counted = "lab" }},
		{"via added", "via", func(g *Grant) { g.Via = append(g.Via, "lab") }},
		{"tools left out", "tools", func(g *Grant) { g.Tools = nil }},
		{"tool more", "tools", func(g *Grant) { g.Tools["claims/submit"] = nil }},
		{"tools by pattern", "tools", func(g *Grant) { g.Tools["claims/*"] = nil }},
		{"arguments of a tool left open", "tools", func(g *Grant) { g.Tools["prior-auth/submit"] = nil }},
		{"a bounded tool hidden behind the pattern", "tools", func(g *Grant) { delete(g.Tools, "prior-auth/submit") }},
		{"argument left out that was bounded", "tools", func(g *Grant) { g.Tools["prior-auth/submit"] = Arguments{"days": Between(1, 2).Optionally()} }},
		{"argument made optional", "tools", func(g *Grant) { g.Tools["prior-auth/submit"] = Arguments{"code": Equal(Text("A1")).Optionally()} }},
		{"argument more", "tools", func(g *Grant) { g.Tools["prior-auth/submit"] = Arguments{"code": Equal(Text("A1")), "note": Any()} }},
		{"arguments opened", "tools", func(g *Grant) { g.Tools["prior-auth/submit"] = Arguments{"code": Equal(Text("A1")), "*": Any()} }},
		{"arguments opened, all named", "tools", func(g *Grant) {
			g.Tools["prior-auth/submit"] = Arguments{"code": Equal(Text("A1")), "days": Equal(Number(1)), "*": Any()}
		}},
		{"argument of another value", "tools", func(g *Grant) { g.Tools["prior-auth/submit"] = Arguments{"code": Equal(Text("C3"))} }},
		{"argument of another kind", "tools", func(g *Grant) { g.Tools["prior-auth/submit"] = Arguments{"code": Prefix("A1")} }},
		{"earlier than the parent", "not_before", func(g *Grant) { g.NotBefore = g.NotBefore.Add(-time.Second) }},
		{"at once", "not_before", func(g *Grant) { g.NotBefore = time.Time{} }},
		{"longer than the parent", "expires", func(g *Grant) { g.Expires = g.Expires.Add(time.Second) }},
		{"deeper than the parent", "max_depth", func(g *Grant) { g.MaxDepth++ }},
	}
}

// wideParent is what the widenings are tried on.
func wideParent() Grant {
	p := rootGrant()
	p.NotBefore = start.Add(-time.Minute)
	p.Levels["health/genetics"] = flow.Dropped
	return p
}

// forgedChild is a root of the parent, and a child with the grant that its holder signed without asking this package.
func forgedChild(t testing.TB, p, g Grant) Chain {
	t.Helper()
	c := mustMint(t, p)
	links, err := c.Unverified()
	if err != nil {
		t.Fatal(err)
	}
	forged, err := sign(keyOf("h0"), []byte(childHead), &claims{id: "child", issuer: holderPrefix + ThumbprintOf(publicOf("h0")).String(), issued: start.Unix(),
		depth: 1, parent: encode(links[0].Hash[:]), hasParent: true, holder: publicOf("h1"), grant: g})
	if err != nil {
		t.Fatal(err)
	}
	return append(c, forged)
}

// None of the ways to widen may pass, neither when a child is derived nor when it is verified.
func TestWidening(t *testing.T) {
	for _, tt := range widenings() {
		t.Run(tt.name, func(t *testing.T) {
			p := wideParent()
			g := childOf(p, tt.change)
			breaks(t, Narrower(&p, &g), RuleWidened, WholeChain, tt.member)

			c := forgedChild(t, p, g)
			_, err := verifierAt(start, Options{}).Verify(c)
			if tt.member == "max_depth" {
				breaks(t, err, RuleDepth, 1, "del_max_depth")
			} else {
				breaks(t, err, RuleWidened, 1, tt.member)
			}
			if taken := inherit(&p, g); Narrower(&p, &taken) != nil { // what Derive would not take over anyway
				_, err = Derive(c[:1], keyOf("h0"), publicOf("h1"), g, start)
				breaks(t, err, RuleWidened, 1, tt.member)
			}
		})
	}
}

// narrowings are changes after which a child is narrower, or the same.
func narrowings() map[string]func(*Grant) {
	return map[string]func(*Grant){
		"nothing":               func(*Grant) {},
		"a sub-agent":           func(g *Grant) { g.Agent += "/plan" },
		"no audience":           func(g *Grant) { g.Audience = []flow.DomainID{} },
		"one of a pattern":      func(g *Grant) { g.Recipients = []string{"insurer/prior-auth", "insurer/*"} },
		"no purposes":           func(g *Grant) { g.Purposes = []flow.Purpose{} },
		"low criticality":       func(g *Grant) { g.Criticality = ptr(flow.Low) },
		"less of a label":       func(g *Grant) { g.Levels["person/name"] = flow.Masked },
		"nothing of a label":    func(g *Grant) { delete(g.Levels, "person") },
		"the same said twice":   func(g *Grant) { g.Levels["person/contact/email"] = flow.Tokenized; g.Levels["*"] = flow.Dropped },
		"fewer columns":         func(g *Grant) { g.Datasets["visits"] = []string{"age"}; g.Datasets["labs"] = []string{"x"} },
		"no columns":            func(g *Grant) { g.Datasets["visits"] = []string{} },
		"nothing to spend":      func(g *Grant) { g.Cost = &flow.Cost{}; g.Uses = ptr(int64(0)) },
		"nobody vouches":        func(g *Grant) { g.Via = nil },
		"one tool of a pattern": func(g *Grant) { delete(g.Tools, "prior-auth/*"); g.Tools["prior-auth/list"] = nil },
		"a pattern, bounded":    func(g *Grant) { g.Tools["prior-auth/*"] = Arguments{"x": Any()} },
		"optional argument required": func(g *Grant) {
			g.Tools["prior-auth/submit"] = Arguments{"code": Equal(Text("A1")), "days": Equal(Number(3))}
		},
		"optional argument gone": func(g *Grant) { g.Tools["prior-auth/submit"] = Arguments{"code": OneOf(Text("B2"))} },
		"later, shorter, terminal": func(g *Grant) {
			g.NotBefore = start.Add(time.Minute)
			g.Expires = start.Add(time.Hour / 2)
			g.MaxDepth = 1
		},
	}
}

func TestNarrowing(t *testing.T) {
	for name, change := range narrowings() {
		t.Run(name, func(t *testing.T) {
			p := rootGrant()
			g := childOf(p, change)
			if err := Narrower(&p, &g); err != nil {
				t.Error(err)
			}
			if _, err := verifierAt(start.Add(time.Minute), Options{}).Verify(mustDerive(t, mustMint(t, p), "h0", "h1", g)); err != nil {
				t.Error(err)
			}
		})
	}
	free := Grant{Agent: "intake", Expires: start.Add(time.Hour), MaxDepth: 2}
	bounded := rootGrant()
	bounded.Names, bounded.Via, bounded.MaxDepth = nil, nil, 1
	if err := Narrower(&free, &bounded); err != nil {
		t.Errorf("what bounds nothing does not take in everything: %v", err)
	}
}

// constraintTable says which constraint takes in which: the draft's table for its kinds, and the profile's own.
func constraintTable() (named map[string]Constraint, takesIn map[string]string) {
	named = map[string]Constraint{
		"any": Any(), "=a/b": Equal(Text("/a/b")), "=a/../b": Equal(Text("/a/../b")), "=5": Equal(Number(5)), "=5s": Equal(Text("5")), "=true": Equal(Truth(true)),
		"{5,7}": OneOf(Number(5), Number(7)), "{5}": OneOf(Number(5)), "{a/b,a/c}": OneOf(Text("/a/b"), Text("/a/c")),
		"[1,9]": Between(1, 9), "[2,8]": Between(2, 8), "(1,9)": {Kind: InRange, Min: &Edge{1, true}, Max: &Edge{9, true}}, "[1,": AtLeast(1), ",9]": AtMost(9), "[,]": {Kind: InRange},
		"/a*": Prefix("/a"), "/a/*": Prefix("/a/"), "/ab*": Prefix("/ab"), "/a": SubPath("/a"), "/a/b": SubPath("/a/b"), "/ab": SubPath("/ab"), "/": SubPath("/"), "a": SubPath("a"),
	}
	takesIn = map[string]string{
		"any":  "any =a/b =a/../b =5 =5s =true {5,7} {5} {a/b,a/c} [1,9] [2,8] (1,9) [1, ,9] [,] /a* /a/* /ab* /a /a/b /ab / a",
		"=a/b": "=a/b", "=a/../b": "=a/../b", "=5": "=5", "=5s": "=5s", "=true": "=true", // an exact value takes in no list, as the draft has it
		"{5,7}": "{5,7} {5} =5", "{5}": "{5} =5", "{a/b,a/c}": "{a/b,a/c} =a/b",
		"[1,9]": "[1,9] [2,8] (1,9) =5", "[2,8]": "[2,8] =5", "(1,9)": "(1,9) [2,8] =5", "[1,": "[1, [1,9] [2,8] (1,9) =5", ",9]": ",9] [1,9] [2,8] (1,9) =5", "[,]": "[,] [1, ,9] [1,9] [2,8] (1,9) =5",
		"/a*": "/a* /a/* /ab* /a /a/b /ab =a/b =a/../b {a/b,a/c}", "/a/*": "/a/* /a/b =a/b =a/../b {a/b,a/c}", "/ab*": "/ab* /ab",
		"/a": "/a /a/b =a/b {a/b,a/c}", "/a/b": "/a/b =a/b", "/ab": "/ab", "/": "/ /a /a/b /ab =a/b {a/b,a/c}", "a": "a",
	}
	return named, takesIn
}

func TestSubsumption(t *testing.T) {
	named, takesIn := constraintTable()
	for p, list := range takesIn {
		has := map[string]bool{}
		for c := range strings.FieldsSeq(list) {
			if _, ok := named[c]; !ok {
				t.Fatalf("no constraint is called %s", c)
			}
			has[c] = true
		}
		for c := range named {
			if got := subsumes(ptr(named[p]), ptr(named[c])); got != has[c] {
				t.Errorf("%s takes in %s: %v, want %v", p, c, got, has[c])
			}
		}
	}
	if len(takesIn) != len(named) {
		t.Error("a constraint has no line")
	}
}

type constraintCase struct {
	c       Constraint
	yes, no string // JSON values with spaces between them
}

// constraintCases say what a constraint admits.
func constraintCases() []constraintCase {
	return []constraintCase{
		{Any(), `1 "" null [1] {"a":1} true`, ``},
		{Equal(Number(1)), `1 1.0 1e0 10e-1 0.1e1`, `"1" true 1.0000000000000001 2 [1] null 1e999999`},
		{Equal(Text("é")), `"é" "\u00e9"`, `"e\u0301" "É" 1`}, // no normalisation
		{Equal(Null()), `null`, `0 "" false "null"`},
		{Equal(Truth(false)), `false`, `true 0 "false" null`},
		{OneOf(Text("a"), Number(2)), `"a" 2 2.00`, `"b" "2" [2] null`},
		{Between(1, 9), `1 9 9.0 1e0 8.999`, `0 10 "5" null true 0.99999999999999999999 9007199254740993`},
		{Constraint{Kind: InRange, Min: &Edge{1, true}, Max: &Edge{9, true}}, `1.5 8`, `1 9 1.0`},
		{AtMost(0), `-1 0 -0 -1e300 -0.0`, `1e-300 1`},
		{AtLeast(1e300), `1e300 1e301`, `1e299 1e400`},
		{Prefix("/a"), `"/a" "/ab" "/a/../b"`, `"" "/" "a" "/A" 1 ["/a"]`},
		{SubPath("/data/q3"), `"/data/q3" "/data/q3/x" "/data/q3/.hidden" "/data/q3/ü"`,
			`"/data/q3x" "/data" "/data/q3/" "/data/q3/../q4" "/data/q3/.." "/data/q3/." "/data/q3/.../x" "/data//q3/x" "//data/q3/x" "data/q3/x" ` +
				`"/data/q3/%2e%2e/x" "/data/q3/..%2fx" "/data/q3\\..\\x" "/data/q3/\u0000" "/data/q3/\u202e" "/data/q3/．．/x" "/data/q3/a／..／x" "/data/q3/a." "/data/q3/a\u0020/x" "/data/q3/‥/x" "/DATA/q3" "file:///data/q3" null`},
		{SubPath("reports"), `"reports" "reports/x"`, `"/reports" "reportsx" "./reports" ""`},
		{SubPath("/"), `"/" "/a"`, `"a" "" "//" "/a/"`},
	}
}

func TestConstraints(t *testing.T) {
	for _, tt := range constraintCases() {
		for _, want := range []bool{true, false} {
			for text := range strings.FieldsSeq(map[bool]string{true: tt.yes, false: tt.no}[want]) {
				v, ok := parse(text)
				if !ok {
					t.Fatalf("%s is no JSON", text)
				}
				if got := tt.c.admits(&v); got != want {
					t.Errorf("%s %v admits %s: %v", tt.c.Kind, tt.c, text, got)
				}
			}
		}
	}
}

func TestArguments(t *testing.T) {
	bound := Arguments{"code": Equal(Text("A1")), "days": Between(1, 30).Optionally()}
	openly := Arguments{"code": Equal(Text("A1")), "*": Any()}
	for _, tt := range []struct {
		a    Arguments
		args string
		want bool
	}{
		{nil, ``, true}, {nil, `{"x":1}`, true}, {Arguments{}, `{"x":1}`, true}, {nil, `[]`, true}, // not looked at
		{bound, `{"code":"A1"}`, true}, {bound, `{"code":"A1","days":3}`, true}, {bound, `{"days":3,"code":"\u00411"}`, true},
		{bound, ``, false}, {bound, `{}`, false}, {bound, `{"days":3}`, false}, {bound, `{"code":"A1","days":31}`, false}, {bound, `{"code":"A1","x":1}`, false},
		{bound, `{"code":"A1","days":null}`, false}, {bound, `{"code":"A1","code":"A1"}`, false}, {bound, `{"code":"A1","c\u006fde":"B2"}`, false}, {bound, `{"Code":"A1"}`, false},
		{bound, `["A1"]`, false}, {bound, `{"code":"A1"} `, true}, {bound, `{"code":"A1"}x`, false}, {bound, `{"code":["A1"]}`, false}, {bound, "{\"code\":\"A1\xff\"}", false},
		{openly, `{"code":"A1","x":{"code":"B2","code":1}}`, true}, {openly, `{"x":1}`, false}, {openly, `{"code":"A1","*":1}`, true},
		{Arguments{"code": Equal(Text("A1"))}, `{"code":"A1","*":1}`, false},
		{Arguments{"x": Any()}, `{"x":[[{"a":1}]]}`, true}, {Arguments{"x": Any()}, `{"x":[[{"a":1]]}`, false},
		{Arguments{"x": Any()}, `{"x":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `}`, false},
	} {
		vd := &Verified{Issuer: "hospital", Links: []Link{{Grant: Grant{Agent: "intake", Tools: map[string]Arguments{"a/t": tt.a}, Expires: start.Add(time.Hour)}}}}
		err := vd.Admits(Request{At: start, From: flow.Party{Agent: "intake", Domain: "hospital"}, Tool: "a/t", Arguments: []byte(tt.args)})
		if (err == nil) != tt.want {
			t.Errorf("%v admits %s: %v", tt.a, tt.args, err)
		}
	}
}

// goodRequest is within every bound of rootGrant.
func goodRequest() Request {
	return Request{At: start, Audience: "insurer", From: flow.Party{Agent: "intake", Domain: "hospital"}, To: flow.Party{Agent: "prior-auth", Domain: "insurer"},
		Purpose: "billing", Criticality: flow.Routine, Task: "t1", Tool: "prior-auth/submit", Arguments: []byte(`{"code":"A1"}`), Dataset: "visits", Columns: []string{"age"}, Technique: "psi"}
}

type requestCase struct {
	member string
	rule   Rule
	change func(*Request)
}

// requestsOutside are changes after which one bound does not admit the good request.
func requestsOutside() []requestCase {
	return []requestCase{
		{"time", RuleNotGranted, func(r *Request) { r.At = time.Time{} }},
		{"exp", RuleExpired, func(r *Request) { r.At = start.Add(time.Hour) }},
		{"nbf", RuleEarly, func(r *Request) { r.At = start.Add(-time.Hour - 31*time.Second) }},
		{"audience", RuleAudience, func(r *Request) { r.Audience = "lab" }},
		{"audience", RuleAudience, func(r *Request) { r.Audience = "" }},
		{"agent", RuleNotGranted, func(r *Request) { r.From.Agent = "desk" }},
		{"agent", RuleNotGranted, func(r *Request) { r.From.Agent = "intak" }},
		{"agent", RuleNotGranted, func(r *Request) { r.From.Agent = "intake/sub" }},
		{"agent", RuleNotGranted, func(r *Request) { r.From = flow.Party{} }},
		{"agent", RuleNotGranted, func(r *Request) { r.From.Domain = "lab" }},
		{"recipients", RuleNotGranted, func(r *Request) { r.To = flow.Party{Agent: "other", Domain: "lab"} }},
		{"recipients", RuleNotGranted, func(r *Request) { r.To = flow.Party{} }},
		{"recipients", RuleNotGranted, func(r *Request) { r.To = flow.Party{Agent: "*", Domain: ""} }},
		{"recipients", RuleNotGranted, func(r *Request) { r.To = flow.Party{Agent: "", Domain: "insurer"} }},
		{"purposes", RuleNotGranted, func(r *Request) { r.Purpose = "marketing" }},
		{"purposes", RuleNotGranted, func(r *Request) { r.Purpose = "" }},
		{"criticality", RuleNotGranted, func(r *Request) { r.Criticality = flow.Critical }},
		{"tasks", RuleNotGranted, func(r *Request) { r.Task = "t3" }},
		{"tasks", RuleNotGranted, func(r *Request) { r.Task = "" }},
		{"tools", RuleNotGranted, func(r *Request) { r.Tool = "" }},
		{"tools", RuleNotGranted, func(r *Request) { r.Tool = "claims/submit" }},
		{"tools", RuleNotGranted, func(r *Request) { r.Tool = "prior-auth" }},
		{"arguments", RuleNotGranted, func(r *Request) { r.Arguments = []byte(`{"code":"C3"}`) }},
		{"datasets", RuleNotGranted, func(r *Request) { r.Dataset = "bills" }},
		{"datasets", RuleNotGranted, func(r *Request) { r.Columns = []string{"age", "name"} }},
		{"datasets", RuleNotGranted, func(r *Request) { r.Columns = nil }},
		{"techniques", RuleNotGranted, func(r *Request) { r.Technique = "dp-mean" }},
	}
}

// requestsInside are changes after which it still is admitted.
func requestsInside() map[string]func(*Request) {
	return map[string]func(*Request){
		"as it is":                     func(*Request) {},
		"another tool of the pattern":  func(r *Request) { r.Tool = "prior-auth/list"; r.Arguments = []byte(`{"any":1}`) },
		"all columns of a whole table": func(r *Request) { r.Dataset, r.Columns = "labs", nil },
		"no table":                     func(r *Request) { r.Dataset, r.Columns, r.Technique = "", nil, "" },
	}
}

func requestedChain(t testing.TB) Chain {
	g := rootGrant()
	g.NotBefore = start.Add(-time.Hour)
	return mustMint(t, g)
}

func TestRequestsOutside(t *testing.T) {
	vd, err := verifierAt(start, Options{}).Verify(requestedChain(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range requestsOutside() {
		r := goodRequest()
		tt.change(&r)
		link := 0
		if tt.member == "time" {
			link = WholeChain
		}
		breaks(t, vd.Admits(r), tt.rule, link, tt.member)
	}
	for name, change := range requestsInside() {
		r := goodRequest()
		change(&r)
		if err := vd.Admits(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	breaks(t, (&Verified{}).Admits(goodRequest()), RuleNotGranted, WholeChain, "time")
}

type levels = map[flow.Label]flow.Level

type levelCase struct {
	links []levels // of each link
	label flow.Label
	want  flow.Level
}

// levelCases say what the links admit of a label together.
func levelCases() []levelCase {
	return []levelCase{
		{nil, "person", flow.Dropped},
		{[]levels{nil}, "person", flow.Raw},
		{[]levels{levels{}}, "person", flow.Dropped},
		{[]levels{levels{"person": flow.Tokenized}}, "person/name", flow.Tokenized},
		{[]levels{levels{"person/name": flow.Tokenized}}, "person/names", flow.Dropped},
		{[]levels{levels{"person/name": flow.Tokenized}}, "person", flow.Dropped},
		{[]levels{levels{"person": flow.Raw, "person/name": flow.Masked}}, "person/name/given", flow.Masked},
		{[]levels{levels{"*": flow.Masked, "health": flow.Raw}}, "person", flow.Masked},
		{[]levels{levels{"*": flow.Masked, "health": flow.Raw}}, "health/code", flow.Raw},
		{[]levels{levels{"*": flow.Masked}}, "", flow.Masked},
		{[]levels{nil, levels{"person": flow.Raw}, levels{"*": flow.Tokenized}}, "person", flow.Tokenized},
		{[]levels{levels{"*": flow.Generalized}, levels{"*": flow.Tokenized}}, "person", flow.Masked}, // in either family one of them is
	}
}

func TestLevels(t *testing.T) {
	for _, tt := range levelCases() {
		vd := &Verified{}
		for _, m := range tt.links {
			vd.Links = append(vd.Links, Link{Grant: Grant{Levels: m}})
		}
		if got := vd.Level(tt.label); got != tt.want {
			t.Errorf("level of %q = %s, want %s", tt.label, got, tt.want)
		}
	}
}

// What a leaf may show is met with what policy gives it, whatever the label's family.
func TestMeetOfTreatments(t *testing.T) {
	tax := flow.DefaultTaxonomy()
	all := []flow.Treatment{{}, {Level: flow.Masked}, {Level: flow.Masked, Param: "keep:2"}, {Level: flow.Tokenized, Param: flow.TokenSurrogate}, {Level: flow.Tokenized, Param: flow.TokenFormat},
		{Level: flow.Generalized, Param: "year"}, {Level: flow.Generalized, Param: "day"}, {Level: flow.Raw}}
	for _, tt := range []struct {
		label flow.Label
		level flow.Level
		t     flow.Treatment
		want  string
	}{
		{"person/name", flow.Raw, flow.Treatment{Level: flow.Raw}, "raw"},
		{"person/name", flow.Tokenized, flow.Treatment{Level: flow.Raw}, "tokenized(reversible)"},
		{"person/name", flow.Tokenized, flow.Treatment{Level: flow.Tokenized, Param: flow.TokenSurrogate}, "tokenized(surrogate)"},
		{"person/name", flow.Generalized, flow.Treatment{Level: flow.Raw}, "masked"},
		{"person/name", flow.Dropped, flow.Treatment{Level: flow.Generalized}, "dropped"},
		{"person/name", flow.Raw, flow.Treatment{Level: flow.Generalized}, "masked"},
		{"person/birth-date", flow.Generalized, flow.Treatment{Level: flow.Raw}, "generalized(year)"},
		{"person/birth-date", flow.Tokenized, flow.Treatment{Level: flow.Raw}, "masked"},
		{"person/birth-date", flow.Masked, flow.Treatment{}, "dropped"},
	} {
		class, _ := tax.Class(tt.label)
		vd := &Verified{Links: []Link{{Grant: Grant{Levels: levels{"person": tt.level}}}}}
		if got := vd.Meet(class, tt.t); got.String() != tt.want {
			t.Errorf("%s of %s under %s is %s, want %s", tt.t, tt.label, tt.level, got, tt.want)
		}
	}
	for _, class := range tax.All() {
		for level := flow.Dropped; level <= flow.Raw; level++ {
			vd := &Verified{Links: []Link{{Grant: Grant{Levels: levels{everyLabel: level}}}}}
			for _, treatment := range all {
				once := vd.Meet(class, treatment)
				if vd.Meet(class, once) != once || once.Level.Reveals(level) || once.Level.Reveals(treatment.Level) || !class.Family.Has(once.Level) {
					t.Fatalf("%s of %s under %s is %s", treatment, class.Label, level, once)
				}
			}
		}
	}
}

// Long lists take another way than short ones.
func TestLongListsAreCompared(t *testing.T) {
	p, c := rootGrant(), rootGrant()
	for i := range maxEntries {
		p.Tasks, c.Tasks = append(p.Tasks, flow.TaskID(fmt.Sprint(i))), append(c.Tasks, flow.TaskID(fmt.Sprint(maxEntries-i-1)))
	}
	c.Names = nil
	c.Tasks = append(c.Tasks, "t1", "t2")
	if err := Narrower(&p, &c); err != nil {
		t.Error(err)
	}
	c.Tasks = append(c.Tasks, "t3")
	breaks(t, Narrower(&p, &c), RuleWidened, WholeChain, "tasks")
}
