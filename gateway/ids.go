package gateway

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
)

// An identifier that crosses the edge of the domain is another one on each side, and another for each recipient
// domain. Nothing is stored: the mapping is computed from a key per domain, and undone the same way. The forms are in
// docs/spec/ids.md.
const (
	sealedPrefix = "sid1_"
	ivSize       = 16
	blockSize    = 16

	// What the sealed bytes are, as associated data: bytes with a mark and zeros behind, or the payload of another sealed id.
	asText   = "text"
	asSealed = "sealed"

	maxMapped = 256 // bytes; as long as the wire tables let an id be
	maxText   = 159 // bytes of an id that can be sealed within that
)

var sealedEncoding = base64.RawURLEncoding.Strict()

// Why an id cannot be mapped.
var (
	errIDTooLong = errors.New("id is too long to be mapped") // within the length that ids may have
	errNoID      = errors.New("id begins with a zero byte")
)

const tooLongText = "This id cannot be carried to another domain; use one of at most 159 printable characters."

// sealer is deterministic authenticated encryption.
type sealer interface {
	Seal(plain, ad []byte) ([]byte, error)
	Open(sealed, ad []byte) ([]byte, error)
}

// permuter is a keyed permutation of blocks.
type permuter interface {
	Forward(*[16]byte)
	Backward(*[16]byte)
}

// borderKeys are what identifiers are mapped with between the domain's own agents and one other domain.
type borderKeys struct {
	ours   sealer   // ids of our side, as the other domain sees them
	theirs sealer   // ids of the other domain's side, as ours sees them
	uuid   permuter // of UUIDs; backward is towards our side
	hex    permuter // of 32 hexadecimal digits
	trace  permuter // of trace ids
	span   permuter // of parent ids, forward only
}

// id is an identifier as it stands on the wire: a text, or a whole number in digits.
type id struct {
	text   string
	number bool
}

func (g *Gateway) border(own, other flow.DomainID) *borderKeys {
	at := [2]flow.DomainID{own, other}
	if k, ok := g.borders.Load(at); ok {
		return k.(*borderKeys)
	}
	o, d := string(own), string(other)
	k, _ := g.borders.LoadOrStore(at, &borderKeys{
		ours: g.keys.Deterministic("id", o, d, "ours"), theirs: g.keys.Deterministic("id", o, d, "theirs"),
		uuid: g.keys.Permutation("id", o, d, "uuid"), hex: g.keys.Permutation("id", o, d, "hex"),
		trace: g.keys.Permutation("id", o, d, "trace"), span: g.keys.Permutation("id", o, d, "span"),
	})
	return k.(*borderKeys)
}

// passage is a message's way over the edge of the domain. The zero value stays within it.
type passage struct {
	from, to *borderKeys // nil: that end is the domain's own
}

func (g *Gateway) passage(s *Snapshot, f *flow.Flow) (x passage) {
	if !f.CrossesDomain() {
		return x
	}
	if f.From.Domain != s.Domain {
		x.from = g.border(s.Domain, f.From.Domain)
	}
	if f.To.Domain != s.Domain {
		x.to = g.border(s.Domain, f.To.Domain)
	}
	return x
}

func (x passage) crosses() bool { return x.from != nil || x.to != nil }

// id returns what an identifier of the sender's side is for the recipient.
func (x passage) id(v id) (id, error) {
	var err error
	if x.from != nil {
		v, err = x.from.here(v)
	}
	if x.to != nil && err == nil {
		v, err = x.to.there(v)
	}
	return v, err
}

// there is an id of our side as the other domain sees it: its own where it is one that came from there.
func (k *borderKeys) there(v id) (id, error) {
	return across(v, k.theirs, k.ours, k.uuid.Forward, k.hex.Forward)
}

// here is an id of the other domain's side as ours sees it: ours where it was given out to that domain. Whatever was not,
// forged, altered or meant for another domain, is taken for one of the other domain's own.
func (k *borderKeys) here(v id) (id, error) {
	return across(v, k.ours, k.theirs, k.uuid.Backward, k.hex.Backward)
}

