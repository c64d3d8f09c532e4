package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

func TestBaseURLBelievesTrustedProxiesAlone(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for _, c := range []struct {
		name, peer, public string
		header             map[string]string
		tls                bool
		want               string
	}{
		{"nobody says anything", "192.0.2.7:1", "", nil, false, "http://localhost:7070"},
		{"a proxy says", "192.0.2.7:1", "", map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "gw.example"}, false, "https://gw.example"},
		{"a stranger says", "198.51.100.7:1", "", map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}, false, "http://localhost:7070"},
		{"configuration says", "192.0.2.7:1", "https://set.example", map[string]string{"X-Forwarded-Host": "gw.example"}, false, "https://set.example"},
		{"the last word counts", "192.0.2.7:1", "", map[string]string{"X-Forwarded-Host": "evil.example, gw.example"}, true, "https://gw.example"},
		{"RFC 7239", "192.0.2.7:1", "", map[string]string{"Forwarded": `for=1.2.3.4;host=evil.example, for="[::1]";proto=https;host="gw.example:8443"`}, false, "https://gw.example:8443"},
		{"two kinds that agree", "192.0.2.7:1", "", map[string]string{"Forwarded": "proto=https;host=gw.example", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "gw.example"}, false, "https://gw.example"},
		{"two kinds that do not", "192.0.2.7:1", "", map[string]string{"Forwarded": "proto=https;host=evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "gw.example"}, false, "http://localhost:7070"},
		{"not a host", "192.0.2.7:1", "", map[string]string{"X-Forwarded-Host": `gw.example/path"`, "X-Forwarded-Proto": "javascript"}, false, "http://localhost:7070"},
		{"a user in it", "192.0.2.7:1", "", map[string]string{"X-Forwarded-Host": "user@gw.example"}, false, "http://localhost:7070"},
		{"brackets around no address", "192.0.2.7:1", "", map[string]string{"X-Forwarded-Host": "[00]"}, false, "http://localhost:7070"},
		{"an IPv6 address", "192.0.2.7:1", "", map[string]string{"X-Forwarded-Host": "[2001:db8::1]:8443"}, false, "http://[2001:db8::1]:8443"},
		{"a mapped peer", "[::ffff:192.0.2.7]:1", "", map[string]string{"X-Forwarded-Host": "gw.example"}, false, "http://gw.example"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost:7070/a2a/x", nil)
		r.RemoteAddr = c.peer
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		if got := BaseURL(&Snapshot{PublicURL: c.public, Proxies: proxies}, r); got != c.want {
			t.Errorf("%s: BaseURL() = %q, want %q", c.name, got, c.want)
		}
	}
}

// Whatever the headers of a trusted proxy let through, the address has the form of one.
func FuzzForwarded(f *testing.F) {
	f.Add("for=1;host=a.example;proto=https", "https", "a.example")
	f.Add(`host="a,b";proto="https`, "http,", "[::1]:80")
	f.Add("host=[00]", "", "[1.2.3.4]:1")
	f.Fuzz(func(t *testing.T, both, proto, host string) {
		p, h := forwarded(http.Header{"Forwarded": {both}, "X-Forwarded-Proto": {proto}, "X-Forwarded-Host": {host}})
		if p != "" && p != "http" && p != "https" {
			t.Errorf("proto = %q", p)
		}
		if h == "" {
			return
		}
		if u, err := url.Parse("https://" + h + "/x"); err != nil || u.Host != h || u.Path != "/x" || u.User != nil {
			t.Errorf("host = %q: %v", h, err)
		}
	})
}

func TestACallThatGoesRoundInACircleEnds(t *testing.T) {
	calls := 0
	var up *Upstream
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		res, err := up.Send(r.Context(), http.MethodPost, r.Header, nil, []byte("{}"))
		if err != nil {
			if ref, ok := errors.AsType[*Refusal](err); ok {
				w.Header().Set("Rule", string(ref.Rule))
			}
			return
		}
		defer res.Body.Close()
		w.Header().Set("Rule", res.Header.Get("Rule"))
	}))
	defer srv.Close()
	var err error
	if up, err = NewUpstream(srv.URL, "", flow.Secret{}, UpstreamOptions{}); err != nil {
		t.Fatal(err)
	}
	res, err := up.Send(context.Background(), http.MethodPost, nil, nil, []byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if calls != MaxHops || res.Header.Get("Rule") != string(RuleLoop) {
		t.Errorf("the call went round %d times and ended by rule %q, want %d and %q", calls, res.Header.Get("Rule"), MaxHops, RuleLoop)
	}
}

func TestHopsThatAreNoNumberAreTheMost(t *testing.T) {
	for _, v := range [][]string{{"-1"}, {"x"}, {"9"}, {"999999"}, {"8"}, {""}, {"1", "2"}} {
		ctx := WithHops(context.Background(), http.Header{HeaderHops: v})
		if _, err := NextHop(ctx, nil); err == nil {
			t.Errorf("NextHop() after %q: error = nil, want a refusal", v)
		}
	}
	if n, err := NextHop(WithHops(context.Background(), http.Header{HeaderHops: {"3"}}), http.Header{}); n != "4" || err != nil {
		t.Errorf("NextHop() after 3 = %q, %v", n, err)
	}
}
