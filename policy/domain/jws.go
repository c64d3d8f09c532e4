package domain

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

var b64 = base64.RawURLEncoding.Strict()

// header is that of the JWS.
type header struct {
	Algorithm string `json:"alg"`
	Type      string `json:"typ"`
	Key       jwk    `json:"jwk"`
}

// jwk is an Ed25519 key (RFC 8037); times are seconds since 1970.
type jwk struct {
	Type      string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	ID        string `json:"kid,omitempty"`
	NotBefore int64  `json:"nbf,omitempty"`
	NotAfter  int64  `json:"exp,omitempty"`
}

func jwkOf(key ed25519.PublicKey) jwk {
	return jwk{Type: "OKP", Curve: "Ed25519", X: b64.EncodeToString(key)}
}

func (k jwk) public() (ed25519.PublicKey, bool) {
	x, err := b64.DecodeString(k.X)
	return x, err == nil && k.Type == "OKP" && k.Curve == "Ed25519" && len(x) == ed25519.PublicKeySize
}

// split takes a compact JWS apart. Input is what was signed.
func split(text string) (head, body, sig []byte, input string, err error) {
	if len(text) > MaxText {
		return nil, nil, nil, "", refused(RuleSize)
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, nil, nil, "", refused(RuleForm)
	}
	var out [3][]byte
	for i, part := range parts {
		if strings.ContainsAny(part, "\r\n") { // the decoder skips them
			return nil, nil, nil, "", refused(RuleForm)
		}
		if out[i], err = b64.DecodeString(part); err != nil {
			return nil, nil, nil, "", refused(RuleForm)
		}
	}
	return out[0], out[1], out[2], parts[0] + "." + parts[1], nil
}

// decode reads an object strictly: members that are known, each once and spelled as it is, and nothing after it.
func decode(raw []byte, into any) bool {
	if !once(json.NewDecoder(bytes.NewReader(raw)), 0) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(into) != nil {
		return false
	}
	_, err := dec.Token()
	return errors.Is(err, io.EOF)
}

// once walks one value and reports whether no object in it has a name twice, or one that is not of lower-case ASCII
// letters and underscores: the decoder takes other spellings for the same.
func once(dec *json.Decoder, depth int) bool {
	const deepest = 4
	t, err := dec.Token()
	if err != nil || depth > deepest {
		return false
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return true
	}
	seen := map[string]bool{}
	for dec.More() {
		if delim == '{' {
			t, err := dec.Token()
			name, ok := t.(string)
			if err != nil || !ok || seen[name] || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
				return false
			}
			seen[name] = true
		}
		if !once(dec, depth+1) {
			return false
		}
	}
	_, err = dec.Token()
	return err == nil
}

// encode writes JSON as it is signed: without spaces, and with no letter written otherwise than it is.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// sign makes the compact JWS.
func sign(identity crypto.Signer, payload any) (string, error) {
	public, ok := identity.Public().(ed25519.PublicKey)
	if !ok {
		return "", errors.New("the identity key is not of Ed25519")
	}
	head, err := encode(header{Algorithm: "EdDSA", Type: Type, Key: jwkOf(public)})
	if err != nil {
		return "", err
	}
	body, err := encode(payload)
	if err != nil {
		return "", err
	}
	input := b64.EncodeToString(head) + "." + b64.EncodeToString(body)
	sig, err := identity.Sign(rand.Reader, []byte(input), crypto.Hash(0))
	if err != nil {
		return "", err
	}
	return input + "." + b64.EncodeToString(sig), nil
}

// MediaType is that of the published form.
const MediaType = "application/jose+json"

// flattened is the JWS in the flattened JSON serialization (RFC 7515, section 7.2.2).
type flattened struct {
	Payload   string `json:"payload"`
	Protected string `json:"protected"`
	Signature string `json:"signature"`
}

// JSON returns the published form of a document that [Document.Sign] made.
func JSON(text string) []byte {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil
	}
	b, err := encode(flattened{Protected: parts[0], Payload: parts[1], Signature: parts[2]})
	if err != nil { // of three strings there is none
		return nil
	}
	return append(b, '\n')
}

// FromJSON returns the text that [Parse] reads of a published form. The error is an [*Error].
func FromJSON(raw []byte) (string, error) {
	if len(raw) > MaxText+256 {
		return "", refused(RuleSize)
	}
	var f flattened
	if !decode(raw, &f) {
		return "", refused(RuleForm)
	}
	return f.Protected + "." + f.Payload + "." + f.Signature, nil
}
