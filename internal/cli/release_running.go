package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	rows "github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
	"github.com/scrimhq/scrim/store"
)

// orderedRelease is what a running gateway is asked for. Paths are absolute: both are on one machine.
type orderedRelease struct {
	From, Plan, To, Beside, Dataset string
	Agent, Purpose, Criticality     string
	Consent, Approved, Resume       bool
	Workers                         int
	Checkpoint                      time.Duration
}

// releaseLine is one line of its answer.
type releaseLine struct {
	Progress *plan.Progress `json:",omitempty"`
	Outcome  *plan.Outcome  `json:",omitempty"`
	Said     string         `json:",omitempty"` // what goes to standard error
	Error    string         `json:",omitempty"`
	Is       string         `json:",omitempty"` // "exists" or "partial": errors that there is advice about
}

// releaseRunning has the gateway that holds the data directory release the table: keys and record are there.
func (e *env) releaseRunning(ctx context.Context, c *config.Config, a anonymizing, base string, tell func(plan.Progress)) (plan.Outcome, error) {
	if a.from == "-" {
		return plan.Outcome{}, refuse("Write it to a file first.", "the gateway that runs on %s releases the table, and cannot read this standard input", c.Data)
	}
	q := a.recipient
	ask := orderedRelease{
		Dataset: a.dataset, Agent: q.to, Purpose: q.purpose, Criticality: q.criticality, Consent: q.consent, Approved: q.approved,
		Resume: a.resume, Workers: a.workers, Checkpoint: a.checkpoint,
	}
	for to, path := range map[*string]string{&ask.From: a.from, &ask.Plan: a.plan, &ask.To: a.to, &ask.Beside: base} {
		var err error
		if *to, err = absolute(path); err != nil {
			return plan.Outcome{}, err
		}
	}
	var out plan.Outcome
	err := eitherWay(c, func(admin *adminClient) error {
		res, err := admin.send(ctx, http.MethodPost, "/api/v1/release", ask)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		out, err = e.followRelease(res.Body, tell)
		return err
	}, func() error {
		st, err := run.OpenState(ctx, c, store.Options{})
		if err != nil {
			return err
		}
		return errors.Join(errors.New("the gateway ended meanwhile; ask again"), st.Close())
	})
	return out, err
}

// followRelease reads the answer to its end. One that breaks off says neither that there is a table nor that there is none.
func (e *env) followRelease(body io.Reader, tell func(plan.Progress)) (plan.Outcome, error) {
	lines := json.NewDecoder(body)
	for {
		var line releaseLine
		if err := lines.Decode(&line); err != nil {
			return plan.Outcome{}, errors.New("the gateway broke off its answer; whether the table was released is in its log")
		}
		switch {
		case line.Progress != nil && tell != nil:
			tell(*line.Progress)
		case line.Error != "":
			return plan.Outcome{}, &told{line.Error, map[string]error{"exists": rows.ErrExists, "partial": rows.ErrPartial}[line.Is]}
		case line.Outcome != nil:
			_, err := io.WriteString(e.err, line.Said)
			return *line.Outcome, err
		}
	}
}

// told is an error of the running gateway.
type told struct {
	text string
	is   error
}

func (t *told) Error() string { return t.text }
func (t *told) Unwrap() error { return t.is }

// absolute is the path as another process has it. What names a database and no file stays.
func absolute(arg string) (string, error) {
	if file, ok := strings.CutPrefix(arg, "sqlite:"); ok {
		name, query, _ := strings.Cut(file, "?")
		path, err := filepath.Abs(name)
		return "sqlite:" + path + "?" + query, err
	}
	if strings.Contains(arg, "://") {
		return arg, nil
	}
	return filepath.Abs(arg)
}

// releaseHere answers /api/v1/release within the running gateway.
func (e *env) releaseHere(ctx context.Context, g *run.Gateway, raw json.RawMessage, tell func(any)) error {
	var ask orderedRelease
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&ask); err != nil {
		return errors.New("the body is not what this call takes; is the command of another version?")
	}
	var said bytes.Buffer
	here := &env{in: strings.NewReader(""), out: io.Discard, err: &said, models: e.models}
	out, err := here.releaseOrdered(ctx, g, ask, func(p plan.Progress) { tell(releaseLine{Progress: &p}) })
	switch {
	case errors.Is(err, rows.ErrExists):
		tell(releaseLine{Error: err.Error(), Is: "exists"})
	case errors.Is(err, rows.ErrPartial):
		tell(releaseLine{Error: err.Error(), Is: "partial"})
	case err != nil:
		tell(releaseLine{Error: err.Error()})
	default:
		tell(releaseLine{Outcome: &out, Said: said.String()})
	}
	return nil
}

func (e *env) releaseOrdered(ctx context.Context, g *run.Gateway, ask orderedRelease, tell func(plan.Progress)) (plan.Outcome, error) {
	a := anonymizing{plan: ask.Plan, to: ask.To, dataset: ask.Dataset, recipient: question{
		to: ask.Agent, purpose: ask.Purpose, criticality: ask.Criticality, consent: ask.Consent, approved: ask.Approved,
	}}
	query, err := a.recipient.query(g.Config())
	if err != nil {
		return plan.Outcome{}, err
	}
	src, err := e.openSource(ask.From)
	if err != nil {
		return plan.Outcome{}, err
	}
	defer src.Close()
	dst, err := e.openTarget(ask.To)
	if err != nil {
		return plan.Outcome{}, err
	}
	o := plan.Options{Workers: max(ask.Workers, 1), State: stateOf(ask.From), Resume: ask.Resume, Checkpoint: ask.Checkpoint, Progress: tell}
	return e.releaseBy(ctx, &releasing{anonymizing: a, state: g.State, snap: g.Gateway.Snapshot(), query: query, base: ask.Beside}, src, dst, o)
}
