package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/playground"
	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/store"
)

// Stage is where messages are taken down the whole road of a flow with nobody at its end, and with state of its own: no gateway's state is read or changed.
// Tokens made on it open nowhere. A detection service is not asked. It is for one caller at a time; close it.
type Stage struct {
	dir   string
	snap  *gateway.Snapshot
	state *State
	gate  *gateway.Gateway
}

// OpenStage makes a stage for a configuration. What its fields carry because of where their data came from may be given.
//
// What is written is sealed under keys of which nothing is left on disk once it is open, so that what a crash leaves behind opens for nobody.
func OpenStage(ctx context.Context, c *config.Config, models Models, carried map[string][]flow.Label) (_ *Stage, err error) {
	dir, err := os.MkdirTemp(volatile(), stagePrefix())
	if err != nil {
		return nil, err
	}
	s := &Stage{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	scratch := *c
	scratch.Store, scratch.Budgets.Shared = config.Store{}, nil
	scratch.Data, scratch.Keys = dir, config.Keys{File: filepath.Join(dir, "keyset.json")}
	if s.snap, err = Offline(&scratch, models); err != nil {
		return nil, err
	}
	s.snap.Policy = s.snap.Policy.Carrying(carried)
	if s.state, err = OpenState(ctx, &scratch, store.Options{NoSync: true}); err != nil {
		return nil, err
	}
	if err := os.Remove(scratch.Keys.File); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("removing the keys of a stage: %w", err)
	}
	s.gate, err = gateway.New(gateway.Options{Store: s.state.DB, Journal: s.state.Log, Vault: s.state.Vault, Keys: s.state.Keys}, s.snap)
	return s, err
}

// stagePrefix is what names of stages begin with: those of this process alone.
func stagePrefix() string { return fmt.Sprintf("scrim-check-%d-", os.Getpid()) }

// volatile is a directory that no disk keeps, or "".
func volatile() string {
	const shm = "/dev/shm"
	f, err := os.CreateTemp(shm, stagePrefix())
	if err != nil {
		return ""
	}
	_ = f.Close() // nothing was written
	if os.Remove(f.Name()) != nil {
		return ""
	}
	return shm
}

