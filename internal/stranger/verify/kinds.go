package verify

import (
	"slices"
	"strings"
)

// What each kind of report counts (docs/spec/reports.md). A count with another condition would hide what it leaves out, and still be that of the log.

// prescribed is what a count has to be.
type prescribed struct {
	sum   string
	by    []string
	where []prescribedWhere
}

type prescribedWhere struct {
	reportWhere
	any, optional bool // whatever the texts are; the condition may be absent
	negative      bool // with any: it leaves texts out
}

func is(at string, texts ...string) prescribedWhere {
	return prescribedWhere{reportWhere: reportWhere{At: at, Is: texts}}
}

func not(at string, texts ...string) prescribedWhere {
	return prescribedWhere{reportWhere: reportWhere{At: at, Not: texts}}
}

// hidden are counts whose figures stand in no table: what tables say is taken from them.
var hidden = []string{"decided", "agreed", "inside", "epsilon-back", "delta", "delta-back"}

// countsOf returns the counts that a kind of report of a domain has; false if there is no such kind.
func countsOf(kind, domain string) (map[string]prescribed, bool) {
	var (
		showing  = is("outcome", "released", "replayed", "segment")
		watched  = is("outcome", "watched")
		toSome   = not("flow.to.agent", "")
		visible  = not("levels.level", "dropped")
		outside  = not("flow.to.domain", domain)
		answered = []prescribedWhere{showing, not("question.dataset", ""), is("flow.direction", "response")}
		released = []prescribedWhere{is("outcome", "closed"), not("table.digest", ""), toSome}
		budget   = is("outcome", "budget")
		by       = func(at ...string) []string { return at }
		where    = func(w ...prescribedWhere) []prescribedWhere { return w }
		all      = map[string]prescribed{}
	)
	charges := func() {
		for id, method := range map[string]string{"": "reserved", "-back": "released"} {
			for name, sum := range map[string]string{"epsilon": "cost.epsilon_nano", "delta": "cost.delta_pico"} {
				all[name+id] = prescribed{sum, by("flow.from.domain", "flow.from.agent", "flow.subject"), where(budget, is("flow.method", method))}
			}
		}
	}
	shown := func(more ...prescribedWhere) {
		charges()
		to := by("flow.to.domain", "flow.to.agent", "flow.purpose", "levels.label", "levels.level")
		all["values"] = prescribed{"levels.count", to, append(where(showing, toSome, visible), more...)}
		all["watched"] = prescribed{"levels.count", to[:4], append(where(watched, toSome), more...)}
		all["tables"] = prescribed{"table.out", by("flow.to.domain", "flow.to.agent", "flow.purpose", "flow.subject", "time.day"), append(slices.Clone(released), more...)}
		all["answers"] = prescribed{"entries", by("flow.to.domain", "flow.to.agent", "flow.purpose", "question.dataset"), append(slices.Clone(answered), more...)}
	}
	ropa := func() {
		shown()
		all["activities"] = prescribed{"entries", by("flow.purpose"), where(showing, toSome)}
		all["totals"] = prescribed{"levels.count", by("flow.purpose"), where(showing, toSome, visible)}
		all["people"] = prescribed{"people", by("flow.purpose"), where(showing, toSome)}
		all["decided"] = prescribed{"entries", by("flow.purpose", "policy_hash", "policies"), where(showing, toSome)}
		all["levels"] = prescribed{"levels.count", by("levels.level"), where(showing, toSome)}
		all["rules"] = prescribed{"entries", by("rules.what", "rules.by", "time.day"), where(not("rules.what", ""))}
		all["refused"] = prescribed{"entries", by(), where(is("outcome", "refused", "conflict"))}
		all["abroad"] = prescribed{"levels.count", by("flow.to.domain"), where(showing, toSome, visible, outside)}
	}
	switch kind {
	case "subject":
	case "gdpr-ropa":
		ropa()
	case "dpia":
		ropa()
		special := prescribedWhere{reportWhere: reportWhere{At: "levels.label"}, any: true}
		all["special"] = prescribed{"levels.count", by("flow.to.domain", "levels.label", "levels.level"), where(showing, toSome, visible, special)}
		all["limits"] = prescribed{"levels.count", by("flow.purpose", "levels.level", "levels.by"), where(showing, toSome)}
		all["unlabelled"] = prescribed{"levels.count", by("flow.to.domain"), where(showing, toSome, visible, is("levels.label", "unlabelled"))}
		all["freetext"] = prescribed{"levels.count", by("flow.to.domain"), where(showing, toSome, visible, is("levels.label", "text/free"))}
		all["raw-abroad"] = prescribed{"levels.count", by("flow.to.domain", "levels.label"), where(showing, toSome, outside, is("levels.level", "raw"))}
		all["refusals"] = prescribed{"entries", by("reason"), where(is("outcome", "refused", "conflict"))}
		all["erasures"] = prescribed{"entries", by(), where(is("outcome", "erased"))}
	case "hipaa-disclosures":
		accounted := prescribedWhere{reportWhere: reportWhere{At: "flow.purpose"}, any: true, optional: true, negative: true}
		exempt := prescribedWhere{reportWhere: reportWhere{At: "flow.purpose"}, any: true}
		to := by("flow.to.domain", "flow.to.agent", "flow.purpose", "levels.label", "time.day")
		all["disclosed"] = prescribed{"levels.count", to, where(showing, visible, toSome, outside, accounted)}
		all["disclosed-watched"] = prescribed{"levels.count", to, where(watched, toSome, outside, accounted)}
		all["disclosures"] = prescribed{"entries", to[:3], where(showing, toSome, outside, accounted)}
		all["people"] = prescribed{"people", to[:3], where(showing, toSome, outside, accounted)}
		all["tables"] = prescribed{"table.out", by("flow.to.domain", "flow.to.agent", "flow.purpose", "flow.subject", "time.day"), append(slices.Clone(released), outside, accounted)}
		all["exempt"] = prescribed{"entries", by("flow.purpose"), where(showing, toSome, outside, exempt)}
	case "ccpa":
		to := by("levels.label", "flow.to.domain", "flow.purpose")
		all["disclosed"] = prescribed{"levels.count", to, where(showing, toSome, visible, outside)}
		all["watched"] = prescribed{"levels.count", to, where(watched, toSome, outside)}
		all["inside"] = prescribed{"levels.count", by("levels.label", "flow.purpose"), where(showing, toSome, visible, is("flow.to.domain", domain))}
		all["people"] = prescribed{"people", by("flow.to.domain"), where(showing, toSome, outside)}
		all["deletions"] = prescribed{"entries", by(), where(is("outcome", "erased"))}
		all["deletion-requests"] = prescribed{"entries", by("reason"), where(is("outcome", "changed"), is("flow.method", "erase"))}
		all["accesses"] = prescribed{"entries", by(), where(is("outcome", "changed"), is("flow.method", "report/subject"))}
	case "transfers":
		shown(outside)
		all["messages"] = prescribed{"entries", by("flow.to.domain"), where(showing, toSome, outside)}
		all["totals"] = prescribed{"levels.count", by("flow.to.domain"), where(showing, toSome, visible, outside)}
		all["people"] = prescribed{"people", by("flow.to.domain"), where(showing, toSome, outside)}
		all["agreed"] = prescribed{"entries", by("flow.to.domain", "contracts"), where(showing, toSome, outside)}
	case "budgets":
		charges()
		all["answers"] = prescribed{"entries", by("question.dataset", "question.technique", "flow.to.domain", "flow.to.agent", "flow.purpose"), answered}
		all["ledger"] = prescribed{"entries", by("flow.subject", "flow.method"), where(budget)}
		all["ledger-epsilon"] = prescribed{"cost.epsilon_nano", by("flow.subject", "flow.method"), where(budget)}
		all["asked"] = prescribed{"entries", by("question.dataset", "outcome"), where(not("question.dataset", ""))}
	default:
		return nil, false
	}
	return all, true
}

