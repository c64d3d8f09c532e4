package card

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	stdjson "encoding/json"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	"github.com/gowebpki/jcs"

	"github.com/scrimhq/scrim/data/json"
)

// header is the protected header of a card's signature.
type header struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	KeyID     string `json:"kid"`
	JKU       string `json:"jku,omitempty"`
}

// sign appends a signature: a detached JWS (RFC 7515) by Ed25519 over the card's canonical form.
func sign(card []byte, opt Options) ([]byte, error) {
	if _, err := public(opt.Signer); err != nil {
		return nil, err
	}
	payload, err := canonical(card)
	if err != nil {
		return nil, err
	}
	protected, err := stdjson.Marshal(header{"EdDSA", "JOSE", opt.KeyID, opt.JKU})
	if err != nil {
		return nil, fmt.Errorf("writing the signature's header: %w", err)
	}
	enc := base64.RawURLEncoding
	head := enc.EncodeToString(protected)
	sig, err := opt.Signer.Sign(rand.Reader, []byte(head+"."+enc.EncodeToString(payload)), crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("signing the card: %w", err)
	}
	var d json.Doc
	if err := d.Parse(card, nil, wide(card)); err != nil {
		return nil, err
	}
	e := d.Edit()
	e.Append(0, "signatures", []byte(`[{"protected":"`+head+`","signature":"`+enc.EncodeToString(sig)+`"}]`))
	return e.Apply(nil)
}

func public(s crypto.Signer) (ed25519.PublicKey, error) {
	if s == nil {
		return nil, ErrSigner
	}
	pub, ok := s.Public().(ed25519.PublicKey)
	if !ok {
		return nil, ErrSigner
	}
	return pub, nil
}

func unpadded(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

// Verify checks that a card has a good signature by the key: one whose kid is the given one, or, where kid is empty,
// any. What is signed is the card without members that only spell out a default, as A2A 1.0 has it, or with them, as
// A2A 0.3 had it. Algorithms are EdDSA, ES256, RS256 and PS256; the key's type must fit. The errors wrap
// [ErrUnsigned], [ErrSignature] or [ErrNotCard].
func Verify(src []byte, kid string, key crypto.PublicKey) error {
	var card struct {
		Signatures []struct{ Protected, Signature string } `json:"signatures"`
	}
	payload, err := canonical(src)
	if err != nil {
		return err
	}
	whole, err := canonicalOf(src, false)
	if err != nil {
		return err
	}
	if err := stdjson.Unmarshal(src, &card); err != nil {
		return fmt.Errorf("%w: signatures have not their form", ErrNotCard)
	}
	result := ErrUnsigned
	for _, s := range card.Signatures[:min(len(card.Signatures), maxSignatures)] {
		jws, err := jose.ParseDetached(s.Protected+".."+s.Signature, payload, []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256, jose.RS256, jose.PS256})
		if err != nil || len(jws.Signatures) != 1 || kid != "" && jws.Signatures[0].Protected.KeyID != kid {
			continue
		}
		if jws.DetachedVerify(payload, key) == nil || jws.DetachedVerify(whole, key) == nil {
			return nil
		}
		result = ErrSignature
	}
	return result
}

// canonical returns what is signed: the card without signatures and without members that only spell out a default,
// in the form of RFC 8785. What A2A requires, or tells an absent one from a default of, stays, and so does all that A2A
// does not declare.
func canonical(card []byte) ([]byte, error) { return canonicalOf(card, true) }

func canonicalOf(card []byte, sparse bool) ([]byte, error) {
	var check json.Doc
	if err := check.Parse(card, nil, wide(card)); err != nil { // no duplicates, which the next decoder would merge
		return nil, fmt.Errorf("%w: %w", ErrNotCard, err)
	}
	dec := stdjson.NewDecoder(bytes.NewReader(card))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil || v == nil {
		return nil, fmt.Errorf("%w: it is not an object", ErrNotCard)
	}
	delete(v, "signatures")
	if sparse {
		dropDefaults(v, "card")
	}
	plain, err := stdjson.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be written again", ErrNotCard)
	}
	out, err := jcs.Transform(plain)
	if err != nil { // its text may quote the card
		return nil, fmt.Errorf("%w: it has no canonical form", ErrNotCard)
	}
	return out, nil
}

// message says of one message of a2a.proto which members are left out at their default, and what its members are.
type message struct {
	implicit []string
	members  map[string]string // a message, or a list or map of it
}

var messages = map[string]message{
	"card": {[]string{"securitySchemes", "securityRequirements"}, map[string]string{
		"capabilities": "capabilities", "supportedInterfaces": "interface", "skills": "skill", "securitySchemes": "schemes"}},
	"capabilities": {[]string{"extensions"}, map[string]string{"extensions": "extension"}},
	"extension":    {[]string{"uri", "description", "required"}, nil},
	"interface":    {[]string{"tenant"}, nil},
	"skill":        {[]string{"examples", "inputModes", "outputModes", "securityRequirements"}, nil},
	"schemes":      {nil, map[string]string{"*": "scheme"}},
	"scheme":       {nil, map[string]string{"*": "details"}},
	"details":      {[]string{"description", "bearerFormat", "oauth2MetadataUrl"}, nil},
}

func dropDefaults(v any, name string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			dropDefaults(e, name)
		}
	case map[string]any:
		m := messages[name]
		for key, value := range v {
			if next, ok := m.members[key]; ok {
				dropDefaults(value, next)
			} else if next, ok := m.members["*"]; ok {
				dropDefaults(value, next)
			}
			if slices.Contains(m.implicit, key) && isDefault(value) {
				delete(v, key)
			}
		}
	}
}

func isDefault(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}
