package gateway_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

var (
	busyBee = flow.Party{Agent: "bee", Domain: gatewaytest.Own}
	quiet   = flow.Party{Agent: "quiet", Domain: gatewaytest.Own}
)

// watched is a gateway whose limits are given, with a door before a handler that admits whom the X-Who header names,
// says what came of it and then does what is asked.
type watched struct {
	*gatewaytest.Rig
	door http.Handler
}

func guardDoor(t *testing.T, limits gateway.LoadLimits, own gateway.CallerLimits, then func(ctx context.Context, w http.ResponseWriter, r *http.Request)) *watched {
	t.Helper()
	now := time.Now() // which stands still: no rate fills up while a slow machine is at work
	rig := gatewaytest.New(t, gatewaytest.Setup{Hooks: gateway.Hooks{Error: func(error) {}}, Clock: func() time.Time { return now }})
	snap := *rig.Snapshot()
	snap.Load = limits
	snap.Agents = map[flow.AgentID]*gateway.Agent{"bee": {Party: busyBee, Limits: own}, "quiet": {Party: quiet}}
	if err := rig.Swap(t.Context(), &snap, "limits"); err != nil {
		t.Fatal(err)
	}
	w := &watched{Rig: rig}
	w.door = rig.Door(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		who := flow.Party{Agent: flow.AgentID(r.Header.Get("X-Who")), Domain: gatewaytest.Own}
		err := rig.Admit(r.Context(), rig.Snapshot(), who)
		f := flow.Flow{ID: gateway.NewFlowID(), From: who}
		if err != nil {
			ref := rig.Refused(r.Context(), rig.Snapshot(), f, err)
			rw.WriteHeader(gateway.Denial(ref, 0).A2AStatus())
			_, _ = rw.Write(gateway.Denial(ref, 0).A2A(nil))
			return
		}
		if then != nil {
			then(r.Context(), rw, r)
		}
	}))
	return w
}

func (w *watched) call(who flow.Party, from string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
	r.Header.Set("X-Who", string(who.Agent))
	r.RemoteAddr = from
	out := httptest.NewRecorder()
	w.door.ServeHTTP(out, r)
	return out
}

func TestACallerHasARateOfItsOwn(t *testing.T) {
	w := guardDoor(t, gateway.LoadLimits{}, gateway.CallerLimits{Rate: 3}, nil)
	var last *httptest.ResponseRecorder
	for range 4 {
		last = w.call(busyBee, "192.0.2.1:1")
	}
	if last.Code != http.StatusTooManyRequests || last.Header().Get("Retry-After") != "1" || !strings.Contains(last.Body.String(), `"TOO_MANY_REQUESTS"`) {
		t.Errorf("the call over the rate got %d %v %s, want 429 with Retry-After in the protocol's words", last.Code, last.Header(), last.Body)
	}
	if got := w.call(quiet, "192.0.2.1:1"); got.Code != http.StatusOK {
		t.Errorf("another caller got %d, want it served", got.Code)
	}
	if flows, streams := w.Load(); flows != 0 || streams != 0 {
		t.Errorf("%d flows and %d streams are open, want none", flows, streams)
	}
}

func TestARefusedRateFillsNoJournal(t *testing.T) {
	w := guardDoor(t, gateway.LoadLimits{}, gateway.CallerLimits{Rate: 1}, nil)
	before, err := w.Log.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 500 {
		w.call(busyBee, "192.0.2.1:1")
	}
	after, err := w.Log.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if rows := after.Entries - before.Entries; rows < 1 || rows > 100 {
		t.Errorf("500 calls wrote %d rows, want a few", rows)
	}
}

// TestNoCallerTakesAllSlots holds calls open until one caller has all it may, and another still gets in.
func TestNoCallerTakesAllSlots(t *testing.T) {
	release, open := make(chan struct{}), make(chan struct{}, 8)
	w := guardDoor(t, gateway.LoadLimits{Flows: 4}, gateway.CallerLimits{}, func(context.Context, http.ResponseWriter, *http.Request) {
		open <- struct{}{}
		<-release
	})
	var wg sync.WaitGroup
	start := func(who flow.Party) { wg.Go(func() { w.call(who, "192.0.2.1:1") }); <-open }
	start(busyBee)
	start(busyBee)
	if got := w.call(busyBee, "192.0.2.1:1"); got.Code != http.StatusTooManyRequests || got.Header().Get("Retry-After") == "" {
		t.Errorf("a caller with half of all slots got %d, want 429 with Retry-After", got.Code)
	}
	start(quiet)
	start(quiet)
	if got := w.call(flow.Party{Agent: "third", Domain: gatewaytest.Own}, "192.0.2.1:1"); got.Code != http.StatusServiceUnavailable || !strings.Contains(got.Body.String(), `"BUSY"`) {
		t.Errorf("with every slot taken a caller got %d %s, want 503 in the protocol's words", got.Code, got.Body)
	}
	close(release)
	wg.Wait()
	if flows, _ := w.Load(); flows != 0 {
		t.Errorf("%d slots are still taken", flows)
	}
}

