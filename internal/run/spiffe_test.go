package run_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/workloadapi"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/identity/svid/svidtest"
	"github.com/scrimhq/scrim/internal/run"
)

// mesh is a gateway whose own certificate, and whose callers' authorities, come from SPIFFE.
type mesh struct {
	addr          string
	api           *svidtest.API
	own, friend   *svidtest.Authority
	log           syncBuffer
	friendsBundle string // file
}

const (
	gatewayID = "spiffe://clinic.example/gateway"
	clientID  = "spiffe://clinic.example/ns/front/sa/client"
)

func newMesh(t *testing.T, more string, opt run.Options) *mesh {
	t.Helper()
	m := &mesh{api: svidtest.Serve(t), own: svidtest.NewAuthority(t, "own"), friend: svidtest.NewAuthority(t, "friend")}
	m.api.Set(t, m.own.Issue(gatewayID), m.own, nil)
	up := httptest.NewServer(http.HandlerFunc(pong))
	t.Cleanup(up.Close)
	m.friendsBundle = filepath.Join(t.TempDir(), "friend.pem")
	put(t, filepath.Dir(m.friendsBundle), map[string][]byte{"friend.pem": m.friend.PEM()})
	opt.Logger = slog.New(slog.NewTextHandler(&m.log, nil))
	_, m.addr, _ = serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: clinic
tls: {svid: true}
identity:
  spiffe:
    workload_api: %s
    trust_domains: [{name: friend.example, bundle: %s, agent: visitor}]
agents:
  - {id: client, spiffe: %s}
  - {id: visitor}
  - {id: tools, mcp: {url: %q}}
transparent: [{agent: "*", reason: a test}]
%s`, m.api.Address, m.friendsBundle, clientID, up.URL, more), nil)), opt)
	return m
}

// client shows a certificate; nil: none.
func (m *mesh) client(t *testing.T, shows *tls.Certificate, set func(*http.Protocols)) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(m.own.Cert)
	c := speaking(t, set)
	conf := &tls.Config{RootCAs: roots, ClientSessionCache: tls.NewLRUClientSessionCache(8)}
	if shows != nil {
		conf.Certificates = []tls.Certificate{*shows}
	}
	c.Transport.(*http.Transport).TLSClientConfig = conf
	return c
}

func (m *mesh) call(t *testing.T, c *http.Client, headers ...string) (status int, res *http.Response) {
	t.Helper()
	req := (&town{addr: m.addr}).request(t, "https", "/mcp/tools", ping)
	req.Header.Del("Authorization")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil { // so that the connection is used again
		t.Fatal(err)
	}
	return res.StatusCode, res
}

func http1(p *http.Protocols) { p.SetHTTP1(true) }
func http2(p *http.Protocols) { p.SetHTTP2(true) }

func TestWorkloadsCallByTheirCertificates(t *testing.T) {
	m := newMesh(t, "", run.Options{})
	mine, theirs, nobody := m.own.Issue(clientID), m.friend.Issue("spiffe://friend.example/any"), m.own.Issue("spiffe://clinic.example/nobody")
	liar := m.friend.Issue(clientID)
	for _, c := range []struct {
		name  string
		shows *tls.Certificate
		want  int
	}{
		{"an agent by its SPIFFE ID", &mine, 200},
		{"a workload of a friend", &theirs, 200},
		{"a workload that is no agent", &nobody, 401},
		{"a friend's authority in our trust domain's name", &liar, 401},
		{"nobody", nil, 401},
	} {
		for major, set := range map[int]func(*http.Protocols){1: http1, 2: http2} {
			status, res := m.call(t, m.client(t, c.shows, set))
			if status != c.want || res.ProtoMajor != major || res.TLS.Version != tls.VersionTLS13 {
				t.Errorf("%s over HTTP/%d: %s %d with TLS %x, want %d", c.name, major, res.Proto, status, res.TLS.Version, c.want)
			}
		}
	}
}

// The other side is real go-spiffe, which checks the gateway's certificate as the standard has it.
func TestGoSPIFFECallsTheGateway(t *testing.T) {
	m := newMesh(t, "", run.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	api := svidtest.Serve(t)
	api.Set(t, m.own.Issue(clientID), m.own, nil)
	source, err := workloadapi.NewX509Source(ctx, workloadapi.WithClientOptions(workloadapi.WithAddr(api.Address)))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	c := speaking(t, http2)
	c.Transport.(*http.Transport).TLSClientConfig = tlsconfig.MTLSClientConfig(source, source, tlsconfig.AuthorizeID(spiffeid.RequireFromString(gatewayID)))
	if status, _ := m.call(t, c); status != 200 {
		t.Errorf("status %d, want 200", status)
	}
}

func TestTrustThatEndsWhileAConnectionIsOpen(t *testing.T) {
	m := newMesh(t, "", run.Options{})
	dir := filepath.Dir(m.friendsBundle)
	theirs, mine := m.friend.Issue("spiffe://friend.example/any"), m.own.Issue(clientID)
	friend, own := m.client(t, &theirs, http2), m.client(t, &mine, http1)
	if status, _ := m.call(t, friend); status != 200 {
		t.Fatalf("a friend: status %d, want 200", status)
	}
	if status, _ := m.call(t, own); status != 200 {
		t.Fatalf("an agent: status %d, want 200", status)
	}
	other := svidtest.NewAuthority(t, "other")
	put(t, dir, map[string][]byte{"friend.pem": other.PEM()})
	eventually(t, "a friend's bundle is another", func() bool { status, _ := m.call(t, friend); return status == 401 })
	put(t, dir, map[string][]byte{"friend.pem": m.friend.PEM()})
	eventually(t, "it is the old one", func() bool { status, _ := m.call(t, friend); return status == 200 })
	if err := os.Remove(m.friendsBundle); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a friend's bundle is gone", func() bool { status, _ := m.call(t, friend); return status == 401 })
	m.api.Set(t, other.Issue(gatewayID), other, nil)
	eventually(t, "the own trust domain has another authority", func() bool { status, _ := m.call(t, own); return status == 401 })
	if strings.Contains(m.log.String(), clientID) {
		t.Error("the log has the SPIFFE ID of a caller")
	}
}

// Where certificates are asked for, no session is resumed.
func TestNoSessionOutlivesItsHandshake(t *testing.T) {
	m := newMesh(t, "", run.Options{})
	mine := m.own.Issue(clientID)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := m.client(t, &mine, http1)
		tr := c.Transport.(*http.Transport)
		tr.TLSClientConfig.MaxVersion = version
		for range 3 {
			status, res := m.call(t, c)
			if status != 200 || res.TLS.DidResume {
				t.Errorf("TLS %x: status %d, resumed %t, want a whole handshake", version, status, res.TLS.DidResume)
			}
			tr.CloseIdleConnections()
		}
	}
}

func TestOwnCertificateFollowsTheWorkloadAPI(t *testing.T) {
	m := newMesh(t, "", run.Options{})
	ours := func() *x509.Certificate {
		conn, err := tls.Dial("tcp", m.addr, &tls.Config{InsecureSkipVerify: true}) // the test looks at what is shown
		if err != nil {
			return nil
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	if got := ours(); got == nil || got.URIs[0].String() != gatewayID {
		t.Fatalf("shown %v, want the certificate of the Workload API", got)
	}
	next := m.own.Issue(gatewayID)
	m.api.Set(t, next, m.own, nil)
	eventually(t, "the next certificate is shown", func() bool { got := ours(); return got != nil && got.Equal(next.Leaf) })
	m.api.Deny()
	eventually(t, "without an identity there is no handshake", func() bool { return ours() == nil })
}

func TestNoCertificateIsAskedForWhereNoneCanProveAnything(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, "only", time.Now().Add(240*time.Hour))
	put(t, dir, map[string][]byte{"tls.crt": cert, "tls.key": key})
	for more, want := range map[string]bool{"": false, ", client_certificates: ask": true} {
		tw := settle(t, http.HandlerFunc(pong), "tls: {cert: "+filepath.Join(dir, "tls.crt")+", key: "+filepath.Join(dir, "tls.key")+more+"}\n", run.Options{})
		asked := false
		conn, err := tls.Dial("tcp", tw.addr, &tls.Config{InsecureSkipVerify: true, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return &tls.Certificate{}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		if asked != want {
			t.Errorf("tls%s: asked %t, want %t", more, asked, want)
		}
	}
}

// attestorFunc takes evidence that is its own challenge.
type attestorFunc func(identity.Evidence) (identity.Attestation, error)

func (f attestorFunc) Attest(_ context.Context, e identity.Evidence) (identity.Attestation, error) {
	return f(e)
}

func TestEvidenceIsBoundToTheKeyOfTheConnection(t *testing.T) {
	m := newMesh(t, "", run.Options{Attestor: attestorFunc(func(e identity.Evidence) (identity.Attestation, error) {
		if len(e.Data) != 32 {
			return identity.Attestation{}, errors.New("no evidence")
		}
		return identity.Attestation{Challenge: [32]byte(e.Data)}, nil
	})})
	mine, other := m.own.Issue(clientID), m.own.Issue(clientID)
	client := m.client(t, &mine, http2)
	res, err := client.Post("https://"+m.addr+"/scrim/nonce", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	nonce := res.Header.Get(identity.HeaderNonce)
	if res.StatusCode != 204 || nonce == "" || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("asking for a nonce: %d %v", res.StatusCode, res.Header)
	}
	challenge := identity.Challenge(identity.Binding{Kind: identity.ByKey, Value: sha256.Sum256(mine.Leaf.RawSubjectPublicKeyInfo)}, nonce)
	evidence := "application/test " + nonce + " " + base64.RawURLEncoding.EncodeToString(challenge[:])
	if status, _ := m.call(t, client, identity.HeaderAttestation, evidence); status != 200 {
		t.Errorf("evidence that holds: status %d, want 200", status)
	}
	if status, _ := m.call(t, m.client(t, &other, http2), identity.HeaderAttestation, evidence); status != 401 {
		t.Errorf("the same evidence shown by another key of the same agent: status %d, want 401", status)
	}
	if status, _ := m.call(t, client, identity.HeaderAttestation, strings.Replace(evidence, nonce, strings.Repeat("A", len(nonce)), 1)); status != 401 {
		t.Errorf("a nonce of nobody: status %d, want 401", status)
	}
	if bytes.Contains([]byte(m.log.String()), []byte(evidence)) {
		t.Error("the log has the evidence")
	}
}
