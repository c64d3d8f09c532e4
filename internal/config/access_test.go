package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const canary = "CANARY-7Q"

func TestCredential(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(canary+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SCRIM_TEST_TOKEN", canary)
	raw := []byte(`
version: 1
domain: a
agents:
  - {id: file, a2a: {url: "https://a.example", credential: {file: token}}}
  - {id: env, a2a: {url: "https://a.example", credential: {header: X-Key, env: SCRIM_TEST_TOKEN}}}
  - {id: gone, a2a: {url: "https://a.example", credential: {file: none}}}
  - {id: unset, a2a: {url: "https://a.example", credential: {env: SCRIM_TEST_UNSET}}}
  - {id: program, mcp: {command: [x], env: {A: {value: plain}, B: {file: token}}}}
  - {id: broken, mcp: {command: [x], env: {B: {env: SCRIM_TEST_UNSET}}}}
`)
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("scrim.yaml", raw, dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"Bearer " + canary, canary} {
		s, err := c.Credential(c.Agents[i].A2A.Credential)
		if err != nil || !s.Equal(want) {
			t.Errorf("%s: the credential is another, %v", c.Agents[i].ID, err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", s, s, s), canary) {
			t.Error("the credential prints itself")
		}
	}
	for i, place := range map[int]string{2: "scrim.yaml:7:", 3: "scrim.yaml:8:"} {
		s, err := c.Credential(c.Agents[i].A2A.Credential)
		if !errors.Is(err, ErrSecret) || !strings.HasPrefix(err.Error(), place) || !s.IsZero() {
			t.Errorf("%s: Credential() error = %v, want ErrSecret at %s", c.Agents[i].ID, err, place)
		}
	}
	env, err := c.Environ(c.Agents[4].MCP)
	if err != nil || !env["A"].Equal("plain") || !env["B"].Equal(canary) || len(env) != 2 {
		t.Errorf("the program gets %d variables, %v", len(env), err)
	}
	if env, err := c.Environ(c.Agents[5].MCP); !errors.Is(err, ErrSecret) || env != nil {
		t.Errorf("Environ() error = %v, want ErrSecret and nothing with it", err)
	}
}

func TestDurationAndSize(t *testing.T) {
	for _, bad := range []string{"", "d", "-1d", "1.5d", "99999d", "-1s", "5", "1y"} {
		if d := new(Duration); d.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q is a duration", bad)
		}
	}
	for text, want := range map[string]Size{"0": 0, "12": 12, "12B": 12, "3KiB": 3072, "1GiB": 1 << 30} {
		if z := new(Size); z.UnmarshalText([]byte(text)) != nil || *z != want {
			t.Errorf("%q is %d bytes, want %d", text, *z, want)
		}
	}
	for _, bad := range []string{"", "MiB", "-1", "1MB", "1.5MiB", "99999999999GiB"} {
		if z := new(Size); z.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q is a size", bad)
		}
	}
}

// FuzzParse holds that no file makes Parse panic, and that an error brings mistakes with places and no configuration.
func FuzzParse(f *testing.F) {
	f.Add(Default("a"))
	for _, s := range []string{"version: 1\ndomain: a\nagents: [{id: b, a2a: {url: 'http://a', credential: {env: A}}}]\n", "a: *b", "<<: {}", "? [a]\n: 1", "- 1", "!!binary x: 1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := Parse("scrim.yaml", raw, "")
		if err == nil {
			if c.Taxonomy() == nil || c.Catalog() == nil || c.Hash() == "" {
				t.Error("the configuration is not complete")
			}
			return
		}
		ms, ok := errors.AsType[Mistakes](err)
		if !ok || len(ms) == 0 || c != nil {
			t.Errorf("the error is %T with %d mistakes", err, len(ms))
		}
		for _, m := range ms {
			if m.Line < 0 || m.Message == "" {
				t.Errorf("a mistake without place or message: %+v", m)
			}
		}
	})
}

// FuzzSecretsAreNotRepeated puts a text with a canary wherever a secret could be written by mistake.
func FuzzSecretsAreNotRepeated(f *testing.F) {
	f.Add("", "")
	f.Add("Bearer ", "\n")
	f.Add("A_", "")
	f.Fuzz(func(t *testing.T, before, after string) {
		secret := before + canary + after
		var none any
		for _, credential := range []any{
			secret, []string{secret}, map[string]any{"env": secret}, map[string]any{"file": secret, "env": "A"}, map[string]any{secret: "x"},
			map[string]any{"header": secret}, map[string]any{"scheme": secret}, map[string]any{"value": secret}, none,
		} {
			agent := map[string]any{
				"id": "a", "a2a": map[string]any{"url": "https://" + secret + "@a.example", "credential": credential},
				"mcp":  map[string]any{"command": []string{secret}, "env": map[string]any{"A": credential, "b" + secret: "x"}, "credential": credential},
				"keys": []any{map[string]any{"sha256": secret}, secret, map[string]any{secret: 1}},
			}
			raw, err := yaml.Marshal(map[string]any{"version": 1, "domain": "a", "agents": []any{agent}})
			if err != nil {
				t.Skip("not YAML")
			}
			if _, err := Parse("scrim.yaml", raw, t.TempDir()); err == nil {
				t.Error("a file with secrets all over has no mistake")
			} else if strings.Contains(err.Error(), canary) {
				t.Errorf("a secret is repeated in %v", err)
			}
		}
	})
}

func parsedSchema(t *testing.T) map[string]any {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	return root
}

// TestEveryFieldIsDescribed keeps the JSON Schema useful: each key says what it is, in a sentence.
func TestEveryFieldIsDescribed(t *testing.T) {
	var visit func(path string, s map[string]any)
	visit = func(path string, s map[string]any) {
		if props, ok := s["properties"].(map[string]any); ok {
			for name, p := range props {
				p := p.(map[string]any)
				if doc, _ := p["description"].(string); !strings.HasSuffix(doc, ".") {
					t.Errorf("%s/%s has the description %q", path, name, doc)
				}
				visit(path+"/"+name, p)
			}
		}
		for _, key := range []string{"items", "additionalProperties"} {
			if sub, ok := s[key].(map[string]any); ok {
				visit(path, sub)
			}
		}
	}
	root := parsedSchema(t)
	visit("", root)
	if got := len(root["properties"].(map[string]any)); got < 20 {
		t.Errorf("the schema has %d keys at its top", got)
	}
	if required := root["required"].([]any); !slices.Contains(required, any("domain")) {
		t.Error("domain is not required")
	}
}
