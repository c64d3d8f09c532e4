package config

import (
	"crypto/sha256"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestSettingsTellConfigurationsApart(t *testing.T) {
	file := ruled(t)
	c, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	same := c.Settings()
	for path, want := range map[string]string{
		"domain": "hospital", "agents/1/criticality": "critical", "retention/answers": "36h0m0s", "purposes/billing/title": "Settling accounts", "agents/#": "3",
		"limits/body": "1048576", "taxonomy/0/tier": "confidential", "listen": "0.0.0.0:8443",
	} {
		if same[path] != want {
			t.Errorf("setting %s = %q, want %q", path, same[path], want)
		}
	}
	for _, path := range []string{"data", "keys/file", "store/schema", "policies", "contracts/0", "file:claims.odcs.yaml", "file:scrim.yaml"} {
		if v, ok := same[path]; ok {
			t.Errorf("setting %s = %q, want none", path, v)
		}
	}
	if same["file:trees/dx.csv"] == "" || same["file:patient.json"] == "" {
		t.Error("files that decide have no digest among the settings")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for old, now := range map[string]string{
		"parents: [care]": "parents: []", "default_purpose: care": "default_purpose: billing", "tasks: 30d": "tasks: 31d", "body: 1048576": "body: 1048577",
		"foreign: true": "foreign: false", "expires: 2027-01-31": "expires: 2028-01-31", "{MODE: {value: fast}}": "{}", "[ehr-server, --stdio]": "[ehr-server]",
	} {
		text := strings.Replace(string(raw), old, now, 1)
		if text == string(raw) {
			t.Fatalf("%q is not in the file", old)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if maps.Equal(c.Settings(), same) {
			t.Errorf("%q and %q are the same settings", old, now)
		}
	}
}

// A file that is a contract and a schema at once is no place for a change that nobody compares.
func TestContractThatIsASchemaTooIsCompared(t *testing.T) {
	file := ruled(t)
	v := &validator{c: &Config{}}
	v.c.loaded = loaded{file: file, dir: filepath.Dir(file), content: map[string][]byte{}, compared: map[string]bool{}}
	v.hash = sha256.New()
	for _, at := range []string{"contracts/0", "schemas/0/file"} {
		if _, ok := v.read(at, "trees/dx.csv"); !ok {
			t.Fatal(v.mistakes)
		}
		if _, compared := v.c.Settings()["file:trees/dx.csv"]; compared != (at != "contracts/0") {
			t.Errorf("after it was read at %s its digest is among the settings: %v", at, compared)
		}
	}
}

// What a contract's description says decides something where the contract is a list of words, too, from disk as from memory.
func TestWordsOfAContractThatIsAListAreCompared(t *testing.T) {
	file := ruled(t)
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	contract := filepath.Join(filepath.Dir(file), "claims.odcs.yaml")
	claims, err := os.ReadFile(contract)
	if err != nil {
		t.Fatal(err)
	}
	settings := func(list, word string) map[string]string {
		t.Helper()
		for name, text := range map[string]string{file: string(raw) + list, contract: string(claims) + "# words:\n" + "description:\n  usage: |\n    " + word + "\n"} {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		onDisk, err := Load(file)
		if err != nil {
			t.Fatal(err)
		}
		files, err := RuleFiles(file)
		if err != nil {
			t.Fatal(err)
		}
		over, err := LoadOver(file, files)
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(onDisk.Settings(), over.Settings()) {
			t.Error("the same rules have other settings from memory than from disk")
		}
		return onDisk.Settings()
	}
	const list = "detection: {lists: [{name: mine, label: secret/password, file: claims.odcs.yaml}]}\n"
	if maps.Equal(settings(list, "opensesame"), settings(list, "openbarley")) {
		t.Error("one word of the list is another, and the settings are the same")
	}
	if !maps.Equal(settings("", "opensesame"), settings("", "openbarley")) {
		t.Error("what is a contract alone is compared as a setting")
	}
}

// A kind of setting that was not thought of would be the same whatever it says.
func TestEverySettingIsOfAKindThatIsCompared(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(at string, ty reflect.Type)
	walk = func(at string, ty reflect.Type) {
		if seen[ty] {
			return
		}
		seen[ty] = true
		switch ty.Kind() {
		case reflect.Struct:
			for i := range ty.NumField() {
				f := ty.Field(i)
				if f.IsExported() {
					walk(at+"."+f.Name, f.Type)
				} else if name := f.Name; name != "place" && name != "loaded" && ty.PkgPath() == reflect.TypeFor[Config]().PkgPath() && !marshals(ty) {
					t.Errorf("%s.%s is not exported, and would not be compared", at, name)
				}
			}
		case reflect.Map:
			walk(at, ty.Key())
			walk(at, ty.Elem())
		case reflect.Slice, reflect.Array, reflect.Pointer:
			walk(at, ty.Elem())
		case reflect.Func, reflect.Chan, reflect.Interface, reflect.UnsafePointer:
			t.Errorf("%s is a %s, which cannot be compared", at, ty.Kind())
		}
	}
	walk("", reflect.TypeFor[Config]())
}

func marshals(ty reflect.Type) bool {
	_, ok := ty.MethodByName("MarshalText")
	return ok || ty == reflect.TypeFor[Exact]() || ty == reflect.TypeFor[Decimal]() || ty == reflect.TypeFor[Literal]()
}
