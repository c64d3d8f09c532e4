package playground

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scrimhq/scrim/console/draft"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/change"
)

//go:embed templates
var templates embed.FS

// The bounds of one look.
const (
	mostMessage    = 256 << 10
	mostRecipients = 8
	lookTime       = 30 * time.Second
)

// Choices are what a message may be tried with.
type Choices struct {
	Agents   []flow.Party   `json:"agents"`
	Purposes []flow.Purpose `json:"purposes"`
	Remote   bool           `json:"remote,omitempty"` // a detection service is configured, which is not asked
}

// Try is a message with all that is asked about it.
type Try struct {
	Message     []byte
	Kind        Kind
	Direction   flow.Direction
	From        flow.AgentID // "": nobody in particular, of this domain
	To          []flow.AgentID
	Purpose     flow.Purpose
	Task        flow.Task
	Subject     string
	Attested    bool
	Consent     bool
	Approved    bool
	Alternative *change.RuleSet // rules to try it under; nil: those in force
}

// Stage is where messages are tried. Errors that are [draft.Mistakes] are about the rules; none repeats the message.
type Stage interface {
	Choices() Choices
	Try(ctx context.Context, t Try) ([]Sight, error)
}

// Options of the pages. Without them there is nothing to try anything on.
type Options struct {
	Stage Stage
	Bench draft.Bench
}

// Form is what somebody filled in. Of Do, "load" takes a policy's text anew; anything else is a look.
type Form struct {
	Message     string   `json:"message"`
	Kind        Kind     `json:"kind,omitempty"`      // "": as it looks
	Direction   string   `json:"direction,omitempty"` // request, response
	From        string   `json:"from,omitempty"`
	To          []string `json:"to,omitempty"`
	Purpose     string   `json:"purpose,omitempty"`
	Task        string   `json:"task,omitempty"`
	Criticality string   `json:"criticality,omitempty"`
	Subject     string   `json:"subject,omitempty"` // tool or skill
	Attested    bool     `json:"attested,omitempty"`
	Consent     bool     `json:"consent,omitempty"`
	Approved    bool     `json:"approved,omitempty"`
	File        string   `json:"file,omitempty"` // a policy that is tried otherwise
	Loaded      string   `json:"loaded,omitempty"`
	Text        string   `json:"text,omitempty"` // of it
	Do          string   `json:"do,omitempty"`
}

// Wants reports whether a recipient is chosen.
func (f Form) Wants(agent flow.AgentID) bool { return slices.Contains(f.To, string(agent)) }

// Model is the page.
type Model struct {
	Form     Form               `json:"form"`
	Choices  Choices            `json:"choices"`
	Files    []string           `json:"files"` // that can be tried otherwise
	Problem  string             `json:"problem,omitempty"`
	Mistakes draft.Mistakes     `json:"mistakes,omitempty"`
	Source   []draft.SourceLine `json:"source,omitempty"` // where they are
	Result   *Result            `json:"result,omitempty"`
	Few      bool               `json:"-"` // agents can be listed
	Kinds    []Kind             `json:"-"`
	Crit     []flow.Criticality `json:"-"`
	texts    map[string][]byte  // in force
	force    draft.Force
}

type pages struct {
	opt  Options
	busy chan struct{} // room for one look at a time
}

// Add adds the page to a frame.
func Add(f *page.Frame, opt Options) {
	if opt.Bench == nil || opt.Stage == nil {
		opt = Options{Bench: draft.Without{}}
	}
	p := &pages{opt: opt, busy: make(chan struct{}, 1)}
	g := f.Group(templates, template.FuncMap{"visible": draft.Visible, "pretty": pretty, "limit": limitWords})
	page.Add(g, page.Page[*Model]{
		Path: "/playground", Title: "Playground", Template: "playground.html", Role: page.Steward,
		Summary: "What a message may be tried with: agents, purposes, policies. Nothing of what was tried before is in it.",
		Model:   func(_ context.Context, _ *page.Request) (*Model, error) { return p.model(Form{}) },
	})
	page.Do(g, page.Action[Form, *Model]{
		Path: "/playground", Name: "console/try", Title: "Playground", Template: "playground.html", Role: page.Steward, ReadOnly: true,
		Summary: "What each recipient would see of a message, under the rules in force and under a changed policy. The answer holds what the message holds; nothing of it is kept.",
		Do:      p.try,
	})
}

func (p *pages) model(f Form) (*Model, error) {
	force, err := p.opt.Bench.InForce()
	if errors.Is(err, draft.ErrNothing) {
		return nil, page.Wrong("%s", err.Error())
	}
	if err != nil {
		return nil, err
	}
	m := &Model{Form: f, Choices: p.opt.Stage.Choices(), force: force, texts: force.Rules.Files, Kinds: []Kind{Text, JSON, A2A, MCP}, Crit: []flow.Criticality{flow.Low, flow.Routine, flow.Critical}}
	m.Few = len(m.Choices.Agents) <= 40
	for _, name := range force.Names() {
		if strings.HasSuffix(name, ".cedar") {
			m.Files = append(m.Files, name)
		}
	}
	if m.Form.Criticality == "" {
		m.Form.Criticality = flow.Routine.String()
	}
	if m.Form.File != "" && !slices.Contains(m.Files, m.Form.File) {
		return nil, page.Wrong("file: there is no such policy in force")
	}
	if m.Form.File != m.Form.Loaded || m.Form.Do == "load" {
		if m.Form.Text = ""; m.Form.File != "" {
			m.Form.Text = string(m.texts[m.Form.File])
		}
		m.Form.Loaded = m.Form.File
	}
	return m, nil
}

