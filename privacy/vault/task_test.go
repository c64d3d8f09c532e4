package vault_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

func TestSurrogateStandsForOneValueInOneTask(t *testing.T) {
	h := open(t, vault.Options{})
	first := h.surrogate(t, "t1", "insurer", "person/name", "Jane Doe")
	if !regexp.MustCompile(`^\[person [1-9][0-9]?\]$`).MatchString(first) {
		t.Errorf("surrogate of a name = %q", first)
	}
	if mail := h.surrogate(t, "t1", "insurer", "person/contact/email", jane); !regexp.MustCompile(`^\[email ([a-z][2-9]){2}\]$`).MatchString(mail) {
		t.Errorf("surrogate of an e-mail address = %q", mail)
	}
	for _, same := range []string{"Jane Doe", "jane doe", " JANE  DOE ", "Jane\u00a0Doe"} {
		for _, l := range []flow.Label{"person/name", "person/name/given"} {
			if got := h.surrogate(t, "t1", "insurer", l, same); got != first {
				t.Errorf("%q as %s = %s, want %s", same, l, got, first)
			}
		}
	}
	phone := h.surrogate(t, "t1", "insurer", "person/contact/phone", "+1 (617) 555-0100")
	if got := h.surrogate(t, "t1", "insurer", "person/contact/phone", "+16175550100"); got != phone {
		t.Error("two writings of a telephone number have two surrogates")
	}
	if got := h.surrogate(t, "t1", "insurer", "person/name", "John Doe"); got == first {
		t.Error("two names have one surrogate")
	}
	h.restart(t)
	if got := h.surrogate(t, "t1", "insurer", "person/name", "Jane Doe"); got != first {
		t.Errorf("after a restart = %s, want %s", got, first)
	}
	h.send(t, func(b *vault.Batch) {
		task := mustTask(t, b, "t1")
		for _, text := range []string{first, strings.ToUpper(first)} {
			got, ok := task.Original("insurer", text)
			if !ok || !got.Value.Equal("Jane Doe") || got.Label != "person/name" || got.Supplier != "clerk" {
				t.Errorf("Original(%s) = %+v, %v", text, got, ok)
			}
		}
		if _, ok := task.Original("lab", first); ok {
			t.Error("another domain opens the surrogate")
		}
		if _, ok := mustTask(t, b, "t2").Original("insurer", first); ok {
			t.Error("another task opens the surrogate")
		}
	})
}

// TestSurrogatesOfTwoDomainsDoNotLineUp: with 20 names each of 60 numbers or so, 20 equal ones would be order, not chance (1 in 10³⁰).
func TestSurrogatesOfTwoDomainsDoNotLineUp(t *testing.T) {
	h := open(t, vault.Options{})
	same, ordered := 0, true
	last := ""
	for i := range 20 {
		name := fmt.Sprintf("Person Number%c", 'A'+i)
		a := h.surrogate(t, "t", "insurer", "person/name", name)
		if a == h.surrogate(t, "t", "lab", "person/name", name) {
			same++
		}
		if len(a) < len(last) || len(a) == len(last) && a < last {
			ordered = false
		}
		last = a
	}
	if same > 10 {
		t.Errorf("%d of 20 names have one number for two domains", same)
	}
	if ordered {
		t.Error("numbers are in the order of first mention")
	}
}

func TestKnownValues(t *testing.T) {
	h := open(t, vault.Options{})
	var version uint64
	h.send(t, func(b *vault.Batch) {
		task := mustTask(t, b, "t")
		before := task.Version()
		for range 2 {
			if err := task.Remember("Jane Doe", "person/name", "clerk"); err != nil {
				t.Fatal(err)
			}
		}
		if version = task.Version(); version == before {
			t.Error("Version() did not change with Known()")
		}
		if got := task.Known(); len(got) != 1 || got[0] != (vault.KnownValue{Text: "Jane Doe", Label: "person/name"}) {
			t.Errorf("Known() = %v", got)
		}
	})
	h.restart(t)
	h.send(t, func(b *vault.Batch) {
		task := mustTask(t, b, "t")
		if got := task.Known(); len(got) != 1 || got[0].Text != "Jane Doe" {
			t.Errorf("after a restart Known() = %v", got)
		}
		if other := mustTask(t, b, "other"); len(other.Known()) != 0 || other.Version() == task.Version() {
			t.Error("another task knows the value, or has the same version")
		}
	})
	if _, err := h.Begin().Task(t.Context(), vault.TaskKey{}); !errors.Is(err, vault.ErrScope) {
		t.Errorf("Task without an id: error = %v, want ErrScope", err)
	}
}

