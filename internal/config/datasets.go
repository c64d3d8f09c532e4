package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/dp/account"
)

// Dataset is what questions are asked about, and how much all answers together may tell about one unit of it.
type Dataset struct {
	Unit     Unit     `yaml:"unit" doc:"Whom the claim is about: whatever is added or removed as a whole to make a neighbouring dataset."`
	Blocks   Blocks   `yaml:"blocks" doc:"Parts of the data that have a budget each. Absent: the data is one."`
	Epsilon  Exact    `yaml:"epsilon" doc:"The claim's ε: all answers together, to everybody and for all time, are (ε, δ)-differentially private. Only the cap for all carries it. Absent: defaults.datasets.epsilon, or nothing can be asked."`
	Delta    Exact    `yaml:"delta" doc:"The claim's δ, below 1. Absent or 0: pure ε, by which Gaussian noise cannot be paid for."`
	Filters  []Filter `yaml:"filters" doc:"Rules of composition, each with its share of δ: a question is admitted while any of them still fits. Absent: all of them, with shares that the gateway chooses."`
	Slack    Exact    `yaml:"slack" doc:"The share of δ for mechanisms that fail to be private with a small probability. Needs filters."`
	Quotas   []Quota  `yaml:"quotas" doc:"Limits for single domains, workflows and agents. They keep one from using up what is there for all, and carry no claim."`
	Refresh  bool     `yaml:"refresh" doc:"Each block of time has a budget of its own, so that new data brings a new one. Needs a unit with a window and blocks of time that the window divides."`
	Versions Versions `yaml:"versions" doc:"When the data counts as changed. A question that is asked again on the same version gets the same answer and costs nothing. Absent: every question is paid for anew."`
	Formal   *bool    `yaml:"formal" doc:"Rows leave through the ledger alone: no policy lets any out as a table. Absent: what the data contract says, or, where none describes the dataset, true. With false answers say that they carry no formal claim."`
	Pad      Duration `yaml:"pad" doc:"Answers and refusals leave a multiple of this time after the question came, so that none tells whether it was known before. The tool has three quarters of it; what takes longer fails, and is paid for." default:"2s" min:"20ms" max:"10m"`

	Source Source           `yaml:"source" doc:"Where the data lies that agents ask about in SQL (docs/spec/questions.md). Absent: nobody does."`
	Tables map[string]Table `yaml:"tables" keys:"name" doc:"The tables of the source that questions may use, by the name that questions give them."`
	Limits QueryLimits      `yaml:"limits" doc:"How much one unit contributes to an answer in SQL."`
	SQL    SQL              `yaml:"sql" doc:"What questions in SQL cost."`

	Streams map[string]Stream `yaml:"streams" keys:"id" doc:"Running counts and sums that are released step by step."`
}

// Unit is the privacy unit.
type Unit struct {
	Name   string   `yaml:"name" doc:"What it is, such as patient." default:"person" pattern:"id"`
	Window Duration `yaml:"window" doc:"The time within which all of a unit's data lies, such as 1d for a patient's day. Absent: a unit has no bounds in time."`
}

// Blocks are parts of a dataset such that each unit lies in one of them.
type Blocks struct {
	By    BlockKind `yaml:"by" doc:"none: the data is one. unit: by a hash of the unit. time: by the time of the data." default:"none" enum:"none unit time"`
	Count int       `yaml:"count" doc:"How many there are. By time and with refresh: absent, there will be more." min:"0" max:"65536"`
	Width Duration  `yaml:"width" doc:"By time: how long each is."`
	From  time.Time `yaml:"from" doc:"By time: when the first begins (RFC 3339)."`
}

// BlockKind is how a dataset is cut into blocks.
type BlockKind string

// The kinds.
const (
	NoBlocks     BlockKind = "none"
	BlocksByUnit BlockKind = "unit"
	BlocksByTime BlockKind = "time"
)

