package hospital

import (
	"context"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/privacy/dp/noise"
)

// CountQuery is the input of count_patients.
type CountQuery struct {
	Diagnosis string `json:"diagnosis" jsonschema:"ICD-10-CM code, or its beginning"`
}

// Counted is the output of count_patients.
type Counted struct {
	Count  int64 `json:"count" jsonschema:"how many there are, with noise"`
	Within int64 `json:"within" jsonschema:"the true count is no farther away in 95 of 100 answers"`
}

// The noise of count_patients: discrete Laplace with scale 4. One patient changes a count by 1, so an answer costs ε = 1/4.
const (
	CountScale  = 4
	countWithin = 12 // 4 ln 20, rounded up
)

// counter draws noise.
type counter struct {
	source *noise.Source
	law    noise.DiscreteLaplace
}

func newCounter() (*counter, error) {
	law, err := noise.NewDiscreteLaplace(noise.Ratio{Num: CountScale, Den: 1})
	return &counter{source: noise.NewSource(), law: law}, err
}

func (c *counter) release(n int64) int64 {
	return noise.Release(c.source, n, c.law)
}

func (r records) count(ctx context.Context, _ *mcp.CallToolRequest, q CountQuery) (*mcp.CallToolResult, Counted, error) {
	if q.Diagnosis == "" {
		return nil, Counted{}, errors.New("a diagnosis, or its beginning, is needed")
	}
	var n int64
	const query = `SELECT count(DISTINCT mrn) FROM conditions WHERE code LIKE ? ESCAPE '\'`
	if err := r.db.QueryRowContext(ctx, query, likeEscape.Replace(q.Diagnosis)+"%").Scan(&n); err != nil {
		return nil, Counted{}, fmt.Errorf("counting patients: %w", err)
	}
	return nil, Counted{Count: r.counter.release(n), Within: countWithin}, nil
}
