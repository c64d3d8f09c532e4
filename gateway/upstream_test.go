package gateway_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// raw answers every connection with the same bytes.
func raw(t *testing.T, answer string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte(answer))
			_ = c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestFaultsOfAnUpstreamRepeatNothingOfIt(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nssn Zanzibar\r\n\r\n",
		"HTTP/1.1 302 Found\r\nLocation: http://[Zanzibar\r\n\r\n",
		"HTTP/1.1 Zanzibar OK\r\n\r\n",
		"Zanzibar\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: Zanzibar\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: Zanzibar\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nssn Zanzibar\r\n\r\n",
	} {
		up, err := gateway.NewUpstream(raw(t, answer), "", flow.Secret{}, gateway.UpstreamOptions{})
		if err != nil {
			t.Fatal(err)
		}
		res, err := up.Send(t.Context(), http.MethodPost, nil, nil, []byte("{}"))
		if err == nil {
			_, err = gateway.ReadJSON(res, 1<<20)
			res.Body.Close()
		}
		if err == nil || strings.Contains(err.Error(), "Zanzibar") {
			t.Errorf("answer %q: error is %v, want one that does not repeat it", answer, err)
		}
	}
	up, err := gateway.NewUpstream("http://127.0.0.1:1/Zanzibar", "", flow.Secret{}, gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := up.Send(t.Context(), http.MethodPost, nil, nil, nil); err == nil || strings.Contains(err.Error(), "Zanzibar") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("error is %v, want a refused connection without its address", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := up.Send(gone, http.MethodPost, nil, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}

func TestBaseURLIsNotWhatACallerMakesUp(t *testing.T) {
	local, err := net.ResolveTCPAddr("tcp", "192.0.2.7:7070")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"evil.example": "http://192.0.2.7:7070", "evil.example:7070": "http://192.0.2.7:7070", "198.51.100.1": "http://192.0.2.7:7070",
		"localhost:7070": "http://localhost:7070", "127.0.0.1:9": "http://127.0.0.1:9", "[::1]:9": "http://[::1]:9", "192.0.2.7:7070": "http://192.0.2.7:7070",
	} {
		r, err := http.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(local)), http.MethodGet, "http://"+host+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := gateway.BaseURL(&gateway.Snapshot{}, r); got != want {
			t.Errorf("host %s: base URL %s, want %s", host, got, want)
		}
		if got := gateway.BaseURL(&gateway.Snapshot{PublicURL: "https://own.example"}, r); got != "https://own.example" {
			t.Errorf("host %s: base URL %s, want the configured one", host, got)
		}
	}
}
