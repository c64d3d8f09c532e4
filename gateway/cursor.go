package gateway

import (
	"encoding/base64"
)

const maxCursor = 64 << 10

// SealCursor makes a cursor that tells its holder nothing. It opens only with the same words beside it, which say whose
// it is and of what.
func (g *Gateway) SealCursor(plain, of []byte) (string, error) {
	sealed, err := g.keys.AEAD("cursors").Seal(plain, of)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// OpenCursor returns what was sealed. Every cursor that does not open gives the same error.
func (g *Gateway) OpenCursor(cursor string, of []byte) ([]byte, error) {
	refused := refuse(RulePlace, "/params/cursor", nil, "The cursor is not one of this list for this caller.")
	if len(cursor) > maxCursor {
		return nil, refused
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, refused
	}
	plain, err := g.keys.AEAD("cursors").Open(sealed, of)
	if err != nil {
		return nil, refused
	}
	return plain, nil
}
