package remote_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/detect/remote"
)

// serve is a service made of a function of the request's body.
func serve(t *testing.T, answer func(body map[string]any) string) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Method != http.MethodPost {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, answer(body))
	}))
	t.Cleanup(s.Close)
	return s
}

func client(t *testing.T, opt remote.Options) *remote.Client {
	t.Helper()
	c, err := remote.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const text = "Zoë 🎈 met Björn, born 1980"

func TestScrimFormCountsCodePoints(t *testing.T) {
	s := serve(t, func(body map[string]any) string {
		if len(body["texts"].([]any)) != 2 || body["texts"].([]any)[1] != text {
			return `{}`
		}
		return `{"findings":[[],[{"start":10,"end":15,"type":"person","label":"person/name","score":0.8,"by":"x"},
			{"start":0,"end":3,"type":"nick","label":"person/zodiac","score":0.7},{"start":4,"end":5,"type":"balloon","label":"person/name","score":0.9},
			{"start":22,"end":26,"type":"year","label":"person/age","score":0.2}]]}`
	})
	c := client(t, remote.Options{URL: s.URL, MinScore: 0.5, Types: map[string]flow.Label{"balloon": remote.Ignored}})
	got, err := c.FindAll(t.Context(), []string{"nothing", text})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, f := range got[1] {
		said = append(said, text[f.Start:f.End]+" "+string(f.Label))
	}
	if s := strings.Join(said, ", "); s != "Björn person/name, Zoë unlabelled" || len(got[0]) != 0 {
		t.Errorf("found %s", s)
	}
}

func TestPresidioForm(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		if r.URL.Path != "/v1/analyze" || body["language"] != "de" || body["text"] != text || r.Header.Get("X-Key") != "open sesame" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, `[{"analysis_explanation":null,"end":15,"entity_type":"PERSON","score":0.85,"start":10,"recognition_metadata":{}},{"start":22,"end":26,"entity_type":"SHOE_SIZE","score":1}]`)
	}))
	defer s.Close()
	c := client(t, remote.Options{URL: s.URL + "/v1", Kind: remote.Presidio, Language: "de", Header: "X-Key", Credential: flow.NewSecret("open sesame")})
	got, err := c.Find(t.Context(), text, nil)
	if err != nil || len(got) != 2 || text[got[0].Start:got[0].End] != "Björn" || got[0].Label != "person/name" || got[1].Label != flow.Unlabelled || got[1].Type != "SHOE_SIZE" {
		t.Errorf("Find() = %v, %v", got, err)
	}
}

func TestEveryAnswerIsAFindingOrAnError(t *testing.T) {
	one := func(finding string) string { return `{"findings":[[` + finding + `]]}` }
	for name, answer := range map[string]string{
		"nothing":           "",
		"no JSON":           "Zoë is here",
		"null":              "null",
		"no findings":       "{}",
		"too few":           `{"findings":[]}`,
		"too many":          `{"findings":[[],[]]}`,
		"no start":          one(`{"end":3,"type":"a","label":"person/name","score":1}`),
		"no score":          one(`{"start":0,"end":3,"type":"a","label":"person/name"}`),
		"no type":           one(`{"start":0,"end":3,"label":"person/name","score":1}`),
		"a text as type":    one(`{"start":0,"end":3,"type":"Zoë here","label":"person/name","score":1}`),
		"a negative start":  one(`{"start":-1,"end":3,"type":"a","label":"person/name","score":1}`),
		"an end far beyond": one(`{"start":0,"end":28,"type":"a","label":"person/name","score":1}`),
		"end before start":  one(`{"start":3,"end":2,"type":"a","label":"person/name","score":1}`),
		"a huge end":        one(`{"start":0,"end":99999999999999999999,"type":"a","label":"person/name","score":1}`),
		"half a place":      one(`{"start":0.5,"end":3,"type":"a","label":"person/name","score":1}`),
		"a score of 2":      one(`{"start":0,"end":3,"type":"a","label":"person/name","score":2}`),
		"a score below 0":   one(`{"start":0,"end":3,"type":"a","label":"person/name","score":-1}`),
		"one good one bad":  one(`{"start":0,"end":3,"type":"a","label":"person/name","score":1},{"start":0,"end":0,"type":"a","label":"person/name","score":1}`),
		"too large":         `{"findings":[[]],"x":"` + strings.Repeat("x", 1<<16) + `"}`,
		"more than one":     `{"findings":[[]]}{"findings":[[]]}`,
	} {
		s := serve(t, func(map[string]any) string { return answer })
		got, err := client(t, remote.Options{URL: s.URL, Answer: 1 << 15}).Find(t.Context(), text, nil)
		if !errors.Is(err, remote.ErrAnswer) || got != nil || strings.Contains(err.Error(), "Zo") {
			t.Errorf("%s: Find() = %v, %v, want ErrAnswer that quotes nothing", name, got, err)
		}
	}
	s := serve(t, func(map[string]any) string { return "null" })
	if _, err := client(t, remote.Options{URL: s.URL, Kind: remote.Presidio}).Find(t.Context(), text, nil); !errors.Is(err, remote.ErrAnswer) {
		t.Errorf("null from Presidio: %v, want ErrAnswer", err)
	}
}

func TestNothingIsPublicByAnAnswer(t *testing.T) {
	s := serve(t, func(map[string]any) string {
		return `{"findings":[[{"start":0,"end":3,"type":"a","label":"public","score":1},{"start":4,"end":5,"type":"a","label":"text/free","score":1}]]}`
	})
	got, err := client(t, remote.Options{URL: s.URL}).Find(t.Context(), text, nil)
	if err != nil || len(got) != 2 || got[0].Label != flow.Unlabelled || got[1].Label != flow.Unlabelled {
		t.Errorf("Find() = %v, %v, want unlabelled findings", got, err)
	}
	if _, err := remote.New(remote.Options{URL: s.URL, Types: map[string]flow.Label{"a": flow.PublicData}}); err == nil {
		t.Error("a type may be mapped to public")
	}
}

