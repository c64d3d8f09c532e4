package cli_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway/identity/svid/svidtest"
	"github.com/scrimhq/scrim/internal/cli"
)

func TestDoctorLooksAtTrust(t *testing.T) {
	own, friend := svidtest.NewAuthority(t, "own"), svidtest.NewAuthority(t, "friend")
	was := friend.Issue("spiffe://friend.example/was", func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.NotBefore, c.NotAfter = true, x509.KeyUsageCertSign, time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	})
	ended := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: was.Leaf.Raw})
	asks := own.Issue("spiffe://own.example/gateway")
	late := own.Issue("spiffe://own.example/gateway", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) })
	for _, tc := range []struct {
		name   string
		svid   *tls.Certificate
		bundle []byte
		want   []string
	}{
		{"all is well but for authorities of ten hours", &asks, friend.PEM(), []string{
			"ok    Workload API    this process is spiffe://own.example/gateway, by a certificate until", "warn  trust domain    own.example: its last authority ends on", "warn  trust domain    friend.example: its last authority ends on",
		}},
		{"a bundle that ended", &asks, ended, []string{"FAIL  trust domain    friend.example: its last authority ended on"}},
		{"a certificate that was not renewed", &late, friend.PEM(), []string{"FAIL  Workload API    the certificate of spiffe://own.example/gateway ended at"}},
		{"no answer", nil, friend.PEM(), []string{"FAIL  Workload API    the Workload API", "FAIL  trust domain    own.example: the Workload API gives no bundle of it"}},
	} {
		api := svidtest.Serve(t)
		if tc.svid != nil {
			api.Set(t, *tc.svid, own, nil)
		} else {
			api.Deny()
		}
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{"friend.pem": tc.bundle, "scrim.yaml": []byte(`version: 1
domain: clinic
listen: 127.0.0.1:0
admin: 127.0.0.1:0
tls: {svid: true}
identity:
  spiffe:
    workload_api: ` + api.Address + `
    trust_domains: [{name: friend.example, bundle: friend.pem, agent: visitor}]
agents:
  - {id: client, spiffe: spiffe://own.example/client}
  - {id: visitor}
`)} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var out, errs bytes.Buffer
		cli.Main([]string{"doctor", "-c", filepath.Join(dir, "scrim.yaml")}, strings.NewReader(""), &out, &errs)
		for _, want := range tc.want {
			if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), strings.Join(strings.Fields(want), " ")) {
				t.Errorf("%s: doctor says\n%s%s\nwant %q", tc.name, out.String(), errs.String(), want)
			}
		}
	}
}
