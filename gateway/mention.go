package gateway

import (
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
)

// Mention is an identifier as a message's sender writes it and as its recipient does. Programs repeat identifiers in their
// words, in errors above all: where one stands whole in a text that passes, it is mapped there, too.
type Mention struct{ From, To string }

const (
	maxMentions = 64 // of one message
	minMention  = 16 // characters, of an id that has no form of its own
)

// telling reports whether an identifier is so unlike a word that where it stands in a text, it is meant.
func telling(id string) bool {
	var b [16]byte
	return parseUUID(id, &b) || parseHex(id, &b) || parseSealed(id) != nil ||
		len(id) >= minMention && strings.ContainsAny(id, "0123456789")
}

// Reversed are the mentions of the way back.
func Reversed(all []Mention) []Mention {
	out := make([]Mention, len(all))
	for i, m := range all {
		out[i] = Mention{From: m.To, To: m.From}
	}
	return out
}

func (c *collector) mention(from, to string) {
	if m := (Mention{from, to}); len(c.said) < maxMentions && telling(from) && !slices.Contains(c.said, m) {
		c.said = append(c.said, m)
	}
}

// mentioned adds the identifiers that a text repeats to the spans of it that are replaced, where none of them is yet.
func (c *changer) mentioned(text string, spans []json.Span) []json.Span {
	if !c.cross.crosses() || c.m.Again {
		return spans
	}
	taken, more := len(spans), []json.Span(nil)
	for _, all := range [2][]Mention{c.said, c.m.Mentions} {
		for _, m := range all {
			for at := 0; ; {
				i := strings.Index(text[at:], m.From)
				if i < 0 {
					break
				}
				span := json.Span{Start: at + i, End: at + i + len(m.From), Text: m.To}
				at = span.End
				if span.Start > 0 && inID(text[span.Start-1]) || span.End < len(text) && inID(text[span.End]) {
					continue // part of something else
				}
				if n, _ := slices.BinarySearchFunc(spans[:taken], span, byStart); n > 0 && spans[n-1].End > span.Start || n < taken && spans[n].Start < span.End {
					continue
				}
				more = append(more, span)
			}
		}
	}
	if len(more) == 0 {
		return spans
	}
	slices.SortStableFunc(more, byStart) // of two that overlap, what was said here comes first
	for i, end := 0, 0; i < len(more); i++ {
		if more[i].Start >= end {
			spans, end = append(spans, more[i]), more[i].End
		}
	}
	slices.SortFunc(spans, byStart)
	return spans
}

func byStart(a, b json.Span) int { return a.Start - b.Start }

// inID reports whether a character next to an identifier would be part of it.
func inID(c byte) bool {
	return c == '-' || c == '_' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