func TestTextsGoToTheServiceAlone(t *testing.T) {
	var asked atomic.Int64
	other := serve(t, func(map[string]any) string { asked.Add(1); return `{"findings":[[]]}` })
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	t.Setenv("HTTP_PROXY", other.URL)
	if _, err := client(t, remote.Options{URL: s.URL}).Find(t.Context(), text, nil); !errors.Is(err, remote.ErrStatus) || asked.Load() != 0 {
		t.Errorf("Find() = %v, and another was asked %d times, want ErrStatus and never", err, asked.Load())
	}
	for _, url := range []string{"http://ner.example", "http://10.0.0.1:8080", "ftp://127.0.0.1", "https://user:word@ner.example", "https://", "", "http://localhost.example", "https://ner.example/?a=b"} {
		if _, err := remote.New(remote.Options{URL: url}); !errors.Is(err, remote.ErrURL) {
			t.Errorf("New(%q) = %v, want ErrURL", url, err)
		}
	}
}

func TestTLSBelievesItsAuthorityAlone(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"findings":[[]]}`) }))
	s.Config.ErrorLog = nil
	s.StartTLS()
	defer s.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	if _, err := client(t, remote.Options{URL: s.URL, CA: ca}).Find(t.Context(), text, nil); err != nil {
		t.Errorf("with its authority: %v", err)
	}
	if _, err := client(t, remote.Options{URL: s.URL}).Find(t.Context(), text, nil); !errors.Is(err, remote.ErrReach) {
		t.Errorf("without its authority: %v, want ErrReach", err)
	}
}

func TestBreakerFailsClosed(t *testing.T) {
	now := time.Unix(1e9, 0)
	var down atomic.Bool
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, `{"findings":[[]]}`)
	}))
	defer s.Close()
	c := client(t, remote.Options{URL: s.URL, Now: func() time.Time { return now }})
	find := func() error { _, err := c.Find(t.Context(), text, nil); return err }
	down.Store(true)
	for range 5 {
		if err := find(); !errors.Is(err, remote.ErrStatus) {
			t.Fatalf("Find() = %v, want ErrStatus", err)
		}
	}
	down.Store(false)
	if err := find(); !errors.Is(err, remote.ErrOpen) || asked.Load() != 5 {
		t.Errorf("Find() = %v after %d calls, want ErrOpen without another", err, asked.Load())
	}
	now = now.Add(11 * time.Second)
	for range 2 {
		if err := find(); err != nil {
			t.Errorf("Find() after the pause = %v", err)
		}
	}
}

func TestCallsAreBounded(t *testing.T) {
	release := make(chan struct{})
	var most, under atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if n := under.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-release
		under.Add(-1)
		_, _ = io.WriteString(w, `{"findings":[[]]}`)
	}))
	defer s.Close()
	c := client(t, remote.Options{URL: s.URL, Calls: 2})
	done := make(chan error, 6)
	for range 6 {
		go func() { _, err := c.Find(t.Context(), text, nil); done <- err }()
	}
	for under.Load() < 2 { // else the next call may take a place, and leave it while the server is still at it
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Find(ctx, text, nil); !errors.Is(err, remote.ErrReach) {
		t.Errorf("Find() while all places are taken = %v, want ErrReach", err)
	}
	close(release)
	for range 6 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if most.Load() > 2 {
		t.Errorf("%d calls at one time, want 2", most.Load())
	}
	if _, err := client(t, remote.Options{URL: s.URL, Bytes: 4}).Find(t.Context(), text, nil); !errors.Is(err, remote.ErrTooBig) {
		t.Errorf("a large text: %v, want ErrTooBig", err)
	}
}

func TestManyTextsAreAskedInPieces(t *testing.T) {
	var asked atomic.Int64
	s := serve(t, func(body map[string]any) string {
		asked.Add(1)
		n := len(body["texts"].([]any))
		return `{"findings":[` + strings.TrimSuffix(strings.Repeat(`[{"start":0,"end":1,"type":"a","label":"person/name","score":1}],`, n), ",") + `]}`
	})
	texts := make([]string, 150)
	for i := range texts {
		texts[i] = "x"
	}
	got, err := client(t, remote.Options{URL: s.URL}).FindAll(t.Context(), texts)
	if err != nil || len(got) != 150 || len(got[149]) != 1 || asked.Load() != 3 {
		t.Errorf("%d lists after %d calls, %v, want 150 after 3", len(got), asked.Load(), err)
	}
}

// Whatever a service answers, what comes out can be merged or is an error.
func FuzzAnswer(f *testing.F) {
	f.Add(`{"findings":[[{"start":10,"end":15,"type":"person","label":"person/name","score":0.8}]]}`, text)
	f.Add(`{"findings":[[{"start":0,"end":1,"type":"p","label":"","score":0}]]}`, "\xff\xfea")
	f.Add(`{"findings":null}`, "")
	f.Fuzz(func(t *testing.T, answer, text string) {
		c := client(t, remote.Options{URL: "http://127.0.0.1:1"})
		remote.Swap(c, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(answer))}, nil
		})
		b := detect.Beside{Name: "fuzz", Detector: c, Taxonomy: flow.DefaultTaxonomy()}
		found := make([][]detect.Finding, 1)
		if err := b.Add(t.Context(), []string{text}, found); errors.Is(err, detect.ErrFindings) {
			t.Errorf("findings that make no sense came out of %q: %v", answer, err)
		}
	})
}
