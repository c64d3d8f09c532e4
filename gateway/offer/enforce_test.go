package offer_test

import (
	"bufio"
	stdjson "encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/policy/contract"
)

// agreements are contracts in force, as a test sets them.
type agreements struct {
	mu   sync.Mutex
	list []*contract.Contract
}

func (a *agreements) set(list ...*contract.Contract) { a.mu.Lock(); defer a.mu.Unlock(); a.list = list }

func (a *agreements) InForce(f *flow.Flow, at time.Time) (out []*contract.Contract) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.list {
		if c.InForce(at) && c.Binds(f) {
			out = append(out, c)
		}
	}
	return out
}

// between is a contract of the two domains of a rig.
func between(name string, own map[flow.Label]flow.Level) *contract.Contract {
	retain := 7 * 24 * time.Hour
	return &contract.Contract{
		Negotiation: contract.NewNegotiation(), Version: 1, Name: name, Purposes: []flow.Purpose{"billing"},
		NotBefore: time.Now().Add(-time.Hour), Expires: time.Now().Add(time.Hour),
		Parties: [2]contract.Party{
			{Domain: gatewaytest.Other, Gives: contract.Gives{Levels: map[flow.Label]flow.Level{"*": flow.Raw}}},
			{Domain: gatewaytest.Own, Gives: contract.Gives{Levels: own, Retain: &retain}},
		},
	}
}

const open = `
@id("all") @retain("P365D") permit (principal, action in Action::"upto_raw", resource) unless { resource in DataClass::"health" };
@id("by-contract") @exception("e") @retain("P365D") permit (principal, action in Action::"upto_raw", resource in DataClass::"health/diagnosis") when { context.contract.contains("other:insurance") };
`

func (r *rig) message(t testing.TB, purpose string) (shown map[flow.Label]flow.LevelCount, ev flow.Event) {
	t.Helper()
	before := len(r.Events())
	status, _, body := r.post(t, "/out/a2a/partner", "scrim_intake", `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"`+string(gateway.NewFlowID())+`","role":"ROLE_USER","parts":[{"data":`+data()+`}]}}}`,
		"Scrim-Purpose", purpose, "Scrim-Criticality", "critical")
	if status != 200 || strings.Contains(body, `"error"`) {
		t.Fatalf("the message is answered %d %s", status, body)
	}
	shown = map[flow.Label]flow.LevelCount{}
	for _, e := range r.Events()[before:] {
		if e.Flow.Direction == flow.Request && e.Outcome == flow.Released {
			ev = e
			for _, l := range e.Levels {
				shown[l.Label] = l
			}
		}
	}
	return shown, ev
}

