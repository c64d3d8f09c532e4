package bundles

import (
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/bundle"
)

// Running notes what is in force in the gateway that runs.
func (x *Exchange) Running(all []Held) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.runs = all
}

// Own is how a bundle stands that the domain publishes.
type Own struct {
	Name    string          `json:"name"`
	Version int64           `json:"version"` // 0: none was published
	Digest  string          `json:"digest,omitempty"`
	To      []flow.DomainID `json:"to,omitempty"`
	Changed bool            `json:"changed,omitempty"` // configuration says something else than the newest version
	Removed bool            `json:"removed,omitempty"` // configuration has it no longer: nobody can read it
}

// Status is how a bundle stands that the domain is held to.
type Status struct {
	ID      string    `json:"id"`
	Version int64     `json:"version"` // 0: none came
	Digest  string    `json:"digest,omitempty"`
	Issued  time.Time `json:"issued,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
	Heard   time.Time `json:"heard,omitzero"`
	Late    string    `json:"late,omitempty"`    // why it does not count
	Holds   string    `json:"holds,omitempty"`   // what holds beside it then
	Runs    int64     `json:"runs,omitempty"`    // the version in force in the gateway that runs
	Problem string    `json:"problem,omitempty"` // of the last look
	Unknown []string  `json:"unknown,omitempty"` // what it names that is not known here, and so has no effect
}

// Owns tells of every bundle that the domain published or would publish, by name.
func (x *Exchange) Owns() []Own {
	set := x.settings()
	x.mu.Lock()
	defer x.mu.Unlock()
	var all []Own
	for _, p := range set.Publish {
		o := Own{Name: p.Name, To: p.To, Changed: true}
		if s := x.newest[p.Name]; s != nil {
			o.Version, o.Digest, o.Changed = s.b.Version, s.b.Digest().String(), !s.b.Same(&p.Content)
		}
		all = append(all, o)
	}
	for name, s := range x.newest {
		if !slices.ContainsFunc(set.Publish, func(p Published) bool { return p.Name == name }) {
			all = append(all, Own{Name: name, Version: s.b.Version, Digest: s.b.Digest().String(), Removed: true})
		}
	}
	slices.SortFunc(all, func(a, b Own) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

// Statuses tells of every bundle that the domain is held to, in the order of its settings.
func (x *Exchange) Statuses() []Status {
	held := x.Held()
	x.mu.Lock()
	check, runs := x.check, x.runs
	looks := map[string]error{}
	heard := map[string]time.Time{}
	for id, l := range x.looks {
		looks[id] = l.problem
	}
	for id, t := range x.taken {
		if !t.forgotten() {
			heard[id] = t.seen
		}
	}
	x.mu.Unlock()
	var all []Status
	for _, h := range held {
		s := Status{ID: h.ID, Late: h.Why, Heard: heard[h.ID]}
		if h.Late != nil {
			s.Holds = h.Late.String()
		}
		if err := looks[h.ID]; err != nil {
			s.Problem = err.Error()
		}
		for _, r := range runs {
			if r.ID == h.ID && r.Bundle != nil {
				s.Runs = r.Bundle.Version
			}
		}
		if b := h.Bundle; b != nil {
			s.Version, s.Digest, s.Issued, s.Expires = b.Version, b.Digest().String(), b.Issued, b.Expires
			if check != nil {
				unknown, err := check(b)
				if err != nil {
					unknown = append(unknown, "its policies cannot be kept to here")
				}
				s.Unknown = unknown
			}
		}
		all = append(all, s)
	}
	return all
}

// Drift tells where what runs is not what was published or is subscribed to; none: nowhere.
func (x *Exchange) Drift() (all []string) {
	for _, o := range x.Owns() {
		switch {
		case o.Removed:
			all = append(all, fmt.Sprintf("own %s: version %d was published, and configuration has the bundle no longer", o.Name, o.Version))
		case o.Version == 0:
			all = append(all, fmt.Sprintf("own %s: it was not published yet", o.Name))
		case o.Changed:
			all = append(all, fmt.Sprintf("own %s: configuration says something else than version %d", o.Name, o.Version))
		}
	}
	x.mu.Lock()
	running := x.changed != nil
	x.mu.Unlock()
	for _, s := range x.Statuses() {
		if s.Late != "" {
			all = append(all, fmt.Sprintf("%s: late: %s; %s holds", s.ID, s.Late, s.Holds))
		}
		if s.Problem != "" {
			all = append(all, fmt.Sprintf("%s: %s", s.ID, s.Problem))
		}
		if running && s.Runs != s.Version {
			all = append(all, fmt.Sprintf("%s: version %d was taken, and version %d runs", s.ID, s.Version, s.Runs))
		}
		for _, u := range s.Unknown {
			all = append(all, fmt.Sprintf("%s: no effect: %s", s.ID, u))
		}
	}
	return all
}

// Late counts the bundles that do not count.
func (x *Exchange) Late() (n int) {
	for _, h := range x.Held() {
		if h.Late != nil {
			n++
		}
	}
	return n
}

// Show returns the newest version of an own bundle, or the one that was taken of a peer's.
func (x *Exchange) Show(id string) (*bundle.Bundle, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if t := x.taken[id]; t != nil {
		return t.b, nil
	}
	if s := x.newest[id]; s != nil {
		return s.b, nil
	}
	return nil, ErrUnknown
}
