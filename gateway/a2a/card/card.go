// Package card changes A2A 1.0 agent cards: bytes in, bytes out.
//
// A gateway shows callers a card whose interfaces are its own, that offers nothing the gateway does not carry, and that
// it signed itself. Everything else in the card stays as it was, unknown members included.
package card

import (
	"crypto"
	"errors"

	"github.com/scrimhq/scrim/data/json"
)

// PrivacyExtension names the extension by which a gateway tells what it changed.
const PrivacyExtension = "https://scrim.dev/ext/privacy/v1"

// Errors that callers may act on.
var (
	ErrNotCard     = errors.New("not an A2A 1.0 agent card")
	ErrNoInterface = errors.New("the card has no interface that is carried")
	ErrUnsigned    = errors.New("the card has no signature by this key")
	ErrSignature   = errors.New("the card's signature does not verify")
)

// Options say what becomes of a card.
type Options struct {
	URL    string         // of the agent at the gateway; every interface gets it
	Signer crypto.Signer  // Ed25519; nil: the card goes out unsigned
	KeyID  string         // kid of the signature
	JKU    string         // where the key can be had; may be empty
	Params []byte         // JSON object put into the privacy extension's params; may be nil
	Texts  map[int]string // texts by node of the parsed card, as [Card.Texts] lists them, to be put in their place
}

// Card is an agent card as it was read.
type Card struct {
	Doc *json.Doc
}

// Parse reads an agent card and checks that what the gateway must change has the form of A2A 1.0.
// The error is [ErrNotCard] or a [*json.Error].
func Parse(src []byte, lim json.Limits) (*Card, error) { return nil, ErrNotCard }

// Texts returns the nodes of the card's free texts: names, descriptions, examples, tags. From a foreign agent they are content.
func (c *Card) Texts() []int { return nil }

// Upstream returns the interface that requests for the agent are forwarded to: the first JSON-RPC interface of A2A 1.0.
func (c *Card) Upstream() (url, tenant string, err error) { return "", "", ErrNoInterface }

// Signed reports whether the card came with signatures.
func (c *Card) Signed() bool { return false }

// Rewrite returns the card as the gateway shows it.
func (c *Card) Rewrite(opt Options) ([]byte, error) { return nil, ErrNotCard }

// Verify checks a card's signature by the key.
func Verify(src []byte, kid string, key crypto.PublicKey) error { return ErrUnsigned }

// ETag returns a strong entity tag of the card's bytes, quotes included.
func ETag(card []byte) string { return "" }
