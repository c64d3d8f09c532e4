package capability

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// world draws grants and requests from few words, so that they meet often.
type world struct{ *rand.Rand }

func (w world) chance(n int) bool { return w.IntN(n) == 0 }

// some returns a part of the words: nil now and then, and at times none.
func some[S ~string](w world, words ...S) []S {
	if w.chance(3) {
		return nil
	}
	list := []S{}
	for _, s := range words {
		if w.chance(2) {
			list = append(list, s)
		}
	}
	return list
}

func pick[S any](w world, words ...S) S { return words[w.IntN(len(words))] }

var (
	worldLabels = []flow.Label{"person", "person/name", "person/names", "person/name/given", "health", "health/code", "text", "*"}
	worldPaths  = []string{"/", "/a", "/a/b", "/ab", "/a/b/c", "a"}
	worldTools  = []string{"x/go", "x/stop", "x/*", "y/go", "y/*"}
	worldArgs   = []string{"p", "q", "r"}
)

func (w world) scalar() Scalar {
	return pick(w, Text("/a"), Text("/a/b"), Text("/ab"), Text("/a/../b"), Text("5"), Number(1), Number(5), Number(9), Truth(true), Null())
}

func (w world) constraint() Constraint {
	c := Any()
	switch w.IntN(7) {
	case 0:
		c = Equal(w.scalar())
	case 1:
		c = OneOf(w.scalar(), w.scalar())
	case 2:
		c = Between(float64(w.IntN(5)), float64(5+w.IntN(5)))
		c.Min.Open, c.Max.Open = w.chance(2), w.chance(2)
	case 3:
		c = pick(w, AtMost(float64(w.IntN(9))), AtLeast(float64(w.IntN(9))))
	case 4:
		c = Prefix(pick(w, worldPaths...))
	case 5:
		c = SubPath(pick(w, worldPaths...))
	}
	c.Optional = w.chance(3)
	return c
}

func (w world) arguments() Arguments {
	if w.chance(4) {
		return nil
	}
	a := Arguments{}
	for _, name := range worldArgs {
		if w.chance(2) {
			a[name] = w.constraint()
		}
	}
	if w.chance(3) {
		a[unnamed] = Any()
	}
	return a
}

func (w world) grant() Grant {
	g := Grant{
		Agent: pick(w, "intake", "intake/a", "intake/a/b", "intake2", "desk"), Audience: some[flow.DomainID](w, "h", "i"), Recipients: some(w, "i/x", "i/y", "i/*", "h/x"),
		Purposes: some[flow.Purpose](w, "care", "billing"), Tasks: some[flow.TaskID](w, "t1", "t2"), Techniques: some(w, "dp", "psi"),
		NotBefore: start.Add(time.Duration(w.IntN(3)) * time.Minute), Expires: start.Add(time.Duration(3+w.IntN(3)) * time.Minute), MaxDepth: w.IntN(4),
		Via: some[flow.DomainID](w, "h", "i"),
	}
	if !w.chance(3) {
		g.Criticality = ptr(flow.Criticality(w.IntN(3)))
	}
	if !w.chance(3) {
		g.Levels = map[flow.Label]flow.Level{}
		for _, l := range worldLabels {
			if w.chance(3) {
				g.Levels[l] = flow.Level(w.IntN(5))
			}
		}
	}
	if !w.chance(3) {
		g.Datasets = map[string][]string{}
		for _, d := range []string{"visits", "labs"} {
			if w.chance(2) {
				g.Datasets[d] = some(w, "age", "code")
			}
		}
	}
	if !w.chance(3) {
		g.Tools = map[string]Arguments{}
		for _, name := range worldTools {
			if w.chance(2) {
				g.Tools[name] = w.arguments()
			}
		}
	}
	if w.chance(2) {
		g.Counted = pick[flow.DomainID](w, "h", "i")
		g.Uses, g.Cost = ptr(int64(w.IntN(4))), &flow.Cost{EpsilonNano: int64(w.IntN(4)), DeltaPico: int64(w.IntN(4))}
	}
	return g
}

