package anonymity

import "context"

// Mondrian finds a local recoding by cutting the table's space into ever smaller boxes, each of which meets the models.
func Mondrian(ctx context.Context, t *Table, o Options) (*Solution, error) { return nil, ErrNone }
