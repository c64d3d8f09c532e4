package vault_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

const jane = "jane.doe@example.org"

func TestTokenOpensToWhatItWasMintedFor(t *testing.T) {
	h := open(t, vault.Options{})
	for name, edit := range map[string]func(s *vault.Scope){
		"known subject":       func(*vault.Scope) {},
		"unknown subject":     func(s *vault.Scope) { s.Subject = flow.SubjectRef{} },
		"few bits":            func(s *vault.Scope) { s.Class = class("government-id/ssn") },
		"few bits, unknown":   func(s *vault.Scope) { s.Class, s.Subject = class("government-id/ssn"), flow.SubjectRef{} },
		"another group":       func(s *vault.Scope) { s.Group = "research" },
		"no group":            func(s *vault.Scope) { s.Group = "" },
		"a secret, high bits": func(s *vault.Scope) { s.Class = class("technical/device-id") },
	} {
		for _, value := range []string{jane, "", "x", strings.Repeat("long ", 50), strings.Repeat("y", 255), strings.Repeat("z", 256), strings.Repeat("w", 60_000), "ends in \x80", "zero\x00", "\xff\xfe"} {
			s := h.email()
			edit(&s)
			token := h.token(t, s, value)
			if again := h.token(t, s, value); again != token {
				t.Errorf("%s: a second token for the same value differs", name)
			}
			got, err := h.Resolve(t.Context(), token)
			if err != nil {
				t.Fatalf("%s, %d bytes: Resolve() error = %v", name, len(value), err)
			}
			if !got.Value.Equal(value) || got.Label != s.Class.Label || got.Recipient != s.Recipient || got.Group != s.Group || got.Subject != s.Subject || got.Epoch != h.keys.Epoch() {
				t.Errorf("%s, %d bytes: Resolve() = %+v, want what was put in", name, len(value), got)
			}
			if spans := vault.FindTokens("see " + token + "."); len(spans) != 1 || spans[0].Text != token || !spans[0].Token {
				t.Errorf("%s: FindTokens() = %v, want the token", name, spans)
			}
		}
	}
}

