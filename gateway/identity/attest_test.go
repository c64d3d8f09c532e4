package identity

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// attestorFunc is an attestor made of a function. Evidence of the tests is the challenge that it was made for.
type attestorFunc func(context.Context, Evidence) (Attestation, error)

func (f attestorFunc) Attest(ctx context.Context, e Evidence) (Attestation, error) { return f(ctx, e) }

func honest(_ context.Context, e Evidence) (Attestation, error) {
	if e.MediaType != "application/test" || len(e.Data) != 32 {
		return Attestation{}, errors.New("Zanzibar")
	}
	return Attestation{Challenge: [32]byte(e.Data)}, nil
}

func evidence(nonce string, data []byte) string {
	return "application/test " + nonce + " " + base64.RawURLEncoding.EncodeToString(data)
}

func TestAttestedIsSetByAnAttestorAndNothingElse(t *testing.T) {
	w := newCertTown(t)
	claims := desk
	claims.Party.Attested = true // whatever a grant says
	nonces := NewNonces(0, func() time.Time { return w.now })
	key, digest := NewKey()
	with := func(at Attestor) *Authenticator {
		return must(New(Options{
			Keys:         []Key{{ID: "desk", SHA256: digest, Grant: claims}},
			Certificates: &Certificates{Domain: "hospital", Domains: &w.domains, Agents: map[flow.AgentID]Grant{"desk": claims}},
			Attestor:     at, Nonces: nonces, Clock: func() time.Time { return w.now },
		}))(t)
	}
	leaf, thief := w.own.leaf("spiffe://hospital/agent/desk"), w.own.leaf("spiffe://hospital/agent/desk")
	mine := func(nonce string) []byte {
		c := Challenge(Binding{ByKey, sha256.Sum256(leaf.RawSubjectPublicKeyInfo)}, nonce)
		return c[:]
	}
	good := nonces.New()
	old := NewNonces(0, func() time.Time { return start.Add(-time.Hour) }).New()
	ask := func(a *Authenticator, change func(*http.Request)) (Caller, error) {
		r := request()
		r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true, PeerCertificates: chain(leaf)}
		change(r)
		return a.Authenticate(context.Background(), r)
	}
	header := func(values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[HeaderAttestation] = values }
	}
	for _, c := range []struct {
		name   string
		at     Attestor
		change func(*http.Request)
		want   bool
		err    error
	}{
		{"evidence that holds", attestorFunc(honest), header(evidence(good, mine(good))), true, nil},
		{"no evidence", attestorFunc(honest), header(), false, nil},
		{"evidence and no attestor", nil, header(evidence(good, mine(good))), false, nil},
		{"a header that says so", attestorFunc(honest), func(r *http.Request) { r.Header.Set("Scrim-Attested", "true") }, false, nil},
		{"rubbish and no attestor", nil, header("true"), false, nil},
		{"rubbish", attestorFunc(honest), header("true"), false, ErrAttestation},
		{"an empty header", attestorFunc(honest), header(""), false, ErrAttestation},
		{"two headers", attestorFunc(honest), header(evidence(good, mine(good)), evidence(good, mine(good))), false, ErrAttestation},
		{"a nonce of nobody", attestorFunc(honest), header(evidence(strings.Repeat("A", nonceLen), mine(good))), false, ErrAttestation},
		{"a nonce of before", attestorFunc(honest), header(evidence(old, mine(old))), false, ErrAttestation},
		{"made for another nonce", attestorFunc(honest), header(evidence(nonces.New(), mine(good))), false, ErrAttestation},
		{"stolen by another key of the same agent", attestorFunc(honest), func(r *http.Request) {
			r.TLS.PeerCertificates = chain(thief)
			header(evidence(good, mine(good)))(r)
		}, false, ErrAttestation},
		{"nothing to bind it to", attestorFunc(honest), func(r *http.Request) {
			r.TLS = nil
			r.Header.Set("X-API-Key", key.Expose())
			header(evidence(good, mine(good)))(r)
		}, false, ErrAttestation},
		{"brought by a gateway", attestorFunc(honest), func(r *http.Request) {
			r.TLS.PeerCertificates = chain(w.own.leaf("spiffe://hospital/gateway/edge"))
			r.Header.Set("X-API-Key", key.Expose())
			header(evidence(good, mine(good)))(r)
		}, false, ErrAttestation},
		{"an attestor that looks at nothing", attestorFunc(func(context.Context, Evidence) (Attestation, error) { return Attestation{}, nil }), header(evidence(good, mine(good))), false, ErrAttestation},
		{"an attestor that errs and finds the challenge all the same", attestorFunc(func(_ context.Context, e Evidence) (Attestation, error) {
			return Attestation{Challenge: [32]byte(e.Data)}, errors.New("revoked")
		}), header(evidence(good, mine(good))), false, ErrAttestation},
		{"an attestor that panics", attestorFunc(func(context.Context, Evidence) (Attestation, error) { panic("Zanzibar") }), header(evidence(good, mine(good))), false, ErrAttestation},
		{"evidence that has ended", attestorFunc(func(_ context.Context, e Evidence) (Attestation, error) {
			return Attestation{Challenge: [32]byte(e.Data), Expires: start}, nil
		}), header(evidence(good, mine(good))), false, ErrAttestation},
		{"too much", attestorFunc(honest), header(evidence(good, make([]byte, maxEvidence+1))), false, ErrAttestation},
		{"of another media type", attestorFunc(honest), header("application/other" + strings.TrimPrefix(evidence(good, mine(good)), "application/test")), false, ErrAttestation},
	} {
		got, err := ask(with(c.at), c.change)
		if got.Party.Attested != c.want || !errors.Is(err, c.err) || (err != nil && got.TokenRoot != "") {
			t.Errorf("%s: attested %t, %v, want %t, %v", c.name, got.Party.Attested, err, c.want, c.err)
		}
		if err != nil && strings.Contains(err.Error(), "Zanzibar") {
			t.Errorf("%s: the error repeats what the attestor said: %v", c.name, err)
		}
	}
	claiming := claims
	a := must(New(Options{Keys: []Key{{ID: "desk", SHA256: digest, Grant: claims}}, Anonymous: &claiming, Clock: func() time.Time { return w.now }}))(t)
	if c, ok := a.Known(claims.Party); !ok || c.Party.Attested {
		t.Errorf("an agent that is not there: %+v, %t, want it known and not attested", c, ok)
	}
	if c, err := a.Authenticate(context.Background(), request()); err != nil || c.Party.Attested {
		t.Errorf("nobody: %+v, %v, want nobody attested", c, err)
	}
	w.now = start.Add(nonceAge + time.Second)
	if got, err := ask(with(attestorFunc(honest)), header(evidence(good, mine(good)))); !errors.Is(err, ErrAttestation) || got.Party.Attested {
		t.Errorf("when the nonce is old: %+v, %v, want ErrAttestation", got, err)
	}
}

