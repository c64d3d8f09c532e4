package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/store"
)

// Errors of reading that callers act on.
var (
	ErrNoStream = errors.New("there is no such stream")
	ErrNotKept  = errors.New("steps so long ago are not kept any more")
	ErrAsk      = errors.New("a stream is read over a number of its steps, and at most 1000 points and 65536 numbers at once")
)

// Info is what may be known of a stream before it is read.
type Info struct {
	Dataset string    `json:"dataset"`
	Stream  string    `json:"stream"`
	SQL     string    `json:"sql"`
	Unit    string    `json:"unit"`
	Window  string    `json:"unit_window,omitempty"`
	Groups  []string  `json:"groups,omitempty"` // columns
	From    time.Time `json:"from"`
	Every   string    `json:"every"`
	Step    int64     `json:"step"` // the last one that is told; 0: none
	Until   time.Time `json:"until"`
	Halt    Halt      `json:"halt,omitempty"`
	Formal  bool      `json:"formal"`

	// Contribution is how one unit moves an epoch, which the question and the choice of steps enforce.
	Contribution continual.Contribution `json:"contribution"`
	Rho          int64                  `json:"rho_nano"` // of one epoch
	Places       int                    `json:"places,omitempty"`
}

// Ask is what somebody wants to read.
type Ask struct {
	Dataset, Stream string
	Over            time.Duration // a sliding window, a multiple of the step; 0: since the stream began
	Until           time.Time     // the end of the last step that is wanted; zero: the last one there is
	Points          int           // how many steps, each with the sums until its end; 0: 1
}

// Reading is what was released. It is post-processing of what the stream's epochs were charged for.
type Reading struct {
	Info
	Points []Point
	column string
	places []int // of groups that are numbers
}

// Point are the sums over the steps from From until Until.
type Point struct {
	Step        int64
	From, Until time.Time
	Deviation   float64 // the standard deviation of the noise, in the unit of the numbers
	Cells       []Cell
}

// Cell is one group: the sum, and where the true one lies at 95 % confidence, as far as noise goes. All are in units of 10^−Places.
type Cell struct {
	Keys           []relation.Value
	Sum, Low, High int64
}

// These bound one reading, so that a gateway can write it for many readers at once.
const (
	mostPoints  = 1000
	mostNumbers = 1 << 16 // of all groups at all points
)

// List tells which streams there are.
func (p *Publisher) List(ctx context.Context) ([]Info, error) {
	var all []Info
	for _, w := range p.workers() {
		in, _, err := w.info(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, in)
	}
	return all, nil
}

// Stream tells of one; [ErrNoStream] if there is none.
func (p *Publisher) Stream(ctx context.Context, dataset, name string) (Info, error) {
	w := p.worker(dataset, name)
	if w == nil {
		return Info{}, ErrNoStream
	}
	in, _, err := w.info(ctx)
	return in, err
}

// Scans are the columns that a stream is made of, those of time among them; nil if there is none.
func (p *Publisher) Scans(dataset, name string) []relation.Scan {
	w := p.worker(dataset, name)
	if w == nil {
		return nil
	}
	all := []relation.Scan{}
	for _, s := range w.plan.scans {
		one := relation.Scan{Table: s.Table, Fields: slices.Clone(s.Fields)}
		if c, ok := w.plan.clocks[s.Table]; ok {
			one.Fields = append(one.Fields, relation.Field{Source: c.source, As: timeName, Type: c.typ, Exact: true})
		}
		all = append(all, one)
	}
	return all
}

