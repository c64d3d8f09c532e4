package a2a_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	stdjson "encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/egress"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
)

const cardPolicies = `
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("rest") permit (principal, action in Action::"upto_masked", resource);
`

// plaza is a gateway with both faces before one agent that shows a card and answers nothing but what serve says.
type plaza struct {
	*gatewaytest.Rig
	cards *a2a.Cards
	base  string
	agent *gateway.Agent
}

// newPlaza fronts an agent at an address: own, "desk", on the inbound face, and foreign, "partner", on the outbound one.
func newPlaza(t *testing.T, address string, rules gateway.CardRules, cards *a2a.Cards, change func(*gateway.Snapshot)) *plaza {
	t.Helper()
	up, err := gateway.NewUpstream(address, "", flow.Secret{}, gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	caller := flow.Party{Agent: "caller", Domain: gatewaytest.Own}
	partner := &gateway.Agent{Party: flow.Party{Agent: "partner", Domain: gatewaytest.Other}, A2A: up, Card: rules}
	p := &plaza{cards: cards, agent: partner}
	p.Rig = gatewaytest.New(t, gatewaytest.Setup{
		Policy: cardPolicies, Change: change,
		Agents:  []*gateway.Agent{{Party: caller}, partner, {Party: flow.Party{Agent: "desk", Domain: gatewaytest.Own}, A2A: up, Card: rules}},
		Callers: map[string]identity.Grant{"scrim_key": {Party: caller, Criticality: flow.Critical}},
	})
	cards.Signer, cards.KeyID = p.Keys.Signer("card"), p.Keys.ID()
	mux := http.NewServeMux()
	mux.HandleFunc(a2a.KeysPath, cards.ServeKeys)
	mux.Handle("/a2a/", &a2a.Handler{Gateway: p.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: cards})
	mux.Handle("/out/a2a/", &a2a.Handler{Gateway: p.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: cards})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	p.base = srv.URL
	return p
}

func (p *plaza) get(t *testing.T, path string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer scrim_key")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

const (
	outCard = "/out/a2a/partner/.well-known/agent-card.json"
	inCard  = "/a2a/desk/.well-known/agent-card.json"
)

// cardServer shows a card, and says what headers it was asked with.
type cardServer struct {
	*httptest.Server
	mu     sync.Mutex
	text   string // URL stands for the server's own address
	header http.Header
	status int
	asked  []http.Header
}

func newCardServer(t *testing.T, text string) *cardServer {
	s := &cardServer{text: text, header: http.Header{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if r.URL.Path != "/.well-known/agent-card.json" {
			http.NotFound(w, r)
			return
		}
		s.asked = append(s.asked, r.Header.Clone())
		for k, v := range s.header {
			w.Header()[k] = v
		}
		w.Header().Set("Content-Type", "application/json")
		switch tag := s.header.Get("Etag"); {
		case s.status != 0:
			w.WriteHeader(s.status)
		case tag != "" && r.Header.Get("If-None-Match") == tag:
			w.WriteHeader(http.StatusNotModified)
		default:
			_, _ = io.WriteString(w, strings.ReplaceAll(s.text, "URL", s.URL))
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *cardServer) with(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

const plainCard = `{"name":"Partner","description":"Settles claims","version":"1","capabilities":{"streaming":true,"pushNotifications":true},
	"supportedInterfaces":[{"url":"URL/rest","protocolBinding":"HTTP+JSON","protocolVersion":"1.0"},{"url":"URL","protocolBinding":"JSONRPC","protocolVersion":"1.0"}],
	"defaultInputModes":["text/plain"],"defaultOutputModes":["text/plain"],"skills":[{"id":"claims","name":"Claims","description":"d","tags":["t"]}]}`

func TestACardIsKeptAsLongAsItsAgentSays(t *testing.T) {
	agent := newCardServer(t, plainCard)
	agent.header = http.Header{"Etag": {`"v1"`}, "Cache-Control": {"public, max-age=120"}}
	var now atomic.Int64
	now.Store(1_000_000)
	p := newPlaza(t, agent.URL, gateway.CardRules{}, &a2a.Cards{Clock: func() time.Time { return time.Unix(now.Load(), 0) }}, nil)
	look := func(after int64) (*http.Response, string) {
		now.Add(after)
		return p.get(t, inCard)
	}
	asked := func() (n int, last http.Header) {
		agent.with(func() { n, last = len(agent.asked), agent.asked[len(agent.asked)-1] })
		return
	}
	first, _ := look(0)
	look(119)
	if n, _ := asked(); n != 1 {
		t.Errorf("within its time the card was asked for %d times, want once", n)
	}
	again, _ := look(2)
	if n, last := asked(); n != 2 || last.Get("If-None-Match") != `"v1"` || again.Header.Get("ETag") != first.Header.Get("ETag") {
		t.Errorf("after its time: %d requests, the last with %v", n, last)
	}
	agent.with(func() { agent.status = http.StatusBadGateway })
	if res, _ := look(121); res.StatusCode != http.StatusOK {
		t.Errorf("while the agent is away: status %d, want the older card", res.StatusCode)
	}
	if res, _ := look(3600); res.StatusCode != http.StatusBadGateway {
		t.Errorf("long after: status %d, want %d", res.StatusCode, http.StatusBadGateway)
	}
	agent.with(func() {
		agent.status, agent.text = 0, strings.Replace(plainCard, "Settles", "Rejects", 1)
		agent.header = http.Header{"Etag": {`"v2"`}, "Cache-Control": {"no-store"}}
	})
	if _, body := look(11); !strings.Contains(body, "Rejects") {
		t.Errorf("the newer card is not shown: %s", body)
	}
	agent.with(func() { agent.text = "{" })
	agent.with(func() { agent.header.Set("Etag", `"v3"`) })
	if res, _ := look(11); res.StatusCode != http.StatusBadGateway {
		t.Errorf("a card that cannot be read: status %d, want %d: an older one would hide it", res.StatusCode, http.StatusBadGateway)
	}
}

func TestTheGatewaysOwnCardCanBeAskedForConditionally(t *testing.T) {
	p := newPlaza(t, newCardServer(t, plainCard).URL, gateway.CardRules{}, &a2a.Cards{}, nil)
	for _, path := range []string{inCard, outCard, a2a.KeysPath} {
		first, _ := p.get(t, path)
		for _, tag := range []string{first.Header.Get("ETag"), "W/" + first.Header.Get("ETag"), `"x", ` + first.Header.Get("ETag"), "*"} {
			if res, body := p.get(t, path, "If-None-Match", tag); res.StatusCode != http.StatusNotModified || body != "" {
				t.Errorf("%s with %s: status %d", path, tag, res.StatusCode)
			}
		}
		if res, _ := p.get(t, path, "If-None-Match", `"x"`); res.StatusCode != http.StatusOK {
			t.Errorf("%s with another tag: status %d", path, res.StatusCode)
		}
	}
}

func interfaces(t *testing.T, body string) []card.Interface {
	t.Helper()
	c, err := card.Parse([]byte(body), json.Limits{})
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return c.Interfaces()
}

func TestEveryFrontedBindingIsShownOnce(t *testing.T) {
	fronts := []a2a.Front{{Binding: card.JSONRPC, Version: "1.0"}, {Binding: card.HTTPJSON, Version: "1.0"}, {Binding: card.GRPC, Version: "1.0"}, {Binding: card.JSONRPC, Version: "0.3"}}
	p := newPlaza(t, newCardServer(t, plainCard).URL, gateway.CardRules{}, &a2a.Cards{Fronts: fronts, Push: true}, func(s *gateway.Snapshot) { s.PublicURL = "https://gw.example/scrim" })
	for path, name := range map[string]string{inCard: "a2a/desk", outCard: "out/a2a/partner"} {
		_, body := p.get(t, path)
		at := "https://gw.example/scrim/" + name
		want := []card.Interface{{URL: at, Binding: card.HTTPJSON, Version: "1.0"}, {URL: at, Binding: card.JSONRPC, Version: "1.0"}, {URL: "gw.example:443", Tenant: name, Binding: card.GRPC, Version: "1.0"}}
		if got := interfaces(t, body); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s shows %v, want %v", path, got, want)
		}
		if !strings.Contains(body, `"pushNotifications":true`) {
			t.Errorf("%s does not offer push notifications: %s", path, body)
		}
	}
	if res, _ := p.get(t, "/a2a/desk/.well-known/agent.json"); res.StatusCode != http.StatusNotFound {
		t.Errorf("an agent of 1.0 alone has a card of 0.3: status %d", res.StatusCode)
	}
}

func TestACardOfTheOldVersion(t *testing.T) {
	const old = `{"name":"Old","description":"d","version":"1","protocolVersion":"0.3.0","url":"URL","preferredTransport":"JSONRPC","capabilities":{},
		"security":[{"x":[]}],"securitySchemes":{"x":{"type":"http","scheme":"basic"}},"skills":[],"defaultInputModes":[],"defaultOutputModes":[]}`
	fronts := []a2a.Front{{Binding: card.JSONRPC, Version: "1.0"}, {Binding: card.JSONRPC, Version: "0.3"}}
	p := newPlaza(t, newCardServer(t, old).URL, gateway.CardRules{}, &a2a.Cards{Fronts: fronts}, nil)
	for _, path := range []string{inCard, outCard, "/a2a/desk/.well-known/agent.json"} {
		res, body := p.get(t, path)
		at := p.base + strings.SplitAfter(path, "/.well-known")[0]
		at = strings.TrimSuffix(at, "/.well-known")
		if got := interfaces(t, body); res.StatusCode != http.StatusOK || len(got) != 1 || got[0] != (card.Interface{URL: at, Binding: card.JSONRPC, Version: "0.3"}) {
			t.Errorf("%s: %d, %v", path, res.StatusCode, got)
		}
		if strings.Contains(body, `"security"`) || !strings.Contains(body, `"type":"http"`) || strings.Contains(body, "supportedInterfaces") {
			t.Errorf("%s: %s", path, body)
		}
	}
}

func TestAForeignCardIsContent(t *testing.T) {
	text := strings.NewReplacer("Settles claims", "Ask alice.smith@example.com", `"tags":["t"]`, `"tags":["t"],"examples":["Call 555-867-5309 x"]`, `"version":"1"`, `"version":"1","x-note":"bob.jones@example.com"`).Replace(plainCard)
	p := newPlaza(t, newCardServer(t, text).URL, gateway.CardRules{}, &a2a.Cards{}, nil)
	res, body := p.get(t, outCard)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", res.StatusCode, body)
	}
	without(t, "the foreign card", body, "alice.smith", "bob.jones")
	if !strings.Contains(body, "Partner") || !strings.Contains(body, `"changed":true`) || strings.Contains(body, "original") {
		t.Errorf("the foreign card: %s", body)
	}
	again, _ := p.get(t, outCard)
	if again.Header.Get("ETag") != res.Header.Get("ETag") {
		t.Error("the same card for the same caller has another tag")
	}
	released := 0
	for _, ev := range p.Events() {
		if ev.Outcome == flow.Released && ev.Flow.Method == "GetAgentCard" && ev.Flow.From.Agent == "partner" && ev.Flow.To.Agent == "caller" {
			released++
		}
	}
	if released != 2 {
		t.Errorf("%d rows say that the card was shown, want 2", released)
	}
	if _, body := p.get(t, inCard); !strings.Contains(body, "alice.smith@example.com") {
		t.Errorf("what the domain itself publishes was changed: %s", body)
	}
	if res, _ := p.get(t, outCard, "Authorization", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger on the outbound face: status %d", res.StatusCode)
	}
}

// signedCard returns a card, signed with a key of which the set is returned.
func signedCard(t *testing.T, text, jku string) (signed string, keys []byte, pub ed25519.PublicKey) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := card.Parse([]byte(text), json.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	opt := card.Options{Interfaces: c.Interfaces(), Signer: priv, KeyID: "agent-1", JKU: jku}
	out, err := c.Rewrite(opt)
	if err != nil {
		t.Fatal(err)
	}
	if keys, err = card.JWKS(opt); err != nil {
		t.Fatal(err)
	}
	return string(out), keys, pub
}

type shownParams struct {
	Signature struct{ State, Kid, Keys string }
	Original  string
}

func paramsOf(t *testing.T, body string) shownParams {
	t.Helper()
	var c struct {
		Capabilities struct {
			Extensions []struct {
				URI    string
				Params shownParams
			}
		}
	}
	if err := stdjson.Unmarshal([]byte(body), &c); err != nil {
		t.Fatal(err)
	}
	for _, e := range c.Capabilities.Extensions {
		if e.URI == card.PrivacyExtension {
			return e.Params
		}
	}
	t.Fatalf("no privacy extension: %s", body)
	return shownParams{}
}

func TestSignaturesOfCards(t *testing.T) {
	text := strings.ReplaceAll(plainCard, "URL", "https://agents.example")
	signed, keys, pub := signedCard(t, text, "")
	_, others, _ := signedCard(t, text, "")
	tampered := strings.Replace(signed, "Settles", "Forgets", 1)
	require := gateway.SignatureRequire
	for _, c := range []struct {
		name, shown string
		rules       gateway.CardRules
		status      int
		state       string
	}{
		{"pinned", signed, gateway.CardRules{Keys: keys, Signature: require}, 200, "verified"},
		{"pinned by id", signed, gateway.CardRules{Keys: keys, KeyIDs: []string{"agent-1"}, Signature: require}, 200, "verified"},
		{"another id is pinned", signed, gateway.CardRules{Keys: keys, KeyIDs: []string{"agent-2"}, Signature: require}, 502, ""},
		{"another key is pinned", signed, gateway.CardRules{Keys: others, Signature: require}, 502, ""},
		{"another key, told", signed, gateway.CardRules{Keys: others}, 200, "failed"},
		{"tampered", tampered, gateway.CardRules{Keys: keys, Signature: require}, 502, ""},
		{"tampered, told", tampered, gateway.CardRules{Keys: keys}, 200, "failed"},
		{"unsigned", text, gateway.CardRules{Keys: keys, Signature: require}, 502, ""},
		{"unsigned, told", text, gateway.CardRules{Keys: keys}, 200, "unsigned"},
		{"nobody is believed", signed, gateway.CardRules{}, 200, "unknown"},
		{"ignored", tampered, gateway.CardRules{Keys: keys, Signature: gateway.SignatureIgnore}, 200, "unchecked"},
	} {
		p := newPlaza(t, newCardServer(t, c.shown).URL, c.rules, &a2a.Cards{}, nil)
		res, body := p.get(t, outCard)
		if res.StatusCode != c.status {
			t.Errorf("%s: status %d, want %d", c.name, res.StatusCode, c.status)
			continue
		}
		if c.status != 200 {
			if _, err := p.cards.Choose(context.Background(), p.agent, p.Snapshot(), "1.0", card.JSONRPC); err == nil {
				t.Errorf("%s: the agent is called all the same", c.name)
			}
			continue
		}
		got := paramsOf(t, body)
		if got.Signature.State != c.state {
			t.Errorf("%s: signature %+v, want %s", c.name, got.Signature, c.state)
		}
		if c.state == "verified" && (got.Signature.Kid != "agent-1" || got.Signature.Keys != "pinned" || card.Verify([]byte(got.Original), "agent-1", pub) != nil) {
			t.Errorf("%s: %+v does not hold the card that its agent signed", c.name, got)
		}
		gw, keysBody := p.get(t, a2a.KeysPath)
		set, err := card.ParseKeys([]byte(keysBody))
		if err != nil || gw.StatusCode != 200 {
			t.Fatalf("the gateway's keys: %v", err)
		}
		if kid, err := set.VerifiedBy([]byte(body)); err != nil || kid != p.Keys.ID() {
			t.Errorf("%s: the gateway's signature: %q, %v", c.name, kid, err)
		}
	}
}

func TestAnOwnAgentsAddressesAreItsOwn(t *testing.T) {
	signed, keys, _ := signedCard(t, strings.ReplaceAll(plainCard, "URL", "https://internal.example"), "")
	for original, want := range map[bool]bool{false: false, true: true} {
		p := newPlaza(t, newCardServer(t, signed).URL, gateway.CardRules{Keys: keys, Original: original}, &a2a.Cards{}, nil)
		if _, body := p.get(t, inCard); strings.Contains(body, "internal.example") != want {
			t.Errorf("with show_original %v: %s", original, body)
		}
	}
}

func TestKeysAreFetchedWhereConfigurationAllows(t *testing.T) {
	var keys []byte
	var hits atomic.Int32
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		_, _ = w.Write(keys)
	}))
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	host := strings.TrimPrefix(srv.URL, "https://")
	signed, set, _ := signedCard(t, strings.ReplaceAll(plainCard, "URL", "https://agents.example"), srv.URL+"/jwks.json")
	plain, _, _ := signedCard(t, strings.ReplaceAll(plainCard, "URL", "https://agents.example"), strings.Replace(srv.URL, "https", "http", 1)+"/jwks.json")
	keys = set
	open := egress.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{0}, Roots: roots}
	for _, c := range []struct {
		name, shown string
		rules       gateway.CardRules
		egress      egress.Options
		state       string
		hits        int32
	}{
		{"a host that is listed", signed, gateway.CardRules{KeyHosts: []string{host}}, open, "verified", 1},
		{"a host that is not", signed, gateway.CardRules{KeyHosts: []string{"keys.example"}}, open, "unknown", 0},
		{"the agent's own host is another", signed, gateway.CardRules{Fetch: true}, open, "unknown", 0},
		{"an address within", signed, gateway.CardRules{KeyHosts: []string{host}}, egress.Options{Ports: []uint16{0}, Roots: roots}, "unknown", 0},
		{"without TLS", plain, gateway.CardRules{KeyHosts: []string{host}}, egress.Options{Allow: open.Allow, Ports: []uint16{0}, Plain: true}, "unknown", 0},
	} {
		hits.Store(0)
		p := newPlaza(t, newCardServer(t, c.shown).URL, c.rules, &a2a.Cards{}, func(s *gateway.Snapshot) { s.Egress = c.egress })
		_, body := p.get(t, outCard)
		if got := paramsOf(t, body); got.Signature.State != c.state || hits.Load() != c.hits {
			t.Errorf("%s: %+v after %d fetches, want %s after %d", c.name, got.Signature, hits.Load(), c.state, c.hits)
		}
	}
}

