package alarm

import (
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// actor returns what is known of one. Where there is no room for another, it is made at the cost of the domain that brings it, once that has
// a share, or else of the domain that has most: there of the family that has most members, by what it did least lately. An agent with all that
// was derived from it is a family. So names that are made up push out their own kind. The lock is held.
func (w *Watch) actor(s Settings, of who) *actor {
	if a := w.actors[of]; a != nil {
		return a
	}
	if len(w.actors) >= or(s.Actors, 4096) {
		w.pushOut(of)
	}
	a := new(actor)
	w.actors[of] = a
	return a
}

func (o who) family() who {
	root, _, _ := strings.Cut(string(o.agent), "/")
	return who{o.domain, flow.AgentID(root)}
}

// domainShare is the part of all callers, one in so many, that a domain may have before its newcomers push out its own.
const domainShare = 64

func (w *Watch) pushOut(comes who) {
	domains, families := map[flow.DomainID]int{}, map[who]int{comes.family(): 1}
	for of := range w.actors {
		domains[of.domain]++
		families[of.family()]++
	}
	domain := comes.domain
	if domains[domain] <= len(w.actors)/domainShare {
		for d, n := range domains {
			if n > domains[domain] || n == domains[domain] && d < domain {
				domain = d
			}
		}
	}
	most := 0
	for f, n := range families {
		if f.domain == domain {
			most = max(most, n)
		}
	}
	var oldest who
	found := false
	for of, a := range w.actors {
		if of.domain == domain && families[of.family()] >= most && (!found || a.Hour < w.actors[oldest].Hour) {
			oldest, found = of, true
		}
	}
	if !found { // the largest is the newcomer's, alone so far
		for of, a := range w.actors {
			if of.domain == domain && (!found || a.Hour < w.actors[oldest].Hour) {
				oldest, found = of, true
			}
		}
	}
	delete(w.actors, oldest)
	if w.gone = append(w.gone, oldest); len(w.gone) > mostQueued {
		w.gone = w.gone[1:] // its row stays, and is pushed out again after a restart
	}
}
