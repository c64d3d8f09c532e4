package contract

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

var begins = time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)

func signer(d flow.DomainID, seed byte) Signer {
	return Signer{Domain: d, Key: ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32)), KeyID: "k1"}
}

var (
	hospital = signer("hospital", 1)
	insurer  = signer("insurer", 2)
	stranger = signer("stranger", 3)
)

// keys are those of all three.
type keys struct{}

func (keys) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	for _, s := range []Signer{hospital, insurer, stranger} {
		if s.Domain == d && s.KeyID == kid {
			return s.Key.Public().(ed25519.PublicKey), true
		}
	}
	return nil, false
}

func seconds(n int64) *time.Duration { d := time.Duration(n) * time.Second; return &d }

func sample() *Contract {
	return &Contract{
		Negotiation: "0123456789abcdefghijklmnop", Version: 1, Name: "prior-auth", Purposes: []flow.Purpose{"billing"},
		NotBefore: begins, Expires: begins.Add(90 * 24 * time.Hour),
		Parties: [2]Party{
			{Domain: "hospital", Agents: []flow.AgentID{"intake"}, Gives: Gives{
				Levels:   map[flow.Label]flow.Level{"person": flow.Tokenized, "person/birth-date": flow.Generalized, "health/diagnosis": flow.Generalized},
				Datasets: map[string][]string{"stays": {"born", "code"}, "visits": nil}, Techniques: []string{"aggregate"},
				Cost: &flow.Cost{EpsilonNano: 1_000_000_000, DeltaPico: 1}, Retain: seconds(30 * 24 * 3600), Notify: []string{"dpo@hospital.example"},
			}},
			{Domain: "insurer", Gives: Gives{Levels: map[flow.Label]flow.Level{"*": flow.Raw}}},
		},
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestBothSignTheSameBytes(t *testing.T) {
	offer := must[*Signed](t)(Offer(sample(), hospital))
	read := must[*Signed](t)(Read(offer.Bytes(), keys{}))
	if read.Agreed() || !slices.Equal(read.By, []flow.DomainID{"hospital"}) {
		t.Fatalf("an offer is signed by %v", read.By)
	}
	both := must[*Signed](t)(read.Accept(insurer))
	agreed := must[*Signed](t)(Read(both.Bytes(), keys{}))
	if !agreed.Agreed() || agreed.Contract.ID() != offer.Contract.ID() {
		t.Errorf("agreed by %v on %s, offered was %s", agreed.By, agreed.Contract.ID(), offer.Contract.ID())
	}
	if _, err := read.Accept(hospital); !errors.Is(err, &Error{Rule: RuleSigner}) {
		t.Errorf("the offering side accepts its own offer: %v", err)
	}
	if _, err := Offer(sample(), stranger); !errors.Is(err, &Error{Rule: RuleSigner}) {
		t.Errorf("a stranger offers in the name of two others: %v", err)
	}
	end := must[string](t)(End{Negotiation: sample().Negotiation, At: begins}.Sign(insurer))
	if got, err := ReadEnd(end, keys{}); err != nil || got.By != "insurer" || got.Negotiation != sample().Negotiation || !got.At.Equal(begins) {
		t.Errorf("the end reads as %+v, %v", got, err)
	}
}

// Each rule is broken alone, and the error names it.
func TestWhatIsSignedIsReadStrictly(t *testing.T) {
	offer := must[*Signed](t)(Offer(sample(), hospital))
	text := string(offer.Bytes())
	payload := b64.EncodeToString(offer.Contract.bytes())
	resigned := func(change func(h *header, payload *string), by ...Signer) string {
		var list []signature
		p := string(offer.Contract.bytes())
		for _, s := range by {
			h := header{"EdDSA", string(s.Domain), s.KeyID, Type}
			change(&h, &p)
			protected := b64.EncodeToString(encode(h))
			sig, _ := sign(s.Key, protected+"."+b64.EncodeToString([]byte(p)))
			list = append(list, signature{Protected: protected, Signature: b64.EncodeToString(sig)})
		}
		return string(encode(envelope{b64.EncodeToString([]byte(p)), list}))
	}
	same := func(*header, *string) {}
	inPayload := func(old, new string) func(*header, *string) {
		return func(_ *header, p *string) {
			if !strings.Contains(*p, old) {
				t.Fatalf("the payload has no %s: %s", old, *p)
			}
			*p = strings.Replace(*p, old, new, 1)
		}
	}
	for name, c := range map[string]struct {
		text string
		rule Rule
	}{
		"no JSON":                 {"{", RuleForm},
		"more behind it":          {text + "{}", RuleForm},
		"white space":             {strings.Replace(text, ":", ": ", 1), RuleForm},
		"an unknown member":       {strings.Replace(text, `{"payload"`, `{"a":1,"payload"`, 1), RuleForm},
		"a member twice":          {strings.Replace(text, `{"payload"`, `{"payload":"","payload"`, 1), RuleForm},
		"a line end in base64":    {strings.Replace(text, payload[:8], payload[:8]+`\n`, 1), RuleForm},
		"no signature":            {`{"payload":"` + payload + `","signatures":[]}`, RuleForm},
		"too long":                {text + strings.Repeat(" ", 2*MaxText), RuleSize},
		"no algorithm":            {resigned(func(h *header, _ *string) { h.Algorithm = "none" }, hospital), RuleAlgorithm},
		"another algorithm":       {resigned(func(h *header, _ *string) { h.Algorithm = "HS256" }, hospital), RuleAlgorithm},
		"another type":            {resigned(func(h *header, _ *string) { h.Type = "scrim-hop+jwt" }, hospital), RuleType},
		"an unknown key":          {resigned(func(h *header, _ *string) { h.KeyID = "k2" }, hospital), RuleSigner},
		"a stranger's":            {resigned(same, stranger), RuleSigner},
		"in another's name":       {resigned(func(h *header, _ *string) { h.Issuer = "insurer" }, hospital), RuleSignature},
		"one side twice":          {resigned(same, hospital, hospital), RuleSigner},
		"not in order":            {resigned(same, insurer, hospital), RuleSigner},
		"other bytes":             {strings.Replace(text, payload, b64.EncodeToString([]byte(strings.Replace(string(offer.Contract.bytes()), "tokenized", "masked", 1))), 1), RuleSignature},
		"a payload with spaces":   {resigned(inPayload(`"exp":`, `"exp": `), hospital), RuleForm},
		"a list that is unsorted": {resigned(inPayload(`["born","code"]`, `["code","born"]`), hospital), RuleForm},
		"a level that is none":    {resigned(inPayload(`"tokenized"`, `"open"`), hospital), RuleContent},
		"a null":                  {resigned(inPayload(`"levels":{"*":"raw"}`, `"levels":null`), hospital), RuleContent},
		"no purpose":              {resigned(inPayload(`["billing"]`, `[]`), hospital), RuleContent},
		"no agents at all":        {resigned(inPayload(`["intake"]`, `[]`), hospital), RuleContent},
		"one party twice":         {resigned(inPayload(`"domain":"insurer"`, `"domain":"hospital"`), hospital), RuleContent},
		"a name with a colon":     {resigned(inPayload(`"prior-auth"`, `"a:b"`), hospital), RuleContent},
		"for ever":                {resigned(inPayload(`"exp":1803513600`, `"exp":1903513600`), hospital), RuleTime},
		"an end before its start": {resigned(inPayload(`"exp":1803513600`, `"exp":1`), hospital), RuleTime},
		"a negative cost":         {resigned(inPayload(`"delta_pico":1`, `"delta_pico":-1`), hospital), RuleContent},
		"no negotiation":          {resigned(inPayload(`0123456789abcdefghijklmnop`, `short`), hospital), RuleContent},
		"a first that answers":    {resigned(inPayload(`"purposes"`, `"previous":"`+offer.Contract.ID()+`","purposes"`), hospital), RuleContent},
	} {
		_, err := Read([]byte(c.text), keys{})
		if !errors.Is(err, &Error{Rule: c.rule}) {
			t.Errorf("%s: error = %v, want rule %s", name, err, c.rule)
		}
		if err != nil && (strings.Contains(err.Error(), "intake") || strings.Contains(err.Error(), "eyJ")) {
			t.Errorf("%s: the error repeats what it is about: %v", name, err)
		}
	}
	end := must[string](t)(End{Negotiation: sample().Negotiation, At: begins}.Sign(insurer))
	parts := strings.Split(end, ".")
	for name, c := range map[string]struct {
		text string
		rule Rule
	}{
		"not three parts": {parts[0] + "." + parts[1], RuleForm},
		"a contract":      {b64.EncodeToString(encode(header{"EdDSA", "insurer", "k1", Type})) + "." + parts[1] + "." + parts[2], RuleType},
		"other bytes":     {parts[0] + "." + b64.EncodeToString(encode(endBody{1, sample().Negotiation})) + "." + parts[2], RuleSignature},
		"too long":        {end + strings.Repeat("A", 4096), RuleSize},
	} {
		if _, err := ReadEnd(c.text, keys{}); !errors.Is(err, &Error{Rule: c.rule}) {
			t.Errorf("end, %s: error = %v, want rule %s", name, err, c.rule)
		}
	}
}

// Each way to widen is refused, and what narrows is not.
func TestAnAnswerThatWidensIsRefused(t *testing.T) {
	first := must[*Contract](t)(Parse(sample().bytes()))
	for name, c := range map[string]struct {
		change func(*Contract)
		want   *Error
	}{
		"the same":              {func(*Contract) {}, nil},
		"a lower level":         {func(c *Contract) { c.Parties[0].Gives.Levels["person"] = flow.Masked }, nil},
		"a label taken out":     {func(c *Contract) { delete(c.Parties[0].Gives.Levels, "person") }, nil},
		"a lower one below":     {func(c *Contract) { c.Parties[0].Gives.Levels["person/name"] = flow.Dropped }, nil},
		"a shorter time":        {func(c *Contract) { c.Parties[0].Gives.Retain = seconds(1) }, nil},
		"fewer agents":          {func(c *Contract) { c.Parties[1].Agents = []flow.AgentID{"claims"} }, nil},
		"one more to notify":    {func(c *Contract) { c.Parties[0].Gives.Notify = append(c.Parties[0].Gives.Notify, "a") }, nil},
		"columns of all":        {func(c *Contract) { c.Parties[0].Gives.Datasets["visits"] = []string{"day"} }, nil},
		"a higher level":        {func(c *Contract) { c.Parties[0].Gives.Levels["person"] = flow.Raw }, &Error{RuleWidens, "levels"}},
		"another family":        {func(c *Contract) { c.Parties[0].Gives.Levels["person"] = flow.Generalized }, &Error{RuleWidens, "levels"}},
		"a label more":          {func(c *Contract) { c.Parties[0].Gives.Levels["finance"] = flow.Masked }, &Error{RuleWidens, "levels"}},
		"a higher one below":    {func(c *Contract) { c.Parties[0].Gives.Levels["person/name"] = flow.Raw }, &Error{RuleWidens, "levels"}},
		"a bound taken out":     {func(c *Contract) { delete(c.Parties[0].Gives.Levels, "person/birth-date") }, &Error{RuleWidens, "levels"}},
		"all labels":            {func(c *Contract) { c.Parties[0].Gives.Levels["*"] = flow.Masked }, &Error{RuleWidens, "levels"}},
		"a purpose more":        {func(c *Contract) { c.Purposes = append(c.Purposes, "research") }, &Error{RuleWidens, "purposes"}},
		"an agent more":         {func(c *Contract) { c.Parties[0].Agents = append(c.Parties[0].Agents, "other") }, &Error{RuleWidens, "agents"}},
		"all agents":            {func(c *Contract) { c.Parties[0].Agents = nil }, &Error{RuleWidens, "agents"}},
		"a dataset more":        {func(c *Contract) { c.Parties[0].Gives.Datasets["new"] = []string{"a"} }, &Error{RuleWidens, "datasets"}},
		"a column more":         {func(c *Contract) { c.Parties[0].Gives.Datasets["stays"] = []string{"born", "code", "zip"} }, &Error{RuleWidens, "datasets"}},
		"all columns":           {func(c *Contract) { c.Parties[0].Gives.Datasets["stays"] = nil }, &Error{RuleWidens, "datasets"}},
		"all datasets":          {func(c *Contract) { c.Parties[0].Gives.Datasets = nil }, &Error{RuleWidens, "datasets"}},
		"a technique more":      {func(c *Contract) { c.Parties[0].Gives.Techniques = []string{"aggregate", "train"} }, &Error{RuleWidens, "techniques"}},
		"all techniques":        {func(c *Contract) { c.Parties[0].Gives.Techniques = nil }, &Error{RuleWidens, "techniques"}},
		"a higher ε":            {func(c *Contract) { c.Parties[0].Gives.Cost = &flow.Cost{EpsilonNano: 2_000_000_000, DeltaPico: 1} }, &Error{RuleWidens, "cost"}},
		"a higher δ":            {func(c *Contract) { c.Parties[0].Gives.Cost = &flow.Cost{EpsilonNano: 1, DeltaPico: 2} }, &Error{RuleWidens, "cost"}},
		"no cap":                {func(c *Contract) { c.Parties[0].Gives.Cost = nil }, &Error{RuleWidens, "cost"}},
		"a longer time":         {func(c *Contract) { c.Parties[0].Gives.Retain = seconds(1 << 30) }, &Error{RuleWidens, "retain"}},
		"no time":               {func(c *Contract) { c.Parties[0].Gives.Retain = nil }, &Error{RuleWidens, "retain"}},
		"nobody to notify":      {func(c *Contract) { c.Parties[0].Gives.Notify = nil }, &Error{RuleWidens, "notify"}},
		"earlier":               {func(c *Contract) { c.NotBefore = c.NotBefore.Add(-time.Second) }, &Error{RuleWidens, "nbf"}},
		"longer":                {func(c *Contract) { c.Expires = c.Expires.Add(time.Second) }, &Error{RuleWidens, "exp"}},
		"another name":          {func(c *Contract) { c.Name = "gold" }, &Error{Rule: RuleAnother}},
		"another negotiation":   {func(c *Contract) { c.Negotiation = NewNegotiation() }, &Error{Rule: RuleAnother}},
		"another party":         {func(c *Contract) { c.Parties[1].Domain = "stranger" }, &Error{Rule: RuleAnother}},
		"a version left out":    {func(c *Contract) { c.Version++ }, &Error{RuleVersion, "version"}},
		"answers another offer": {func(c *Contract) { c.Previous = strings.Repeat("A", 43) }, &Error{RuleVersion, "previous"}},
	} {
		next := first.Next()
		c.change(next)
		err := next.Answers(first)
		if c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: error = %v, want %v", name, err, c.want)
		}
		if c.want == nil {
			if _, err := Offer(next, insurer); err != nil {
				t.Errorf("%s: cannot be offered: %v", name, err)
			}
		}
	}
}

var someLabels = []flow.Label{"*", "person", "person/name", "person/birth-date", "health", "health/diagnosis", "finance"}

func randomGives(r *rand.Rand) Gives {
	g := Gives{Levels: map[flow.Label]flow.Level{}}
	for _, l := range someLabels {
		if r.IntN(2) == 0 {
			g.Levels[l] = flow.Level(r.IntN(5))
		}
	}
	if r.IntN(2) == 0 {
		g.Datasets = map[string][]string{}
		for _, d := range []string{"a", "b"} {
			switch r.IntN(3) {
			case 0:
				g.Datasets[d] = nil
			case 1:
				g.Datasets[d] = []string{"x", "y", "z"}[:1+r.IntN(3)]
			}
		}
	}
	return g
}

// Whatever two sides offer: where an answer is taken, no value of any label shows more under it than under what it answers, and no
// flow is bound by fewer rules; and no contract shows more than there would be without one.
func TestContractsOnlyNarrow(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 6))
	classes := flow.DefaultTaxonomy().All()
	taken, refused := 0, 0
	for range 4000 {
		first := sample()
		first.Parties[0].Gives = randomGives(r)
		next := first.Next()
		if next.Parties[0].Gives = randomGives(r); r.IntN(3) > 0 { // mostly near the first, so that many are narrower
			next = first.Next()
			for _, l := range someLabels {
				if r.IntN(3) == 0 {
					next.Parties[0].Gives.Levels[l] = flow.Level(r.IntN(5))
				}
			}
		}
		narrower := next.Answers(first) == nil
		for range 60 {
			class := classes[r.IntN(len(classes))]
			leaf := &flow.Leaf{Label: class.Label, Field: []string{"", "a/x", "b/z", "c/x"}[r.IntN(4)]}
			without := class.Resolve(flow.Treatment{Level: class.Family.Levels()[r.IntN(4)]})
			was, is := first.Limit("hospital", class, leaf, without), next.Limit("hospital", class, leaf, without)
			if class.Family.Reveals(was, without) || class.Family.Reveals(is, without) {
				t.Fatalf("seed %d: %s shows %s or %s under a contract and %s without", seed, class.Label, was, is, without)
			}
			if narrower && class.Family.Reveals(is, was) {
				t.Fatalf("seed %d: of %s in %q the answer shows %s, the offer %s", seed, class.Label, leaf.Field, is, was)
			}
		}
		if narrower {
			taken++
		} else {
			refused++
		}
	}
	if taken < 100 || refused < 100 {
		t.Errorf("%d taken, %d refused: the test sees too little", taken, refused)
	}
}

