package peers_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway/egress"
	"github.com/scrimhq/scrim/gateway/peers"
	"github.com/scrimhq/scrim/gateway/peers/peerstest"
	"github.com/scrimhq/scrim/policy/domain"
)

var loopback = egress.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{0}}

func withEgress() peerstest.Options {
	return peerstest.Options{Settings: peers.Settings{Egress: loopback}}
}

// server is a gateway's address for peers, with what it refused.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	refused []error
}

func serve(t *testing.T, conf func(refused func(error)) *tls.Config) *server {
	t.Helper()
	s := &server{Server: httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _ := domain.NameOf(r.TLS.PeerCertificates[0])
		_, _ = io.WriteString(w, name.String())
	}))}
	s.Config.ErrorLog = quiet
	s.TLS = conf(func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refused = append(s.refused, err)
	})
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) sawRefusal(t *testing.T, place string) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		s.mu.Lock()
		for _, err := range s.refused {
			if e, ok := errors.AsType[*domain.Error](err); ok && e.Place == place {
				s.mu.Unlock()
				return
			}
		}
		got := append([]error{}, s.refused...)
		s.mu.Unlock()
		if time.Now().After(deadline) {
			t.Fatalf("the server refused %v, want %q", got, place)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func get(c *http.Client, address string) (string, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	res, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), err
}

func TestGatewaysOfPeersMeetOverMutualTLS(t *testing.T) {
	hospital, insurer := peerstest.New(t, "hospital", withEgress()), peerstest.New(t, "insurer", withEgress())
	peerstest.Pin(t, hospital, insurer)
	s := serve(t, insurer.ServerTLS)
	got, err := get(hospital.Client("insurer"), s.URL)
	if err != nil || got != "spiffe://hospital/gateway/gateway" {
		t.Fatalf("the insurer saw %q, %v", got, err)
	}
}

func TestImpostorsAreRefused(t *testing.T) {
	hospital, insurer := peerstest.New(t, "hospital", withEgress()), peerstest.New(t, "insurer", withEgress())
	lab := peerstest.New(t, "lab", withEgress())
	impostor := peerstest.New(t, "insurer", withEgress()) // another authority, the same name
	peerstest.Pin(t, hospital, insurer, lab)
	if _, err := impostor.Pin(t.Context(), "https://h.test", hospital.Print(), hospital.Published()); err != nil {
		t.Fatal(err)
	}

	t.Run("another authority of the same name", func(t *testing.T) {
		s := serve(t, impostor.ServerTLS)
		_, err := get(hospital.Client("insurer"), s.URL)
		wantPlace(t, err, peers.PlaceAuthority)
	})
	t.Run("another authority calls", func(t *testing.T) {
		s := serve(t, hospital.ServerTLS)
		if _, err := get(impostor.Client("hospital"), s.URL); err == nil {
			t.Error("it was let in")
		}
		s.sawRefusal(t, peers.PlaceAuthority)
	})
	t.Run("another peer than the one that is called", func(t *testing.T) {
		s := serve(t, lab.ServerTLS)
		_, err := get(hospital.Client("insurer"), s.URL)
		wantPlace(t, err, peers.PlaceDomain)
	})
	t.Run("a stranger calls", func(t *testing.T) {
		stranger := peerstest.New(t, "stranger", withEgress())
		s := serve(t, hospital.ServerTLS)
		if _, err := stranger.Pin(t.Context(), "https://h.test", hospital.Print(), hospital.Published()); err != nil {
			t.Fatal(err)
		}
		if _, err := get(stranger.Client("hospital"), s.URL); err == nil {
			t.Error("it was let in")
		}
		s.sawRefusal(t, peers.PlacePeer)
	})
	t.Run("an agent's certificate of the right authority", func(t *testing.T) {
		s := serve(t, func(func(error)) *tls.Config { return serverWith(t, insurer, domain.Agent, "prior-auth", 0) })
		_, err := get(hospital.Client("insurer"), s.URL)
		wantPlace(t, err, peers.PlaceName)
		h := serve(t, hospital.ServerTLS)
		if _, err := get(clientWith(t, insurer, domain.Agent, "prior-auth"), h.URL); err == nil {
			t.Error("it was let in")
		}
		h.sawRefusal(t, peers.PlaceName)
	})
	t.Run("no certificate", func(t *testing.T) {
		s := serve(t, hospital.ServerTLS)
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		if _, err := get(c, s.URL); err == nil {
			t.Error("it was let in")
		}
	})
	t.Run("TLS 1.2", func(t *testing.T) {
		s := serve(t, func(refused func(error)) *tls.Config {
			conf := serverWith(t, insurer, domain.Gateway, "edge", 0)
			conf.MaxVersion = tls.VersionTLS12
			return conf
		})
		if _, err := get(hospital.Client("insurer"), s.URL); err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("a server of TLS 1.2: error = %v", err)
		}
		h := serve(t, hospital.ServerTLS)
		conf, _ := insurer.TLS("hospital")
		conf = conf.Clone()
		conf.MinVersion, conf.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
		if _, err := get(&http.Client{Transport: &http.Transport{TLSClientConfig: conf}}, h.URL); err == nil || !strings.Contains(err.Error(), "protocol version") {
			t.Errorf("a client of TLS 1.2: error = %v", err)
		}
	})
	t.Run("a domain that was removed", func(t *testing.T) {
		s := serve(t, lab.ServerTLS)
		c := hospital.Client("lab")
		if _, err := get(c, s.URL); err != nil {
			t.Fatal(err)
		}
		if err := hospital.Remove(t.Context(), "lab"); err != nil {
			t.Fatal(err)
		}
		if _, err := get(c, s.URL); !errors.Is(err, peers.ErrNotInForce) {
			t.Errorf("error = %v, want ErrNotInForce although a connection stood", err)
		}
	})
}

