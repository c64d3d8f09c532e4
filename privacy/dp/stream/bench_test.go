package stream_test

import (
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/privacy/dp/stream"
)

// BenchmarkSteps takes steps of a stream of three groups from a source that has nothing, so that all time is the publisher's and the store's.
func BenchmarkSteps(b *testing.B) {
	r := openRig(b, budget.Budget{Dataset: "stays", Unit: budget.Unit{Name: "patient-hour", Window: time.Hour}, Plan: budget.Plan{Epsilon: 3_000_000_000, Delta: 1_000_000_000}})
	def := hourly()
	def.Method, def.Horizon, def.Epochs, def.Rho, def.From = continual.SquareRoot, 1<<20, 1, 1_000_000, began.AddDate(-100, 0, 0)
	d := stays()
	r.restart(plan(b, budget.Budget{Dataset: "stays", Unit: budget.Unit{Name: "patient-hour", Window: time.Hour}}, d, asked(b, d, false, true, 1, 1), def))
	at := def.From.Add(time.Hour)
	r.at(at)
	r.catchUp() // pays, and works out the epoch
	for b.Loop() {
		at = at.Add(time.Hour)
		r.at(at)
		r.catchUp()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
}

// BenchmarkReading reads a hundred points of a sliding window.
func BenchmarkReading(b *testing.B) {
	r := openRig(b, patientDays())
	def := hourly()
	def.Method, def.Horizon, def.Epochs = continual.SquareRoot, 512, 1
	r.restart(plan(b, patientDays(), stays(), asked(b, stays(), false, true, 1, 1), def))
	r.at(began.Add(200 * time.Hour))
	r.catchUp()
	for b.Loop() {
		r.read(stream.Ask{Points: 100, Over: 24 * time.Hour})
	}
}