// Filter is one rule of composition with its share of δ.
type Filter struct {
	Rule  FilterRule `yaml:"rule" doc:"basic: the sums of ε and δ. zcdp: the sum of ρ. rdp: the sum of Rényi divergences of one order. gdp: the sum of μ², for Gaussian noise alone." required:"true" enum:"basic zcdp rdp gdp"`
	Order int        `yaml:"order" doc:"Of rdp: 2, 4, 8, 16, 32 or 64." min:"0" max:"64"`
	Delta Exact      `yaml:"delta" doc:"Its share of δ: of basic, what the δ of mechanisms may add up to; of the others, what turning their sum into ε costs."`
}

// FilterRule names a rule of composition.
type FilterRule string

// The rules.
const (
	FilterBasic FilterRule = "basic"
	FilterZCDP  FilterRule = "zcdp"
	FilterRDP   FilterRule = "rdp"
	FilterGDP   FilterRule = "gdp"
)

// Quota is a limit for somebody.
type Quota struct {
	Domain   flow.DomainID `yaml:"domain" doc:"Whose callers are meant." required:"true" pattern:"id"`
	Workflow string        `yaml:"workflow" doc:"One of budgets.workflows. Absent: all of the domain's agents, or the agent alone." pattern:"id"`
	Agent    flow.AgentID  `yaml:"agent" doc:"One agent. Absent: all of the workflow or the domain together." pattern:"id"`
	Epsilon  Exact         `yaml:"epsilon" doc:"What its questions may cost together, ε." required:"true"`
	Delta    Exact         `yaml:"delta" doc:"What they may cost together, δ. Absent: the dataset's."`
}

// Versions are when the data counts as changed. The schedule is public.
type Versions struct {
	From  time.Time `yaml:"from" doc:"When the first version begins (RFC 3339)."`
	Every Duration  `yaml:"every" doc:"How long each is in force. Absent: the data does not change, and there is one version." min:"0s"`
}

// Question says that a tool or skill answers questions about a dataset, and by which mechanisms.
type Question struct {
	Tool      string      `yaml:"tool" doc:"The MCP tool, or * for all of the server."`
	Skill     string      `yaml:"skill" doc:"The A2A skill, or * for whatever the agent is sent."`
	Dataset   string      `yaml:"dataset" doc:"One of datasets." required:"true"`
	Technique string      `yaml:"technique" doc:"What policies, capabilities and contracts call it: an action on the dataset, which policy has to permit." default:"aggregate" enum:"aggregate synthesize match compute score train"`
	Cost      []Mechanism `yaml:"cost" doc:"The mechanisms that one answer comes from, all of them. Refusals depend on this alone, never on the data." required:"true"`
	Delta     Exact       `yaml:"delta" doc:"The δ at which noise that has no ε of its own, such as Gauss, is counted in ε: by capabilities, contracts and the basic rule. Absent: a thousandth of the dataset's."`
	Columns   []string    `yaml:"columns" doc:"Columns of the dataset that it is about, for capabilities and contracts that name some. Absent: all."`
	Over      Over        `yaml:"over" doc:"Which blocks of the dataset a question is about: all that have begun, or the last of time." default:"all" enum:"all last"`
}

// Over says which blocks a question is about.
type Over string

// The choices.
const (
	OverAll  Over = "all"
	OverLast Over = "last"
)

