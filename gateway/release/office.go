package release

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// The states of a release.
const (
	opened    = "opened"
	closed    = "closed"
	published = "published"
	failed    = "failed"
)

// Release decides a table by the snapshot, has it written, and returns its manifest when the table has its final name.
//
// Whatever fails and whenever: a table that has its final name is on record. The error is [*Refused], itself on record, where
// policy says no. A job that resumes goes on with what an interrupted one of the same plan and destination left; where that
// one's table was published already, nothing is written, and the record says so.
func (o *Office) Release(ctx context.Context, s *gateway.Snapshot, order Order, job Job) (*Manifest, error) {
	order.bound = o.bound
	d, err := Decide(s, order, job.Columns, job.Model)
	if err != nil {
		return nil, err
	}
	r := &run{office: o, snap: s, job: &job, decision: d, began: o.now()}
	if r.before, err = r.earlier(ctx); err != nil {
		return nil, err
	}
	if r.before != nil {
		d.Query.Flow.Parent = r.before.flow
	}
	if no := d.Refused(); no != nil {
		no.Flow = d.Query.Flow.ID
		return nil, r.refuse(ctx, no)
	}
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	err = job.Run(ctx, func(out Outcome) error { return r.close(ctx, out) })
	switch {
	case err == nil && r.manifest == nil:
		err = errors.New("the table was published without a record")
	case err == nil:
		return r.manifest, r.publish(context.WithoutCancel(ctx))
	case errors.Is(err, table.ErrExists) && r.before != nil && r.before.state == closed:
		return r.found(ctx)
	}
	return nil, errors.Join(err, r.giveUp(ctx, err))
}

func (o *Office) now() time.Time {
	if o.Clock != nil {
		return o.Clock()
	}
	return time.Now()
}

// run is one release on its way.
type run struct {
	office   *Office
	snap     *gateway.Snapshot
	job      *Job
	decision *Decision
	began    time.Time
	before   *past // what was interrupted; nil: nothing
	manifest *Manifest
}

// past is a release that did not come to its end.
type past struct {
	flow  flow.ID
	state string
}

