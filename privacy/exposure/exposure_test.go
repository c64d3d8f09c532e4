package exposure_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

func want(t *testing.T, what string, got []flow.Treatment, want ...flow.Treatment) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: shown at %v, want %v", what, got, want)
	}
}

// TestPiecesOverWeeks: what completes a combination is made coarser, whichever agent of the domain it goes to and however late.
func TestPiecesOverWeeks(t *testing.T) {
	h := open(t, &exposure.Settings{})
	want(t, "sex alone", h.send(to("enrolment"), sex("1")), raw)
	h.now = h.now.Add(21 * 24 * time.Hour)
	want(t, "postal code with it", h.send(to("billing"), postal("1")), raw)
	h.now = h.now.Add(90 * 24 * time.Hour)
	want(t, "date of birth to a third agent", h.send(to("research"), born("1")), decade)
	want(t, "of somebody else", h.send(to("research"), born("2")), raw)
	other := to("research")
	other.Domain = "lab"
	want(t, "to another domain", h.send(other, born("1")), raw)
}

// TestAllAtOnce: of a whole combination in one message that becomes coarser by which least is lost.
func TestAllAtOnce(t *testing.T) {
	h := open(t, &exposure.Settings{})
	want(t, "record", h.send(to("a"), born("1"), sex("1"), postal("1")), year, raw, zip3)
	want(t, "the same again", h.send(to("b"), born("1"), sex("1"), postal("1")), year, raw, zip3)
}

// TestTheSameAgainRevealsNothing: a value that is held, or a coarser form of it, is shown as policy says.
func TestTheSameAgainRevealsNothing(t *testing.T) {
	h := open(t, &exposure.Settings{})
	want(t, "first", h.send(to("a"), born("1")), raw)
	want(t, "sex is what would complete it", h.send(to("a"), sex("1")), masked)
	want(t, "the date again", h.send(to("b"), born("1")), raw)
	again := born("1")
	again.value = "March 14, 1957"
	want(t, "the date in other words", h.send(to("b"), again), raw)
	again.at = year
	want(t, "its year", h.send(to("b"), again), year)
	another := born("1")
	another.value = "1957-03-15"
	want(t, "another date is another date", h.send(to("b"), sex("1"), another), masked, raw)
}

// TestCrossingGeneralisations: two coarse forms of which neither is a function of the other tell more than each.
func TestCrossingGeneralisations(t *testing.T) {
	rules, err := exposure.ParseRules([]byte(`rules: [{name: income, of: [{any: [{label: finance/income, to: "bucket:10000"}]}, {any: [{label: location/city, to: masked}]}]}]`), flow.DefaultTaxonomy())
	if err != nil {
		t.Fatal(err)
	}
	h := open(t, &exposure.Settings{Rules: rules})
	at := func(p flow.Param) flow.Treatment { return flow.Treatment{Level: flow.Generalized, Param: p} }
	income := func(p flow.Param) piece {
		return piece{subject: "1", label: "finance/income", value: "48300", at: at(p)}
	}
	city := piece{subject: "1", label: "location/city", value: "Bend"}
	want(t, "city", h.send(to("a"), city), raw)
	want(t, "by ten thousand", h.send(to("a"), income("bucket:10000")), at("bucket:10000"))
	want(t, "by fifteen thousand", h.send(to("b"), income("bucket:15000")), at("bucket:30000"))
	want(t, "by twenty thousand", h.send(to("b"), income("bucket:20000")), at("bucket:20000"))

	h = open(t, &exposure.Settings{})
	moved := born("2")
	moved.at = at("shift:400")
	want(t, "a date that was moved by more than a year", h.send(to("a"), moved), at("shift:400"))
	want(t, "is none with sex", h.send(to("a"), sex("2")), raw)
	moved.at = year
	want(t, "but with its year it is nearer than that", h.send(to("b"), moved), masked)
}