// Mechanism is one mechanism as docs/spec/budgets.md lists them. Members that its kind does not have stay away.
type Mechanism struct {
	Mech        string `yaml:"mech" doc:"Which one it is." required:"true" enum:"laplace gaussian discrete_laplace discrete_gaussian rounded_gaussian poisson_subsampled_gaussian epsilon_delta pure exponential zcdp gdp k_randomized_response laplace_threshold gaussian_threshold truncated_geometric_partition_selection"`
	Sensitivity Exact  `yaml:"sensitivity" doc:"How far one unit moves the value: the sum of distances for Laplace, the Euclidean norm for gaussian and rounded_gaussian. discrete_gaussian is one integer: of a vector it is one for each entry that moves (count), never the norm. Absent: 1."`
	Scale       Exact  `yaml:"scale" doc:"Of laplace: b in exp(−|x|/b)."`
	A           Exact  `yaml:"a" doc:"Of discrete_laplace: a in exp(−a|x|)."`
	Sigma       Exact  `yaml:"sigma" doc:"Of Gaussian noise: the standard deviation."`
	Q           Exact  `yaml:"q" doc:"Of a Poisson sample: the probability with which each unit is in it."`
	Epsilon     Exact  `yaml:"epsilon" doc:"Of epsilon_delta, pure, exponential (a noisy maximum or a sparse vector is pure), thresholds and partition selection: ε."`
	Delta       Exact  `yaml:"delta" doc:"Of epsilon_delta, laplace_threshold and partition selection: δ."`
	Rho         Exact  `yaml:"rho" doc:"Of zcdp: ρ."`
	Mu          Exact  `yaml:"mu" doc:"Of gdp: μ."`
	Noise       Exact  `yaml:"noise_parameter" doc:"Of k_randomized_response: the probability with which the answer is drawn from all buckets alike."`
	Buckets     int    `yaml:"num_buckets" doc:"Of k_randomized_response." min:"0" max:"1000000"`
	L0          int    `yaml:"l0" doc:"How many groups one unit is in at most." min:"0" max:"1000000"`
	LInf        Exact  `yaml:"linf" doc:"How far one unit moves one group's value."`
	NoiseDelta  Exact  `yaml:"noise_delta" doc:"Of gaussian_threshold: the δ of its noise."`
	Threshold   Exact  `yaml:"threshold_delta" doc:"Of thresholds: the δ of letting a group through that one unit alone is in."`
	Count       int    `yaml:"count" doc:"How often it runs for one answer. Absent: once." min:"0" max:"1000000"`
}

// Budgets is where spending is kept.
type Budgets struct {
	Shared    *SecretText               `yaml:"shared" secret:"true" doc:"The URL (postgres://…) of a PostgreSQL database that keeps the ledger for several gateways of the domain. Absent: it is kept in this gateway's own state."`
	Accept    []string                  `yaml:"accept" doc:"Set back ledgers that are taken all the same, each by the digest that the refusal gives, once plans were lowered by what it forgot. A digest counts once."`
	Workflows map[string][]flow.AgentID `yaml:"workflows" keys:"id" doc:"Agents that work together, by the workflow's name, for quotas. An agent is in at most one."`
	Slice     int                       `yaml:"slice" doc:"How many questions' worth a gateway sets aside at once from a shared ledger, so that it need not ask for each. 1: none is set aside." default:"1" min:"1" max:"10000"`
}

// SecretText is a secret that is not in the file: exactly one of its fields is given.
type SecretText struct {
	Env  string `yaml:"env" doc:"Environment variable that holds it." pattern:"env"`
	File string `yaml:"file" doc:"File that holds it, readable by nobody else."`

	place place
}

// Spec is the mechanism in the form of package account: a JSON object with the members that are given.
func (m *Mechanism) Spec() json.RawMessage {
	b := append([]byte(`{"mech":`), strconv.Quote(m.Mech)...)
	for _, n := range []struct {
		name string
		x    Exact
	}{
		{"sensitivity", m.Sensitivity}, {"scale", m.Scale}, {"a", m.A}, {"sigma", m.Sigma}, {"q", m.Q}, {"epsilon", m.Epsilon}, {"delta", m.Delta},
		{"rho", m.Rho}, {"mu", m.Mu}, {"noise_parameter", m.Noise}, {"linf", m.LInf}, {"noise_delta", m.NoiseDelta}, {"threshold_delta", m.Threshold},
	} {
		if n.x.Given() {
			b = append(append(append(b, `,"`...), n.name...), `":`...)
			b = append(b, n.x.json()...)
		}
	}
	for _, n := range []struct {
		name string
		n    int
	}{{"num_buckets", m.Buckets}, {"l0", m.L0}, {"count", m.Count}} {
		if n.n != 0 {
			b = strconv.AppendInt(append(append(append(b, `,"`...), n.name...), `":`...), int64(n.n), 10)
		}
	}
	return append(b, '}')
}

// json writes the number as JSON has it.
func (x Exact) json() string {
	if x.digits == "" {
		return "0"
	}
	return x.digits + "e" + strconv.Itoa(x.power)
}

