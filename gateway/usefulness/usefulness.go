// Package usefulness takes what recipients say of values that they were sent, so that terms can be tuned: that a value served, was too
// coarse, could not be used at all, or was not needed.
//
// Only the recipient of a flow is heard about it, once for each place and each label. It is told the same whether there was such a value
// or not: what was dropped, and which labels a message had, is not found out by asking. docs/spec/incidents.md describes it.
package usefulness

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"embed"
	stdjson "encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/offer"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema is this package's table.
func Schema() store.Schema { return store.Schema{Name: "gateway/usefulness", FS: migrations} }

// Verdict is what a recipient says of a value.
type Verdict string

// The verdicts.
const (
	Useful    Verdict = "useful"     // it served as it was shown
	TooCoarse Verdict = "too-coarse" // it would have served if more had shown
	Unusable  Verdict = "unusable"   // it broke what it was for
	NotNeeded Verdict = "not-needed" // the task would have done with less
)

// Verdicts are all.
var Verdicts = []Verdict{Useful, TooCoarse, Unusable, NotNeeded}

// The names under which agents find this.
const (
	Tool   = "scrim_usefulness"
	Method = "scrim/usefulness"
)

// Options of a service. Gateway, DB and Keys are needed.
type Options struct {
	Gateway *gateway.Gateway
	DB      store.DB
	Keys    *vault.Keyring
	Clock   func() time.Time // nil: time.Now
}

// Bounds.
const (
	perMinute  = 60                  // verdicts of one agent
	mostOfFlow = 256                 // verdicts about one flow
	mostKept   = 200_000             // verdicts that are kept, of the newest
	age        = 90 * 24 * time.Hour // of a flow that is still heard about, and of a verdict that is kept
	mostRows   = 4096                // of one flow that are looked at
	maxPlace   = 1024
	sweepEvery = 1000 // verdicts
)

// Service takes verdicts. It is safe for concurrent use.
type Service struct {
	opt    Options
	inputs *vault.AEAD
	key    [32]byte

	mu    sync.Mutex // guards the fields below
	rates map[caller]*minute
	taken int
}

type caller struct {
	domain flow.DomainID
	agent  flow.AgentID
}

// minute is what a caller said in the minute that began at a time. Callers are those of a configuration, so they are few.
type minute struct {
	began time.Time
	said  int
}

// New returns a service.
func New(opt Options) *Service {
	if opt.Clock == nil {
		opt.Clock = time.Now
	}
	return &Service{opt: opt, inputs: opt.Keys.AEAD("journal"), key: opt.Keys.Seed("usefulness"), rates: map[caller]*minute{}}
}

// Told is a verdict as an agent says it.
type Told struct {
	Reference flow.ID    `json:"reference"`
	Path      flow.Path  `json:"path,omitempty"`
	Label     flow.Label `json:"label,omitempty"`
	Verdict   Verdict    `json:"verdict"`
}

// Parse reads a verdict strictly. The error is a [*gateway.Refusal].
func Parse(arguments []byte) (Told, error) {
	var t Told
	dec := stdjson.NewDecoder(bytes.NewReader(arguments))
	dec.DisallowUnknownFields()
	if dec.Decode(&t) != nil || dec.Decode(new(any)) != io.EOF {
		return Told{}, misread("The arguments are not an object of reference, path or label, and verdict.")
	}
	switch {
	case !isReference(string(t.Reference)):
		return Told{}, misread("reference is not one that a privacy note gave.")
	case (t.Path == "") == (t.Label == ""):
		return Told{}, misread("Either path or label is wanted.")
	case len(t.Path) > maxPlace || len(t.Label) > maxPlace || !utf8.ValidString(string(t.Path)) || !utf8.ValidString(string(t.Label)):
		return Told{}, misread("path or label is too long.")
	case !slices.Contains(Verdicts, t.Verdict):
		return Told{}, misread("verdict is one of useful, too-coarse, unusable, not-needed.")
	}
	return t, nil
}

var errForm = errors.New("not a verdict")

func misread(text string) error { return gateway.Refuse(gateway.RulePlace, errForm, "%s", text) }

// isReference reports whether a text has the form of a flow's id.
func isReference(s string) bool {
	return len(s) == 26 && strings.Trim(s, "0123456789abcdefghijklmnopqrstuv") == ""
}

// take counts a verdict against its caller, or says how long to wait.
func (s *Service) take(p flow.Party) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, key := s.opt.Clock(), caller{p.Domain, p.Agent}
	m := s.rates[key]
	if m == nil {
		m = &minute{began: now}
		s.rates[key] = m
	}
	if gone := now.Sub(m.began); gone >= time.Minute || gone < 0 {
		*m = minute{began: now}
	}
	if m.said >= perMinute {
		return time.Minute - now.Sub(m.began)
	}
	m.said++
	return 0
}