func across(v id, opens, seals sealer, uuid, hexed func(*[16]byte)) (id, error) {
	var sealed []byte
	if !v.number {
		var b [16]byte
		if parseUUID(v.text, &b) {
			return id{text: uuidText(permuteUUID(b, uuid))}, nil
		}
		if parseHex(v.text, &b) {
			hexed(&b)
			return id{text: hex.EncodeToString(b[:])}, nil
		}
		if sealed = parseSealed(v.text); sealed != nil {
			if opened, ok := openID(sealed, opens); ok {
				return opened, nil
			}
		}
	}
	return sealID(v, sealed, seals)
}

func openID(sealed []byte, s sealer) (id, bool) {
	if plain, err := s.Open(sealed, []byte(asText)); err == nil {
		return unpadID(plain)
	}
	if len(sealed) < ivSize+ivSize+blockSize {
		return id{}, false // too short to hold another
	}
	plain, err := s.Open(sealed, []byte(asSealed))
	if err != nil {
		return id{}, false
	}
	return id{text: sealedPrefix + sealedEncoding.EncodeToString(plain)}, true
}

// sealID seals an id; sealed is its payload where it has the form of a sealed one itself.
func sealID(v id, sealed []byte, s sealer) (id, error) {
	plain, ad := sealed, asSealed
	if sealed == nil {
		if len(v.text) > maxText {
			return id{}, errIDTooLong
		}
		plain, ad = padID(v), asText
	}
	if len(sealedPrefix)+sealedEncoding.EncodedLen(ivSize+len(plain)) > maxMapped {
		return id{}, errIDTooLong
	}
	out, err := s.Seal(plain, []byte(ad))
	if err != nil {
		return id{}, err
	}
	return id{text: sealedPrefix + sealedEncoding.EncodeToString(out)}, nil
}

// padID returns the id's text, behind a zero byte if it is a number, with a one bit and zeros up to whole blocks. No
// text of an id begins with a zero byte.
func padID(v id) []byte {
	b := make([]byte, 0, len(v.text)+1+blockSize)
	if v.number {
		b = append(b, 0)
	}
	b = append(b, v.text...)
	b = append(b, 0x80)
	return append(b, make([]byte, -len(b)&(blockSize-1))...)
}

func unpadID(b []byte) (id, bool) {
	b, ok := bytes.CutSuffix(bytes.TrimRight(b, "\x00"), []byte{0x80})
	if !ok {
		return id{}, false
	}
	text, number := strings.CutPrefix(string(b), "\x00")
	return id{text: text, number: number}, true
}

// parseSealed returns the payload of what has the form of a sealed id, whoever may have made it, or nil.
func parseSealed(s string) []byte {
	text, ok := strings.CutPrefix(s, sealedPrefix)
	if !ok || len(s) > maxMapped {
		return nil
	}
	payload, err := sealedEncoding.DecodeString(text)
	if err != nil || len(payload) < ivSize+blockSize || len(payload)%blockSize != 0 || sealedEncoding.EncodedLen(len(payload)) != len(text) {
		return nil
	}
	return payload
}

// parseUUID reads a UUID in its usual form, in lower case.
func parseUUID(s string, b *[16]byte) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	return parseHex(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:], b)
}

// parseHex reads 32 hexadecimal digits in lower case.
func parseHex(s string, b *[16]byte) bool {
	if len(s) != 32 || strings.ToLower(s) != s {
		return false
	}
	_, err := hex.Decode(b[:], []byte(s))
	return err == nil
}