// info tells of a stream, with the parameters that it has.
func (w *worker) info(ctx context.Context) (Info, continual.Params, error) {
	plan := w.plan
	w.mu.Lock()
	halt := w.halt
	w.mu.Unlock()
	r, err := w.p.row(ctx, plan)
	switch {
	case errors.Is(err, errNoRow):
		r.params, err = plan.params, nil
	case errors.Is(err, ErrChanged):
		r.params, halt, err = plan.params, Changed, nil
	case err != nil:
		return Info{}, r.params, err
	}
	in := Info{
		Dataset: plan.Dataset, Stream: plan.Name, SQL: plan.SQL, Unit: plan.Unit.Name, From: plan.From.UTC(), Every: plan.Every.String(), Halt: halt,
		Formal: plan.formal, Contribution: r.params.Contribution, Rho: r.params.Rho, Places: plan.places,
	}
	if plan.Unit.Window > 0 {
		in.Window = plan.Unit.Window.String()
	}
	for _, k := range plan.Keys {
		in.Groups = append(in.Groups, k.Name)
	}
	if halt != Changed {
		in.Step, err = w.shownStep(ctx)
	}
	in.Until = plan.grid.begin(in.Step + 1).UTC()
	return in, r.params, err
}

// shownStep is the last step that is told by now. Steps are shown in their order.
func (w *worker) shownStep(ctx context.Context) (step int64, err error) {
	now := w.p.opt.Clock().UnixMilli()
	err = w.p.opt.DB.View(ctx, func(tx store.Tx) error {
		const get = `SELECT coalesce(max(step), 0) FROM dataset_stream_steps WHERE stream = ? AND shown <= ?`
		return tx.QueryRow(get, w.plan.key(), now).Scan(&step)
	})
	if err != nil {
		return 0, fmt.Errorf("reading the stream: %w", err)
	}
	return step, nil
}