// Hear takes a verdict of a call that was admitted. When it returns the verdict is kept and on record. The answer is the same whether the
// flow has such a value or not; the error is a [*gateway.Refusal] that is not on record yet, and the same whether there is no such flow or
// it had another recipient.
func (s *Service) Hear(ctx context.Context, c *offer.Call) error {
	g := s.opt.Gateway
	if wait := s.take(c.Caller.Party); wait > 0 {
		g.RetryAfter(ctx, wait)
		return gateway.Refuse(gateway.RuleRate, nil, "This caller may give %d verdicts a minute.", perMinute)
	}
	t, err := Parse(c.Arguments)
	if err != nil {
		return err
	}
	f := c.Flow
	f.From, f.To, f.Direction, f.Subject = c.Caller.Party, flow.Party{Agent: offer.Server, Domain: c.Snapshot.Domain}, flow.Request, Tool
	c.Authority.On(&f)
	if err := g.Prove(ctx, c.Snapshot, c.Authority, gateway.Invocation{Flow: f, Task: f.Task.ID, Tool: Tool, Arguments: c.Arguments}); err != nil {
		return err
	}
	found, ours, err := s.find(ctx, &t, c.Caller.Party)
	if err != nil {
		return gateway.Refuse(gateway.RuleInternal, err, "The verdict could not be taken.")
	}
	if !ours {
		return gateway.Refuse(gateway.RulePlace, errNotSent, "There is no such message that was sent to this caller.")
	}
	f.Parent = t.Reference
	sweep := s.due()
	return g.Mark(ctx, c.Snapshot, f, flow.Asked, 0, "verdict: "+string(t.Verdict), func(tx store.Tx) error {
		if sweep {
			if err := s.sweep(tx); err != nil {
				return err
			}
		}
		return s.keep(tx, &t, c.Caller.Party, found)
	})
}

var errNotSent = errors.New("no such message was sent to this caller")

// found is how the value was shown that a verdict is about; the zero value where the flow has none.
type found struct {
	label    flow.Label
	how      flow.Treatment
	policies []flow.PolicyID
}

// find looks for the value among what the caller was sent in the flow.
func (s *Service) find(ctx context.Context, t *Told, who flow.Party) (at found, ours bool, err error) {
	oldest := s.opt.Clock().Add(-age)
	for e, err := range audit.Entries(ctx, s.opt.DB, audit.Query{Flow: t.Reference, Limit: mostRows}) {
		if err != nil {
			return found{}, false, err
		}
		ev := &e.Event
		switch ev.Outcome {
		case flow.Released, flow.Replayed, flow.Segment:
		default:
			continue
		}
		if ev.Flow.To.Agent != who.Agent || ev.Flow.To.Domain != who.Domain || ev.Time.Before(oldest) {
			continue
		}
		ours = true
		if at.label == "" {
			at = s.look(&e, t)
		}
	}
	return at, ours, nil
}

// look looks for the value in one entry. Of several of a label it is the one that shows most.
func (s *Service) look(e *audit.Entry, t *Told) (at found) {
	plain, err := s.inputs.Open(e.Sealed, []byte(e.Event.Flow.ID))
	if err != nil {
		return found{} // pruned, or sealed by keys that are gone
	}
	in, err := gateway.DecodeInputs(plain)
	if err != nil || len(in.Terms) != len(in.Leaves) {
		return found{}
	}
	for i := range in.Leaves {
		leaf, terms := &in.Leaves[i], &in.Terms[i]
		label := leaf.Label
		if label == "" {
			label = flow.Unlabelled
		}
		if t.Path != "" && leaf.Path != t.Path || t.Label != "" && label != t.Label {
			continue
		}
		if at.label == "" || terms.Level > at.how.Level {
			at = found{label, terms.Treatment, terms.Policies}
		}
	}
	return at
}

// keep writes the verdict, one for each place and label of a flow: a later one takes the place of an earlier.
func (s *Service) keep(tx store.Tx, t *Told, who flow.Party, at found) error {
	leaf := s.digest(t)
	var n, there int64
	if err := tx.QueryRow("SELECT COUNT(*) FROM usefulness_verdicts WHERE flow = ?", string(t.Reference)).Scan(&n); err != nil {
		return err
	}
	if err := tx.QueryRow("SELECT COUNT(*) FROM usefulness_verdicts WHERE flow = ? AND leaf = ?", string(t.Reference), leaf).Scan(&there); err != nil {
		return err
	}
	if n >= mostOfFlow && there == 0 {
		return nil
	}
	var policies []string
	for _, p := range at.policies {
		policies = append(policies, string(p))
	}
	_, err := tx.Exec(`INSERT INTO usefulness_verdicts (flow, leaf, domain, agent, label, level, param, policies, verdict, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (flow, leaf) DO UPDATE SET verdict = excluded.verdict, at = excluded.at`,
		string(t.Reference), leaf, string(who.Domain), string(who.Agent), string(at.label), int64(at.how.Level), string(at.how.Param), strings.Join(policies, " "), string(t.Verdict), s.opt.Clock().UnixMilli())
	return err
}

// digest names the place or label of a verdict: a place that a stranger made up may hold a value.
func (s *Service) digest(t *Told) []byte {
	m := hmac.New(sha256.New, s.key[:])
	m.Write([]byte(t.Path))
	m.Write([]byte{0})
	m.Write([]byte(t.Label))
	return m.Sum(nil)
}

// due reports whether old verdicts are to be deleted.
func (s *Service) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken++
	return s.taken%sweepEvery == 1
}

func (s *Service) sweep(tx store.Tx) error {
	if _, err := tx.Exec("DELETE FROM usefulness_verdicts WHERE at < ?", s.opt.Clock().Add(-age).UnixMilli()); err != nil {
		return err
	}
	_, err := tx.Exec(`DELETE FROM usefulness_verdicts WHERE at < (SELECT COALESCE(MIN(at), 0) FROM (SELECT at FROM usefulness_verdicts ORDER BY at DESC LIMIT ?) AS newest)`, int64(mostKept))
	return err
}
