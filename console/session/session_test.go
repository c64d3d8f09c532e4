package session_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/console/session"
	"github.com/scrimhq/scrim/flow"
)

const token = "the-token-of-the-data-directory-which-nobody-else-has"

// house is a console with one page, /, that names who looks, and one action, /change.
type house struct {
	*httptest.Server
	t     *testing.T
	door  *session.Door
	now   atomic.Pointer[time.Time]
	login atomic.Pointer[session.Login]
	lost  atomic.Bool // nothing can be put on record

	mu   sync.Mutex // guards the fields below
	acts []session.Act
	did  []string
	kept chan struct{} // closed when a request to /stay was cut
}

func open(t *testing.T, with ...func(*session.Options)) *house {
	t.Helper()
	h := &house{t: t, kept: make(chan struct{})}
	start := time.Now()
	h.now.Store(&start)
	var behind http.Handler
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { behind.ServeHTTP(w, r) }))
	t.Cleanup(h.Close)
	opt := session.Options{
		Domain: "hospital", Token: flow.NewSecret(token), Listen: strings.TrimPrefix(h.URL, "http://"),
		Clock: func() time.Time { return *h.now.Load() }, Login: h.login.Load,
		Record: func(_ context.Context, a session.Act) error {
			if h.lost.Load() {
				return errors.New("the disk is full")
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.acts = append(h.acts, a)
			return nil
		},
	}
	for _, f := range with {
		f(&opt)
	}
	h.door = session.New(opt)
	frame := page.New(page.Options{Domain: "hospital", Version: "1", Login: session.Path, Identify: h.door.Identify, Record: func(context.Context, page.Act) error { return nil }})
	h.door.Add(frame)
	behind = h.door.Guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := h.door.Identify(r)
		switch r.URL.Path {
		case "/":
			_, _ = io.WriteString(w, who.Name+" is "+who.Role.String()+" approver "+who.Approver+" form "+who.Form.Expose())
		case "/change":
			h.mu.Lock()
			h.did = append(h.did, who.Name)
			h.mu.Unlock()
		case "/stay":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(h.kept)
		default:
			frame.ServeHTTP(w, r)
		}
	}))
	return h
}

func (h *house) later(d time.Duration) {
	next := h.now.Load().Add(d)
	h.now.Store(&next)
}

func (h *house) code(role page.Role) string {
	h.t.Helper()
	l, err := h.door.Link(context.Background(), role, session.Operator)
	if err != nil {
		h.t.Fatal(err)
	}
	return l.Code.Expose()
}

// browser has cookies of its own and says where its requests come from, as browsers do.
type browser struct {
	h *house
	*http.Client
}

func (h *house) browser() *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{h, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (b *browser) do(method, path string, form url.Values, head ...string) (int, string, http.Header) {
	b.h.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	at := path
	if !strings.HasPrefix(path, "http") {
		at = b.h.URL + path
	}
	req, err := http.NewRequest(method, at, body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.h.URL)
	}
	for i := 0; i+1 < len(head); i += 2 {
		if head[i] == "Host" {
			req.Host = head[i+1]
		}
		req.Header.Set(head[i], head[i+1])
		if head[i+1] == "" {
			req.Header.Del(head[i])
		}
	}
	res, err := b.Do(req)
	if err != nil {
		b.h.t.Fatal(err)
	}
	defer res.Body.Close()
	got, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(got), res.Header
}

func (b *browser) enter(code string, head ...string) int {
	b.h.t.Helper()
	status, _, _ := b.do("POST", "/login", url.Values{"code": {code}}, head...)
	return status
}

// who is what the first page says of whoever looks.
func (b *browser) who() string {
	b.h.t.Helper()
	_, text, _ := b.do("GET", "/", nil)
	return text
}

var someone = regexp.MustCompile(`^(link-[a-z2-7]{10}) is (\w+) `)

