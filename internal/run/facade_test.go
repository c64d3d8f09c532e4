package run_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
)

const facadeYAML = `version: 1
domain: clinic
purposes: {care: {}}
contracts: [contract.yaml]
agents:
  - {id: ward, keys: [{sha256: %s}], purposes: [care]}
  - {id: lab, domain: lab, keys: [{sha256: %s}], purposes: [care]}
  - id: stays
    facade:
      sqlite: %s
      tables:
        stays: {table: clinic_stays}
`

const staysContract = `apiVersion: v3.1.0
kind: DataContract
id: stays
version: 1.0.0
status: active
schema:
  - name: stays
    properties:
      - {name: patient, logicalType: string, primaryKey: true, physicalName: patient_id, customProperties: [{property: scrim.label, value: technical/record-id}, {property: scrim.unit, value: patient}]}
      - {name: age, logicalType: integer, customProperties: [{property: scrim.label, value: person/age}]}
`

// facadeCall calls a tool of a server and returns the body.
func facadeCall(t *testing.T, addr, key, name, arguments string) string {
	t.Helper()
	call := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + name + `","arguments":` + arguments + `}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr+"/mcp/stays", strings.NewReader(call))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "Authorization": "Bearer " + key, "Mcp-Protocol-Version": "2025-11-25", identity.HeaderCriticality: "routine"} {
		req.Header.Set(k, v)
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

func TestAFacadeIsServedByConfiguration(t *testing.T) {
	t.Parallel()
	ward, wardDigest := identity.NewKey()
	lab, labDigest := identity.NewKey()
	db := clinic(t, 3)
	file := lay(t, fmt.Sprintf(facadeYAML, wardDigest, labDigest, strconv.Quote(db)), map[string]string{"contract.yaml": staysContract})
	g, addr, _ := serve(t, load(t, file), run.Options{})
	if got := facadeCall(t, addr, ward.Expose(), "stays_list", `{"limit":1}`); !strings.Contains(got, `"patient":"p0"`) || !strings.Contains(got, `"next":"`) {
		t.Errorf("the ward sees %s", got)
	}
	if got := facadeCall(t, addr, lab.Expose(), "stays_list", `{}`); strings.Contains(got, `"p0`) || strings.Contains(got, "rows") {
		t.Errorf("the lab, which no policy names, sees %s", got)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "clinic_stays}", "clinic_stays, key: [patient, age]}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.Reload(t.Context(), "a test"); err != nil {
		t.Fatal(err)
	}
	if got := facadeCall(t, addr, ward.Expose(), "stays_get", `{"key":{"patient":"p1","age":21}}`); !strings.Contains(got, `"age":21`) {
		t.Errorf("after a reload the ward sees %s", got)
	}
}

func TestFacadesThatCannotBe(t *testing.T) {
	t.Parallel()
	_, digest := identity.NewKey()
	_, other := identity.NewKey()
	whole := fmt.Sprintf(facadeYAML, digest, other, "clinic.db")
	for want, change := range map[string][2]string{
		`"nobody"`:                            {"clinic_stays}", "clinic_stays, key: [nobody]}"},
		`"elsewhere"`:                         {"table: clinic_stays", "dataset: elsewhere"},
		"either sqlite, postgres or rest":     {"sqlite: clinic.db", "rows: 10"},
		"leave mcp out":                       {"    facade:", "    mcp: {url: \"http://127.0.0.1:9/\"}\n    facade:"},
		"the agent belongs to another domain": {"- id: stays\n", "- id: stays\n    domain: lab\n"},
	} {
		file := lay(t, strings.Replace(whole, change[0], change[1], 1), map[string]string{"contract.yaml": staysContract})
		_, err := config.Load(file)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Base(file)+":") {
			t.Errorf("with %q the error is %v, want a line and %s", change[1], err, want)
		}
	}
}
