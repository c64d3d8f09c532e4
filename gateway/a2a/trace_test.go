package a2a_test

import (
	"encoding/hex"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// followed keeps the calls that a gateway reports, all of them in traces.
type followed struct {
	mu    sync.Mutex
	calls []gateway.Called
	asked []bool
}

func (f *followed) hooks(h *gateway.Hooks) {
	h.Sample = func(asked bool) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.asked = append(f.asked, asked)
		return true
	}
	h.Call = func(c gateway.Called) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.calls = append(f.calls, c)
	}
}

// last returns the last of n calls, once it was reported: that is after its answer.
func (f *followed) last(t *testing.T, n int) gateway.Called {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		f.mu.Lock()
		if len(f.calls) >= n {
			defer f.mu.Unlock()
			return f.calls[n-1]
		}
		f.mu.Unlock()
	}
	t.Fatalf("no %d calls were reported", n)
	return gateway.Called{}
}

// doored puts the rig's handlers behind its door.
func doored(t *testing.T, r *town) {
	t.Helper()
	srv := httptest.NewServer(r.Door(r.srv.Config.Handler))
	t.Cleanup(srv.Close)
	r.srv, r.base = srv, srv.URL
}

// Within the domain the agent is shown the gateway's span as the parent, in the caller's trace, and the span's parent is the caller's.
func TestTheGatewayTakesASpanOfItsOwn(t *testing.T) {
	agent := newAgent(t, echoing)
	var f followed
	r := newTown(t, agent, func(s *gatewaytest.Setup) { f.hooks(&s.Hooks) })
	doored(t, r)
	if status, answer := r.to(t, "/a2a/desk", "scrim_key", told("SendMessage", idMessage, ""), "Traceparent", idTrace, "Tracestate", "a=b"); status != 200 {
		t.Fatalf("answer = %d %s", status, answer)
	}
	c := f.last(t, 1)
	if hex.EncodeToString(c.Trace.Trace[:]) != idTrace[3:35] || hex.EncodeToString(c.Trace.Parent[:]) != idTrace[36:52] || !c.Trace.Own || !f.asked[0] {
		t.Errorf("the call is in %x below %x (own: %v, asked: %v), want the caller's trace and span", c.Trace.Trace, c.Trace.Parent, c.Trace.Own, f.asked)
	}
	if got, want := agent.header[0].Get("Traceparent"), "00-"+idTrace[3:35]+"-"+hex.EncodeToString(c.Trace.Span[:])+"-01"; got != want {
		t.Errorf("the agent is shown %s, want %s", got, want)
	}
	if agent.header[0].Get("Tracestate") != "" {
		t.Error("tracestate went on")
	}
	kinds := map[gateway.StepKind]int{}
	for _, st := range c.Steps {
		kinds[st.Kind]++
		if st.Failed || st.Took < 0 || st.Began.Before(c.Began) {
			t.Errorf("step %+v", st)
		}
	}
	for kind, n := range map[gateway.StepKind]int{gateway.StepDetect: 2, gateway.StepPolicy: 2, gateway.StepChange: 2, gateway.StepRecord: 2, gateway.StepUpstream: 1} {
		if kinds[kind] < n { // the agent's card is asked for, too
			t.Errorf("%d steps %s, want at least %d", kinds[kind], kind, n)
		}
	}
	if c.Way != gateway.Within || c.Ending != gateway.Answered || c.Messages != 2 || c.Protocol != "a2a/1.0" || c.Peer != "" {
		t.Errorf("the call is %+v", c)
	}

	// A call without a trace begins one, and the agent is in it.
	if status, _ := r.to(t, "/a2a/desk", "scrim_key", told("SendMessage", "m-without", "")); status != 200 {
		t.Fatal(status)
	}
	c = f.last(t, 2)
	if got, want := agent.header[1].Get("Traceparent"), "00-"+hex.EncodeToString(c.Trace.Trace[:])+"-"+hex.EncodeToString(c.Trace.Span[:])+"-01"; got != want || c.Trace.Parent != [8]byte{} {
		t.Errorf("the agent is shown %s, want %s; parent %x", got, want, c.Trace.Parent)
	}
}

