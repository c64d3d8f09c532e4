package detect

import (
	"strings"
	"testing"
)

func TestCards(t *testing.T) {
	e := engine(t)
	for _, c := range []struct{ text, want string }{
		{"pay with 2200 0000 0000 0004 now", "card 2200 0000 0000 0004"},
		{"6759 6498 2643 8453", "card 6759 6498 2643 8453"},
		{"3056 930902 5904", "card 3056 930902 5904"},
		{"maestro 500000000009", "card 500000000009"},
		{"card: 180000000000002", "card 180000000000002"},
		{"my credit card was stolen on the train, it is the one with 500000000009", "card 500000000009"},
		{"4111 - 1111 - 1111 - 1111", "card 4111 - 1111 - 1111 - 1111"},
		{"diners 30569309025904", "card 30569309025904"},
		{"500000000009", ""},
		{"order 4111111111111111", ""},
		{"the discarded 500000000009", ""},
		{"card 500000000008", ""},
		{"card 0000000000000000", ""},
	} {
		if got := strings.Join(spans(t, e, c.text, nil), "|"); got != c.want {
			t.Errorf("Find(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}