func TestFlowsUnderAContractAreMetWithIt(t *testing.T) {
	in := &agreements{}
	r := newRig(t, open, func(s *gatewaytest.Setup) { s.Contracts = in })
	before, ev := r.message(t, "billing")
	if before["person/name"].Level != flow.Raw || len(ev.Contracts) != 0 || before["health/diagnosis"].Level != flow.Dropped {
		t.Fatalf("without a contract: %v", before)
	}
	c := between("insurance", map[flow.Label]flow.Level{"person": flow.Masked, "health": flow.Generalized, "technical": flow.Raw, "person/birth-date": flow.Generalized})
	in.set(c)
	shown, ev := r.message(t, "billing")
	for label, want := range map[flow.Label]flow.LevelCount{
		"person/name":          {Level: flow.Masked, By: flow.ByContract},
		"person/birth-date":    {Level: flow.Generalized, By: flow.ByContract},
		"technical/record-id":  {Level: flow.Raw, By: flow.ByPolicy},
		"business/category":    {Level: flow.Dropped, By: flow.ByContract}, // under no label of the contract
		"health/member-number": {Level: flow.Dropped, By: flow.ByPolicy},   // no policy lets it pass, and a contract adds nothing
		"health/diagnosis":     {Level: flow.Generalized, By: flow.ByContract},
	} {
		if got := shown[label]; got.Level != want.Level || got.By != want.By {
			t.Errorf("%s shows %s by %s, want %s by %s", label, got.Level, got.By, want.Level, want.By)
		}
	}
	if !slices.Equal(ev.Contracts, []string{c.ID()}) || !slices.Contains(ev.Policies, "by-contract") {
		t.Errorf("on record are contracts %v, policies %v", ev.Contracts, ev.Policies)
	}
	told := r.ask(t, "/out/a2a/partner", "scrim_intake", `{"purpose":"billing","criticality":"critical","labels":["person/name"]}`)
	if told.Labels[0].Level != flow.Masked || told.Labels[0].By != "contract" || told.Duties.Retain != 7*24*3600 {
		t.Errorf("told is %+v", told)
	}
	if other, ev := r.message(t, "care"); other["person/name"].Level != flow.Raw || len(ev.Contracts) != 0 {
		t.Errorf("a flow for another purpose is bound: %v", other)
	}
	in.set(between("other", map[flow.Label]flow.Level{"*": flow.Raw}))
	if other, _ := r.message(t, "billing"); other["health/diagnosis"].Level != flow.Dropped {
		t.Errorf("a contract of another name opens what asks for one: %v", other["health/diagnosis"])
	}
	in.set()
	if after, ev := r.message(t, "billing"); after["person/name"].Level != flow.Raw || after["health/diagnosis"].Level != flow.Dropped || len(ev.Contracts) != 0 {
		t.Errorf("after the end: %v", after)
	}
}

func TestTheNoteNamesTheContractAndHowLongDataMayBeKept(t *testing.T) {
	in := &agreements{}
	r := newRig(t, open, func(s *gatewaytest.Setup) { s.Contracts = in })
	c := between("insurance", map[flow.Label]flow.Level{"*": flow.Raw})
	in.set(c)
	want := fmt.Sprintf(`"contract":[%q],"retain":%d}`, c.ID(), 7*24*3600)
	if passed := r.received(t, "billing"); !strings.Contains(passed, want) {
		t.Errorf("the recipient gets %s, want %s in it", passed, want)
	}
	in.set()
	if passed := r.received(t, "billing"); strings.Contains(passed, `"contract"`) || strings.Contains(passed, `"retain"`) {
		t.Errorf("without a contract the recipient gets %s", passed)
	}
}

// received returns what partner receives of a message that nothing is changed in.
func (r *rig) received(t testing.TB, purpose string) string {
	t.Helper()
	n := len(r.got())
	status, _, body := r.post(t, "/out/a2a/partner", "scrim_intake", `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"`+string(gateway.NewFlowID())+`","role":"ROLE_USER","parts":[{"data":{"record":"rec-1"}}]}}}`,
		"Scrim-Purpose", purpose, "Scrim-Criticality", "critical")
	if status != 200 || strings.Contains(body, `"error"`) {
		t.Fatalf("the message is answered %d %s", status, body)
	}
	return r.got()[n]
}

// A stored answer was given under a contract: when that is gone, it is decided anew.
func TestAnAnswerIsGivenAgainByTheContractsOfNow(t *testing.T) {
	in := &agreements{}
	r := newRig(t, open, func(s *gatewaytest.Setup) { s.Contracts = in })
	c := between("insurance", map[flow.Label]flow.Level{"*": flow.Raw})
	in.set(c)
	id := string(gateway.NewFlowID())
	ask := func() string {
		_, _, body := r.post(t, "/out/a2a/partner", "scrim_intake", `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"`+id+`","role":"ROLE_USER","parts":[{"data":{"record":"rec-1"}}]}}}`,
			"Scrim-Purpose", "billing", "Scrim-Criticality", "critical")
		return body
	}
	diagnosis := func(body string) bool {
		var out struct {
			Result struct {
				Message struct {
					Parts []struct {
						Data map[string]string `json:"data"`
					} `json:"parts"`
				} `json:"message"`
			} `json:"result"`
		}
		must(t, stdjson.Unmarshal([]byte(body), &out))
		return out.Result.Message.Parts[0].Data["diagnosis"] != ""
	}
	if !diagnosis(ask()) {
		t.Fatal("under the contract the diagnosis does not show")
	}
	if first, again := ask(), ask(); !diagnosis(first) || first != again {
		t.Error("a retry under the contract is not answered with the same")
	}
	in.set(c.Unnamed())
	if diagnosis(ask()) {
		t.Error("a retry after the other domain is no peer any more shows what the contract's name let show")
	}
	in.set()
	if diagnosis(ask()) {
		t.Error("a retry after the end of the contract shows what it let show")
	}
}