func wantPlace(t *testing.T, err error, place string) {
	t.Helper()
	if e, ok := errors.AsType[*domain.Error](err); !ok || e.Rule != domain.RuleCertificate || e.Place != place {
		t.Errorf("error = %v, want %q", err, place)
	}
}

// certificateOf has the domain's authority make a certificate.
func certificateOf(t *testing.T, d *peerstest.Domain, kind domain.Kind, id string, life time.Duration) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := d.Issue(t.Context(), kind, id, key.Public(), life)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

func serverWith(t *testing.T, d *peerstest.Domain, kind domain.Kind, id string, life time.Duration) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{certificateOf(t, d, kind, id, life)}, ClientAuth: tls.RequireAnyClientCert}
}

func clientWith(t *testing.T, d *peerstest.Domain, kind domain.Kind, id string) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, Certificates: []tls.Certificate{certificateOf(t, d, kind, id, 0)},
	}}}
}

func TestCertificatesHaveTheirTime(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	opt := withEgress()
	opt.Clock = clock
	opt.Settings.CertLife = 24 * time.Hour
	hospital, insurer := peerstest.New(t, "hospital", opt), peerstest.New(t, "insurer", opt)
	peerstest.Pin(t, hospital, insurer)
	s := serve(t, func(func(error)) *tls.Config { return serverWith(t, insurer, domain.Gateway, "edge", time.Hour) })
	if _, err := get(hospital.Client("insurer"), s.URL); err != nil {
		t.Fatal(err)
	}
	first, err := hospital.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	now = now.Add(17 * time.Hour)
	mu.Unlock()
	_, err = get(hospital.Client("insurer"), s.URL)
	wantPlace(t, err, peers.PlaceTime)
	second, err := hospital.Certificate()
	if err != nil || second == first || !second.Leaf.NotAfter.After(first.Leaf.NotAfter) || second.Leaf.SerialNumber.Cmp(first.Leaf.SerialNumber) == 0 {
		t.Errorf("after two thirds of its life the gateway has the same certificate, %v", err)
	}
	if _, err := hospital.Verify([]*x509.Certificate{second.Leaf}, x509.ExtKeyUsageClientAuth); err != nil {
		t.Errorf("the own gateway's certificate: %v", err)
	}
}
