package facade_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

// get asks over REST, and returns the status with the body.
func (r *rig) get(t testing.TB, key, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url+"/facade/records/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Authorization": "Bearer " + key, "Scrim-Purpose": "care", "Scrim-Criticality": "critical"} {
		req.Header.Set(k, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestTheSameOverREST(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	status, body := r.get(t, "scrim_lab", "patients?age.ge=30&age.lt=60&ward=er&select=mrn,age,born&order=-age&limit=5")
	var page answer
	if err := json.Unmarshal([]byte(body), &page); err != nil || status != 200 || len(page.Rows) != 1 || page.Rows[0]["born"] != "1996" || len(page.Rows[0]) != 3 {
		t.Fatalf("%d %s", status, body)
	}
	if !strings.Contains(body, `"level":"generalized"`) {
		t.Errorf("the caller is not told what was changed: %s", body)
	}
	same := r.call(t, "scrim_lab", "patients_search", `{"where":{"age":{"ge":30,"lt":60},"ward":{"eq":"er"}},"columns":["mrn","age","born"]}`)
	if same.Rows[0]["mrn"] != page.Rows[0]["mrn"] {
		t.Errorf("over MCP the token is another: %s", same.body)
	}
	status, body = r.get(t, "scrim_lab", "patients/"+url.PathEscape(page.Rows[0]["mrn"].(string)))
	if status != 200 || !strings.HasPrefix(body, `{"row":{"mrn":"`) {
		t.Errorf("by its token the row is %d %s", status, body)
	}
	if status, body = r.get(t, "scrim_own", "stock/7"); status != 200 || !strings.HasPrefix(body, `{"row":{"sku":7,"left":0}`) {
		t.Errorf("stock 7 is %d %s", status, body)
	}
	page = answer{}
	_, body = r.get(t, "scrim_own", "stock?limit=10&left.in=1&left.in=2")
	if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Rows) != 10 || page.Next == "" {
		t.Fatal(body)
	}
	if status, body = r.get(t, "scrim_own", "stock?limit=10&left.in=1&left.in=2&cursor="+page.Next); status != 200 || strings.Contains(body, `"sku":1,`) {
		t.Errorf("the next page is %d %s", status, body)
	}
	recorded := 0
	for _, ev := range r.Events() {
		if ev.Outcome == flow.Released && ev.Flow.Subject == "stock_search" {
			recorded++
		}
	}
	if recorded != 4 {
		t.Errorf("two questions and their answers are %d records", recorded)
	}
}

func TestRESTRefusesAsMCPDoes(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	for path, want := range map[string]int{
		"patients?name=Jane+Doe": 400, "patients?name=Nobody": 400, "patients/MRN-000001": 400, "patients/MRN-999999": 400,
		"payroll": 404, "nothing": 404, "": 404, "patients?secret_column=x": 400, "patients?order=name": 400, "patients?select=ssn": 400,
		"patients?limit=x": 400, "patients?limit=5&limit=6": 400, "patients?age.ge=1&age.ge=2": 400, "patients?age=abc": 400, "patients?age=1e400": 400,
		"stock/7/8": 400, "stock/7?limit=2": 400, "stock?cursor=zz": 400, "stock?%zz": 400, "stock/999": 404, "stock?sku=" + strings.Repeat("9", 40): 400, "stock?x=" + strings.Repeat("9", 20000): 413,
	} {
		status, body := r.get(t, "scrim_lab", path)
		if status != want && (want != 400 || status != 403) || !strings.Contains(body, `"detail"`) || strings.Contains(body, "rows") {
			t.Errorf("%.60s is %d %s, want %d", path, status, body, want)
		}
	}
	kept, keptBody := r.get(t, "scrim_lab", "payroll")
	gone, goneBody := r.get(t, "scrim_lab", "nothing")
	cut := func(s string) string { a, _, _ := strings.Cut(s, `"reference"`); return a }
	if kept != gone || cut(keptBody) != cut(goneBody) {
		t.Errorf("kept back is %d %s, not there %d %s", kept, keptBody, gone, goneBody)
	}
	if status, body := r.get(t, "scrim_nobody", "stock"); status != 401 {
		t.Errorf("a stranger gets %d %s", status, body)
	}
	res, err := http.Post(r.url+"/facade/records/stock", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 405 {
		t.Errorf("a POST gets %d", res.StatusCode)
	}
	other, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url+"/facade/nurse/stock", nil)
	if err != nil {
		t.Fatal(err)
	}
	other.Header.Set("Authorization", "Bearer scrim_own")
	if res, err = http.DefaultClient.Do(other); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 404 {
		t.Errorf("an agent that is no facade gets %d", res.StatusCode)
	}
}

func TestOpenAPISaysWhatTheCallerMayUse(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	status, body := r.get(t, "scrim_lab", "openapi.json")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct{ Parameters []struct{ Name, In string } }
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || status != 200 || doc.OpenAPI != "3.1.0" {
		t.Fatalf("%d %v %s", status, err, body)
	}
	for _, hidden := range []string{"payroll", "ssn", "secret_column", "loose", `"name":"name"`, `"name":"born"`, `"name":"mrn.ge"`} {
		if strings.Contains(body, hidden) {
			t.Errorf("the lab is told of %s", hidden)
		}
	}
	for _, path := range []string{"/patients", "/patients/{mrn}", "/stock", "/stock/{sku}"} {
		if _, ok := doc.Paths[path]["get"]; !ok {
			t.Errorf("%s is not described: %s", path, body)
		}
	}
	for _, p := range doc.Paths["/stock"]["get"].Parameters { // each parameter that is described is one that is taken
		value := map[string]string{"select": "sku", "limit": "1", "cursor": "", "order": "left", "sku.null": "false", "left.null": "false"}[p.Name]
		if value == "" {
			value = "1"
		}
		if p.In != "query" || p.Name == "cursor" {
			continue
		}
		if status, body := r.get(t, "scrim_lab", "stock?"+url.QueryEscape(p.Name)+"="+value); status != 200 {
			t.Errorf("%s=%s is %d %s", p.Name, value, status, body)
		}
	}
}