// A contract that ends while a message is changed does not let it out: it is decided anew.
func TestAContractThatEndsMeanwhileCountsNoMore(t *testing.T) {
	in := &ending{}
	r := newRig(t, open, func(s *gatewaytest.Setup) { s.Contracts = in })
	in.c = between("insurance", map[flow.Label]flow.Level{"*": flow.Raw})
	in.left = 3 // looks at it, fewer than a message takes
	shown, ev := r.message(t, "billing")
	if shown["health/diagnosis"].Level != flow.Dropped || len(ev.Contracts) != 0 {
		t.Errorf("the diagnosis shows %s, under %v", shown["health/diagnosis"].Level, ev.Contracts)
	}
}

// ending is a contract that ends after so many looks.
type ending struct {
	mu   sync.Mutex
	c    *contract.Contract
	left int
}

func (e *ending) InForce(f *flow.Flow, at time.Time) []*contract.Contract {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.left--; e.left < 0 || e.c == nil || !e.c.Binds(f) {
		return nil
	}
	return []*contract.Contract{e.c}
}

// Each event of an open stream is decided by the contracts of its moment.
func TestAnOpenStreamIsDecidedAnewWhenAContractEnds(t *testing.T) {
	in := &agreements{}
	next := make(chan struct{})
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for n := range 3 {
			fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"artifactUpdate\":{\"taskId\":\"t\",\"contextId\":\"c\",\"artifact\":{\"artifactId\":\"a%d\",\"parts\":[{\"data\":{\"diagnosis\":\"M05.9\",\"record\":\"r\"}}]}}}}\n\n", n)
			w.(http.Flusher).Flush()
			<-next
		}
	}))
	t.Cleanup(agent.Close)
	up, err := gateway.NewUpstream(agent.URL, "", flow.Secret{}, gateway.UpstreamOptions{})
	must(t, err)
	r := newRig(t, open, func(s *gatewaytest.Setup) {
		s.Contracts = in
		for _, a := range s.Agents {
			if a.Party.Agent == "desk" {
				a.A2A = up
			}
		}
	})
	in.set(between("insurance", map[flow.Label]flow.Level{"*": flow.Raw}))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/a2a/desk", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"SendStreamingMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"data":{"record":"r"}}]}}}`))
	must(t, err)
	for name, value := range map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0", "Authorization": "Bearer scrim_outside", "Scrim-Purpose": "billing", "Scrim-Criticality": "critical"} {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	events := bufio.NewScanner(res.Body)
	event := func() string {
		for events.Scan() {
			if strings.HasPrefix(events.Text(), "data:") {
				return events.Text()
			}
		}
		t.Fatalf("the stream ended: %v", events.Err())
		return ""
	}
	if first := event(); !strings.Contains(first, `"diagnosis"`) {
		t.Errorf("under the contract the event is %s", first)
	}
	in.set()
	next <- struct{}{}
	if second := event(); strings.Contains(second, `"diagnosis"`) {
		t.Errorf("after the end of the contract the event is %s", second)
	}
	in.set(between("insurance", map[flow.Label]flow.Level{"*": flow.Masked}))
	next <- struct{}{}
	if third := event(); strings.Contains(third, "M05.9") || strings.Contains(third, `"record":"r"`) {
		t.Errorf("under a narrower contract the event is %s", third)
	}
	close(next)
}