// Close removes the stage.
func (s *Stage) Close() error {
	var err error
	if s.state != nil {
		err = s.state.Close()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Script is a message that is tried.
type Script struct {
	Query   policy.Query // Flow: from whom, to whom, why, and which way
	Content []byte
	Kind    playground.Kind
	Subject string // the tool or skill that takes or gives it; "": as the message or the agent says
}

// Trimmed takes off what editors add at the end, and around JSON.
func (k *Script) Trimmed() {
	if k.Kind == playground.Text {
		k.Content = bytes.TrimRight(k.Content, "\r\n")
	} else {
		k.Content = bytes.TrimSpace(k.Content)
	}
}

// Look says what the recipient would see of a message, and why.
func (s *Stage) Look(ctx context.Context, k Script) (playground.Sight, error) {
	out := playground.Sight{To: k.Query.Flow.To, JSON: k.Kind != playground.Text}
	m, err := s.message(&k)
	if err != nil {
		return out, err
	}
	spans, err := s.spans(ctx, k)
	if err != nil {
		return out, err
	}
	passed, err := s.gate.Pass(ctx, m)
	if ref, ok := errors.AsType[*gateway.Refusal](err); ok {
		out.Refused = &playground.Refused{Rule: string(ref.Rule), Public: ref.Public, Said: ref.Text()}
		if ref.Place != "" {
			out.Refused.Place = placeOf(k, ref.Place)
		}
		out.Places, err = s.undecided(k, spans)
		return out, err
	}
	if err != nil {
		return out, err
	}
	seen, err := contentOf(passed.Body, k)
	if err != nil {
		return out, err
	}
	out.Seen = string(seen)
	for e, err := range audit.Entries(ctx, s.state.DB, audit.Query{Flow: m.Query.Flow.ID}) {
		if err != nil {
			return out, err
		}
		in, err := api.OpenInputs(s.state.Ledger(), e)
		if err != nil {
			return out, err
		}
		out.Places = decided(k, in, spans)
	}
	return out, nil
}

// decided lists what was decided. Values are those of the message itself.
func decided(k Script, in *api.Inputs, spans []detect.Finding) (out []playground.Place) {
	next := 0
	for i, l := range in.Leaves {
		p := placed(k, l, in.Terms[i])
		if k.Kind == playground.Text && l.Origin == flow.Detected && next < len(spans) && spans[next].Label == l.Label {
			p.Value = string(k.Content[spans[next].Start:spans[next].End])
			next++
		}
		out = append(out, p)
	}
	return out
}

func placed(k Script, l flow.Leaf, t flow.LeafTerms) playground.Place {
	return playground.Place{
		Place: placeOf(k, l.Path), Label: l.Label, Origin: l.Origin, Score: l.Score, Level: t.Level, Shown: t.Treatment.String(), By: t.By,
		Policies: t.Policies, Reason: t.Reason, Leaf: l,
	}
}

// undecided asks about each label that stands in a text that was refused as a whole.
func (s *Stage) undecided(k Script, spans []detect.Finding) (out []playground.Place, err error) {
	for _, f := range spans {
		leaf := flow.Leaf{Path: "/text", Label: f.Label, Origin: flow.Detected, Score: flow.Percent(f.Score)}
		ex, err := s.snap.Policy.Explain(k.Query, leaf)
		if err != nil {
			return nil, err
		}
		p := placed(k, leaf, ex.Result)
		p.Place, p.Value = "text", string(k.Content[f.Start:f.End])
		out = append(out, p)
	}
	return out, nil
}

// spans finds things in a text by the gateway's own detector, for their extent.
func (s *Stage) spans(ctx context.Context, k Script) ([]detect.Finding, error) {
	if k.Kind != playground.Text {
		return nil, nil
	}
	return s.snap.Detector.Find(ctx, string(k.Content), nil)
}

// placeOf is a path without the message that the content was wrapped in.
func placeOf(k Script, p flow.Path) string {
	if k.Kind != playground.Text && k.Kind != playground.JSON {
		return string(p)
	}
	for _, wrap := range []string{"/params/message/parts/0", "/result/message/parts/0"} {
		if rest, ok := strings.CutPrefix(string(p), wrap); ok {
			rest = strings.TrimPrefix(rest, "/data")
			switch rest {
			case "/text":
				return "text"
			case "":
				return "/"
			}
			return rest
		}
	}
	return string(p)
}

// message is the message between the parties of the query.
func (s *Stage) message(k *Script) (*gateway.Message, error) {
	f := &k.Query.Flow
	f.ID, f.Protocol, f.Method = gateway.NewFlowID(), "a2a/"+wire.A2A10, "SendMessage"
	m := &gateway.Message{Snapshot: s.snap, Owner: f.To.Agent, Body: k.Content}
	if f.Direction == flow.Response {
		m.Owner = f.From.Agent
	}
	var err error
	switch k.Kind {
	case playground.A2A, playground.MCP:
		m.Table, err = s.carried(k, m.Owner)
	default:
		m.Body, err = wrapped(*k)
		m.Table, _ = wire.For("a2a", wire.A2A10, f.Method, f.Direction, false)
	}
	if err != nil {
		return nil, err
	}
	if m.Table == nil {
		return nil, errors.New("there is no table for the message")
	}
	cat := s.snap.Catalog
	if k.Kind == playground.MCP {
		m.Schemas = cat.Schemas(catalog.Tool, m.Owner, f.Subject, f.Direction)
		if f.Method == "resources/read" {
			m.Schemas = cat.Schemas(catalog.Resource, m.Owner, "", f.Direction)
		}
	} else {
		skill := k.Subject
		if a := s.snap.Agents[m.Owner]; a != nil && skill == "" {
			skill = a.Skill
		}
		m.Schemas = append(cat.Schemas(catalog.Skill, m.Owner, skill, f.Direction), cat.Schemas(catalog.Data, m.Owner, "", f.Direction)...)
	}
	m.Meta = cat.Schemas(catalog.Data, m.Owner, "metadata", f.Direction)
	m.Query = k.Query
	return m, nil
}

// errNotCarried is the error of a JSON-RPC message of a method that no gateway carries.
var errNotCarried = errors.New("it is no message of a method that a gateway carries in this direction")

// carried finds the table of a whole message, and says in the flow what it is.
func (s *Stage) carried(k *Script, owner flow.AgentID) (*wire.Table, error) {
	var rpc struct {
		Method string `json:"method"`
		Params struct {
			Name string `json:"name"`
		} `json:"params"`
	}
	if json.Unmarshal(k.Content, &rpc) != nil {
		return nil, errNotCarried
	}
	f := &k.Query.Flow
	protocol, versions, method := "a2a", []string{wire.A2A10, wire.A2A03}, "SendMessage"
	if k.Kind == playground.MCP {
		protocol, versions, method = "mcp", []string{wire.MCP20260728, wire.MCP20251125}, "tools/call"
	}
	if rpc.Method != "" {
		method = rpc.Method
	}
	f.Subject = k.Subject
	if f.Subject == "" && k.Kind == playground.MCP && s.snap.Catalog.Names(catalog.Tool, owner, rpc.Params.Name) {
		f.Subject = rpc.Params.Name
	}
	for _, v := range versions {
		if t, ok := wire.For(protocol, v, method, f.Direction, false); ok {
			f.Protocol, f.Method = protocol+"/"+v, method
			return t, nil
		}
	}
	return nil, errNotCarried
}

// wrapped is the content as the one part of a message.
func wrapped(k Script) ([]byte, error) {
	part := []byte(`{"data":` + string(k.Content) + `}`)
	if k.Kind == playground.Text {
		text, err := json.Marshal(string(k.Content))
		if err != nil {
			return nil, err
		}
		part = []byte(`{"text":` + string(text) + `}`)
	}
	message, open, end := `{"message":{"messageId":"check","role":"ROLE_USER","parts":[`, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":`, "}"
	if k.Query.Flow.Direction == flow.Response {
		message, open = `{"message":{"messageId":"check","role":"ROLE_AGENT","parts":[`, `{"jsonrpc":"2.0","id":1,"result":`
	}
	return bytes.Join([][]byte{[]byte(open), []byte(message), part, []byte(`]}}`), []byte(end)}, nil), nil
}

// contentOf takes the content out of the message again.
func contentOf(body []byte, k Script) ([]byte, error) {
	if k.Kind == playground.A2A || k.Kind == playground.MCP {
		return body, nil
	}
	type message struct {
		Message struct {
			Parts []struct {
				Text *string         `json:"text"`
				Data json.RawMessage `json:"data"`
			} `json:"parts"`
		} `json:"message"`
	}
	var m struct{ Params, Result message }
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, errors.New("the result cannot be read") // what json says may repeat it
	}
	parts := m.Params.Message.Parts
	if k.Query.Flow.Direction == flow.Response {
		parts = m.Result.Message.Parts
	}
	switch {
	case len(parts) != 1:
		return nil, errors.New("the result has another form than the message")
	case k.Kind == playground.JSON && parts[0].Data != nil:
		return parts[0].Data, nil
	case parts[0].Text != nil:
		return []byte(*parts[0].Text), nil
	}
	return nil, nil // the part is gone
}
