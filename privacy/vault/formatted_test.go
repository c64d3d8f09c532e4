package vault_test

import (
	"errors"
	"fmt"
	"regexp"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
)

func (h *house) card() vault.Scope {
	s := h.email()
	s.Class, s.Param = class("finance/card"), flow.TokenFormat
	return s
}

// TestFormatStandIns: of the value's format, the same after a restart, another for another recipient, and opened for its recipient and label alone.
func TestFormatStandIns(t *testing.T) {
	h := open(t, vault.Options{})
	const value = "4111 1111 1111 1111"
	token := h.token(t, h.card(), value)
	if !regexp.MustCompile(`^\d{4} \d{4} \d{4} \d{4}$`).MatchString(token) || token == value {
		t.Fatalf("the stand-in is %s", token)
	}
	h.restart(t)
	if again := h.token(t, h.card(), value); again != token {
		t.Errorf("after a restart it is %s, was %s", again, token)
	}
	other := h.card()
	other.Recipient = "lab"
	if h.token(t, other, value) == token {
		t.Error("two recipients have one stand-in")
	}
	if o, err := h.ResolveFormat(t.Context(), "insurer", "finance/card", token); err != nil || o.Value.Expose() != value {
		t.Errorf("ResolveFormat() = %v, %v", o, err)
	}
	for _, c := range []struct {
		to   flow.DomainID
		l    flow.Label
		text string
	}{{"lab", "finance/card", token}, {"insurer", "finance/account", token}, {"insurer", "finance/card", value}, {"insurer", "finance/card", ""}} {
		if _, err := h.ResolveFormat(t.Context(), c.to, c.l, c.text); !errors.Is(err, vault.ErrNoToken) {
			t.Errorf("for %s as %s: error = %v, want ErrNoToken", c.to, c.l, err)
		}
	}
	if _, err := h.Resolve(t.Context(), token); !errors.Is(err, vault.ErrNoToken) {
		t.Errorf("Resolve() error = %v, want ErrNoToken", err)
	}
	found := h.card()
	found.Origin, found.Task = flow.Detected, "t"
	if text := h.token(t, found, value); text[0] != '[' {
		t.Errorf("a value found in text became %s, want a surrogate", text)
	}
	if err := h.Erase(t.Context(), h.card().Subject); err != nil {
		t.Fatal(err)
	}
	if _, err := h.ResolveFormat(t.Context(), "insurer", "finance/card", token); !errors.Is(err, vault.ErrNoToken) {
		t.Errorf("after the erasure: error = %v, want ErrNoToken", err)
	}
	if h.token(t, h.card(), value) == token {
		t.Error("after the erasure the stand-in is the old one")
	}
}

// TestFormatStandInsAreDistinct: many subjects, each with a key of its own, in a domain of a million: birthdays are certain, and none shares a stand-in.
func TestFormatStandInsAreDistinct(t *testing.T) {
	h := open(t, vault.Options{DailyTokens: 1 << 20})
	s := h.card()
	const values = 3000
	seen := map[string]int{}
	for range 2 { // a conflict within one batch takes another
		clear(seen)
		for i := 0; i < values; i += 500 {
			h.send(t, func(b *vault.Batch) {
				for j := i; j < i+500; j++ {
					s.Subject = h.Subject("patients/id", fmt.Sprint(j))
					text, err := b.Token(t.Context(), s, fmt.Sprintf("%06d", j))
					if err != nil {
						t.Fatal(err)
					}
					if old, ok := seen[text]; ok {
						t.Fatalf("values %d and %d have one stand-in", old, j)
					}
					seen[text] = j
				}
			})
		}
	}
	for text, i := range seen {
		if i%100 == 0 {
			if o, err := h.ResolveFormat(t.Context(), "insurer", "finance/card", text); err != nil || o.Value.Expose() != fmt.Sprintf("%06d", i) {
				t.Errorf("value %d opens as %v, %v", i, o, err)
			}
		}
	}
}

// TestShiftDays: one number of days for a subject and recipient, until the subject is erased.
func TestShiftDays(t *testing.T) {
	h := open(t, vault.Options{})
	days := func(to flow.DomainID, subject string) (n int) {
		h.send(t, func(b *vault.Batch) {
			var err error
			if n, err = b.ShiftDays(t.Context(), to, h.Subject("patients/id", subject), 3000); err != nil || n == 0 || n < -3000 || n > 3000 {
				t.Fatalf("ShiftDays() = %d, %v", n, err)
			}
		})
		return n
	}
	all := func() [8]int {
		return [8]int{days("lab", "1"), days("lab", "2"), days("lab", "3"), days("lab", "4"), days("insurer", "1"), days("insurer", "2"), days("insurer", "3"), days("insurer", "4")}
	}
	before := all()
	h.restart(t)
	if after := all(); after != before {
		t.Errorf("after a restart %v, before %v", after, before)
	}
	if before[0] == before[4] && before[1] == before[5] || before[0] == before[1] && before[1] == before[2] {
		t.Errorf("recipients or subjects share their days: %v", before)
	}
	for s := range 4 {
		if err := h.Erase(t.Context(), h.Subject("patients/id", fmt.Sprint(s+1))); err != nil {
			t.Fatal(err)
		}
	}
	if after := all(); after == before {
		t.Error("after the erasure the days are the old ones")
	}
	b := h.Begin()
	defer b.Discard()
	if _, err := b.ShiftDays(t.Context(), "lab", flow.SubjectRef{}, 30); !errors.Is(err, vault.ErrScope) {
		t.Errorf("an unknown subject: error = %v, want ErrScope", err)
	}
}
