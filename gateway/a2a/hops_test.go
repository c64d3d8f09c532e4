package a2a_test

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/policy/hop"
)

// Three domains in a row. The hospital lets names through as stand-ins for a task, and dates of birth by the year; the
// insurer's policy permits everything, and so does the reinsurer's.
const (
	hospitalPolicy = `
@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("record") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"technical/record-id");
@id("name") permit (principal, action in Action::"upto_masked", resource in DataClass::"person/name");
@id("mail") permit (principal, action in Action::"upto_masked", resource in DataClass::"person/contact/email");
@id("born") @generalize("year") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/birth-date");
@id("back") permit (principal, action in Action::"upto_raw", resource) when { context.direction == "response" };
`
	anything = `
@id("all") permit (principal, action in Action::"upto_raw", resource);
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("names") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/name");
@id("dates") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/birth-date");
@id("mail") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"person/contact/email");
@id("numbers") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"government-id/ssn");
`
)

const (
	hospital  flow.DomainID = "hospital"
	insurer   flow.DomainID = "insurer"
	reinsurer flow.DomainID = "reinsurer"
)

// row is the three gateways, and an agent of each. What the insurer's agent does when it is called is ask.
type row struct {
	street     *gatewaytest.Street
	rigs       map[flow.DomainID]*gatewaytest.Rig
	base       map[flow.DomainID]string
	ask        func(r *http.Request, body string) (int, string) // of the insurer's agent
	priorAuth  *agentStub
	underwrite *agentStub
	taken      atomic.Pointer[http.Request] // the last that came to the reinsurer

	mu   sync.Mutex
	came []came // what came to any of the gateways
}

// came is a request as a gateway saw it.
type came struct {
	at                 flow.DomainID
	tls                bool
	method, path, mime string
	stated             bool // with one statement
}

func grantOf(agent flow.AgentID, d flow.DomainID, purposes ...flow.Purpose) identity.Grant {
	return identity.Grant{Party: flow.Party{Agent: agent, Domain: d}, Purposes: purposes, Criticality: flow.Critical}
}

