package report

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
)

// mostSeen bounds how many entries about one person a report tells of.
const mostSeen = 10_000

// seen is what an entry showed of one person.
type seen struct {
	seq    int64
	event  flow.Event
	shown  []part
	bounds bool // it is only known what was shown of several people together
}

// part is how much of a label was shown at a level.
type part struct {
	label    flow.Label
	level    flow.Level
	count    int64
	policies []flow.PolicyID
}

// look notes what an entry showed of the person that the report is about.
func (d *draft) look(ctx context.Context, e *audit.Entry, about []audit.Subject) error {
	if !slices.ContainsFunc(about, func(a audit.Subject) bool { return a.Subject == *d.of }) {
		return nil
	}
	b := &breach{s: &d.Source}
	if !b.asked(&e.Event) {
		return nil
	}
	all, exact, err := b.values(ctx, e, about)
	if err != nil {
		return err
	}
	one := seen{seq: e.Seq, event: e.Event, bounds: !exact}
	for i := range all {
		v := &all[i]
		if !slices.Contains(v.subjects, *d.of) {
			continue
		}
		if e.Event.Outcome == flow.Watched {
			v.how = flow.Treatment{Level: flow.Raw} // learn mode changes nothing
		}
		if v.how.Level != flow.Dropped {
			one.add(v)
		}
	}
	if len(one.shown) == 0 {
		return nil
	}
	if len(d.seen) == mostSeen {
		return ErrMuch
	}
	d.seen, d.prove = append(d.seen, one), append(d.prove, e.Seq)
	return nil
}

func (s *seen) add(v *value) {
	at := slices.IndexFunc(s.shown, func(p part) bool { return p.label == v.label && p.level == v.how.Level })
	if at < 0 {
		at = len(s.shown)
		s.shown = append(s.shown, part{label: v.label, level: v.how.Level})
	}
	p := &s.shown[at]
	p.count += v.count
	for _, id := range v.policies {
		if !slices.Contains(p.policies, id) {
			p.policies = append(p.policies, id)
		}
	}
}

var disclosureColumns = []string{"Entry", "Time", "Domain", "Name and address", "Agent", "Purpose", "Data", "Level", "Values", "Policies", "Legal basis"}

// disclosure is a row for each label and level. Its cells are what the entry says; a number of values is at most the entry's.
func (d *draft) disclosure(s *seen) (rows [][]Cell) {
	ev := &s.event
	fact := func(at, text string) Cell { return Cell{Text: text, Entry: s.seq, At: at} }
	slices.SortFunc(s.shown, func(a, b part) int { return cmp.Or(cmp.Compare(a.label, b.label), cmp.Compare(b.level, a.level)) })
	who := d.Settings.Domains[ev.Flow.To.Domain]
	for _, p := range s.shown {
		used := map[ruling]bool{}
		for _, id := range p.policies {
			used[ruling{ev.PolicyHash, string(id)}] = true
		}
		basis, _, gone := d.basisOf(string(ev.Flow.Purpose), used)
		basis = append(basis, d.statedBasis([]string{string(p.label)})...)
		if gone {
			d.lacks("GDPR art. 6", "the legal basis of disclosures that policies decided which are not kept any more")
		}
		values := fact("levels="+string(p.label)+" "+p.level.String(), strconv.FormatInt(p.count, 10))
		level := text(p.level.String())
		if s.bounds {
			level.Text += " (at most: with others)"
		}
		rows = append(rows, []Cell{
			text(strconv.FormatInt(s.seq, 10)), fact("time", ev.Time.UTC().Format(time.RFC3339)), fact("flow.to.domain", string(ev.Flow.To.Domain)), text(strings.Trim(who.Name+", "+who.Address, ", ")),
			fact("flow.to.agent", string(ev.Flow.To.Agent)), fact("flow.purpose", string(ev.Flow.Purpose)), text(d.labelled(string(p.label))), level, values, text(list(p.policies)), text(lines(basis)),
		})
	}
	return rows
}

// whom says whom the report is about, without saying who it is.
func (d *draft) whom() string {
	named := false
	d.fields(nil, func(_ *catalog.Contract, set *catalog.Dataset, _ *catalog.Field) { named = named || set.Unit == d.unit })
	if !named {
		d.lacks("", "whether schemas call people by %q: no contract does, and under another name for it nobody is found", d.unit)
	}
	return fmt.Sprintf("The person is a %s whose reference under the domain's keyset is %s.", cmp.Or(d.unit, "subject"), hex.EncodeToString(d.of[:]))
}
