package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/privacy/dp/audit"
)

// mechanismFlags are those of scrim dp audit mechanism.
type mechanismFlags struct {
	claim              audit.Claim
	command, name      string
	pairs              []string
	real, asJSON       bool
	options            audit.ThresholdOptions
	sensitivity, moves int64
	timeout            time.Duration
}

var mechanismNames = map[string]string{
	"epsilon": "epsilon", "delta": "delta", "samples": "samples", "alpha": "alpha", "pairs": "pair", "mechanism": "mechanism",
	"sensitivity": "sensitivity", "moves": "moves",
}

func (e *env) auditMechanismCommand() *cobra.Command {
	var q mechanismFlags
	c := e.command("mechanism --epsilon E [--delta D] (--command 'PROGRAM …' [--pair NAME …] | --mechanism NAME)",
		"Audit a mechanism as a black box: how great must its ε be?",
		"Draws answers on two neighbouring datasets, a and b. Half of them choose an event by which an attacker would tell a from b, the\n"+
			"other half bound ε by it. The exit status is 1 if the bound is more than what is claimed, and the claim is refuted.\n"+
			"PROGRAM is started once, by the shell. It reads JSON lines {\"data\":\"a\",\"n\":4096} and answers each with a line of n numbers\n"+
			"(or null, for no answer); it knows itself what a and b are. With --pair there are several pairs of neighbours, {\"pair\":…}\n"+
			"names one, and the one that looks worst is audited. The protocol is in docs/spec/dp-audit.md.\n"+
			"NAME is one of scrim's own: "+strings.Join(audit.BuiltIns(), ", ")+".", nil, nil)
	c.RunE = func(_ *cobra.Command, _ []string) error {
		e.began = true
		switch {
		case !c.Flags().Changed("epsilon"):
			return misuse("--epsilon is needed: what does the mechanism claim?")
		case (q.command == "") == (q.name == ""):
			return misuse("give --command or --mechanism, and not both")
		case q.name != "" && (q.real || len(q.pairs) > 0):
			return misuse("--real and --pair belong to --command")
		case q.command != "" && (c.Flags().Changed("sensitivity") || c.Flags().Changed("moves")):
			return misuse("--sensitivity and --moves belong to --mechanism")
		case q.timeout <= 0:
			return misuse("--timeout must be more than 0")
		}
		return e.auditMechanism(c.Context(), &q)
	}
	f := c.Flags()
	f.Float64Var(&q.claim.Epsilon, "epsilon", 0, "the ε that the mechanism claims; audits see best between 1 and 3")
	f.Float64Var(&q.claim.Delta, "delta", 0, "the δ that it claims")
	f.StringVar(&q.command, "command", "", "a program that answers over its standard input and output")
	f.StringArrayVar(&q.pairs, "pair", nil, "a pair of neighbours that the program knows; may be repeated")
	f.BoolVar(&q.real, "real", false, "the program answers any numbers; default: integers of 64 bits")
	f.DurationVar(&q.timeout, "timeout", 10*time.Minute, "how long the whole audit may take")
	f.StringVar(&q.name, "mechanism", "", "one of scrim's own, with the noise that the claim needs")
	f.Int64Var(&q.sensitivity, "sensitivity", 1, "how far one unit moves the answer, as declared")
	f.Int64Var(&q.moves, "moves", 0, "how far it really does; default: as declared")
	f.IntVar(&q.options.Samples, "samples", 200_000, "answers from each side")
	f.Float64Var(&q.options.Alpha, "alpha", 1e-6, "how often the bound may be wrong")
	f.BoolVar(&q.asJSON, "json", false, "print JSON")
	return c
}

// mechanismReport is what scrim dp audit mechanism prints.
type mechanismReport struct {
	Mechanism  string         `json:"mechanism"` // a name of scrim's, or "command"
	Parameters string         `json:"parameters,omitempty"`
	Finding    audit.Finding  `json:"finding"`
	Pairs      []pairEstimate `json:"pairs,omitempty"` // in the order in which they were named
	Seconds    float64        `json:"seconds"`
	auditVerdict
}

// pairEstimate is what a pair looked like before one was chosen: no bound.
type pairEstimate struct {
	Pair     string  `json:"pair"`
	Estimate float64 `json:"estimate"`
}

func (e *env) auditMechanism(ctx context.Context, q *mechanismFlags) error {
	ctx, stop := context.WithTimeout(ctx, q.timeout)
	defer stop()
	began := time.Now()
	r, err := e.findMechanism(ctx, q)
	if err != nil {
		if ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return refuse("ask for fewer --samples, or give a longer --timeout", "the audit took more than %v", q.timeout)
		}
		return auditMistake(err, mechanismNames)
	}
	r.Seconds = time.Since(began).Seconds()
	r.auditVerdict = auditVerdict{
		Verdict: notRefuted,
		Sees:    "one answer of the mechanism on one of the two datasets; not its time, its errors, its memory, or several answers together",
		Proves: []string{
			"Not refuted is no proof: other neighbours, other events and more answers may show more.",
			"A mechanism that knows it is audited can behave until it is not.",
		},
	}
	if r.Finding.Refuted {
		r.Verdict = refuted
		r.Proves = []string{fmt.Sprintf("The claim is wrong, or the two datasets are no neighbours, or an event of probability %g has happened.", q.options.Alpha)}
	}
	if q.asJSON {
		if err := e.printJSON(r); err != nil {
			return err
		}
		return r.ended()
	}
	e.printFinding(r)
	e.printVerdict(r.auditVerdict)
	return r.ended()
}

