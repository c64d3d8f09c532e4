package contract

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// The typ of what is signed.
const (
	Type    = "scrim-contract+jwt"     // an offer, or with both signatures a contract
	TypeEnd = "scrim-contract-end+jwt" // that one side ends a negotiation or a contract
)

// Skew is how far the clocks of two domains may be apart.
const Skew = time.Minute

// Keys are those that domains sign with. It must be safe for concurrent use.
type Keys interface {
	Key(domain flow.DomainID, kid string) (ed25519.PublicKey, bool)
}

// Signer signs for a domain.
type Signer struct {
	Domain flow.DomainID
	Key    crypto.Signer // Ed25519
	KeyID  string
}

// Signed is an offer or a contract with its signatures.
type Signed struct {
	Contract *Contract
	By       []flow.DomainID // who signed it, in the order of their names

	signatures []signature
}

// Agreed reports whether both sides signed it.
func (s *Signed) Agreed() bool { return len(s.By) == 2 }

// header is the protected header; its members stand in the order of their names.
type header struct {
	Algorithm string `json:"alg"`
	Issuer    string `json:"iss"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

type signature struct {
	Protected string `json:"protected"`
	Signature string `json:"signature"`

	by flow.DomainID
}

type envelope struct {
	Payload    string      `json:"payload"`
	Signatures []signature `json:"signatures"`
}

// Offer signs a contract for one side. The error is an [*Error] or that of the key.
func Offer(c *Contract, by Signer) (*Signed, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	own, err := Parse(c.bytes()) // so that nothing of the caller's is shared, and what is signed is what others will read
	if err != nil {
		return nil, err
	}
	return (&Signed{Contract: own}).add(by)
}

// Accept signs exactly what the other side offered.
func (s *Signed) Accept(by Signer) (*Signed, error) {
	if len(s.By) != 1 || s.By[0] == by.Domain {
		return nil, broke(RuleSigner, "")
	}
	return s.add(by)
}

func (s *Signed) add(by Signer) (*Signed, error) {
	if _, party := s.Contract.Party(by.Domain); !party {
		return nil, broke(RuleSigner, "")
	}
	protected := b64.EncodeToString(encode(header{"EdDSA", string(by.Domain), by.KeyID, Type}))
	sig, err := sign(by.Key, protected+"."+b64.EncodeToString(s.Contract.bytes()))
	if err != nil {
		return nil, err
	}
	out := &Signed{Contract: s.Contract, signatures: append(slices.Clone(s.signatures), signature{protected, b64.EncodeToString(sig), by.Domain})}
	out.order()
	return out, nil
}

func (s *Signed) order() {
	slices.SortFunc(s.signatures, func(a, b signature) int { return strings.Compare(string(a.by), string(b.by)) })
	s.By = nil
	for _, one := range s.signatures {
		s.By = append(s.By, one.by)
	}
}

var errKey = errors.New("contracts are signed with Ed25519 keys")

func sign(key crypto.Signer, input string) ([]byte, error) {
	if key == nil {
		return nil, errKey
	}
	if _, ok := key.Public().(ed25519.PublicKey); !ok {
		return nil, errKey
	}
	return key.Sign(rand.Reader, []byte(input), crypto.Hash(0))
}

// Bytes returns the JWS in JSON serialisation.
func (s *Signed) Bytes() []byte {
	return encode(envelope{b64.EncodeToString(s.Contract.bytes()), s.signatures})
}

// Read reads an offer or a contract and verifies every signature on it, each by a key of the side that it is of. Nothing is said
// about time or about what came before. The error is an [*Error].
func Read(raw []byte, keys Keys) (*Signed, error) {
	if len(raw) > 2*MaxText {
		return nil, broke(RuleSize, "")
	}
	var e envelope
	if !decode(raw, &e) || len(e.Signatures) < 1 || len(e.Signatures) > 2 {
		return nil, broke(RuleForm, "")
	}
	payload, ok := unb64(e.Payload)
	if !ok || !bytes.Equal(encode(e), raw) {
		return nil, broke(RuleForm, "")
	}
	heads := make([]header, len(e.Signatures))
	for i, one := range e.Signatures {
		var err error
		if heads[i], err = readHeader(one.Protected, Type); err != nil {
			return nil, err
		}
	}
	c, err := Parse(payload)
	if err != nil {
		return nil, err
	}
	s := &Signed{Contract: c}
	for i, one := range e.Signatures {
		one.by = flow.DomainID(heads[i].Issuer)
		if _, party := c.Party(one.by); !party || i > 0 && heads[i-1].Issuer >= heads[i].Issuer {
			return nil, broke(RuleSigner, "")
		}
		if err := verify(keys, heads[i], one.Protected+"."+e.Payload, one.Signature); err != nil {
			return nil, err
		}
		s.signatures = append(s.signatures, one)
	}
	s.order()
	return s, nil
}

// Reread reads what [Signed.Bytes] wrote and was kept where nobody else writes. Its signatures, which were verified when it came, are
// not verified again: the keys may be gone by now. The error is an [*Error].
func Reread(raw []byte) (*Signed, error) {
	var e envelope
	if !decode(raw, &e) {
		return nil, broke(RuleForm, "")
	}
	payload, ok := unb64(e.Payload)
	if !ok {
		return nil, broke(RuleForm, "")
	}
	c, err := Parse(payload)
	if err != nil {
		return nil, err
	}
	s := &Signed{Contract: c}
	for _, one := range e.Signatures {
		h, err := readHeader(one.Protected, Type)
		if err != nil {
			return nil, err
		}
		one.by = flow.DomainID(h.Issuer)
		s.signatures = append(s.signatures, one)
	}
	s.order()
	return s, nil
}

func readHeader(protected, typ string) (header, error) {
	var h header
	raw, ok := unb64(protected)
	switch {
	case !ok || len(raw) > 1024 || !decode(raw, &h) || !bytes.Equal(encode(h), raw):
		return header{}, broke(RuleForm, "protected")
	case h.Type != typ:
		return header{}, broke(RuleType, "")
	case h.Algorithm != "EdDSA":
		return header{}, broke(RuleAlgorithm, "")
	}
	return h, nil
}

func verify(keys Keys, h header, input, sig string) error {
	raw, ok := unb64(sig)
	if !ok || len(raw) != ed25519.SignatureSize {
		return broke(RuleForm, "signature")
	}
	key, ok := keys.Key(flow.DomainID(h.Issuer), h.KeyID)
	if !ok || len(key) != ed25519.PublicKeySize {
		return broke(RuleSigner, "")
	}
	if !ed25519.Verify(key, []byte(input), raw) {
		return broke(RuleSignature, "")
	}
	return nil
}

// unb64 reads base64url in its one spelling; the decoder of the standard library skips line ends.
func unb64(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, false
	}
	b, err := b64.DecodeString(s)
	return b, err == nil
}

// End is one side's word that a negotiation is over, and with it whatever came of it. It needs no reason and cannot be taken back.
type End struct {
	Negotiation string
	By          flow.DomainID
	At          time.Time // in whole seconds
}

type endBody struct {
	IssuedAt    int64  `json:"iat"`
	Negotiation string `json:"negotiation"`
}

// Sign returns the statement as a JWS in compact serialisation.
func (e End) Sign(by Signer) (string, error) {
	input := b64.EncodeToString(encode(header{"EdDSA", string(by.Domain), by.KeyID, TypeEnd})) + "." +
		b64.EncodeToString(encode(endBody{e.At.Unix(), e.Negotiation}))
	sig, err := sign(by.Key, input)
	if err != nil {
		return "", err
	}
	return input + "." + b64.EncodeToString(sig), nil
}

// ReadEnd reads the end of a negotiation and verifies its signature. The error is an [*Error].
func ReadEnd(text string, keys Keys) (End, error) {
	if len(text) > 4096 {
		return End{}, broke(RuleSize, "")
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return End{}, broke(RuleForm, "")
	}
	h, err := readHeader(parts[0], TypeEnd)
	if err != nil {
		return End{}, err
	}
	var b endBody
	payload, ok := unb64(parts[1])
	if !ok || !decode(payload, &b) || !bytes.Equal(encode(b), payload) || len(b.Negotiation) != idLength || !word(b.Negotiation) {
		return End{}, broke(RuleForm, "")
	}
	if err := verify(keys, h, parts[0]+"."+parts[1], parts[2]); err != nil {
		return End{}, err
	}
	return End{Negotiation: b.Negotiation, By: flow.DomainID(h.Issuer), At: time.Unix(b.IssuedAt, 0).UTC()}, nil
}
