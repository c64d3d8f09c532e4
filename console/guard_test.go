package console_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/console"
	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/console/session"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
)

// port is an admin port with a console behind it, of a gateway that has nothing.
type port struct {
	*httptest.Server
	con   *console.Console
	token flow.Secret

	mu   sync.Mutex // guards acts
	acts []string   // that were put on record
}

func (p *port) record(_ context.Context, a page.Act) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acts = append(p.acts, a.Name)
	return nil
}

// recorded are the names of what was put on record.
func (p *port) recorded() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.acts)
}

func serve(t *testing.T) *port {
	t.Helper()
	p := &port{token: flow.NewSecret("token-of-the-operator-0123456789abcdef")}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.con.ServeHTTP(w, r) }))
	t.Cleanup(p.Close)
	listen := strings.TrimPrefix(p.URL, "http://")
	p.con = console.New(console.Options{
		API: api.Options{
			Listen: listen, Token: p.token, Metrics: api.NewMetrics(), Ready: func(context.Context) error { return nil },
			Verify: func(context.Context) (audit.Report, error) { return audit.Report{}, nil },
		},
		Frame:   page.Options{Domain: "home", Version: "test", Record: p.record},
		Session: session.Options{Domain: "home", Token: p.token, Listen: listen, Record: func(context.Context, session.Act) error { return nil }},
	})
	return p
}

// visitor is somebody with a browser, and the token of their forms.
type visitor struct {
	t *testing.T
	p *port
	*http.Client
	form string
}

var formToken = regexp.MustCompile(`name="form_token" value="(\w+)"`)

