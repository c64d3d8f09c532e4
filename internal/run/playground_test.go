package run_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/console/playground"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store"
)

// desk is a frame of pages; the header Role says who asks.
type desk struct {
	*httptest.Server
	acts []page.Act
	who  page.Who
}

func newDesk(t *testing.T, add func(*page.Frame)) *desk {
	t.Helper()
	d := &desk{}
	f := page.New(page.Options{
		Domain: "own", Version: "1", Login: "/login",
		Identify: func(r *http.Request) page.Who {
			who := d.who
			if who.Role.UnmarshalText([]byte(r.Header.Get("Role"))) == nil {
				who.Form = flow.NewSecret("the-form-of-ann")
				if who.Name == "" {
					who.Name = "ann"
				}
			}
			return who
		},
		Record: func(_ context.Context, a page.Act) error { d.acts = append(d.acts, a); return nil },
	})
	add(f)
	d.Server = httptest.NewServer(f)
	t.Cleanup(d.Close)
	return d
}

func (d *desk) ask(t *testing.T, method, path, role string, form url.Values) (int, string, http.Header) {
	t.Helper()
	var body io.Reader
	if form != nil {
		form.Set("form_token", "the-form-of-ann")
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Role", role)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

// rowCounts counts what every table of a store has.
func rowCounts(t *testing.T, db store.DB) string {
	t.Helper()
	var out []string
	err := db.View(t.Context(), func(tx store.Tx) error {
		names, err := tx.Query("SELECT name FROM sqlite_master WHERE type = 'table'")
		if err != nil {
			return err
		}
		var all []string
		for names.Next() {
			var n string
			if err := names.Scan(&n); err != nil {
				return err
			}
			all = append(all, n)
		}
		if err := names.Err(); err != nil {
			return err
		}
		_ = names.Close()
		for _, n := range all {
			var count int64
			if err := tx.QueryRow("SELECT count(*) FROM " + n).Scan(&count); err != nil {
				return err
			}
			out = append(out, fmt.Sprint(n, " ", count))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func leftovers(t *testing.T) (all []string) {
	t.Helper()
	for _, dir := range []string{"/dev/shm", os.TempDir()} {
		found, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("scrim-check-%d-*", os.Getpid())))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

func holds(t *testing.T, dir, text string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) { // the log of a gateway that runs puts new files in the place of old ones
			return nil
		}
		if err == nil && strings.Contains(string(b), text) {
			t.Errorf("%s holds what was pasted", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

const playPolicy = `@id("home") @token("oneway") @reason("one house") permit (principal, action in Action::"upto_tokenized", resource) when { context.same_domain };` + "\n" +
	`@id("names") permit (principal, action in Action::"upto_raw", resource in DataClass::"text/free") when { context.same_domain };` + "\n"

func playing(t *testing.T) (*house, *run.Gateway, *desk) {
	t.Helper()
	h := houseOf(t)
	h.write("scrim.yaml", strings.Replace(h.yaml("127.0.0.1:0"), "governance:", "  - {id: back, domain: own}\ngovernance:", 1))
	h.write("policies/home.cedar", playPolicy)
	g := h.open()
	t.Cleanup(func() { h.close(g) })
	return h, g, newDesk(t, func(f *page.Frame) { playground.Add(f, playground.Options{Stage: g.Bench(), Bench: g.Bench()}) })
}

// What somebody pastes comes back to them and is nowhere else, and nothing that is kept changes by it.
func TestPlaygroundKeepsNothing(t *testing.T) {
	h, g, d := playing(t)
	const canary = "Zebulon.Quixworth-88c1f0d7@canary-example.org"
	before, there := rowCounts(t, g.DB), leftovers(t)
	form := url.Values{"message": {"Write to " + canary + " please."}, "to": {"front", "back"}, "direction": {"response"}, "criticality": {"critical"}}
	status, body, header := d.ask(t, "POST", "/playground", "steward", form)
	if status != 200 || !strings.Contains(body, "What each would see") || !strings.Contains(body, "person/contact/email") || strings.Count(body, canary) < 1 {
		t.Fatalf("%d %s", status, body)
	}
	if !strings.Contains(body, `level-tokenized`) || !strings.Contains(body, "one house") {
		t.Errorf("level and reason are not told: %s", body[strings.Index(body, "pg-seen"):])
	}
	if header.Get("Cache-Control") != "no-store" || header.Get("Location") != "" || header.Get("Set-Cookie") != "" {
		t.Errorf("headers %v", header)
	}
	if after := rowCounts(t, g.DB); after != before {
		t.Errorf("the store changed: from\n%s\nto\n%s", before, after)
	}
	for _, name := range leftovers(t) {
		if !slices.Contains(there, name) {
			t.Errorf("%s is left", name)
		}
	}
	if len(d.acts) != 0 || strings.Contains(h.log.String(), canary) {
		t.Errorf("acts %v, log %s", d.acts, h.log.String())
	}
	holds(t, filepath.Dir(h.file), canary)
	if _, body, _ := d.ask(t, "GET", "/playground", "steward", nil); strings.Contains(body, canary) {
		t.Error("the next visitor sees it")
	}
	for what, change := range map[string]url.Values{
		"broken JSON": {"kind": {"json"}}, "no MCP": {"kind": {"mcp"}}, "nobody": {"to": {"no-such-agent"}}, "no purpose": {"purpose": {"no-such-purpose"}}, "no file": {"file": {"none.cedar"}, "loaded": {"none.cedar"}},
	} {
		f := url.Values{"message": form["message"], "to": {"front"}}
		for k, v := range change {
			f[k] = v
		}
		_, body, _ := d.ask(t, "POST", "/playground", "steward", f)
		alert := body
		if i := strings.Index(body, `role="alert"`); i >= 0 {
			alert = body[i : i+strings.Index(body[i:], "</")]
		} else {
			t.Errorf("%s: nothing is said", what)
		}
		if strings.Contains(alert, "Zebulon") {
			t.Errorf("%s: the error repeats it", what)
		}
	}
}

func TestPlaygroundComparesAnEditedPolicy(t *testing.T) {
	_, g, d := playing(t)
	form := url.Values{"message": {"Write to ann.example-71d2@canary-example.org please."}, "to": {"front"}, "direction": {"response"}, "criticality": {"critical"}, "file": {"policies/home.cedar"}, "do": {"load"}}
	_, body, _ := d.ask(t, "POST", "/playground", "steward", form)
	if !strings.Contains(body, "upto_tokenized") || !strings.Contains(body, `name="loaded" value="policies/home.cedar"`) {
		t.Fatalf("the policy is not in the form: %s", body)
	}
	form.Set("do", "look")
	form.Set("loaded", "policies/home.cedar")
	form.Set("text", strings.NewReplacer(`@token("oneway") `, "", "upto_tokenized", "upto_masked").Replace(playPolicy))
	_, body, _ = d.ask(t, "POST", "/playground", "steward", form)
	for _, want := range []string{"Under the edited policy", "1 place comes", "becomes", "level-masked", `action="/policies/drafts"`, `class="changed"`} {
		if !strings.Contains(body, want) {
			t.Errorf("%q is missing", want)
		}
	}
	form.Set("text", playPolicy+"permit (principal, action, resurce);\n")
	_, body, _ = d.ask(t, "POST", "/playground", "steward", form)
	if !strings.Contains(body, "line 3, column ") || !strings.Contains(body, "policies/home.cedar") || !strings.Contains(body, `aria-invalid="true"`) {
		t.Errorf("the mistake is not told with its place: %s", body)
	}
	if set := g.Gateway.Snapshot().Policy.Files()["home.cedar"]; set != playPolicy {
		t.Error("the policy in force changed")
	}
}

func TestPlaygroundTakesWholeMessages(t *testing.T) {
	_, _, d := playing(t)
	for kind, message := range map[string]string{
		"a2a": `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"Write to ann.example-71d2@canary-example.org."}]}}}`,
		"mcp": `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Write to ann.example-71d2@canary-example.org."}]}}`,
	} {
		f := url.Values{"message": {message}, "to": {"front"}, "criticality": {"critical"}, "direction": {map[string]string{"a2a": "request", "mcp": "response"}[kind]}}
		_, body, _ := d.ask(t, "POST", "/playground", "steward", f)
		if !strings.Contains(body, "person/contact/email") || strings.Contains(body, `role="alert"`) {
			t.Errorf("%s: %s", kind, body)
		}
	}
}

func TestPlaygroundIsForStewards(t *testing.T) {
	_, _, d := playing(t)
	for _, method := range []string{"GET", "POST"} {
		if status, _, _ := d.ask(t, method, "/playground", "viewer", url.Values{}); status != 403 {
			t.Errorf("%s by a viewer: %d", method, status)
		}
	}
}
