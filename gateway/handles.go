package gateway

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/a2a/card"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/store"
)

// HandleRules say how parts of messages go by reference. The zero value does it where senders mark a part or policy asks for it.
type HandleRules struct {
	URL       string        // base of the addresses that recipients redeem at, without a slash at its end; "": see [BaseURL]
	Life      time.Duration // of a handle for which nobody names a shorter; 0: 15 min
	Uses      int           // how often a handle is redeemed of which nobody says so; 0: until it expires
	Bytes     int64         // of all parts that are kept; 0: 256 MiB. What was redeemed may take as much again
	TaskBytes int64         // of one task's; 0: 32 MiB
	Unmarked  bool          // what senders mark is not looked at
}

func (r HandleRules) complete() HandleRules {
	r.Life = orDefault(r.Life, 15*time.Minute)
	r.Bytes, r.TaskBytes = orDefault(r.Bytes, 256<<20), orDefault(r.TaskBytes, 32<<20)
	return r
}

// ByReference says which parts of an agent's own messages go by reference. The zero value is none.
type ByReference struct {
	Over  int      // parts that are larger, in bytes of the message; 0: none for its size
	Media []string // of these media types, such as "application/pdf" or "image/*", in lower case
}

func (b *ByReference) takes(size int, media string) bool {
	if b.Over > 0 && size > b.Over {
		return true
	}
	essence, _, _ := strings.Cut(media, ";")
	essence = strings.TrimSpace(essence)
	for _, m := range b.Media {
		if kind, wild := strings.CutSuffix(m, "*"); m == essence || wild && strings.HasPrefix(essence, kind) {
			return true
		}
	}
	return false
}

// HandlePath is where handles are redeemed: the id follows it.
const HandlePath = "/handles/"

// handleBytes is the size of an id, 160 bits.
const handleBytes = 20

var handleIDs = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// handleKey is what is kept of an id.
type handleKey [sha256.Size]byte

func newHandleID() string {
	var b [handleBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	return handleIDs.EncodeToString(b[:])
}

func keyOfHandle(id string) handleKey { return sha256.Sum256([]byte("scrim handle 1\x00" + id)) }

// isHandleID reports whether a text has the form of an id, of which there is one spelling.
func isHandleID(s string) bool {
	if len(s) != handleIDs.EncodedLen(handleBytes) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'v') {
			return false
		}
	}
	return true
}

// HandleID returns the id that a reference or an address ends in, or "" if it has not the form of one.
func HandleID(ref string) string {
	id, ok := strings.CutPrefix(ref, flow.HandleScheme)
	if !ok {
		at := strings.LastIndex(ref, HandlePath)
		if at < 0 {
			return ""
		}
		id = ref[at+len(HandlePath):]
	}
	if !isHandleID(id) {
		return ""
	}
	return id
}

func handleTask(t flow.TaskID) []byte {
	sum := sha256.Sum256([]byte("scrim handle task 1\x00" + string(t)))
	return sum[:16]
}

// sizeClass is the class of a size: 1, 4, 16, 64 … KiB, so that sizes tell little.
func sizeClass(n int) string {
	class := 10
	if n > 1<<class {
		class += (bits.Len(uint(n-1)) - class + 1) / 2 * 2
	}
	if class >= 20 {
		return strconv.Itoa(1<<(class-20)) + "MiB"
	}
	return strconv.Itoa(1<<(class-10)) + "KiB"
}

type baseKey struct{}

// WithBase remembers the address under which a request reached the gateway, for references to it.
func WithBase(ctx context.Context, base string) context.Context {
	return context.WithValue(ctx, baseKey{}, base)
}

// handleURL is where the recipient of a message redeems an id, or the reference itself where the gateway does not know its address.
func (c *collector) handleURL(id string) string {
	base := c.m.Snapshot.Handles.URL
	if base == "" {
		base = c.m.Snapshot.PublicURL
	}
	if base == "" {
		base, _ = c.ctx.Value(baseKey{}).(string)
	}
	if base == "" {
		return flow.HandleScheme + id
	}
	return base + HandlePath + id
}

// resourceLinks is the first version of MCP that has blocks which are links.
const resourceLinks = "mcp/2025-06-18"