// A card that lies at the gateway's own address ends, and does not hang.
func TestACardThatPointsBackEnds(t *testing.T) {
	l := httptest.NewUnstartedServer(nil)
	address := "http://" + l.Listener.Addr().String() + "/a2a/desk"
	p := newPlaza(t, address, gateway.CardRules{}, &a2a.Cards{}, nil)
	mux := http.NewServeMux()
	var asked atomic.Int32
	h := &a2a.Handler{Gateway: p.Gateway, Face: gateway.Inbound, Prefix: "/a2a/", Cards: p.cards}
	mux.HandleFunc("/a2a/", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		h.ServeHTTP(w, r)
	})
	l.Config.Handler = mux
	l.Start()
	defer l.Close()
	began := time.Now()
	res, _ := p.get(t, inCard)
	if res.StatusCode != http.StatusBadGateway || time.Since(began) > 14*time.Second || asked.Load() > 2*gateway.MaxHops {
		t.Errorf("status %d after %v and %d requests", res.StatusCode, time.Since(began), asked.Load())
	}
	asked.Store(0)
	body := `{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t"}}`
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.base+"/a2a/desk", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "A2A-Version": "1.0", "Authorization": "Bearer scrim_key"} {
		req.Header.Set(k, v)
	}
	out, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if b, _ := io.ReadAll(out.Body); !strings.Contains(string(b), "error") || asked.Load() > 3*gateway.MaxHops {
		t.Errorf("a call that goes round: %s after %d requests", b, asked.Load())
	}
}
