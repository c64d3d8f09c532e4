package offer_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/policy/capability"
)

// randomPolicies depend on everything that a question can name.
func randomPolicies(r *rand.Rand) string {
	when := []string{
		`true`, `context.purpose == Purpose::"care"`, `context.purpose == Purpose::"billing"`, `context.direction == "request"`, `context.direction == "response"`,
		`context.criticality == "routine"`, `context.attested`, `context.approved`, `context.same_domain`, `context.protocol like "a2a*"`, `context.from == Agent::"intake"`,
		`principal in Domain::"other"`, `principal in Role::"payer"`, `context.consent`, `context.skill == ""`,
	}
	var b strings.Builder
	b.WriteString(`@id("secret-name-text") @exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");` + "\n")
	for n := range 24 {
		k := kinds[r.IntN(len(kinds))]
		level := []string{"raw", "tokenized", "generalized", "masked"}[r.IntN(4)]
		exception := []string{"", `@exception("t") `}[r.IntN(2)]
		fmt.Fprintf(&b, "@id(\"secret-name-%d\") @reason(\"secret words\") @retain(\"P%dD\") %spermit (principal, action in Action::\"upto_%s\", resource in DataClass::%q) when { %s };\n",
			n, 1+r.IntN(30), exception, level, k.label, when[r.IntN(len(when))])
		if r.IntN(5) == 0 {
			fmt.Fprintf(&b, "@id(\"secret-forbid-%d\") forbid (principal, action in Action::\"atleast_%s\", resource in DataClass::%q) when { %s };\n", n, level, k.label, when[r.IntN(len(when))])
		}
	}
	return b.String()
}