// Price returns what one answer costs. Where the mechanisms have no ε of their own, it is worked out at the question's δ, or at
// a thousandth of the dataset's; without δ it stays [account.Infinite].
func (q *Question) Price(d Dataset) (account.Vector, error) {
	spec := make([]account.Mechanism, len(q.Cost))
	for i := range q.Cost {
		dec := json.NewDecoder(bytes.NewReader(q.Cost[i].Spec()))
		dec.DisallowUnknownFields()
		err := dec.Decode(&spec[i])
		if e, stated := errors.AsType[*account.Error](err); stated {
			return account.Vector{}, &account.Error{Member: fmt.Sprintf("spec[%d].%s", i, e.Member), Rule: e.Rule}
		}
		if err != nil {
			return account.Vector{}, fmt.Errorf("mechanism %d is not acceptable", i) // what json says may repeat it
		}
	}
	v, err := account.VectorOf(spec...)
	if err != nil || v.Epsilon != account.Infinite {
		return v, err
	}
	femto, _ := q.Delta.In(FemtoPlaces)
	if !q.Delta.Given() {
		femto, _ = d.Delta.In(FemtoPlaces)
		femto /= 1000
	}
	if femto == 0 {
		return v, nil
	}
	return account.Batch(spec, float64(femto)/1e15)
}

// WorkflowOf returns the workflow of an agent; "" where it is in none.
func (c *Config) WorkflowOf(id flow.AgentID) string {
	for _, name := range slices.Sorted(maps.Keys(c.Budgets.Workflows)) {
		if slices.Contains(c.Budgets.Workflows[name], id) {
			return name
		}
	}
	return ""
}

// datasets checks datasets, budgets and questions.
func (v *validator) datasets(agents map[flow.AgentID]int) {
	for _, name := range slices.Sorted(maps.Keys(v.c.Datasets)) {
		d := v.c.Datasets[name]
		v.dataset("datasets/"+name, name, &d)
		v.queried(name, &d)
		v.streams(name, &d)
		if !d.Asked() && !v.asked(name) {
			v.warn("datasets/"+name, "give it a source, or say under questions of an agent which tools or skills answer some", "nothing that is asked is charged to this budget")
		}
	}
	in := map[flow.AgentID]string{}
	for _, name := range slices.Sorted(maps.Keys(v.c.Budgets.Workflows)) {
		for i, id := range v.c.Budgets.Workflows[name] {
			at := fmt.Sprintf("budgets/workflows/%s/%d", name, i)
			known(v, at, "agent", id, agents)
			if other, twice := in[id]; twice {
				v.wrong(at, "", "the agent is in another workflow too, %q", other)
			}
			in[id] = name
		}
	}
	if s := v.c.Budgets.Shared; s != nil {
		if (s.Env == "") == (s.File == "") {
			v.wrong("budgets/shared", "the URL holds a password, so it does not belong in this file", "either env or file is expected")
		}
		v.secret("budgets/shared", s.Env, s.File)
	} else if v.c.Budgets.Slice > 1 {
		v.warn("budgets/slice", "", "nothing is set aside of a ledger that no other gateway shares")
	}
	for i := range v.c.Agents {
		v.questions(&v.c.Agents[i], fmt.Sprintf("agents/%d/questions", i))
	}
}

// asked reports whether some tool or skill answers questions about a dataset.
func (v *validator) asked(dataset string) bool {
	return slices.ContainsFunc(v.c.Agents, func(a Agent) bool {
		return slices.ContainsFunc(a.Questions, func(q Question) bool { return q.Dataset == dataset })
	})
}