func TestLoginByLink(t *testing.T) {
	for _, role := range []page.Role{page.Viewer, page.Steward, page.Approver, page.Admin} {
		h := open(t)
		b := h.browser()
		code := h.code(role)
		// Whatever fetches a link ahead spends nothing: not its page, not its address with the code in it.
		for _, path := range []string{"/login", "/login?code=" + code, "/login/" + code} {
			_, _, _ = b.do("GET", path, nil)
		}
		if status := b.enter(code); status != http.StatusSeeOther {
			t.Fatalf("%s: status %d, want 303", role, status)
		}
		m := someone.FindStringSubmatch(b.who())
		if m == nil || m[2] != role.String() {
			t.Fatalf("%s: the page says %q", role, b.who())
		}
		if status, _, _ := b.do("POST", "/logout", url.Values{}); status != http.StatusSeeOther {
			t.Errorf("logout: status %d", status)
		}
		if got := b.who(); !strings.HasPrefix(got, " is none") {
			t.Errorf("after the logout the page says %q", got)
		}
		var methods []string
		for _, a := range h.acts {
			methods = append(methods, a.Method)
			if strings.Contains(a.Reason, code) {
				t.Error("the code is on record")
			}
		}
		if !slices.Equal(methods, []string{"console-link", "console-login", "console-logout"}) {
			t.Errorf("on record are %v", methods)
		}
	}
}

func TestALinkWorksOnce(t *testing.T) {
	h := open(t)
	code := h.code(page.Admin)
	if status := h.browser().enter(code); status != http.StatusSeeOther {
		t.Fatalf("first: status %d", status)
	}
	late := h.browser()
	if status := late.enter(code); status != http.StatusForbidden {
		t.Errorf("replayed: status %d, want 403", status)
	}
	if got := late.who(); !strings.HasPrefix(got, " is none") {
		t.Errorf("by a replayed link the page says %q", got)
	}
}

