package run

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// Learner keeps what learn mode sees: places and labels, never a value. A member's name is kept only where a schema
// declares it or it is a well-known word; any other is "*". It is safe for concurrent use.
type Learner struct {
	file string

	mu      sync.Mutex // guards what follows
	sources map[sourceKey]*source
	full    bool
}

// Bounds of what is kept; what is seen beyond them is left out, and the report says so.
const (
	maxSources = 256
	maxPlaces  = 4096 // of one source
)

type sourceKey struct {
	agent     flow.AgentID
	kind      string
	name      string
	direction flow.Direction
}

type source struct {
	messages int
	places   map[flow.Path]*Place
}

// Seen is everything that was seen, ordered by agent and place.
type Seen struct {
	Sources []Source `json:"sources"`
	Full    bool     `json:"full,omitempty"` // there was more than is kept
}

// Source is one kind of message.
type Source struct {
	Agent     flow.AgentID   `json:"agent"`
	Kind      string         `json:"kind"` // tool, skill, data, or resource, as schemas are bound
	Name      string         `json:"name,omitempty"`
	Direction flow.Direction `json:"direction"`
	Messages  int            `json:"messages"`
	Places    []Place        `json:"places"`
}

// Place is one place of structured content, or of the prose beside it. Elements of arrays are "[]".
type Place struct {
	Path     flow.Path  `json:"path"` // within the content; "" is prose
	Label    flow.Label `json:"label,omitempty"`
	By       string     `json:"by"` // schema, name (the member's), found (in the value), or none
	Declared bool       `json:"declared"`
	Count    int        `json:"count"`
}

// NewLearner returns a learner that keeps its notes in the data directory, beginning with those of an earlier run.
func NewLearner(dir string) *Learner {
	l := &Learner{file: filepath.Join(dir, "learned.json"), sources: map[sourceKey]*source{}}
	seen, err := ReadSeen(dir)
	if err != nil {
		return l // notes that cannot be read are begun anew
	}
	for _, s := range seen.Sources {
		places := make(map[flow.Path]*Place, len(s.Places))
		for _, p := range s.Places {
			places[p.Path] = &p
		}
		l.sources[sourceKey{s.Agent, s.Kind, s.Name, s.Direction}] = &source{messages: s.Messages, places: places}
	}
	l.full = seen.Full
	return l
}

// ReadSeen reads the notes that a learner left in a data directory. Without any it returns none.
func ReadSeen(dir string) (Seen, error) {
	var s Seen
	raw, err := os.ReadFile(filepath.Join(dir, "learned.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	return s, json.NewDecoder(bytes.NewReader(raw)).Decode(&s)
}

// Save writes the notes.
func (l *Learner) Save() error {
	raw, err := json.MarshalIndent(l.Seen(), "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(l.file, append(raw, '\n'), 0o600)
}

// Watch takes note of one message.
func (l *Learner) Watch(f flow.Flow, o gateway.Observation) {
	key := sourceKey{agent: o.Owner, kind: kindOf(f), name: f.Subject, direction: f.Direction}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sources[key]
	if s == nil {
		if len(l.sources) >= maxSources {
			l.full = true
			return
		}
		s = &source{places: map[flow.Path]*Place{}}
		l.sources[key] = s
	}
	s.messages++
	for _, leaf := range o.Leaves {
		by := "schema"
		switch {
		case leaf.Origin == flow.Detected:
			by = "found"
		case leaf.Label == flow.Unlabelled:
			by = "none"
		}
		l.note(s, within(leaf.Path), leaf.Label, by, true)
	}
	for _, g := range o.Undeclared {
		by := "none"
		switch {
		case g.InText:
			by = "found"
		case g.Label != "":
			by = "name"
		}
		l.note(s, within(g.Path), g.Label, by, false)
	}
}

// note adds to a place. A label that was found beats one that was not, and of two the first stays.
func (l *Learner) note(s *source, path flow.Path, label flow.Label, by string, declared bool) {
	p := s.places[path]
	if p == nil {
		if len(s.places) >= maxPlaces {
			l.full = true
			return
		}
		p = &Place{Path: path, By: "none"}
		s.places[path] = p
	}
	p.Count++
	p.Declared = p.Declared || declared
	if rank(by) > rank(p.By) {
		p.Label, p.By = label, by
	}
}

func rank(by string) int { return slices.Index([]string{"none", "schema", "name", "found"}, by) }

// Seen returns the notes so far.
func (l *Learner) Seen() Seen {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := Seen{Full: l.full, Sources: []Source{}}
	for key, s := range l.sources {
		src := Source{Agent: key.agent, Kind: key.kind, Name: key.name, Direction: key.direction, Messages: s.messages}
		for _, path := range slices.Sorted(maps.Keys(s.places)) {
			src.Places = append(src.Places, *s.places[path])
		}
		out.Sources = append(out.Sources, src)
	}
	slices.SortFunc(out.Sources, func(a, b Source) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Direction, b.Direction))
	})
	return out
}

// kindOf is what a schema for the flow's content is bound to.
func kindOf(f flow.Flow) string {
	switch {
	case f.Method == "resources/read":
		return "resource"
	case strings.HasPrefix(f.Protocol, "mcp"):
		return "tool"
	case f.Subject != "":
		return "skill"
	}
	return "data"
}

// contentRoots are the places of the protocols under which structured content begins.
var contentRoots = []string{"data", "arguments", "structuredContent"}

// within cuts the protocol's own part off a path and writes array elements as "[]". Prose has the path "".
func within(p flow.Path) flow.Path {
	segments := strings.Split(string(p), "/")
	for i, name := range segments {
		if !slices.Contains(contentRoots, name) || i < 2 {
			continue
		}
		inner := segments[i+1:]
		for j, s := range inner {
			if s != "" && strings.Trim(s, "0123456789") == "" {
				inner[j] = "[]"
			}
		}
		return flow.Path("/" + strings.Join(inner, "/"))
	}
	return ""
}