// appendReference appends the part that stands in place of another.
func (c *collector) appendReference(b []byte, h flow.Handle) []byte {
	uri := h.URL
	if uri == "" {
		uri = h.Ref
	}
	said := appendHandle(nil, h)
	protocol := c.m.Query.Flow.Protocol
	switch {
	case protocol == "a2a/"+wire.A2A03:
		b = json.AppendString(append(b, `{"kind":"file","file":{"uri":`...), uri)
		if h.Media != "" {
			b = json.AppendString(append(b, `,"mimeType":`...), h.Media)
		}
		b = append(b, `},"metadata":{`...)
		b = append(json.AppendString(b, card.PrivacyExtension), ':')
	case strings.HasPrefix(protocol, "a2a/"):
		b = json.AppendString(append(b, `{"url":`...), uri)
		if h.Media != "" {
			b = json.AppendString(append(b, `,"mediaType":`...), h.Media)
		}
		b = append(b, `,"metadata":{`...)
		b = append(json.AppendString(b, card.PrivacyExtension), ':')
	case protocol >= resourceLinks:
		b = json.AppendString(append(b, `{"type":"resource_link","uri":`...), uri)
		b = append(b, `,"name":"handle"`...)
		if h.Media != "" {
			b = json.AppendString(append(b, `,"mimeType":`...), h.Media)
		}
		b = append(b, `,"_meta":{`...)
		b = append(json.AppendString(b, wire.MetaNote), ':')
	default:
		b = json.AppendString(append(b, `{"type":"text","text":`...), h.Ref)
		b = append(b, `,"_meta":{`...)
		b = append(json.AppendString(b, wire.MetaNote), ':')
	}
	return append(append(append(b, `{"handle":`...), said...), `}}}`...)
}

func appendHandle(b []byte, h flow.Handle) []byte {
	b = json.AppendString(append(b, `{"ref":`...), h.Ref)
	if h.URL != "" {
		b = json.AppendString(append(b, `,"url":`...), h.URL)
	}
	if h.Media != "" {
		b = json.AppendString(append(b, `,"media":`...), h.Media)
	}
	if h.Size != "" {
		b = json.AppendString(append(b, `,"size":`...), h.Size)
	}
	if h.Uses > 0 {
		b = strconv.AppendInt(append(b, `,"uses":`...), int64(h.Uses), 10)
	}
	return append(json.AppendString(append(b, `,"expires":`...), h.Expires.UTC().Format(time.RFC3339)), '}')
}

// dropHandles deletes handles, and what belongs to them, and returns how many.
func dropHandles(tx store.Tx, where string, args ...any) (int, error) {
	rows, err := tx.Query("SELECT id FROM gateway_handles WHERE "+where, args...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	var ids [][]byte
	for rows.Next() {
		var id []byte
		if err := rows.Scan(&id); err != nil {
			return 0, err
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	for _, id := range ids {
		for _, q := range []string{
			"DELETE FROM gateway_handle_forms WHERE handle = ?", "DELETE FROM gateway_handle_subjects WHERE handle = ?", "DELETE FROM gateway_handles WHERE id = ?",
		} {
			if _, err := tx.Exec(q, id); err != nil {
				return 0, err
			}
		}
	}
	return len(ids), nil
}

// EraseHandles deletes what is kept by handle about a subject, in the transaction that erases it. What is about somebody unknown goes along: it may
// be the same one.
func EraseHandles(tx store.Tx, s flow.SubjectRef) error {
	var unknown flow.SubjectRef
	_, err := dropHandles(tx, "id IN (SELECT handle FROM gateway_handle_subjects WHERE subject IN (?, ?))", s[:], unknown[:])
	return err
}

// ForgetHandles deletes what is kept by handle of a task, in the transaction that forgets it.
func ForgetHandles(tx store.Tx, t flow.TaskID) error {
	_, err := dropHandles(tx, "task = ?", handleTask(t))
	return err
}

// sweepHandles deletes handles that have expired, a few at a time.
func (g *Gateway) sweepHandles(ctx context.Context) error {
	for {
		var n int
		err := g.update(ctx, func(tx store.Tx) (err error) {
			n, err = dropHandles(tx, "id IN (SELECT id FROM gateway_handles WHERE expires <= ? ORDER BY expires LIMIT 16)", g.now().Unix())
			return err
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// Handles returns how many handles there are, and how many bytes they and what was redeemed of them take.
func (g *Gateway) Handles(ctx context.Context) (count, bytes int64, err error) {
	err = g.db.View(ctx, func(tx store.Tx) error {
		var forms int64
		if err := tx.QueryRow("SELECT count(*), coalesce(sum(size), 0) FROM gateway_handles").Scan(&count, &bytes); err != nil {
			return err
		}
		err := tx.QueryRow("SELECT coalesce(sum(size), 0) FROM gateway_handle_forms").Scan(&forms)
		bytes += forms
		return err
	})
	return count, bytes, err
}