// newRow opens the three; change may be nil.
func newRow(t *testing.T, change func(d flow.DomainID, s *gatewaytest.Setup)) *row {
	t.Helper()
	w := &row{street: gatewaytest.NewStreet(t, nil, hospital, insurer, reinsurer), rigs: map[flow.DomainID]*gatewaytest.Rig{}, base: map[flow.DomainID]string{}}
	w.underwrite = newAgent(t, answerWith(okMessage))
	w.priorAuth = newAgent(t, nil)
	own := func(url string) *gateway.Upstream {
		up, err := gateway.NewUpstream(url, "", flow.Secret{}, gateway.UpstreamOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return up
	}
	party := func(a flow.AgentID, d flow.DomainID) flow.Party { return flow.Party{Agent: a, Domain: d} }
	open := func(d flow.DomainID, setup gatewaytest.Setup, carries ...identity.Grant) {
		for _, a := range setup.Agents {
			for _, dir := range []flow.Direction{flow.Request, flow.Response} {
				setup.Schemas = append(setup.Schemas, gatewaytest.Schema{Kind: catalog.Data, Owner: a.Party.Agent, Direction: dir, JSON: referral})
			}
		}
		if change != nil {
			change(d, &setup)
		}
		w.rigs[d], w.base[d] = w.street.Open(t, d, setup, carries, func(r *gatewaytest.Rig) http.Handler {
			cards := &a2a.Cards{Signer: r.Keys.Signer("card"), KeyID: r.Keys.ID()}
			mux := http.NewServeMux()
			in := &a2a.Handler{Gateway: r.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: cards}
			out := &a2a.Handler{Gateway: r.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: cards}
			mux.Handle(in.Prefix, in)
			mux.Handle(out.Prefix, out)
			mux.Handle(a2a.GRPCPath, a2a.NewGRPC(in, out))
			return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if d == reinsurer {
					w.taken.Store(r)
				}
				w.mu.Lock()
				w.came = append(w.came, came{d, r.TLS != nil, r.Method, r.URL.Path, r.Header.Get("Content-Type"), len(r.Header.Values(hop.Header)) == 1})
				w.mu.Unlock()
				mux.ServeHTTP(rw, r)
			})
		})
	}
	open(hospital, gatewaytest.Setup{
		Policy: hospitalPolicy,
		Agents: []*gateway.Agent{
			{Party: party("intake", hospital), A2A: own("http://127.0.0.1:1")}, {Party: party("prior-auth", insurer), A2A: w.street.Upstream(t, hospital, insurer, "/a2a/prior-auth")},
		},
		Callers: map[string]identity.Grant{"scrim_intake": grantOf("intake", hospital, "care", "research")},
	}, grantOf("prior-auth", insurer, "care"))
	open(insurer, gatewaytest.Setup{
		Policy: anything,
		Agents: []*gateway.Agent{
			{Party: party("intake", hospital), A2A: w.street.Upstream(t, insurer, hospital, "/a2a/intake")},
			{Party: party("prior-auth", insurer), A2A: own(w.priorAuth.URL)},
			{Party: party("underwrite", reinsurer), A2A: w.street.Upstream(t, insurer, reinsurer, "/a2a/underwrite")},
		},
		Callers: map[string]identity.Grant{"scrim_prior": grantOf("prior-auth", insurer, "care", "research")},
	}, grantOf("intake", hospital, "care", "research"))
	open(reinsurer, gatewaytest.Setup{
		Policy: anything,
		Agents: []*gateway.Agent{{Party: party("prior-auth", insurer)}, {Party: party("underwrite", reinsurer), A2A: own(w.underwrite.URL)}},
	}, grantOf("prior-auth", insurer, "care", "research"))
	w.priorAuth.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost {
			http.NotFound(rw, r)
			return
		}
		w.priorAuth.mu.Lock()
		w.priorAuth.got, w.priorAuth.header = append(w.priorAuth.got, string(b)), append(w.priorAuth.header, r.Header.Clone())
		w.priorAuth.mu.Unlock()
		if w.ask != nil {
			w.ask(r, string(b))
		}
		answerWith(okMessage)(rw, string(b))
	})
	return w
}

// call is one of a domain's own agents to its gateway.
func (w *row) call(t testing.TB, d flow.DomainID, path, key, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, w.base[d]+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"Content-Type": "application/json", "A2A-Version": "1.0", "Authorization": "Bearer " + key, "Scrim-Purpose": "care", "Scrim-Criticality": "critical",
	} {
		req.Header.Set(k, v)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return do(t, http.DefaultClient, req)
}

