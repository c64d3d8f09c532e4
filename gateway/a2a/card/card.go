// Package card changes A2A agent cards: bytes in, bytes out. It reads those of A2A 1.0 and of 0.3.
//
// A gateway shows callers a card whose interface is its own, that offers nothing the gateway does not carry, and that
// it signed itself. Everything else in the card keeps its bytes, members that nobody declares included.
package card

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/data/json"
)

// PrivacyExtension names the extension by which a gateway tells what it changed.
const PrivacyExtension = "https://scrim.dev/ext/privacy/v1"

// Errors that callers may act on.
var (
	ErrNotCard     = errors.New("not an A2A agent card")
	ErrNoInterface = errors.New("the card has no interface that is fronted")
	ErrUnsigned    = errors.New("the card has no signature by this key")
	ErrSignature   = errors.New("the card's signature does not verify")
	ErrSigner      = errors.New("cards are signed with Ed25519 keys")
)

// Options say what becomes of a card.
type Options struct {
	Interfaces []Interface // of the agent at the gateway, best first; none: [ErrNoInterface]
	Push       bool        // push notifications are carried, where the card offers them
	Extended   bool        // so is the extended card

	Signer crypto.Signer // Ed25519; nil: the card goes out unsigned
	KeyID  string        // kid of the signature
	JKU    string        // where the key can be had; may be empty
	Params []byte        // JSON object for the privacy extension's params; may be nil

	// SecuritySchemes is how callers prove to the gateway who they are, as JSON in the form of A2A 1.0's member, or, for
	// [Card.RewriteOld], of 0.3's. Nil takes the member out. Requirements are always taken out: the agent's own are
	// between it and the gateway, and no caller may be led to follow them.
	SecuritySchemes []byte
}

// Card is an agent card as it was read. It is immutable and safe for concurrent use.
type Card struct {
	Doc *json.Doc

	capabilities, interfaces int // nodes; interfaces is -1 where only A2A 0.3's members name any
}

// Parse reads an agent card and checks that what the gateway must change has the form of A2A 1.0 or 0.3.
// The error wraps [ErrNotCard] or is a [*json.Error]. Src is kept, not copied.
func Parse(src []byte, lim json.Limits) (*Card, error) {
	c := &Card{Doc: new(json.Doc)}
	if err := c.Doc.Parse(src, nil, lim); err != nil {
		return nil, err
	}
	d := c.Doc
	var err error
	if d.Nodes[0].Kind != json.Object {
		return nil, fmt.Errorf("%w: it is not an object", ErrNotCard)
	}
	if c.capabilities, err = c.member("capabilities", json.Object); err != nil {
		return nil, err
	}
	if c.interfaces, err = c.member("supportedInterfaces", json.Array); err != nil {
		if _, given := d.Member(0, "supportedInterfaces"); given || text(d, 0, "url") == "" {
			return nil, err
		}
		c.interfaces = -1 // a card of A2A 0.3
	}
	if _, err = c.member("name", json.String); err != nil {
		return nil, err
	}
	if n, ok := d.Member(c.capabilities, "extensions"); ok && d.Nodes[n].Kind != json.Array && d.Nodes[n].Kind != json.Null {
		return nil, fmt.Errorf("%w: capabilities/extensions is not an array", ErrNotCard)
	}
	return c, nil
}

func (c *Card) member(name string, kind json.Kind) (int, error) {
	n, ok := c.Doc.Member(0, name)
	if !ok || c.Doc.Nodes[n].Kind != kind {
		return -1, fmt.Errorf("%w: %s is missing or of another kind", ErrNotCard, name)
	}
	return n, nil
}

func text(d *json.Doc, obj int, name string) string {
	if d.Nodes[obj].Kind != json.Object {
		return ""
	}
	if n, ok := d.Member(obj, name); ok && d.Nodes[n].Kind == json.String {
		return d.Text(n)
	}
	return ""
}

// Offers reports whether the card says that its agent has an optional capability, such as "pushNotifications".
func (c *Card) Offers(capability string) bool {
	n, ok := c.Doc.Member(c.capabilities, capability)
	return ok && c.Doc.Nodes[n].Kind == json.True
}

// Signed reports whether the card came with signatures.
func (c *Card) Signed() bool {
	n, ok := c.Doc.Member(0, "signatures")
	return ok && c.Doc.Nodes[n].Kind == json.Array && c.Doc.Nodes[n].Next > int32(n)+1
}

// ETag returns a strong entity tag of the card's bytes, quotes included.
func ETag(card []byte) string {
	sum := sha256.Sum256(card)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
}