func TestLevelsOfAContractAreMetWithWhatThereWouldBe(t *testing.T) {
	for _, c := range []struct {
		label         flow.Label
		without, most string
		want          string
	}{
		{"person/name", "raw", "tokenized", "tokenized(reversible)"},
		{"person/name", "tokenized(reversible)", "tokenized", "tokenized(reversible)"},
		{"person/name", "tokenized(reversible)", "generalized", "masked"},
		{"person/name", "masked(keep:2)", "tokenized", "masked(keep:2)"},
		{"person/name", "raw", "dropped", "dropped"},
		{"person/birth-date", "raw", "generalized", "generalized(year)"},
		{"person/birth-date", "generalized(month)", "generalized", "generalized(month)"},
		{"person/birth-date", "generalized(month)", "masked", "masked"},
		{"person/birth-date", "raw", "tokenized", "masked"},
		{"person/birth-date", "dropped", "raw", "dropped"},
	} {
		treatment := func(s string) flow.Treatment {
			name, param, _ := strings.Cut(strings.TrimSuffix(s, ")"), "(")
			return flow.Treatment{Level: must[flow.Level](t)(flow.ParseLevel(name)), Param: flow.Param(param)}
		}
		k := sample()
		k.Parties[0].Gives.Levels = map[flow.Label]flow.Level{"*": treatment(c.most).Level}
		class, _ := flow.DefaultTaxonomy().Class(c.label)
		if got := k.Limit("hospital", class, &flow.Leaf{Label: c.label}, treatment(c.without)); got.String() != c.want {
			t.Errorf("%s at %s under %s shows %s, want %s", c.label, c.without, c.most, got, c.want)
		}
	}
	k := sample()
	class, _ := flow.DefaultTaxonomy().Class("health/diagnosis")
	raw := flow.Treatment{Level: flow.Raw}
	for field, want := range map[string]flow.Level{"": flow.Generalized, "stays/code": flow.Generalized, "stays/zip": flow.Dropped, "visits/any": flow.Generalized, "other/code": flow.Dropped} {
		if got := k.Limit("hospital", class, &flow.Leaf{Label: "health/diagnosis", Field: field}, raw); got.Level != want {
			t.Errorf("a value of %q shows %s, want %s", field, got, want)
		}
	}
	if got := k.Limit("lab", class, &flow.Leaf{Label: "health/diagnosis"}, raw); got.Level != flow.Dropped {
		t.Errorf("what a third domain gives shows %s", got)
	}
}