func TestTaskIsBounded(t *testing.T) {
	h := open(t, vault.Options{TaskValues: 3})
	for i := range 2 {
		h.surrogate(t, "t", "insurer", "person/name", fmt.Sprint("Name ", 'A'+i))
	}
	h.send(t, func(b *vault.Batch) {
		task := mustTask(t, b, "t")
		if err := task.Remember("known", "person/name", ""); err != nil {
			t.Fatal(err)
		}
		if err := task.Remember("one too many", "person/name", ""); !errors.Is(err, vault.ErrTaskFull) {
			t.Errorf("Remember() error = %v, want ErrTaskFull", err)
		}
		if _, err := task.Surrogate("insurer", class("person/name"), "one too many", ""); !errors.Is(err, vault.ErrTaskFull) {
			t.Errorf("Surrogate() error = %v, want ErrTaskFull", err)
		}
		if _, err := task.Surrogate("insurer", class("person/name"), strings.Repeat("x", 1<<17), ""); !errors.Is(err, vault.ErrTooLong) {
			t.Errorf("Surrogate() of 128 KiB: error = %v, want ErrTooLong", err)
		}
	})
	big := open(t, vault.Options{})
	b := big.Begin()
	defer b.Discard()
	var err error
	for i := 0; err == nil && i < 100; i++ {
		err = mustTask(t, b, "t").Remember(fmt.Sprintf("%d%s", i, strings.Repeat("x", 60<<10)), "text", "")
	}
	if !errors.Is(err, vault.ErrTaskFull) {
		t.Errorf("after 6 MB of values: error = %v, want ErrTaskFull", err)
	}
}

func TestManySurrogatesAreDistinctAndFindable(t *testing.T) {
	h := open(t, vault.Options{TaskValues: 20_000})
	b := h.Begin()
	defer b.Discard()
	seen := map[string]bool{}
	for i := range 9_000 {
		for _, l := range []flow.Label{"person/name", "person/contact/email"} {
			text := mustSurrogate(t, b, "t", "insurer", l, fmt.Sprintf("v%d", i))
			if seen[text] {
				t.Fatalf("%s was given twice", text)
			}
			seen[text] = true
			if got := vault.FindTokens(text); len(got) != 1 || got[0].End != len(text) {
				t.Fatalf("FindTokens(%s) = %v", text, got)
			}
		}
	}
}

