package stream

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/continual"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// Definition is what an owner declares of one stream: public, and the same for as long as the stream has its name.
type Definition struct {
	Dataset, Name string
	SQL           string        // one count or sum, by groups of declared values if by any
	Rows, Groups  int64         // that a unit counts with in one step; 0: the dataset's
	From          time.Time     // when the first step begins
	Every         time.Duration // how long each is
	Horizon       int           // steps that are paid for at first; each further epoch has twice as many. Of blocks of time: 0, it is the block
	Epochs        int           // how many there may be; 0: 1
	Method        continual.Method
	Band          int   // of the square root; 0: the package's default, or all
	Epsilon       int64 // nano: what one epoch costs at Delta, at most
	Delta         int64 // femto: at which an epoch is counted in (ε, δ)
	Rho           int64 // nano-ρ of one epoch, in place of Epsilon

	Grace time.Duration // how long after its end a step waits for rows that come late
	Pad   time.Duration // releases are told at multiples of this time after they were due
	Keep  int           // released steps that are kept for reading; 0: 10,000
}

// ErrDefinition is what every [*Error] is.
var ErrDefinition = errors.New("stream is not valid")

// Error says which member of a definition breaks which rule.
type Error struct {
	Member, Rule string
	Cause        error // of what was found further down
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("%v: %s %s", ErrDefinition, e.Member, e.Rule)
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns [ErrDefinition] and the cause.
func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{ErrDefinition}
	}
	return []error{ErrDefinition, e.Cause}
}

// Plan is a definition that was understood. It is immutable.
type Plan struct {
	Definition
	Unit budget.Unit
	Keys []query.Key // the groups, each with its declared values

	relation relation.Bounded // of all time; each step narrows it
	clocks   map[string]clock // of the tables whose rows have a time
	scans    []relation.Scan
	sum      int // index of relation.Sums
	places   int // decimal places of the sums
	cells    int
	column   string // what the sum is called
	formal   bool
	grid     grid
	params   continual.Params
	digest   [32]byte
}

// Params are those of the running sums.
func (p *Plan) Params() continual.Params { return p.params }

// Compile binds a definition to a dataset and its budget. Errors are [*Error], and depend on what is declared alone.
func Compile(b budget.Budget, d *query.Dataset, def Definition) (*Plan, error) {
	if d == nil {
		return nil, &Error{"dataset", "has no source to count in", nil}
	}
	q, err := query.Compile(d, query.Question{Dataset: d.Name, SQL: def.SQL, Rows: def.Rows, Groups: def.Groups})
	if err != nil {
		return nil, &Error{"sql", "is not understood", err}
	}
	return New(b, d, q, def)
}

// New makes a stream of a question that was compiled.
func New(b budget.Budget, d *query.Dataset, q *query.Plan, def Definition) (*Plan, error) {
	p := &Plan{Definition: def, Unit: b.Unit, Keys: q.Keys, relation: q.Relation, scans: q.Scans, formal: d.Formal}
	if err := p.measure(q); err != nil {
		return nil, err
	}
	if err := p.times(d, q); err != nil {
		return nil, err
	}
	var err error
	if p.grid, err = newGrid(b, def); err != nil {
		return nil, err
	}
	if p.params, err = p.running(b, q); err != nil {
		return nil, err
	}
	if w := b.Unit.Window; w != d.Window {
		return nil, &Error{"dataset", "has units of another window in its budget than in its questions", nil}
	} else if o := d.Origin; w > 0 && origin(b).Sub(cmp.Or(o, time.Unix(0, 0)))%w != 0 {
		return nil, &Error{"dataset", "has windows that begin elsewhere in its budget than in its questions", nil}
	}
	return p, p.seal(d)
}

// measure finds the one number of a question, and its groups.
func (p *Plan) measure(q *query.Plan) error {
	refuse := func(rule string) error { return &Error{"sql", rule, nil} }
	switch {
	case q.Private():
		return refuse("groups by values that are not declared; a stream has the same groups in every step, so declare them in the column's values")
	case len(q.Aggregates) != 1 || len(q.Measures) != 1:
		return refuse("has more than one aggregate, or one that is made of several numbers; a stream is one COUNT or SUM")
	case q.Aggregates[0].Kind != query.CountAggregate && q.Aggregates[0].Kind != query.SumAggregate || q.Measures[0].Sum < 0:
		return refuse("is no COUNT or SUM")
	case q.Measures[0].Places < 0:
		return refuse("sums numbers whose bounds are too wide to be summed exactly")
	case q.Having != nil || q.Limit >= 0 || q.Restricted:
		return refuse("has HAVING or LIMIT, or names a time of its own; a stream has all of its groups in every step")
	case len(q.Columns) != len(q.Keys)+1:
		return refuse("selects something other than its groups and the count or sum")
	}
	for _, c := range q.Columns {
		switch c.Expr.(type) {
		case query.PostKey, *query.PostKey:
		case query.PostAggregate, *query.PostAggregate:
			p.column = c.Name
		default:
			return refuse("computes with the count or sum; what is published is the number itself")
		}
	}
	named := map[string]bool{"low": true, "high": true, p.column: true}
	for _, k := range q.Keys {
		if named[k.Name] || p.column == "low" || p.column == "high" {
			return refuse("has two columns of one name, or one called low or high, which its intervals are")
		}
		named[k.Name] = true
	}
	m := q.Measures[0]
	p.sum, p.places, p.cells = m.Sum, m.Places, 1
	for _, k := range q.Keys {
		if p.cells *= len(k.Values); p.cells > mostCells || p.cells < 1 {
			return refuse("has no groups, or more than 4096")
		}
	}
	return nil
}