// Read returns what was released. It charges nothing and reads no data.
func (p *Publisher) Read(ctx context.Context, ask Ask) (*Reading, error) {
	w := p.worker(ask.Dataset, ask.Stream)
	if w == nil {
		return nil, ErrNoStream
	}
	g := w.plan.grid
	if ask.Points == 0 {
		ask.Points = 1
	}
	if ask.Over < 0 || ask.Over%g.every != 0 || ask.Points < 1 || ask.Points > mostPoints || ask.Points > 1 && ask.Points*w.plan.cells > mostNumbers {
		return nil, ErrAsk
	}
	in, params, err := w.info(ctx)
	if err != nil {
		return nil, err
	}
	out := &Reading{Info: in, column: w.plan.column}
	for _, k := range w.plan.Keys {
		out.places = append(out.places, k.Type.Places)
	}
	last := in.Step
	if !ask.Until.IsZero() {
		last = min(last, int64(ask.Until.Sub(g.from)/g.every))
	}
	width := int64(ask.Over / g.every)
	var sums map[int64][]int64
	err = p.opt.DB.View(ctx, func(tx store.Tx) error {
		sums = map[int64][]int64{}
		for step := max(1, last-int64(ask.Points)+1); step <= last; step++ {
			for _, at := range []int64{step, before(step, width)} {
				if sums[at] != nil {
					continue
				}
				if sums[at], err = p.released(tx, w.plan, at); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the stream: %w", err)
	}
	for step := max(1, last-int64(ask.Points)+1); step <= last; step++ {
		pt, err := w.point(params, before(step, width), step, sums)
		if err != nil {
			return nil, err
		}
		out.Points = append(out.Points, pt)
	}
	return out, nil
}

// before is the step that a window of so many steps comes after.
func before(step, width int64) int64 {
	if width == 0 {
		return 0
	}
	return max(0, step-width)
}

// z is the quantile of the normal distribution that 95 % intervals have. The noise of a difference of releases is a sum of
// rounded Gaussians, and as good as one.
const z = 1.959963984540054

func (w *worker) point(params continual.Params, from, step int64, sums map[int64][]int64) (Point, error) {
	g := w.plan.grid
	dev, err := w.deviation(params, from, step)
	if err != nil {
		return Point{}, err
	}
	half := int64(math.Ceil(min(z*dev, 1<<62)))
	pt := Point{Step: step, From: g.begin(from + 1).UTC(), Until: g.begin(step + 1).UTC(), Deviation: dev * math.Pow10(-w.plan.places)}
	for i, s := range sums[step] {
		if b := sums[from][i]; b == math.MinInt64 {
			s = plus(plus(s, math.MaxInt64), 1)
		} else {
			s = plus(s, -b)
		}
		pt.Cells = append(pt.Cells, Cell{w.plan.group(i), s, plus(s, -half), plus(s, half)})
	}
	return pt, nil
}

// deviation is that of the difference of two releases. The noise of terms is drawn apart.
func (w *worker) deviation(params continual.Params, from, step int64) (float64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.meter == nil {
		m, err := params.Meter()
		if err != nil {
			return 0, err
		}
		w.meter = m
	}
	variance := 0.0
	for at := from + 1; at <= step; {
		term, local := w.plan.grid.term(at)
		end := step
		if per := w.plan.grid.per; per > 0 {
			end = min(end, (term+1)*per)
		}
		d, err := w.meter.Deviation(local-1, local+end-at)
		if err != nil {
			return 0, err
		}
		variance += d * d
		at = end + 1
	}
	return math.Sqrt(variance), nil
}

// MarshalJSON is the form that all doors give.
func (r *Reading) MarshalJSON() ([]byte, error) {
	type point struct {
		Step      int64            `json:"step"`
		From      time.Time        `json:"from"`
		Until     time.Time        `json:"until"`
		Deviation float64          `json:"deviation"`
		Rows      []map[string]any `json:"rows"`
	}
	points := []point{}
	for _, p := range r.Points {
		out := point{Step: p.Step, From: p.From, Until: p.Until, Deviation: p.Deviation, Rows: []map[string]any{}}
		for _, c := range p.Cells {
			row := map[string]any{r.column: decimal(c.Sum, r.Places), "low": decimal(c.Low, r.Places), "high": decimal(c.High, r.Places)}
			for i, k := range c.Keys {
				row[r.Groups[i]] = valueOf(k, r.places[i])
			}
			out.Rows = append(out.Rows, row)
		}
		points = append(points, out)
	}
	claim := ""
	if !r.Formal {
		claim = "no formal claim"
	}
	return json.Marshal(struct {
		Info
		Confidence float64 `json:"confidence"`
		Interval   string  `json:"interval"`
		Cost       int     `json:"cost"`
		Claim      string  `json:"claim,omitempty"`
		Column     string  `json:"column"` // what the sum is called in rows
		Points     []point `json:"points"`
	}{r.Info, 0.95, "of the noise alone", 0, claim, r.column, points})
}

// decimal is a number of that many places, exactly.
func decimal(x int64, places int) json.RawMessage {
	digits := fmt.Sprintf("%0*d", places+1, x)
	if x < 0 {
		digits = fmt.Sprintf("%0*d", places+2, x)
	}
	if places == 0 {
		return json.RawMessage(digits)
	}
	at := len(digits) - places
	return json.RawMessage(digits[:at] + "." + digits[at:])
}

func valueOf(v relation.Value, places int) any {
	switch {
	case v.Null:
		return nil
	case v.Kind == relation.Number:
		return decimal(v.Int, places)
	case v.Kind == relation.Truth:
		return v.Int != 0
	case v.Kind == relation.Date:
		return time.Unix(v.Int*86400, 0).UTC().Format(time.DateOnly)
	case v.Kind == relation.Time:
		return time.UnixMicro(v.Int).UTC()
	}
	return v.Text
}

// mostWindow bounds a sliding window, in steps.
const mostWindow = 1 << 24

// Over is how long a window of so many steps is; 0 for none.
func (in Info) Over(steps int) (time.Duration, error) {
	every, err := time.ParseDuration(in.Every)
	if err != nil || every <= 0 || steps < 0 || steps > mostWindow || int64(steps) > math.MaxInt64/int64(every) {
		return 0, ErrAsk
	}
	return time.Duration(steps) * every, nil
}
