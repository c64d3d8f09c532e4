package capability

import (
	"crypto/ed25519"
	"fmt"
)

// HolderJWK returns a public key as a JSON Web Key (RFC 8037): how an agent tells others for which key it wants a capability.
func HolderJWK(key ed25519.PublicKey) []byte {
	var o object
	o.text("crv", "Ed25519")
	o.text("kty", "OKP")
	o.text("x", encode(key))
	return o.bytes()
}

// ParseHolderJWK reads what [HolderJWK] wrote. A key with any other member, above all with that of a private key, is refused
// by an error that wraps [ErrKey].
func ParseHolderJWK(b []byte) (ed25519.PublicKey, error) {
	const most = 1 << 10
	if len(b) <= most {
		if jwk, ok := parse(string(b)); ok {
			if key := readJWK(&jwk); key != nil {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("%w: not an Ed25519 public key as a JWK of kty, crv and x", ErrKey)
}

// ParseThumbprint reads what [Thumbprint.String] wrote.
func ParseThumbprint(s string) (t Thumbprint, ok bool) {
	b, ok := decode(s)
	if !ok || len(b) != len(t) {
		return t, false
	}
	copy(t[:], b)
	return t, true
}

// Under returns what is asked for under a parent, as [Derive] does: what is nil is taken over, what is wider is an *[Error]
// with [RuleWidened]. Names are the parent's: it is for whoever issues roots within a ceiling.
func Under(parent *Grant, asked Grant) (Grant, error) {
	if asked.Names != nil {
		return Grant{}, broken(RuleWidened, "names")
	}
	g := inherit(parent, asked)
	if m := widens(parent, &g); m != "" {
		return Grant{}, broken(RuleWidened, m)
	}
	g.Names = parent.Names
	return g, nil
}

// Valid reports whether a root could be made of the grant, but for its time. The error is an *[Error].
func (g *Grant) Valid() error {
	if m := g.malformed(true); m != "" {
		return broken(RuleForm, m)
	}
	return nil
}