// prescribed checks that the report counts what its kind counts, and all of it.
func (r *Report) prescribed() error {
	b := &r.body
	if b.Domain == "" || !strings.HasSuffix(r.Origin, "/"+b.Domain) {
		return failed(Form, "", "the report is of domain %q, and the log is another's", short(b.Domain))
	}
	want, ok := countsOf(r.Kind, b.Domain)
	if !ok {
		return failed(Form, "", "this program does not know what a report of the kind %q counts", short(r.Kind))
	}
	if r.Kind == "hipaa-disclosures" && len(b.Counts) == 1 { // of one person
		want = map[string]prescribed{"exempt": want["exempt"]}
	}
	if len(b.Counts) != len(want) {
		return failed(Figures, "", "the report has %d counts, and one of its kind has %d", len(b.Counts), len(want))
	}
	for i := range b.Counts {
		c := &b.Counts[i]
		w, ok := want[c.ID]
		if !ok || c.Sum != w.sum || !slices.Equal(c.By, w.by) || !w.allows(c.Where) {
			return failed(Figures, c.ID, "it is not counted as reports of its kind count it: something may be left out")
		}
	}
	if r.Kind == "hipaa-disclosures" && len(b.Counts) > 1 {
		return r.accounted()
	}
	return nil
}

// accounted checks that purposes which are left out of an accounting are those that it lists as exempt.
func (r *Report) accounted() error {
	lists := map[string][]string{} // by count
	for _, c := range r.body.Counts {
		lists[c.ID] = nil
		for _, w := range c.Where {
			if w.At == "flow.purpose" {
				lists[c.ID] = append(w.Is, w.Not...)
			}
		}
	}
	exempt := slices.DeleteFunc(slices.Clone(lists["exempt"]), func(p string) bool { return p == "\x00" }) // stands for none
	for id, list := range lists {
		if id != "exempt" && !slices.Equal(list, exempt) {
			return failed(Figures, id, "it leaves out other purposes than those that are listed as exempt")
		}
	}
	return nil
}

func (p *prescribed) allows(said []reportWhere) bool {
	for _, want := range p.where {
		if len(said) == 0 || said[0].At != want.At {
			if want.optional {
				continue
			}
			return false
		}
		if want.any {
			if (len(said[0].Not) > 0) != want.negative {
				return false
			}
		} else if !slices.Equal(said[0].Is, want.Is) || !slices.Equal(said[0].Not, want.Not) {
			return false
		}
		said = said[1:]
	}
	return len(said) == 0
}