func TestOfManyWhoUseALinkOneComesIn(t *testing.T) {
	h := open(t)
	code := h.code(page.Admin)
	var in atomic.Int32
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if h.browser().enter(code) == http.StatusSeeOther {
				in.Add(1)
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 || len(h.door.Sessions()) != 1 {
		t.Errorf("%d came in and %d are, want one", in.Load(), len(h.door.Sessions()))
	}
}

func TestLinksOfYesterdayAndOfAnotherGatewayAreRefused(t *testing.T) {
	h := open(t)
	old := h.code(page.Admin)
	h.later(10 * time.Minute)
	if status := h.browser().enter(old); status != http.StatusForbidden {
		t.Errorf("too old: status %d, want 403", status)
	}
	// A gateway that was started again knows neither links nor sessions of before.
	code := h.code(page.Admin)
	before := h.browser()
	before.enter(h.code(page.Admin))
	again := open(t)
	if status := again.browser().enter(code); status != http.StatusForbidden {
		t.Errorf("of a gateway that is gone: status %d, want 403", status)
	}
	for _, bad := range []string{"", " ", strings.Repeat("A", 52), strings.Repeat("x", 7000)} {
		if status := again.browser().enter(bad); status != http.StatusForbidden {
			t.Errorf("%.10q: status %d, want 403", bad, status)
		}
	}
	here, _ := url.Parse(h.URL)
	there, _ := url.Parse(again.URL)
	b := again.browser()
	b.Jar.SetCookies(there, before.Jar.Cookies(here))
	if got := b.who(); !strings.HasPrefix(got, " is none") {
		t.Errorf("with a session of another gateway the page says %q", got)
	}
}

func TestACodeInAnAddressIsNotTaken(t *testing.T) {
	h := open(t)
	code := h.code(page.Admin)
	b := h.browser()
	if status, _, _ := b.do("POST", "/login?code="+code, url.Values{}); status != http.StatusBadRequest {
		t.Errorf("in the query: status %d, want 400", status)
	}
	if status, _, _ := b.do("POST", "/login?code="+code, url.Values{"code": {code}}); status != http.StatusBadRequest {
		t.Errorf("in both: status %d, want 400", status)
	}
	b.enter(h.code(page.Viewer))
	u, _ := url.Parse(h.URL)
	secret := b.Jar.Cookies(u)[0]
	stranger := h.browser()
	for _, path := range []string{"/?" + secret.Name + "=" + secret.Value, "/?token=" + token, "/?access_token=" + token} {
		if _, text, _ := stranger.do("GET", path, nil); !strings.HasPrefix(text, " is none") {
			t.Errorf("a secret in the address was taken")
		}
	}
}

func TestASessionIsNotFixed(t *testing.T) {
	h := open(t)
	b := h.browser()
	u, _ := url.Parse(h.URL)
	b.enter(h.code(page.Viewer))
	planted := b.Jar.Cookies(u)[0]
	// An attacker plants their own session's cookie in somebody's browser, who then logs in.
	victim := h.browser()
	victim.Jar.SetCookies(u, []*http.Cookie{{Name: planted.Name, Value: planted.Value, Path: "/"}})
	if status := victim.enter(h.code(page.Admin)); status != http.StatusSeeOther {
		t.Fatalf("status %d", status)
	}
	if fresh := victim.Jar.Cookies(u)[0]; fresh.Value == planted.Value {
		t.Error("the session kept the planted secret")
	}
	if got := b.who(); !strings.HasPrefix(got, " is none") {
		t.Errorf("whoever planted it sees %q", got)
	}
	if !strings.Contains(victim.who(), "admin") {
		t.Errorf("the page says %q", victim.who())
	}
	// Of two cookies of one name none counts: one of them was planted.
	real := victim.Jar.Cookies(u)[0]
	req, _ := http.NewRequest("GET", h.URL+"/", nil)
	req.Header.Set("Cookie", real.Name+"="+planted.Value+"; "+real.Name+"="+real.Value)
	if who := h.door.Identify(req); who.Role != page.None {
		t.Errorf("of two cookies one was believed: %+v", who)
	}
}

func TestOtherPagesChangeNothing(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.enter(h.code(page.Admin))
	code := h.code(page.Viewer)
	port := h.URL[strings.LastIndex(h.URL, ":"):]
	for name, head := range map[string][]string{
		"another site":           {"Origin", "https://evil.example"},
		"another port":           {"Origin", "http://127.0.0.1:1"},
		"another name":           {"Origin", "http://evil.example" + port},
		"no name":                {"Origin", "null"},
		"an old browser":         {"Origin", ""},
		"a page of the site":     {"Origin", "", "Sec-Fetch-Site", "same-site"},
		"another site's form":    {"Origin", "", "Sec-Fetch-Site", "cross-site"},
		"a scheme that is none":  {"Origin", "file://" + strings.TrimPrefix(h.URL, "http://")},
		"this very host, by dns": {"Host", "evil.example" + port, "Origin", "http://evil.example" + port},
	} {
		if status, _, _ := b.do("POST", "/change", url.Values{}, head...); status != http.StatusForbidden {
			t.Errorf("%s: a change has status %d, want 403", name, status)
		}
		// A login that somebody else's page begins would have a person work in somebody else's session.
		if status := h.browser().enter(code, head...); status != http.StatusForbidden {
			t.Errorf("%s: a login has status %d, want 403", name, status)
		}
	}
	if len(h.did) != 0 {
		t.Errorf("%v changed something", h.did)
	}
	if status, _, _ := b.do("POST", "/change", url.Values{}, "Origin", "", "Sec-Fetch-Site", "same-origin"); status != http.StatusOK {
		t.Errorf("an own form: status %d", status)
	}
	if status := h.browser().enter(code); status != http.StatusSeeOther {
		t.Errorf("the link was spent by others: status %d", status)
	}
}

func TestNamesThatDNSCouldPointHereSeeNothing(t *testing.T) {
	h := open(t, func(o *session.Options) { o.Public = func() string { return "http://console.localhost" } })
	b := h.browser()
	b.enter(h.code(page.Admin))
	port := h.URL[strings.LastIndex(h.URL, ":"):]
	for host, want := range map[string]int{
		"evil.example" + port: http.StatusForbidden, "127.0.0.1.evil.example" + port: http.StatusForbidden, "localhost.evil.example": http.StatusForbidden,
		"127.0.0.1" + port: http.StatusOK, "localhost" + port: http.StatusOK, "[::1]" + port: http.StatusOK, "console.localhost": http.StatusOK, "CONSOLE.localhost": http.StatusOK,
	} {
		if status, _, _ := b.do("GET", "/", nil, "Host", host); status != want {
			t.Errorf("%s: status %d, want %d", host, status, want)
		}
	}
}

// Whoever follows a link on another page comes with no cookie, and is led to the same address once more.
func TestALinkElsewhereLeadsIn(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.enter(h.code(page.Viewer))
	status, text, _ := b.do("GET", "/flows/1?a=b", nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	if status != http.StatusOK || !strings.Contains(text, `content="0; url=/flows/1?a=b"`) || strings.Contains(text, "viewer") {
		t.Errorf("status %d, %s", status, text)
	}
	for _, dest := range []string{"iframe", "script", "image", "empty"} {
		if status, _, _ := b.do("GET", "/", nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", dest); status != http.StatusForbidden {
			t.Errorf("as %s: status %d, want 403", dest, status)
		}
	}
	if status, text, _ := b.do("GET", "/login", nil, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"); status != http.StatusOK || !strings.Contains(text, `name="code"`) {
		t.Errorf("a one-time link in a mail: status %d", status) // its fragment would be lost on the way
	}
	for _, to := range []string{"//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/login?to=/login", "/\t/evil.example", "/%2Fevil.example/|", "/%2fevil.example/\u00e9"} {
		if _, _, head := h.browser().do("POST", "/login", url.Values{"code": {h.code(page.Viewer)}, "to": {to}}); head.Get("Location") != "/" {
			t.Errorf("to %q: led to %q", to, head.Get("Location"))
		}
	}
}

func TestCookies(t *testing.T) {
	for name, c := range map[string]struct {
		with   func(*session.Options)
		secure bool
	}{
		"on loopback":    {func(*session.Options) {}, false},
		"with TLS":       {func(o *session.Options) { o.TLS = true }, true},
		"behind a proxy": {func(o *session.Options) { o.Public = func() string { return "https://console.example.org" } }, true},
	} {
		h := open(t, c.with)
		_, _, head := h.browser().do("POST", "/login", url.Values{"code": {h.code(page.Admin)}}, "Sec-Fetch-Site", "same-origin", "Origin", "")
		all := head.Values("Set-Cookie")
		if len(all) != 1 {
			t.Fatalf("%s: %d cookies are set", name, len(all))
		}
		for _, want := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
			if !strings.Contains(all[0], want) {
				t.Errorf("%s: %s is missing", name, want)
			}
		}
		if strings.Contains(all[0], "; Secure") != c.secure || strings.HasPrefix(all[0], "__Host-") != c.secure || strings.Contains(all[0], "Domain=") || strings.Contains(all[0], "Max-Age") {
			t.Errorf("%s: the cookie is %s", name, strings.Split(all[0], "=")[0])
		}
	}
	// Browsers send a cookie to every port of a machine, so that gateways beside each other have different ones.
	one, other := open(t), open(t)
	b := one.browser()
	b.enter(one.code(page.Viewer))
	u, _ := url.Parse(other.URL)
	c := other.browser()
	c.enter(other.code(page.Viewer))
	mine, _ := url.Parse(one.URL)
	if b.Jar.Cookies(mine)[0].Name == c.Jar.Cookies(u)[0].Name {
		t.Error("two gateways have cookies of one name")
	}
}

func TestSessionsEnd(t *testing.T) {
	h := open(t)
	idle := h.browser()
	idle.enter(h.code(page.Viewer))
	h.later(29 * time.Minute)
	if !strings.Contains(idle.who(), "viewer") {
		t.Error("a session ended before its time")
	}
	h.later(30 * time.Minute)
	if !strings.HasPrefix(idle.who(), " is none") {
		t.Error("an idle session goes on")
	}
	busy := h.browser()
	busy.enter(h.code(page.Viewer))
	for range 24 * 12 / 6 { // every quarter of an hour, for twelve hours
		busy.who()
		h.later(15 * time.Minute)
	}
	if !strings.HasPrefix(busy.who(), " is none") {
		t.Error("a session lives longer than it may")
	}
	if n := len(h.door.Sessions()); n != 0 {
		t.Errorf("%d sessions are listed", n)
	}
}

func TestAnAdminEndsASessionAndWhatItHasOpen(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.enter(h.code(page.Approver))
	res, err := b.Get(h.URL + "/stay")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	h.later(2 * time.Hour) // an open page keeps a session from being idle
	list := h.door.Sessions()
	if len(list) != 1 || list[0].Role != page.Approver || list[0].How != session.ByLink {
		t.Fatalf("listed are %+v", list)
	}
	if err := h.door.End(context.Background(), list[0].ID, "ann"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-h.kept:
	case <-time.After(time.Minute):
		t.Error("what it had open goes on")
	}
	if !strings.HasPrefix(b.who(), " is none") {
		t.Error("the session goes on")
	}
	if err := h.door.End(context.Background(), list[0].ID, "ann"); !errors.Is(err, session.ErrSession) {
		t.Errorf("again: %v", err)
	}
	if last := h.acts[len(h.acts)-1]; last.Method != "console-end" || last.Who != "ann" || !strings.Contains(last.Reason, list[0].Who) {
		t.Errorf("on record is %+v", last)
	}
}

// No record, no link and no session.
func TestWhatCannotBePutOnRecordDoesNotHappen(t *testing.T) {
	h := open(t)
	code := h.code(page.Admin)
	h.lost.Store(true)
	if _, err := h.door.Link(context.Background(), page.Admin, session.Operator); !errors.Is(err, session.ErrRecord) {
		t.Errorf("a link: %v, want ErrRecord", err)
	}
	b := h.browser()
	if status, text, head := b.do("POST", "/login", url.Values{"code": {code}}); status != http.StatusServiceUnavailable || head.Get("Set-Cookie") != "" || strings.Contains(text, "disk") {
		t.Errorf("a login: status %d", status)
	}
	if len(h.door.Sessions()) != 0 {
		t.Error("somebody is logged in")
	}
	h.lost.Store(false)
	if status := b.enter(code); status != http.StatusForbidden {
		t.Errorf("the link works again: status %d", status) // it was shown, and may have been seen
	}
}

func TestTheTokenIsTheOperators(t *testing.T) {
	h := open(t)
	b := h.browser()
	if _, text, _ := b.do("GET", "/", nil, "Authorization", "Bearer "+token); !strings.HasPrefix(text, "operator is admin") {
		t.Errorf("the page says %q", text)
	}
	b.enter(h.code(page.Admin))
	// A wrong token is not made good by a cookie.
	if _, text, _ := b.do("GET", "/", nil, "Authorization", "Bearer "+token[1:]); !strings.HasPrefix(text, " is none") {
		t.Errorf("the page says %q", text)
	}
	if status, _, _ := b.do("POST", "/change", url.Values{}, "Authorization", "Bearer "+token, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("the token from a page elsewhere: status %d", status)
	}
}

func TestSessionsArePages(t *testing.T) {
	h := open(t)
	for _, role := range []page.Role{page.Viewer, page.Steward, page.Approver} {
		b := h.browser()
		b.enter(h.code(role))
		if status, _, _ := b.do("GET", "/sessions", nil); status != http.StatusForbidden {
			t.Errorf("%s looks at sessions: status %d", role, status)
		}
	}
	b := h.browser()
	b.enter(h.code(page.Admin))
	status, text, _ := b.do("GET", "/sessions", nil)
	if status != http.StatusOK || strings.Count(text, "/end\"") != 4 {
		t.Fatalf("status %d, %d sessions", status, strings.Count(text, "/end\""))
	}
	form := regexp.MustCompile(`name="form_token" value="([^"]+)"`).FindStringSubmatch(text)
	_, text, _ = b.do("POST", "/sessions/link", url.Values{"role": {"viewer"}, "form_token": {form[1]}})
	link := regexp.MustCompile(`/login#([A-Z2-7]{52})`).FindStringSubmatch(text)
	if link == nil {
		t.Fatalf("no link is shown: %s", text)
	}
	guest := h.browser()
	guest.enter(link[1])
	if m := someone.FindStringSubmatch(guest.who()); m == nil || m[2] != "viewer" {
		t.Errorf("the page says %q", guest.who())
	}
	if status, _, _ := guest.do("POST", "/sessions/link", url.Values{"role": {"admin"}, "form_token": {form[1]}}); status != http.StatusForbidden {
		t.Errorf("a viewer makes a link: status %d", status)
	}
}

// A gateway that goes away does not wait for a page that stays open.
func TestAGatewayThatGoesAwayEndsEverySession(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.enter(h.code(page.Viewer))
	res, err := b.Get(h.URL + "/stay")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	h.door.Close()
	select {
	case <-h.kept:
	case <-time.After(time.Minute):
		t.Error("an open page goes on")
	}
	if !strings.HasPrefix(b.who(), " is none") {
		t.Error("the session goes on")
	}
}
