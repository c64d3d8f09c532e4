package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
)

type thing struct {
	Name string `json:"name"`
	Size int    `json:"size,omitempty"`
}

var templates = fstest.MapFS{
	"templates/thing.html": {Data: []byte(`{{define "main"}}<h1>{{.Model.Name}}</h1><form method="post" action="/things/a">{{template "form-token" .}}</form>{{end}}`)},
}

// desk is a frame with one page and one action; the header Role says who asks.
type desk struct {
	*httptest.Server
	acts []page.Act
	lost error // recording fails with it
	did  []thing
}

func open(t *testing.T) *desk {
	t.Helper()
	d := &desk{}
	f := page.New(page.Options{
		Domain: "home", Version: "1", Login: "/login", Nav: []page.Entry{{Path: "/things", Title: "Things", Role: page.Viewer}},
		Identify: func(r *http.Request) page.Who {
			var who page.Who
			if who.Role.UnmarshalText([]byte(r.Header.Get("Role"))) == nil {
				who.Name, who.Form = "ann", flow.NewSecret("token-of-the-form")
			}
			return who
		},
		Record: func(_ context.Context, a page.Act) error {
			if d.lost == nil {
				d.acts = append(d.acts, a)
			}
			return d.lost
		},
	})
	g := f.Group(templates, nil)
	page.Add(g, page.Page[thing]{Path: "/things/{name}", Title: "Thing", Summary: "Tells of a thing.", Template: "thing.html", Role: page.Viewer,
		Model: func(_ context.Context, r *page.Request) (thing, error) {
			if r.PathValue("name") == "none" {
				return thing{}, page.ErrNotFound
			}
			return thing{Name: r.PathValue("name")}, nil
		}})
	page.Do(g, page.Action[thing, thing]{Path: "/things/{name}", Title: "Resize", Summary: "Changes the size.", Name: "console/resize", Role: page.Steward,
		Then: func(thing, thing) string { return "/things/a" },
		Do: func(_ context.Context, _ *page.Request, in thing) (thing, error) {
			if in.Size < 0 {
				return in, page.Wrong("size: it is negative")
			}
			d.did = append(d.did, in)
			return in, nil
		}})
	d.Server = httptest.NewServer(f)
	t.Cleanup(d.Close)
	return d
}

func (d *desk) ask(t *testing.T, method, path, role, media, body string) (int, string, http.Header) {
	t.Helper()
	req, _ := http.NewRequest(method, d.URL+path, strings.NewReader(body))
	req.Header.Set("Role", role)
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	c := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b), res.Header
}

func TestAPageAndItsTwinAreOneModel(t *testing.T) {
	d := open(t)
	status, body, h := d.ask(t, "GET", "/things/%3Cb%3E", "viewer", "", "")
	if status != 200 || !strings.Contains(body, "<h1>&lt;b&gt;</h1>") || !strings.Contains(body, `href="/api/v1/things/%3Cb%3E"`) {
		t.Errorf("page: %d, %s", status, body)
	}
	if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'self';") {
		t.Errorf("policy %q", h.Get("Content-Security-Policy"))
	}
	status, body, _ = d.ask(t, "GET", "/api/v1/things/%3Cb%3E", "viewer", "", "")
	var m thing
	if err := json.Unmarshal([]byte(body), &m); status != 200 || err != nil || m.Name != "<b>" {
		t.Errorf("twin: %d, %s", status, body)
	}
	for _, at := range []string{"/things/none", "/api/v1/things/none"} {
		if status, _, _ := d.ask(t, "GET", at, "viewer", "", ""); status != 404 {
			t.Errorf("%s: %d", at, status)
		}
	}
}

func TestWhoMayNotIsSentAway(t *testing.T) {
	d := open(t)
	status, _, h := d.ask(t, "GET", "/things/a?x=1", "", "", "")
	if status != 303 || h.Get("Location") != "/login?to="+url.QueryEscape("/things/a?x=1") {
		t.Errorf("page: %d to %q", status, h.Get("Location"))
	}
	if status, _, _ := d.ask(t, "GET", "/api/v1/things/a", "", "", ""); status != 401 {
		t.Errorf("twin: %d", status)
	}
	if status, _, _ := d.ask(t, "POST", "/things/a", "viewer", "application/x-www-form-urlencoded", "size=3&form_token=token-of-the-form"); status != 403 {
		t.Errorf("a viewer's change: %d", status)
	}
	if len(d.did)+len(d.acts) != 0 {
		t.Errorf("done: %v, recorded: %v", d.did, d.acts)
	}
}

