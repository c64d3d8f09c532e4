package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/privacy/dp/audit"
)

// oneRunFlags are those of scrim dp audit one-run.
type oneRunFlags struct {
	counts        audit.Guesses
	file          string
	guesses       int // with scores
	delta, alpha  float64
	epsilon       float64
	asJSON, claim bool
}

var oneRunNames = map[string]string{"m": "canaries", "r": "guesses", "v": "right", "delta": "delta", "alpha": "p", "epsilon": "epsilon"}

func (e *env) auditOneRunCommand() *cobra.Command {
	var q oneRunFlags
	c := e.command("one-run (--canaries M --guesses R --right V | --file FILE [--guesses R]) [--delta D] [--p P] [--epsilon E]",
		"Bound ε from the guesses about the canaries of a single run",
		"Each of M canaries was put in or left out by a fair coin of its own, the mechanism ran once, and somebody who saw the output and\n"+
			"not the coins guessed for R of them; V guesses were right. Prints the least ε that the mechanism can have, with confidence 1 − P\n"+
			"(Steinke, Nasr, Jagielski 2023). With --epsilon the exit status is 1 if that is more than what is claimed.\n"+
			"FILE is CSV, or - for standard input: columns \"in\" (0 or 1) and \"guess\" (0, 1 or empty), or \"in\" and \"score\", where\n"+
			"the R/2 highest scores are guessed to be in and the R/2 lowest out.", nil, nil)
	c.RunE = func(_ *cobra.Command, _ []string) error {
		e.began = true
		q.claim = c.Flags().Changed("epsilon")
		counts := c.Flags().Changed("canaries") || c.Flags().Changed("right")
		if counts == (q.file != "") {
			return misuse("give --canaries, --guesses and --right, or --file")
		}
		return e.auditOneRun(c.Context(), &q)
	}
	f := c.Flags()
	f.IntVar(&q.counts.Canaries, "canaries", 0, "how many canaries there were, in or out")
	f.IntVar(&q.guesses, "guesses", 0, "for how many of them there is a guess; decided before the run")
	f.IntVar(&q.counts.Right, "right", 0, "how many of the guesses were right")
	f.StringVar(&q.file, "file", "", "a file with a line for each canary")
	f.Float64Var(&q.delta, "delta", 0, "the δ of the mechanism")
	f.Float64Var(&q.alpha, "p", 0.05, "how often the bound may be wrong")
	f.Float64Var(&q.epsilon, "epsilon", 0, "the ε that the mechanism claims")
	f.BoolVar(&q.asJSON, "json", false, "print JSON")
	return c
}

// oneRunReport is what scrim dp audit one-run prints.
type oneRunReport struct {
	Canaries int      `json:"canaries"`
	Guesses  int      `json:"guesses"`
	Right    int      `json:"right"`
	Delta    float64  `json:"delta"`
	P        float64  `json:"p"`
	Lower    float64  `json:"lower"` // the bound on ε
	Claimed  *float64 `json:"claimed,omitempty"`
	PValue   *float64 `json:"p_value,omitempty"` // of the claim
	auditVerdict
}

func (e *env) auditOneRun(_ context.Context, q *oneRunFlags) error {
	q.counts.Guessed = q.guesses
	if q.file != "" {
		var err error
		if q.counts, err = e.readGuesses(q.file, q.guesses); err != nil {
			return err
		}
	}
	lower, err := audit.OneRun(q.counts, q.delta, q.alpha)
	if err != nil {
		return auditMistake(err, oneRunNames)
	}
	r := oneRunReport{
		Canaries: q.counts.Canaries, Guesses: q.counts.Guessed, Right: q.counts.Right, Delta: q.delta, P: q.alpha, Lower: lower,
		auditVerdict: auditVerdict{
			Verdict: onlyBound,
			Sees:    "the output of one run and all canaries, not the coins that put them in",
			Proves: []string{
				"The bound needs canaries put in by fair coins, independent of each other and of the guesser.",
				"A low bound proves nothing: better guesses, or other canaries, may find more.",
			},
		},
	}
	if q.claim {
		p, err := audit.OneRunPValue(q.counts, audit.Claim{Epsilon: q.epsilon, Delta: q.delta})
		if err != nil {
			return auditMistake(err, oneRunNames)
		}
		r.Claimed, r.PValue, r.Verdict = &q.epsilon, &p, notRefuted
		if lower > q.epsilon {
			r.Verdict = refuted
		}
	}
	if q.asJSON {
		if err := e.printJSON(r); err != nil {
			return err
		}
		return r.ended()
	}
	e.auditLine("run", "%d canaries, %d guesses, %d right", r.Canaries, r.Guesses, r.Right)
	if q.claim {
		e.auditLine("claim", "%s; if it holds, so many right guesses have probability at most %.3g", claimed(audit.Claim{Epsilon: q.epsilon, Delta: q.delta}), *r.PValue)
	}
	e.auditLine("bound", "ε ≥ %.6f at δ = %g; wrong with probability at most %g", floor6(lower), q.delta, q.alpha)
	e.printVerdict(r.auditVerdict)
	return r.ended()
}