func TestTaskExpires(t *testing.T) {
	h := open(t, vault.Options{TaskLife: time.Hour})
	first := h.surrogate(t, "t", "insurer", "person/contact/email", jane)
	h.clock.Add(50 * time.Minute)
	if got := h.surrogate(t, "t", "insurer", "person/contact/email", jane); got != first {
		t.Fatal("the surrogate changed within the task's life")
	}
	h.clock.Add(50 * time.Minute) // use prolonged it
	h.restart(t)
	if err := h.Sweep(t.Context(), h.clock.Now()); err != nil {
		t.Fatal(err)
	}
	known := func() bool {
		b := h.Begin()
		defer b.Discard()
		_, ok := mustTask(t, b, "t").Original("insurer", first)
		return ok
	}
	if !known() {
		t.Error("a task in use was swept")
	}
	h.clock.Add(time.Hour)
	if known() {
		t.Error("an expired task is known before it is swept")
	}
	for _, table := range []string{"vault_surrogates", "vault_known"} {
		if n := h.rows(t, table); n != 0 {
			t.Errorf("%s has %d rows of an expired task", table, n)
		}
	}
	h.surrogate(t, "t2", "insurer", "person/name", "Jane Doe")
	h.clock.Add(2 * time.Hour)
	if err := h.Sweep(t.Context(), h.clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := h.rows(t, "vault_tasks") + h.rows(t, "vault_surrogates"); n != 0 {
		t.Errorf("%d rows are left after Sweep", n)
	}
}

func (h *house) rows(t testing.TB, table string) (n int) {
	t.Helper()
	err := h.db.View(t.Context(), func(tx store.Tx) error { return tx.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestForgottenTaskIsGone(t *testing.T) {
	h := open(t, vault.Options{})
	h.surrogate(t, "t", "insurer", "person/name", "Jane Doe")
	late := h.Begin()
	mustSurrogate(t, late, "t", "insurer", "person/name", "John Doe")
	if err := h.Forget(t.Context(), vault.TaskKey{Task: "t"}); err != nil {
		t.Fatal(err)
	}
	if n := h.rows(t, "vault_tasks") + h.rows(t, "vault_surrogates"); n != 0 {
		t.Errorf("%d rows are left after Forget", n)
	}
	if err := h.commit(t.Context(), late); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("a message under way: Flush() error = %v, want ErrConflict", err)
	}
	late.Discard()
	h.surrogate(t, "t", "insurer", "person/name", "John Doe")
}

// TestMessagesAtOnce runs many messages on few tasks and subjects, a third of which fail, and asks then, after a restart, for everything that was released.
func TestMessagesAtOnce(t *testing.T) {
	h := open(t, vault.Options{})
	var mu sync.Mutex
	released := map[string]string{} // place → stand-in
	var wg sync.WaitGroup
	boom := errors.New("refused")
	for w := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for range 40 {
				b := h.Begin()
				got := map[string]string{}
				for range 5 {
					n, task, to := r.IntN(12), flow.TaskID(fmt.Sprint("t", r.IntN(3))), flow.DomainID([]string{"insurer", "lab"}[r.IntN(2)])
					s := h.email()
					s.Recipient, s.Subject = to, h.Subject("id", fmt.Sprint(n%5))
					if n%2 == 0 {
						s.Class = class("government-id/ssn")
					}
					value := fmt.Sprintf("value %d", n)
					token, err := b.Token(t.Context(), s, value)
					if err != nil {
						t.Errorf("Token() error = %v", err)
						return
					}
					got[fmt.Sprintf("token %s %d", to, n)] = token
					task2, err := b.Task(t.Context(), vault.TaskKey{Task: task})
					if err != nil {
						t.Errorf("Task() error = %v", err)
						return
					}
					text, err := task2.Surrogate(to, class("person/name"), value, "clerk")
					if err != nil || task2.Remember(value, "person/name", "clerk") != nil {
						t.Errorf("Surrogate() error = %v", err)
						return
					}
					got[fmt.Sprintf("surrogate %s %s %d", task, to, n)] = text
				}
				fail := r.IntN(3) == 0
				err := h.db.Update(t.Context(), func(tx store.Tx) error {
					if err := b.Flush(tx); err != nil {
						return err
					}
					if fail {
						return boom
					}
					return nil
				})
				if fail != errors.Is(err, boom) || !fail && err != nil {
					t.Errorf("Update() error = %v", err)
				}
				if err == nil {
					mu.Lock()
					for place, text := range got {
						if old, ok := released[place]; ok && old != text {
							t.Errorf("%s: %s and %s were released", place, old, text)
						}
						released[place] = text
					}
					mu.Unlock()
					if r.IntN(4) > 0 {
						b.Keep()
					}
				}
				b.Discard()
			}
		})
	}
	wg.Wait()
	h.restart(t)
	check := h.Begin()
	defer check.Discard()
	for place, text := range released {
		var kind, a, to string
		var n int
		if _, err := fmt.Sscanf(place, "token %s %d", &to, &n); err == nil {
			got, err := h.Resolve(t.Context(), text)
			if err != nil || !got.Value.Equal(fmt.Sprintf("value %d", n)) || got.Recipient != flow.DomainID(to) {
				t.Errorf("%s after a restart: %v", place, err)
			}
			continue
		}
		if _, err := fmt.Sscanf(place, "%s %s %s %d", &kind, &a, &to, &n); err != nil {
			t.Fatal(err)
		}
		got, ok := mustTask(t, check, flow.TaskID(a)).Original(flow.DomainID(to), text)
		if !ok || !got.Value.Equal(fmt.Sprintf("value %d", n)) {
			t.Errorf("%s after a restart: %v", place, ok)
		}
	}
}

