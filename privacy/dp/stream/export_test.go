package stream

import "context"

// Values are what a step adds, without noise.
func (p *Plan) Values(ctx context.Context, src Source, step int64) ([]int64, error) {
	return p.values(ctx, src, step)
}
