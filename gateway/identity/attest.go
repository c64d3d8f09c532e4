package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
)

// HeaderAttestation carries evidence about the runtime of a caller: a media type, a nonce that this gateway gave out, and the
// evidence in base64url without padding, one space between them.
const HeaderAttestation = "Scrim-Attestation"

const (
	maxEvidence = 16 << 10        // bytes
	attestTime  = 5 * time.Second // the most that an attestor gets
)

// ErrAttestation is the error for evidence that was presented and does not hold. A caller who presents none is not attested, and no
// error; one whose evidence does not hold is refused, so that nobody takes it for the other.
var ErrAttestation = fmt.Errorf("%w: the evidence about the caller's runtime does not hold", ErrBadCredential)

// Attestor verifies evidence about the runtime of a caller. It decides by what is in the evidence, never by who the caller is. It must be
// safe for concurrent use and stop when ctx is done.
type Attestor interface {
	// Attest returns what the evidence was made for, if it holds: an error means that it does not.
	Attest(ctx context.Context, e Evidence) (Attestation, error)
}

// Evidence is what a caller presents.
type Evidence struct {
	MediaType string // such as application/eat+cwt, lower case, without parameters
	Data      []byte // at most 16 KiB
}

// Attestation is what an attestor found in evidence that holds. The zero value attests nothing.
type Attestation struct {
	Challenge [32]byte  // that the evidence was made for, as its report data or nonce claim has it
	Expires   time.Time // of the evidence; zero: with the nonce
}

// Challenge is what evidence must be made for, so that it is fresh, and of the caller who presents it and of nobody else:
// SHA-256 of "scrim attestation 1", the kind of binding and the nonce, each ended by a zero byte, and the 32 bytes of the binding.
func Challenge(b Binding, nonce string) [32]byte {
	h := sha256.New()
	fmt.Fprintf(h, "scrim attestation 1\x00%s\x00%s\x00", b.Kind, nonce)
	h.Write(b.Value[:])
	var sum [32]byte
	h.Sum(sum[:0])
	return sum
}

// Binding is what ties evidence to one caller.
type Binding struct {
	Kind  BindingKind
	Value [32]byte
}

// BindingKind says what a binding is made of.
type BindingKind string

// The kinds of binding; a caller that has more than one is bound by the first.
const (
	ByKey        BindingKind = "key"        // SHA-256 of the SubjectPublicKeyInfo of the client certificate
	ByProof      BindingKind = "proof"      // JWK thumbprint (RFC 7638, SHA-256) of the key that signed the request's proof
	ByConnection BindingKind = "connection" // tls-exporter of the connection (RFC 9266)
)

// binding returns what ties evidence to the caller of a request. Proof is the thumbprint of the key that signed a proof; zero: none.
func binding(r *http.Request, proof [32]byte) (Binding, error) {
	switch {
	case r.TLS != nil && len(r.TLS.PeerCertificates) > 0:
		return Binding{ByKey, sha256.Sum256(r.TLS.PeerCertificates[0].RawSubjectPublicKeyInfo)}, nil
	case proof != [32]byte{}:
		return Binding{ByProof, proof}, nil
	case r.TLS != nil:
		material, err := r.TLS.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
		if err != nil {
			return Binding{}, errors.New("the connection has nothing to bind evidence to")
		}
		return Binding{ByConnection, [32]byte(material)}, nil
	}
	return Binding{}, errors.New("without TLS, a certificate or a proof there is nothing to bind evidence to")
}

// Attested reports whether the request presents evidence about its caller's runtime that holds: false without evidence, and where
// no attestor is configured; an error that wraps [ErrAttestation] where there is evidence that does not hold. Proof is the JWK thumbprint
// of the key whose proof of possession was verified for this request, zero if there was none. A [Caller] of [Authenticator.Authenticate]
// has this in its party already.
func (a *Authenticator) Attested(ctx context.Context, r *http.Request, proof [32]byte) (bool, error) {
	values := r.Header.Values(HeaderAttestation)
	if len(values) == 0 || a.attestor == nil {
		return false, nil
	}
	no := func(why string) (bool, error) { return false, fmt.Errorf("%w: %s", ErrAttestation, why) }
	if len(values) > 1 {
		return no("there is more than one")
	}
	e, nonce, err := readEvidence(values[0])
	if err != nil {
		return no(err.Error())
	}
	bound, err := binding(r, proof)
	if err != nil {
		return no(err.Error())
	}
	want := Challenge(bound, nonce)
	sum := sha256.Sum256(append(want[:], values[0]...))
	if targetOf(ctx).attestedBefore(sum, a.now()) {
		return true, nil
	}
	if err := a.nonces.Check(nonce); err != nil {
		return no(err.Error())
	}
	limited, cancel := context.WithTimeout(ctx, attestTime)
	defer cancel()
	got, err := a.attest(limited, e)
	if err != nil {
		return no("the attestor does not accept it") // what it says may hold what strangers sent
	}
	switch {
	case limited.Err() != nil:
		return no("the attestor took too long")
	case subtle.ConstantTimeCompare(got.Challenge[:], want[:]) != 1:
		return no("it was made for another occasion or another caller")
	case !got.Expires.IsZero() && !a.now().Before(got.Expires):
		return no("it has ended")
	}
	targetOf(ctx).attested(sum, got.Expires)
	return true, nil
}

// attest asks the attestor; a panic is an error.
func (a *Authenticator) attest(ctx context.Context, e Evidence) (got Attestation, err error) {
	defer func() {
		if recover() != nil {
			got, err = Attestation{}, errors.New("the attestor panicked")
		}
	}()
	return a.attestor.Attest(ctx, e)
}

// readEvidence reads the header. Its errors hold nothing of it.
func readEvidence(value string) (e Evidence, nonce string, err error) {
	parts := strings.Split(value, " ")
	if len(parts) != 3 || len(value) > 256+maxEvidence*4/3 {
		return Evidence{}, "", errors.New("it is not a media type, a nonce and evidence")
	}
	kind, params, err := mime.ParseMediaType(parts[0])
	if err != nil || len(params) > 0 || kind != parts[0] || !strings.Contains(kind, "/") {
		return Evidence{}, "", errors.New("its media type is not one")
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || len(data) == 0 || len(data) > maxEvidence || strings.ContainsAny(parts[2], "\r\n") { // which the decoder passes over
		return Evidence{}, "", errors.New("it is not base64url of 1 to 16384 bytes")
	}
	return Evidence{MediaType: kind, Data: data}, parts[1], nil
}
