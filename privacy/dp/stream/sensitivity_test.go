package stream_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/privacy/dp/stream"
)

// kind is one way in which a unit can have a part in a stream.
type kind struct {
	name         string
	budget       budget.Budget
	def          stream.Definition
	sum, byWard  bool
	rows, groups int64
}

func kinds() []kind {
	all, weeks := hourly(), hourly()
	all.Horizon, all.Epochs = 48, 1
	weeks.Every = 6 * time.Hour
	days := hourly()
	days.Horizon = 48
	return []kind{
		{"patient-day", patientDays(), days, false, false, 1, 0},
		{"patient-day, sums by ward", patientDays(), days, true, true, 3, 2},
		{"patient-day, in quarters", patientDays(), weeks, false, true, 2, 1},
		{"patient", patients(), all, false, true, 2, 2},
		{"patient, sums", patients(), all, true, false, 2, 0},
	}
}

// One unit of the budget, with all its rows more or less, moves the values of a stream in no more steps, groups and amount than its
// epoch is charged for: whatever lies in the data.
func TestAUnitMovesNoMoreThanIsPaidFor(t *testing.T) {
	rounds := 12
	for _, k := range kinds() {
		p := plan(t, k.budget, stays(), asked(t, stays(), k.sum, k.byWard, k.rows, k.groups), k.def)
		c := p.Params().Contribution
		rng := rand.New(rand.NewPCG(7, 11))
		most := 0
		for round := range rounds {
			h := randomHospital(rng)
			// A victim with rows in as many steps as there are, several to a step and in every ward.
			var of []stay
			victim := fmt.Sprint("victim ", round)
			for hour := range 48 {
				for range rng.IntN(5) {
					of = append(of, stay{victim, wards[rng.IntN(3)], began.Add(time.Duration(hour)*time.Hour + time.Duration(rng.IntN(3600))*time.Second), rng.Int64N(200) - 50})
				}
			}
			if w := k.budget.Unit.Window; w > 0 { // one unit is the rows of one window
				day := began.Add(24 * time.Hour * time.Duration(rng.IntN(2)))
				of = slices.DeleteFunc(of, func(s stay) bool { return s.at.Before(day) || !s.at.Before(day.Add(w)) })
			}
			moved := moves(t, p, h, of)
			if len(moved.steps) > c.Steps || moved.groups > c.Keys || moved.most > c.Most {
				t.Fatalf("%s: a unit moves %+v, and is charged as %+v", k.name, moved, c)
			}
			for i := 1; i < len(moved.steps); i++ {
				if moved.steps[i]-moved.steps[i-1] < int64(c.Apart) {
					t.Fatalf("%s: a unit moves steps %v, and is charged as being %d apart", k.name, moved.steps, c.Apart)
				}
			}
			most = max(most, len(moved.steps))
		}
		if most < c.Steps/2 {
			t.Errorf("%s: no unit moved more than %d of %d steps: the test sees nothing", k.name, most, c.Steps)
		}
	}
}

type moved struct {
	steps  []int64
	groups int
	most   int64
}

// moves compares the values of all steps with and without some rows.
func moves(t *testing.T, p *stream.Plan, h *hospital, of []stay) (m moved) {
	t.Helper()
	with := &hospital{stays: slices.Concat(h.stays, of)}
	steps := int64(48 * time.Hour / p.Every)
	for step := int64(1); step <= steps; step++ {
		a, err := p.Values(t.Context(), stream.Source{Engine: h, Seed: relation.Seed{3}}, step)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Values(t.Context(), stream.Source{Engine: with, Seed: relation.Seed{3}}, step)
		if err != nil {
			t.Fatal(err)
		}
		groups := 0
		for i := range a {
			if d := max(a[i]-b[i], b[i]-a[i]); d > 0 {
				groups++
				m.most = max(m.most, d)
			}
		}
		if groups > 0 {
			m.steps = append(m.steps, step)
			m.groups = max(m.groups, groups)
		}
	}
	return m
}

func randomHospital(rng *rand.Rand) *hospital {
	h := &hospital{}
	for range rng.IntN(30) {
		h.admit(stay{fmt.Sprint(rng.IntN(9)), wards[rng.IntN(3)], began.Add(time.Duration(rng.IntN(48*60)) * time.Minute), rng.Int64N(40)})
	}
	return h
}

func TestDefinitionsThatAreRefused(t *testing.T) {
	timeless := stays()
	timeless.Tables[0].Time = ""
	blocks := patientDays()
	blocks.Blocks = budget.Blocks{Kind: budget.BlocksTime, Width: 48 * time.Hour, From: began.Add(-96 * time.Hour), Count: 10}
	for name, try := range map[string]func() error{
		"every": func() error { // a step that holds two days of a patient would hold the unit twice
			d := hourly()
			d.Every = 48 * time.Hour
			_, err := stream.New(patientDays(), stays(), asked(t, stays(), false, false, 1, 0), d)
			return err
		},
		"from": func() error { // so would one that begins at half past
			d := hourly()
			d.From = began.Add(30 * time.Minute)
			_, err := stream.New(patientDays(), stays(), asked(t, stays(), false, false, 1, 0), d)
			return err
		},
		"sql": func() error {
			_, err := stream.New(patientDays(), timeless, asked(t, timeless, false, false, 1, 0), hourly())
			return err
		},
		"epsilon": func() error {
			d := hourly()
			d.Epsilon = 1_000_000
			_, err := stream.New(patientDays(), stays(), asked(t, stays(), false, false, 1, 0), d)
			return err
		},
		"horizon": func() error { // the block says it
			_, err := stream.New(blocks, stays(), asked(t, stays(), false, false, 1, 0), hourly())
			return err
		},
		"sql, private groups": func() error {
			q := asked(t, stays(), false, true, 1, 1)
			q.Keys[0].Values = nil
			_, err := stream.New(patientDays(), stays(), q, hourly())
			return err
		},
		"sql, two sums": func() error {
			q := asked(t, stays(), false, false, 1, 0)
			q.Measures = append(q.Measures, q.Measures[0])
			_, err := stream.New(patientDays(), stays(), q, hourly())
			return err
		},
	} {
		err := try()
		wantErr(t, err, stream.ErrDefinition)
		var e *stream.Error
		if e, _ = err.(*stream.Error); e == nil || e.Member != name && e.Member != name[:min(3, len(name))] {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// A unit that may be in every step costs what such a unit costs: more than an event does, by far.
func TestWhatAUnitCostsIsWhatItMayDo(t *testing.T) {
	q := asked(t, stays(), false, false, 1, 0)
	hours := patientDays()
	hours.Unit.Window = time.Hour
	sigma := func(b budget.Budget, band int) float64 {
		def := hourly()
		def.Method, def.Horizon, def.Epochs, def.Band = continual.SquareRoot, 256, 1, band
		a, err := plan(t, b, stays(), q, def).Params().Accuracy(0)
		if err != nil {
			t.Fatal(err)
		}
		return a.Max
	}
	hour, day, ever, wide := sigma(hours, 0), sigma(patientDays(), 0), sigma(patients(), 0), sigma(patients(), 256)
	t.Logf("errors are %.1f of a patient's hour, %.1f of its day, %.1f of the patient, %.1f with all coefficients", hour, day, ever, wide)
	if !(hour < day && day < ever && ever > 20*hour && ever < wide) {
		t.Error("a unit that may do more costs no more")
	}
}
