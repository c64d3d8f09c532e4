package main

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv"

	"github.com/scrimhq/scrim/agent"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

// echo is the other agent: it says what it was sent.
type echo struct{}

func (echo) Execute(_ context.Context, exec *a2asrv.ExecutorContext) iter.Seq2[sdk.Event, error] {
	return func(yield func(sdk.Event, error) bool) {
		yield(sdk.NewMessage(sdk.MessageRoleAgent, sdk.NewTextPart("you asked: "+exec.Message.Parts[0].Text())), nil)
	}
}

func (echo) Cancel(context.Context, *a2asrv.ExecutorContext) iter.Seq2[sdk.Event, error] {
	return func(func(sdk.Event, error) bool) {}
}

const scrimYAML = `version: 1
domain: hospital
listen: %q
purposes: {treatment: {}}
agents:
  - {id: intake, purposes: [treatment], default_purpose: treatment, criticality: critical, keys: [{sha256: "%s"}]}
  - {id: prior-auth, domain: insurer, a2a: {url: "%s"}}
capabilities:
  grants:
    - {name: prior-authorisation, agents: [intake], recipients: [insurer/prior-auth], levels: {person: masked, "*": raw}}
`

const cedar = `@id("all") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("names") permit (principal, action in Action::"upto_masked", resource in DataClass::"person");
@id("public") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");
`

// The example does what it says through a real gateway: the sub-agent's question arrives without the name.
func TestTheExampleDelegates(t *testing.T) {
	mux := http.NewServeMux()
	other := httptest.NewServer(mux)
	defer other.Close()
	card := &sdk.AgentCard{Name: "prior-auth", Version: "1", DefaultInputModes: []string{"text/plain"}, DefaultOutputModes: []string{"text/plain"}}
	card.SupportedInterfaces = []*sdk.AgentInterface{sdk.NewAgentInterface(other.URL+"/", sdk.TransportProtocolJSONRPC)}
	mux.Handle(a2asrv.WellKnownAgentCardPath, a2asrv.NewStaticAgentCardHandler(card))
	mux.Handle("/", a2asrv.NewJSONRPCHandler(a2asrv.NewHandler(echo{})))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, digest := identity.NewKey()
	for name, text := range map[string]string{"scrim.yaml": fmt.Sprintf(scrimYAML, ln.Addr().String(), digest, other.URL), "policies/10.cedar": cedar} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "scrim.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := run.Open(t.Context(), c, run.Options{Listen: ln})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- g.Serve(ctx, nil, func(net.Addr, net.Addr) { close(ready) }) }()
	<-ready
	var out bytes.Buffer
	err = delegate(t.Context(), &out, agent.Gateway{URL: "http://" + ln.Addr().String(), Domain: "hospital"}, key)
	stop()
	if serr := <-ended; serr != nil {
		t.Error(serr)
	}
	if err != nil || !strings.Contains(out.String(), "would be masked") || !strings.Contains(out.String(), "you asked: Is [person] covered?") {
		t.Errorf("the example said %q, %v", out.String(), err)
	}
}
