package stream_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/stream"
)

// Questions as owners write them count what they say, in the steps of their rows.
func TestStreamsInSQL(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	h := randomHospital(rng)
	for n := range 90 {
		h.admit(stay{fmt.Sprint("q", n), wards[n%3], began.Add(time.Duration(n*13) * time.Minute), int64(n % 40)})
	}
	for sql, value := range map[string]func(stay) (string, int64){
		"SELECT count(*) FROM stays":                                      func(stay) (string, int64) { return "", 1 },
		"SELECT ward, sum(days) AS days FROM stays GROUP BY ward":         func(s stay) (string, int64) { return s.ward, min(max(s.days, 0), 30) },
		"SELECT count(*) FILTER (WHERE days >= 10) FROM stays":            func(s stay) (string, int64) { return "", truth(s.days >= 10) },
		"SELECT count(*) AS n, ward FROM stays WHERE days < 7 GROUP BY 2": func(s stay) (string, int64) { return s.ward, truth(s.days < 7) },
	} {
		for _, b := range []budget.Budget{patients(), patientDays()} {
			d := stays()
			d.Window = b.Unit.Window
			def := hourly()
			def.SQL, def.Rows, def.Horizon = sql, 64, 48
			p, err := stream.Compile(b, d, def)
			if err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
			for step := int64(1); step <= 12; step++ {
				want := map[string]int64{}
				for _, s := range h.stays {
					if from := began.Add(time.Duration(step-1) * time.Hour); !s.at.Before(from) && s.at.Before(from.Add(time.Hour)) {
						ward, v := value(s)
						want[ward] += v
					}
				}
				got, err := p.Values(t.Context(), stream.Source{Engine: h}, step)
				if err != nil {
					t.Fatal(err)
				}
				for i, v := range got {
					ward := ""
					if len(p.Keys) > 0 {
						ward = wards[i]
					}
					if v != want[ward] {
						t.Fatalf("%s, unit %s: step %d of %q is %d, want %d", sql, b.Unit.Name, step, ward, v, want[ward])
					}
				}
			}
		}
	}
}

func truth(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

func TestSQLThatIsNoStream(t *testing.T) {
	for _, sql := range []string{
		"SELECT avg(days) FROM stays", "SELECT count(*), sum(days) FROM stays", "SELECT count(*) + 1 FROM stays", "SELECT patient, count(*) FROM stays GROUP BY patient",
		"SELECT days, count(*) FROM stays GROUP BY days", "SELECT ward, count(*) FROM stays GROUP BY ward HAVING count(*) > 5", "SELECT ward, count(*) FROM stays GROUP BY ward LIMIT 1",
		"SELECT median(days) FROM stays", "SELECT count(*) FROM nowhere", "DROP TABLE stays", "", "SELECT ward FROM stays",
	} {
		def := hourly()
		def.SQL = sql
		_, err := stream.Compile(patients(), stays(), def)
		wantErr(t, err, stream.ErrDefinition)
	}
	_, err := stream.Compile(patients(), nil, hourly())
	wantErr(t, err, stream.ErrDefinition)
	d := stays() // whose questions know of no windows, and its budget does
	_, err = stream.Compile(patientDays(), d, hourly())
	wantErr(t, err, stream.ErrDefinition)
	b := patientDays() // or of others
	b.Blocks = budget.Blocks{Kind: budget.BlocksTime, Width: 48 * time.Hour, From: began.Add(-time.Hour), Count: 10}
	d.Window = 24 * time.Hour
	def := hourly()
	def.From, def.Horizon, def.Epochs = b.Blocks.From, 0, 0
	_, err = stream.Compile(b, d, def)
	wantErr(t, err, stream.ErrDefinition)
	d.Origin = b.Blocks.From
	if _, err = stream.Compile(b, d, def); err != nil {
		t.Error(err)
	}
}
