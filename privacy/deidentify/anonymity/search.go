package anonymity

import "context"

// Metric is what a recoding loses. The zero value is [Loss].
type Metric uint8

// The metrics.
const (
	Loss              Metric = iota // geometric mean over attributes of 1 + mean loss of a cell, less 1
	NonUniformEntropy               // share of the table's information, attribute by attribute, that is lost
	Discernibility                  // sum over rows of the size of their class; of the table for suppressed rows
	AverageClassSize                // mean rows of a class beside the smallest size allowed
)

// Options say what a recoding must meet and how it is chosen.
type Options struct {
	Models      []Model // all of them must be met; at least one
	Suppression float64 // share of rows that may be suppressed, 0 to 1; the zero value allows none
	Metric      Metric  // what is made least
	Workers     int     // goroutines; 0: as many as there are processors. The result does not depend on it.
	Progress    func(Progress)
}

// Progress tells how far a search has come.
type Progress struct {
	Nodes    int64 // combinations of levels there are
	Resolved int64 // of these, known to be worse than the best or not to meet the models
	Checked  int64 // of these, looked at
}

// Search finds the global recoding, one level for each attribute, that meets the models with the least loss.
//
// The result is the optimum among all combinations of levels. Of several with the same score the one whose levels come first is
// taken, the first attribute's level compared first. It returns [ErrNone] if none meets the models.
func Search(ctx context.Context, t *Table, o Options) (*Solution, error) { return nil, ErrNone }

// Mondrian finds a local recoding by cutting the table's space into ever smaller boxes, each of which meets the models.
func Mondrian(ctx context.Context, t *Table, o Options) (*Solution, error) { return nil, ErrNone }

// Verify checks a solution again: it recodes every combination as a release would, forms classes of what comes out, and looks at each
// with the models' definitions, by none of the code that the search uses. Its errors wrap [ErrUnmet].
func Verify(ctx context.Context, t *Table, s *Solution, o Options) error { return ErrUnmet }
