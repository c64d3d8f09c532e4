package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
)

var update = flag.Bool("update", false, "write golden files anew")

// unpack writes an archive to a new directory and returns it, with the archive.
func unpack(t *testing.T, file string) (string, *txtar.Archive) {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range ar.Files {
		if f.Name == "want" {
			continue
		}
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, ar
}

func TestFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/files/*.txtar")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d archives, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			dir, ar := unpack(t, file)
			c, err := Load(filepath.Join(dir, "scrim.yaml"))
			var got string
			switch {
			case err != nil && c != nil:
				t.Error("with the error came a configuration")
			case err != nil:
				if _, ok := errors.AsType[Mistakes](err); !ok {
					t.Errorf("the error is %T, want Mistakes", err)
				}
				got = err.Error()
			default:
				got = c.Warnings().Error()
			}
			if got = strings.ReplaceAll(got, dir+"/", ""); got != "" {
				got += "\n"
			}
			if strings.Contains(got, "CANARY") {
				t.Errorf("a secret is repeated:\n%s", got)
			}
			for i, f := range ar.Files {
				if f.Name != "want" {
					continue
				}
				if *update {
					ar.Files[i].Data = []byte(got)
				} else if got != string(f.Data) {
					t.Errorf("got\n%swant\n%s", got, f.Data)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func good(t *testing.T) *Config {
	t.Helper()
	dir, _ := unpack(t, "testdata/files/good.txtar")
	c, err := Load(filepath.Join(dir, "scrim.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGoodFile(t *testing.T) {
	c := good(t)
	for what, ok := range map[string]bool{
		"the admin address has its default":            c.Admin == "127.0.0.1:7071",
		"the public URL has no slash at its end":       c.PublicURL == "https://scrim.hospital.example",
		"mode is enforce":                              c.Mode == Enforce,
		"body is in bytes":                             c.Limits.Body == 1<<20,
		"depth has its default":                        c.Limits.Depth == 64,
		"tasks are kept for days":                      c.Retention.Tasks == Duration(30*24*time.Hour),
		"the keyset lies in the data directory":        c.Keys.File == "/var/lib/scrim/keyset.json",
		"agents are of this domain":                    c.Agents[0].Domain == "hospital" && c.Own(c.Agents[0]) && !c.Own(c.Agents[2]),
		"a token's subject is the agent's id":          c.Agents[1].JWT.Subject == "intake",
		"a key ends in UTC":                            c.Agents[1].Keys[0].Expires.Equal(time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC)),
		"criticality is routine unless it says else":   c.Agents[0].Criticality == flow.Routine && c.Agents[1].Criticality == flow.Critical,
		"a default purpose alone may be claimed":       len(c.Agents[2].Purposes) == 1 && c.Agents[2].Purposes[0] == "payment",
		"purposes in a group share it":                 c.PurposeGroup("billing") == "money" && c.PurposeGroup("care") == "care",
		"a purpose without a block is there":           len(c.PurposeParents()) == 3,
		"roles have parents":                           c.RoleParents()["nurse"][0] == "clinician",
		"the file's classes are in the taxonomy":       c.Taxonomy().Known("person/contact/fax"),
		"nobody is attested":                           len(c.Parties()) == 3 && !c.Parties()[0].Attested,
		"contracts are read":                           len(c.Catalog().Fields()) == 1,
		"the schema is bound to the tool's answers":    len(c.Catalog().Schemas(catalog.Tool, "ehr", "lookup", flow.Response)) == 1,
		"but not to another tool's":                    len(c.Catalog().Schemas(catalog.Tool, "ehr", "other", flow.Response)) == 0,
		"a schema without a kind is bound to all data": len(c.Catalog().Schemas(catalog.Skill, "insurer", "claim", flow.Request)) == 1,
		"five files and the policies are watched":      len(c.Files()) == 5,
		"the hash is a SHA-256":                        len(c.Hash()) == 64,
	} {
		if !ok {
			t.Errorf("not so: %s", what)
		}
	}
}

func TestHashFollowsReferredFiles(t *testing.T) {
	dir, _ := unpack(t, "testdata/files/good.txtar")
	other, _ := unpack(t, "testdata/files/good.txtar")
	load := func(dir string) string {
		c, err := Load(filepath.Join(dir, "scrim.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return c.Hash()
	}
	first := load(dir)
	if load(dir) != first || load(other) != first {
		t.Error("the same files have another hash")
	}
	for _, name := range []string{"patient.json", "claims.odcs.yaml", "keys.json", "scrim.yaml"} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("\n"); err != nil {
			t.Fatal(err)
		}
		f.Close()
		next := load(dir)
		if next == first {
			t.Errorf("a change of %s leaves the hash as it was", name)
		}
		first = next
	}
}

func TestDefaultFile(t *testing.T) {
	raw := Default("hospital")
	c, err := Parse("scrim.yaml", raw, "")
	if err != nil {
		t.Fatal(err)
	}
	if c.Domain != "hospital" || !isLoopback(hostOf(c.Listen)) || !isLoopback(hostOf(c.Admin)) || len(c.Agents) != 0 || len(c.Warnings()) != 0 {
		t.Errorf("the first file is of %s, on %s and %s, with %d agents and %d warnings", c.Domain, c.Listen, c.Admin, len(c.Agents), len(c.Warnings()))
	}
	if !bytes.HasPrefix(raw, []byte("# yaml-language-server: $schema="+SchemaURL+"\n")) {
		t.Error("the first line does not name the schema")
	}
	// The lines that are commented out must be right as well: each block is tried.
	for block := range strings.SplitSeq(string(raw), "\n\n") {
		var lines []string
		for line := range strings.SplitSeq(block, "\n") {
			if text, ok := strings.CutPrefix(line, "# "); ok && (strings.Contains(text, ": ") || strings.HasSuffix(text, ":")) && !strings.Contains(text, ". ") && !strings.HasPrefix(text, "yaml-language") {
				lines = append(lines, text)
			}
		}
		var any any
		if text := strings.Join(lines, "\n"); yaml.Unmarshal([]byte(text), &any) != nil {
			t.Errorf("a commented block is not YAML:\n%s", text)
		}
	}
	if c, err := Parse("x", Default("not a name"), ""); err != nil || c.Domain != "home" {
		t.Errorf("with a domain that is no name: %v", err)
	}
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource(SchemaURL, doc); err != nil {
		t.Fatal(err)
	}
	s, err := compiler.Compile(SchemaURL)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validates reports whether the JSON Schema takes the file, as an editor would.
func validates(t *testing.T, s *jsonschema.Schema, raw []byte) error {
	t.Helper()
	var doc any
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return err
	}
	asJSON, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	if doc, err = jsonschema.UnmarshalJSON(bytes.NewReader(asJSON)); err != nil {
		return err
	}
	return s.Validate(doc)
}

func TestJSONSchemaAgreesWithTheDecoder(t *testing.T) {
	s := compiled(t)
	for _, name := range []string{"good", "warnings", "learn", "keys", "secrets", "taxonomy"} {
		ar, err := txtar.ParseFile("testdata/files/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		err = validates(t, s, ar.Files[0].Data)
		if takes := name == "good" || name == "warnings" || name == "learn"; takes != (err == nil) {
			t.Errorf("%s: the JSON Schema says %v", name, err)
		}
	}
	if err := validates(t, s, Default("a")); err != nil {
		t.Errorf("the JSON Schema refuses the first file: %v", err)
	}
	for _, tt := range []struct{ block string }{
		{`mode: watch`}, {`limits: {depth: 2}`}, {`limits: {body: 4MB}`}, {`agents: [{}]`}, {`agents: [{id: "a b"}]`}, {`log: {level: trace}`},
		{`colour: red`}, {`timeouts: {read: soon}`}, {`agents: [{id: a, criticality: high}]`}, {`purposes: {"a b": {}}`}, {`data: 7`},
		{`agents: [{id: a, keys: [{sha256: abc}]}]`}, {`schemas: [{file: a}]`}, {`transparent: [{agent: a, reason: ""}]`}, {`taxonomy: [{label: A}]`},
	} {
		raw := []byte("version: 1\ndomain: a\n" + tt.block + "\n")
		_, err := Parse("scrim.yaml", raw, "")
		if err == nil || validates(t, s, raw) == nil {
			t.Errorf("%s: Parse says %v, the JSON Schema %v; both must refuse", tt.block, err, validates(t, s, raw))
		}
	}
}
