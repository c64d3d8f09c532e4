package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// Rehearsal is what would become of a piece of content.
type Rehearsal struct {
	Inputs api.Inputs       // the places of it with what was decided; empty if it was refused before that
	Seen   []byte           // the content as the recipient would get it
	JSON   bool             // Seen is JSON, otherwise text
	Refuse *gateway.Refusal // not nil: nothing would reach the recipient
}

// Rehearse takes a text, or a JSON value, down the whole road of a flow, as a part of an A2A message, with state of its
// own in a temporary directory: no gateway's state is read or changed. A detection service is not asked.
func Rehearse(ctx context.Context, c *config.Config, models Models, q policy.Query, content []byte, isJSON bool) (r Rehearsal, err error) {
	dir, err := os.MkdirTemp("", "scrim-check-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	scratch := *c
	scratch.Store, scratch.Budgets.Shared = config.Store{}, nil
	scratch.Data, scratch.Keys = dir, config.Keys{File: filepath.Join(dir, "keyset.json")}
	snap, err := Offline(&scratch, models)
	if err != nil {
		return r, err
	}
	st, err := OpenState(ctx, &scratch, store.Options{NoSync: true})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	g, err := gateway.New(gateway.Options{Store: st.DB, Journal: st.Log, Vault: st.Vault, Keys: st.Keys}, snap)
	if err != nil {
		return r, err
	}
	m, err := rehearsed(snap, q, content, isJSON)
	if err != nil {
		return r, err
	}
	r.JSON = isJSON
	passed, err := g.Pass(ctx, m)
	if ref, ok := errors.AsType[*gateway.Refusal](err); ok {
		r.Refuse = ref
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if r.Seen, err = contentOf(passed.Body, q.Flow.Direction, isJSON); err != nil {
		return r, err
	}
	for e, err := range audit.Entries(ctx, st.DB, audit.Query{Flow: m.Query.Flow.ID}) {
		if err != nil {
			return r, err
		}
		in, err := api.OpenInputs(st.Ledger(), e)
		if err != nil {
			return r, err
		}
		r.Inputs = *in
	}
	return r, nil
}

// rehearsed wraps the content as a message between the parties of the query.
func rehearsed(s *gateway.Snapshot, q policy.Query, content []byte, isJSON bool) (*gateway.Message, error) {
	f := &q.Flow
	f.ID, f.Protocol, f.Method = gateway.NewFlowID(), "a2a/"+wire.A2A10, "SendMessage"
	owner := f.To.Agent
	if f.Direction == flow.Response {
		owner = f.From.Agent
	}
	part := []byte(`{"data":` + string(content) + `}`)
	if !isJSON {
		text, err := json.Marshal(string(content))
		if err != nil {
			return nil, err
		}
		part = []byte(`{"text":` + string(text) + `}`)
	}
	message, open, end := `{"message":{"messageId":"check","role":"ROLE_USER","parts":[`, `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":`, "}"
	if f.Direction == flow.Response {
		message, open = `{"message":{"messageId":"check","role":"ROLE_AGENT","parts":[`, `{"jsonrpc":"2.0","id":1,"result":`
	}
	table, ok := wire.For("a2a", wire.A2A10, f.Method, f.Direction, false)
	if !ok {
		return nil, errors.New("there is no table for the message")
	}
	var skill string
	if a := s.Agents[owner]; a != nil {
		skill = a.Skill
	}
	schemas := append(s.Catalog.Schemas(catalog.Skill, owner, skill, f.Direction), s.Catalog.Schemas(catalog.Data, owner, "", f.Direction)...)
	return &gateway.Message{
		Snapshot: s, Query: q, Table: table, Owner: owner, Schemas: schemas,
		Body: bytes.Join([][]byte{[]byte(open), []byte(message), part, []byte(`]}}`), []byte(end)}, nil),
	}, nil
}

// contentOf takes the content out of the message again.
func contentOf(body []byte, dir flow.Direction, isJSON bool) ([]byte, error) {
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
		return nil, fmt.Errorf("reading the result: %w", err)
	}
	parts := m.Params.Message.Parts
	if dir == flow.Response {
		parts = m.Result.Message.Parts
	}
	switch {
	case len(parts) != 1:
		return nil, errors.New("the result has another form than the message")
	case isJSON && parts[0].Data != nil:
		return parts[0].Data, nil
	case parts[0].Text != nil:
		return []byte(*parts[0].Text), nil
	}
	return nil, nil // the part is gone
}
