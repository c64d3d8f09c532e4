package facade

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/data/catalog"
	fast "github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

func fuzzed(t testing.TB) *Facade {
	t.Helper()
	c, err := catalog.ParseContract("c.yaml", []byte(`{apiVersion: v3.1.0, kind: DataContract, id: f, version: "1", status: active, schema: [{name: t, properties: [
{name: id, logicalType: integer, primaryKey: true, customProperties: [{property: scrim.label, value: technical/record-id}]}, {name: a, logicalType: string}, {name: n, logicalType: number}, {name: b, logicalType: boolean},
{name: d, logicalType: date}, {name: m, logicalType: timestamp}, {name: note, logicalType: string, customProperties: [{property: scrim.label, value: text/free}]}]}]}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	f, err := New(Options{Server: "s", Tables: []Table{{Name: "t"}}, Contracts: []*catalog.Contract{c}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// FuzzArguments reads arguments of strangers: the text of the statement is one of names and placeholders, whatever they say.
func FuzzArguments(f *testing.F) {
	fac := fuzzed(f)
	for _, s := range []string{`{}`, `{"key":{"id":"1"}}`, `{"where":{"a":{"eq":"' OR 1=1 --"},"n":{"ge":1,"lt":2e3},"b":{"eq":true},"d":{"null":false},"m":{"in":["2026-01-01T00:00:00Z"]}},"order":[{"column":"n","descending":true}],"limit":3,"columns":["a","id"]}`, `{"where":{"a":{"in":[]}}}`, `{"where":{"note":{"eq":"x"}}}`, `[]`, `{"cursor":"ab"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var d fast.Doc
		if d.Parse(raw, nil, fast.Limits{}) != nil {
			return
		}
		table := fac.tables[0]
		a := &admitted{f: fac, e: &gateway.Entering{}, sights: map[string][]sight{"t": make([]sight, len(table.columns))}}
		for i := range a.sights["t"] {
			a.sights["t"][i] = all
		}
		for _, op := range operations {
			q, err := table.read(&d, 0, op, 100)
			if err != nil || q.cursor != "" {
				continue
			}
			if q.limit < 1 || q.limit > 100 || len(q.where) > maxWhere || len(q.order) > maxOrder {
				t.Fatalf("%s: beyond the bounds: %+v", op, q)
			}
			out, some, err := a.query(table, q, op)
			if err != nil || !some {
				continue
			}
			for _, c := range []*dialect{liteDialect, pgDialect} {
				text := compose(c, out).sql.String()
				for i := range out.Where {
					for j := range out.Where[i].Values {
						if out.Where[i].Op != IsNull {
							out.Where[i].Values[j] = "other"
						}
					}
				}
				if again := compose(c, out).sql.String(); again != text || strings.Contains(text, "other") {
					t.Fatalf("values are in the statement: %s", text)
				}
			}
		}
	})
}

// FuzzAddress reads addresses of strangers: what comes of one is a call of a tool, or a refusal.
func FuzzAddress(f *testing.F) {
	fac := fuzzed(f)
	s := &gateway.Snapshot{Agents: map[flow.AgentID]*gateway.Agent{"s": {Inner: fac}}}
	f.Add("t", "a=x&n.ge=1&select=a,id&order=-n&limit=3&b=true&d.null=false&a.in=1&a.in=2")
	f.Add("t", "limit=999999999999999999999&n=NaN&n.lt=0x10&cursor=%00&.eq=1&a..in=")
	f.Add("no\"table", "a%zz")
	f.Fuzz(func(t *testing.T, table, query string) {
		for _, op := range []operation{search, get} {
			params, err := call(s, "s", []string{table, "1", "2"}, op, query)
			if err != nil {
				continue
			}
			var got struct {
				Name      string
				Arguments map[string]any
			}
			if err := json.Unmarshal(params, &got); err != nil || !strings.HasSuffix(got.Name, "_"+string(op)) {
				t.Fatalf("%q makes %s: %v", query, params, err)
			}
		}
	})
}
