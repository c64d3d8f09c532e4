package vault_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/vault"
)

// The vault's handles are what techniques take.
var (
	_ deidentify.Tokens = (*vault.Bulk)(nil)
	_ deidentify.MAC    = (*vault.MAC)(nil)
	_ deidentify.PRF    = (*vault.PRF)(nil)
)

func (h *house) bulk(t testing.TB, to flow.DomainID, l flow.Label, unit string) *vault.Bulk {
	t.Helper()
	b, err := h.Bulk(t.Context(), vault.BulkScope{Recipient: to, Group: "research", Class: class(l), Unit: unit})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mint(t testing.TB, b *vault.Bulk, value, subject string) string {
	t.Helper()
	token, err := b.Token(nil, []byte(value), []byte(subject))
	if err != nil {
		t.Fatalf("Token() error = %v", err)
	}
	return string(token)
}

func flush(t testing.TB, b *vault.Bulk) {
	t.Helper()
	if err := b.Flush(); err != nil {
		t.Fatalf("Flush() error = %v", err)
	}
}

// TestBulkTokens: derived and vaulted, with and without subject keys, before and after a restart one value has one token, and it opens.
func TestBulkTokens(t *testing.T) {
	for _, label := range []flow.Label{"person/contact/email", "government-id/ssn"} { // 34 and 29 bits
		for _, unit := range []string{"", "patients/id"} {
			h := open(t, vault.Options{DailyTokens: 3})
			b := h.bulk(t, "lab", label, unit)
			tokens := map[string]string{}
			for i := range 20 {
				value := fmt.Sprintf("value %d", i)
				tokens[value] = mint(t, b, value, fmt.Sprint(i%5))
			}
			flush(t, b)
			if err := h.db.Close(); err != nil {
				t.Fatal(err)
			}
			h.start(t)
			again := h.bulk(t, "lab", label, unit)
			seen := map[string]bool{}
			for i := range 20 {
				value := fmt.Sprintf("value %d", i)
				token := tokens[value]
				if seen[token] || !strings.HasPrefix(token, "stk1_") {
					t.Fatalf("%s: %s is no token of its own", label, token)
				}
				seen[token] = true
				if got := mint(t, again, value, fmt.Sprint(i%5)); got != token {
					t.Errorf("%s, unit %q: after a restart another token", label, unit)
				}
				o, err := h.Resolve(t.Context(), token)
				if err != nil || o.Value.Expose() != value || o.Recipient != "lab" || o.Label != label || o.Subject.Known() != (unit != "") {
					t.Errorf("%s, unit %q: Resolve() = %v, %v", label, unit, o, err)
				}
			}
			flush(t, again)
		}
	}
}

// TestTwoRecipientsJoinNothing: whatever technique makes the columns of two recipients, no two values are equal, and a recipient's own are.
func TestTwoRecipientsJoinNothing(t *testing.T) {
	h := open(t, vault.Options{})
	card := class("finance/card")
	techniques := func(to flow.DomainID) map[string]deidentify.Technique {
		cipher, err := h.keys.FF1(10, "card", "hospital", string(to), "research")
		if err != nil {
			t.Fatal(err)
		}
		format, err := deidentify.FormatPreserving(cipher, deidentify.FormatOptions{})
		if err != nil {
			t.Fatal(err)
		}
		mac, err := h.keys.MAC("card", "hospital", string(to), "research")
		if err != nil {
			t.Fatal(err)
		}
		oneWay, err := deidentify.OneWay(mac, deidentify.OneWayOptions{Class: card})
		if err != nil {
			t.Fatal(err)
		}
		return map[string]deidentify.Technique{
			"ff1": format, "one-way": oneWay, "token": deidentify.Token(h.bulk(t, to, "finance/card", "")),
			"token of low entropy": deidentify.Token(h.bulk(t, to, "government-id/ssn", "")), "token of a subject": deidentify.Token(h.bulk(t, to, "finance/card", "patients/id")),
		}
	}
	lab, again, insurer := techniques("lab"), techniques("lab"), techniques("insurer")
	for name := range lab {
		theirs := map[string]int{}
		for i := range 500 {
			card := []byte(fmt.Sprintf("4111%012d", i*7919))
			of := func(t deidentify.Technique) string {
				out, _, err := t.Apply(nil, deidentify.Value{Kind: deidentify.String, Text: card}, card[:8])
				if err != nil {
					return err.Error()
				}
				return string(out)
			}
			a := of(lab[name])
			if b := of(again[name]); a != b {
				t.Fatalf("%s: one value of one recipient is %s and %s", name, a, b)
			}
			theirs[a], theirs[of(insurer[name])] = theirs[a]+1, theirs[of(insurer[name])]+1
		}
		if len(theirs) != 1000 {
			t.Errorf("%s: 500 values of two recipients are %d different ones, so that some can be joined", name, len(theirs))
		}
	}
}

// TestDictionaryOnOneWay: whoever has the table and all possible values, but not the key, finds none.
func TestDictionaryOnOneWay(t *testing.T) {
	h, other := open(t, vault.Options{}), open(t, vault.Options{})
	code := func(h *house, to string, value string) string {
		m, err := h.keys.MAC("ssn", to)
		if err != nil {
			t.Fatal(err)
		}
		return string(m.MAC(nil, []byte(value)))
	}
	table := map[string]bool{}
	for i := range 2000 {
		table[code(h, "lab", fmt.Sprintf("%09d", i))] = true
	}
	if len(table) != 2000 || !table[code(h, "lab", "000000007")] {
		t.Fatal("the codes are not a function of the value")
	}
	for i := range 2000 {
		for _, guess := range []string{code(other, "lab", fmt.Sprintf("%09d", i)), code(h, "insurer", fmt.Sprintf("%09d", i))} {
			if table[guess] {
				t.Fatal("a dictionary made with another key finds a value")
			}
		}
	}
}

// TestBulkTokensDie with their subject, and with their epoch where they have none.
func TestBulkTokensDie(t *testing.T) {
	h := open(t, vault.Options{})
	b := h.bulk(t, "lab", "person/contact/email", "patients/id")
	janes, johns := mint(t, b, "jane@example.org", "1"), mint(t, b, "john@example.org", "2")
	flush(t, b)
	if err := h.Erase(t.Context(), h.Subject("patients/id", "1")); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Resolve(t.Context(), janes); !errors.Is(err, vault.ErrNoToken) {
		t.Errorf("the token of an erased subject: error = %v, want ErrNoToken", err)
	}
	if _, err := h.Resolve(t.Context(), johns); err != nil {
		t.Errorf("the token of another: error = %v", err)
	}
	if got := mint(t, h.bulk(t, "lab", "person/contact/email", "patients/id"), "jane@example.org", "1"); got == janes {
		t.Error("a token minted after the erasure is the old one")
	}
	whole := h.bulk(t, "lab", "person/contact/email", "")
	token := mint(t, whole, "jane@example.org", "")
	flush(t, whole)
	old := h.keys.Epoch()
	if err := errors.Join(h.keys.Rotate(t.Context()), h.Reseal(t.Context()), h.keys.Retire(t.Context(), old)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Resolve(t.Context(), token); !errors.Is(err, vault.ErrNoToken) {
		t.Errorf("the token of a retired epoch: error = %v, want ErrNoToken", err)
	}
}

// TestBulkErasedMeanwhile: a subject that is erased while its table is made takes the table with it; nothing is written anew.
func TestBulkErasedMeanwhile(t *testing.T) {
	h := open(t, vault.Options{})
	b := h.bulk(t, "lab", "person/contact/email", "patients/id")
	mint(t, b, "jane@example.org", "1")
	if err := h.Erase(t.Context(), h.Subject("patients/id", "1")); err != nil {
		t.Fatal(err)
	}
	if err := b.Flush(); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("Flush() error = %v, want ErrConflict", err)
	}
	if err := b.Flush(); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("Flush() again: error = %v, want ErrConflict", err)
	}
	if _, err := b.Token(nil, []byte("x"), nil); !errors.Is(err, vault.ErrScope) {
		t.Errorf("Token() without a subject: error = %v, want ErrScope", err)
	}
}

