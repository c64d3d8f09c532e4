package query

import "github.com/scrimhq/scrim/data/sql/relation"

// Plan is a question that was understood: what is computed, whatever the data. It is immutable.
type Plan struct {
	Dataset    *Dataset
	Relation   relation.Bounded
	Keys       []Key       // as Relation.Keys
	Measures   []Measure   // the numbers that get noise
	Aggregates []Aggregate // what is made of them
	Columns    []Output    // of the answer
	Having     Post        // rows of the answer for which it is true, after noise; nil: all
	Order      []Order
	Limit      int64 // −1: none
	Scans      []relation.Scan
	// Restricted is whether rows are limited to the blocks of time that are paid for.
	Restricted bool
}

// Key is one column that groups.
type Key struct {
	Name   string
	Type   relation.Type
	Values []relation.Value // the public domain: each combination is in the answer, whether or not anybody is in it. nil: private
}

// Private is whether groups have to be selected: some key has no public domain.
func (p *Plan) Private() bool {
	for _, k := range p.Keys {
		if k.Values == nil {
			return true
		}
	}
	return false
}

// Measure is one number for each group, or one vector of them, that gets noise.
type Measure struct {
	Sum  int // index of Relation.Sums; −1: it is bins
	Bins int // index of Relation.Bins; −1: it is a sum
	// Most is how far one unit moves it in one group at most: a sum by |Most|; of bins, so many rows of it move by 1 each.
	Most   int64
	Levels int   // of bins: how many levels of nodes get noise, so that each row moves so many numbers; else 1
	Fanout int   // of bins: children of a node
	Places int   // decimal places of the number; negative where it counts coarser steps: of 10^−Places
	Weight int64 // relative importance when a budget is split; 1 unless a question says otherwise
}

// AggregateKind is what is made of noisy numbers.
type AggregateKind uint8

// The kinds, with the measures that each is made of, in order.
const (
	CountAggregate     AggregateKind = iota // the count
	SumAggregate                            // the sum
	AvgAggregate                            // Σ(x−centre), count: centre + quotient
	VarianceAggregate                       // Σ(x−centre)², Σ(x−centre), count; population variance
	StdDevAggregate                         // as variance: its root
	QuantileAggregate                       // bins
	HistogramAggregate                      // bins
)

// Aggregate is one aggregate of a question.
type Aggregate struct {
	Kind     AggregateKind
	Text     string // canonical, such as avg(age): for explanations
	Measures []int
	Centre   int64         // in the places of Type
	Type     relation.Type // of the column: places and bounds that results are brought into
	Sample   bool          // variance divides by n−1
	Q        [2]int64      // of a quantile: numerator and denominator
	Edges    []int64       // of a histogram: left edges and the last right one, in the places of Type
}

// Output is one column of an answer.
type Output struct {
	Name string
	Expr Post
}

// Order sorts rows of an answer by one of its columns.
type Order struct {
	Column int
	Desc   bool
}

// Post is an expression over keys and noisy aggregates: whatever it computes is post-processing. It is computed in exact rational
// arithmetic.
type Post interface{ post() }

// The expressions.
type (
	// PostKey is a key of the group.
	PostKey struct{ Key int }
	// PostAggregate is an aggregate of the group.
	PostAggregate struct{ Aggregate int }
	// PostConst is a constant.
	PostConst struct {
		Value relation.Value
		Type  relation.Type
	}
	// PostArith is Add, Sub, Mul, Div, Mod, Least or Greatest; division by zero is NULL.
	PostArith struct {
		Op   relation.ArithOp
		L, R Post
	}
	// PostCompare compares.
	PostCompare struct {
		Op   relation.CompareOp
		L, R Post
	}
	// PostLogic is AND or OR.
	PostLogic struct {
		Or bool
		Of []Post
	}
	// PostNot negates.
	PostNot struct{ X Post }
	// PostIsNull is true or false.
	PostIsNull struct{ X Post }
	// PostCase is the first Then whose If is true, else Else.
	PostCase struct {
		Whens []PostWhen
		Else  Post
	}
	// PostRound rounds to decimal places, halves away from zero.
	PostRound struct {
		X      Post
		Places int
	}
)

// PostWhen is one branch of a [PostCase].
type PostWhen struct{ If, Then Post }

func (PostKey) post()       {}
func (PostAggregate) post() {}
func (PostConst) post()     {}
func (PostArith) post()     {}
func (PostCompare) post()   {}
func (PostLogic) post()     {}
func (PostNot) post()       {}
func (PostIsNull) post()    {}
func (PostCase) post()      {}
func (PostRound) post()     {}
