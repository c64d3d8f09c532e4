package stream_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/privacy/dp/stream"
	"github.com/scrimhq/scrim/store"
)

// precise makes noise that is seen less than once in a million steps, for tests that look at what is counted: a unit is a patient's hour.
func precise(b budget.Budget, d *stream.Definition) budget.Budget {
	b.Unit = budget.Unit{Name: "patient-hour", Window: time.Hour}
	b.Plan = budget.Plan{Epsilon: 1_000_000_000_000, Delta: 1_000_000_000}
	d.Rho, d.Delta = 500_000_000_000, 0
	return b
}

func (r *rig) sums(over time.Duration) string {
	r.t.Helper()
	got := r.read(stream.Ask{Over: over})
	if len(got.Points) == 0 {
		return "none"
	}
	var all []string
	for _, c := range got.Points[0].Cells {
		name := ""
		if len(c.Keys) > 0 {
			name = c.Keys[0].Text + ":"
		}
		all = append(all, fmt.Sprint(name, c.Sum))
	}
	return fmt.Sprint(got.Points[0].Step, " ", strings.Join(all, " "))
}

func TestRowsCountInTheStepOfTheirTime(t *testing.T) {
	def := hourly()
	b := precise(patientDays(), &def)
	r := openRig(t, b)
	def.Grace = 10 * time.Minute
	r.restart(plan(t, b, stays(), asked(t, stays(), false, true, 1, 1), def))
	r.source.admit(
		stay{"early", "icu", began.Add(-time.Microsecond), 1}, stay{"a", "icu", began, 1}, stay{"b", "surgery", began.Add(time.Hour - time.Microsecond), 1},
		stay{"b", "surgery", began.Add(59 * time.Minute), 1}, // the same patient's second row, and rows is 1
		stay{"c", "nowhere", began.Add(time.Minute), 1},      // no declared ward
		stay{"d", "icu", began.Add(time.Hour), 1},
	)
	r.catchUp()
	if got := r.sums(0); got != "none" {
		t.Errorf("before the first step ended it is %q", got)
	}
	r.at(began.Add(time.Hour + 10*time.Minute - 1))
	r.catchUp()
	if got := r.sums(0); got != "none" {
		t.Errorf("before its grace was over the step is %q", got)
	}
	r.at(began.Add(time.Hour + 10*time.Minute))
	r.catchUp()
	if got, want := r.sums(0), "1 icu:1 surgery:1 other:0"; got != want {
		t.Errorf("after the first step: %q, want %q", got, want)
	}
	r.source.admit(stay{"late", "icu", began.Add(30 * time.Minute), 1}) // for a step that is over: it is in none
	r.at(began.Add(3*time.Hour + 10*time.Minute))
	r.catchUp()
	if got, want := r.sums(0), "3 icu:2 surgery:1 other:0"; got != want {
		t.Errorf("after the third step: %q, want %q", got, want)
	}
	if got, want := r.sums(2*time.Hour), "3 icu:1 surgery:0 other:0"; got != want {
		t.Errorf("over the last two hours: %q, want %q", got, want)
	}
	if len(r.recorded) != 3 || r.recorded[2].Number != 3 || !r.recorded[2].From.Equal(began.Add(2*time.Hour)) {
		t.Errorf("on record are %+v", r.recorded)
	}
}

// Noise that was released is never drawn again, whatever happens between the steps; and steps that were missed are made good.
func TestARestartChangesNothingThatWasReleased(t *testing.T) {
	for _, method := range []continual.Method{continual.Tree, continual.SquareRoot} {
		r := openRig(t, patientDays())
		def := hourly()
		def.Method = method
		p := plan(t, patientDays(), stays(), asked(t, stays(), true, true, 2, 2), def)
		seen := map[int64]string{}
		for hour := 1; hour <= 40; hour += 3 {
			r.source.admit(stay{fmt.Sprint(hour), wards[hour%3], began.Add(time.Duration(hour) * time.Hour), 3})
			r.at(began.Add(time.Duration(hour) * time.Hour))
			r.restart(p)
			r.catchUp()
			for _, pt := range r.read(stream.Ask{Points: 1000}).Points {
				now := fmt.Sprint(pt.Cells)
				if was, ok := seen[pt.Step]; ok && was != now {
					t.Fatalf("%s: step %d was %s and is %s", method, pt.Step, was, now)
				}
				seen[pt.Step] = now
			}
			if len(seen) != hour {
				t.Fatalf("%s: after %d hours %d steps are there", method, hour, len(seen))
			}
		}
	}
}

