package card

import (
	stdjson "encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/scrimhq/scrim/data/json"
)

// Keys are public keys that cards are believed by. The zero value has none.
type Keys struct {
	set []jose.JSONWebKey
}

// maxKeys is how many keys of a set are looked at.
const maxKeys = 64

// ErrKeys is the error of bytes that hold no public key for signatures.
var ErrKeys = errors.New("not a JSON Web Key or a set of them with a public key for signatures")

// ParseKeys reads a JSON Web Key or a set of them (RFC 7517). Keys of other kinds and keys for other uses are passed
// over; private and secret ones too. The error is [ErrKeys].
func ParseKeys(raw []byte) (Keys, error) {
	var in struct {
		Keys []stdjson.RawMessage `json:"keys"`
		Type string               `json:"kty"`
	}
	if stdjson.Unmarshal(raw, &in) != nil {
		return Keys{}, ErrKeys
	}
	if in.Type != "" {
		in.Keys = []stdjson.RawMessage{raw}
	}
	var k Keys
	for _, one := range in.Keys[:min(len(in.Keys), maxKeys)] {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(one) == nil && key.Valid() && key.IsPublic() && (key.Use == "" || key.Use == "sig") {
			k.set = append(k.set, key)
		}
	}
	if len(k.set) == 0 {
		return Keys{}, ErrKeys
	}
	return k, nil
}

// Only returns those of the keys that have one of the ids; all of them if none is given.
func (k Keys) Only(ids []string) Keys {
	if len(ids) == 0 {
		return k
	}
	return Keys{slices.DeleteFunc(slices.Clone(k.set), func(key jose.JSONWebKey) bool { return !slices.Contains(ids, key.KeyID) })}
}

// Empty reports whether there is no key.
func (k Keys) Empty() bool { return len(k.set) == 0 }

// VerifiedBy checks that the card has a good signature by one of the keys, and returns that key's id, which may be
// empty. A signature that names a key is checked by that key alone. The errors wrap [ErrUnsigned], [ErrSignature] or
// [ErrNotCard].
func (k Keys) VerifiedBy(src []byte) (kid string, err error) {
	err = ErrUnsigned
	for i := range k.set {
		key := &k.set[i]
		e := Verify(src, key.KeyID, key.Key)
		if e == nil {
			return key.KeyID, nil
		}
		if errors.Is(e, ErrNotCard) {
			return "", e
		}
		if !errors.Is(e, ErrUnsigned) {
			err = e
		}
	}
	return "", err
}

// maxSignatures is how many signatures of a card are looked at.
const maxSignatures = 8

// KeyURLs returns the addresses of key sets that the card's signatures name (jku), those with https alone.
func (c *Card) KeyURLs() []string {
	list, ok := c.Doc.Member(0, "signatures")
	if !ok || c.Doc.Nodes[list].Kind != json.Array {
		return nil
	}
	var all []string
	for n := range c.Doc.Children(list) {
		if len(all) == maxSignatures {
			break
		}
		raw, err := unpadded(text(c.Doc, n, "protected"))
		if err != nil {
			continue
		}
		var h header
		if stdjson.Unmarshal(raw, &h) != nil {
			continue
		}
		if u, err := url.Parse(h.JKU); err == nil && u.Scheme == "https" && u.Host != "" && !slices.Contains(all, h.JKU) {
			all = append(all, h.JKU)
		}
	}
	return all
}

// JWKS is the set of keys (RFC 7517) that a gateway publishes for the signer of its cards. The error is [ErrSigner].
func JWKS(opt Options) ([]byte, error) {
	pub, err := public(opt.Signer)
	if err != nil {
		return nil, err
	}
	return stdjson.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: pub, KeyID: opt.KeyID, Algorithm: string(jose.EdDSA), Use: "sig"}}})
}

// PlainID reports whether a key's id is short and printable, so that it can be shown.
func PlainID(kid string) bool {
	return kid != "" && len(kid) <= 128 && !strings.ContainsFunc(kid, func(r rune) bool { return r <= ' ' || r > '~' })
}