// earlier finds what a job that resumes goes on with: the last release of the plan to the destination that was not published.
func (r *run) earlier(ctx context.Context) (*past, error) {
	if !r.job.Resume {
		return nil, nil
	}
	var p *past
	err := r.office.DB.View(ctx, func(tx store.Tx) error {
		var one past
		err := tx.QueryRow(`SELECT flow, state FROM releases WHERE target = ? AND plan = ? AND state <> ?
			ORDER BY CASE state WHEN 'closed' THEN 0 ELSE 1 END, flow DESC LIMIT 1`, r.target(), r.job.Plan, published).Scan(&one.flow, &one.state)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		p = &one
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for the release that was interrupted: %w", err)
	}
	return p, nil
}

func (r *run) target() []byte {
	sum := sha256.Sum256([]byte("scrim release target\n" + r.job.Target))
	return sum[:]
}

// bound returns the contracts that bind a flow now.
func (o *Office) bound(f *flow.Flow) gateway.Agreed {
	if o.Contracts == nil {
		return nil
	}
	return o.Contracts.InForce(f, o.now())
}

// event is what all rows of the release have in common.
func (r *run) event(outcome flow.Outcome, reason string, m policy.Model) flow.Event {
	d := r.decision
	ev := flow.Event{
		Time: r.office.now(), Flow: d.Query.Flow, Outcome: outcome, Reason: reason, PolicyHash: d.Terms.PolicyHash, ConfigHash: r.snap.ConfigHash,
		Levels: flow.CountLevels(d.Leaves, d.Terms.Leaves), Policies: slices.Clone(d.Terms.Policies), Contracts: d.Terms.Contracts, NoSubject: len(d.Leaves),
		Table: &flow.Table{Plan: r.job.Plan, K: m.K, L: m.L, T: m.T, Risk: m.Risk},
	}
	if len(d.Terms.Shadow) == len(d.Leaves) && len(d.Leaves) > 0 {
		ev.Shadow = flow.CountLevels(d.Leaves, d.Terms.Shadow)
	}
	for _, t := range d.Terms.Leaves {
		for _, id := range t.Policies {
			if !slices.Contains(ev.Policies, id) {
				ev.Policies = append(ev.Policies, id)
			}
		}
	}
	return ev
}

// record appends a row, with whatever else belongs into its transaction, durable when it returns.
func (r *run) record(ctx context.Context, ev flow.Event, sealed []byte, also ...func(store.Tx) error) (rec flow.Receipt, err error) {
	err = r.office.DB.Update(ctx, func(tx store.Tx) error {
		for _, f := range also {
			if f == nil {
				continue
			}
			if err := f(tx); err != nil {
				return err
			}
		}
		var err error
		rec, err = r.office.Journal.Append(tx, ev, audit.Private{Sealed: sealed})
		return err
	})
	if err != nil {
		return rec, fmt.Errorf("putting the release on record: %w", err)
	}
	return rec, nil
}

// inputs are the sealed inputs of the decision. Of each column they say as its need what is made of it.
func (r *run) inputs(made func(*Column) flow.Treatment) ([]byte, error) {
	d := r.decision
	leaves := slices.Clone(d.Leaves)
	for i := range min(len(leaves), len(r.job.Columns)) {
		t := made(&r.job.Columns[i])
		leaves[i].Need = &t
	}
	plain, err := gateway.EncodeInputs(gateway.Inputs{Query: d.Query.Query, Leaves: leaves, Terms: d.Terms.Leaves})
	if err != nil {
		return nil, err
	}
	return r.office.Seal.Seal(plain, []byte(d.Query.Flow.ID))
}

func (r *run) refuse(ctx context.Context, no *Refused) error {
	sealed, err := r.inputs((*Column).promised)
	if err != nil {
		return fmt.Errorf("sealing the decision: %w", err)
	}
	reason := "release refused: " + no.Reason
	if no.Reason == "" {
		reason = fmt.Sprintf("release refused: the plan reveals more than the terms of %d columns", len(no.Columns))
	}
	if _, err := r.record(ctx, r.event(flow.Refused, reason, r.job.Model), sealed); err != nil {
		return err
	}
	return no
}

// open puts on record that the table is being written, with what the plan promises.
func (r *run) open(ctx context.Context) error {
	sealed, err := r.inputs((*Column).promised)
	if err != nil {
		return fmt.Errorf("sealing the decision: %w", err)
	}
	reason := "release opened"
	if r.before != nil {
		reason = "release resumed"
	}
	_, err = r.record(ctx, r.event(flow.Opened, reason, r.job.Model), sealed, func(tx store.Tx) error {
		_, err := tx.Exec(`INSERT INTO releases (flow, target, plan, state) VALUES (?, ?, ?, ?)`, string(r.decision.Query.Flow.ID), r.target(), r.job.Plan, opened)
		return err
	})
	return err
}

// close checks that the table is what was decided, puts it on record, and keeps manifest and lineage beside it.
func (r *run) close(ctx context.Context, out Outcome) error {
	switch {
	case out.Plan != r.job.Plan:
		return ErrPlan
	case !atLeast(out.Model, r.job.Model):
		return ErrWeaker
	case out.Digest == "" || out.Fingerprint == "":
		return errors.New("a table without a digest and a fingerprint of its source cannot be put on record")
	}
	nonce := make([]byte, 32)
	_, _ = rand.Read(nonce)
	secret, err := json.Marshal(sourceSecret{Fingerprint: out.Fingerprint, Nonce: nonce})
	if err != nil {
		return err
	}
	id := r.decision.Query.Flow.ID
	sealed, err := r.office.Secrets.Seal(secret, []byte(id))
	if err != nil {
		return fmt.Errorf("sealing the source's fingerprint: %w", err)
	}
	reason := "release closed"
	if out.Broken {
		reason = "release closed: the stream ended by an error"
	}
	ev := r.event(flow.Closed, reason, out.Model)
	ev.Table.Source, ev.Table.Digest = Commitment(out.Fingerprint, nonce), out.Digest
	ev.Table.In, ev.Table.Out, ev.Table.Suppressed = out.In, out.Out, out.Suppressed
	ev.Took = r.office.now().Sub(r.began)
	decided, err := r.inputs(out.made)
	if err != nil {
		return fmt.Errorf("sealing the decision: %w", err)
	}
	rec, err := r.record(ctx, ev, decided, r.job.Mint, func(tx store.Tx) error {
		if !slices.Equal(r.office.bound(&r.decision.Query.Flow).IDs(), r.decision.Terms.Contracts) {
			return ErrContract
		}
		_, err := tx.Exec(`UPDATE releases SET state = ?, sealed = ? WHERE flow = ?`, closed, sealed, string(id))
		return err
	})
	if err != nil {
		return err
	}
	m := r.describe(out, ev, rec)
	if r.job.Beside != nil {
		if err := r.beside(m); err != nil {
			return err
		}
	}
	r.manifest = m
	return nil
}

// sourceSecret opens the commitment to a source.
type sourceSecret struct {
	Fingerprint string `json:"fingerprint"`
	Nonce       []byte `json:"nonce"`
}

// Commitment binds a release to its source without telling anything about it: a fingerprint alone could be tried out by whoever
// knows most of a small table.
func Commitment(fingerprint string, nonce []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "scrim release source\n%d\n%s", len(fingerprint), fingerprint)
	h.Write(nonce)
	return hex.EncodeToString(h.Sum(nil))
}

