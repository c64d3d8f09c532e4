package run_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/run"
)

// pair makes a certificate for this machine that signs itself, and its key.
func pair(t *testing.T, name string, ends time.Time) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: ends, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// put replaces files at once, as certificate tools do.
func put(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name+".new", content, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
}

// shown does a handshake and returns whose certificate it got, and the protocol that was agreed on.
func shown(t *testing.T, addr string, conf *tls.Config) (name, protocol string, err error) {
	t.Helper()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", addr, conf)
	if err != nil {
		return "", "", err
	}
	defer c.Close()
	state := c.ConnectionState()
	return state.PeerCertificates[0].Subject.CommonName, state.NegotiatedProtocol, nil
}

func TestACertificateIsRenewedWithoutDroppingAConnection(t *testing.T) {
	dir := t.TempDir()
	end := time.Now().Add(240 * time.Hour)
	cert, key := pair(t, "first", end)
	put(t, dir, map[string][]byte{"tls.crt": cert, "tls.key": key})
	var log syncBuffer
	tw := settle(t, http.HandlerFunc(pong), "tls: {cert: "+filepath.Join(dir, "tls.crt")+", key: "+filepath.Join(dir, "tls.key")+"}\n",
		run.Options{Watcher: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	trust := &tls.Config{InsecureSkipVerify: true} // the test looks at names itself
	for major, set := range map[int]func(*http.Protocols){
		1: func(p *http.Protocols) { p.SetHTTP1(true) },
		2: func(p *http.Protocols) { p.SetHTTP2(true) },
	} {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(cert)
		client := speaking(t, set)
		client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots}
		res, err := client.Do(tw.request(t, "https", "/mcp/tools", ping))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.ProtoMajor != major || res.StatusCode != http.StatusOK || res.TLS.Version != tls.VersionTLS13 {
			t.Errorf("HTTP/%d: got %s %d with TLS %x, want an answer over TLS 1.3", major, res.Proto, res.StatusCode, res.TLS.Version)
		}
	}
	standing, err := tls.Dial("tcp", tw.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer standing.Close()
	talk := bufio.NewReader(standing)
	if _, err := io.WriteString(standing, "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil { // one that never said anything is closed after ten seconds
		t.Fatal(err)
	}
	first, err := http.ReadResponse(talk, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, first.Body); err != nil || first.Close {
		t.Fatalf("the connection does not stand: %v", err)
	}

	put(t, dir, map[string][]byte{"tls.crt": []byte("no certificate Zanzibar")})
	eventually(t, "the mistake is told", func() bool { return strings.Contains(log.String(), "certificate") })
	if name, _, err := shown(t, tw.addr, trust); err != nil || name != "first" {
		t.Errorf("after a bad pair callers are shown %q (%v), want the first", name, err)
	}
	if strings.Contains(log.String(), "Zanzibar") {
		t.Error("the log repeats what is in the file")
	}
	old, oldKey := pair(t, "ended", time.Now().Add(-time.Hour))
	put(t, dir, map[string][]byte{"tls.crt": old, "tls.key": oldKey})
	eventually(t, "the end is told", func() bool { return strings.Contains(log.String(), "ended on") })
	second, secondKey := pair(t, "second", end)
	put(t, dir, map[string][]byte{"tls.key": secondKey, "tls.crt": second})
	eventually(t, "the second certificate is shown", func() bool {
		name, _, err := shown(t, tw.addr, trust)
		if name == "ended" {
			t.Fatal("a certificate that has ended was put in force")
		}
		return err == nil && name == "second"
	})
	if _, err := io.WriteString(standing, "GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(talk); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 404") {
		t.Errorf("the connection that stood got %q (%v), want its answer", got, err)
	}
}

func TestOldTLSIsNotSpoken(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, "only", time.Now().Add(240*time.Hour))
	put(t, dir, map[string][]byte{"tls.crt": cert, "tls.key": key})
	where := "cert: " + filepath.Join(dir, "tls.crt") + ", key: " + filepath.Join(dir, "tls.key")
	for least, refused := range map[string]uint16{"1.2": tls.VersionTLS11, "1.3": tls.VersionTLS12} {
		tw := settle(t, http.HandlerFunc(pong), "tls: {"+where+", min: \""+least+"\"}\n", run.Options{})
		if _, _, err := shown(t, tw.addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: refused}); err == nil {
			t.Errorf("min %s: a handshake of version %x was accepted", least, refused)
		}
		if _, protocol, err := shown(t, tw.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}); err != nil || protocol != "h2" {
			t.Errorf("min %s: agreed on %q (%v), want h2", least, protocol, err)
		}
	}
}