func (e *env) findMechanism(ctx context.Context, q *mechanismFlags) (mechanismReport, error) {
	if q.name != "" {
		pair, parameters, err := audit.BuiltIn(q.name, audit.Setting{Claim: q.claim, Sensitivity: q.sensitivity, Moves: q.moves})
		if err != nil {
			return mechanismReport{}, err
		}
		f, err := audit.Threshold(ctx, pair, q.claim, q.options)
		return mechanismReport{Mechanism: q.name, Parameters: parameters, Finding: f}, err
	}
	p, closeProgram, err := e.startProgram(ctx, q.command, q.real)
	if err != nil {
		return mechanismReport{}, err
	}
	r, err := throughProgram(ctx, q, p)
	how, rest := closeProgram()
	const hint = "docs/spec/dp-audit.md says how a program is asked and what it answers"
	switch {
	case errors.Is(err, audit.ErrEnded):
		err = refuse(hint, "the program ended with %s before it had answered", how)
	case err != nil:
	case rest != nil:
		err = rest
	case !p.Varied():
		err = refuse(hint, "the program gave the same answer, or none, each time: nothing was audited")
	}
	return r, err
}

// throughProgram audits a program that runs.
func throughProgram(ctx context.Context, q *mechanismFlags, p *audit.Program) (r mechanismReport, err error) {
	r.Mechanism = "command"
	if len(q.pairs) == 0 {
		r.Finding, err = audit.Threshold(ctx, p.Pair(""), q.claim, q.options)
		return r, err
	}
	var pairs []audit.Pair
	for _, name := range q.pairs {
		pairs = append(pairs, p.Pair(name))
	}
	var looks []float64
	r.Finding, looks, err = audit.Worst(ctx, pairs, q.claim, q.options)
	for i, look := range looks {
		r.Pairs = append(r.Pairs, pairEstimate{q.pairs[i], look})
	}
	return r, err
}

// startProgram starts a program by the shell, with our standard error for its own. What it returns beside it ends the program, by the
// end of its input and after five seconds by force, and says how it ended if that was by itself, and what is wrong with the rest of its output.
func (e *env) startProgram(ctx context.Context, command string, real bool) (*audit.Program, func() (string, error), error) {
	c := shell(ctx, command)
	c.Stderr = e.err
	c.WaitDelay = stopTime
	in, err := c.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := c.Start(); err != nil {
		return nil, nil, fmt.Errorf("starting the program: %w", err)
	}
	// Once the shell is killed a child of it may still hold the other end of the pipe.
	release := context.AfterFunc(ctx, func() { out.Close() })
	p := audit.NewProgram(in, out, real)
	return p, func() (string, error) {
		in.Close()
		kill := time.AfterFunc(stopTime, func() { _ = c.Cancel(); out.Close() })
		defer kill.Stop()
		rest := p.Finish()
		release()
		_ = c.Wait()
		if c.ProcessState.Exited() {
			return fmt.Sprintf("status %d", c.ProcessState.ExitCode()), rest
		}
		return "a signal", rest
	}, nil
}

// stopTime is how long a program has to end by itself once its input is closed.
const stopTime = 5 * time.Second

func (e *env) printFinding(r mechanismReport) {
	f := r.Finding
	name := r.Mechanism
	if r.Parameters != "" {
		name += ", " + r.Parameters
	}
	if f.Pair != "" {
		name += ", pair " + printable(f.Pair)
	}
	e.auditLine("mechanism", "%s", name)
	for _, p := range r.Pairs {
		e.auditLine("", "pair %s looked like ε ≈ %.3f", printable(p.Pair), p.Estimate)
	}
	other := "b"
	if f.Likely == "b" {
		other = "a"
	}
	e.auditLine("claim", "%s", claimed(audit.Claim{Epsilon: f.Claimed, Delta: f.Delta}))
	e.auditLine("event", "%s: %d of %d on %s, %d of %d on %s", f.Event, f.Hits[0], f.Trials[0], f.Likely, f.Hits[1], f.Trials[1], other)
	e.auditLine("bound", "ε ≥ %.6f at δ = %g; wrong with probability at most %g (%s, %d answers a side, %.2f s)",
		floor6(f.Lower), f.Delta, f.Alpha, f.Method, f.Samples, r.Seconds)
}
