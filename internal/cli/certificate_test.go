package cli_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/cli"
)

func TestDoctorTellsWhenTheCertificateEnds(t *testing.T) {
	for _, tc := range []struct {
		name string
		ends time.Duration
		mode os.FileMode
		want string
	}{
		{"a good one", 100*24*time.Hour + time.Hour, 0o600, "ok    certificate     it ends in 100 days"},
		{"one that ends soon", 5*24*time.Hour + time.Hour, 0o600, "warn  certificate     it ends in 5 days"},
		{"one that has ended", -time.Hour, 0o600, "FAIL  certificate     it ended on"},
		{"one whose key is open", 100*24*time.Hour + time.Hour, 0o644, "can be read by others"},
	} {
		dir := t.TempDir()
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"gw.example"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(tc.ends)}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string][]byte{
			"tls.crt":     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
			"tls.key":     pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
			"scrim.yaml":  []byte("version: 1\ndomain: clinic\nlisten: 127.0.0.1:0\nadmin: 127.0.0.1:0\npublic_url: https://gw.example\ntls: {cert: tls.crt, key: tls.key}\n"),
			"policies/10": nil,
		} {
			name = filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, content, tc.mode); err != nil {
				t.Fatal(err)
			}
		}
		var out, errs bytes.Buffer
		cli.Main([]string{"doctor", "-c", filepath.Join(dir, "scrim.yaml")}, strings.NewReader(""), &out, &errs)
		if squeezed := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(squeezed, strings.Join(strings.Fields(tc.want), " ")) {
			t.Errorf("%s: doctor says\n%s%s\nwant %q", tc.name, out.String(), errs.String(), tc.want)
		}
	}
}
