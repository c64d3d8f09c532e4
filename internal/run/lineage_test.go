package run_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

// What must be nowhere in lineage: a value, and a member's name that no schema declares.
const (
	valueCanary  = "CANARY-VALUE-4711"
	memberCanary = "CANARY-MEMBER-0815"
)

// collector is a tool that collects lineage.
type collector struct {
	*httptest.Server
	mu  sync.Mutex
	got []string
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		c.mu.Lock()
		defer c.mu.Unlock()
		if r.URL.Path == "/api/v1/lineage" && r.Header.Get("Authorization") == "Bearer "+t.Name() {
			c.got = append(c.got, string(b))
			w.WriteHeader(http.StatusCreated)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.got...)
}

// A call through a gateway is lineage: in its graph, in a file and at a tool that collects it, each event once through restarts, without a
// value and without a name that nobody declared.
func TestFlowsAreLineage(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ ID json.RawMessage }
		_ = json.NewDecoder(r.Body).Decode(&asked)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":`+string(asked.ID)+`,"result":{"content":[],"structuredContent":{"name":"`+valueCanary+`","born":"1957-03-14","`+memberCanary+`":"`+valueCanary+`"}}}`)
	}))
	defer upstream.Close()
	marquez := newCollector(t)
	t.Setenv("SCRIM_TEST_LINEAGE", t.Name())
	key, digest := identity.NewKey()
	file := lay(t, fmt.Sprintf(`version: 1
domain: clinic
contracts: [contract.yaml]
agents:
  - {id: client, domain: partner, keys: [{sha256: %s}], criticality: critical}
  - {id: tools, mcp: {url: %q}}
schemas:
  - {file: out.json, agent: tools, tool: get_record, direction: response}
  - {file: in.json, agent: tools, tool: get_record, direction: request}
lineage:
  emit:
    - {name: out, to: file, file: lineage.jsonl}
    - {name: marquez, to: marquez, url: %q, credential: {env: SCRIM_TEST_LINEAGE}}
`, digest, upstream.URL, marquez.URL), map[string]string{
		"in.json": `{"type":"object","properties":{"id":{"type":"string","x-scrim-label":"technical/record-id"}}}`,
		"out.json": `{"type":"object","properties":{"name":{"type":"string","x-scrim-label":"person/name","x-scrim-field":"patients/full_name"},` +
			`"born":{"type":"string","x-scrim-label":"person/birth-date"}}}`,
		"contract.yaml": "apiVersion: v3.1.0\nkind: DataContract\nid: p\nversion: 1.0.0\nstatus: active\nschema:\n  - name: patients\n    properties:\n" +
			"      - {name: full_name, logicalType: string, customProperties: [{property: scrim.label, value: person/name}]}\n",
		"policies/10.cedar": `@id("ids") permit (principal, action in Action::"upto_raw", resource in DataClass::"technical");
			@id("names") @token("surrogate") @exception("test") permit (principal, action in Action::"upto_tokenized", resource in DataClass::"person/name");
			@id("years") @generalize("year") @exception("test") permit (principal, action in Action::"upto_generalized", resource in DataClass::"person/birth-date");`,
	})
	call := func(addr string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, "http://"+addr+"/mcp/tools", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"get_record","arguments":{"id":"7"}}}`))
		if err != nil {
			t.Fatal(err)
		}
		for name, v := range map[string]string{"Authorization": "Bearer " + key.Expose(), "Content-Type": "application/json", "Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"} {
			req.Header.Set(name, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK || bytes.Contains(b, []byte(valueCanary)) || !bytes.Contains(b, []byte("structuredContent")) {
			t.Fatalf("the call is answered %d %s", res.StatusCode, b)
		}
	}
	name := filepath.Join(filepath.Dir(file), "lineage.jsonl")
	lines := func() []string {
		b, _ := os.ReadFile(name)
		return strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	}
	want := 0
	for range 3 { // three lives of one gateway
		g, addr, stop := serve(t, load(t, file), run.Options{})
		call(addr)
		want += 4 // a request and an answer, each with a start and an end
		eventually(t, "the calls are lineage", func() bool { return len(lines()) >= want && len(marquez.all()) >= want })
		if res, err := http.Get("http://" + addr + trace.FacetsPath + "ScrimDisclosureRunFacet.json"); err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("the schema of a facet is not there: %v", err)
		} else {
			_ = res.Body.Close()
		}
		if want == 4 {
			upstreamOfTheName(t, g)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	told := map[string]int{}
	for _, l := range lines() {
		told[l]++
	}
	if len(told) != want || len(lines()) != want {
		t.Errorf("the file has %d lines, %d of them different, want %d", len(lines()), len(told), want)
	}
	for _, l := range marquez.all() {
		if told[l] != 1 {
			t.Errorf("the tool got what the file has not: %s", l)
		}
	}
	noCanary(t, filepath.Dir(file), strings.Join(marquez.all(), ""))
}

// upstreamOfTheName asks where the name came from that the client got.
func upstreamOfTheName(t *testing.T, g *run.Gateway) {
	t.Helper()
	l, err := g.Trace(g.Config(), nil)
	if err != nil {
		t.Fatal(err)
	}
	got := func(column string) string {
		p, err := api.ShowLineage(t.Context(), &l.Lineage, api.LineageQuery{Direction: api.Upstream, Namespace: "scrim://partner", Dataset: "agents/client/from/tools/get_record", Column: column})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, l := range p.Links {
			all = append(all, fmt.Sprintf("%s %s %s %t", l.From.Dataset.Name, l.From.Field, l.How, l.Masking))
		}
		for _, d := range p.Deliveries {
			all = append(all, fmt.Sprintf("%s@%s", d.Agent, d.Domain))
		}
		return strings.Join(all, "; ")
	}
	if s := got("name"); s != "patients full_name DIRECT/TRANSFORMATION:tokenized(surrogate) true; client@partner" {
		t.Errorf("the name comes from %s", s)
	}
	if s := got("born"); s != "agents/tools/to/client/get_record born DIRECT/TRANSFORMATION:generalized(year) true; client@partner" {
		t.Errorf("the year comes from %s", s)
	}
	p, err := l.Graph.Whole(t.Context(), lineage.Reach{})
	if err != nil || len(p.Datasets) < 4 {
		t.Errorf("in all there are %d datasets (%v)", len(p.Datasets), err)
	}
	picture, err := g.Picture(t.Context(), "mermaid", api.LineageQuery{Direction: api.Downstream, Dataset: "patients"}, true)
	if err != nil || !strings.Contains(string(picture), `|"tokenized#40;surrogate#41;"|`) || !strings.Contains(string(picture), "to client@partner") {
		t.Errorf("the picture is %s (%v)", picture, err)
	}
	if raw, _ := json.Marshal(p); bytes.Contains(raw, []byte(memberCanary)) || bytes.Contains(raw, []byte(valueCanary)) {
		t.Error("the graph holds a canary")
	}
}

// year is that of the birth as a word of its own: digests, ids and fractions of seconds may have its digits.
var year = regexp.MustCompile(`(^|[^0-9A-Za-z.-])1957([^0-9A-Za-z-]|$)`)

// noCanary looks at what was sent, and at the file.
func noCanary(t *testing.T, dir, sent string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "lineage.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{valueCanary, memberCanary, "1957-03-14"} {
		if strings.Contains(sent, canary) || bytes.Contains(b, []byte(canary)) {
			t.Errorf("lineage holds %s", canary)
		}
	}
	if year.MatchString(sent) || year.Match(b) {
		t.Error("lineage holds the year")
	}
}

// Where lineage is sent is fixed while a gateway runs; where it stands in the file is not.
func TestWhereLineageIsSentNeedsARestart(t *testing.T) {
	const one = "version: 1\ndomain: clinic\nlineage: {emit: [{name: out, to: file, file: lineage.jsonl}]}\n"
	file := lay(t, one, nil)
	g, _, _ := serve(t, load(t, file), run.Options{})
	for text, ok := range map[string]bool{"# moved\n" + one: true, strings.Replace(one, "lineage.jsonl", "other.jsonl", 1): false} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := g.Reload(t.Context(), "test"); (err == nil) != ok {
			t.Errorf("Reload() error = %v after\n%s", err, text)
		}
	}
}