func TestContractsBindTheirFlowsAlone(t *testing.T) {
	c := sample()
	f := flow.Flow{From: flow.Party{Agent: "intake", Domain: "hospital"}, To: flow.Party{Agent: "claims", Domain: "insurer"}, Purpose: "billing"}
	back := f
	back.From, back.To = f.To, f.From
	if !c.Binds(&f) || !c.Binds(&back) {
		t.Error("a flow of the contract is not bound by it")
	}
	for name, change := range map[string]func(*flow.Flow){
		"another purpose": func(f *flow.Flow) { f.Purpose = "care" },
		"another agent":   func(f *flow.Flow) { f.From.Agent = "desk" },
		"another domain":  func(f *flow.Flow) { f.To.Domain = "lab" },
		"within a domain": func(f *flow.Flow) { f.To.Domain = "hospital" },
	} {
		other := f
		if change(&other); c.Binds(&other) {
			t.Errorf("%s: is bound", name)
		}
	}
	if c.InForce(begins.Add(-1)) || !c.InForce(begins) || c.InForce(c.Expires) {
		t.Error("a contract counts from its first second until its end, and not in it")
	}
	d := c.Duties("hospital", flow.Duties{Retain: 365 * 24 * time.Hour, Notify: []string{"a"}})
	if d.Retain != 30*24*time.Hour || !slices.Equal(d.Notify, []string{"a", "dpo@hospital.example"}) {
		t.Errorf("duties are %+v", d)
	}
	if !c.Technique("hospital", "aggregate") || c.Technique("hospital", "train") || !c.Technique("insurer", "train") || c.Technique("lab", "aggregate") {
		t.Error("techniques are not those that are named")
	}
}

