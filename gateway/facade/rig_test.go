package facade_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	_ "modernc.org/sqlite"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/gateway/mcp"
	"github.com/scrimhq/scrim/policy"
)

// contract describes a clinic's patients, and a ledger that only the house may see.
const contract = `apiVersion: v3.1.0
kind: DataContract
id: clinic
version: 1.0.0
status: active
schema:
  - name: patients
    properties:
      - {name: mrn, logicalType: string, customProperties: [{property: scrim.label, value: health/record-number}, {property: scrim.unit, value: patient}]}
      - {name: name, logicalType: string, customProperties: [{property: scrim.label, value: person/name}]}
      - {name: age, logicalType: integer, customProperties: [{property: scrim.label, value: person/age}]}
      - {name: born, logicalType: date, customProperties: [{property: scrim.label, value: person/birth-date}]}
      - {name: ward, logicalType: string, classification: public}
      - {name: code, logicalType: string, classification: public}
      - {name: seen, logicalType: timestamp, classification: public}
      - {name: owed, logicalType: number, customProperties: [{property: scrim.label, value: finance/amount}]}
      - {name: note, logicalType: string, customProperties: [{property: scrim.label, value: text/free}]}
      - {name: ssn, logicalType: string, customProperties: [{property: scrim.label, value: government-id/ssn}]}
      - {name: loose, logicalType: string}
  - name: stock
    properties:
      - {name: sku, logicalType: integer, classification: public}
      - {name: left, logicalType: integer, classification: public}
  - name: payroll
    properties:
      - {name: who, logicalType: string, customProperties: [{property: scrim.label, value: person/name}]}
      - {name: pay, logicalType: number, customProperties: [{property: scrim.label, value: finance/income}]}
`

const policies = `
@id("home") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
@id("public") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");
@id("own record") @exception("test") permit (principal in Domain::"own", action in Action::"upto_raw", resource in DataClass::"health/record-number");
@id("own ssn") @exception("test") permit (principal in Domain::"own", action in Action::"upto_raw", resource in DataClass::"government-id/ssn") when { context.same_domain };
@id("ask") permit (principal in Domain::"own", action in Action::"upto_raw", resource) when { context.direction == "request" };
@id("text") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free");
@id("age") @exception("test") permit (principal in Domain::"other", action in Action::"upto_raw", resource in DataClass::"person/age");
@id("born") permit (principal in Domain::"other", action in Action::"upto_generalized", resource in DataClass::"person/birth-date");
@id("mrn") @exception("test") permit (principal in Domain::"other", action in Action::"upto_tokenized", resource in DataClass::"health/record-number");
@id("mrn third") @exception("test") permit (principal in Domain::"third", action in Action::"upto_tokenized", resource in DataClass::"health/record-number");
@id("open") permit (principal in Domain::"own", action == Action::"open", resource) when { context.purpose == Purpose::"care" };
`

const people = `
CREATE TABLE patients (mrn TEXT PRIMARY KEY, name TEXT, age INTEGER, born DATE, ward TEXT, code TEXT, seen TIMESTAMP, owed NUMERIC, note TEXT, ssn TEXT, loose TEXT, secret_column TEXT);
INSERT INTO patients VALUES
 ('MRN-000001', 'Jane Doe',   64, '1961-04-12', 'icu', 'A1', '2026-01-02 03:04:05', 12.50, 'Write to jane.doe@example.org', '536-90-4399', 'x', 'Zanzibar'),
 ('MRN-000002', 'Jon Roe',    17, '2009-02-03', 'er',  'B2', '2026-01-03 03:04:05', 99,    'Slept well', '536-90-4398', NULL, 'Zanzibar'),
 ('MRN-000003', 'Mary Major', 30, '1996-12-31', 'er',  'jane.doe@example.org', '2026-01-04 03:04:05', 0.1, NULL, '536-90-4397', 'y', 'Zanzibar'),
 ('MRN-000004', 'Max Minor',  30, NULL,         NULL,  'D4', NULL, NULL, 'Fine', NULL, NULL, 'Zanzibar');
CREATE TABLE stock (sku INTEGER PRIMARY KEY, left INTEGER);
CREATE TABLE payroll (who TEXT PRIMARY KEY, pay NUMERIC);
INSERT INTO payroll VALUES ('Rich Richards', 100000);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) INSERT INTO stock SELECT i, i % 7 FROM n;
`

// database makes an SQLite database of statements.
func database(t testing.TB, statements string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "clinic.db")
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statements); err != nil {
		t.Fatal(err)
	}
	return file
}

type rig struct {
	*gatewaytest.Rig
	url string
}

var tables = []facade.Table{{Name: "patients", Key: []string{"mrn"}}, {Name: "stock", Key: []string{"sku"}}, {Name: "payroll", Key: []string{"who"}}}