func TestAnOpenStreamIsNoCall(t *testing.T) {
	release, open := make(chan struct{}), make(chan error, 8)
	var w *watched
	w = guardDoor(t, gateway.LoadLimits{Flows: 2, Streams: 4}, gateway.CallerLimits{Flows: 1, Streams: 3}, func(ctx context.Context, _ http.ResponseWriter, r *http.Request) {
		f := flow.Flow{ID: gateway.NewFlowID(), From: busyBee}
		open <- w.Mark(ctx, w.Snapshot(), f, flow.Opened, 0, "", nil)
		<-release
	})
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			if got := w.call(busyBee, "192.0.2.1:1"); got.Code != http.StatusOK {
				open <- errors.New(got.Body.String())
			}
		})
		if err := <-open; err != nil {
			t.Errorf("stream %d: Mark() error = %v, want it opened though calls are limited to one", i, err)
		}
	}
	wg.Go(func() { w.call(busyBee, "192.0.2.1:1") })
	ref, ok := errors.AsType[*gateway.Refusal](<-open)
	if !ok || ref.Rule != gateway.RuleRate || ref.Ref == "" {
		t.Errorf("the stream over the limit got %v, want a refusal on record", ref)
	}
	if flows, streams := w.Load(); flows != 1 || streams != 3 {
		t.Errorf("%d calls and %d streams are open, want 1 and 3", flows, streams)
	}
	close(release)
	wg.Wait()
	if flows, streams := w.Load(); flows != 0 || streams != 0 {
		t.Errorf("%d calls and %d streams are left", flows, streams)
	}
}

func TestAddressesThatGuessAreNotListenedTo(t *testing.T) {
	w := guardDoor(t, gateway.LoadLimits{Refusals: 5}, gateway.CallerLimits{}, nil)
	door := w.Door(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.Refused(r.Context(), w.Snapshot(), flow.Flow{ID: gateway.NewFlowID()}, gateway.Refuse(gateway.RuleIdentity, nil, "The credential is not accepted."))
		rw.WriteHeader(http.StatusUnauthorized)
	}))
	guess := func(from string) int {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.RemoteAddr = from
		out := httptest.NewRecorder()
		door.ServeHTTP(out, r)
		return out.Code
	}
	codes := map[int]int{}
	for range 20 {
		codes[guess("[2001:db8:1::7]:99")]++
	}
	if codes[http.StatusUnauthorized] < 5 || codes[http.StatusTooManyRequests] == 0 {
		t.Errorf("20 guesses got %v, want 401 at first and then 429", codes)
	}
	if got := guess("[2001:db8:1::ffff]:99"); got != http.StatusTooManyRequests {
		t.Errorf("another address of the network got %d, want 429", got)
	}
	if got := guess("192.0.2.9:99"); got != http.StatusUnauthorized {
		t.Errorf("an address that did nothing got %d, want it listened to", got)
	}
}

func TestAMessageMayBeAsLongAsItsCallerMay(t *testing.T) {
	var got error
	w := guardDoor(t, gateway.LoadLimits{}, gateway.CallerLimits{Body: 8}, func(_ context.Context, w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
		r.Body = io.NopCloser(strings.NewReader(`{"long":"enough"}`))
		_, got = gateway.ReadRequest(w, r, 1<<20, "application/json")
	})
	w.call(busyBee, "192.0.2.1:1")
	if ref, ok := errors.AsType[*gateway.Refusal](got); !ok || ref.Rule != gateway.RuleTooBig {
		t.Errorf("a long message of a caller with a short limit: error = %v, want too-big", got)
	}
	w.call(quiet, "192.0.2.1:1")
	if got != nil {
		t.Errorf("the same of another caller: error = %v, want none", got)
	}
}

// TestAnIdleAgentIsCutAndASlowCallerIsNot reads by hand from a body that says nothing.
func TestAnIdleAgentIsCutAndASlowCallerIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		body := gateway.Idle(r, time.Second)
		defer body.Close()
		go func() { _, _ = io.WriteString(w, "ab") }()
		one := make([]byte, 1)
		for range 2 {
			if _, err := io.ReadFull(body, one); err != nil {
				t.Errorf("after a slow caller: Read() error = %v", err)
			}
			time.Sleep(5 * time.Second)
		}
		began := time.Now()
		if _, err := body.Read(one); err == nil || time.Since(began) > 2*time.Second {
			t.Errorf("Read() of an agent that says nothing: error = %v after %v, want one after a second", err, time.Since(began))
		} else if ref := gateway.BrokenOff(t.Context(), err); !strings.Contains(ref.Public, "too long") {
			t.Errorf("it is told as %q, want that it took too long", ref.Public)
		}
	})
}
