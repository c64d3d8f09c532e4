package browsertest_test

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/internal/browsertest"
)

// heard is a test that remembers what failed.
type heard struct {
	testing.TB
	errors []string
}

func (h *heard) Helper()                           {}
func (h *heard) Errorf(format string, args ...any) { h.errors = append(h.errors, format) }

// TestWhatIsWrongIsSeen shows the harness a page that has every mistake.
func TestWhatIsWrongIsSeen(t *testing.T) {
	const secret = "Eleanor-Planted-Vance-1957"
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/bad":
			w.Header().Set("Content-Security-Policy", "default-src 'self'")
			_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>bad</title><h1>Bad</h1><input><p style="color:#bbb">pale</p><div data-x="` + secret + `"></div><pre>` + strings.Repeat("wide", 200) + `</pre><button tabindex="-1">No</button><button style="outline:none">Unseen</button><script>alert(1)</script><script src="/s.js"></script>`))
		case "/s.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write([]byte(`console.warn("a message"); document.querySelector("p").style.color = "#bbb"`))
		default:
			_, _ = w.Write([]byte(`<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>good</title><h1>Good</h1><label>Name <input></label><button>Press me</button>`))
		}
	}))
	t.Cleanup(srv.Close)
	h := &heard{TB: t}
	b := browsertest.Open(h, browsertest.Options{Base: srv.URL, Planted: []string{secret}})
	b.Go("/")
	b.Type("Name", "x")
	b.Look("good")
	b.Quiet()
	if got := b.Focus(2); len(got) != 2 || got[1] != "Press me" {
		t.Errorf("the focus goes %q", got)
	}
	if len(h.errors) > 0 {
		t.Errorf("of a good page it says %q", h.errors)
	}
	b = browsertest.Open(h, browsertest.Options{Base: srv.URL, Planted: []string{secret}, Patience: 2 * time.Second}) // it waits in vain
	b.Go("/bad")
	b.Look("bad")
	b.Quiet()
	all := strings.Join(h.errors, "\n")
	for _, want := range []string{"without a name", "too little contrast", "wider than the screen", "out of the order", "the focus", "planted value", "the browser says"} {
		if !strings.Contains(all, want) {
			t.Errorf("it does not see: %s", want)
		}
	}
}

func TestTheProgramHasNoBrowser(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "../../cmd/scrim", "../../cmd/scrim-verify").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "chromedp") || strings.Contains(string(out), "browsertest") {
		t.Error("the program has a browser's driver in it")
	}
}
