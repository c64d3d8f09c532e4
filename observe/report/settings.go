package report

import "github.com/scrimhq/scrim/flow"

// Settings are what no log can tell, as the configuration states it. The zero Settings state nothing, and the documents say so.
type Settings struct {
	Controller     Contact
	Representative Contact
	Officer        Contact
	Security       []string
	Domains        map[flow.DomainID]Domain
	Purposes       map[flow.Purpose]Purpose
	Categories     map[flow.Label]string // of personal information, Cal. Civ. Code 1798.140(v)(1); a label's nearest ancestor counts
	Standings      []Standing            // of privacy budgets, when the report is made
}

// Contact is somebody who answers.
type Contact struct {
	Name    string
	Address string
	Contact string // e-mail or telephone
}

// Domain is a recipient outside.
type Domain struct {
	Contact
	Category  string // "insurers"
	Country   string // where data go to
	Safeguard string // of a transfer there: an adequacy decision, standard clauses, binding rules
	Role      string // controller, joint-controller, processor, business-associate, service-provider, contractor, third-party
	Sale      bool   // what goes there is sold or shared (CCPA)
}

// Purpose is a purpose in words.
type Purpose struct {
	Title   string
	Parents []flow.Purpose
	Basis   []string // legal bases
	People  string   // categories of people
	HIPAA   string   // treatment, payment, operations, individual, authorization, limited-data-set or required; "": accountable
}

// Standing is one budget of privacy loss and what was spent of it.
type Standing struct {
	Dataset, Scope, Unit string
	Claims               bool // its filters bound the loss of a person; otherwise it is a quota
	Epsilon, Delta       string
	Filter, Spent, Cap   string
	Entries              int64
	Left                 bool
}

// purpose is what is known of a purpose; what it leaves out its parents say.
func (s *Settings) purpose(p flow.Purpose) Purpose {
	out, seen := s.Purposes[p], map[flow.Purpose]bool{p: true}
	for next := out.Parents; len(next) > 0; {
		at := next[0]
		next = next[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		up := s.Purposes[at]
		if len(out.Basis) == 0 {
			out.Basis = up.Basis
		}
		if out.People == "" {
			out.People = up.People
		}
		if out.HIPAA == "" {
			out.HIPAA = up.HIPAA
		}
		next = append(next, up.Parents...)
	}
	return out
}

func (c Contact) empty() bool { return c == Contact{} }