// child returns a grant near the parent's: some members as they are, some drawn anew, so that many children are within.
func (w world) child(p Grant) Grant {
	c, fresh := inherit(&p, Grant{}), w.grant()
	c.Levels, c.Tools = maps.Clone(c.Levels), maps.Clone(c.Tools)
	for range 1 + w.IntN(3) {
		switch w.IntN(14) {
		case 0:
			c.Agent = pick(w, fresh.Agent, p.Agent+"/a")
		case 1:
			c.Audience = fresh.Audience
		case 2:
			c.Recipients = fresh.Recipients
		case 3:
			c.Purposes = fresh.Purposes
		case 4:
			c.Tasks = fresh.Tasks
		case 5:
			c.Criticality = fresh.Criticality
		case 6:
			c.Levels = fresh.Levels
		case 7:
			if c.Levels != nil {
				l := pick(w, worldLabels...)
				if delete(c.Levels, l); w.chance(2) {
					c.Levels[l] = flow.Level(w.IntN(5))
				}
			}
		case 8:
			c.Datasets = fresh.Datasets
		case 9:
			c.Techniques, c.Via = fresh.Techniques, fresh.Via
		case 10:
			c.Counted, c.Uses, c.Cost = fresh.Counted, fresh.Uses, fresh.Cost
		case 11:
			c.NotBefore, c.Expires, c.MaxDepth = fresh.NotBefore, fresh.Expires, fresh.MaxDepth
		case 12:
			c.Tools = fresh.Tools
		case 13:
			if c.Tools != nil {
				name := pick(w, worldTools...)
				if a, ok := c.Tools[name]; ok && w.chance(2) {
					a = maps.Clone(a)
					switch {
					case a == nil:
					case w.chance(3):
						a[unnamed] = Any()
					case w.chance(3):
						delete(a, pick(w, slices.Concat(worldArgs, []string{unnamed})...))
					default:
						a[pick(w, worldArgs...)] = w.constraint()
					}
					c.Tools[name] = a
				} else if delete(c.Tools, name); w.chance(2) {
					c.Tools[name] = w.arguments()
				}
			}
		}
	}
	return c
}

func (w world) request() Request {
	var args []string
	for _, name := range slices.Concat(worldArgs, []string{"z", "*"}) {
		if w.chance(2) {
			raw := pick(w, `"/a"`, `"/a/b"`, `"/ab"`, `"/a/../b"`, `"/"`, `"a"`, `1`, `1.0`, `5`, `9`, `true`, `null`, `[1]`, `"5"`, `0.5`, `-3`)
			args = append(args, fmt.Sprintf("%q:%s", name, raw))
		}
	}
	return Request{
		At: start.Add(time.Duration(w.IntN(7)) * time.Minute), Audience: pick[flow.DomainID](w, "h", "i", "j"), From: flow.Party{Agent: pick[flow.AgentID](w, "intake", "desk"), Domain: "h"},
		To: flow.Party{Agent: pick[flow.AgentID](w, "x", "y", "z"), Domain: pick[flow.DomainID](w, "i", "h")}, Purpose: pick[flow.Purpose](w, "care", "billing", ""), Criticality: flow.Criticality(w.IntN(3)),
		Task: pick[flow.TaskID](w, "t1", "t2", ""), Tool: pick(w, "x/go", "x/stop", "x/other", "y/go", "z/go", ""), Arguments: []byte("{" + strings.Join(args, ",") + "}"),
		Dataset: pick(w, "visits", "labs", ""), Columns: pick(w, nil, []string{"age"}, []string{"code", "age"}), Technique: pick(w, "dp", "psi", ""),
	}
}

// exceeds reports a dimension in which a child admits something that its parent does not, by asking both.
func (w world) exceeds(p, c *Grant) string {
	alone := func(g *Grant) *Verified {
		return &Verified{Issuer: "h", Links: []Link{{Grant: *g}}}
	}
	pv, cv := alone(p), alone(c)
	for range 60 {
		r := w.request()
		if cv.Admits(r) == nil && pv.Admits(r) != nil {
			return fmt.Sprintf("%+v (%s)", r, r.Arguments)
		}
	}
	for _, l := range slices.Concat(worldLabels, []flow.Label{"", "persons", "person/contact", "finance", "health/code/x"}) {
		pl, cl := pv.Level(l), cv.Level(l)
		for _, f := range []flow.Family{flow.Identifier, flow.Attribute} {
			if f.Reveals(flow.Treatment{Level: cl, Param: widest(cl)}, flow.Treatment{Level: pl, Param: widest(pl)}) {
				return fmt.Sprintf("%s of %s", cl, l)
			}
		}
	}
	for _, d := range []flow.DomainID{"h", "i", "j"} {
		if cv.Vouched(d) && !pv.Vouched(d) {
			return "via " + string(d)
		}
	}
	if p.Uses != nil && (c.Uses == nil || *c.Uses > *p.Uses || c.Counted != p.Counted) || p.Cost != nil && (c.Cost == nil || c.Cost.EpsilonNano > p.Cost.EpsilonNano || c.Cost.DeltaPico > p.Cost.DeltaPico) {
		return "what is counted"
	}
	return ""
}

func widest(l flow.Level) flow.Param {
	switch l {
	case flow.Tokenized:
		return flow.TokenFormat
	case flow.Generalized:
		return "day"
	}
	return ""
}

