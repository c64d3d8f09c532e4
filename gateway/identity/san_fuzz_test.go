package identity

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"

	"github.com/scrimhq/scrim/flow"
)

// sanOf is a subject alternative name with these URIs, byte for byte.
func sanOf(t testing.TB, uris ...string) pkix.Extension {
	t.Helper()
	var names []asn1.RawValue
	for _, u := range uris {
		names = append(names, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(u)})
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: must(asn1.Marshal(names))(t)}
}

// FuzzURIs signs what strangers could have an authority sign: whoever is believed is exactly who is named, and go-spiffe says the same.
func FuzzURIs(f *testing.F) {
	mesh := newAuthority(f, "mesh")
	var spiffe trust
	spiffe.set("mesh.example", mesh.pool())
	auth := must(New(Options{Certificates: &Certificates{
		Domain: "hospital", SPIFFE: &spiffe, Workloads: map[string]Grant{"spiffe://mesh.example/desk": desk}, Fallback: map[string]Grant{"mesh.example": guest},
	}, Clock: func() time.Time { return start }}))(f)
	td := spiffeid.RequireTrustDomainFromString("mesh.example")
	bundle := x509bundle.FromX509Authorities(td, []*x509.Certificate{mesh.cert})
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(f)
	f.Add("spiffe://mesh.example/desk", "")
	f.Add("spiffe://mesh.example/desk", "spiffe://mesh.example/other")
	f.Add("spiffe://mesh.example/des%6b", "")
	f.Add("spiffe://MESH.example/desk", "")
	f.Add("SPIFFE://mesh.example/desk", "")
	f.Add("spiffe://mesh.example//desk", "")
	f.Add("spiffe://mesh.example/./desk", "")
	f.Add("spiffe://mesh.example/desk#x", "")
	f.Add("spiffe://x@mesh.example/desk", "")
	f.Fuzz(func(t *testing.T, first, second string) {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true, NotBefore: start.Add(-time.Minute), NotAfter: start.Add(time.Hour)}
		uris := []string{first}
		if second != "" {
			uris = append(uris, second)
		}
		template.ExtraExtensions = []pkix.Extension{sanOf(t, uris...)}
		der, err := x509.CreateCertificate(rand.Reader, template, mesh.cert, key.Public(), mesh.key)
		if err != nil {
			return
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			return // no handshake gets so far
		}
		w := &certTown{auth: auth}
		got, err := w.call(chain(leaf))
		id, _, theirErr := x509svid.Verify(chain(leaf), bundle, x509svid.WithTime(start))
		if err != nil {
			if len(first) > 20 && strings.Contains(err.Error(), first) {
				t.Fatalf("the error repeats the URI: %v", err)
			}
			if theirErr == nil && id.Path() != "" {
				t.Fatalf("%q: go-spiffe takes it for %s, we say %v", uris, id, err)
			}
			return
		}
		if len(first) >= len("spiffe") && strings.EqualFold(first[:len("spiffe")], "spiffe") {
			first = "spiffe" + first[len("spiffe"):] // schemes of URIs have no case (RFC 3986, section 3.1)
		}
		if theirErr != nil || second != "" || id.String() != first {
			t.Fatalf("%q was taken for %s; go-spiffe says %s, %v", uris, got.Party.Agent, id, theirErr)
		}
		want := flow.AgentID("guest")
		if first == "spiffe://mesh.example/desk" {
			want = "desk"
		}
		if got.Party.Agent != want {
			t.Fatalf("%q was taken for %s, want %s", first, got.Party.Agent, want)
		}
	})
}

func BenchmarkCertificate(b *testing.B) {
	w := newCertTown(b)
	leaf := chain(w.mesh.leaf("spiffe://mesh.example/ns/a/sa/desk"))
	b.Run("remembered", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.call(leaf); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("anew", func(b *testing.B) {
		for b.Loop() {
			clear(w.auth.certificates.verified)
			if _, err := w.call(leaf); err != nil {
				b.Fatal(err)
			}
		}
	})
}