// TestBulkInMany: more subjects than wait to be written, from several goroutines.
func TestBulkInMany(t *testing.T) {
	h := open(t, vault.Options{})
	b := h.bulk(t, "lab", "person/contact/email", "patients/id")
	const subjects, workers = 6000, 4
	tokens := make([]string, subjects)
	var wait sync.WaitGroup
	errs := make(chan error, workers)
	for w := range workers {
		wait.Go(func() {
			for i := w; i < subjects; i += workers {
				token, err := b.Token(nil, fmt.Appendf(nil, "value %d", i), fmt.Append(nil, i))
				if err != nil {
					errs <- err
					return
				}
				tokens[i] = string(token)
			}
		})
	}
	wait.Wait()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
	flush(t, b)
	for i := 0; i < subjects; i += 37 {
		if o, err := h.Resolve(t.Context(), tokens[i]); err != nil || o.Value.Expose() != fmt.Sprintf("value %d", i) {
			t.Fatalf("token %d: %v, %v", i, o, err)
		}
	}
}

func BenchmarkBulk(b *testing.B) {
	h := open(b, vault.Options{})
	values := make([][]byte, 4096)
	for i := range values {
		values[i] = fmt.Appendf(nil, "jane.doe%d@example.org", i)
	}
	run := func(name string, apply func(dst, value []byte) ([]byte, error)) {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 512)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := apply(dst, values[i%len(values)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	whole := h.bulk(b, "lab", "person/contact/email", "")
	run("token", func(dst, value []byte) ([]byte, error) { return whole.Token(dst, value, nil) })
	subjects := h.bulk(b, "lab", "person/contact/email", "patients/id")
	run("token-of-256-subjects", func(dst, value []byte) ([]byte, error) { return subjects.Token(dst, value, value[8:10]) })
	low := h.bulk(b, "lab", "government-id/ssn", "")
	run("vaulted", func(dst, value []byte) ([]byte, error) { return low.Token(dst, value, nil) })
	mac, err := h.keys.MAC("email", "lab")
	if err != nil {
		b.Fatal(err)
	}
	oneWay, err := deidentify.OneWay(mac, deidentify.OneWayOptions{Class: class("person/contact/email")})
	if err != nil {
		b.Fatal(err)
	}
	run("one-way", func(dst, value []byte) ([]byte, error) {
		out, _, err := oneWay.Apply(dst, deidentify.Value{Kind: deidentify.String, Text: value}, nil)
		return out, err
	})
	cipher, err := h.keys.FF1(10, "card", "lab")
	if err != nil {
		b.Fatal(err)
	}
	format, err := deidentify.FormatPreserving(cipher, deidentify.FormatOptions{})
	if err != nil {
		b.Fatal(err)
	}
	card := deidentify.Value{Kind: deidentify.String, Text: []byte("4111-1111-1111-1111")}
	run("ff1", func(dst, _ []byte) ([]byte, error) {
		out, _, err := format.Apply(dst, card, nil)
		return out, err
	})
	prf, err := h.keys.PRF("visit", "lab")
	if err != nil {
		b.Fatal(err)
	}
	shift, err := deidentify.ShiftDate(prf, 180)
	if err != nil {
		b.Fatal(err)
	}
	date := deidentify.Value{Kind: deidentify.String, Text: []byte("1980-03-04")}
	run("shift-date", func(dst, value []byte) ([]byte, error) {
		out, _, err := shift.Apply(dst, date, value)
		return out, err
	})
}