// What a child admits, its parent admits: for random parents, random children of which many are within, and random
// requests. What is asked is Admits, which knows nothing of Narrower.
func TestChildrenAdmitASubset(t *testing.T) {
	rounds := 10_000
	if os.Getenv("SCRIM_LONG") != "" {
		rounds = 200_000
	}
	w := world{rand.New(rand.NewPCG(6, 2026))}
	narrower, wider, caught := 0, 0, 0
	for range rounds {
		p := w.grant()
		c := w.child(p)
		if Narrower(&p, &c) == nil {
			narrower++
			if by := w.exceeds(&p, &c); by != "" {
				t.Fatalf("the child is called narrower, but exceeds its parent by %s\nparent %s\nchild  %s", by, p.details(), c.details())
			}
		} else {
			wider++
			if w.exceeds(&p, &c) != "" {
				caught++
			}
		}
	}
	t.Logf("%d children within, %d not, of which %d were seen to exceed", narrower, wider, caught)
	// A test that never meets a narrower child, or whose requests never show a wider one, shows nothing.
	if narrower < rounds/5 || caught < rounds/10 {
		t.Errorf("%d of %d children within, %d seen to exceed: the draw is too poor", narrower, rounds, caught)
	}
}

// Constraints alone, value by value, and that what takes in another does so through a third.
func TestSubsumptionIsSoundAndTransitive(t *testing.T) {
	w := world{rand.New(rand.NewPCG(6, 4))}
	hits := 0
	for range 50_000 {
		a, b, c := w.constraint(), w.constraint(), w.constraint()
		if subsumes(&a, &b) && subsumes(&b, &c) {
			if hits++; !subsumes(&a, &c) {
				t.Fatalf("%s takes in %s, which takes in %s, but not that", a.raw(), b.raw(), c.raw())
			}
		}
		if subsumes(&a, &b) {
			for _, text := range []string{`"/a"`, `"/a/b"`, `"/ab"`, `"/a/../b"`, `"/a/b/c"`, `"/"`, `""`, `"a"`, `"5"`, `1`, `5`, `9`, `0.5`, `4.999`, `-1`, `true`, `null`, `[1]`, `{}`} {
				v, _ := parse(text)
				if b.admits(&v) && !a.admits(&v) {
					t.Fatalf("%s takes in %s, but not %s", a.raw(), b.raw(), text)
				}
			}
		}
	}
	if hits < 1000 {
		t.Errorf("%d chains of three, too few to show anything", hits)
	}
}

// Whole chains through Derive and Verify: what derives verifies, and the leaf admits what all links together admit.
func TestRandomChains(t *testing.T) {
	w := world{rand.New(rand.NewPCG(6, 8))}
	v := NewVerifier(anchors{"h": publicOf("hospital")}, Options{Clock: func() time.Time { return start.Add(2 * time.Minute) }})
	deep := 0
	for range 150 {
		root := w.grant()
		root.MaxDepth = 3
		tok, err := Mint(keyOf("hospital"), "k1", "h", publicOf("h0"), root, start)
		if err != nil {
			t.Fatalf("minting %s: %v", root.details(), err)
		}
		c := Chain{tok}
		grants := []Grant{root}
		for i := range 3 {
			last := grants[len(grants)-1]
			next := w.child(last)
			next.MaxDepth = 3
			longer, err := Derive(c, keyOf(fmt.Sprintf("h%d", i)), publicOf(fmt.Sprintf("h%d", i+1)), next, start)
			if merged := inherit(&last, next); (err == nil) != (Narrower(&last, &merged) == nil) {
				t.Fatalf("Derive() = %v, Narrower() = %v", err, Narrower(&last, &merged))
			}
			if err != nil {
				break
			}
			c, grants = longer, append(grants, inherit(&last, next))
		}
		vd, err := v.Verify(c)
		if err != nil {
			t.Fatal(err)
		}
		deep = max(deep, len(vd.Links))
		leaf := &Verified{Issuer: vd.Issuer, skew: vd.skew, Links: vd.Links[len(vd.Links)-1:]}
		for range 20 {
			r := w.request()
			if a, b := vd.Admits(r), leaf.Admits(r); (a == nil) != (b == nil) && len(vd.Links) > 0 && !strings.Contains(fmt.Sprint(a, b), "agent") {
				t.Fatalf("the chain says %v, its leaf alone %v", a, b)
			}
		}
		for _, l := range worldLabels {
			if vd.Level(l) != leaf.Level(l) {
				t.Fatalf("the chain shows %s of %s, its leaf alone %s", vd.Level(l), l, leaf.Level(l))
			}
		}
	}
	if deep < 4 {
		t.Errorf("the deepest chain has %d links", deep)
	}
}
