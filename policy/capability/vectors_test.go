package capability

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// verdict is what a vector wants: the rule that is broken, where and of what; an empty rule is none.
type verdict struct {
	Rule   Rule   `json:"rule"`
	Link   int    `json:"link"`
	Member string `json:"member"`
}

func verdictOf(err error) verdict {
	e, _ := errors.AsType[*Error](err)
	if e == nil {
		return verdict{}
	}
	return verdict{e.Rule, e.Link, e.Member}
}

type vectorKey struct {
	Name       string          `json:"name"`
	Seed       string          `json:"seed"` // of RFC 8032, in hexadecimal
	JWK        json.RawMessage `json:"jwk"`
	Thumbprint string          `json:"thumbprint"`
}

type vectorAnchor struct {
	Domain flow.DomainID `json:"domain"`
	KID    string        `json:"kid"`
	Key    string        `json:"key"` // name of one of the keys
}

type keyVectors struct {
	About   string         `json:"about"`
	Keys    []vectorKey    `json:"keys"`
	Anchors []vectorAnchor `json:"anchors"`
}

type mintVector struct {
	Signer string        `json:"signer"`
	KID    string        `json:"kid"`
	Issuer flow.DomainID `json:"issuer"`
	Holder string        `json:"holder"`
	Grant  Grant         `json:"grant"`
	Now    int64         `json:"now"`
	ID     string        `json:"id"`
	Token  Token         `json:"token"`
}

type deriveVector struct {
	Parent string `json:"parent"`
	Signer string `json:"signer"`
	Holder string `json:"holder"`
	Grant  Grant  `json:"grant"` // what differs from the parent's
	Now    int64  `json:"now"`
	ID     string `json:"id"`
	Token  Token  `json:"token"`
}

type vectorBound struct {
	Audience flow.DomainID `json:"audience"`
	Method   string        `json:"method"`
	Target   string        `json:"target"`
	Body     string        `json:"body"` // the body itself
	Nonce    string        `json:"nonce"`
}

func (b vectorBound) bound() Bound {
	return Bound{Audience: b.Audience, Method: b.Method, Target: b.Target, Body: BodyHash([]byte(b.Body)), Nonce: b.Nonce}
}

type proveVector struct {
	Leaf   Token       `json:"leaf"`
	Signer string      `json:"signer"`
	Bound  vectorBound `json:"bound"`
	Now    int64       `json:"now"`
	ID     string      `json:"id"`
	Proof  string      `json:"proof"`
}

type signVectors struct {
	About  string         `json:"about"`
	Mint   []mintVector   `json:"mint"`
	Derive []deriveVector `json:"derive"`
	Prove  []proveVector  `json:"prove"`
}

type chainVector struct {
	Name  string       `json:"name"`
	Now   int64        `json:"now"`
	Chain string       `json:"chain"`
	Want  verdict      `json:"want"`
	Links []linkVector `json:"links,omitempty"` // how the tokens are read
}

type linkVector struct {
	ID     string `json:"id"`
	Hash   string `json:"hash"`
	Signer string `json:"signer"`
	Holder string `json:"holder"`
	Grant  Grant  `json:"grant"`
}

type chainVectors struct {
	About   string        `json:"about"`
	Vectors []chainVector `json:"vectors"`
}

type proofVector struct {
	Name  string      `json:"name"`
	Now   int64       `json:"now"`
	Proof string      `json:"proof"`
	Bound vectorBound `json:"bound"`
	Want  verdict     `json:"want"`
}

type proofVectors struct {
	About   string        `json:"about"`
	Chain   string        `json:"chain"`
	Vectors []proofVector `json:"vectors"`
}

type requestVector struct {
	At          int64            `json:"at"` // 0: no clock
	Audience    flow.DomainID    `json:"audience"`
	From        flow.Party       `json:"from"`
	To          flow.Party       `json:"to"`
	Purpose     flow.Purpose     `json:"purpose"`
	Criticality flow.Criticality `json:"criticality"`
	Task        flow.TaskID      `json:"task"`
	Tool        string           `json:"tool"`
	Arguments   string           `json:"arguments"` // as sent
	Dataset     string           `json:"dataset"`
	Columns     []string         `json:"columns"` // null: all
	Technique   string           `json:"technique"`
	Want        verdict          `json:"want"`
}

func (v requestVector) request() Request {
	r := Request{Audience: v.Audience, From: v.From, To: v.To, Purpose: v.Purpose, Criticality: v.Criticality, Task: v.Task, Tool: v.Tool,
		Arguments: []byte(v.Arguments), Dataset: v.Dataset, Columns: v.Columns, Technique: v.Technique}
	if v.At != 0 {
		r.At = time.Unix(v.At, 0)
	}
	return r
}

