package a2a_test

import (
	"context"
	"iter"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv"

	"github.com/scrimhq/scrim/agent"
	"github.com/scrimhq/scrim/agent/a2a"
	"github.com/scrimhq/scrim/flow"
)

// partner is an agent of the official SDK that answers with a note, as a gateway would have put it there.
type partner struct {
	mu    sync.Mutex
	heads []http.Header
	ids   []string
	lose  int // answers to messages that get lost
}

func (p *partner) Execute(_ context.Context, exec *a2asrv.ExecutorContext) iter.Seq2[sdk.Event, error] {
	return func(yield func(sdk.Event, error) bool) {
		p.mu.Lock()
		p.ids = append(p.ids, exec.Message.ID)
		p.mu.Unlock()
		m := sdk.NewMessage(sdk.MessageRoleAgent, sdk.NewTextPart("covered"))
		m.SetMeta(agent.Extension, map[string]any{"restricted": 1, "reference": "06h0a7pgdpkmbfokh1vp84m3r0"})
		yield(m, nil)
	}
}

func (p *partner) Cancel(context.Context, *a2asrv.ExecutorContext) iter.Seq2[sdk.Event, error] {
	return func(func(sdk.Event, error) bool) {}
}

func (p *partner) serve(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	card := &sdk.AgentCard{Name: "partner", Version: "1", DefaultInputModes: []string{"text/plain"}, DefaultOutputModes: []string{"text/plain"}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.heads = append(p.heads, r.Header.Clone())
		lose := r.Method == http.MethodPost && p.lose > 0
		if lose {
			p.lose--
		}
		p.mu.Unlock()
		if lose {
			mux.ServeHTTP(httptest.NewRecorder(), r) // it is done, and its answer gets lost
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	card.SupportedInterfaces = []*sdk.AgentInterface{sdk.NewAgentInterface(srv.URL+"/", sdk.TransportProtocolJSONRPC)}
	mux.Handle(a2asrv.WellKnownAgentCardPath, a2asrv.NewStaticAgentCardHandler(card))
	mux.Handle("/", a2asrv.NewJSONRPCHandler(a2asrv.NewHandler(p)))
	return srv.URL
}

// A message is sent under one name until it is answered, every request says why it is made, and the answer's note is read.
func TestAMessageIsSentAgainUnderItsName(t *testing.T) {
	p := &partner{lose: 1}
	url := p.serve(t)
	self, err := agent.NewClient(agent.Options{Key: agent.NewKey(), Gateways: []agent.Gateway{{URL: url, Domain: "hospital"}}})
	if err != nil {
		t.Fatal(err)
	}
	var notes []flow.Note
	client, err := a2a.Dial(t.Context(), self, url, a2a.Options{Purpose: "treatment", Note: func(n flow.Note) { notes = append(notes, n) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Destroy() }()
	msg := sdk.NewMessage(sdk.MessageRoleUser, sdk.NewTextPart("Is she covered?"))
	msg.ID = ""
	if _, err := client.SendMessage(t.Context(), &sdk.SendMessageRequest{Message: msg}); err != nil {
		t.Fatal(err)
	}
	if len(p.ids) != 2 || p.ids[0] == "" || p.ids[0] != p.ids[1] {
		t.Errorf("the message came as %v, want the same name twice", p.ids)
	}
	for _, h := range p.heads {
		if h.Get(agent.HeaderPurpose) != "treatment" {
			t.Errorf("a request came for purpose %q, want treatment", h.Get(agent.HeaderPurpose))
		}
	}
	if len(notes) != 1 || notes[0].Restricted != 1 {
		t.Errorf("notes %+v, want the answer's", notes)
	}
}
