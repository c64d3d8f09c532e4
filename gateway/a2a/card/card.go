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
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
)

// PrivacyExtension names the extension by which a gateway tells what it changed.
const PrivacyExtension = "https://scrim.dev/ext/privacy/v1"

// Errors that callers may act on.
var (
	ErrNotCard     = errors.New("not an A2A agent card")
	ErrNoInterface = errors.New("the card has no JSON-RPC interface of A2A 1.0")
	ErrUnsigned    = errors.New("the card has no signature by this key")
	ErrSignature   = errors.New("the card's signature does not verify")
	ErrSigner      = errors.New("cards are signed with Ed25519 keys")
)

// Options say what becomes of a card.
type Options struct {
	URL    string         // of the agent at the gateway: the card's only interface gets it
	Signer crypto.Signer  // Ed25519; nil: the card goes out unsigned
	KeyID  string         // kid of the signature
	JKU    string         // where the key can be had; may be empty
	Params []byte         // JSON object for the privacy extension's params; may be nil
	Texts  map[int]string // new texts for nodes of [Card.Doc], as [Card.Texts] lists them

	// How callers prove to the gateway who they are, as JSON in the form of the card's members of these names. Nil takes
	// the member out: the agent's own schemes are between it and the gateway, and no caller may be led to follow them.
	SecuritySchemes      []byte
	SecurityRequirements []byte
}

// Card is an agent card as it was read. It is immutable and safe for concurrent use.
type Card struct {
	Doc *json.Doc

	capabilities, interfaces int // nodes; interfaces is -1 where only A2A 0.3's members name any
	chosen                   int // the interface that is carried; -1: none
}

// Parse reads an agent card and checks that what the gateway must change has the form of A2A 1.0 or 0.3.
// The error wraps [ErrNotCard] or is a [*json.Error]. Src is kept, not copied.
func Parse(src []byte, lim json.Limits) (*Card, error) {
	c := &Card{Doc: new(json.Doc), chosen: -1}
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
	if c.interfaces >= 0 {
		for n := range d.Children(c.interfaces) {
			if c.chosen < 0 && carried(d, n) {
				c.chosen = n
			}
		}
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

func carried(d *json.Doc, n int) bool {
	return text(d, n, "url") != "" && text(d, n, "protocolBinding") == "JSONRPC" && text(d, n, "protocolVersion") == "1.0"
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

// Signed reports whether the card came with signatures.
func (c *Card) Signed() bool {
	n, ok := c.Doc.Member(0, "signatures")
	return ok && c.Doc.Nodes[n].Kind == json.Array && c.Doc.Nodes[n].Next > int32(n)+1
}

// notText are the places of a card that hold no words for a reader: names of formats, ids, addresses, and what
// [Card.Rewrite] takes out or writes anew.
var notText = []string{
	"version", "documentationUrl", "iconUrl", "provider/url", "supportedInterfaces", "securitySchemes", "securityRequirements",
	"signatures", "defaultInputModes", "defaultOutputModes", "skills/*/id", "skills/*/inputModes", "skills/*/outputModes",
	"skills/*/securityRequirements", "capabilities/extensions/*/uri", "url", "preferredTransport", "additionalInterfaces",
	"protocolVersion",
}

// places writes a member's name so that it cannot be taken for an element or for two names.
var places = strings.NewReplacer("/", "~1", "*", "~2")

// Texts returns the nodes of the card's free texts in order: names, descriptions, examples, tags, and every string in
// a member that A2A does not declare or in an extension's params. From a foreign agent they are content.
func (c *Card) Texts() []int {
	var nodes []int
	var walk func(n int, path string)
	walk = func(n int, path string) {
		if slices.Contains(notText, path) {
			return
		}
		if c.Doc.Nodes[n].Kind == json.String {
			nodes = append(nodes, n)
		}
		for child := range c.Doc.Children(n) {
			name := "*"
			if key := c.Doc.Key(child); key != nil {
				name = places.Replace(string(key))
			}
			walk(child, strings.TrimPrefix(path+"/"+name, "/"))
		}
	}
	walk(0, "")
	return nodes
}

// ETag returns a strong entity tag of the card's bytes, quotes included.
func ETag(card []byte) string {
	sum := sha256.Sum256(card)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
}