// Across the edge two domains are still shown nothing in common, and neither the caller's span nor the gateway's.
func TestASpanOfTheGatewayJoinsNoDomains(t *testing.T) {
	agent := newAgent(t, echoing)
	var f followed
	r := newTown(t, agent, func(s *gatewaytest.Setup) { f.hooks(&s.Hooks) })
	doored(t, r)
	for _, to := range []string{"partner", "lab"} {
		if status, answer := r.to(t, "/out/a2a/"+to, "scrim_key", told("SendMessage", idMessage, ""), "Traceparent", idTrace); status != 200 {
			t.Fatalf("%s: %d %s", to, status, answer)
		}
	}
	first, second := f.last(t, 1), f.last(t, 2)
	a, b := agent.header[0].Get("Traceparent"), agent.header[1].Get("Traceparent")
	if len(a) != 55 || len(b) != 55 || a[3:35] == b[3:35] || a[36:52] == b[36:52] {
		t.Errorf("two domains are shown %s and %s", a, b)
	}
	for _, secret := range []string{idTrace[3:35], idTrace[36:52], hex.EncodeToString(first.Trace.Span[:]), hex.EncodeToString(second.Trace.Span[:])} {
		for _, shown := range []string{a, b} {
			if shown[3:35] == secret || shown[36:52] == secret {
				t.Errorf("%s shows %s", shown, secret)
			}
		}
	}
	if first.Trace.Trace != second.Trace.Trace || first.Way != gateway.Out || first.Peer == second.Peer || first.Peer == "" {
		t.Errorf("calls %+v and %+v, want one trace and two peers", first.Trace, second.Trace)
	}
	// What comes from another domain is in a trace as our side knows it, and asks for no sampling.
	if status, answer := r.to(t, "/a2a/desk", "scrim_guest", told("SendMessage", "m-guest", ""), "Traceparent", a[:53]+"01"); status != 200 {
		t.Fatalf("guest: %d %s", status, answer)
	}
	c := f.last(t, 3)
	if c.Way != gateway.In || c.Trace.Own || f.asked[2] || hex.EncodeToString(c.Trace.Parent[:]) == a[36:52] || hex.EncodeToString(c.Trace.Trace[:]) == a[3:35] {
		t.Errorf("the guest's call is %+v, asked %v", c.Trace, f.asked)
	}
	if got := agent.header[2].Get("Traceparent"); got[36:52] != hex.EncodeToString(c.Trace.Span[:]) || got[3:35] != hex.EncodeToString(c.Trace.Trace[:]) {
		t.Errorf("our agent is shown %s", got)
	}
}

// Who is not followed is shown what it was shown before.
func TestWithoutSamplingNothingChanges(t *testing.T) {
	agent := newAgent(t, echoing)
	r := newTown(t, agent, func(s *gatewaytest.Setup) {
		s.Hooks.Sample = func(bool) bool { return false }
		s.Hooks.Call = func(gateway.Called) {}
	})
	doored(t, r)
	r.to(t, "/a2a/desk", "scrim_key", told("SendMessage", idMessage, ""), "Traceparent", idTrace)
	r.to(t, "/a2a/desk", "scrim_key", told("SendMessage", "m-2", ""))
	if a, b := agent.header[0].Get("Traceparent"), agent.header[1].Get("Traceparent"); a != idTrace || b != "" {
		t.Errorf("the agent is shown %q and %q", a, b)
	}
}

// A refusal that came before the trace was read is reported by its rule.
func TestRefusalsAreReported(t *testing.T) {
	agent := newAgent(t, echoing)
	var f followed
	r := newTown(t, agent, func(s *gatewaytest.Setup) { f.hooks(&s.Hooks) })
	doored(t, r)
	r.to(t, "/a2a/desk", "scrim_nobody", told("SendMessage", idMessage, ""))
	c := f.last(t, 1)
	if c.Ending != gateway.Denied || c.Rule != gateway.RuleIdentity || c.Trace.Span == [8]byte{} {
		t.Errorf("the call is reported as %+v", c)
	}
	agent.Close()
	r.to(t, "/a2a/desk", "scrim_key", told("SendMessage", idMessage, ""))
	if c := f.last(t, 2); c.Ending != gateway.Failed || c.Rule != gateway.RuleUpstream || len(c.Steps) == 0 || !c.Steps[len(c.Steps)-1].Failed {
		t.Errorf("the call is reported as %+v", c)
	}
}