func uuidText(b [16]byte) string {
	var s [36]byte
	hex.Encode(s[:8], b[:4])
	hex.Encode(s[9:13], b[4:6])
	hex.Encode(s[14:18], b[6:8])
	hex.Encode(s[19:23], b[8:10])
	hex.Encode(s[24:], b[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}

// permuteUUID permutes the UUIDs of one version and variant among themselves: it walks along the permutation of all
// blocks until it meets the next that is one, after 64 steps on average.
func permuteUUID(b [16]byte, step func(*[16]byte)) [16]byte {
	version, variant := b[6]&0xf0, b[8]&0xc0
	for {
		step(&b)
		if b[6]&0xf0 == version && b[8]&0xc0 == variant {
			return b
		}
	}
}

// CallID returns the JSON-RPC id of a call as the recipient of the flow will know it, where the message says that such
// ids are mapped; raw is its JSON. The error is a [Refusal].
func (g *Gateway) CallID(s *Snapshot, f flow.Flow, raw []byte) ([]byte, error) {
	x := g.passage(s, &f)
	if !x.crosses() {
		return raw, nil
	}
	var d json.Doc
	if err := d.Parse(raw, nil, json.Limits{}); err != nil {
		return nil, err
	}
	mapped, err := x.node(&d, 0)
	switch {
	case err != nil:
		return nil, refuse(RulePlace, "/id", err, "%s", tooLongText)
	case mapped.text == "":
		return raw, nil
	case mapped.number:
		return []byte(mapped.text), nil
	}
	return json.AppendString(nil, mapped.text), nil
}

// Across returns the identifiers of a message's sender as the recipient knows them once the message has passed.
func (g *Gateway) Across(m *Message, ids IDs) (IDs, error) {
	x := g.passage(m.Snapshot, &m.Query.Flow)
	if !x.crosses() || m.Again {
		return ids, nil
	}
	for _, name := range []*string{&ids.Message, &ids.Task, &ids.Context} {
		if *name == "" {
			continue
		}
		mapped, err := x.text(*name)
		if err != nil {
			return IDs{}, err
		}
		*name = mapped.text
	}
	return ids, nil
}

// node returns what an identifier in a document is for the recipient; no text where it names nothing.
func (x passage) node(d *json.Doc, n int) (id, error) {
	switch d.Nodes[n].Kind {
	case json.String:
		return x.text(d.Text(n))
	case json.Number:
		return x.id(id{text: string(d.Raw(n)), number: true})
	}
	return id{}, nil
}

func (x passage) text(s string) (id, error) {
	switch {
	case s == "":
		return id{}, nil
	case s[0] == 0:
		return id{}, errNoID // how a number is marked
	}
	return x.id(id{text: s})
}

// envelope is the id of the call itself, which is changed last: it says nothing of what the message holds.
type envelope struct {
	node int
	id   []byte // "" where it stays
}

// mapCall notes what the message's own JSON-RPC id becomes.
func (c *collector) mapCall(v *view, n int) error {
	id := c.m.CallID
	if id == nil && c.m.MapCalls && !c.m.Again {
		var err error
		if id, err = c.g.CallID(c.m.Snapshot, c.m.Query.Flow, v.doc.Raw(n)); err != nil {
			return err
		}
	}
	if id != nil && !bytes.Equal(v.doc.Raw(n), id) {
		c.outer = envelope{n, id}
	}
	return nil
}

// mapTrace changes a traceparent in a message, as [Gateway.Traceparent] does beside it.
func (c *collector) mapTrace(v *view, n int) {
	if c.m.Again || v.doc.Nodes[n].Kind != json.String {
		return
	}
	text := v.doc.Text(n)
	switch {
	case isTrace(text):
		if to := c.g.Traceparent(c.ctx, c.m.Snapshot, c.m.Query.Flow, text); to != text {
			v.edits.ReplaceText(n, to)
		}
	case c.cross.crosses(): // of a transparent agent, whose places hold what its sender likes
		v.edits.Remove(n)
	}
}

// mapID changes an identifier of the message to what the recipient knows it as. Within a domain, and in an answer
// that is given again and was mapped then, it stays as it is.
func (c *collector) mapID(role wire.Role, v *view, n int) error {
	m := c.m
	switch role {
	case wire.MessageID, wire.TaskID, wire.ContextID:
	case wire.OtherID:
		if m.Partly {
			return nil // what bears a progress token, say, goes another way
		}
	case wire.CallID:
		if v.parent == nil && c.m.Table.Path(v.doc.Nodes[n].State) == "id" {
			return c.mapCall(v, n)
		}
		if !m.MapCalls {
			return nil
		}
	case wire.Trace:
		c.mapTrace(v, n)
		return nil
	default:
		return nil
	}
	if !c.cross.crosses() || m.Again {
		return nil
	}
	mapped, err := c.cross.node(v.doc, n)
	switch {
	case err != nil:
		return refuse(RulePlace, c.pointer(v, n), err, "%s", tooLongText)
	case mapped.text == "":
	case mapped.number && role != wire.CallID && role != wire.OtherID && v.doc.Nodes[n].Kind == json.String && !c.public:
		return c.misfit(v, n) // it was given out as something else
	case mapped.number:
		v.edits.Replace(n, []byte(mapped.text))
	default:
		v.edits.ReplaceText(n, mapped.text)
		if v.doc.Nodes[n].Kind == json.String {
			c.mention(v.doc.Text(n), mapped.text)
		}
	}
	return nil
}