// try answers a form. What is wrong with what was filled in is on the page that still has it.
func (p *pages) try(ctx context.Context, _ *page.Request, f Form) (*Model, error) {
	m, err := p.model(f)
	if err != nil || f.Do == "load" {
		return m, err
	}
	t, err := m.read()
	if err == nil {
		err = p.look(ctx, m, t)
	}
	if ms, ok := errors.AsType[draft.Mistakes](err); ok {
		m.Mistakes, m.Source = ms, draft.Around(m.Form.Text, ms.Of(m.Form.File))
		m.Problem = "The policy as it is edited cannot decide; see below where."
		return m, nil
	}
	if err != nil {
		m.Problem = err.Error()
	}
	return m, nil
}

var errBusy = errors.New("somebody else is trying something; try again in a moment")

func (p *pages) look(ctx context.Context, m *Model, t Try) error {
	ctx, done := context.WithTimeout(ctx, lookTime)
	defer done()
	select {
	case p.busy <- struct{}{}:
		defer func() { <-p.busy }()
	case <-ctx.Done():
		return errBusy
	}
	now, err := p.opt.Stage.Try(ctx, t)
	if err != nil {
		return err
	}
	var then []Sight
	if m.edited() {
		rs := draft.Draft{Files: map[string][]byte{m.Form.File: []byte(m.Form.Text)}}.Over(m.force.Rules)
		t.Alternative = &rs
		if then, err = p.opt.Stage.Try(ctx, t); err != nil {
			if _, ok := errors.AsType[draft.Mistakes](err); !ok {
				return err
			}
			m.Result = compare(now, nil)
			return err
		}
	}
	m.Result = compare(now, then)
	return nil
}

// edited reports whether a policy is other than in force.
func (m *Model) edited() bool {
	return m.Form.File != "" && m.Form.Loaded == m.Form.File && m.Form.Text != string(m.texts[m.Form.File])
}

// Edited is edited, for the template.
func (m *Model) Edited() bool { return m.edited() }

// read checks what was filled in.
func (m *Model) read() (t Try, err error) {
	f := &m.Form
	var to []string
	for _, one := range f.To {
		to = append(to, strings.FieldsFunc(one, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })...)
	}
	slices.Sort(to)
	f.To = slices.Compact(to)
	t = Try{
		Message: []byte(f.Message), Kind: f.Kind, From: flow.AgentID(f.From), Purpose: flow.Purpose(f.Purpose), Subject: strings.TrimSpace(f.Subject),
		Task: flow.Task{ID: flow.TaskID(f.Task)}, Attested: f.Attested, Consent: f.Consent, Approved: f.Approved,
	}
	switch {
	case strings.TrimSpace(f.Message) == "":
		return t, page.Wrong("Paste a message first.")
	case len(f.Message) > mostMessage:
		return t, page.Wrong("The message is larger than 256 KiB.")
	case !utf8.ValidString(f.Message):
		return t, page.Wrong("The message is not UTF-8 text.")
	case len(f.To) == 0:
		return t, page.Wrong("Choose whose eyes it is for.")
	case len(f.To) > mostRecipients:
		return t, page.Wrong("At most %d recipients are shown beside each other.", mostRecipients)
	case len(f.Text) > draft.MaxFile:
		return t, page.Wrong("The policy is larger than 1 MiB.")
	case f.Direction != "" && f.Direction != "request" && f.Direction != "response":
		return t, page.Wrong("direction: it is neither request nor response")
	}
	if f.Direction == "response" {
		t.Direction = flow.Response
	}
	if t.Task.Criticality, err = flow.ParseCriticality(f.Criticality); err != nil {
		return t, page.Wrong("criticality: it is none of low, routine, critical")
	}
	if t.Kind == "" {
		t.Kind = KindOf(t.Message)
	}
	if !slices.Contains(m.Kinds, t.Kind) {
		return t, page.Wrong("kind: it is none of text, json, a2a, mcp")
	}
	if t.Kind != Text && !json.Valid(t.Message) {
		return t, page.Wrong("The message is not valid JSON.")
	}
	return t, m.known(&t)
}

// known refuses names that are not there: a question with a slip in it would be answered with "dropped".
func (m *Model) known(t *Try) error {
	has := func(name string) bool {
		return slices.ContainsFunc(m.Choices.Agents, func(p flow.Party) bool { return string(p.Agent) == name })
	}
	if t.From != "" && !has(string(t.From)) {
		return page.Wrong("from: there is no such agent")
	}
	for _, name := range m.Form.To {
		if !has(name) {
			return page.Wrong("to: there is no such agent")
		}
		t.To = append(t.To, flow.AgentID(name))
	}
	if t.Purpose != "" && !slices.Contains(m.Choices.Purposes, t.Purpose) {
		return page.Wrong("purpose: there is no such purpose")
	}
	return nil
}

// pretty is JSON as one reads it.
func pretty(s string, isJSON bool) string {
	var b bytes.Buffer
	if isJSON && json.Indent(&b, []byte(s), "", "  ") == nil {
		s = b.String()
	}
	return draft.Visible(s)
}

// limitWords says what narrowed a level last.
func limitWords(l flow.Limit) string {
	switch l {
	case flow.ByPolicy:
		return "the policies"
	case flow.ByNeed:
		return "what the recipient's task needs"
	case flow.ByTier:
		return "the tier of the data, for a task of this criticality"
	case flow.BySchema:
		return "the recipient's schema"
	case flow.ByExposure:
		return "what the recipient holds already"
	case flow.ByHandle:
		return "a reference stands in its place"
	case flow.ByContract:
		return "what the two domains agreed on"
	case flow.ByHop:
		return "a gateway before this one"
	case flow.ByCapability:
		return "the caller's right"
	case flow.ByCatalog:
		return "the data contract"
	}
	return l.String()
}
