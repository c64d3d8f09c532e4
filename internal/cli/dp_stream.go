package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/continual"
)

func (e *env) dpStreamCommand() *cobra.Command {
	return e.command("stream FILE", "Say what streams of running sums cost and how far off they will be",
		"Reads the parameters of streams (docs/spec/dp-continual.md) from a file or, with -, from standard input: a list, one after the\n"+
			"other, or a file with a member values. Prints a JSON line for each epoch of each: its steps, what the ledger is charged for\n"+
			"it, and the errors of its sums, as root mean squares. For a row that has a number of steps T and no method it prints the errors\n"+
			"of a running count at noise multiplier 1 by every method. A row that is not valid gets a line with its error, and the exit\n"+
			"status is 1; the others are still answered.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			in, _, err := e.open(args)
			if err != nil {
				return err
			}
			defer in.Close()
			return e.streamRows(ctx, in)
		})
}

const (
	longestStreams = 16 << 20 // bytes of a file of rows
	mostStreams    = 10_000
)

func (e *env) streamRows(ctx context.Context, in io.Reader) error {
	rows, err := readStreams(io.LimitReader(in, longestStreams+1))
	if err != nil {
		return fmt.Errorf("reading rows: %w", err)
	}
	out := json.NewEncoder(e.out)
	out.SetEscapeHTML(false)
	bad := 0
	for i, raw := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		lines, id, err := streamRow(raw)
		if err != nil {
			bad++
			if id == "" {
				id = fmt.Sprintf("row %d", i+1)
			}
			lines = []any{rowError{id, err.Error()}}
		}
		for _, line := range lines {
			if err := out.Encode(line); err != nil {
				return err
			}
		}
	}
	if bad > 0 {
		return refuse("each of them has a line with its error", "%d of %d rows are not valid", bad, len(rows))
	}
	return nil
}

// readStreams takes lists and members values apart.
func readStreams(in io.Reader) (rows []json.RawMessage, err error) {
	read := &counted{from: in}
	d := json.NewDecoder(read)
	for {
		var raw json.RawMessage
		switch err := d.Decode(&raw); {
		case read.n > longestStreams:
			return nil, errors.New("the file is too long")
		case errors.Is(err, io.EOF) && len(rows) == 0:
			return nil, errors.New("there are no rows")
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return nil, errors.New("the file is not JSON")
		}
		var list []json.RawMessage
		var file struct{ Values []json.RawMessage }
		switch {
		case json.Unmarshal(raw, &list) == nil:
			rows = append(rows, list...)
		case json.Unmarshal(raw, &file) == nil && file.Values != nil:
			rows = append(rows, file.Values...)
		default:
			rows = append(rows, raw)
		}
		if len(rows) > mostStreams {
			return nil, fmt.Errorf("there are more than %d rows", mostStreams)
		}
	}
}

type counted struct {
	from io.Reader
	n    int64
}

// Read implements io.Reader.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}

// streamRow answers one row.
func streamRow(raw json.RawMessage) (lines []any, id string, err error) {
	var kind struct {
		ID     string  `json:"id"`
		T      *int    `json:"T"`
		Method *string `json:"method"`
	}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return nil, "", errors.New("is not an object with the members of a stream")
	}
	if kind.T != nil && kind.Method == nil {
		line, err := runningCount(*kind.T)
		if err != nil {
			return nil, kind.ID, err
		}
		return []any{line}, kind.ID, nil
	}
	var row struct {
		ID string `json:"id"`
		continual.Params
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&row); err != nil {
		return nil, kind.ID, errors.New("has a member that is unknown or of the wrong type")
	}
	for n := range max(1, row.Epochs) {
		line, err := epochLine(row.ID, row.Params, n)
		if err != nil {
			return nil, kind.ID, err
		}
		lines = append(lines, line)
	}
	return lines, kind.ID, nil
}

func epochLine(id string, p continual.Params, n int) (any, error) {
	cost, err := p.Cost(n)
	if err != nil {
		return nil, err
	}
	a, err := p.Accuracy(n)
	if err != nil {
		return nil, err
	}
	rdp := map[string]int64{}
	for i, order := range account.Orders {
		rdp[strconv.Itoa(order)] = cost.RDP[i]
	}
	return struct {
		ID          string           `json:"id,omitempty"`
		Epoch       int              `json:"epoch"`
		Steps       int              `json:"steps"`
		RMSEMax     float64          `json:"rmse_max"`
		RMSEMean    float64          `json:"rmse_mean"`
		Sigma       float64          `json:"sigma"`
		Sensitivity float64          `json:"sensitivity"`
		Exact       bool             `json:"sensitivity_exact"`
		Rho         int64            `json:"rho_nano"`
		RDP         map[string]int64 `json:"rdp_nano"`
		Mu2         int64            `json:"mu2_nano"`
	}{id, n, p.Horizon << n, a.Max, a.Mean, a.Sigma, a.Sensitivity, a.Exact, cost.Rho, rdp, cost.Mu2}, nil
}

// runningCount is a row of the table of errors: one unit moves the count by one in one step, and the whole is ½-zCDP.
func runningCount(steps int) (any, error) {
	p := continual.Params{
		Method: continual.Tree, Keys: 1, Horizon: steps, Rho: 500_000_000,
		Contribution: continual.Contribution{Steps: 1, Apart: 1, Keys: 1, Most: 1},
	}
	tree, err := p.Accuracy(0)
	if err != nil {
		return nil, err
	}
	p.Method, p.Band = continual.SquareRoot, steps
	root, err := p.Accuracy(0)
	if err != nil {
		return nil, err
	}
	each := math.Sqrt(float64(steps)) // noise in each step, or the sum drawn anew in each with a share of the budget
	return struct {
		T               int     `json:"T"`
		Independent     float64 `json:"naive_independent_per_step_sum_rmse_max"`
		Recomputed      float64 `json:"naive_recompute_from_scratch_rmse"`
		TreeMax         float64 `json:"tree_rmse_max"`
		TreeMean        float64 `json:"tree_rmse_mean"`
		TreeSensitivity float64 `json:"tree_sensitivity2"`
		CombinedMax     float64 `json:"tree_combined_rmse_max"`
		CombinedMean    float64 `json:"tree_combined_rmse_mean"`
		RootMax         float64 `json:"sqrt_fact_rmse_max"`
		RootMean        float64 `json:"sqrt_fact_rmse_mean"`
		RootSensitivity float64 `json:"sqrt_fact_sens2"`
	}{
		steps, each, each, tree.PlainMax, tree.PlainMean, tree.Sensitivity * tree.Sensitivity, tree.Max, tree.Mean,
		root.Max, root.Mean, root.Sensitivity * root.Sensitivity,
	}, nil
}