// A step whose storing fails at any point is not told, and its noise is not used.
func TestAStepThatIsNotStoredIsNotTold(t *testing.T) {
	r := openRig(t, patientDays())
	crash := errors.New("power cut")
	held := true
	r.opt.Record = func(store.Tx, stream.Step) error {
		if held {
			return crash
		}
		return nil
	}
	p := plan(t, patientDays(), stays(), asked(t, stays(), false, false, 1, 0), hourly())
	r.restart(p)
	r.at(began.Add(time.Hour))
	wantErr(t, r.CatchUp(t.Context()), crash)
	if got := r.sums(0); got != "none" {
		t.Errorf("what could not be put on record is told: %s", got)
	}
	in, err := r.Stream(t.Context(), "stays", "admissions")
	if err != nil || in.Halt != stream.Failing {
		t.Errorf("it is %+v, %v, want failing", in, err)
	}
	held = false
	r.source.fail = crash
	wantErr(t, r.CatchUp(t.Context()), crash)
	r.source.fail = nil
	r.catchUp()
	if got := r.sums(0); !strings.HasPrefix(got, "1 ") {
		t.Errorf("after all was well again it is %s", got)
	}
	if got := r.spent(budget.Range{}); got > 20_000_000 {
		t.Errorf("the epoch was charged more than once: %d nano-ρ", got)
	}
}

// Whatever is cut off between the ledger and the epoch, an epoch is paid for once, and no step goes out before.
func TestAChargeThatWasCutOffIsPaidOnce(t *testing.T) {
	r := openRig(t, patientDays())
	p := plan(t, patientDays(), stays(), asked(t, stays(), false, false, 1, 0), hourly())
	crash := errors.New("power cut")
	r.at(began.Add(time.Hour))
	cut := &cutLedger{Ledger: r.ledger, before: crash}
	r.opt.Ledger = cut
	r.restart(p)
	wantErr(t, r.CatchUp(t.Context()), crash)
	if r.source.asked != 0 {
		t.Error("the data was read before the epoch was paid for")
	}
	if got := r.spent(budget.Range{}); got != 0 {
		t.Errorf("%d nano-ρ were charged by a charge that never came", got)
	}
	cut.before, cut.after = nil, crash // it was reserved, and nobody learned of it
	r.restart(p)
	wantErr(t, r.CatchUp(t.Context()), crash)
	cut.after = nil
	r.restart(p)
	r.catchUp()
	cost, err := p.Params().Cost(0)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.spent(budget.Range{}); got != cost.Rho {
		t.Errorf("%d nano-ρ are charged, want one time %d", got, cost.Rho)
	}
	if got := r.sums(0); !strings.HasPrefix(got, "1 ") {
		t.Errorf("the step is %s", got)
	}
}

// cutLedger fails before or after it did what it was asked for.
type cutLedger struct {
	*budget.Ledger
	before, after error
}

func (l *cutLedger) Reserve(ctx context.Context, c budget.Charge) (*budget.Reservation, error) {
	if l.before != nil {
		return nil, l.before
	}
	r, err := l.Ledger.Reserve(ctx, c)
	if l.after != nil {
		return nil, errors.Join(err, l.after)
	}
	return r, err
}

// A stream stops where the budget has no room for twice the steps, says so, and nothing of it is published until there is.
func TestAStreamStopsWhereItCannotPay(t *testing.T) {
	b := patientDays()
	b.Plan.Epsilon = 600_000_000
	r := openRig(t, b)
	def := hourly()
	def.Rho = 8_000_000 // fits once
	var faults []error
	r.opt.Fault = func(err error) { faults = append(faults, err) }
	p := plan(t, b, stays(), asked(t, stays(), false, false, 1, 0), def)
	r.restart(p)
	r.at(began.Add(20 * time.Hour))
	for range 3 {
		wantErr(t, r.CatchUp(t.Context()), budget.ErrExhausted)
	}
	in, err := r.Stream(t.Context(), "stays", "admissions")
	if err != nil || in.Halt != stream.Exhausted || in.Step != 8 {
		t.Errorf("it is %+v, %v, want exhausted after step 8", in, err)
	}
	if r.source.asked != 8 && r.source.asked != 11 {
		t.Errorf("the source was asked %d times", r.source.asked)
	}
	if len(faults) != 1 {
		t.Errorf("it was said %d times, want once: %v", len(faults), faults)
	}
	if got := r.read(stream.Ask{Points: 100}); len(got.Points) != 8 {
		t.Errorf("%d steps can be read, want 8", len(got.Points))
	}
}

