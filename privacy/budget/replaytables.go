package budget

import (
	"crypto/sha256"
	"slices"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// scopes compares the table of scopes with the entries, and checks all plans.
func (p *replay) scopes(tx store.Tx) error {
	rows, err := tx.Query("SELECT scope, dataset, level, domain, workflow, agent, contract, plan FROM budget_scopes")
	if err != nil {
		return err
	}
	defer rows.Close()
	there := map[scopeKey]bool{}
	for rows.Next() {
		var key, plan []byte
		var s Scope
		var domain string
		var level int64
		if err := rows.Scan(&key, &s.Dataset, &level, &domain, &s.Workflow, &s.Agent, &s.Contract, &plan); err != nil {
			return err
		}
		s.Domain = flow.DomainID(domain)
		n := s.last()
		if string(key) != string(n.key[:]) || n.level != Level(level) {
			p.find(ErrSums, s, 0, "the scope's names are not those of its row")
			continue
		}
		there[n.key] = true
		want := [32]byte{}
		if es := p.plans[n.key]; len(es) > 0 {
			want = slices.MaxFunc(es, func(a, b *Entry) int { return int(a.Count - b.Count) }).Hash
		}
		if got := sha256.Sum256(plan); len(plan) == 0 && want != [32]byte{} || len(plan) > 0 && got != want {
			p.find(ErrCaps, s, 0, "the plan in force is not the last one of the entries")
		}
	}
	for k, n := range p.nodes {
		if !there[k] {
			p.find(ErrSums, n.Scope, 0, "the scope is not in the table")
		}
	}
	for _, es := range p.plans {
		p.checkPlans(es)
	}
	return rows.Err()
}

// checkPlans holds the plans of one scope, one after the other, to the rules by which they came into force.
func (p *replay) checkPlans(es []*Entry) {
	slices.SortFunc(es, func(a, b *Entry) int { return int(a.Count - b.Count) })
	var before *Entry
	for i, e := range es {
		if e.Count != int64(i+1) {
			p.find(ErrChain, e.Scope, 0, "plan %d is missing or there twice", i+1)
			return
		}
		if e.Plan == nil {
			continue
		}
		filled, caps, err := e.Plan.Fill()
		if err != nil || filled.Split.total() > filled.Delta {
			p.find(ErrCaps, e.Scope, 0, "plan %d is not valid", e.Count)
			return
		}
		if f, is := e.Caps.above(caps); is {
			p.find(ErrCaps, e.Scope, 0, "plan %d has a cap above what follows from it: %s", e.Count, f)
		}
		if e.Kind != Declared {
			continue
		}
		switch {
		case e.Budget == nil || e.Budget.check() != nil || e.Scope.Domain != "":
			p.find(ErrCaps, e.Scope, 0, "declaration %d is not valid", e.Count)
			return
		case before == nil:
			if e.Most != e.Plan.Split || e.Budget.Claim != (Claim{e.Plan.Epsilon, e.Plan.Delta}) {
				p.find(ErrCaps, e.Scope, 0, "the first plan is not what is claimed")
			}
		default:
			p.follows(before, e)
		}
		before = e
	}
}

// follows checks that a plan is no refill of the one before.
func (p *replay) follows(before, e *Entry) {
	most := before.Most
	for f, x := range e.Plan.Split.Share {
		most.Share[f] = max(most.Share[f], x)
	}
	most.Slack = max(most.Slack, e.Plan.Split.Slack)
	a, b := *before.Budget, *e.Budget
	a.Plan, b.Plan = Plan{}, Plan{}
	switch {
	case a != b:
		p.find(ErrDeclared, e.Scope, 0, "declaration %d has another unit, blocks or claim", e.Count)
	case e.Plan.Epsilon > before.Plan.Epsilon || e.Plan.Delta > before.Plan.Delta || most != e.Most || most.total() > b.Claim.Delta:
		p.find(ErrRefill, e.Scope, 0, "declaration %d", e.Count)
	}
}

// sums compares the stored sums with those of the entries.
func (p *replay) sums(tx store.Tx) error {
	rows, err := tx.Query("SELECT scope, block, entries, sums FROM budget_sums")
	if err != nil {
		return err
	}
	defer rows.Close()
	there := 0
	for rows.Next() {
		var scope, sums []byte
		var block, entries int64
		if err := rows.Scan(&scope, &block, &entries, &sums); err != nil {
			return err
		}
		if len(scope) != len(scopeKey{}) {
			p.find(ErrSums, Scope{}, block, "a row names no scope")
			continue
		}
		k := rowKey{scopeKey(scope), block}
		want := p.rows[k]
		if want == nil {
			want = &row{} // asked about, and nothing charged
		} else {
			there++
		}
		s := p.nodes[k.scope].Scope
		switch got, err := parseTotal(sums); {
		case err != nil:
			p.find(unread(err, ErrSums), s, block, "a row is not readable")
		case got != want.total:
			p.find(ErrSums, s, block, "the row")
		case entries != want.entries:
			p.find(ErrSums, s, block, "the row counts %d entries, there are %d", entries, want.entries)
		}
	}
	if there != len(p.rows) {
		p.find(ErrSums, Scope{}, 0, "%d rows are missing", len(p.rows)-there)
	}
	p.report.Scopes = len(p.rows)
	for k, r := range p.rows {
		n := p.nodes[k.scope]
		if n.level == Global && !fits(p.plans[k.scope], r.total.vector()) {
			p.find(ErrExhausted, n.Scope, k.block, "more was charged than any plan allowed")
		}
	}
	return rows.Err()
}

// keys compares the table of keys with the charges that have one and were not released.
func (p *replay) keys(tx store.Tx) error {
	var sum [32]byte
	rows, err := tx.Query("SELECT idem, charge, request, writer FROM budget_keys")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key, charge, request []byte
		var writer int64
		if err := rows.Scan(&key, &charge, &request, &writer); err != nil {
			return err
		}
		p.add(&sum, key, charge, request, big(writer))
	}
	if sum != p.liveKeys {
		p.find(ErrSums, Scope{}, 0, "the table of keys is not that of the charges")
	}
	return rows.Err()
}

// answers compares the stored answers with those that were committed.
func (p *replay) answers(tx store.Tx) error {
	var sum [32]byte
	rows, err := tx.Query("SELECT charge, sealed FROM budget_answers")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var charge, sealed []byte
		if err := rows.Scan(&charge, &sealed); err != nil {
			return err
		}
		digest := sha256.Sum256(sealed)
		p.add(&sum, charge, digest[:])
	}
	if sum != p.liveAnswers {
		p.find(ErrSums, Scope{}, 0, "the stored answers are not those that were committed")
	}
	return rows.Err()
}
