package bundle

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

var b64 = base64.RawURLEncoding.Strict()

// header is the protected header. The issuer stands there too (RFC 7519, section 5.3), so that a bundle of nobody that is known is
// refused before it is read.
type header struct {
	Algorithm string        `json:"alg"`
	Issuer    flow.DomainID `json:"iss"`
	KeyID     string        `json:"kid"`
	Type      string        `json:"typ"`
}

// Keys are the public keys of domains at this time.
type Keys interface {
	Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool)
}

// Sign returns the bundle as it is published, signed by one of its domain's keys. The error is an [*Error] for a bundle that [Parse]
// would not take.
func (b *Bundle) Sign(kid string, key crypto.Signer) ([]byte, error) {
	if _, ok := key.Public().(ed25519.PublicKey); !ok {
		return nil, refused(RuleAlgorithm)
	}
	if !keyID(kid) {
		return nil, refused(RuleKey)
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	head, err := encode(header{"EdDSA", b.Issuer, kid, Type})
	if err != nil {
		return nil, err
	}
	body, err := encode(b.payload())
	if err != nil {
		return nil, err
	}
	out := b64.AppendEncode(nil, head)
	out = b64.AppendEncode(append(out, '.'), body)
	sig, err := key.Sign(rand.Reader, out, crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("signing a bundle: %w", err)
	}
	out = b64.AppendEncode(append(out, '.'), sig)
	if len(out) > MaxText {
		return nil, refused(RuleSize)
	}
	return out, nil
}

// Parse verifies a bundle by the keys of its domain and reads it. It does not say whether the bundle counts now, nor whether it
// follows one that was seen before: see [Bundle.InForce] and [Bundle.Follows]. The error is an [*Error].
func Parse(signed []byte, keys Keys) (*Bundle, error) {
	head, h, err := readHeader(signed)
	if err != nil {
		return nil, err
	}
	dot := bytes.LastIndexByte(signed, '.')
	if dot <= head {
		return nil, refused(RuleForm)
	}
	sig, err := b64.AppendDecode(nil, signed[dot+1:])
	if err != nil || len(sig) != ed25519.SignatureSize || bytes.ContainsAny(signed, "\r\n") { // which the decoder skips
		return nil, refused(RuleForm)
	}
	key, ok := keys.Key(h.Issuer, h.KeyID)
	if !ok || len(key) != ed25519.PublicKeySize {
		return nil, refused(RuleKey)
	}
	if !ed25519.Verify(key, signed[:dot], sig) {
		return nil, refused(RuleSignature)
	}
	return read(signed[head+1:dot], h.Issuer)
}

// Stored reads a bundle whose signature was verified when it was kept.
func Stored(signed []byte) (*Bundle, error) {
	head, h, err := readHeader(signed)
	if err != nil {
		return nil, err
	}
	dot := bytes.LastIndexByte(signed, '.')
	if dot <= head {
		return nil, refused(RuleForm)
	}
	return read(signed[head+1:dot], h.Issuer)
}

func read(encoded []byte, issuer flow.DomainID) (*Bundle, error) {
	var p payload
	if !canonical(encoded, &p) {
		return nil, refused(RuleForm)
	}
	b, err := p.bundle()
	if err != nil {
		return nil, err
	}
	if b.Issuer != issuer {
		return nil, refused(RuleForm)
	}
	return b, b.check()
}

// maxHeader is the most that a header takes, as it is encoded.
const maxHeader = 1024

// readHeader returns where the header ends, and what it says.
func readHeader(signed []byte) (end int, h header, err error) {
	if len(signed) > MaxText {
		return 0, h, refused(RuleSize)
	}
	end = bytes.IndexByte(signed[:min(len(signed), maxHeader)], '.')
	switch {
	case end < 0 || !canonical(signed[:end], &h):
		return 0, h, refused(RuleForm)
	case h.Algorithm != "EdDSA":
		return 0, h, refused(RuleAlgorithm)
	case h.Type != Type:
		return 0, h, refused(RuleType)
	case !keyID(h.KeyID):
		return 0, h, refused(RuleForm)
	}
	return end, h, nil
}

// canonical decodes base64url of JSON that has the one form in which it is signed, and no other: without spaces, members in order and
// each once, nothing after it.
func canonical(encoded []byte, into any) bool {
	raw, err := b64.AppendDecode(nil, encoded)
	if err != nil {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(into) != nil {
		return false
	}
	again, err := encode(into)
	return err == nil && bytes.Equal(again, raw)
}

// encode writes JSON as it is signed.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func keyID(s string) bool {
	return s != "" && len(s) <= 128 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:") == ""
}

// Payload returns what the bundle says, in the form in which it is signed.
func (b *Bundle) Payload() []byte {
	body, err := encode(b.payload())
	if err != nil { // texts and numbers can be encoded
		return nil
	}
	return body
}