// floor6 is x with six decimals, rounded down: a bound that is shown is one.
func floor6(x float64) float64 { return math.Floor(x*1e6) / 1e6 }

// readGuesses counts the lines of a file of guesses, or of scores.
func (e *env) readGuesses(path string, guesses int) (audit.Guesses, error) {
	var none audit.Guesses
	in := e.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return none, err
		}
		defer f.Close()
		in = f
	}
	rows := csv.NewReader(in)
	rows.ReuseRecord = true
	head, err := rows.Read()
	if err != nil {
		return none, fmt.Errorf("reading the heading of %s: %w", path, err)
	}
	inside, guess, score := slices.Index(head, "in"), slices.Index(head, "guess"), slices.Index(head, "score")
	switch {
	case inside < 0 || (guess < 0) == (score < 0):
		return none, misuse(`%s needs a column "in", and either "guess" or "score"`, path)
	case score >= 0 && (guesses < 2 || guesses%2 != 0):
		return none, misuse("scores need --guesses, an even number that was decided before the run")
	case guess >= 0 && guesses != 0:
		return none, misuse("--guesses belongs to scores; the file has guesses")
	}
	var seen audit.Guesses
	var scored []scoredCanary
	for line := 2; ; line++ {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return none, fmt.Errorf("reading %s: %w", path, err)
		}
		was := row[inside]
		if was != "0" && was != "1" {
			return none, fmt.Errorf(`%s, line %d: "in" must be 0 or 1`, path, line)
		}
		seen.Canaries++
		if score >= 0 {
			x, err := strconv.ParseFloat(row[score], 64)
			if err != nil || math.IsNaN(x) {
				return none, fmt.Errorf(`%s, line %d: "score" must be a number`, path, line)
			}
			scored = append(scored, scoredCanary{x, was == "1"})
			continue
		}
		switch g := row[guess]; {
		case g == "":
		case g != "0" && g != "1":
			return none, fmt.Errorf(`%s, line %d: "guess" must be 0, 1 or empty`, path, line)
		default:
			seen.Guessed++
			if g == was {
				seen.Right++
			}
		}
	}
	if score >= 0 {
		return guessed(scored, guesses)
	}
	return seen, nil
}

type scoredCanary struct {
	score float64
	in    bool
}

// guessed guesses the highest scores to be in and the lowest to be out. Which of equal scores are guessed is drawn by lot: in the order of a file that
// lists first who was in, every guess would be right.
func guessed(all []scoredCanary, guesses int) (audit.Guesses, error) {
	if guesses > len(all) {
		return audit.Guesses{}, misuse("--guesses must be at most the number of canaries, %d", len(all))
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	slices.SortStableFunc(all, func(x, y scoredCanary) int {
		switch {
		case x.score < y.score:
			return -1
		case x.score > y.score:
			return 1
		}
		return 0
	})
	g := audit.Guesses{Canaries: len(all), Guessed: guesses}
	for i := range guesses / 2 {
		if !all[i].in {
			g.Right++
		}
		if all[len(all)-1-i].in {
			g.Right++
		}
	}
	return g, nil
}