func TestAStreamEndsWithItsLastEpoch(t *testing.T) {
	r := openRig(t, patientDays())
	def := hourly()
	def.Horizon, def.Epochs, def.Rho = 2, 2, 1_000_000
	r.restart(plan(t, patientDays(), stays(), asked(t, stays(), false, false, 1, 0), def))
	r.at(began.Add(100 * time.Hour))
	wantErr(t, r.CatchUp(t.Context()), continual.ErrEnded)
	in, err := r.Stream(t.Context(), "stays", "admissions")
	if err != nil || in.Halt != stream.Ended || in.Step != 6 {
		t.Errorf("it is %+v, %v, want ended after step 6", in, err)
	}
}

// A clock that goes back takes no step again, and shows nothing that it did not.
func TestAClockThatGoesBack(t *testing.T) {
	r := openRig(t, patientDays())
	r.restart(plan(t, patientDays(), stays(), asked(t, stays(), false, false, 1, 0), hourly()))
	r.at(began.Add(5 * time.Hour))
	r.catchUp()
	was := fmt.Sprint(r.read(stream.Ask{Points: 5}).Points)
	r.at(began.Add(2 * time.Hour))
	r.catchUp()
	r.source.admit(stay{"a", "icu", began, 1})
	r.at(began.Add(5 * time.Hour))
	r.catchUp()
	if now := fmt.Sprint(r.read(stream.Ask{Points: 5}).Points); now != was {
		t.Errorf("it was %s and is %s", was, now)
	}
	if r.source.asked != 5 {
		t.Errorf("the source was asked %d times about 5 steps", r.source.asked)
	}
}

// What a reload changes makes another stream of it: the old one stays as it is, and is not mixed with it.
func TestAnotherDefinitionIsAnotherStream(t *testing.T) {
	d, q := stays(), asked(t, stays(), false, false, 1, 0)
	for name, change := range map[string]func(*stream.Definition){
		"rho":     func(d *stream.Definition) { d.Rho *= 2 },
		"horizon": func(d *stream.Definition) { d.Horizon *= 2 },
		"from":    func(d *stream.Definition) { d.From = d.From.Add(-time.Hour) },
		"every":   func(d *stream.Definition) { d.Every *= 2 },
		"sql":     func(d *stream.Definition) { d.SQL += " WHERE ward = 'icu'" },
		"method":  func(d *stream.Definition) { d.Method = continual.SquareRoot },
	} {
		r := openRig(t, patientDays())
		r.restart(plan(t, patientDays(), d, q, hourly()))
		r.at(began.Add(2 * time.Hour))
		r.catchUp()
		def := hourly()
		change(&def)
		other := hourly()
		other.Name = "others"
		r.Set([]*stream.Plan{plan(t, patientDays(), d, q, def), plan(t, patientDays(), d, q, other)})
		r.at(began.Add(8 * time.Hour))
		wantErr(t, r.CatchUp(t.Context()), stream.ErrChanged)
		in, err := r.Stream(t.Context(), "stays", "admissions")
		if err != nil || in.Halt != stream.Changed || in.Step != 0 {
			t.Errorf("%s: it is %+v, %v, want changed", name, in, err)
		}
		if in, err = r.Stream(t.Context(), "stays", "others"); err != nil || in.Step != 8 {
			t.Errorf("%s: another stream is at %d, %v", name, in.Step, err)
		}
		r.Set([]*stream.Plan{plan(t, patientDays(), d, q, hourly())})
		r.catchUp()
		if in, err = r.Stream(t.Context(), "stays", "admissions"); err != nil || in.Step != 8 {
			t.Errorf("%s: put back, it is at %d, %v", name, in.Step, err)
		}
	}
	def := hourly()
	def.Grace, def.Keep, def.Pad = time.Minute, 5, time.Second
	r := openRig(t, patientDays())
	r.restart(plan(t, patientDays(), d, q, hourly()))
	r.at(began.Add(2 * time.Hour))
	r.catchUp()
	r.Set([]*stream.Plan{plan(t, patientDays(), d, q, def)})
	r.at(began.Add(9 * time.Hour))
	r.catchUp()
}