func do(t testing.TB, c *http.Client, req *http.Request) (int, string) {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// withOwnData is what the insurer's agent says to the reinsurer's: values that it has from elsewhere, and that the hospital did
// not let through.
const withOwnData = `{"jsonrpc":"2.0","id":7,"method":"SendMessage","params":{"message":{"messageId":"u-1","role":"ROLE_USER","parts":[
 {"data":{"name":"Jane Doe","born":"1961-04-12","email":"jane.doe@example.org","ssn":"536-90-4399","id":"r-17"}}]}}}`

// goOn makes the insurer's agent call the reinsurer's, in the trace that it was called in.
func (w *row) goOn(t testing.TB, header ...string) *[]string {
	var said []string
	w.ask = func(r *http.Request, _ string) (int, string) {
		status, body := w.call(t, insurer, "/out/a2a/underwrite", "scrim_prior", withOwnData, append([]string{"Traceparent", r.Header.Get("Traceparent")}, header...)...)
		said = append(said, fmt.Sprint(status, " ", body))
		return status, body
	}
	return &said
}

func (w *row) last(t testing.TB, d flow.DomainID, is func(flow.Event) bool) flow.Event {
	t.Helper()
	for _, ev := range slices.Backward(w.rigs[d].Events()) {
		if is(ev) {
			return ev
		}
	}
	t.Fatalf("%s has no such event", d)
	return flow.Event{}
}

func asked(agent flow.AgentID) func(flow.Event) bool {
	return func(ev flow.Event) bool {
		return ev.Flow.To.Agent == agent && ev.Flow.Direction == flow.Request && ev.Outcome == flow.Released
	}
}

// Whatever the insurer's policy permits, it cannot undo what the hospital's let through: not from data of its own, not for
// another purpose, and each decides for its own recipient and says so on record.
func TestTheNextHopRevealsNoMore(t *testing.T) {
	w := newRow(t, nil)
	said := w.goOn(t)
	if status, body := w.call(t, hospital, "/out/a2a/prior-auth", "scrim_intake", fullMessage, "Traceparent", trace); status != 200 || strings.Contains(body, `"error"`) {
		t.Fatalf("the hospital's agent got %d %s", status, body)
	}
	atInsurer, atReinsurer := w.priorAuth.received(), w.underwrite.received()
	if len(atInsurer) != 1 || len(atReinsurer) != 1 {
		t.Fatalf("the agents were called %d and %d times, want once each: %v", len(atInsurer), len(atReinsurer), *said)
	}
	without(t, "what the insurer got", atInsurer[0], "Jane Doe", "1961-04-12", "jane.doe@", "536-90")
	without(t, "what the reinsurer got", atReinsurer[0], "Jane", "Doe", "1961-04-12", "04-12", "jane.doe@", "536-90")
	if !strings.Contains(atReinsurer[0], `"born":"1961"`) {
		t.Errorf("the reinsurer got %s, want the year that the hospital let through", atReinsurer[0])
	}
	first := w.last(t, hospital, asked("prior-auth"))
	second := w.last(t, insurer, asked("prior-auth"))
	third := w.last(t, insurer, asked("underwrite"))
	fourth := w.last(t, reinsurer, asked("underwrite"))
	if got := []int{first.Flow.Hop, second.Flow.Hop, third.Flow.Hop, fourth.Flow.Hop}; !slices.Equal(got, []int{0, 1, 1, 2}) {
		t.Errorf("hops = %v, want 0 at the hospital, 1 at the insurer, 2 at the reinsurer", got)
	}
	if third.Flow.Parent != second.Flow.ID || third.Flow.Purpose != "care" {
		t.Errorf("the insurer's own call has parent %s for %q, want %s for care", third.Flow.Parent, third.Flow.Purpose, second.Flow.ID)
	}
	for _, at := range []struct {
		from, to flow.DomainID
		id       flow.ID
		ev       flow.Event
	}{{hospital, insurer, first.Flow.ID, second}, {insurer, reinsurer, third.Flow.ID, fourth}} {
		c, ok := hop.ParseParent(at.ev.Flow.Parent)
		if !ok || c != w.opening(t, at.from, at.to, at.id).Commitment() {
			t.Errorf("the %s's record has parent %q, which the %s's opening does not open", at.to, at.ev.Flow.Parent, at.from)
		}
		if strings.Contains(string(at.ev.Flow.Parent), string(at.id)) {
			t.Errorf("the %s knows the %s's flow", at.to, at.from)
		}
	}
	if !slices.ContainsFunc(third.Levels, func(l flow.LevelCount) bool {
		return l.Label == "person/name" && l.Level == flow.Masked && l.By == flow.ByHop
	}) {
		t.Errorf("the insurer's record says %v, want the name masked by the hop before", third.Levels)
	}
	if a, b := w.opening(t, hospital, insurer, "f"), w.opening(t, hospital, reinsurer, "f"); a.Commitment() == b.Commitment() {
		t.Error("two recipients of one parent have the same commitment")
	}
}

// What the insurer's agent answers is bounded by what the hospital let through, too.
func TestAnswersAreBoundedByTheHop(t *testing.T) {
	w := newRow(t, nil)
	w.priorAuth.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		answerWith(`{"message":{"messageId":"r-9","role":"ROLE_AGENT","parts":[{"data":{"name":"Alan Smithee","born":"1970-01-02","email":"al@example.org","id":"q-1"}}]}}`)(rw, string(b))
	})
	status, body := w.call(t, hospital, "/out/a2a/prior-auth", "scrim_intake", fullMessage)
	without(t, fmt.Sprintf("the answer (%d)", status), body, "Alan", "Smithee", "1970-01")
	if !strings.Contains(body, `"born":"1970"`) {
		t.Errorf("the answer is %s, want the year", body)
	}
}