// A stream that is decided anew after the nonce's time is still its caller's, as long as the evidence lasts; another request is not.
func TestEvidenceHoldsForTheRequestThatItCameWith(t *testing.T) {
	w := newCertTown(t)
	nonces := NewNonces(0, func() time.Time { return w.now })
	asked := 0
	a := must(New(Options{
		Certificates: &Certificates{Domain: "hospital", Domains: &w.domains, Agents: map[flow.AgentID]Grant{"desk": desk}},
		Attestor: attestorFunc(func(ctx context.Context, e Evidence) (Attestation, error) {
			asked++
			got, err := honest(ctx, e)
			got.Expires = start.Add(30 * time.Minute)
			return got, err
		}), Nonces: nonces, Clock: func() time.Time { return w.now },
	}))(t)
	leaf := w.own.leaf("spiffe://hospital/agent/desk")
	nonce := nonces.New()
	c := Challenge(Binding{ByKey, sha256.Sum256(leaf.RawSubjectPublicKeyInfo)}, nonce)
	r := request(HeaderAttestation, evidence(nonce, c[:]))
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, PeerCertificates: chain(leaf)}
	ctx := WithTarget(context.Background(), at)
	for _, after := range []time.Duration{0, time.Second, 20 * time.Minute} {
		w.now = start.Add(after)
		if got, err := a.Authenticate(ctx, r); err != nil || !got.Party.Attested || asked != 1 {
			t.Errorf("after %s: attested %t, %v, the attestor was asked %d times", after, got.Party.Attested, err, asked)
		}
	}
	if got, err := a.Authenticate(WithTarget(context.Background(), at), r); !errors.Is(err, ErrAttestation) {
		t.Errorf("another request with the same evidence: %+v, %v, want ErrAttestation", got, err)
	}
	w.now = start.Add(30 * time.Minute)
	if got, err := a.Authenticate(ctx, r); !errors.Is(err, ErrAttestation) {
		t.Errorf("when the evidence has ended: %+v, %v, want ErrAttestation", got, err)
	}
}

func FuzzEvidence(f *testing.F) {
	nonces := NewNonces(0, nil)
	f.Add(evidence(nonces.New(), make([]byte, 32)))
	f.Add("application/eat+cwt;x=1 a AAAA")
	f.Add("a/b  ")
	f.Add("a/b n \rAAAA")
	f.Fuzz(func(t *testing.T, value string) {
		e, nonce, err := readEvidence(value)
		if err == nil && (len(e.Data) > maxEvidence || len(e.Data) == 0 || e.MediaType+" "+nonce+" "+base64.RawURLEncoding.EncodeToString(e.Data) != value) {
			t.Fatalf("%q was read as %d bytes of %q", value, len(e.Data), e.MediaType)
		}
		if nonces.Check(nonce) == nil && nonce != "" && !strings.Contains(value, nonce) {
			t.Fatal("a nonce of nobody was taken")
		}
	})
}
