package grants

import (
	"crypto/ed25519"
	"encoding/json"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

// KeyProofType is the JWS type of the proof that who asks holds the key that the root is for.
const KeyProofType = "scrim-key+jwt"

// keyProofLife is how old such a proof may be, and how far its clock may be ahead.
const keyProofLife = time.Minute

// holder returns the key that the root is for: req_cnf names it (RFC 9201, RFC 7800), key_proof is signed by it. A proof that
// somebody sends again is worth nothing to him: the root is of use to the holder of the key alone.
func (e *Endpoint) holder(domain flow.DomainID, form url.Values) (ed25519.PublicKey, error) {
	var cnf struct {
		JWK json.RawMessage `json:"jwk"`
	}
	if err := json.Unmarshal([]byte(form.Get("req_cnf")), &cnf); err != nil {
		return nil, wrong("invalid_request", "req_cnf must be an object with a jwk.", err)
	}
	key, err := capability.ParseHolderJWK(cnf.JWK)
	if err != nil {
		return nil, wrong("invalid_request", "The key in req_cnf is not an Ed25519 public key as a JWK.", err)
	}
	jws, err := jose.ParseSignedCompact(form.Get("key_proof"), []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil || len(jws.Signatures) != 1 || jws.Signatures[0].Protected.ExtraHeaders[jose.HeaderType] != KeyProofType {
		return nil, wrong("invalid_request", "key_proof is not a signed proof of the key.", err)
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, wrong("invalid_request", "key_proof is not signed by the key in req_cnf.", err)
	}
	var claims struct {
		Audience flow.DomainID `json:"aud"`
		IssuedAt int64         `json:"iat"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Audience != domain {
		return nil, wrong("invalid_request", "key_proof is made for another domain.", err)
	}
	if age := e.now().Sub(time.Unix(claims.IssuedAt, 0)); age > keyProofLife || age < -keyProofLife {
		return nil, wrong("invalid_request", "key_proof is too old, or from the future; look at the clock.", nil)
	}
	return key, nil
}