type levelVector struct {
	Links []levels   `json:"links"` // null: the link bounds no label
	Label flow.Label `json:"label"`
	Level flow.Level `json:"level"`
}

type requestVectors struct {
	About   string          `json:"about"`
	Chain   string          `json:"chain"`
	Vectors []requestVector `json:"vectors"`
	Levels  []levelVector   `json:"levels"`
}

type narrowVector struct {
	Name   string `json:"name"`
	Child  Grant  `json:"child"`
	Member string `json:"member"` // what widens; empty: nothing
}

type narrowVectors struct {
	About   string         `json:"about"`
	Parent  Grant          `json:"parent"`
	Vectors []narrowVector `json:"vectors"`
}

type checkVector struct {
	Constraint json.RawMessage `json:"constraint"`
	Value      string          `json:"value"` // JSON, as sent
	Admits     bool            `json:"admits"`
}

type pairVector struct {
	Parent   json.RawMessage `json:"parent"`
	Child    json.RawMessage `json:"child"`
	Subsumes bool            `json:"subsumes"`
}

type constraintVectors struct {
	About  string        `json:"about"`
	Checks []checkVector `json:"checks"`
	Pairs  []pairVector  `json:"pairs"`
}

// vectors returns every file of vectors.
func vectors(t testing.TB) map[string]any {
	return map[string]any{
		"keys.json": keysForVectors(), "sign.json": signForVectors(t), "chains.json": chainsForVectors(t), "proofs.json": proofsForVectors(t),
		"requests.json": requestsForVectors(t), "narrowing.json": narrowingForVectors(), "constraints.json": constraintsForVectors(),
	}
}

func keysForVectors() keyVectors {
	v := keyVectors{About: "Keys that sign and hold the tokens of the other files, and the anchors that roots are verified against."}
	for _, name := range []string{"hospital", "lab", "h0", "h1", "h2", "h3"} {
		v.Keys = append(v.Keys, vectorKey{name, hex.EncodeToString(keyOf(name).Seed()), HolderJWK(publicOf(name)), ThumbprintOf(publicOf(name)).String()})
	}
	v.Anchors = []vectorAnchor{{"hospital", "k1", "hospital"}, {"lab", "k1", "lab"}}
	return v
}

func signForVectors(t testing.TB) signVectors {
	c := fourLinks(t)
	v := signVectors{About: "What is signed, byte for byte: Ed25519 is deterministic, and header and payload are canonical JSON (RFC 8785)."}
	v.Mint = []mintVector{{"hospital", "k1", "hospital", "h0", rootGrant(), start.Unix(), "root", c[0]}}
	v.Derive = []deriveVector{
		{c[:1].String(), "h0", "h1", Grant{Agent: "intake/plan", Recipients: []string{"insurer/*"}}, start.Unix(), "child-1", c[1]},
		{c[:2].String(), "h1", "h2", Grant{Agent: "intake/plan/read", Uses: ptr(int64(2)), Purposes: []flow.Purpose{"billing"}}, start.Unix(), "child-2", c[2]},
	}
	b := vectorBound{"insurer", "POST", "/a2a/prior-auth", proofBody, "n1"}
	p, err := prove(c[3], keyOf("h3"), b.bound(), start, "proof-1")
	if err != nil {
		t.Fatal(err)
	}
	v.Prove = []proveVector{{c[3], "h3", b, start.Unix(), "proof-1", p}}
	return v
}

