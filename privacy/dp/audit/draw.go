package audit

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
)

// Draw fills dst with answers of a mechanism on one dataset, each from a run of its own and independent of the others.
//
// An answer that the mechanism holds back (a group below its threshold, a refusal) is [Absent]. Answers that are not integers
// are made integers in an order that keeps theirs, see [Ordered]; that is post-processing and costs the audit nothing but the
// digits it drops.
type Draw func(ctx context.Context, dst []int64) error

// Absent stands for no answer. It is the least int64; a mechanism that can answer this number has it counted as no answer.
const Absent = math.MinInt64

// Ordered makes an integer of a number, so that of two numbers the greater has the greater integer. NaN is [Absent], and
// negative zero is zero.
func Ordered(x float64) int64 {
	if math.IsNaN(x) {
		return Absent
	}
	bits := int64(math.Float64bits(x + 0))
	if bits < 0 {
		return -(bits & math.MaxInt64) // sign and magnitude to two's complement
	}
	return bits
}

// unordered is the number of which [Ordered] made an integer.
func unordered(v int64) float64 {
	if v < 0 {
		return math.Float64frombits(uint64(-v) | 1<<63)
	}
	return math.Float64frombits(uint64(v))
}

func processors() int { return runtime.GOMAXPROCS(0) }

const batch = 4096

// collect draws n answers with some goroutines at once, each with a Draw of its own.
func collect(ctx context.Context, draw func() Draw, n, workers int) ([]int64, error) {
	values := make([]int64, n)
	workers = max(1, min(workers, (n+batch-1)/batch))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		from, to := n*w/workers, n*(w+1)/workers
		wg.Go(func() {
			one := draw()
			for from < to {
				end := min(from+batch, to)
				if errs[w] = ctx.Err(); errs[w] == nil {
					errs[w] = one(ctx, values[from:end])
				}
				if errs[w] != nil {
					stop()
					return
				}
				from = end
			}
		})
	}
	wg.Wait()
	var err error
	for _, one := range errs {
		if one != nil && (err == nil || err == context.Canceled) {
			err = one
		}
	}
	if err != nil {
		return nil, fmt.Errorf("drawing answers: %w", err)
	}
	return values, nil
}