func TestTokensSurviveRestartAndRotation(t *testing.T) {
	h := open(t, vault.Options{})
	scopes := []vault.Scope{h.email(), h.email(), h.email()}
	scopes[1].Subject = flow.SubjectRef{}
	scopes[2].Class = class("government-id/ssn")
	var first []string
	for _, s := range scopes {
		first = append(first, h.token(t, s, jane))
	}
	h.restart(t)
	for i, s := range scopes {
		if again := h.token(t, s, jane); again != first[i] {
			t.Errorf("scope %d: token changed over a restart", i)
		}
	}
	if err := h.keys.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, s := range scopes {
		if again := h.token(t, s, jane); again == first[i] {
			t.Errorf("scope %d: token did not change with the epoch", i)
		}
	}
	h.restart(t)
	for i, token := range first {
		if got, err := h.Resolve(t.Context(), token); err != nil || !got.Value.Equal(jane) {
			t.Errorf("scope %d: Resolve() of an earlier epoch's token: %v", i, err)
		}
	}
	// Retiring the epoch takes the token of the unknown subject alone, once keys are sealed anew.
	old := h.keys.Epochs()
	old = deleteString(old, h.keys.Epoch())
	if err := h.Reseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.keys.Retire(t.Context(), old[0]); err != nil {
		t.Fatal(err)
	}
	handles := h.rows(t, "vault_handles")
	if err := h.Sweep(t.Context(), h.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := h.rows(t, "vault_handles"); n != handles-1 {
		t.Errorf("Sweep left %d of %d handles, want all but the one that died with its epoch", n, handles)
	}
	for i, token := range first {
		_, err := h.Resolve(t.Context(), token)
		if want := error(nil); i == 1 && !errors.Is(err, vault.ErrNoToken) || i != 1 && err != want {
			t.Errorf("scope %d: after its epoch was retired Resolve() error = %v", i, err)
		}
	}
}

func deleteString(all []string, s string) []string {
	var out []string
	for _, x := range all {
		if x != s {
			out = append(out, x)
		}
	}
	return out
}

func TestOneWayTokenJoinsAndNeverOpens(t *testing.T) {
	h := open(t, vault.Options{})
	for _, c := range []flow.Label{"person/contact/email", "government-id/ssn"} {
		s := h.email()
		s.Class, s.Param = class(c), flow.TokenOneWay
		token := h.token(t, s, "Jane.Doe@Example.org ")
		if again := h.token(t, s, jane); again != token {
			t.Errorf("%s: one-way tokens of two writings of one value differ", c)
		}
		if other := h.token(t, s, "john@example.org"); other == token {
			t.Errorf("%s: two values have one token", c)
		}
		if _, err := h.Resolve(t.Context(), token); !errors.Is(err, vault.ErrNoToken) {
			t.Errorf("%s: Resolve() error = %v, want ErrNoToken", c, err)
		}
	}
}

// TestForgedTokensAllLookAlike: altered, foreign, malformed and erased tokens get one and the same answer.
func TestForgedTokensAllLookAlike(t *testing.T) {
	h, other := open(t, vault.Options{}), open(t, vault.Options{})
	token := h.token(t, h.email(), jane)
	low := h.email()
	low.Class = class("government-id/ssn")
	vaulted := h.token(t, low, "078-05-1120")
	forged := []string{"", "stk1_", "stk2_" + token[5:], token + "A", token[:len(token)-1], "[person 3]", strings.ToUpper(token), other.token(t, other.email(), jane), "stk1_" + strings.Repeat("A", 64)}
	for _, good := range []string{token, vaulted} {
		payload, err := base64.RawURLEncoding.DecodeString(good[5:])
		if err != nil {
			t.Fatal(err)
		}
		for bit := range len(payload) * 8 {
			p := bytes.Clone(payload)
			p[bit/8] ^= 1 << (bit % 8)
			forged = append(forged, "stk1_"+base64.RawURLEncoding.EncodeToString(p))
		}
	}
	for _, f := range forged {
		got, err := h.Resolve(t.Context(), f)
		if err != vault.ErrNoToken || got != (vault.Opened{}) {
			t.Fatalf("Resolve() of a forged token = %v, %v, want nothing but ErrNoToken itself", got, err)
		}
	}
}

// TestTokensOfTwoDomainsShareNothing compares tokens of every kind that differ in one part of the scope. Shared bits of random payloads of 384 bits
// are binomial(384, ½); outside 192±70 (7.1 σ) is a false alarm once in 10¹² comparisons.
func TestTokensOfTwoDomainsShareNothing(t *testing.T) {
	h := open(t, vault.Options{DailyTokens: 1 << 20})
	kinds := map[string]func(s *vault.Scope){
		"reversible":      func(*vault.Scope) {},
		"oneway":          func(s *vault.Scope) { s.Param = flow.TokenOneWay },
		"vaulted":         func(s *vault.Scope) { s.Class.Bits = 20 },
		"vaulted, oneway": func(s *vault.Scope) { s.Class.Bits, s.Param = 20, flow.TokenOneWay },
	}
	variants := map[string]func(s *vault.Scope){
		"recipient":  func(s *vault.Scope) { s.Recipient = "lab" },
		"group":      func(s *vault.Scope) { s.Group = "research" },
		"label":      func(s *vault.Scope) { s.Class.Label = "technical/device-id" },
		"subject":    func(s *vault.Scope) { s.Subject = h.Subject("patients/id", "2") },
		"no subject": func(s *vault.Scope) { s.Subject = flow.SubjectRef{} },
		"value":      nil,
	}
	for kind, edit := range kinds {
		base := h.email()
		edit(&base)
		for other, edit := range kinds {
			if s := h.email(); kind != other && strings.TrimPrefix(kind, "vaulted, ") != strings.TrimPrefix(other, "vaulted, ") {
				edit(&s)
				compare(t, h, kind+" and "+other, base, s, "org")
			}
		}
		for name, edit := range variants {
			s, ending := base, "org"
			if edit == nil {
				ending = "com"
			} else {
				edit(&s)
			}
			compare(t, h, kind+", "+name, base, s, ending)
		}
	}
}

// compare mints tokens of many values in two scopes and looks for what they share.
func compare(t *testing.T, h *house, name string, one, two vault.Scope, ending string) {
	t.Helper()
	b := h.Begin()
	defer b.Discard()
	shared, n := 0, 150
	for i := range n {
		x := payload(t, b, one, fmt.Sprintf("user%04d@x.org", i))
		y := payload(t, b, two, fmt.Sprintf("user%04d@x.%s", i, ending))
		if len(x) != len(y) {
			t.Fatalf("%s: payloads have %d and %d bytes", name, len(x), len(y))
		}
		same := 0
		for j := range x {
			same += 8 - bits.OnesCount8(x[j]^y[j])
			if j >= 4 && bytes.Equal(x[j-4:j+1], y[j-4:j+1]) { // 44 places × 5,000 comparisons × 2⁻⁴⁰: once in five million runs
				t.Fatalf("%s: tokens share five bytes in one place", name)
			}
		}
		if same < 192-70 || same > 192+70 {
			t.Fatalf("%s: tokens share %d of 384 bits", name, same)
		}
		shared += same
	}
	// The mean of 150 has σ = 0.8; 7 σ.
	if mean := float64(shared) / float64(n); mean < 192-5.6 || mean > 192+5.6 {
		t.Errorf("%s: tokens share %.2f of 384 bits on average", name, mean)
	}
}

func payload(t *testing.T, b *vault.Batch, s vault.Scope, value string) []byte {
	t.Helper()
	token, err := b.Token(t.Context(), s, value)
	if err != nil {
		t.Fatal(err)
	}
	p, err := base64.RawURLEncoding.DecodeString(token[len("stk1_"):])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestDictionaryAttackLearnsNothing: a recipient sends guesses and looks for tokens it holds in what it gets back.
func TestDictionaryAttackLearnsNothing(t *testing.T) {
	h := open(t, vault.Options{})
	for _, l := range []flow.Label{"person/contact/email", "government-id/ssn"} {
		s := h.email()
		s.Class = class(l)
		held := map[string]bool{}
		var guesses []string
		for i := range 50 {
			value := fmt.Sprintf("%03d-05-%04d", i, i)
			guesses = append(guesses, value)
			held[h.token(t, s, value)] = true
			s.Param = flow.TokenOneWay
			held[h.token(t, s, value)] = true
			s.Param = flow.TokenReversible
		}
		for _, origin := range []flow.Origin{flow.Supplied, flow.Detected, 77} {
			for i, guess := range guesses {
				s := s
				s.Origin, s.Supplier = origin, "attacker"
				if _, err := func() (string, error) {
					b := h.Begin()
					defer b.Discard()
					return b.Token(t.Context(), s, guess)
				}(); !errors.Is(err, vault.ErrScope) {
					t.Fatalf("without a task Token() error = %v, want ErrScope", err)
				}
				s.Task = flow.TaskID(fmt.Sprintf("task %d", i))
				answer := h.token(t, s, guess)
				if held[answer] || strings.HasPrefix(answer, "stk") {
					t.Fatalf("origin %v: a guess was answered with a token", origin)
				}
				s.Task += " again"
				if again := h.token(t, s, guess); again == answer && i > 5 {
					// four characters collide once in 30,976; not for each of many
					t.Logf("surrogates of two tasks are equal by chance")
				}
			}
		}
	}
	// A forgotten origin is the strict one, and so is a forgotten parameter.
	s := h.email()
	s.Origin, s.Task = 0, "t"
	if got := h.token(t, s, jane); !strings.HasPrefix(got, "[email ") {
		t.Errorf("without an origin Token() = %q, want a surrogate", got)
	}
	s = h.email()
	s.Param, s.Task = "", "t"
	if got := h.token(t, s, jane); !strings.HasPrefix(got, "[email ") {
		t.Errorf("without a parameter Token() = %q, want a surrogate", got)
	}
}

func TestErasedSubjectsTokensStopResolving(t *testing.T) {
	h := open(t, vault.Options{})
	low := h.email()
	low.Class = class("government-id/ssn")
	oneway := h.email()
	oneway.Param = flow.TokenOneWay
	bob := h.email()
	bob.Subject = h.Subject("patients/id", "2")
	scopes := []vault.Scope{h.email(), low, oneway}
	var before []string
	for _, s := range scopes {
		before = append(before, h.token(t, s, jane))
	}
	bobs := h.token(t, bob, "bob@example.org")
	if err := h.Erase(t.Context(), scopes[0].Subject); err != nil {
		t.Fatal(err)
	}
	if n := h.rows(t, "vault_subjects") + h.rows(t, "vault_handles") + h.rows(t, "vault_values"); n != 2 {
		t.Errorf("%d rows are left, want Bob's key and handle", n)
	}
	for round := range 2 {
		for i, token := range before {
			if _, err := h.Resolve(t.Context(), token); err != vault.ErrNoToken {
				t.Errorf("round %d: Resolve() of an erased token: error = %v, want ErrNoToken", round, err)
			}
			if again := h.token(t, scopes[i], jane); again == token {
				t.Errorf("round %d: scope %d: the token came back after its subject was erased", round, i)
			}
		}
		if got, err := h.Resolve(t.Context(), bobs); err != nil || !got.Value.Equal("bob@example.org") {
			t.Errorf("round %d: somebody else's token: %v", round, err)
		}
		h.restart(t)
	}
	if err := h.Erase(t.Context(), flow.SubjectRef{}); !errors.Is(err, vault.ErrScope) {
		t.Errorf("Erase(unknown) error = %v, want ErrScope", err)
	}
}

// TestErasureIsNotUndoneByMessagesUnderWay: messages that began before an erasure and end after it fail, and keep nothing of the old key.
func TestErasureIsNotUndoneByMessagesUnderWay(t *testing.T) {
	h := open(t, vault.Options{})
	s := h.email()
	late, other := h.Begin(), h.Begin()
	lateToken, err := late.Token(t.Context(), s, jane) // draws the key
	if err != nil {
		t.Fatal(err)
	}
	bob := s
	bob.Subject = h.Subject("patients/id", "2")
	if _, err := other.Token(t.Context(), bob, "bob"); err != nil {
		t.Fatal(err)
	}
	token := h.token(t, s, jane) // makes the same key durable
	if token != lateToken {
		t.Fatal("two messages at once have two tokens for one value")
	}
	if err := h.Erase(t.Context(), s.Subject); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*vault.Batch{"of the subject": late, "of another new subject": other} {
		if err := h.commit(t.Context(), b); !errors.Is(err, vault.ErrConflict) {
			t.Errorf("message %s: Flush() error = %v, want ErrConflict", name, err)
		}
		b.Discard()
	}
	if again := h.token(t, s, jane); again == token {
		t.Error("the erased key is in use again")
	}
	h.token(t, bob, "bob")
	if _, err := h.Resolve(t.Context(), token); err != vault.ErrNoToken {
		t.Errorf("Resolve() error = %v, want ErrNoToken", err)
	}
}

func TestDailyCap(t *testing.T) {
	h := open(t, vault.Options{DailyTokens: 3})
	s := h.email()
	for i := range 3 {
		h.token(t, s, fmt.Sprint("value ", i))
	}
	refused := func(s vault.Scope, value string) error {
		b := h.Begin()
		defer b.Discard()
		_, err := b.Token(t.Context(), s, value)
		return err
	}
	check := func(when string) {
		t.Helper()
		if err := refused(s, "value 3"); !errors.Is(err, vault.ErrTokenCap) {
			t.Errorf("%s: a fourth value: error = %v, want ErrTokenCap", when, err)
		} else if strings.Contains(err.Error(), "value 3") {
			t.Errorf("%s: the error holds the value", when)
		}
		if err := refused(s, "value 1"); err != nil {
			t.Errorf("%s: a value seen before: error = %v, want none", when, err)
		}
		groups := s
		groups.Group = "research"
		if err := refused(groups, "value 1"); !errors.Is(err, vault.ErrTokenCap) {
			t.Errorf("%s: the same value in another group: error = %v, want ErrTokenCap", when, err)
		}
		lab := s
		lab.Recipient = "lab"
		if err := refused(lab, "value 3"); err != nil {
			t.Errorf("%s: another recipient: error = %v, want none", when, err)
		}
	}
	check("at once")
	h.restart(t)
	check("after a restart")
	h.clock.Add(24 * time.Hour)
	if err := refused(s, "value 3"); err != nil {
		t.Errorf("next day: error = %v, want none", err)
	}
}

func TestNothingOfAFailedMessageIsKept(t *testing.T) {
	h := open(t, vault.Options{})
	s := h.email()
	b := h.Begin()
	token, err := b.Token(t.Context(), s, jane)
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("journal is full")
	err = h.db.Update(t.Context(), func(tx store.Tx) error {
		if err := b.Flush(tx); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	b.Discard()
	if _, err := h.Resolve(t.Context(), token); err != vault.ErrNoToken {
		t.Errorf("Resolve() of a token that was never recorded: error = %v, want ErrNoToken", err)
	}
	// The next message writes what it uses, whoever drew it.
	if got := h.token(t, s, jane); got != token {
		t.Error("the value has another token within one process")
	}
	h.restart(t)
	if got, err := h.Resolve(t.Context(), token); err != nil || !got.Value.Equal(jane) {
		t.Errorf("after a restart Resolve() error = %v", err)
	}
	if _, err := b.Token(t.Context(), s, jane); !errors.Is(err, vault.ErrDone) {
		t.Errorf("Token() of a discarded batch: error = %v, want ErrDone", err)
	}
}

// TestKeepWithoutFlushKeepsNothing: what was used after the flush is written by the next message.
func TestKeepWithoutFlushKeepsNothing(t *testing.T) {
	h := open(t, vault.Options{})
	low := h.email()
	low.Class = class("government-id/ssn")
	b := h.Begin()
	if _, err := b.Token(t.Context(), h.email(), jane); err != nil {
		t.Fatal(err)
	}
	if err := h.commit(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	token, err := b.Token(t.Context(), low, jane)
	if err != nil {
		t.Fatal(err)
	}
	bob := h.email()
	bob.Subject = h.Subject("patients/id", "2")
	bobs, err := b.Token(t.Context(), bob, "bob")
	if err != nil {
		t.Fatal(err)
	}
	name, err := mustTask(t, b, "t").Surrogate("insurer", class("person/name"), "Jane Doe", "clerk")
	if err != nil {
		t.Fatal(err)
	}
	b.Keep()
	if h.token(t, low, jane) != token || h.token(t, bob, "bob") != bobs {
		t.Error("a value has another token within one process")
	}
	if got := h.surrogate(t, "t", "insurer", "person/name", "Jane Doe"); got != name {
		t.Error("the name has another surrogate within one process")
	}
	h.restart(t)
	for _, token := range []string{token, bobs} {
		if _, err := h.Resolve(t.Context(), token); err != nil {
			t.Errorf("Resolve() error = %v", err)
		}
	}
	if got := h.surrogate(t, "t", "insurer", "person/name", "Jane Doe"); got != name {
		t.Error("the name has another surrogate after a restart")
	}
}
