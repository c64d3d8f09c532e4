package stream_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/privacy/dp/stream"
)

func compiled(t *testing.T, d *query.Dataset, def stream.Definition) *stream.Plan {
	t.Helper()
	d.Window = patientDays().Unit.Window
	p, err := stream.Compile(patientDays(), d, def)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What a dataset declares of the columns that a stream is made of is part of what the stream is: by another unit or time its steps would be bounded
// otherwise. A running publisher takes no step by declarations that are in force no more.
func TestOtherDeclarationsAreAnotherStream(t *testing.T) {
	def := hourly()
	def.SQL = "SELECT ward, sum(days) AS days FROM stays GROUP BY ward"
	more := func() *query.Dataset {
		d := stays()
		d.Tables[0].Columns = append(d.Tables[0].Columns, query.Column{Name: "visit", Source: "visit_id", Type: texts, NoKey: true}, query.Column{Name: "left", Source: "left_at", Type: moments, Bounded: true})
		return d
	}
	for name, change := range map[string]func(*query.Table){
		"unit":          func(t *query.Table) { t.Unit = []string{"visit"} },
		"unit's column": func(t *query.Table) { t.Columns[0].Source = "visit_id" },
		"time":          func(t *query.Table) { t.Time = "left" },
		"table":         func(t *query.Table) { t.Source = "clinic.others" },
		"column":        func(t *query.Table) { t.Columns[3].Source = "nights" },
		"bounds":        func(t *query.Table) { t.Columns[3].Type.Min = -30 },
	} {
		r := openRig(t, patientDays())
		r.restart(compiled(t, more(), def))
		r.at(began.Add(2 * time.Hour))
		r.catchUp()
		d := more()
		change(&d.Tables[0])
		r.Set([]*stream.Plan{compiled(t, d, def)})
		r.at(began.Add(3 * time.Hour))
		if err := r.CatchUp(t.Context()); err == nil {
			t.Errorf("with another %s the stream goes on", name)
		}
	}
	r := openRig(t, patientDays())
	r.restart(compiled(t, stays(), def))
	r.at(began.Add(2 * time.Hour))
	r.catchUp()
	r.Set([]*stream.Plan{compiled(t, more(), def)}) // columns that it does not read make no other stream of it
	r.at(began.Add(3 * time.Hour))
	r.catchUp()
}

// Two tables of a dataset may be one of the source. Their rows have two times then, and a step can be told by one.
func TestOneTableOfTheSourceHasOneTime(t *testing.T) {
	d := stays()
	d.Window = patientDays().Unit.Window
	leaving := query.Table{Name: "leaving", Source: "clinic.stays", Unit: []string{"patient"}, Time: "left", Columns: []query.Column{
		{Name: "patient", Source: "patient_id", Type: texts, NoKey: true}, {Name: "left", Source: "left_at", Type: moments, Bounded: true},
	}}
	d.Tables = append(d.Tables, leaving)
	def := hourly()
	_, err := stream.Compile(patientDays(), d, def)
	wantErr(t, err, stream.ErrDefinition)
	d.Tables[1].Columns[1] = query.Column{Name: "left", Source: "admitted", Type: moments, Bounded: true}
	if _, err := stream.Compile(patientDays(), d, def); err != nil {
		t.Errorf("two tables with the same time: %v", err)
	}
}

// Steps that are made good one after the other are told at the same grid of times as ever, whatever the ones before them took.
func TestMissedStepsDoNotTellHowLongTheOnesBeforeTook(t *testing.T) {
	for _, took := range []time.Duration{0, 110 * time.Millisecond, 730 * time.Millisecond} {
		r := openRig(t, patientDays())
		def := hourly()
		def.Pad = time.Second
		r.restart(plan(t, patientDays(), stays(), asked(t, stays(), false, false, 1, 0), def))
		back := began.Add(4*time.Hour + 123*time.Millisecond)
		r.at(back)
		r.source.slow = func() { r.at(r.clock().Add(took)) }
		r.catchUp()
		last := int64(0)
		for wait := time.Duration(0); wait < 20*time.Second && last < 4; wait += time.Millisecond {
			r.at(back.Add(wait))
			in, err := r.Stream(t.Context(), "stays", "admissions")
			if err != nil {
				t.Fatal(err)
			}
			if in.Step != last {
				if off := back.Add(wait).Sub(began) % def.Pad; off != 0 {
					t.Errorf("where a step takes %v, step %d is told %v beside the grid", took, in.Step, off)
				}
				last = in.Step
			}
		}
		if last != 4 {
			t.Errorf("only %d steps are told", last)
		}
	}
}

// One reading is no larger than a gateway can write for many readers at once.
func TestAReadingIsBounded(t *testing.T) {
	d := stays()
	for n := range 97 {
		d.Tables[0].Columns[1].Values = append(d.Tables[0].Columns[1].Values, relation.Value{Kind: relation.Text, Text: fmt.Sprint("ward ", n)})
	}
	def := hourly()
	def.SQL = "SELECT ward, count(*) FROM stays GROUP BY ward"
	r := openRig(t, patientDays())
	r.restart(compiled(t, d, def))
	if _, err := r.Read(t.Context(), stream.Ask{Dataset: "stays", Stream: "admissions", Points: 655}); err != nil {
		t.Errorf("65500 numbers: %v", err)
	}
	_, err := r.Read(t.Context(), stream.Ask{Dataset: "stays", Stream: "admissions", Points: 656})
	wantErr(t, err, stream.ErrAsk)
}

// Steps of a year, many of them, are longer than a time can be.
func TestAWindowThatIsTooLong(t *testing.T) {
	for every, want := range map[string]bool{"1s": true, "24h0m0s": false, "": false, "x": false} {
		if _, err := (stream.Info{Every: every}).Over(1 << 24); (err == nil) != want {
			t.Errorf("2^24 steps of %q: %v", every, err)
		}
	}
	if over, err := (stream.Info{Every: "1h0m0s"}).Over(24); err != nil || over != 24*time.Hour {
		t.Errorf("%v %v", over, err)
	}
	for _, steps := range []int{-1, 1<<24 + 1} {
		if _, err := (stream.Info{Every: "1s"}).Over(steps); err == nil {
			t.Errorf("%d steps are taken", steps)
		}
	}
}