// The vectors of docs/spec/terms.md are what this package writes.
func TestVectors(t *testing.T) {
	offer := must[*Signed](t)(Offer(sample(), hospital))
	both := must[*Signed](t)(offer.Accept(insurer))
	end := must[string](t)(End{Negotiation: sample().Negotiation, At: begins}.Sign(insurer))
	got := fmt.Sprintf("%s\n%s\n%s\n%s\n%s\n", offer.Contract.bytes(), offer.Contract.ID(), offer.Bytes(), both.Bytes(), end)
	const file = "testdata/vectors.txt"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%v: the vectors are not what is written:\n%s", err, got)
	}
}

func FuzzRead(f *testing.F) {
	offer, err := Offer(sample(), hospital)
	if err != nil {
		f.Fatal(err)
	}
	both, err := offer.Accept(insurer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(offer.Bytes())
	f.Add(both.Bytes())
	f.Add(offer.Contract.bytes())
	f.Fuzz(func(t *testing.T, raw []byte) {
		if c, err := Parse(raw); err == nil && !bytes.Equal(c.bytes(), raw) {
			t.Error("a payload has two spellings")
		}
		s, err := Read(raw, keys{})
		if err != nil {
			return
		}
		if !bytes.Equal(s.Bytes(), raw) || len(s.By) == 0 {
			t.Error("what was signed has two spellings")
		}
	})
}

func FuzzReadEnd(f *testing.F) {
	end, err := End{Negotiation: sample().Negotiation, At: begins}.Sign(insurer)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(end)
	f.Fuzz(func(t *testing.T, text string) {
		if e, err := ReadEnd(text, keys{}); err == nil && text != end {
			t.Errorf("a forged end is believed: %+v", e)
		}
	})
}