// A purpose that the chain does not have is none, whoever is granted it.
func TestACallThatGoesOnKeepsItsPurpose(t *testing.T) {
	w := newRow(t, nil)
	w.goOn(t, "Scrim-Purpose", "research")
	w.call(t, hospital, "/out/a2a/prior-auth", "scrim_intake", fullMessage, "Traceparent", trace, "Scrim-Criticality", "routine")
	for _, d := range []flow.DomainID{insurer, reinsurer} {
		ev := w.last(t, d, asked("underwrite"))
		if ev.Flow.Purpose != "" || ev.Flow.Task.Criticality != flow.Routine {
			t.Errorf("the %s decided for %q at %s, want no purpose at routine", d, ev.Flow.Purpose, ev.Flow.Task.Criticality)
		}
	}
}

// An agent that its own agent asked is part of the chain, and limits survive a restart of the gateway.
func TestWhatAnAgentWasCalledUnderIsKept(t *testing.T) {
	w := newRow(t, nil)
	w.call(t, hospital, "/out/a2a/prior-auth", "scrim_intake", fullMessage, "Traceparent", trace)
	at := w.last(t, insurer, asked("prior-auth"))
	said := w.priorAuth.header[0].Get("Traceparent")
	if said == "" {
		t.Fatal("the insurer's agent was given no trace")
	}
	again, err := gateway.New(gateway.Options{Store: w.rigs[insurer].DB, Journal: w.rigs[insurer].Log, Vault: w.rigs[insurer].Vault, Keys: w.rigs[insurer].Keys}, w.rigs[insurer].Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	f := flow.Flow{From: flow.Party{Agent: "prior-auth", Domain: insurer}, To: flow.Party{Agent: "underwrite", Domain: reinsurer}, Purpose: "research", Trace: at.Flow.Trace}
	again.Continue(again.Snapshot(), nil, &f)
	if f.Hop != 1 || f.Parent != at.Flow.ID || f.Purpose != "" {
		t.Errorf("after a restart the call goes on as hop %d of %q for %q, want 1 of %q for none", f.Hop, f.Parent, f.Purpose, at.Flow.ID)
	}
	nobody := flow.Flow{From: f.From, To: f.To, Trace: "another"}
	again.Continue(again.Snapshot(), nil, &nobody)
	if nobody.Hop != 0 || nobody.Parent != "" {
		t.Errorf("a call of another trace goes on as hop %d", nobody.Hop)
	}
}

// liar is a gateway of a domain that says what it likes, with the domain's real key and certificate.
type liar struct {
	w      *row
	is, to flow.DomainID
	st     hop.Statement
	body   []byte
	sent   []byte // in place of body
	path   string
	header []string
}

func (w *row) liar() *liar {
	return &liar{w: w, is: insurer, to: reinsurer, body: []byte(plainMessage), path: "/a2a/underwrite", st: hop.Statement{
		ID: hop.NewID(), Issuer: insurer, Audience: reinsurer, Agent: "prior-auth", Purpose: "care", Criticality: flow.Routine, IssuedAt: time.Now(),
	}}
}

func (l *liar) client(t testing.TB) *http.Client {
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: l.w.street.TLS(t, l.is, l.to), ForceAttemptHTTP2: true}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func (l *liar) statement(t testing.TB) string {
	t.Helper()
	st := l.st
	st.Request = hop.RequestOf(http.MethodPost, l.path, l.body)
	signer, kid := l.w.street.Domain(l.is).Own()
	text, err := hop.Sign(signer, kid, &st)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (l *liar) call(t testing.TB, said ...string) (int, string) {
	t.Helper()
	body := l.body
	if l.sent != nil {
		body = l.sent
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, l.w.street.URL(l.to)+l.path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("A2A-Version", "1.0")
	for _, s := range said {
		req.Header.Add(hop.Header, s)
	}
	for i := 0; i+1 < len(l.header); i += 2 {
		req.Header.Add(l.header[i], l.header[i+1])
	}
	return do(t, l.client(t), req)
}

// Each line is a middle gateway that cheats, with its own key and certificate. The next one refuses, and puts it on record.
func TestALyingGatewayIsRefusedByTheNext(t *testing.T) {
	w := newRow(t, nil)
	for _, tc := range []struct {
		name   string
		reason string
		lie    func(*liar) []string
	}{
		{"another body", "hop Scrim-Hop/body", func(l *liar) []string { l.sent = []byte(fullMessage); return nil }},
		{"another address", "hop Scrim-Hop/method", func(l *liar) []string {
			l.path = "/a2a/claims"
			s := l.statement(t)
			l.path = "/a2a/underwrite"
			return []string{s}
		}},
		{"a wider purpose in the header", "hop Scrim-Hop", func(l *liar) []string { l.header = []string{"Scrim-Purpose", "research"}; return nil }},
		{"a higher criticality in the header", "hop Scrim-Hop", func(l *liar) []string { l.header = []string{"Scrim-Criticality", "critical"}; return nil }},
		{"an agent that is not configured", "hop Scrim-Hop", func(l *liar) []string { l.st.Agent = "claims"; return nil }},
		{"an agent of another domain", "hop Scrim-Hop", func(l *liar) []string { l.st.Agent = "intake"; return nil }},
		{"an agent of the next domain", "hop Scrim-Hop", func(l *liar) []string { l.st.Agent = "underwrite"; return nil }},
		{"another domain as issuer", "hop Scrim-Hop/issuer", func(l *liar) []string { l.st.Issuer = hospital; return nil }},
		{"a statement for another domain", "hop Scrim-Hop/audience", func(l *liar) []string { l.st.Audience = hospital; return nil }},
		{"a statement of the hospital's, passed on", "hop Scrim-Hop/issuer", func(l *liar) []string {
			h := *l
			h.is, h.st.Issuer, h.st.Agent = hospital, hospital, "intake"
			return []string{h.statement(t)}
		}},
		{"too many hops", "hop Scrim-Hop/hops", func(l *liar) []string { l.st.Hop = gateway.MaxHops; return nil }},
		{"yesterday's", "hop Scrim-Hop/time", func(l *liar) []string { l.st.IssuedAt = time.Now().Add(-24 * time.Hour); return nil }},
		{"tomorrow's", "hop Scrim-Hop/time", func(l *liar) []string { l.st.IssuedAt = time.Now().Add(24 * time.Hour); return nil }},
		{"a capability that does not come", "hop Scrim-Hop/capability", func(l *liar) []string { l.st.Capability = new([32]byte); return nil }},
		{"two statements", "hop Scrim-Hop", func(l *liar) []string { return []string{l.statement(t), l.statement(t)} }},
		{"no statement", "identity ", func(l *liar) []string { return []string{} }},
		{"an API key of the hospital's beside it", "identity ", func(l *liar) []string { l.header = []string{"Authorization", "Bearer scrim_intake"}; return nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l, before := w.liar(), len(w.underwrite.received())
			said := tc.lie(l)
			if said == nil {
				said = []string{l.statement(t)}
			}
			status, body := l.call(t, said...)
			if len(w.underwrite.received()) != before || !strings.Contains(body, `"error"`) {
				t.Fatalf("the call was let through: %d %s", status, body)
			}
			ev := w.rigs[reinsurer].Events()[len(w.rigs[reinsurer].Events())-1]
			if ev.Outcome != flow.Refused || ev.Reason != tc.reason {
				t.Errorf("on record is %s %q, want refused %q", ev.Outcome, ev.Reason, tc.reason)
			}
			time.Sleep(60 * time.Millisecond) // no more than so many refusals have a row of their own in a second
		})
	}
	l := w.liar()
	said := l.statement(t)
	if status, body := l.call(t, said); status != 200 || strings.Contains(body, `"error"`) {
		t.Fatalf("an honest call is refused: %d %s", status, body)
	}
	if status, body := l.call(t, said); !strings.Contains(body, `"error"`) {
		t.Errorf("the same statement was taken twice: %d %s", status, body)
	}
	again, err := gateway.New(gateway.Options{Store: w.rigs[reinsurer].DB, Journal: w.rigs[reinsurer].Log, Vault: w.rigs[reinsurer].Vault, Keys: w.rigs[reinsurer].Keys}, w.rigs[reinsurer].Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	r := w.taken.Load()
	_, authority, err := again.Identify(context.Background(), again.Snapshot(), r)
	if err == nil {
		err = again.Prove(context.Background(), again.Snapshot(), authority, gateway.Invocation{Body: l.body})
	}
	if refused, ok := errors.AsType[*gateway.Refusal](err); !ok || refused.Rule != gateway.RuleHop {
		t.Errorf("after a restart the same statement is met with %v, want a refusal", err)
	}
}

// Without a certificate of a peer's gateway a statement is nobody's word.
func TestAStatementWithoutACertificateIsNotBelieved(t *testing.T) {
	w := newRow(t, nil)
	l := w.liar()
	for _, key := range []string{"scrim_prior", "scrim_other"} {
		status, body := w.call(t, reinsurer, "/a2a/underwrite", key, plainMessage, hop.Header, l.statement(t))
		if len(w.underwrite.received()) != 0 || !strings.Contains(body, `"error"`) {
			t.Errorf("the call was let through: %d %s", status, body)
		}
	}
}

// A chain that comes back to an agent that it went out from ends there.
func TestAChainThatComesBackIsRefused(t *testing.T) {
	w := newRow(t, nil)
	var status int
	var body string
	w.ask = func(r *http.Request, _ string) (int, string) {
		status, body = w.call(t, insurer, "/out/a2a/intake", "scrim_prior", strings.Replace(plainMessage, "m-1", "m-9", 1), "Traceparent", r.Header.Get("Traceparent"))
		return status, body
	}
	w.call(t, hospital, "/out/a2a/prior-auth", "scrim_intake", fullMessage) // without a trace: the gateways give it one
	if !strings.Contains(body, `"error"`) {
		t.Fatalf("the call back went through: %d %s", status, body)
	}
	ev := w.last(t, hospital, func(ev flow.Event) bool { return ev.Outcome == flow.Refused })
	if ev.Reason != "loop " || ev.Flow.Hop != 2 {
		t.Errorf("on record is %q at hop %d, want loop at hop 2", ev.Reason, ev.Flow.Hop)
	}
}

// The statement itself tells of restricted labels the same whether or not the message has any.
func TestAStatementDoesNotTellWhatTheMessageHeld(t *testing.T) {
	w := newRow(t, nil)
	var seen []string
	for i, data := range []string{`{"name":"Jane Doe","id":"r-1"}`, `{"name":"Jane Doe","id":"r-1","ssn":"536-90-4399"}`} {
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"s-%d","role":"ROLE_USER","parts":[{"data":%s}]}}}`, i, data)
		limits := w.limitsSent(t, body)
		raw, err := stdjson.Marshal(limits.Levels)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, string(raw))
	}
	if seen[0] != seen[1] {
		t.Errorf("the statement tells whether the message has a number of social security:\n%s\n%s", seen[0], seen[1])
	}
	if !strings.Contains(seen[0], "government-id/ssn") {
		t.Errorf("the statement does not bound restricted labels: %s", seen[0])
	}
}

// limitsSent are those under which the insurer's agent was called.
func (w *row) limitsSent(t testing.TB, body string) hop.Limits {
	t.Helper()
	tr := fmt.Sprintf("00-%032x-b7ad6b7169203331-01", time.Now().UnixNano())
	if status, out := w.call(t, hospital, "/out/a2a/prior-auth", "scrim_intake", body, "Traceparent", tr); status != 200 || strings.Contains(out, `"error"`) {
		t.Fatalf("the call got %d %s", status, out)
	}
	ev := w.last(t, insurer, asked("prior-auth"))
	f := flow.Flow{From: flow.Party{Agent: "prior-auth", Domain: insurer}, To: flow.Party{Agent: "underwrite", Domain: reinsurer}, Trace: ev.Flow.Trace}
	limits, ok := w.rigs[insurer].HopLimits(w.rigs[insurer].Snapshot(), f)
	if !ok {
		t.Fatal("the insurer's agent was called under no limits")
	}
	return limits
}

func (w *row) opening(t testing.TB, own, to flow.DomainID, id flow.ID) hop.Opening {
	t.Helper()
	o, err := gateway.HopOpening(w.rigs[own].Keys, own, to, id)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// What the next hop is told costs this much, beside the signature.
func BenchmarkOnward(b *testing.B) {
	street := gatewaytest.NewStreet(b, nil, hospital, insurer)
	party := func(a flow.AgentID, d flow.DomainID) flow.Party { return flow.Party{Agent: a, Domain: d} }
	rig, _ := street.Open(b, hospital, gatewaytest.Setup{
		Policy:  hospitalPolicy,
		Agents:  []*gateway.Agent{{Party: party("intake", hospital)}, {Party: party("prior-auth", insurer), A2A: street.Upstream(b, hospital, insurer, "/a2a/prior-auth")}},
		Callers: map[string]identity.Grant{"scrim_intake": grantOf("intake", hospital, "care")},
	}, nil, func(*gatewaytest.Rig) http.Handler { return http.NotFoundHandler() })
	f := flow.Flow{ID: gateway.NewFlowID(), From: party("intake", hospital), To: party("prior-auth", insurer), Purpose: "care", Method: "SendMessage"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rig.Onward(context.Background(), rig.Snapshot(), nil, f, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// The stored answer to a retry that comes under narrower limits is decided anew, and the agent is not called again.
func TestARetryUnderNarrowerLimitsShowsLess(t *testing.T) {
	w := newRow(t, nil)
	calls := 0
	w.priorAuth.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if r.Method == http.MethodPost {
			calls++
		}
		answerWith(`{"message":{"messageId":"r-9","role":"ROLE_AGENT","parts":[{"data":{"name":"Alan Smithee","id":"q-1"}}]}}`)(rw, string(b))
	})
	ask := func(levels map[flow.Label]flow.Treatment) string {
		l := w.liar()
		l.is, l.to, l.path = hospital, insurer, "/a2a/prior-auth"
		l.st.Issuer, l.st.Audience, l.st.Agent, l.st.Criticality, l.st.Limits.Levels = hospital, insurer, "intake", flow.Critical, levels
		l.header = []string{"Scrim-Criticality", "critical"}
		_, body := l.call(t, l.statement(t))
		return body
	}
	if body := ask(nil); !strings.Contains(body, "Alan Smithee") {
		t.Fatalf("without limits the answer is %s", body)
	}
	if body := ask(map[flow.Label]flow.Treatment{"person/name": {Level: flow.Masked}}); strings.Contains(gatewaytest.Said(body), "Alan") || !strings.Contains(body, `"result"`) {
		t.Errorf("the retry under narrower limits got %s", body)
	}
	if calls != 1 {
		t.Errorf("the agent was called %d times, want once", calls)
	}
}