func chainsForVectors(t testing.TB) chainVectors {
	v := chainVectors{About: "Chains as the header carries them, at a time, under the default options, and the rule that is broken."}
	add := func(name, header string, at time.Time, want verdict) {
		cv := chainVector{Name: name, Now: at.Unix(), Chain: header, Want: want}
		if len(v.Vectors) == 0 { // one is enough to say how tokens are read
			c, err := ParseChain(header)
			if err != nil {
				t.Fatal(err)
			}
			vd, err := verifierAt(at, Options{}).Verify(c)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range vd.Links {
				cv.Links = append(cv.Links, linkVector{l.ID, encode(l.Hash[:]), l.Signer.String(), l.Holder.String(), l.Grant})
			}
		}
		v.Vectors = append(v.Vectors, cv)
	}
	soon := start.Add(time.Minute)
	add("root and three hops", fourLinks(t).String(), soon, verdict{})
	for _, tt := range slices.Concat(forgedChains(t), malformedTokens(t), unusualChains(t)) {
		add(tt.name, tt.chain.String(), soon, verdict{tt.rule, tt.link, tt.member})
	}
	p := wideParent()
	for _, w := range widenings() {
		want := verdict{RuleWidened, 1, w.member}
		if w.member == "max_depth" {
			want = verdict{RuleDepth, 1, "del_max_depth"}
		}
		add("widened: "+w.name, forgedChild(t, p, childOf(p, w.change)).String(), soon, want)
	}
	g := rootGrant()
	g.NotBefore = start.Add(10 * time.Minute)
	timed := mustDerive(t, mustMint(t, g), "h0", "h1", Grant{Expires: start.Add(30 * time.Minute)}).String()
	add("not yet", timed, start.Add(10*time.Minute-31*time.Second), verdict{RuleEarly, 0, "nbf"})
	add("not yet, within the skew", timed, start.Add(10*time.Minute-30*time.Second), verdict{})
	add("until the last second", timed, start.Add(30*time.Minute-time.Second), verdict{})
	add("no longer", timed, start.Add(30*time.Minute), verdict{RuleExpired, 1, "exp"})
	add("issued in the future", fourLinks(t).String(), start.Add(-31*time.Second), verdict{RuleEarly, 0, "iat"})
	return v
}

func proofsForVectors(t testing.TB) proofVectors {
	c, good, cases := forgedProofs(t)
	b := vectorBound{proofBound.Audience, proofBound.Method, proofBound.Target, proofBody, proofBound.Nonce}
	v := proofVectors{About: "Proofs of the holder of a chain's leaf, for one call, under the default options.", Chain: c.String()}
	now := start.Add(time.Minute).Unix()
	v.Vectors = append(v.Vectors, proofVector{"right", now, good, b, verdict{}}, proofVector{"right, at the end of its time", now + 60, good, b, verdict{}},
		proofVector{"a second later", now + 61, good, b, verdict{RuleProofTime, OfProof, "iat"}})
	for _, tt := range cases {
		v.Vectors = append(v.Vectors, proofVector{tt.name, now, tt.proof, b, verdict{tt.rule, tt.link, tt.member}})
	}
	return v
}

func requestsForVectors(t testing.TB) requestVectors {
	v := requestVectors{About: "Requests under a chain, and the first bound that does not admit them; what may show of a label under the levels of some links.", Chain: requestedChain(t).String()}
	add := func(change func(*Request), want verdict) {
		r := goodRequest()
		change(&r)
		rv := requestVector{0, r.Audience, r.From, r.To, r.Purpose, r.Criticality, r.Task, r.Tool, string(r.Arguments), r.Dataset, r.Columns, r.Technique, want}
		if !r.At.IsZero() {
			rv.At = r.At.Unix()
		}
		v.Vectors = append(v.Vectors, rv)
	}
	inside := requestsInside()
	for _, name := range slices.Sorted(maps.Keys(inside)) {
		add(inside[name], verdict{})
	}
	for _, tt := range requestsOutside() {
		link := 0
		if tt.member == "time" {
			link = WholeChain
		}
		add(tt.change, verdict{tt.rule, link, tt.member})
	}
	for _, tt := range levelCases() {
		v.Levels = append(v.Levels, levelVector{tt.links, tt.label, tt.want})
	}
	return v
}

func narrowingForVectors() narrowVectors {
	v := narrowVectors{About: "Children of one parent, and the first member that widens.", Parent: wideParent()}
	inside := narrowings()
	for _, name := range slices.Sorted(maps.Keys(inside)) {
		v.Vectors = append(v.Vectors, narrowVector{name, childOf(v.Parent, inside[name]), ""})
	}
	for _, w := range widenings() {
		v.Vectors = append(v.Vectors, narrowVector{w.name, childOf(v.Parent, w.change), w.member})
	}
	return v
}

func constraintsForVectors() constraintVectors {
	v := constraintVectors{About: "Which values a constraint admits, and which constraints it takes in."}
	for _, tt := range constraintCases() {
		for _, admits := range []bool{true, false} {
			for text := range strings.FieldsSeq(map[bool]string{true: tt.yes, false: tt.no}[admits]) {
				v.Checks = append(v.Checks, checkVector{tt.c.raw(), text, admits})
			}
		}
	}
	named, takesIn := constraintTable()
	for _, p := range slices.Sorted(maps.Keys(named)) {
		for _, c := range slices.Sorted(maps.Keys(named)) {
			v.Pairs = append(v.Pairs, pairVector{ptr(named[p]).raw(), ptr(named[c]).raw(), slices.Contains(strings.Fields(takesIn[p]), c)})
		}
	}
	return v
}
