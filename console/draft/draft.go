// Package draft is what becomes of the rules while somebody edits them in the console: drafts that are kept for as long as the gateway runs, what is wrong
// with them, and what they are tried on.
//
// A draft decides nothing. It is the rules in force with some files changed, until it is proposed.
package draft

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/observe/impact"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/change"
)

// Mistake is one thing wrong with a file of the rules.
type Mistake struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // from 1; 0: the file as a whole
	Column int    `json:"column"`
	Text   string `json:"message"`
	Hint   string `json:"hint,omitempty"`
}

// Mistakes is the error of rules that cannot decide.
type Mistakes []Mistake

// Error returns one mistake a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Text)
	}
	return strings.Join(lines, "\n")
}

// Of returns the mistakes of one file, and of no file in particular.
func (ms Mistakes) Of(file string) (mine Mistakes) {
	for _, m := range ms {
		if m.File == file || m.File == "" {
			mine = append(mine, m)
		}
	}
	return mine
}

// Force is the rules in force.
type Force struct {
	Rules    change.RuleSet
	Policies string // directory of policies in it, "." for that of the configuration
	Hash     string // of policies and what they name, as decisions have it
}

// Editable reports whether a file may be changed in the console: policies, their tests and what describes data. Configuration itself names files of the
// machine, so it is proposed by whoever has a shell there.
func (f Force) Editable(name string) bool {
	return strings.HasSuffix(name, ".cedar") || strings.HasSuffix(name, ".test.yaml") || name != change.Main && (strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml") || strings.HasSuffix(name, ".json"))
}

// New reports whether a name is that of a policy or of policy tests that could be added: a file that lies directly in the directory of policies.
func (f Force) New(name string) bool {
	base := path.Base(name)
	_, there := f.Rules.Files[name]
	return !there && len(base) <= 100 && name == path.Join(f.Policies, base) && newName.MatchString(base)
}

var newName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]*(\.shadow)?\.(cedar|test\.yaml)$`)

// Names returns the files that a role of stewards may look at and change, policies first.
func (f Force) Names() (names []string) {
	for name := range f.Rules.Files {
		if f.Editable(name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if x, y := rank(a), rank(b); x != y {
			return x - y
		}
		return strings.Compare(a, b)
	})
	return names
}

func rank(name string) int {
	switch {
	case strings.HasSuffix(name, ".cedar"):
		return 0
	case strings.HasSuffix(name, ".test.yaml"):
		return 1
	}
	return 2
}

// Bench is what drafts are tried on. Its methods are for concurrent use; an error that is [Mistakes] is about the files.
type Bench interface {
	// InForce returns the rules that decide now.
	InForce() (Force, error)
	// Check reports what is wrong with rules, or runs their policy tests.
	Check(ctx context.Context, rs change.RuleSet) ([]policy.TestResult, error)
	// Differences compares rules with those in force, without a look at what happened.
	Differences(ctx context.Context, rs change.RuleSet) (*impact.Diff, error)
	// Replay decides what is on record again. One runs at a time.
	Replay(ctx context.Context, rs change.RuleSet, opt impact.Options) (*impact.Impact, error)
}

// Without is a bench for a console without a gateway: all that is asked of it is an [ErrNothing].
type Without struct{}

// ErrNothing is the error of [Without].
var ErrNothing = errors.New("no gateway runs behind this console, so there are no rules; start one with scrim run")

// InForce implements [Bench].
func (Without) InForce() (Force, error) { return Force{}, ErrNothing }

// Check implements [Bench].
func (Without) Check(context.Context, change.RuleSet) ([]policy.TestResult, error) {
	return nil, ErrNothing
}

// Differences implements [Bench].
func (Without) Differences(context.Context, change.RuleSet) (*impact.Diff, error) {
	return nil, ErrNothing
}

// Replay implements [Bench].
func (Without) Replay(context.Context, change.RuleSet, impact.Options) (*impact.Impact, error) {
	return nil, ErrNothing
}

// Draft is rules that somebody works on. It is not changed.
type Draft struct {
	ID      string
	By      string // who began it
	Made    time.Time
	Changed time.Time
	Base    change.Digest     // of the rules in force that it was begun on
	Files   map[string][]byte // that differ from those
}

// Over returns the rules with the draft's files in place of theirs.
func (d Draft) Over(rs change.RuleSet) change.RuleSet {
	files := maps.Clone(rs.Files)
	maps.Copy(files, d.Files)
	return change.RuleSet{Files: files}
}

// The bounds of what is kept.
const (
	MaxFile  = 1 << 20 // of one file
	mostSize = 4 << 20 // of one draft
	mostOf   = 16      // drafts of one person, of which the oldest go first
	mostAll  = 128
	keepFor  = 7 * 24 * time.Hour
)

// Errors a caller may act on.
var (
	ErrGone  = errors.New("there is no such draft; drafts are kept for a week, and while the gateway runs")
	ErrLarge = errors.New("the draft is too large")
	ErrFull  = errors.New("too many drafts are kept; discard some")
)

// Keeper keeps drafts in memory. The zero value is ready; it is safe for concurrent use.
type Keeper struct {
	mu  sync.Mutex
	all map[string]Draft
}

// Begin keeps a new draft and returns it.
func (k *Keeper) Begin(by string, base change.Digest, files map[string][]byte, now time.Time) (Draft, error) {
	d := Draft{ID: strings.ToLower(rand.Text()), By: by, Made: now, Changed: now, Base: base, Files: maps.Clone(files)}
	if size(d.Files) > mostSize {
		return Draft{}, ErrLarge
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sweep(now)
	if own := k.of(by); len(own) >= mostOf {
		delete(k.all, own[0].ID)
	}
	if len(k.all) >= mostAll {
		return Draft{}, ErrFull
	}
	if k.all == nil {
		k.all = map[string]Draft{}
	}
	k.all[d.ID] = d
	return d, nil
}

// Edit puts a file into a draft. One that is as in force is no change.
func (k *Keeper) Edit(id, name string, text []byte, force Force, now time.Time) (Draft, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	d, ok := k.all[id]
	if !ok {
		return Draft{}, ErrGone
	}
	d.Files, d.Changed = maps.Clone(d.Files), now
	d.Files[name] = text
	if old, ok := force.Rules.Files[name]; ok && string(old) == string(text) {
		delete(d.Files, name)
	}
	if size(d.Files) > mostSize {
		return Draft{}, ErrLarge
	}
	k.all[id] = d
	return d, nil
}

// Get returns a draft.
func (k *Keeper) Get(id string) (Draft, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if d, ok := k.all[id]; ok {
		return d, nil
	}
	return Draft{}, ErrGone
}

// Drop forgets a draft.
func (k *Keeper) Drop(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.all, id)
}

// All returns the drafts, those that were changed last first.
func (k *Keeper) All(now time.Time) []Draft {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sweep(now)
	all := slices.Collect(maps.Values(k.all))
	slices.SortFunc(all, func(a, b Draft) int { return b.Changed.Compare(a.Changed) })
	return all
}

func (k *Keeper) sweep(now time.Time) {
	maps.DeleteFunc(k.all, func(_ string, d Draft) bool { return now.Sub(d.Changed) > keepFor })
}

// of returns somebody's drafts, the oldest first.
func (k *Keeper) of(by string) (own []Draft) {
	for _, d := range k.all {
		if d.By == by {
			own = append(own, d)
		}
	}
	slices.SortFunc(own, func(a, b Draft) int { return a.Changed.Compare(b.Changed) })
	return own
}

func size(files map[string][]byte) (n int) {
	for name, b := range files {
		n += len(name) + len(b)
	}
	return n
}
