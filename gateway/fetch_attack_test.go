package gateway_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
)

// What is fetched stands in the place of its address and in no other, and is asked for where the address says and nowhere else.
func TestWhatIsFetchedTakesOnePlace(t *testing.T) {
	var asked atomic.Int64
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte("The usual."))
	}))
	defer files.Close()
	const address, port = "http://files.example.org", ""
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", files.Listener.Addr().String())
	}}}
	rig := attackRig(t, func(s *gatewaytest.Setup) {
		s.Policy = strings.Replace(s.Policy, `resource in DataClass::"technical"`, `resource in DataClass::"technical/record-id"`, 1) +
			`@exception("t") permit (principal, action in Action::"upto_tokenized", resource in DataClass::"technical/url");
			@exception("t") permit (principal, action in Action::"upto_raw", resource in DataClass::"file/opaque");`
		s.Fetch = &gateway.Fetch{Client: client, Hosts: []string{"files.example.org"}, Bytes: 1000}
	})
	const inline = `"VGhlIHVzdWFsLg=="`
	for _, tt := range []struct {
		name, part, want string
		asked            int64
	}{
		{"an address", `{"url":"` + address + `/a"}`, `{"raw":` + inline + `,"mediaType":"text/plain"}`, 1},
		{"a file beside it", `{"raw":"AAEC","url":"` + address + `/b"}`, "", 0},
		{"a media type that is empty", `{"url":"` + address + `/c","mediaType":""}`, `{"raw":` + inline + `,"mediaType":""}`, 1},
		{"a media type that is null", `{"url":"` + address + `/d","mediaType":null}`, `{"raw":` + inline + `,"mediaType":null}`, 1},
		{"a user", `{"url":"http://files.example.org@other.example.org` + port + `/e"}`, "", 0},
		{"a user of the host", `{"url":"http://x@files.example.org` + port + `/f"}`, "", 0},
		{"a backslash", `{"url":"http://other.example.org` + port + `\\@files.example.org/g"}`, "", 0},
		{"a dot behind", `{"url":"http://files.example.org.` + port + `/h"}`, "", 0},
		{"digits of another script", `{"url":"http://ｆiles.example.org` + port + `/i"}`, "", 0},
		{"another scheme", `{"url":"file://files.example.org/etc/passwd"}`, "", 0},
		{"no scheme", `{"url":"//files.example.org` + port + `/j"}`, "", 0},
		{"opaque", `{"url":"http:files.example.org` + port + `/k"}`, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := asked.Load()
			out, err := passTo(t, rig, "a2a", wire.A2A10, "SendMessage", flow.Response,
				`{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"m","role":"ROLE_AGENT","parts":[`+tt.part+`]}}}`)
			if got := asked.Load() - before; got != tt.asked {
				t.Errorf("%d files were asked for, want %d", got, tt.asked)
			}
			if tt.want != "" && !strings.Contains(out, tt.want) || strings.Count(out, `"raw"`) > 1 || strings.Count(out, `"mediaType"`) > 1 {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