// TestTwoProcessesNeverMintTwice: two vaults on one database agree, or one is told.
func TestTwoProcessesNeverMintTwice(t *testing.T) {
	token := func(edit func(s *vault.Scope)) func(h *house, b *vault.Batch) (string, error) {
		return func(h *house, b *vault.Batch) (string, error) {
			s := h.email()
			edit(&s)
			return b.Token(t.Context(), s, jane)
		}
	}
	for name, mint := range map[string]func(h *house, b *vault.Batch) (string, error){
		"subject's key":   token(func(s *vault.Scope) {}),
		"handle":          token(func(s *vault.Scope) { s.Subject = flow.SubjectRef{} }),
		"vaulted":         token(func(s *vault.Scope) { s.Subject, s.Class = flow.SubjectRef{}, class("government-id/ssn") }),
		"task":            token(func(s *vault.Scope) { s.Param, s.Task = "", "new" }),
		"surrogate":       token(func(s *vault.Scope) { s.Param, s.Task = "", "old" }),
		"surrogate, name": token(func(s *vault.Scope) { s.Param, s.Task, s.Class = "", "old", class("person/name") }),
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, vault.Options{})
			h.surrogate(t, "old", "insurer", "person/name", "John Doe")
			second, err := vault.New(h.db, h.keys, h.opt)
			if err != nil {
				t.Fatal(err)
			}
			one, two := h.Begin(), second.Begin()
			want, err := mint(h, one)
			if err != nil {
				t.Fatal(err)
			}
			for range 30 { // numbers are equal by chance once in 29
				var other string
				if other, err = mint(h, two); err != nil {
					t.Fatal(err)
				}
				if other != want {
					break
				}
				if second, err = vault.New(h.db, h.keys, h.opt); err != nil {
					t.Fatal(err)
				}
				two = second.Begin()
			}
			if err := h.commit(t.Context(), one); err != nil {
				t.Fatal(err)
			}
			one.Keep()
			if err := h.commit(t.Context(), two); !errors.Is(err, vault.ErrConflict) {
				t.Fatalf("Flush() error = %v, want ErrConflict", err)
			}
			two.Discard()
			again := second.Begin()
			defer again.Discard()
			if got, err := mint(h, again); err != nil || got != want {
				t.Errorf("after the conflict = %s, %v, want %s", got, err, want)
			}
			if err := h.commit(t.Context(), again); err != nil {
				t.Errorf("Flush() error = %v", err)
			}
		})
	}
}

// TestNothingPlainOnDisk looks for values and for the task's id in every file of the data directory.
func TestNothingPlainOnDisk(t *testing.T) {
	storetest.NeedsDirectory(t)
	h := open(t, vault.Options{})
	canary := "Xanthippe Quillfeather"
	low := h.email()
	low.Class = class("government-id/ssn")
	h.token(t, h.email(), canary)
	h.token(t, low, canary)
	h.surrogate(t, "secret-task-id", "insurer", "person/name", canary)
	h.send(t, func(b *vault.Batch) {
		if err := mustTask(t, b, "secret-task-id").Remember(canary, "person/name", "clerk"); err != nil {
			t.Fatal(err)
		}
		if shown := fmt.Sprintf("%v %+v %#v %v", b, mustTask(t, b, "secret-task-id"), h.keys, h.Vault); strings.Contains(shown, "Xanth") || len(shown) > 100 {
			t.Errorf("printed: %.200s", shown)
		}
	})
	for _, hidden := range []string{"Xanthippe", "Quillfeather", "xanthippe", "secret-task-id", "Z2lkZQ"} {
		if file := grep(t, filepath.Join(h.dir, "db"), hidden); file != "" {
			t.Errorf("%q is in %s", hidden, file)
		}
	}
	if file := grep(t, filepath.Join(h.dir, "db"), "insurer"); file == "" {
		t.Error("the search finds nothing at all")
	}
}
