package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
)

// ErrProof is the error for a token whose holder did not prove to have the key that the token is bound to. It wraps [ErrBadCredential].
var ErrProof = fmt.Errorf("%w: the proof of possession", ErrBadCredential)

// confirmation is the key that a token is bound to by its cnf claim; a nil member asks for nothing.
type confirmation struct {
	certificate *[32]byte // x5t#S256 (RFC 8705): of the connection's certificate
	key         *[32]byte // jkt (RFC 9449): of the key of the request's DPoP proof
}

func (c confirmation) bound() bool { return c.certificate != nil || c.key != nil }

// confirmationOf reads the cnf claim (RFC 7800). A token that says in any other way that it is bound is refused: who cannot check a
// bond must not let the token pass for one that has none.
func confirmationOf(claims map[string]any) (c confirmation, err error) {
	claim, there := claims["cnf"]
	if !there {
		return confirmation{}, nil
	}
	members, ok := claim.(map[string]any)
	if !ok || len(members) == 0 {
		return confirmation{}, fmt.Errorf("%w: its cnf claim is not an object, or empty", ErrBadCredential)
	}
	for name, v := range members {
		sum, ok := digest256(v)
		switch {
		case !ok:
			err = errors.New("a member of its cnf claim cannot be checked here")
		case name == "x5t#S256":
			c.certificate = &sum
		case name == "jkt":
			c.key = &sum
		default:
			err = errors.New("a member of its cnf claim cannot be checked here")
		}
	}
	if err != nil {
		return confirmation{}, fmt.Errorf("%w: %w", ErrBadCredential, err)
	}
	return c, nil
}

// digest256 reads 32 bytes in base64url.
func digest256(v any) (sum [32]byte, ok bool) {
	text, ok := v.(string)
	if !ok {
		return sum, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != len(sum) {
		return sum, false
	}
	return [32]byte(b), true
}

// holds checks that a request is presented by the holder of the keys that the token is bound to. The thumbprint is that of the
// proof's key, zero where the token needs none.
func (a *Authenticator) holds(c confirmation, p presented, token string) (thumbprint [32]byte, err error) {
	switch {
	case c.certificate != nil && p.shown == nil:
		return thumbprint, fmt.Errorf("%w: the token is bound to a certificate, and the connection shows none", ErrProof)
	case c.certificate != nil && subtle.ConstantTimeCompare(c.certificate[:], p.shown.thumbprint[:]) != 1:
		return thumbprint, fmt.Errorf("%w: the token is bound to another certificate than that of the connection", ErrProof)
	case c.key == nil && p.scheme == dpop:
		return thumbprint, fmt.Errorf("%w: the token is not bound to a key", ErrProof)
	case c.key == nil:
		return thumbprint, nil
	case p.scheme != dpop:
		return thumbprint, fmt.Errorf("%w: the token is bound to a key; present it by the scheme DPoP with a proof", ErrProof)
	}
	thumbprint, err = a.prove(p, token)
	if err != nil {
		return [32]byte{}, err
	}
	if subtle.ConstantTimeCompare(c.key[:], thumbprint[:]) != 1 {
		return [32]byte{}, fmt.Errorf("%w: it is by another key than the token is bound to", ErrProof)
	}
	return thumbprint, nil
}

// tokenHash is the ath claim of proofs for a token.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
