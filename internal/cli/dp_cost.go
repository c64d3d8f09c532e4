package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

func (e *env) dpCostCommand() *cobra.Command {
	var delta float64
	var asJSON bool
	c := e.command("cost MECHANISM…", "Say what mechanisms cost",
		"Takes mechanisms as kind and parameters, \"gaussian sigma=10 sensitivity=2 count=5\", or as JSON (docs/spec/dp-accounting.md lists\n"+
			"both) and prints the cost vector that the ledger would be charged for them, and the ε that they have together at --delta if\n"+
			"all are declared before the first one runs.", cobra.MinimumNArgs(1),
		func(_ context.Context, args []string) error {
			spec, err := mechanisms(args, "")
			if err != nil {
				return err
			}
			return e.printCost(spec, delta, asJSON)
		})
	c.Flags().Float64Var(&delta, "delta", 1e-6, "the δ at which ε is said")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func mechanisms(args []string, free string) ([]account.Mechanism, error) {
	var spec []account.Mechanism
	for i, a := range args {
		m, err := account.ParseMechanism(a, free)
		if err != nil {
			return nil, fmt.Errorf("mechanism %d: %w", i+1, err)
		}
		spec = append(spec, m)
	}
	return spec, nil
}

func (e *env) printCost(spec []account.Mechanism, delta float64, asJSON bool) error {
	v, err := account.VectorOf(spec...)
	if err != nil {
		return err
	}
	epsilon, by, err := account.Epsilon(spec, delta)
	if err != nil {
		return err
	}
	if asJSON {
		out := json.NewEncoder(e.out)
		out.SetEscapeHTML(false)
		return out.Encode(costJSON(v, delta, epsilon, by))
	}
	line := func(what, value, note string) { fmt.Fprintf(e.out, "%-10s %-22s %s\n", what, value, note) }
	line("ε", fixed(v.Epsilon, 9), "sum, for basic composition")
	line("δ", fixed(v.Delta, 15), "beside that ε")
	line("ρ", fixed(v.Rho, 9), "zero-concentrated")
	for i, order := range account.Orders {
		line("D_"+strconv.Itoa(order), fixed(v.RDP[i], 9), "Rényi")
	}
	line("μ²", fixed(v.Mu2, 9), "Gaussian")
	line("slack δ", fixed(v.Slack, 15), "beside ρ, Rényi and μ²")
	fmt.Fprintf(e.out, "\nDeclared together beforehand: ε = %s at δ = %s (%s)\n", ceilText(epsilon), strconv.FormatFloat(delta, 'g', -1, 64), by)
	return nil
}

func costJSON(v account.Vector, delta, epsilon float64, by string) any {
	entry := func(x int64) *int64 { // null: no such bound
		if x == account.Infinite {
			return nil
		}
		return &x
	}
	rdp := map[string]*int64{}
	for i, order := range account.Orders {
		rdp[strconv.Itoa(order)] = entry(v.RDP[i])
	}
	return struct {
		EpsilonNano *int64            `json:"epsilon_nano"`
		DeltaFemto  *int64            `json:"delta_femto"`
		RhoNano     *int64            `json:"rho_nano"`
		RDPNano     map[string]*int64 `json:"rdp_nano"`
		Mu2Nano     *int64            `json:"mu2_nano"`
		SlackFemto  *int64            `json:"slack_femto"`
		Delta       float64           `json:"delta"`
		Epsilon     float64           `json:"epsilon"`
		By          string            `json:"by"`
	}{entry(v.Epsilon), entry(v.Delta), entry(v.Rho), rdp, entry(v.Mu2), entry(v.Slack), delta, epsilon, by}
}

// fixed writes an integer as a decimal with so many places.
func fixed(x int64, places int) string {
	if x == account.Infinite {
		return "no bound"
	}
	return flow.Decimal(x, places)
}

// ceilText writes six digits, rounded up.
func ceilText(x float64) string {
	if x <= 0 {
		return "0"
	}
	unit := math.Pow(10, 5-math.Floor(math.Log10(x)))
	return strconv.FormatFloat(math.Ceil(x*unit)/unit, 'g', 7, 64)
}

func (e *env) dpCalibrateCommand() *cobra.Command {
	var epsilon, delta float64
	var find string
	var asJSON bool
	c := e.command("calibrate MECHANISM… --find PARAMETER --epsilon E [--delta D]", "Say how much noise a guarantee takes",
		"Takes mechanisms as dp cost does, some of which lack a parameter: sigma, scale, a, noise_parameter, q, epsilon, rho or mu. Prints the\n"+
			"least noise, or the greatest loss, for which all of them together are (ε, δ)-differentially private.", cobra.MinimumNArgs(1),
		func(_ context.Context, args []string) error {
			if find == "" {
				return misuse("--find names the parameter that the mechanisms lack")
			}
			spec, err := mechanisms(args, find)
			if err != nil {
				return err
			}
			x, by, err := account.Calibrate(spec, find, epsilon, delta)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(e.out).Encode(map[string]any{find: x, "by": by})
			}
			fmt.Fprintf(e.out, "%s = %s (%s)\n", find, strconv.FormatFloat(x, 'g', -1, 64), by)
			return nil
		})
	f := c.Flags()
	f.StringVar(&find, "find", "", "the parameter that the mechanisms lack")
	f.Float64Var(&epsilon, "epsilon", 0, "ε of all together")
	f.Float64Var(&delta, "delta", 0, "δ of all together")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return c
}
