package gateway

import (
	"sync"

	"github.com/scrimhq/scrim/flow"
)

// maxNamed bounds how many subjects of a request are carried over to its answers. It is above what the exposure memory counts one by one, so
// that a request which names more is not taken for one that names few.
const maxNamed = 256

// Named are the subjects that a request named. Its answers know them: who asks for single fields of somebody's record knows whose they
// are, whether the answer says so or not. The zero value is empty. It is safe for concurrent use, and for one request.
type Named struct {
	mu   sync.Mutex
	refs []flow.SubjectRef
	more bool // than those
}

// set takes what a request names in place of what it named when it was tried before.
func (n *Named) set(refs []flow.SubjectRef, more bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.refs, n.more = refs, more
}

// all returns the subjects, and whether there are more; a nil Named has none.
func (n *Named) all() ([]flow.SubjectRef, bool) {
	if n == nil {
		return nil, false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.refs, n.more
}

// subjectAt is where a request names a subject.
type subjectAt struct {
	view *view
	node int
	unit string
}

// names keeps whom a request names, once it was carried out: a stand-in that was opened names whom it stands for.
func (c *changer) names() {
	if c.m.Names == nil {
		return
	}
	var refs []flow.SubjectRef
	seen := map[flow.SubjectRef]bool{}
	home := map[place]string{}
	for _, h := range c.cameHome {
		home[h.place] = h.value
	}
	for _, at := range c.subjects {
		ref := c.subject(at.view, at.node, at.unit)
		if value, ok := home[place{at.view, at.node}]; ok {
			ref = c.g.vault.Subject(at.unit, value)
		}
		switch {
		case !ref.Known() || seen[ref]:
		case len(refs) == maxNamed:
			c.m.Names.set(refs, true)
			return
		default:
			seen[ref] = true
			refs = append(refs, ref)
		}
	}
	c.m.Names.set(refs, false)
}

// opened is a place whose stand-in was opened, with what it stands for.
type opened struct {
	place
	value string
}

type place struct {
	view *view
	node int
}
