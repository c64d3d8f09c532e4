package capability

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

const maxProof = 2048 // bytes

const proofHead = `{"alg":"EdDSA","typ":"` + typeProof + `"}`

// Prove signs a proof that the caller holds the key that the leaf confirms, for one call.
func Prove(leaf Token, signer crypto.Signer, b Bound, now time.Time) (string, error) {
	return prove(leaf, signer, b, now, newID(now))
}

func prove(leaf Token, signer crypto.Signer, b Bound, now time.Time, id string) (string, error) {
	hash, ok := leaf.Hash()
	if !ok {
		return "", broken(RuleForm, "token")
	}
	var o object
	o.text("jti", id)
	o.number("iat", now.Unix())
	o.number("ver", version)
	o.text("cap", encode(hash[:]))
	o.text("aud", string(b.Audience))
	o.text("htm", b.Method)
	if b.Target != "" {
		o.text("htu", b.Target)
	}
	o.text("body", encode(b.Body[:]))
	if b.Nonce != "" {
		o.text("nonce", b.Nonce)
	}
	input := encode([]byte(proofHead)) + "." + encode(o.bytes())
	signature, err := signInput(signer, input)
	if err != nil {
		return "", fmt.Errorf("signing a proof: %w", err)
	}
	return input + "." + signature, nil
}

// Proof verifies that the proof was signed by the holder of the chain's leaf for the call, and that every link may be
// presented to the audience. Whether it was seen before is for the caller to ask. Errors are of type *[Error].
func (v *Verifier) Proof(vd *Verified, proof string, b Bound) (Proof, error) {
	p, err := v.proof(vd, proof, b)
	if err != nil {
		return Proof{}, err
	}
	if err := vd.Presentable(b.Audience); err != nil {
		return Proof{}, err
	}
	return p, nil
}

func (v *Verifier) proof(vd *Verified, proof string, b Bound) (Proof, error) {
	of := func(r Rule, member string) (Proof, error) { return Proof{}, broken(r, member).at(OfProof) }
	if len(proof) > maxProof {
		return of(RuleSize, "")
	}
	input, signature, ok := Token(proof).split()
	if !ok {
		return of(RuleForm, "")
	}
	if _, err := readHead(input[:indexDot(input)], typeProof); err != nil {
		return Proof{}, err.at(OfProof)
	}
	leaf := vd.Leaf()
	sig, ok := decode(signature)
	if !ok || len(sig) != ed25519.SignatureSize {
		return of(RuleForm, "signature")
	}
	if !ed25519.Verify(leaf.HolderKey, []byte(input), sig) {
		return of(RuleProof, "key")
	}
	raw, ok := decode(input[indexDot(input)+1:])
	if !ok {
		return of(RuleForm, "payload")
	}
	p, ok := parse(string(raw))
	if !ok || p.kind != isObject {
		return of(RuleForm, "payload")
	}
	return v.bind(&p, leaf, b)
}

// bind holds the claims of a proof against the call.
func (v *Verifier) bind(p *value, leaf *Link, b Bound) (Proof, error) {
	of := func(r Rule, member string) (Proof, error) { return Proof{}, broken(r, member).at(OfProof) }
	var id, hash, aud, method, target, body, nonce string
	var issued, ver int64
	for _, n := range []struct {
		name string
		ok   bool
	}{
		{"jti", p.string("jti", &id) && isID(id)}, {"iat", p.date("iat", &issued)}, {"ver", p.integer("ver", &ver) && ver == version},
		{"cap", p.string("cap", &hash)}, {"aud", p.string("aud", &aud)}, {"htm", p.string("htm", &method)}, {"body", p.string("body", &body)},
		{"htu", p.optional("htu", &target)}, {"nonce", p.optional("nonce", &nonce)},
	} {
		if !n.ok {
			return of(RuleForm, n.name)
		}
	}
	at, now := time.Unix(issued, 0).UTC(), v.o.Clock()
	switch {
	case !same(hash, encode(leaf.Hash[:])):
		return of(RuleProof, "leaf")
	case b.Audience == "" || aud != string(b.Audience):
		return of(RuleAudience, "aud")
	case method != b.Method:
		return of(RuleProof, "method")
	case b.Target != "" && target != b.Target:
		return of(RuleProof, "target")
	case !same(body, encode(b.Body[:])):
		return of(RuleProof, "body")
	case b.Nonce != "" && !same(nonce, b.Nonce):
		return of(RuleNonce, "")
	case at.After(now.Add(v.o.Skew)), at.Before(now.Add(-v.o.ProofAge)):
		return of(RuleProofTime, "iat")
	}
	return Proof{ID: id, Holder: leaf.Holder, IssuedAt: at, Until: at.Add(v.o.ProofAge + time.Second)}, nil
}

// optional reads a string that may be left out.
func (v *value) optional(name string, to *string) bool {
	_, ok := v.get(name)
	return !ok || v.string(name, to)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// BodyHash returns what a proof signs of a body.
func BodyHash(body []byte) [32]byte { return sha256.Sum256(body) }

// Presentable reports whether every link may be presented at the domain's gateways: nil, or an *[Error] with [RuleAudience].
// [Verifier.Proof] and [Verified.Admits] ask it too.
func (vd *Verified) Presentable(at flow.DomainID) error {
	for i := range vd.Links {
		if aud := vd.Links[i].Grant.Audience; aud != nil && !contains(aud, at) {
			return broken(RuleAudience, "audience").at(i)
		}
	}
	return nil
}

// Vouched reports whether every link lets gateways of the domain vouch for the holder in place of a proof.
func (vd *Verified) Vouched(by flow.DomainID) bool {
	for i := range vd.Links {
		if !contains(vd.Links[i].Grant.Via, by) {
			return false
		}
	}
	return len(vd.Links) > 0
}

func contains[S ~string](list []S, s S) bool {
	for _, has := range list {
		if has == s && strings.TrimSpace(string(s)) != "" {
			return true
		}
	}
	return false
}
