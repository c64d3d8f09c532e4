package gateway

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

// A gRPC call is HTTP/2 at the host that is named, with TLS if the upstream's own URL has it, whatever scheme is named.
func TestGRPCCallsGoOverHTTP2(t *testing.T) {
	for _, secure := range []bool{true, false} {
		var got *http.Request
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = r }))
		srv.Config.Protocols = new(http.Protocols)
		srv.Config.Protocols.SetHTTP2(true)
		srv.Config.Protocols.SetUnencryptedHTTP2(true)
		srv.EnableHTTP2 = true
		if secure {
			srv.StartTLS()
		} else {
			srv.Start()
		}
		t.Cleanup(srv.Close)
		opt := UpstreamOptions{}
		if secure {
			opt.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
		}
		u, err := NewUpstream(srv.URL, "Authorization", flow.NewSecret("Bearer upstream"), opt)
		if err != nil {
			t.Fatal(err)
		}
		_, host, _ := strings.Cut(srv.URL, "://")
		for _, address := range []string{host, "grpc://" + host, "http://" + host + "/", "https://" + host} {
			got = nil
			res, err := u.SendGRPC(context.Background(), address, "/s/M", http.Header{"Authorization": {"Bearer caller"}}, nil, []byte("x"))
			if err != nil {
				t.Errorf("secure %v, %s: %v", secure, address, err)
				continue
			}
			_ = res.Body.Close()
			if got == nil || got.ProtoMajor != 2 || (got.TLS != nil) != secure || got.URL.Path != "/s/M" || got.Header.Get("Authorization") != "Bearer upstream" || got.Header.Get("Content-Type") != "application/grpc" {
				t.Errorf("secure %v, %s: the agent got %+v", secure, address, got)
			}
		}
	}
}