func TestAChangeNeedsItsFormAndIsOnRecord(t *testing.T) {
	d := open(t)
	const form, js = "application/x-www-form-urlencoded", "application/json"
	for _, c := range []struct{ path, media, body string }{
		{"/things/a", form, "size=3"}, {"/things/a", form, "size=3&form_token=another"}, {"/things/a?form_token=token-of-the-form", form, "size=3"},
		{"/api/v1/things/a", js, `{"size":3}`}, {"/api/v1/things/a", "text/plain", `{"size":3}`}, {"/api/v1/things/a", form, "size=3&form_token=token-of-the-form"},
	} {
		if status, _, _ := d.ask(t, "POST", c.path, "admin", c.media, c.body); status != 403 && status != 422 {
			t.Errorf("%v: %d", c, status)
		}
	}
	if len(d.did) != 0 {
		t.Fatalf("done: %v", d.did)
	}
	status, _, h := d.ask(t, "POST", "/things/a", "steward", form, "size=3&form_token=token-of-the-form")
	if status != 303 || h.Get("Location") != "/things/a" || len(d.did) != 1 || d.did[0].Size != 3 {
		t.Errorf("%d, %v", status, d.did)
	}
	if len(d.acts) != 1 || d.acts[0].Name != "console/resize" || d.acts[0].About != "a" || d.acts[0].Who.Name != "ann" {
		t.Errorf("recorded: %+v", d.acts)
	}
	d.lost = errors.New("the disk is full")
	if status, _, _ := d.ask(t, "POST", "/things/a", "steward", form, "size=4&form_token=token-of-the-form"); status != 500 || len(d.did) != 1 {
		t.Errorf("without a record: %d, %v", status, d.did)
	}
}

func TestMistakesNameThePlaceAndNotTheValue(t *testing.T) {
	d := open(t)
	status, body, _ := d.ask(t, "POST", "/things/a", "steward", "application/x-www-form-urlencoded", "size=zebra&form_token=token-of-the-form")
	if status != 422 || !strings.Contains(body, "size: it is not a whole number") || strings.Contains(body, "zebra") {
		t.Errorf("%d %s", status, body)
	}
}

func TestNumbersOfAQueryAreWholeAndTellNothing(t *testing.T) {
	ask := func(query string) (int64, error) {
		return page.Number(&page.Request{Request: httptest.NewRequestWithContext(t.Context(), "GET", "/?"+query, nil)}, "from", int64(7))
	}
	for query, want := range map[string]int64{"": 7, "from=": 7, "from=0": 0, "from=12": 12, "from=9223372036854775807": 1<<63 - 1, "to=3": 7} {
		if got, err := ask(query); err != nil || got != want {
			t.Errorf("%q: %d, %v, want %d", query, got, err, want)
		}
	}
	for _, query := range []string{"from=-1", "from=9223372036854775808", "from=zebra-71c0", "from=1.5", "from=0x10", "from=1e3", "from=%201"} {
		if got, err := ask(query); got != 0 || err == nil || err.Error() != "from: it is not a whole number from 0" {
			t.Errorf("%q: %d, %v", query, got, err)
		}
	}
}

func TestDescriptionHasEverything(t *testing.T) {
	d := open(t)
	_, body, _ := d.ask(t, "GET", "/api/v1/openapi.json", "", "", "")
	var doc struct {
		Paths map[string]map[string]any
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Paths["/things/{name}"]) != 2 {
		t.Errorf("paths: %v", doc.Paths)
	}
}

func TestStaticFilesAreKept(t *testing.T) {
	d := open(t)
	status, body, h := d.ask(t, "GET", page.Asset("scrim.css"), "", "", "")
	if status != 200 || !strings.Contains(h.Get("Cache-Control"), "immutable") || len(body) == 0 {
		t.Errorf("%d, %v", status, h)
	}
	if status, _, _ := d.ask(t, "GET", "/static/scrim.css", "", "", ""); status != 404 {
		t.Errorf("without its hash: %d", status)
	}
}