// TestJoin: what is known of a value that was shown at two levels.
func TestJoin(t *testing.T) {
	at := func(p flow.Param) flow.Treatment { return flow.Treatment{Level: flow.Generalized, Param: p} }
	for _, x := range []struct{ a, b, want flow.Treatment }{
		{at("year"), at("month"), at("month")},
		{at("bucket:10"), at("bucket:15"), at("bucket:5")},
		{at("prefix:3"), at("prefix:2"), at("prefix:3")},
		{at("prefix:3"), at("up:1"), raw},
		{at("shift:30"), at("year"), raw},
		{raw, at("year"), raw},
		{masked, at("year"), at("year")},
		{flow.Treatment{}, masked, masked},
	} {
		for _, got := range []flow.Treatment{exposure.Join(flow.Attribute, x.a, x.b), exposure.Join(flow.Attribute, x.b, x.a)} {
			if got != x.want {
				t.Errorf("Join(%v, %v) = %v, want %v", x.a, x.b, got, x.want)
			}
		}
	}
}

// TestSeveralDates: one date too many is made coarser, and so is every later one; those that are held are not.
func TestSeveralDates(t *testing.T) {
	h := open(t, &exposure.Settings{})
	visit := func(day int) piece {
		return piece{subject: "1", label: "health/visit-date", value: fmt.Sprintf("2026-05-%02d", day)}
	}
	month := flow.Treatment{Level: flow.Generalized, Param: "month"}
	want(t, "three", h.send(to("a"), visit(1), visit(2), visit(3)), raw, raw, raw)
	want(t, "two more, and one of the three", h.send(to("b"), visit(4), visit(2), visit(5)), month, raw, month)
}

// TestWhoIsKnown: where policy has told who somebody is, there is nobody left to single out; a name that may be another's tells nothing.
func TestWhoIsKnown(t *testing.T) {
	h := open(t, &exposure.Settings{})
	name := piece{subject: "1", label: "person/name", value: "Eleanor Whitfield"}
	want(t, "with a name", h.send(to("a"), name, born("1"), sex("1"), postal("1")), raw, raw, raw, raw)
	name.subject = ""
	want(t, "somebody's name", h.send(to("b"), name, born("2"), sex("2"), postal("2")), raw, year, raw, zip3)
	name.subject, name.at = "3", flow.Treatment{Level: flow.Tokenized, Param: flow.TokenReversible}
	want(t, "a stand-in", h.send(to("c"), name, born("3"), sex("3"), postal("3")), name.at, year, raw, zip3)
}

// TestUnknownSubjects: what a text says of somebody unknown counts for whomever its task is about, before and after that shows.
func TestUnknownSubjects(t *testing.T) {
	h := open(t, &exposure.Settings{})
	task := exposure.To{Domain: "insurer", Agent: "a", Task: "t1"}
	want(t, "record", h.send(task, born("1")), raw)
	want(t, "text of the same task", h.send(task, sex("")), masked)
	other := exposure.To{Domain: "insurer", Agent: "b", Task: "t2"}
	want(t, "text of another task", h.send(other, sex(""), postal("")), raw, raw)
	want(t, "which turns out to be about somebody", h.send(other, born("2")), decade)
	third := exposure.To{Domain: "insurer", Agent: "b", Task: "t3"}
	want(t, "also in later tasks", h.send(third, born("2")), decade)
	want(t, "all in one text", h.send(exposure.To{Domain: "insurer", Agent: "b", Task: "t4"}, born(""), sex(""), postal("")), year, raw, zip3)
}

// TestSeveralSubjectsInOneMessage are apart from each other.
func TestSeveralSubjectsInOneMessage(t *testing.T) {
	h := open(t, &exposure.Settings{})
	want(t, "three people", h.send(to("a"), born("1"), sex("2"), postal("3")), raw, raw, raw)
	want(t, "text beside them", h.send(to("a"), born("1"), sex("2"), sex("")), raw, raw, masked)
}