// visitor logs in as a role; None: nobody.
func (p *port) visitor(t *testing.T, role page.Role) *visitor {
	t.Helper()
	jar, _ := cookiejar.New(nil)
	v := &visitor{t: t, p: p, Client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if role == page.None {
		return v
	}
	link, err := p.con.Link(t.Context(), role)
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(link, "#")
	if status, _, _ := v.send("POST", session.Path, url.Values{"code": {code}}.Encode(), "Content-Type", formType); status != http.StatusSeeOther {
		t.Fatalf("logging in as %s: status %d", role, status)
	}
	_, text, _ := v.send("GET", "/log/receipt", "")
	m := formToken.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no form for a %s", role)
	}
	v.form = m[1]
	return v
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

func (v *visitor) send(method, path, body string, head ...string) (int, string, http.Header) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, v.p.URL+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	if method != "GET" {
		req.Header.Set("Origin", v.p.URL)
	}
	for i := 0; i+1 < len(head); i += 2 {
		if head[i] == "Host" {
			req.Host = head[i+1]
		}
		req.Header.Set(head[i], head[i+1])
	}
	res, err := v.Do(req)
	if err != nil {
		v.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(text), res.Header
}

// change sends an action to a route, as a form or as JSON by where it lies, with a form token; "": without.
func (v *visitor) change(path, token string) (int, string) {
	v.t.Helper()
	if strings.HasPrefix(path, "/api/") {
		head := []string{"Content-Type", jsonType}
		if token != "" {
			head = append(head, "Scrim-Form", token)
		}
		status, text, _ := v.send("POST", path, "{}", head...)
		return status, text
	}
	status, text, _ := v.send("POST", path, url.Values{"form_token": {token}}.Encode(), "Content-Type", formType)
	return status, text
}

var parameter = regexp.MustCompile(`\{[^}]+\}`)

// plainPath is an address of a route, with something in place of its parameters.
func plainPath(r page.Route) string {
	return parameter.ReplaceAllString(strings.TrimSuffix(r.Path, "{$}"), "something")
}

// TestEveryAddressIsForItsRoleAndThoseAbove goes through all that is registered, pages and actions, as a form and as JSON: whoever has a lesser role gets nothing
// of it, and an action is not done for a form without a token, or with that of another session.
func TestEveryAddressIsForItsRoleAndThoseAbove(t *testing.T) {
	p := serve(t)
	roles := []page.Role{page.None, page.Viewer, page.Steward, page.Approver, page.Admin}
	var who []*visitor
	for _, r := range roles {
		who = append(who, p.visitor(t, r))
	}
	other := p.visitor(t, page.Admin)
	forAll := map[string]bool{"/static/": true, "/api/v1/openapi.json": true}
	seen := map[string]int{}
	for _, r := range p.con.Routes() {
		if r.Role == page.None {
			if !forAll[r.Path] {
				t.Errorf("%s %s is for everybody", r.Method, r.Path)
			}
			continue
		}
		path := plainPath(r)
		seen[r.Method]++
		for i, role := range roles {
			if role < r.Role {
				p.refuses(t, r, role, who[i])
			}
		}
		if r.Method != "POST" {
			if path == "/live/events" { // it ends with its viewer
				continue
			}
			if status, _, _ := who[r.Role].send(r.Method, path, ""); status == http.StatusForbidden || status == http.StatusUnauthorized || status == http.StatusSeeOther {
				t.Errorf("%s %s as %s: status %d", r.Method, path, r.Role, status)
			}
			continue
		}
		for name, token := range map[string]string{"no token": "", "the token of another session": other.form, "the token of the gateway": p.token.Expose()} {
			status, text := who[r.Role].change(path, token)
			if status != http.StatusForbidden || !strings.Contains(text, "this form is not of your session") {
				t.Errorf("%s with %s: status %d", path, name, status)
			}
		}
	}
	if done := p.recorded(); len(done) != 0 {
		t.Errorf("what was refused is on record as done: %v", done)
	}
	if seen["GET"] < 70 || seen["POST"] < 70 || len(seen) != 2 {
		t.Errorf("looked at %v", seen)
	}
}

// refuses holds an address to giving nothing to a lesser role.
func (p *port) refuses(t *testing.T, r page.Route, role page.Role, v *visitor) {
	t.Helper()
	path := plainPath(r)
	var status int
	var text string
	if r.Method == "POST" {
		status, text = v.change(path, v.form)
	} else {
		status, text, _ = v.send(r.Method, path, "")
	}
	want := http.StatusForbidden
	if role == page.None {
		if want = http.StatusUnauthorized; r.Method == "GET" && !strings.HasPrefix(path, "/api/") {
			want = http.StatusSeeOther
		}
	}
	if status != want || want == http.StatusForbidden && !strings.Contains(text, page.ErrForbidden.Error()) {
		t.Errorf("%s %s as %s, which is for %s: status %d, want %d", r.Method, path, role, r.Role, status, want)
	}
}

// TestCallsOfCommandsTakeNoSession: what commands ask for is for the token alone, whoever is logged in.
func TestCallsOfCommandsTakeNoSession(t *testing.T) {
	p := serve(t)
	admin := p.visitor(t, page.Admin)
	calls := []page.Route{{Method: "POST", Path: "/-/reload"}, {Method: "GET", Path: "/metrics"}}
	for _, o := range api.Operations() {
		calls = append(calls, page.Route{Method: o.Method, Path: "/api/v1" + o.Path})
	}
	refused := 0
	for _, r := range calls {
		status, _, _ := admin.send(r.Method, plainPath(r), "{}", "Content-Type", jsonType, "Scrim-Form", admin.form)
		if status != http.StatusUnauthorized && status != http.StatusNotFound { // not found: this gateway has no part that it is for
			t.Errorf("%s %s by a session: status %d", r.Method, r.Path, status)
		}
		if status == http.StatusUnauthorized {
			refused++
		}
	}
	if refused < 60 {
		t.Errorf("%d of %d calls were refused for want of the token", refused, len(calls))
	}
}

// TestNoAddressAnswersToANameOfSomebodyElse: DNS may point any name here, and pages of that name would be of one origin with the console. That holds for what needs
// no session, too.
func TestNoAddressAnswersToANameOfSomebodyElse(t *testing.T) {
	p := serve(t)
	admin := p.visitor(t, page.Admin)
	all := p.con.Routes()
	for _, path := range []string{"/-/healthz", "/-/readyz", "/metrics", "/login", "/login/login.js", "/login/oidc", "/login/back", page.Asset("scrim.css"), "/nothing", "/api/v1/nothing"} {
		all = append(all, page.Route{Method: "GET", Path: path})
	}
	all = append(all, page.Route{Method: "POST", Path: "/login"}, page.Route{Method: "POST", Path: "/logout"}, page.Route{Method: "POST", Path: "/-/reload"})
	for _, o := range api.Operations() {
		all = append(all, page.Route{Method: o.Method, Path: "/api/v1" + o.Path})
	}
	at := p.URL[strings.LastIndex(p.URL, ":"):]
	for _, r := range all {
		for _, name := range []string{"rebound.example" + at, "127.0.0.1.rebound.example" + at, "localhost.rebound.example"} {
			head := []string{"Host", name, "Content-Type", formType, "Origin", "http://" + name, "Authorization", "Bearer " + p.token.Expose()}
			if status, _, _ := admin.send(r.Method, plainPath(r), "form_token="+admin.form, head...); status != http.StatusForbidden {
				t.Errorf("%s %s answers to %s with status %d", r.Method, r.Path, name, status)
			}
		}
	}
	if done := p.recorded(); len(done) != 0 {
		t.Errorf("on record as done: %v", done)
	}
}
