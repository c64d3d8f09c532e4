package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/privacy/dp/audit"
)

func (e *env) auditSamplersCommand() *cobra.Command {
	var options audit.FitOptions
	var asJSON bool
	c := e.command("samplers [--samples N] [--alarm P] [--json]", "Compare scrim's own noise with the laws that it must follow",
		"Draws from every kind of noise and choice that scrim has, with narrow, odd and wide parameters, and compares the answers with the\n"+
			"exact law: relative entropy, counts, ends, pairs, rows that come twice. All of them together fail for right samplers with\n"+
			"probability at most P; the exit status is 1 if one does not fit.", nil,
		func(ctx context.Context, _ []string) error { return e.auditSamplers(ctx, options, asJSON) })
	f := c.Flags()
	f.IntVar(&options.Samples, "samples", 1_000_000, "answers of each sampler")
	f.Float64Var(&options.Alarm, "alarm", 1e-9, "how often right samplers may be called wrong")
	f.BoolVar(&asJSON, "json", false, "print a JSON line for each, and one for all")
	return c
}

// samplerReport is a line of scrim dp audit samplers.
type samplerReport struct {
	Mechanism  string `json:"mechanism"`
	Parameters string `json:"parameters"`
	audit.Fitted
}

// samplersReport is its last line.
type samplersReport struct {
	Samplers int     `json:"samplers"`
	Failed   int     `json:"failed"`
	Alarm    float64 `json:"alarm"`
	Seconds  float64 `json:"seconds"`
	auditVerdict
}

func (e *env) auditSamplers(ctx context.Context, options audit.FitOptions, asJSON bool) error {
	if !(options.Alarm > 0 && options.Alarm < 1) {
		return misuse("--alarm must be more than 0 and less than 1")
	}
	all, err := audit.Samplers()
	if err != nil {
		return err
	}
	began := time.Now()
	sum := samplersReport{Samplers: len(all), Alarm: options.Alarm, auditVerdict: auditVerdict{
		Verdict: fits,
		Sees:    "answers of the samplers; not their time, and not where the randomness comes from",
		Proves: []string{
			"Fits is no proof: what is off by less than the number of answers shows is not seen; the proofs stand beside the samplers.",
			"It says nothing about what noise is added to: bounds and sensitivity are audited apart.",
		},
	}}
	options.Alarm /= float64(len(all)) // Bonferroni
	t := table{head: true, paint: map[int]func(string) string{}}
	t.add("mechanism", "parameters", "cells", "G", "chi-square", "p at most", "decided by", "verdict")
	for _, s := range all {
		f, err := audit.Fit(ctx, s.Law, s.Draw, options)
		if err != nil {
			return auditMistake(err, map[string]string{"samples": "samples", "alarm": "alarm"})
		}
		word := fits
		if !f.Pass {
			word, sum.Verdict = unfit, unfit
			sum.Failed++
		}
		if asJSON {
			if err := e.printJSON(samplerReport{s.Mechanism, s.Parameters, f}); err != nil {
				return err
			}
		}
		t.add(s.Mechanism, s.Parameters, fmt.Sprint(f.Cells), fmt.Sprintf("%.1f", f.G), fmt.Sprintf("%.4f", f.ChiTail), fmt.Sprintf("%.3g", f.PValue), f.By, word)
	}
	sum.Seconds = time.Since(began).Seconds()
	if asJSON {
		if err := e.printJSON(sum); err != nil {
			return err
		}
		return sum.ended()
	}
	t.write(e.out, e.style(e.out), "")
	fmt.Fprintln(e.out)
	e.auditLine("samplers", "%d, %d answers each, %.1f s; right ones fail with probability at most %g together", sum.Samplers, options.Samples, sum.Seconds, sum.Alarm)
	e.printVerdict(sum.auditVerdict)
	return sum.ended()
}