// Part of the state that is an older copy is noticed, and no step is released twice.
func TestStateThatWasSetBackInPartIsNoticed(t *testing.T) {
	for _, back := range []string{
		`UPDATE dataset_streams SET step = 2`,
		`UPDATE dataset_streams SET step = 3`,
		`UPDATE continual_streams SET step = 2`,
		`DELETE FROM continual_streams`,
	} {
		r := openRig(t, patientDays())
		p := plan(t, patientDays(), stays(), asked(t, stays(), false, false, 1, 0), hourly())
		r.restart(p)
		r.at(began.Add(4 * time.Hour))
		r.catchUp()
		err := r.db.Update(t.Context(), func(tx store.Tx) error { _, err := tx.Exec(back); return err })
		if err != nil {
			t.Fatal(err)
		}
		r.restart(p)
		r.at(began.Add(6 * time.Hour))
		if err := r.CatchUp(t.Context()); err == nil {
			t.Errorf("after %s it goes on", back)
		}
		in, err := r.Stream(t.Context(), "stays", "admissions")
		if err != nil || in.Halt != stream.SetBack {
			t.Errorf("after %s it is %+v, %v, want set-back", back, in, err)
		}
	}
}

// A frozen dataset's streams stand still: nothing is charged, the source is not asked, and a freeze that comes while a step is computed
// keeps it from being taken. Thawed, a stream goes on where it stood: what was released stays, and its noise goes on.
func TestAFrozenStreamStandsStill(t *testing.T) {
	r := openRig(t, patientDays())
	frozen := false
	r.opt.Frozen = func(dataset string) bool { return frozen && dataset == "stays" }
	record := r.opt.Record
	r.opt.Record = func(tx store.Tx, s stream.Step) error {
		if frozen {
			return stream.ErrFrozen
		}
		return record(tx, s)
	}
	def := hourly()
	def.Rho = 200_000 // so that noise is seen
	p := plan(t, patientDays(), stays(), asked(t, stays(), false, false, 1, 0), def)
	r.restart(p)
	r.at(began.Add(3 * time.Hour))
	r.catchUp()
	was := fmt.Sprint(r.read(stream.Ask{Points: 3}).Points)

	during := 0
	r.source.slow = func() {
		if during++; during == 1 {
			frozen = true
		}
	}
	r.at(began.Add(9 * time.Hour)) // another epoch would be due, and paid for
	spent := r.spent(budget.Range{})
	for range 3 {
		if err := r.CatchUp(t.Context()); !errors.Is(err, stream.ErrFrozen) {
			t.Fatalf("error = %v, want ErrFrozen", err)
		}
	}
	r.restart(p) // and so it does through a restart
	if err := r.CatchUp(t.Context()); !errors.Is(err, stream.ErrFrozen) {
		t.Fatalf("after a restart: error = %v, want ErrFrozen", err)
	}
	if during != 1 || len(r.recorded) != 3 {
		t.Errorf("the source was asked %d times and %d steps are on record, want 1, before the freeze, and 3", during, len(r.recorded))
	}
	if got := r.spent(budget.Range{}); got != spent {
		t.Errorf("a frozen stream is charged: %d is spent and was %d", got, spent)
	}
	if info, err := r.Stream(t.Context(), "stays", "admissions"); err != nil || info.Halt != stream.Frozen {
		t.Errorf("halt = %q, %v, want frozen", info.Halt, err)
	}

	frozen = false
	r.catchUp()
	got := r.read(stream.Ask{Points: 9})
	if len(got.Points) != 9 || fmt.Sprint(got.Points[:3]) != was {
		t.Errorf("after the thaw it is %v, and was %s", got.Points, was)
	}
}