// mostCells bounds the groups of a stream.
const mostCells = 4096

// running are the parameters of the sums: how one unit of the budget moves them is what the relation bounds in each step, in as many
// steps as [Plan.participations] proves.
func (p *Plan) running(b budget.Budget, q *query.Plan) (continual.Params, error) {
	most := q.Measures[0].Most
	if most < 0 {
		most = -most
	}
	groups := p.cells
	if g := q.Relation.Groups; g > 0 && g < int64(groups) {
		groups = int(g)
	}
	out := continual.Params{
		Method: p.Method, Keys: p.cells, Horizon: p.Horizon, Epochs: max(p.Epochs, 1), Band: p.Band,
		Contribution: continual.Contribution{Keys: groups, Most: most},
	}
	if p.grid.per > 0 {
		out.Horizon = int(p.grid.per)
	}
	if out.Epochs > 24 || out.Horizon > 1<<24>>(out.Epochs-1) {
		return out, &Error{"horizon", "with its epochs has more than 2^24 steps", nil}
	}
	longest := out.Horizon << (out.Epochs - 1)
	out.Contribution.Steps, out.Contribution.Apart = p.participations(longest), 1
	var err error
	if out.Rho, err = p.rho(b); err != nil {
		return out, err
	}
	if out.Band == 0 && p.Method == continual.SquareRoot {
		out.Band = bestBand(out, longest)
	}
	for n := range out.Epochs {
		if _, err := out.Cost(n); err != nil {
			return out, &Error{"stream", "asks for what running sums cannot do", err}
		}
	}
	return out, nil
}

// bestBand is that of least error, of a few: wide for units that are in few steps, 1 for those that are in all, whose noise had better be drawn
// for each step apart. Long streams take the package's default, or 1.
func bestBand(p continual.Params, longest int) int {
	usual := min(1024, longest)
	if longest > 1<<12 {
		if p.Contribution.Steps == longest {
			return 1
		}
		return usual
	}
	best, least := usual, math.Inf(1)
	for _, band := range []int{1, 4, 16, 64, 256, usual} {
		if p.Band = min(band, longest); p.Band <= usual {
			if a, err := p.Accuracy(max(p.Epochs, 1) - 1); err == nil && a.Max < least*(1-1e-9) {
				best, least = p.Band, a.Max
			}
		}
	}
	return best
}

// rho is what an epoch may cost: what was declared, or the most that is (ε, δ) for a Gaussian mechanism, in three digits, so that another
// machine's last bits make no other stream of it.
func (p *Plan) rho(b budget.Budget) (int64, error) {
	switch {
	case (p.Rho > 0) == (p.Epsilon > 0):
		return 0, &Error{"epsilon", "or rho says what an epoch costs, one of them", nil}
	case p.Rho > 0:
		return p.Rho, nil
	case p.Delta <= 0:
		return 0, &Error{"delta", "is needed with epsilon: a budget without δ has no room for Gaussian noise", nil}
	}
	mu, _, err := account.Calibrate([]account.Mechanism{{Kind: account.GDP}}, "mu", float64(p.Epsilon)/1e9, float64(p.Delta)/1e15)
	if err != nil {
		return 0, &Error{"epsilon", "cannot be met", err}
	}
	nano := int64(mu * mu / 2 * 1e9)
	for digit := int64(1); ; digit *= 10 {
		if nano/digit < 1000 {
			nano -= nano % digit
			break
		}
	}
	if nano < 1 {
		return 0, &Error{"epsilon", "is too small for Gaussian noise at this delta", nil}
	}
	return nano, nil
}

// seal sums up what makes the stream the one it is, the declarations that it is computed by among it. Grace, pad and what is kept may change.
func (p *Plan) seal(of *query.Dataset) error {
	d := p.Definition
	d.Grace, d.Pad, d.Keep = 0, 0, 0
	d.From = d.From.UTC()
	params := p.params
	params.Rho, params.Band = 0, p.Band // follow from what was declared, and stay as they were first worked out
	text, err := json.Marshal(struct {
		Definition   Definition
		Unit         budget.Unit
		Keys         []query.Key
		Params       continual.Params
		Sum, Places  int
		First, Per   int64
		Participates [2]int
		Reads        []reads
	}{d, p.Unit, p.Keys, params, p.sum, p.places, p.grid.first, p.grid.per, [2]int{params.Contribution.Steps, params.Contribution.Apart}, declared(of, p.scans)})
	if err != nil {
		return fmt.Errorf("summing up the stream: %w", err)
	}
	p.digest = sha256.Sum256(text)
	return nil
}

// key names the stream in the store.
func (d *Definition) key() string { return d.Dataset + "/" + d.Name }