func (v *validator) dataset(at, name string, d *Dataset) {
	delta := v.claim(at, d.Epsilon, d.Delta)
	if !d.Epsilon.Given() {
		v.wrong(at, "or give defaults.datasets one", "epsilon is missing")
	}
	v.blocks(at, d)
	shares, slack := int64(0), v.femto(at+"/slack", d.Slack)
	seen := map[Filter]bool{}
	for i, f := range d.Filters {
		at := fmt.Sprintf("%s/filters/%d", at, i)
		if (f.Rule == FilterRDP) != slices.Contains([]int{2, 4, 8, 16, 32, 64}, f.Order) {
			v.wrong(at, "", "order is for rdp, and one of 2, 4, 8, 16, 32, 64")
		}
		if key := (Filter{Rule: f.Rule, Order: f.Order}); seen[key] {
			v.wrong(at, "", "the rule is listed twice")
		} else {
			seen[key] = true
		}
		share := v.femto(at+"/delta", f.Delta)
		if f.Rule != FilterBasic && share == 0 {
			v.wrong(at, "or leave the rule out", "this rule needs a share of δ")
		}
		shares += min(share, 1e15)
	}
	if len(d.Filters) == 0 && slack > 0 {
		v.wrong(at+"/slack", "list filters, too", "slack is a share of δ that goes with filters")
	}
	if shares+min(slack, 1e15) > delta && len(d.Filters) > 0 {
		v.wrong(at+"/filters", "make them smaller, or delta larger", "the shares and slack add up to more than delta")
	}
	for i, q := range d.Quotas {
		v.quota(fmt.Sprintf("%s/quotas/%d", at, i), name, &q)
	}
	switch vs := d.Versions; {
	case vs.From.IsZero() && vs.Every != 0:
		v.wrong(at+"/versions", "", "every needs a from")
	case vs.Every != 0 && vs.Every < Duration(time.Minute):
		v.wrong(at+"/versions/every", "", "it must be at least 1m")
	}
	v.agreesWithContract(at, name, d)
	v.agreesWithUse(at, name, d)
}

// claim checks ε and δ, and returns δ in femto.
func (v *validator) claim(at string, epsilon, delta Exact) int64 {
	if nano, ok := epsilon.In(NanoPlaces); epsilon.Given() && (!ok || nano == 0 || nano > MaxEpsilon*1e9) {
		v.wrong(at+"/epsilon", "", "it must be over 0, at most %d, and a multiple of 10⁻⁹", int64(MaxEpsilon))
	}
	return v.femto(at+"/delta", delta)
}

// MaxEpsilon is the largest ε that can be declared. What is beyond any number like it says nothing.
const MaxEpsilon = 1000

func (v *validator) femto(at string, x Exact) int64 {
	n, ok := x.In(FemtoPlaces)
	if !ok || n >= 1e15 {
		v.wrong(at, "", "it must be below 1, and a multiple of 10⁻¹⁵")
		return 0
	}
	return n
}

func (v *validator) blocks(at string, d *Dataset) {
	b, window := &d.Blocks, time.Duration(d.Unit.Window)
	width := time.Duration(b.Width)
	switch {
	case b.By == BlocksByUnit && b.Count < 2:
		v.wrong(at+"/blocks", "", "blocks by unit need a count of at least 2")
	case b.By != BlocksByTime && b.By != BlocksByUnit && b.Count > 0, d.Refresh && b.Count > 0:
		v.wrong(at+"/blocks/count", "leave it out", "count is for blocks that do not become more")
	case b.By == BlocksByTime && !d.Refresh && b.Count == 0:
		v.wrong(at+"/blocks", "or set refresh, so that new data brings a budget of its own", "blocks of time need a count of how many there will ever be")
	}
	if byTime := b.By == BlocksByTime; byTime != (width > 0) || byTime == b.From.IsZero() {
		v.wrong(at+"/blocks", "", "width and from are for blocks by time, and go together")
	}
	if b.By == BlocksByTime && width > 0 && (window == 0 || width%window != 0) {
		v.wrong(at+"/blocks", "give the unit a window, such as that of a patient's day, and make blocks a multiple of it; or cut the data by unit",
			"a unit must lie in one block, so blocks of time need a unit with a window that divides them")
	}
	if d.Refresh && b.By != BlocksByTime {
		v.wrong(at+"/refresh", "leave it out, or cut the data into blocks of time",
			"a budget that comes back is no limit for a unit whose data stays: it needs a unit with a window, and blocks of time")
	}
}

func (v *validator) quota(at, dataset string, q *Quota) {
	v.claim(at, q.Epsilon, q.Delta)
	agents := v.c.Budgets.Workflows[q.Workflow]
	if q.Workflow != "" {
		known(v, at+"/workflow", "workflow", q.Workflow, v.c.Budgets.Workflows)
	}
	if q.Agent == "" {
		return
	}
	switch of := v.c.WorkflowOf(q.Agent); {
	case q.Workflow != "" && !slices.Contains(agents, q.Agent):
		v.wrong(at+"/agent", "", "the agent is not in the workflow")
	case q.Workflow == "" && of != "":
		v.wrong(at+"/agent", "workflow: "+of, "the agent is in a workflow, which its quota lies under")
	}
	if a, ok := v.c.Agent(q.Agent); ok && a.Domain != q.Domain && q.Domain != "" {
		v.wrong(at+"/agent", "", "the agent is of another domain")
	}
}

