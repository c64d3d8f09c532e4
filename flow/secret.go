package flow

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Secret is text that does not print. Every formatting verb, JSON and slog show [secret]; it is read by
// [Secret.Expose], a name that shows up in review. Compare secrets by [Secret.Equal]: == tells copies apart from equals.
type Secret struct {
	// A pointer, because package fmt calls no methods for %p, %w and unexported fields: it then prints an address.
	text *string
}

// NewSecret wraps the text.
func NewSecret(text string) Secret { return Secret{&text} }

// Expose returns the text. The caller must not let it reach a log, an error or another flow.
func (s Secret) Expose() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether there is no text.
func (s Secret) IsZero() bool { return s.Expose() == "" }

// Equal compares in constant time, whatever the lengths.
func (s Secret) Equal(other string) bool {
	a, b := sha256.Sum256([]byte(s.Expose())), sha256.Sum256([]byte(other))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

const hidden = "[secret]"

// Format implements [fmt.Formatter].
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalText implements [encoding.TextMarshaler], so that no encoder shows the text.
func (Secret) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Secret) UnmarshalText(b []byte) error { *s = NewSecret(string(b)); return nil }