// atLeast reports whether a guarantee is no weaker than the promised one.
func atLeast(got, promised policy.Model) bool {
	above := func(limit, n int) bool { return limit > 0 && limit < 1000 && (n == 0 || n > limit) }
	return max(got.K, 1) >= promised.K && max(got.L, 1) >= promised.L && !above(promised.T, got.T) && !above(promised.Risk, got.Risk)
}

// found puts on record that the table of an interrupted release stands under its final name.
func (r *run) found(ctx context.Context) (*Manifest, error) {
	ev := r.event(flow.Closed, "the table of the release before was found published", r.job.Model)
	_, err := r.record(ctx, ev, nil, func(tx store.Tx) error {
		_, err := tx.Exec(`UPDATE releases SET state = ? WHERE target = ? AND plan = ?`, published, r.target(), r.job.Plan)
		return err
	})
	if err != nil {
		return nil, err
	}
	return nil, &Published{Flow: r.before.flow, Record: ev.Flow.ID}
}

// Published says that there is nothing to resume: the table has its final name. Its error is [table.ErrExists].
type Published struct {
	Flow   flow.ID // of the release
	Record flow.ID // of the row that says so
}

// Error says it in words.
func (p *Published) Error() string {
	return fmt.Sprintf("the table was published by release %s before its process ended; on record as %s", p.Flow, p.Record)
}

// Unwrap returns [table.ErrExists].
func (p *Published) Unwrap() error { return table.ErrExists }

// giveUp puts on record that a release did not come to its end. After the closed row the table may be published or not: the record
// then goes on saying that it was.
func (r *run) giveUp(ctx context.Context, why error) error {
	if r.manifest != nil || r.job.Stream {
		return nil // of a stream rows have left: what was opened stays so, rather than be called refused
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	reason := "the table was not completed"
	switch {
	case errors.Is(why, context.Canceled):
		reason = "the release was cancelled"
	case errors.Is(why, ErrWeaker), errors.Is(why, ErrPlan):
		reason = why.Error()
	}
	_, err := r.record(ctx, r.event(flow.Refused, reason, r.job.Model), nil, func(tx store.Tx) error {
		// A closed row stands: what it says may be true.
		_, err := tx.Exec(`UPDATE releases SET state = ? WHERE flow = ? AND state = ?`, failed, string(r.decision.Query.Flow.ID), opened)
		return err
	})
	return err
}

// publish notes that the table has its name, and that nothing which was begun for it before is open any longer.
func (r *run) publish(ctx context.Context) error {
	return r.office.DB.Update(ctx, func(tx store.Tx) error {
		_, err := tx.Exec(`UPDATE releases SET state = ? WHERE target = ? AND plan = ?`, published, r.target(), r.job.Plan)
		return err
	})
}