func parsed(t testing.TB, text string) []*catalog.Contract {
	t.Helper()
	c, err := catalog.ParseContract("contract.yaml", []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	return []*catalog.Contract{c}
}

func newRig(t testing.TB, source facade.Source, change func(*facade.Options, *gatewaytest.Setup)) *rig {
	t.Helper()
	o := facade.Options{Server: "records", Tables: tables, Contracts: parsed(t, contract), Source: source}
	own, lab, third := flow.Party{Agent: "nurse", Domain: gatewaytest.Own}, flow.Party{Agent: "lab", Domain: "other"}, flow.Party{Agent: "third", Domain: "third"}
	grant := func(p flow.Party) identity.Grant {
		return identity.Grant{Party: p, Purposes: []flow.Purpose{"care", "audit"}, Criticality: flow.Critical}
	}
	records := &gateway.Agent{Party: flow.Party{Agent: "records", Domain: gatewaytest.Own}}
	setup := gatewaytest.Setup{
		Policy: policies, NoSync: true,
		Agents:  []*gateway.Agent{{Party: own}, {Party: lab}, {Party: third}, {Party: flow.Party{Agent: "clerk", Domain: "other"}}, records},
		Callers: map[string]identity.Grant{"scrim_own": grant(own), "scrim_lab": grant(lab), "scrim_third": grant(third), "scrim_clerk": grant(flow.Party{Agent: "clerk", Domain: "other"})},
	}
	if change != nil {
		change(&o, &setup)
	}
	f, err := facade.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	records.Inner, records.MCP = f, gateway.NewInner(f)
	more := setup.Change
	setup.Change = func(s *gateway.Snapshot) {
		bound, err := f.Bindings()
		if err != nil {
			t.Fatal(err)
		}
		s.Catalog = catalog.New(bound, o.Contracts)
		e := policy.Entities{Purposes: map[flow.Purpose][]flow.Purpose{"care": nil, "audit": nil}}
		for _, a := range setup.Agents {
			e.Agents = append(e.Agents, a.Party)
		}
		for _, field := range s.Catalog.Fields() {
			e.Fields = append(e.Fields, policy.Field{Name: field.Name, Dataset: field.Dataset, Label: field.Label})
		}
		for _, c := range o.Contracts {
			for _, d := range c.Datasets {
				e.Datasets = append(e.Datasets, policy.Dataset{Name: d.Name})
			}
		}
		if s.Policy, err = policy.Load(fstest.MapFS{"test.cedar": {Data: []byte(setup.Policy)}}, policy.Options{Taxonomy: s.Taxonomy, Entities: e}); err != nil {
			t.Fatal(err)
		}
		if more != nil {
			more(s)
		}
	}
	g := gatewaytest.New(t, setup)
	mux := http.NewServeMux()
	handler := &mcp.Handler{Gateway: g.Gateway, Face: gateway.Inbound, Prefix: "/mcp/", Tools: &mcp.Tools{}}
	mux.Handle("/mcp/", handler)
	mux.Handle(facade.Path, &facade.REST{Gateway: g.Gateway, MCP: handler})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return &rig{g, srv.URL}
}

// patience is what a source has for a statement where no test is about one that takes too long.
const patience = time.Minute

func lite(t testing.TB, statements string) facade.Source {
	t.Helper()
	s, err := facade.SQLite(database(t, statements), patience)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answer is what came back of a call.
type answer struct {
	body       string
	Structured json.RawMessage
	Rows       []map[string]any
	Next       string
	Odd        int
	refused    string // the error's message; "" if there is none
}

func (r *rig) send(t testing.TB, key, version, body string, header ...string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.url+"/mcp/records", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + key,
		"Mcp-Protocol-Version": version, "Scrim-Purpose": "care", "Scrim-Criticality": "critical",
	} {
		req.Header.Set(k, v)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// call calls a tool and reads its rows.
func (r *rig) call(t testing.TB, key, tool, arguments string) answer {
	t.Helper()
	body := r.send(t, key, "2025-11-25", `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"`+tool+`","arguments":`+arguments+`}}`)
	var out struct {
		Result struct {
			Structured json.RawMessage `json:"structuredContent"`
			IsError    bool            `json:"isError"`
			Content    []struct{ Text string }
		} `json:"result"`
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	a := answer{body: body, Structured: out.Result.Structured, refused: out.Error.Message}
	if out.Result.IsError && len(out.Result.Content) > 0 {
		a.refused, _, _ = strings.Cut(out.Result.Content[0].Text, " (reference ")
	}
	if a.refused == "" {
		d := json.NewDecoder(bytes.NewReader(a.Structured))
		d.UseNumber()
		if err := d.Decode(&a); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
	}
	return a
}