// agreesWithContract holds a dataset to the data contract that describes it.
func (v *validator) agreesWithContract(at, name string, d *Dataset) {
	if v.c.loaded.catalog == nil {
		return
	}
	for _, contract := range v.c.loaded.catalog.Contracts() {
		of, ok := contract.Dataset(name)
		if !ok {
			continue
		}
		if of.Unit != "" && cmp.Or(d.Unit.Name, of.Unit) != of.Unit {
			v.wrong(at+"/unit", "unit: {name: "+of.Unit+"}", "the data contract %s has another privacy unit", contract.ID)
		}
		nano, _ := d.Epsilon.In(NanoPlaces)
		femto, _ := d.Delta.In(FemtoPlaces)
		if t := of.Budget.Total; t != (flow.Cost{}) && (nano > t.EpsilonNano || femto > t.DeltaPico*1000) {
			v.wrong(at, "", "the data contract %s allows less", contract.ID)
		}
	}
}

func (v *validator) questions(a *Agent, at string) {
	seen := map[string]bool{}
	for i := range a.Questions {
		q, at := &a.Questions[i], fmt.Sprintf("%s/%d", at, i)
		name := q.Tool + "\x00" + q.Skill
		switch {
		case (q.Tool == "") == (q.Skill == ""):
			v.wrong(at, "", "either tool or skill is expected")
		case seen[name]:
			v.wrong(at, "list all its mechanisms under one", "the tool or skill is listed twice")
		case q.Tool != "" && a.MCP == nil:
			v.wrong(at+"/tool", "give the agent mcp", "a tool is one of an MCP server")
		case q.Skill != "" && a.A2A == nil:
			v.wrong(at+"/skill", "give the agent a2a", "a skill is one of an A2A agent")
		}
		seen[name] = true
		known(v, at+"/dataset", "dataset", q.Dataset, v.c.Datasets)
		if a.Domain != v.c.Domain {
			v.wrong(at, "its own gateway charges", "the agent is of another domain, and its data is not this domain's to account for")
		}
		if d, ok := v.c.Datasets[q.Dataset]; ok && q.Over == OverLast && d.Blocks.By != BlocksByTime {
			v.wrong(at+"/over", "", "the dataset has no blocks of time")
		}
		if t := v.contractOf(q.Dataset).Governance.Techniques; len(t) > 0 && !slices.Contains(t, q.Technique) {
			v.wrong(at+"/technique", "", "the data contract of %s does not allow %s", q.Dataset, q.Technique)
		}
		v.femto(at+"/delta", q.Delta)
		v.price(at, q)
	}
}

// price checks what a question costs.
func (v *validator) price(at string, q *Question) {
	if len(q.Cost) == 0 {
		v.wrong(at, "", "cost lists no mechanism")
		return
	}
	d, ok := v.c.Datasets[q.Dataset]
	cost, err := q.Price(d)
	switch e, stated := errors.AsType[*account.Error](err); {
	case stated:
		v.wrong(at+"/cost", "docs/spec/budgets.md lists what each mechanism takes", "%s %s", e.Member, e.Rule)
	case err != nil:
		v.wrong(at+"/cost", "", "it is not a mechanism whose cost is known")
	case ok && d.Delta.IsZero() && cost.Epsilon == account.Infinite:
		v.wrong(at+"/cost", "give the dataset a delta, or add noise that is purely ε-private, such as Laplace", "no question like this can ever be paid for from a budget without δ")
	}
}

// SharedBudgets returns the URL of the database that keeps the ledger for several gateways. The error wraps [ErrSecret] and gives the
// place in the file.
func (c *Config) SharedBudgets() (flow.Secret, error) {
	return c.secret(c.Budgets.Shared.place, c.Budgets.Shared.Env, c.Budgets.Shared.File)
}
