package relation

import "context"

// Seed keys the hashes by which rows and groups of a unit are chosen. It is a secret of the dataset's owner and stays the same, so that a
// question that is asked anew counts the same rows.
type Seed [32]byte

// Engine computes bounded sums where the data lies.
type Engine interface {
	// Run computes q in one round trip and calls yield for each group, in no order, from one goroutine. Errors name what failed,
	// never a value, nor anything that depends on one.
	Run(ctx context.Context, q *Bounded, seed Seed, yield func(Group) error) error
	// Check reports whether the tables and columns of the scans are there.
	Check(ctx context.Context, scans []Scan) error
	Close() error
}
