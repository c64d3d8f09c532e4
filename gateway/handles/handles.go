// Package handles is the door at which parts of messages that went by reference are redeemed over HTTP.
//
// A reference is "scrim:ref:" and 160 random bits in 32 characters; GET /handles/ and these characters gives the part, as policy lets
// this caller see it now. Everything is decided in package gateway; here are the words of HTTP: who calls, which piece is wanted
// (RFC 9110 section 14), and one answer for everybody who gets nothing.
package handles

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/identity"
)

// Header fields of a redemption.
const (
	HeaderFlow = gateway.HeaderRedeemID // of a request: the caller's own id of it; the same again takes no use
	HeaderNote = "Scrim-Note"           // of an answer: the privacy note, in JSON
)

// PartMedia is the media type of a whole part with what belongs to it, which a caller may ask for by Accept.
const PartMedia = gateway.PartMedia

// partTag tells the tag of a whole part from that of what it carries.
const partTag = "-part"

// Protocol names redemptions in the journal.
const Protocol = "handle/1"

// Handler serves [gateway.HandlePath].
type Handler struct {
	Gateway *gateway.Gateway
	Quantum time.Duration // answers to those who get nothing leave at a multiple of it after the request came; 0: 25 ms
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	ctx, s := gateway.WithHops(r.Context(), r.Header), h.Gateway.Snapshot()
	f := flow.Flow{ID: gateway.NewFlowID(), Protocol: Protocol, Method: "RedeemHandle", To: flow.Party{Domain: s.Domain}}
	caller, authority, err := h.Gateway.Identify(ctx, s, r)
	if err == nil {
		f.From = caller.Party
		if err = h.Gateway.Admit(ctx, s, caller.Party); err == nil {
			err = h.Gateway.Holds(ctx, s, authority, nil)
		}
	}
	if err != nil {
		h.deny(w, r, s, h.Gateway.Refused(ctx, s, f, err))
		return
	}
	out, err := h.Gateway.Redeem(ctx, &gateway.Redemption{
		Snapshot: s, Flow: f, Caller: caller, Authority: authority,
		ID:      strings.TrimPrefix(r.URL.EscapedPath(), gateway.HandlePath),
		Purpose: r.Header.Get(identity.HeaderPurpose), Criticality: r.Header.Get(identity.HeaderCriticality),
		Request: r.Header.Get(HeaderFlow), Have: tags(r.Header), Quantum: h.Quantum,
	})
	if err != nil {
		h.deny(w, r, s, err)
		return
	}
	give(w, r, out)
}

// tags are those of the form that a request wants more of, or is for nothing else than.
func tags(h http.Header) (all []string) {
	for _, name := range []string{"If-Range", "If-Match", "If-None-Match"} {
		for _, v := range h.Values(name) {
			for one := range strings.SplitSeq(v, ",") {
				one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
				if len(one) > 2 && len(all) < 16 && one[0] == '"' && one[len(one)-1] == '"' {
					all = append(all, strings.TrimSuffix(one[1:len(one)-1], partTag))
				}
			}
		}
	}
	return all
}

// give answers with the part, or with the piece of it that is asked for. Pieces are cut from what this redeemer may see.
func give(w http.ResponseWriter, r *http.Request, out *gateway.Redeemed) {
	head := w.Header()
	body := out.Body
	head.Set("Content-Type", out.Media)
	if wantsPart(r.Header) {
		body = out.Part
		head.Set("Content-Type", PartMedia)
	}
	head.Set("Cache-Control", "private, no-store")
	head.Set("Vary", "Authorization, Accept, Scrim-Capability")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Disposition", "attachment")
	head.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	head.Set("Expires", out.Expires.UTC().Format(http.TimeFormat))
	head.Set(HeaderNote, note(out.Note))
	if out.Tag == "" { // nothing of it is kept, so there are no pieces of it
		head.Set("Accept-Ranges", "none")
		head.Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
		return
	}
	tag := out.Tag
	if wantsPart(r.Header) {
		tag += partTag
	}
	head.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

func wantsPart(h http.Header) bool { return strings.TrimSpace(h.Get("Accept")) == PartMedia }

// maxNote is how long a note is in a header; a longer one is in the journal alone.
const maxNote = 4 << 10

// note is the note in the letters that a header may have.
func note(n flow.Note) string {
	raw, err := stdjson.Marshal(n)
	if err != nil || len(raw) > maxNote {
		raw, _ = stdjson.Marshal(flow.Note{Restricted: n.Restricted + len(n.Changes), Reference: n.Reference, Ask: n.Ask})
	}
	var b strings.Builder
	for _, c := range string(raw) {
		switch {
		case c >= ' ' && c <= '~':
			b.WriteRune(c)
		case c > 0xFFFF:
			c -= 0x10000
			writeEscape(&b, 0xD800+c>>10)
			writeEscape(&b, 0xDC00+c&0x3FF)
		default:
			writeEscape(&b, c)
		}
	}
	return b.String()
}

func writeEscape(b *strings.Builder, c rune) {
	const digits = "0123456789abcdef"
	b.WriteString(`\u`)
	for shift := 12; shift >= 0; shift -= 4 {
		b.WriteByte(digits[c>>shift&15])
	}
}

// deny answers somebody who gets nothing. Why a handle is not given is not told.
func (h *Handler) deny(w http.ResponseWriter, r *http.Request, s *gateway.Snapshot, err error) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	status, text := http.StatusNotFound, "There is no such handle for this caller."
	if refusal, ok := errors.AsType[*gateway.Refusal](err); ok {
		switch refusal.Rule {
		case gateway.RuleIdentity:
			status, text = http.StatusUnauthorized, refusal.Text()
			head.Set("WWW-Authenticate", gateway.Challenge(s, r))
		case gateway.RuleRate:
			status, text = http.StatusTooManyRequests, refusal.Text()
		case gateway.RuleBusy, gateway.RuleRecord, gateway.RuleInternal, gateway.RuleDrained:
			status, text = http.StatusServiceUnavailable, "The gateway cannot redeem handles at the moment; try again later."
		}
	}
	http.Error(w, text, status)
}
