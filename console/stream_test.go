package console_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console"
	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/live"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/console/session"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/observe/activity"
)

// TestALiveStreamEndsWithItsSession: a page that stays open tells of nothing any more once whoever opened it has logged out or is told to go, or the gateway goes,
// and its address opens for nobody without a session.
func TestALiveStreamEndsWithItsSession(t *testing.T) {
	ring := activity.NewRing(activity.RingOptions{Frame: time.Millisecond, Viewers: 1}) // each stream takes the place that the one before it gave back
	var con *console.Console
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { con.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	listen := strings.TrimPrefix(srv.URL, "http://")
	token := flow.NewSecret("token-of-the-operator-0123456789abcdef")
	con = console.New(console.Options{
		API:   api.Options{Listen: listen},
		Frame: page.Options{Domain: "home", Version: "test", Record: func(context.Context, page.Act) error { return nil }},
		Session: session.Options{
			Domain: "home", Token: token, Listen: listen, Record: func(context.Context, session.Act) error { return nil },
		},
		Live: live.Options{Domain: "home", Ring: ring},
	})
	post := func(b *http.Client, path, body string, head ...string) {
		t.Helper()
		req, _ := http.NewRequestWithContext(t.Context(), "POST", srv.URL+path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", srv.URL)
		for i := 0; i+1 < len(head); i += 2 {
			req.Header.Set(head[i], head[i+1])
		}
		res, err := b.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode >= http.StatusBadRequest {
			t.Fatalf("%s = %s", path, res.Status)
		}
	}
	for name, end := range map[string]func(b *http.Client){
		"logged out": func(b *http.Client) { post(b, session.PathLogout, "") },
		"told to go": func(*http.Client) {
			res := ask(t, srv.URL+"/api/v1/sessions", token)
			_, rest, _ := strings.Cut(res, `"id":`)
			id := strings.Split(rest, `"`)[1]
			post(http.DefaultClient, "/api/v1/sessions/"+id+"/end", "{}", "Authorization", "Bearer "+token.Expose(), "Content-Type", "application/json")
		},
		"the gateway goes": func(*http.Client) { con.Leave() },
	} {
		jar, _ := cookiejar.New(nil)
		b := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		link, err := con.Link(t.Context(), page.Viewer)
		if err != nil {
			t.Fatal(err)
		}
		_, code, _ := strings.Cut(link, "#")
		post(b, session.Path, url.Values{"code": {code}}.Encode())
		lines, gone := follow(t, b, srv.URL+"/live/events")
		ring.Add(flow.Event{Time: time.Now(), Outcome: flow.Released, Flow: flow.Flow{ID: "seen-while-logged-in-kzrqwv"}}, true)
		if !lines("seen-while-logged-in-kzrqwv") {
			t.Fatalf("%s: the stream tells nothing before", name)
		}
		end(b)
		select {
		case <-gone:
		case <-time.After(time.Minute):
			t.Fatalf("%s: the stream goes on", name)
		}
		ring.Add(flow.Event{Time: time.Now(), Outcome: flow.Released, Flow: flow.Flow{ID: "after-it-was-over-pxhjtm"}}, true)
		if lines("after-it-was-over-pxhjtm") {
			t.Errorf("%s: the stream tells what came after", name)
		}
		res, err := b.Get(srv.URL + "/live/events")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode == http.StatusOK {
			t.Errorf("%s: the stream opens again without a session", name)
		}
	}
}

func ask(t *testing.T, address string, token flow.Secret) string {
	t.Helper()
	req, _ := http.NewRequestWithContext(t.Context(), "GET", address, nil)
	req.Header.Set("Authorization", "Bearer "+token.Expose())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if res.StatusCode != http.StatusOK || !strings.Contains(string(text), `"id":`) {
		t.Fatalf("%s = %s, %d bytes", address, res.Status, len(text))
	}
	return string(text)
}

// follow opens a stream. It returns what looks for a text in the lines that come, until there are none any more, and what is closed at the end.
func follow(t *testing.T, b *http.Client, address string) (until func(text string) bool, gone <-chan struct{}) {
	t.Helper()
	res, err := b.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s = %s", address, res.Status)
	}
	all, ended := make(chan string, 1000), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(all)
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			all <- lines.Text()
		}
	}()
	return func(text string) bool {
		for line := range all {
			if strings.Contains(line, text) {
				return true
			}
		}
		return false
	}, ended
}
