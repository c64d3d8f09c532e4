package session_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/console/session"
)

// untouched is a body that must not be read.
type untouched struct{ read int }

func (u *untouched) Read(b []byte) (int, error) {
	u.read += len(b)
	return 0, io.EOF
}

// TestABodyThatNobodyAskedForIsNotRead: a stranger who looks at the page of the login may send a body of any length, which a form of several parts would put into memory and onto the disk.
func TestABodyThatNobodyAskedForIsNotRead(t *testing.T) {
	h, _ := at(t)
	guard := h.door.Guard(http.NotFoundHandler())
	for _, path := range []string{"/login", "/login?to=/budgets", "/login/oidc", "/login/oidc?to=/budgets", "/login/back?state=x&code=y"} {
		body := &untouched{}
		r := httptest.NewRequest("GET", h.URL+path, body)
		r.Header.Set("Content-Type", "multipart/form-data; boundary=part")
		w := httptest.NewRecorder()
		guard.ServeHTTP(w, r)
		if body.read > 0 {
			t.Errorf("GET %s reads its body (status %d)", path, w.Code)
		}
	}
}

// TestOnePersonDoesNotTakeAllSessions: whoever logs in again and again ends their own sessions, the idlest first, and nobody else's.
func TestOnePersonDoesNotTakeAllSessions(t *testing.T) {
	h, p := at(t)
	bob := h.browser()
	bob.come(p, "u-bob", []string{"staff"})
	byLink := h.browser()
	byLink.enter(h.code(page.Admin))
	var ann []*browser
	for range 20 {
		h.later(time.Second)
		b := h.browser()
		if status := b.come(p, "u-ann", []string{"staff"}); status != http.StatusOK {
			t.Fatalf("login %d: status %d", len(ann), status)
		}
		ann = append(ann, b)
		if len(ann) > 1 {
			ann[0].who() // the first stays in use
		}
		if len(ann) == 2 { // and the second has a page open that lives
			res, err := b.Get(h.URL + "/stay")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
		}
	}
	own := 0
	for _, s := range h.door.Sessions() {
		if s.Who == "ann" {
			own++
		}
	}
	if own != 16 {
		t.Errorf("one person has %d sessions, want 16", own)
	}
	for name, b := range map[string]*browser{"the first, in use": ann[0], "the second, with a live page": ann[1], "the newest": ann[19], "somebody else's": bob, "one by link": byLink} {
		if strings.HasPrefix(b.who(), " is none") {
			t.Errorf("the session %s ended", name)
		}
	}
	if !strings.HasPrefix(ann[2].who(), " is none") {
		t.Error("the idlest session goes on")
	}
	h.later(time.Second)
	if status := ann[19].come(p, "u-ann", []string{"staff"}); status != http.StatusOK { // again in the same browser: its own session alone is replaced
		t.Fatalf("again: status %d", status)
	}
	if own := len(h.door.Sessions()); own != 18 { // 16, and those of the others
		t.Errorf("%d sessions are open after a second login in one browser, want 18", own)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if last := h.acts[len(h.acts)-2].Reason; !strings.Contains(last, ", in place of their session ") {
		t.Errorf("on record is %q, want that another session ended", last)
	}
	if last := h.acts[len(h.acts)-1].Reason; strings.Contains(last, ", in place of") {
		t.Errorf("on record is %q, want that none did", last)
	}
}

// TestWhateverIsInAuthorizationTakesThePlaceOfTheCookie: the check of where a form was sent from is passed over for callers by token, so that a header which is none must not let a cookie count.
func TestWhateverIsInAuthorizationTakesThePlaceOfTheCookie(t *testing.T) {
	h := open(t)
	b := h.browser()
	b.enter(h.code(page.Admin))
	for _, header := range []string{"x", "Bearer", "Bearer " + token + "x", "Basic eDp5", "bearer  " + token} {
		if _, text, _ := b.do("GET", "/", nil, "Authorization", header); !strings.HasPrefix(text, " is none") {
			t.Errorf("with the header %q the cookie counts", header)
		}
		b.do("POST", "/change", url.Values{}, "Authorization", header, "Origin", "https://evil.example")
	}
	h.mu.Lock()
	did := slices.Clone(h.did)
	h.mu.Unlock()
	if slices.ContainsFunc(did, func(who string) bool { return who != "" }) {
		t.Errorf("forms of another site changed something as %q", did)
	}
	if who := b.who(); !strings.Contains(who, "admin") {
		t.Errorf("without one the page says %q", who)
	}
}

// TestTheWayInSpendsNothingByLooking: HEAD and GET, with and without a code, and methods that are none, leave a link as it is.
func TestTheWayInSpendsNothingByLooking(t *testing.T) {
	h := open(t)
	code := h.code(page.Viewer)
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		for _, path := range []string{session.Path, session.Path + "?code=" + code, session.Path + "/" + code} {
			_, _, head := h.browser().do(method, path, url.Values{"code": {code}})
			if head.Get("Set-Cookie") != "" {
				t.Errorf("%s %s lets somebody in", method, path)
			}
		}
	}
	if status := h.browser().enter(code); status != http.StatusSeeOther {
		t.Errorf("the link was spent by looking: status %d", status)
	}
}
