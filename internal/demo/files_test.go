package demo

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/demo/hospital"
	"github.com/scrimhq/scrim/internal/demo/insurer"
	"github.com/scrimhq/scrim/internal/demo/lab"
	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/demo/patients"
	"github.com/scrimhq/scrim/internal/demo/priorauth"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy"
)

var domains = []flow.DomainID{Hospital, Insurer, Lab}

func filesOf(t *testing.T, d flow.DomainID) fs.FS {
	t.Helper()
	files, err := Files(d)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func read(t *testing.T, files fs.FS, name string) []byte {
	t.Helper()
	raw, err := fs.ReadFile(files, name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// configOf loads a domain's configuration as a gateway would.
func configOf(t *testing.T, d flow.DomainID) *config.Config {
	t.Helper()
	vars := map[string]string{"LISTEN": "127.0.0.1:7070", "ADMIN": "127.0.0.1:7071", "PEERING": "127.0.0.1:7072", "DATABASE": "patients.db"}
	secrets := map[string]flow.Secret{}
	for _, m := range append(Members, Member{ID: FrontDesk}) {
		name := strings.ToUpper(strings.ReplaceAll(string(m.ID), "-", "_"))
		vars[name+"_URL"], vars[name+"_KEY"] = "http://127.0.0.1:1234/x", identity.Digest(name)
		secrets[string(m.ID)] = flow.NewSecret("x")
	}
	file, err := Lay(t.TempDir(), d, vars, secrets)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConfigurationsAreValid(t *testing.T) {
	for _, d := range domains {
		if c := configOf(t, d); c.Domain != d || len(c.Warnings()) > 0 {
			t.Errorf("%s: domain %s, warnings %v", d, c.Domain, c.Warnings())
		}
	}
}

// What the story claims is granted to the sender at its own gateway, and at the recipient's.
func TestClaimsAreGranted(t *testing.T) {
	home := map[flow.AgentID]flow.DomainID{FrontDesk: Hospital}
	for _, m := range Members {
		home[m.ID] = m.Domain
	}
	for _, h := range Hops {
		for _, d := range []flow.DomainID{home[h.From], home[h.To]} {
			a, ok := configOf(t, d).Agent(h.From)
			if h.From == PriorAuth && h.To == Cohort && d == Lab {
				continue // it never gets there
			}
			vouched := home[h.From] == Hospital && d == Insurer // by its gateway, so that it needs no key there
			if !ok || !slices.Contains(a.Purposes, h.Purpose) || a.Criticality < h.Criticality || (len(a.Keys) > 0) == vouched {
				t.Errorf("%s: %s may not claim %s at criticality %s, or has no key, or one that it does not need", d, h.From, h.Purpose, h.Criticality)
			}
		}
	}
}

func TestLayFillsTheConfiguration(t *testing.T) {
	variable := regexp.MustCompile(`\$\{([A-Z_]+)\}`)
	for _, d := range domains {
		vars := map[string]string{}
		for _, m := range variable.FindAllStringSubmatch(string(read(t, filesOf(t, d), "scrim.yaml")), -1) {
			vars[m[1]] = "value-of-" + m[1]
		}
		dir := t.TempDir()
		file, err := Lay(dir, d, vars, map[string]flow.Secret{"records": flow.NewSecret("s3cret")})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(file)
		if err != nil || variable.Match(raw) || !bytes.Contains(raw, []byte("listen: value-of-LISTEN\n")) {
			t.Errorf("%s: scrim.yaml is not filled in (%v)", d, err)
		}
		info, err := os.Stat(filepath.Join(dir, "secrets", "records"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: secret file: %v, %v", d, info, err)
		}
		delete(vars, "LISTEN")
		if _, err := Lay(t.TempDir(), d, vars, nil); err == nil || !strings.Contains(err.Error(), "${LISTEN}") {
			t.Errorf("%s: Lay() without LISTEN: error = %v", d, err)
		}
	}
}

func contracts(t *testing.T) []*catalog.Contract {
	t.Helper()
	c, err := catalog.ParseContract("patients.yaml", read(t, filesOf(t, Hospital), "contracts/patients.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return []*catalog.Contract{c}
}

func TestEverySchemaParsesAndIsBound(t *testing.T) {
	for _, d := range domains {
		files := filesOf(t, d)
		var bound []string
		for _, b := range configOf(t, d).Schemas {
			bound = append(bound, path.Base(b.File))
		}
		entries, err := fs.ReadDir(files, "schemas")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if _, err := catalog.ParseSchema(e.Name(), read(t, files, "schemas/"+e.Name()), catalog.SchemaOptions{Contracts: contracts(t)}); err != nil {
				t.Errorf("%s: %v", d, err)
			}
			if !slices.Contains(bound, e.Name()) {
				t.Errorf("%s: scrim.yaml binds %s to nothing", d, e.Name())
			}
		}
	}
}

// Every column of the database is in the contract, with a label, and the other way round.
func TestContractMatchesTheDatabase(t *testing.T) {
	db, err := patients.Create(t.Context(), filepath.Join(t.TempDir(), "p.db"), patients.Generate(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, ds := range contracts(t)[0].Datasets {
		rows, err := db.Query(`SELECT name FROM pragma_table_info(?)`, ds.Name)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for rows.Next() {
			var c string
			if err := rows.Scan(&c); err != nil {
				t.Fatal(err)
			}
			want = append(want, c)
		}
		_ = rows.Close()
		var got []string
		for _, f := range ds.Fields {
			got = append(got, f.Column)
			if f.Label == flow.Unlabelled {
				t.Errorf("%s has no label", f.Name)
			}
		}
		if !slices.Equal(got, want) || ds.UnitColumn != "mrn" {
			t.Errorf("contract of %s: %q, unit %q; database has %q", ds.Name, got, ds.UnitColumn, want)
		}
	}
}

// Every column of the registry's file is in its contract, with a label, and the other way round.
func TestContractMatchesTheRegistry(t *testing.T) {
	file := filepath.Join(t.TempDir(), Registry)
	if err := patients.WriteRegistry(file, patients.Generate(1, 1)); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.ParseContract("registry.yaml", read(t, filesOf(t, Hospital), "contracts/registry.yaml"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ds := c.Datasets[0]
	var got []string
	for _, f := range ds.Fields {
		got = append(got, f.Column)
		if f.Label == flow.Unlabelled {
			t.Errorf("%s has no label", f.Name)
		}
	}
	want := "mrn,name,sex,birth_date,postal_code,diagnosis\nMRN-48201937,Eleanor Whitfield,female,1957-03-14,97701,M05.79\n"
	if head, _, _ := strings.Cut(string(raw), "\n"); string(raw) != want || head != strings.Join(got, ",") || ds.UnitColumn != "mrn" {
		t.Errorf("the contract has %q, unit %q; the file is %q", got, ds.UnitColumn, raw)
	}
}

// closed returns the schema with every object closed, so that what it does not declare fails validation.
func closed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = closed(v[k])
		}
		if _, ok := v["properties"]; ok {
			v["additionalProperties"] = false
		}
	case []any:
		for i := range v {
			v[i] = closed(v[i])
		}
	}
	return v
}

func check(t *testing.T, d flow.DomainID, file string, content any) {
	t.Helper()
	raw, err := json.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(read(t, filesOf(t, d), "schemas/"+file)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("file:///"+file, closed(schema)); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("file:///" + file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(doc); err != nil {
		t.Errorf("%s/%s does not declare what is sent: %v", d, file, err)
	}
}

// What agents and servers really send is declared in full by the schemas: else it would be dropped or refused.
func TestSchemasDeclareWhatIsSent(t *testing.T) {
	w := start(t)
	ref := referral(t, w)
	for d, files := range map[flow.DomainID][]string{
		Hospital: {"referral-care.json", "referral-insurer.json", "referral-lab.json"}, Insurer: {"referral.json"}, Lab: {"referral.json"},
	} {
		for _, f := range files {
			check(t, d, f, ref)
		}
	}
	tool := func(id flow.AgentID, d flow.DomainID, name, request, response string, args any) {
		t.Helper()
		out, err := node.CallTool[any](t.Context(), w.Direct(id), name, args)
		if err != nil {
			t.Fatal(err)
		}
		if request != "" {
			check(t, d, request, args)
		}
		check(t, d, response, out)
	}
	number := hospital.RecordQuery{MRN: patients.FeaturedMRN}
	tool(Records, Hospital, "find_patient", "find-patient.request.json", "find-patient.response.json", hospital.FindQuery{Diagnosis: "M05", Name: "e", Limit: 3})
	tool(Records, Hospital, "get_record", "record-number.request.json", "record.json", number)
	tool(Records, Hospital, "list_encounters", "record-number.request.json", "encounters.json", number)
	tool(Coverage, Insurer, "check_coverage", "check-coverage.request.json", "check-coverage.response.json", insurer.CoverageQuery{Member: "m", Plan: "HM-GOLD"})
	tool(Coverage, Insurer, "list_policies", "", "policies.json", map[string]any{})
	tool(Trials, Lab, "search_trials", "search-trials.request.json", "trials.json", lab.Search(lab.ProfileOf(ref)))
	check(t, Insurer, "enrolment.json", priorauth.Enrolment{MemberNumber: "m", Diagnosis: "d", Procedure: "p"})
	for id, artifact := range map[flow.AgentID]string{PriorAuth: "decision", Cohort: "screening"} {
		task, err := w.Direct(id).Send(t.Context(), ref.Message())
		if err != nil {
			t.Fatal(err)
		}
		content := node.Data(node.Artifact(task, artifact).Parts)
		check(t, Hospital, artifact+".json", content)
		check(t, map[flow.AgentID]flow.DomainID{PriorAuth: Insurer, Cohort: Lab}[id], artifact+".json", content)
	}
}

func policies(t *testing.T, d flow.DomainID) (*policy.Set, map[flow.AgentID]flow.Party) {
	t.Helper()
	c := configOf(t, d)
	opt := run.PolicyOptions(c)
	parties := map[flow.AgentID]flow.Party{}
	for _, p := range opt.Entities.Agents {
		parties[p.Agent] = p
	}
	sub, err := fs.Sub(filesOf(t, d), "policies")
	if err != nil {
		t.Fatal(err)
	}
	set, err := policy.Load(sub, opt)
	if err != nil {
		t.Fatalf("%s: %v", d, err)
	}
	return set, parties
}

func TestPoliciesGiveEachRecipientItsView(t *testing.T) {
	sets, who := map[flow.DomainID]*policy.Set{}, map[flow.DomainID]map[flow.AgentID]flow.Party{}
	for _, d := range domains {
		sets[d], who[d] = policies(t, d)
	}
	for _, c := range []struct {
		gateway  flow.DomainID
		from, to flow.AgentID
		purpose  flow.Purpose
		crit     flow.Criticality
		dir      flow.Direction
		label    flow.Label
		want     string
	}{
		{Hospital, Intake, Coordinator, "care-coordination", flow.Critical, flow.Request, "person/name", "raw"},
		{Hospital, Intake, Coordinator, "care-coordination", flow.Critical, flow.Request, "health/record-number", "raw"},
		{Hospital, Intake, Coordinator, "care-coordination", flow.Critical, flow.Request, "health/diagnosis", "raw"},
		{Hospital, Intake, PriorAuth, "prior-authorization", flow.Critical, flow.Request, "person/name", "tokenized(surrogate)"},
		{Hospital, Intake, PriorAuth, "prior-authorization", flow.Critical, flow.Request, "health/member-number", "tokenized(reversible)"},
		{Hospital, Intake, PriorAuth, "prior-authorization", flow.Critical, flow.Request, "health/record-number", "dropped"},
		{Hospital, Intake, PriorAuth, "prior-authorization", flow.Critical, flow.Request, "health/diagnosis", "raw"},
		{Hospital, Intake, PriorAuth, "prior-authorization", flow.Routine, flow.Request, "health/diagnosis", "dropped"},
		{Hospital, Intake, PriorAuth, "care-coordination", flow.Critical, flow.Request, "health/diagnosis", "dropped"},
		{Hospital, Intake, PriorAuth, "prior-authorization", flow.Critical, flow.Request, "person/contact/phone", "masked(keep:2)"},
		{Hospital, Intake, PriorAuth, "prior-authorization", flow.Critical, flow.Request, "person/contact/email", "dropped"},
		{Hospital, Intake, PriorAuth, "prior-authorization", flow.Critical, flow.Request, "person/birth-date", "generalized(year)"},
		{Hospital, Intake, PriorAuth, "prior-authorization", flow.Critical, flow.Request, "finance/amount", "raw"},
		{Hospital, Intake, Cohort, "research-screening", flow.Routine, flow.Request, "person/name", "dropped"},
		{Hospital, Intake, Cohort, "research-screening", flow.Routine, flow.Request, "person/birth-date", "generalized(decade)"},
		{Hospital, Intake, Cohort, "research-screening", flow.Routine, flow.Request, "health/diagnosis", "generalized(prefix:3)"},
		{Hospital, Intake, Cohort, "research-screening", flow.Routine, flow.Request, "location/postal", "generalized(prefix:3)"},
		{Hospital, Intake, Cohort, "research-screening", flow.Routine, flow.Request, "person/gender", "raw"},
		{Hospital, Intake, Cohort, "research-screening", flow.Routine, flow.Request, "finance/amount", "dropped"},
		{Hospital, Intake, Cohort, "research-screening", flow.Routine, flow.Request, flow.FreeText, "raw"},
		{Hospital, Cohort, Records, "research-screening", flow.Routine, flow.Request, "health/diagnosis", "dropped"},
		{Hospital, Records, Cohort, "research-screening", flow.Routine, flow.Response, "person/name", "dropped"},
		{Hospital, PriorAuth, Intake, "prior-authorization", flow.Critical, flow.Response, "person/name", "raw"},
		{Hospital, Cohort, Intake, "research-screening", flow.Routine, flow.Response, "health/diagnosis", "raw"},
		{Insurer, Intake, PriorAuth, "prior-authorization", flow.Critical, flow.Request, "technical/record-id", "raw"},
		{Insurer, Intake, PriorAuth, "prior-authorization", flow.Critical, flow.Request, "health/diagnosis", "raw"},
		{Insurer, PriorAuth, Cohort, "prior-authorization", flow.Critical, flow.Request, "health/member-number", "dropped"},
		{Insurer, PriorAuth, Intake, "prior-authorization", flow.Critical, flow.Response, "person/name", "masked"},
		{Insurer, PriorAuth, Intake, "prior-authorization", flow.Critical, flow.Response, "business/decision", "raw"},
		{Lab, Intake, Cohort, "research-screening", flow.Routine, flow.Request, "health/diagnosis", "generalized(prefix:3)"},
		{Lab, Cohort, Trials, "research-screening", flow.Critical, flow.Request, "health/diagnosis", "generalized(prefix:3)"},
		{Lab, Cohort, Intake, "research-screening", flow.Routine, flow.Response, "person/age", "raw"},
		{Lab, Cohort, Records, "research-screening", flow.Routine, flow.Request, "health/diagnosis", "generalized(prefix:3)"},
	} {
		from, to := who[c.gateway][c.from], who[c.gateway][c.to]
		if from.Agent == "" || to.Agent == "" {
			t.Fatalf("%s does not know %s or %s", c.gateway, c.from, c.to)
		}
		q := policy.Query{Flow: flow.Flow{From: from, To: to, Purpose: c.purpose, Task: flow.Task{Criticality: c.crit}, Direction: c.dir}}
		terms, err := sets[c.gateway].Decide(q, []flow.Leaf{{Label: c.label, Origin: flow.Catalogued}})
		if err != nil {
			t.Fatal(err)
		}
		if got := terms.Leaves[0].Treatment.String(); got != c.want {
			t.Errorf("%s: %s to %s for %s (%s): %s is %s, want %s", c.gateway, c.from, c.to, c.purpose, c.crit, c.label, got, c.want)
		}
	}
}