// TestOneAudience: domains that put together what they are shown are one.
func TestOneAudience(t *testing.T) {
	h := open(t, &exposure.Settings{Audiences: map[flow.DomainID]exposure.Audience{"insurer": "group", "reinsurer": "group"}})
	want(t, "one", h.send(to("a"), born("1")), raw)
	other := to("b")
	other.Domain = "reinsurer"
	want(t, "the other", h.send(other, sex("1")), masked)
}

// TestTwoHalvesAtOnce: of two messages that each pass alone the later one is changed anew.
func TestTwoHalvesAtOnce(t *testing.T) {
	h := open(t, &exposure.Settings{})
	first, err := h.begin(to("a"), born("1"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := h.begin(to("b"), sex("1"))
	if err != nil {
		t.Fatal(err)
	}
	if err := first.commit(); err != nil {
		t.Fatal(err)
	}
	if err := second.commit(); !errors.Is(err, vault.ErrConflict) {
		t.Fatalf("Commit() of the second half = %v, want ErrConflict", err)
	}
	want(t, "changed anew", h.send(to("b"), sex("1")), masked)
}

// TestWhatDidNotLeaveIsNotHeld: a message that is refused after it was looked at leaves no trace.
func TestWhatDidNotLeaveIsNotHeld(t *testing.T) {
	h := open(t, &exposure.Settings{})
	m, err := h.begin(to("a"), born("1"))
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("no record")
	err = h.db.Update(t.Context(), func(tx store.Tx) error {
		return errors.Join(m.batch.Flush(tx), m.look.Commit(tx), failed)
	})
	m.batch.Discard()
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	want(t, "sex", h.send(to("a"), sex("1")), raw)
}

// TestErasureKillsWhatIsHeld, also for who looked before it.
func TestErasureKillsWhatIsHeld(t *testing.T) {
	h := open(t, &exposure.Settings{})
	h.send(to("a"), born("1"), sex(""))
	looked, err := h.begin(to("a"), born("1"))
	if err != nil {
		t.Fatal(err)
	}
	ref := h.vault.Subject("patient", "1")
	if err := h.vault.Erase(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if err := looked.commit(); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("Commit() of who looked before = %v, want ErrConflict", err)
	}
	err = h.db.View(t.Context(), func(tx store.Tx) error {
		for _, q := range []string{"SELECT COUNT(*) FROM exposure_held", "SELECT COUNT(*) FROM exposure_tasks"} {
			var n int
			if err := tx.QueryRow(q).Scan(&n); err != nil || n != 0 {
				return fmt.Errorf("%s = %d, %v, want none", q, n, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	want(t, "as if never shown", h.send(to("b"), sex("1")), raw)
}

// TestResetAndRetention: what is reset or has expired counts no more.
func TestResetAndRetention(t *testing.T) {
	h := open(t, &exposure.Settings{Keep: 30 * 24 * time.Hour})
	h.send(to("a"), born("1"))
	want(t, "held", h.send(to("a"), sex("1")), masked)
	err := h.db.Update(t.Context(), func(tx store.Tx) error {
		n, err := exposure.Reset(tx, "insurer", flow.SubjectRef{})
		if err == nil && n < 1 {
			err = fmt.Errorf("Reset() = %d, want at least 1", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "after the reset", h.send(to("a"), sex("1")), raw)
	h.now = h.now.Add(31 * 24 * time.Hour)
	want(t, "after its time", h.send(to("a"), born("1")), raw)
	h.now = h.now.Add(20 * 24 * time.Hour)
	want(t, "shown again", h.send(to("b"), born("1")), raw)
	h.now = h.now.Add(20 * 24 * time.Hour)
	if err := h.Sweep(t.Context(), h.now); err != nil {
		t.Fatal(err)
	}
	want(t, "counts from when it was shown last", h.send(to("b"), sex("1")), masked)
}

// TestOneAgentCannotPoisonItsDomain: an agent that adds too much a day is shown less itself, and nobody else is for it.
func TestOneAgentCannotPoisonItsDomain(t *testing.T) {
	h := open(t, &exposure.Settings{Daily: 10})
	for i := range 10 {
		want(t, "within its quota", h.send(to("greedy"), born(fmt.Sprint(i))), raw)
	}
	want(t, "over it", h.send(to("greedy"), born("10")), masked)
	want(t, "what is held adds nothing", h.send(to("greedy"), born("3")), raw)
	want(t, "a colleague", h.send(to("modest"), sex("10"), postal("10")), raw, raw)
	h.now = h.now.Add(24 * time.Hour)
	want(t, "the next day", h.send(to("greedy"), born("11")), raw)
}

// TestNeedDecidesWhatIsGivenUp: what the recipient needs no finer loses nothing.
func TestNeedDecidesWhatIsGivenUp(t *testing.T) {
	h := open(t, &exposure.Settings{})
	s := sex("1")
	s.need = &flow.Treatment{Level: flow.Masked}
	want(t, "sex is not needed", h.send(to("a"), born("1"), s), raw, masked)
	b := born("2")
	b.fits = func(tr flow.Treatment) bool { return tr.Level == flow.Raw }
	want(t, "a year does not fit", h.send(to("a"), b, sex("2")), raw, masked)
	both := sex("3")
	both.fits, b.subject = b.fits, "3"
	want(t, "nothing fits: one goes", h.send(to("a"), b, both), flow.Treatment{}, raw)
}

// TestObserveChangesNothing and remembers.
func TestObserveChangesNothing(t *testing.T) {
	h := open(t, &exposure.Settings{Observe: true})
	want(t, "observed", h.send(to("a"), born("1"), sex("1"), postal("1")), raw, raw, raw)
	h.s = &exposure.Settings{Rules: h.s.Rules, Taxonomy: h.s.Taxonomy}
	want(t, "what is held stays", h.send(to("a"), born("1"), sex("1"), postal("1")), raw, raw, raw)
	want(t, "nothing is added to it", h.send(to("a"), piece{subject: "1", label: "location/city", value: "Bend"}), masked)
}

// TestShowSaysNoValue: what is listed of a subject are labels, levels and how many.
func TestShowSaysNoValue(t *testing.T) {
	h := open(t, &exposure.Settings{})
	h.send(to("a"), born("1"), sex("1"), postal("1"))
	err := h.db.View(t.Context(), func(tx store.Tx) error {
		all, err := exposure.About(tx, h.vault.Subject("patient", "1"), h.now)
		if err != nil || len(all) != 3 {
			return fmt.Errorf("About() = %v, %v, want three labels", all, err)
		}
		held, added, err := exposure.List(tx, h.now)
		if err != nil || len(held) != 1 || held[0].Facts != 3 || len(added) != 1 || added[0].Facts != 3 {
			return fmt.Errorf("List() = %v, %v, %v", held, added, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestANameThatIsNoneSaysNotWho: an empty name, a placeholder or a word for nobody does not silence the rules, at once or later.
func TestANameThatIsNoneSaysNotWho(t *testing.T) {
	class, _ := flow.DefaultTaxonomy().Class("person/name")
	for _, none := range []string{"", " ", "-", "???", "N/A", " unknown ", "Anonymous", "null", deidentify.Placeholder(class)} {
		h := open(t, &exposure.Settings{})
		name := piece{subject: "1", label: "person/name", value: none}
		want(t, "with the name "+none, h.send(to("a"), name, born("1"), sex("1"), postal("1")), raw, year, raw, zip3)
		want(t, "after the name "+none, h.send(to("b"), born("1"), sex("1"), postal("1")), year, raw, zip3)
	}
	h := open(t, &exposure.Settings{})
	name := piece{subject: "1", label: "person/name", value: "Li"}
	want(t, "with a name", h.send(to("a"), name, born("1"), sex("1"), postal("1")), raw, raw, raw, raw)
}

// TestARareCodeInOtherSpellings: whether a code is rare does not hang on how it is written.
func TestARareCodeInOtherSpellings(t *testing.T) {
	for _, code := range []string{"E84.0", "e840", " E84", "E 84.0", "D59.3", "D593", "d59-3"} {
		h := open(t, &exposure.Settings{})
		want(t, "postal code", h.send(to("a"), postal("1")), raw)
		want(t, "with "+code, h.send(to("b"), piece{subject: "1", label: "health/diagnosis", value: code}), masked)
	}
	h := open(t, &exposure.Settings{})
	h.send(to("a"), postal("1"))
	want(t, "with a common one", h.send(to("b"), piece{subject: "1", label: "health/diagnosis", value: "D59.4"}), raw)
	want(t, "with another", h.send(to("b"), piece{subject: "1", label: "health/diagnosis", value: "E8"}), raw)
}

// TestWhomTheRequestNamed: what an answer says about somebody unknown counts for those whom its request named, in every task, and is kept
// back where these are too many to count for each.
func TestWhomTheRequestNamed(t *testing.T) {
	h := open(t, &exposure.Settings{})
	named := func(task string, who ...string) exposure.To {
		to := exposure.To{Domain: "insurer", Agent: "a", Task: flow.TaskID(task)}
		for _, w := range who {
			to.Named = append(to.Named, h.vault.Subject("patient", w))
		}
		return to
	}
	want(t, "sex", h.send(named("t1", "1"), sex("")), raw)
	want(t, "postal code", h.send(named("t2", "1", "2"), postal("")), raw)
	want(t, "date of birth", h.send(named("t3", "1"), born("")), decade)
	want(t, "date of birth of another", h.send(named("t4", "3"), born("")), raw)
	want(t, "of no task", h.send(named("", "3"), sex("")), masked)
	want(t, "of a record that says whose it is", h.send(named("t5", "2"), sex("2"), born("2")), raw, decade)

	var crowd []string
	for i := range 9 {
		crowd = append(crowd, fmt.Sprint("c", i))
	}
	want(t, "of one of a crowd", h.send(named("t6", crowd...), born("")), masked)
	want(t, "of one of a crowd, and of no task", h.send(named("", crowd...), born("")), masked)
	more := named("t12", "5")
	more.Crowd = true
	want(t, "of one of more than are named", h.send(more, sex("5"), born("")), raw, masked)
	want(t, "of a crowd, each of whom is spoken of", h.send(named("t7", crowd...),
		sex("c0"), sex("c1"), sex("c2"), sex("c3"), sex("c4"), sex("c5"), sex("c6"), sex("c7"), sex("c8"), postal("")),
		raw, raw, raw, raw, raw, raw, raw, raw, raw, raw)

	// A task remembers whom it is about, even from a message that shows nothing yet.
	want(t, "nothing yet", h.send(named("t8", "4")))
	want(t, "postal code later", h.send(exposure.To{Domain: "insurer", Agent: "a", Task: "t8"}, postal("")), raw)
	want(t, "sex later", h.send(exposure.To{Domain: "insurer", Agent: "a", Task: "t8"}, sex("")), raw)
	want(t, "date of birth in another task", h.send(named("t9", "4"), born("")), decade)
	full := append([]string{"1"}, crowd...)
	for range 2 {
		for i := range 9 {
			want(t, "a task of many", h.send(named("t10", full[i])))
		}
	}
	want(t, "one more in a task that is about eight", h.send(named("t10", "1"), born("")), decade)
	for _, task := range []flow.TaskID{"t10", "t11"} {
		if task == "t11" {
			want(t, "a crowd of whom nothing is said yet", h.send(named("t11", crowd...)))
		}
		late := exposure.To{Domain: "insurer", Agent: "a", Task: task}
		want(t, "what comes of a crowd later", h.send(late, postal("")), masked)
		h.reopen()
		want(t, "what comes of a crowd after a restart", h.send(late, postal("")), masked)
	}
}