// What is told before a message is sent is what the message gets, whatever the policy, in both directions and on both faces.
func TestWhatIsToldIsWhatAMessageGets(t *testing.T) {
	const seed = 1 // about one in 200,000 has no message refused by its capability, so that the test sees too little
	rnd := rand.New(rand.NewPCG(seed, 6))
	raw, changed, dropped, byRight, refused := 0, 0, 0, 0, 0
	for range 25 {
		r := newRig(t, randomPolicies(rnd), nil)
		for range 4 {
			purpose := []string{"care", "billing", "research", "espionage"}[rnd.IntN(4)]
			criticality := []string{"low", "routine", "critical"}[rnd.IntN(3)]
			path, key := "/out/a2a/partner", "scrim_intake"
			if rnd.IntN(2) == 0 {
				path, key = "/a2a/desk", []string{"scrim_intake", "scrim_outside"}[rnd.IntN(2)]
			}
			r.holder = nil
			if rnd.IntN(2) == 0 {
				r.holder = r.randomRight(t, rnd, key)
			}
			want := map[flow.Direction]offer.Told{}
			for _, dir := range []flow.Direction{flow.Request, flow.Response} {
				want[dir] = r.ask(t, path, key, fmt.Sprintf(`{"direction":%q,"purpose":%q,"criticality":%q,"labels":[%s]}`, dir, purpose, criticality, labels()))
			}
			before := len(r.Events())
			r.post(t, path, key, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"`+string(gateway.NewFlowID())+`","role":"ROLE_USER","parts":[{"data":`+data()+`}]}}}`,
				"Scrim-Purpose", purpose, "Scrim-Criticality", criticality)
			seen := map[flow.Direction]bool{}
			for _, ev := range r.Events()[before:] {
				if ev.Outcome == flow.Refused && r.holder != nil && strings.HasPrefix(ev.Reason, string(gateway.RuleCapability)) {
					refused++
					for _, s := range want[ev.Flow.Direction].Labels {
						if s.Level != flow.Dropped {
							t.Errorf("seed %d: %s was told to show %s, and the capability does not admit the %s", seed, s.Label, s.Level, ev.Flow.Direction)
						}
					}
					seen[flow.Request], seen[flow.Response] = true, true
					continue
				}
				if ev.Outcome != flow.Released {
					t.Fatalf("seed %d: the message ended as %s: %s", seed, ev.Outcome, ev.Reason)
				}
				seen[ev.Flow.Direction] = true
				for _, got := range ev.Levels {
					i := slices.IndexFunc(want[ev.Flow.Direction].Labels, func(s offer.Shown) bool { return s.Label == got.Label })
					if i < 0 {
						t.Fatalf("seed %d: %s was not told of", seed, got.Label)
					}
					told := want[ev.Flow.Direction].Labels[i]
					if told.Level != got.Level || told.Param != got.Param && got.Level != flow.Tokenized {
						t.Errorf("seed %d: of %s was told %s(%s), and the %s shows %s(%s)", seed, got.Label, told.Level, told.Param, ev.Flow.Direction, got.Level, got.Param)
					}
					if told.Level != flow.Dropped && told.By != got.By.String() {
						t.Errorf("seed %d: of %s was told that %s holds it, and it was %s", seed, got.Label, told.By, got.By)
					}
					if got.By == flow.ByCapability {
						byRight++
					}
					switch got.Level {
					case flow.Raw:
						raw++
					case flow.Dropped:
						dropped++
					default:
						changed++
					}
				}
			}
			if len(seen) != 2 {
				t.Fatalf("seed %d: %d directions are on record, want both", seed, len(seen))
			}
		}
	}
	if raw == 0 || changed == 0 || dropped == 0 || byRight == 0 || refused == 0 {
		t.Errorf("%d raw, %d changed, %d dropped, %d by capability, %d not admitted: the test sees too little", raw, changed, dropped, byRight, refused)
	}
}

// randomRight is a capability of a caller that bounds what it may do.
func (r *rig) randomRight(t *testing.T, rnd *rand.Rand, key string) *gatewaytest.Holder {
	t.Helper()
	domain := gatewaytest.Own
	if key == "scrim_outside" {
		domain = gatewaytest.Other
	}
	g := capability.Grant{Agent: strings.TrimPrefix(key, "scrim_"), Levels: map[flow.Label]flow.Level{}}
	for _, k := range kinds {
		if rnd.IntN(3) > 0 {
			g.Levels[k.label] = flow.Level(rnd.IntN(5))
		}
	}
	if rnd.IntN(2) == 0 {
		g.Levels["*"] = flow.Level(rnd.IntN(5))
	}
	if rnd.IntN(3) == 0 {
		g.Purposes = []flow.Purpose{"care", "billing"}
	}
	if rnd.IntN(3) == 0 {
		c := flow.Routine
		g.Criticality = &c
	}
	return r.domains.Root(t, domain, g)
}

func labels() string {
	var out []string
	for _, k := range kinds {
		out = append(out, fmt.Sprintf("%q", k.label))
	}
	return strings.Join(out, ",")
}

// Each thing that is said to show more does show that much when the question is asked with it.
func TestWhatIsSaidToShowMoreDoes(t *testing.T) {
	const seed = 1 // one of 14,000 has nothing change by approval, or by attestation
	rnd := rand.New(rand.NewPCG(seed, 6))
	said := map[string]int{}
	for range 20 {
		r := newRig(t, randomPolicies(rnd), nil)
		base := r.ask(t, "/out/a2a/partner", "scrim_intake", `{"purpose":"research","criticality":"low","labels":[`+labels()+`]}`)
		for _, c := range base.More {
			said[c.By]++
			purpose, criticality := "research", "low"
			switch c.By {
			case "purpose":
				purpose = c.To
			case "criticality":
				criticality = c.To
			default:
				continue
			}
			got := r.ask(t, "/out/a2a/partner", "scrim_intake", fmt.Sprintf(`{"purpose":%q,"criticality":%q,"labels":[%s]}`, purpose, criticality, labels()))
			for i, was := range base.Labels {
				want := was
				if j := slices.IndexFunc(c.Labels, func(s offer.Shown) bool { return s.Label == was.Label }); j >= 0 {
					want = c.Labels[j]
				}
				if got.Labels[i].Level != want.Level || got.Labels[i].Param != want.Param {
					t.Errorf("seed %d: with %s %s %s shows %s, and %s was said", seed, c.By, c.To, was.Label, got.Labels[i].Level, want.Level)
				}
			}
			if got.Passes != c.Passes {
				t.Errorf("seed %d: passes = %v, said %v", seed, got.Passes, c.Passes)
			}
		}
	}
	for _, by := range []string{"purpose", "criticality", "attestation", "approval"} {
		if said[by] == 0 {
			t.Errorf("nothing was ever said to change by %s", by)
		}
	}
}

const plain = `
@id("secret-open") @exception("e") @reason("secret words") @legal_basis("consent-form-7") @retain("P3D") @notify("dpo") permit (principal in Domain::"other", action in Action::"upto_raw", resource in DataClass::"person/birth-date") when { context.purpose == Purpose::"billing" };
@id("secret-consent") @exception("e") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/name") when { context.consent };
@id("secret-approved") @exception("e") permit (principal, action in Action::"upto_raw", resource in DataClass::"health/diagnosis") when { context.approved };
@id("secret-attested") @exception("e") permit (principal, action in Action::"upto_raw", resource in DataClass::"health/member-number") when { context.attested };
@id("secret-home") @exception("e") permit (principal in Domain::"own", action in Action::"upto_raw", resource in DataClass::"person/birth-date");
`

func TestTermsNameWhatWouldChangeThemAndNoPolicy(t *testing.T) {
	r := newRig(t, plain, nil)
	const question = `{"purpose":"care","criticality":"critical","labels":["person/birth-date","person/name","health/diagnosis","health/member-number"]}`
	body := r.askRaw(t, "/out/a2a/partner", "scrim_intake", question)
	got := told(t, body)
	var by []string
	for _, c := range got.More {
		by = append(by, c.By+" "+c.To)
		for _, s := range c.Labels {
			if s.Label == "person/name" {
				t.Errorf("%s is said to show a name, which consent alone does", c.By)
			}
		}
	}
	if want := []string{"purpose billing", "attestation ", "approval "}; !slices.Equal(by, want) {
		t.Errorf("what would change it is %q, want %q", by, want)
	}
	for _, s := range got.Labels {
		if s.Level != flow.Dropped || s.By != "" {
			t.Errorf("%s shows %s by %q, want dropped", s.Label, s.Level, s.By)
		}
	}
	billing := r.ask(t, "/out/a2a/partner", "scrim_intake", `{"purpose":"billing","criticality":"critical","labels":["person/birth-date"]}`)
	if d := billing.Duties; d.Retain != 3*24*3600 || !slices.Equal(d.Notify, []string{"dpo"}) || !slices.Equal(d.Basis, []string{"consent-form-7"}) || !billing.Passes {
		t.Errorf("duties are %+v, passes %v", d, billing.Passes)
	}
	other, mcpBody := r.askMCP(t, "/out", "scrim_intake", strings.Replace(question, "{", `{"agent":"partner","protocol":"a2a/1.0",`, 1))
	if fmt.Sprint(other) != fmt.Sprint(got) {
		t.Errorf("the tool says %v, the method %v", other, got)
	}
	for _, b := range []string{body, mcpBody} {
		for _, word := range []string{"secret", "words", "consent-form"} {
			if strings.Contains(b, word) {
				t.Errorf("%q of a policy is in the answer: %s", word, b)
			}
		}
	}
	asked := 0
	for _, ev := range r.Events() {
		if ev.Outcome == flow.Asked && ev.Flow.To.Agent == "partner" && ev.Flow.From.Agent == "intake" && len(ev.Levels) > 0 {
			asked++
		}
	}
	if asked != 3 {
		t.Errorf("%d questions are on record, want 3", asked)
	}
}

// An agent that is not there and one that this caller may not reach are answered with the same bytes, and one that is told
// nothing with as many.
func TestUnknownAndForbiddenAgentsAreAnsweredAlike(t *testing.T) {
	r := newRig(t, plain, nil)
	ask := func(face, key, agent string) string {
		_, body := r.askMCP(t, face, key, `{"agent":"`+agent+`","purpose":"care","labels":["person/name"]}`)
		return strings.ReplaceAll(body, agent, "AGENT")
	}
	unknown, forbidden, silent := ask("", "scrim_outside", "nobody7"), ask("", "scrim_outside", "partner"), ask("", "scrim_outside", "desk")
	if strings.TrimSpace(unknown) != strings.TrimSpace(forbidden) {
		t.Errorf("unknown:   %s\nforbidden: %s", unknown, forbidden)
	}
	if strings.TrimSpace(silent) != strings.TrimSpace(unknown) {
		t.Errorf("told nothing: %s\nunknown:      %s", silent, unknown)
	}
	if len(ask("", "scrim_outside", "nobodyx")) != len(ask("", "scrim_outside", "partner")) {
		t.Error("the lengths differ")
	}
	var codes []string
	for _, agent := range []string{"nobody7", "partner"} { // at the agents' own addresses, as for any method
		_, _, body := r.post(t, "/a2a/"+agent, "scrim_outside", `{"jsonrpc":"2.0","id":7,"method":"scrim/terms","params":{}}`)
		codes = append(codes, body[:strings.Index(body, "reference")])
	}
	if codes[0] != codes[1] {
		t.Errorf("unknown and forbidden addresses answer %s and %s", codes[0], codes[1])
	}
}

// Where policy shows something to anybody, an agent that the caller does not reach is still one that nothing is shown to.
func TestNothingIsToldOfAgentsThatTheCallerDoesNotReach(t *testing.T) {
	r := newRig(t, `permit (principal, action in Action::"upto_raw", resource);`, nil)
	var answers []string
	for _, agent := range []string{"nobody7", "partner"} {
		for _, direction := range []string{"request", "response"} {
			got, body := r.askMCP(t, "", "scrim_outside", `{"agent":"`+agent+`","direction":"`+direction+`","criticality":"critical","labels":["person/name"]}`)
			if got.Labels[0].Level != flow.Dropped || len(got.More) != 0 {
				t.Errorf("of %s is told %+v", agent, got)
			}
			answers = append(answers, strings.TrimSpace(strings.ReplaceAll(body, agent, "AGENT")))
		}
	}
	if answers[0] != answers[2] || answers[1] != answers[3] {
		t.Errorf("unknown and forbidden are told apart: %q", answers)
	}
	if got, _ := r.askMCP(t, "", "scrim_outside", `{"agent":"desk","criticality":"critical","labels":["person/name"]}`); got.Labels[0].Level != flow.Raw {
		t.Errorf("of an agent that is reached is told %+v", got)
	}
}

func TestWhatADatasetHoldsIsNotToldToOthers(t *testing.T) {
	var wide strings.Builder // more columns than an answer has
	for i := range 300 {
		fmt.Fprintf(&wide, "      - {name: c%d, logicalType: string, customProperties: [{property: scrim.label, value: health/diagnosis}]}\n", i)
	}
	contract, err := catalog.ParseContract("c.yaml", []byte(`
apiVersion: v3.1.0
kind: DataContract
id: c
version: "1"
status: active
schema:
  - name: stays
    properties:
      - {name: born, logicalType: string, customProperties: [{property: scrim.label, value: person/birth-date}]}
      - {name: code, logicalType: string, customProperties: [{property: scrim.label, value: health/diagnosis}]}
  - name: wide
    properties:
`+wide.String()), flow.DefaultTaxonomy())
	must(t, err)
	withContract := func(s *gatewaytest.Setup) {
		s.Change = func(snap *gateway.Snapshot) { snap.Catalog = catalog.New(nil, []*catalog.Contract{contract}) }
	}
	r := newRig(t, plain, withContract)
	foreign, _ := r.askMCP(t, "", "scrim_outside", `{"agent":"desk","direction":"response","purpose":"billing","criticality":"critical","dataset":"stays","protocol":"a2a/1.0"}`)
	if len(foreign.Labels) != 1 || foreign.Labels[0].Field != "stays/born" || foreign.Labels[0].Level != flow.Raw {
		t.Errorf("a foreign caller is told of %+v, want the one column that shows", foreign.Labels)
	}
	nothing, a := r.askMCP(t, "", "scrim_outside", `{"agent":"desk","direction":"response","purpose":"care","dataset":"stays","columns":["code"]}`)
	_, b := r.askMCP(t, "", "scrim_outside", `{"agent":"desk","direction":"response","purpose":"care","dataset":"other","columns":["code"]}`)
	if a != b || len(nothing.Labels) != 0 {
		t.Errorf("a dataset that is there answers %s, one that is not %s", a, b)
	}
	for _, ask := range []string{ // beside a kind that is named: nothing about the others follows from what is said of it
		`{"agent":"desk","direction":"response","purpose":"billing","criticality":"critical","labels":["person/name"],"dataset":"%s","columns":["code"]}`,
		`{"agent":"desk","direction":"response","purpose":"care","labels":["person/name"],"dataset":"%s","columns":["code"]}`,
		`{"agent":"desk","direction":"response","purpose":"care","dataset":"%s"}`,
	} {
		for _, there := range []string{"stays", "wide"} {
			_, a := r.askMCP(t, "", "scrim_outside", fmt.Sprintf(ask, there))
			_, b := r.askMCP(t, "", "scrim_outside", fmt.Sprintf(ask, "other"))
			if a != b && (there == "wide" || strings.Contains(ask, "columns")) {
				t.Errorf("a dataset that is there answers %s, one that is not %s", a, b)
			}
		}
	}
	own := r.ask(t, "/out/a2a/partner", "scrim_intake", `{"purpose":"billing","criticality":"critical","dataset":"stays"}`)
	if len(own.Labels) != 2 || own.Passes {
		t.Errorf("an own caller is told of %+v, passes %v", own.Labels, own.Passes)
	}
	i := slices.IndexFunc(own.More, func(c offer.Change) bool { return c.By == "columns" })
	if i < 0 || !slices.Equal(own.More[i].Columns, []string{"born"}) || !own.More[i].Passes {
		t.Errorf("fewer columns would pass, and what is said is %+v", own.More)
	}
}

func TestQuestionsAreCountedForEachCaller(t *testing.T) {
	r := newRig(t, plain, nil)
	r.terms.Limits = func() offer.Limits { return offer.Limits{Rate: 5} }
	ask := func(key string) (int, string) {
		status, h, _ := r.post(t, "/a2a/desk", key, `{"jsonrpc":"2.0","id":7,"method":"scrim/terms","params":{"labels":["person/name"]}}`)
		return status, h.Get("Retry-After")
	}
	for n := range 5 {
		if status, _ := ask("scrim_outside"); status != http.StatusOK {
			t.Fatalf("question %d: status = %d", n, status)
		}
	}
	if status, after := ask("scrim_outside"); status != http.StatusTooManyRequests || after != "12" {
		t.Errorf("the sixth question: status = %d, Retry-After = %q, want 429 and 12", status, after)
	}
	if status, _ := ask("scrim_intake"); status != http.StatusOK {
		t.Errorf("another caller's question: status = %d", status)
	}
	r.wait(13 * time.Second)
	if status, _ := ask("scrim_outside"); status != http.StatusOK {
		t.Errorf("after the wait: status = %d", status)
	}
}

func TestQuestionsAreReadStrictly(t *testing.T) {
	r := newRig(t, plain, nil)
	for name, question := range map[string]string{
		"an unknown member":    `{"labels":["person/name"],"spy":"Zelda"}`,
		"labels that are none": `{"labels":["Zelda Quixwort"]}`,
		"another agent":        `{"agent":"partner","labels":["person/name"]}`,
		"columns alone":        `{"columns":["Zelda"]}`,
		"tool and skill":       `{"tool":"Zelda","skill":"b"}`,
		"a protocol":           `{"protocol":"Zelda"}`,
		"a direction":          `{"direction":"Zelda"}`,
		"many labels":          `{"labels":[` + strings.Repeat(`"a",`, 64) + `"a"]}`,
		"a long name":          `{"dataset":"` + strings.Repeat("Zelda", 40) + `"}`,
		"a list":               `{"labels":{}}`,
	} {
		body := r.askRaw(t, "/a2a/desk", "scrim_outside", question)
		if !strings.Contains(body, `"error"`) || strings.Contains(gatewaytest.Said(body), "Zelda") {
			t.Errorf("%s: %s", name, body)
		}
	}
	for _, ev := range r.Events() {
		if ev.Outcome != flow.Refused || strings.Contains(gatewaytest.Said(fmt.Sprint(ev)), "Zelda") {
			t.Errorf("on record is %v", ev)
		}
	}
}

func TestTenThousandQuestionsLearnNothingButLevels(t *testing.T) {
	r := newRig(t, plain, nil)
	n := 10_000
	if testing.Short() {
		n = 500
	}
	rnd := rand.New(rand.NewPCG(rand.Uint64(), 1))
	answers := map[string]string{}
	for range n {
		k := kinds[rnd.IntN(len(kinds))]
		question := fmt.Sprintf(`{"purpose":%q,"direction":%q,"labels":[%q]}`, []string{"care", "billing", "none"}[rnd.IntN(3)], []string{"request", "response"}[rnd.IntN(2)], k.label)
		c := &offer.Call{Snapshot: r.Snapshot(), Face: gateway.Inbound, Agent: "desk", Flow: flow.Flow{ID: gateway.NewFlowID(), Protocol: "a2a/1.0"}, Arguments: []byte(question)}
		c.Caller, _ = c.Snapshot.Identity.Known(outside)
		c.Caller.Party = outside
		a, err := r.terms.Tool().Call(t.Context(), c)
		must(t, err)
		if was, ok := answers[question]; ok && was != string(a.Body) {
			t.Fatalf("the same question is answered %s, then %s", was, a.Body)
		}
		answers[question] = string(a.Body)
	}
	for _, a := range answers {
		if strings.Contains(a, "secret") || strings.Contains(a, "words") {
			t.Errorf("a policy is in the answer: %s", a)
		}
	}
}

func FuzzParseAsking(f *testing.F) {
	f.Add([]byte(`{"agent":"desk","direction":"response","purpose":"care","criticality":"low","labels":["person/name"],"dataset":"d","columns":["c"],"tool":"t","protocol":"a2a/1.0"}`))
	f.Add([]byte(`{"labels":["a"]}{"labels":["b"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := offer.ParseAsking(raw)
		if err != nil {
			return
		}
		if len(a.Labels) > 64 || len(a.Columns) > 128 || a.Direction > flow.Response {
			t.Errorf("out of bounds: %+v", a)
		}
	})
}

// Duties of what a contract keeps from a foreign caller are no way to learn that it is there.
func TestDutiesTellNothingOfWhatIsKeptBack(t *testing.T) {
	c, err := catalog.ParseContract("c.yaml", []byte(`
apiVersion: v3.1.0
kind: DataContract
id: c
version: "1"
status: active
schema:
  - name: stays
    properties:
      - {name: code, logicalType: string, customProperties: [{property: scrim.label, value: health/diagnosis}]}
`), flow.DefaultTaxonomy())
	must(t, err)
	in := &agreements{}
	r := newRig(t, `@id("a") @exception("e") @retain("P3D") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/birth-date");
@id("b") @exception("e") @retain("P1D") @notify("dpo") permit (principal, action in Action::"upto_raw", resource in DataClass::"health/diagnosis") when { context.purpose == Purpose::"billing" };`, func(s *gatewaytest.Setup) {
		s.Contracts = in
		s.Change = func(snap *gateway.Snapshot) { snap.Catalog = catalog.New(nil, []*catalog.Contract{c}) }
	})
	in.set(between("insurance", map[flow.Label]flow.Level{"person": flow.Raw}))
	const ask = `{"agent":"desk","direction":"response","purpose":"billing","criticality":"critical","labels":["person/birth-date"],"dataset":"%s"}`
	told, a := r.askMCP(t, "", "scrim_outside", fmt.Sprintf(ask, "stays"))
	_, b := r.askMCP(t, "", "scrim_outside", fmt.Sprintf(ask, "other"))
	if a != b || len(told.Labels) != 1 || told.Labels[0].Level != flow.Raw {
		t.Errorf("a dataset that is there answers %s, one that is not %s", a, b)
	}
}

// What policy lets go by reference only is not told as if it showed beside the rest.
func TestWhatGoesByReferenceOnlyIsToldSo(t *testing.T) {
	r := newRig(t, `@id("ref") @exception("e") @handle("PT10M") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/birth-date");
@id("all") permit (principal, action in Action::"upto_masked", resource);`, nil)
	told := r.ask(t, "/out/a2a/partner", "scrim_intake", `{"purpose":"billing","criticality":"critical","labels":["person/birth-date","person/name"]}`)
	for _, s := range told.Labels {
		if want := map[flow.Label]int64{"person/birth-date": 600}[s.Label]; s.Handle != want || s.Level == flow.Dropped {
			t.Errorf("%s is told as %s by reference for %d s, want %d", s.Label, s.Level, s.Handle, want)
		}
	}
}
