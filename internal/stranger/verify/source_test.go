package verify_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/internal/stranger/verify"
)

func serve(t *testing.T, h http.HandlerFunc) verify.Log {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	src, err := verify.HTTP(s.URL+"/log", "sesame")
	if err != nil {
		t.Fatal(err)
	}
	return verify.Log{Source: src}
}

func wholeOf(t *testing.T, log verify.Log) (verify.Whole, error) {
	raw, err := log.Checkpoint(t.Context())
	if err != nil {
		return verify.Whole{}, err
	}
	c, err := policy(t).Open(raw)
	if err != nil {
		return verify.Whole{}, err
	}
	return log.Whole(t.Context(), c, verify.Reading{})
}

func TestALogBehindAnAddress(t *testing.T) {
	dir := write(t, t.TempDir(), files(origin, scrimLog(origin, 1, 700, ""), logKey))
	files := http.StripPrefix("/log/", http.FileServer(http.Dir(dir)))
	var token atomic.Value
	w, err := wholeOf(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		token.Store(r.Header.Get("Authorization"))
		files.ServeHTTP(w, r)
	}))
	if err != nil || w.Entries != 700 || token.Load() != "Bearer sesame" {
		t.Errorf("%d entries, token %v, error %v", w.Entries, token.Load(), err)
	}
	w, err = wholeOf(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/entries/") {
			http.Error(w, "not to you", http.StatusForbidden)
			return
		}
		files.ServeHTTP(w, r)
	}))
	if err != nil || w.Entries != 0 || w.Tiles == 0 {
		t.Errorf("entries refused: %+v, error %v", w, err)
	}
}

// A server says anything. None of it passes, and none of it takes memory or time without end.
func TestHostileServers(t *testing.T) {
	entries := scrimLog(origin, 1, 700, "")
	dir := write(t, t.TempDir(), files(origin, entries, logKey))
	honest := http.StripPrefix("/log/", http.FileServer(http.Dir(dir)))
	endless := func(w http.ResponseWriter) {
		junk := bytes.Repeat([]byte("x"), 1<<16)
		for {
			if _, err := w.Write(junk); err != nil {
				return
			}
		}
	}
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	on := func(part string, do http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, part) {
				do(w, r)
				return
			}
			honest.ServeHTTP(w, r)
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"endless checkpoint":       on("checkpoint", func(w http.ResponseWriter, _ *http.Request) { endless(w) }),
		"endless tile":             on("tile/0/", func(w http.ResponseWriter, _ *http.Request) { endless(w) }),
		"endless bundle":           on("entries", func(w http.ResponseWriter, _ *http.Request) { endless(w) }),
		"redirect":                 on("tile/1/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }),
		"a page instead of a tile": on("tile/0/001", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }),
		"entries refused halfway":  on("entries/001", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "", http.StatusForbidden) }),
		"nothing there":            func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
		"broken off": on("tile/0/001", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "8192")
			_, _ = w.Write(make([]byte, 100))
		}),
		"gzip that grows": on("tile/0/001", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1, 2, 3})
		}),
		"another answer each time": func() http.HandlerFunc {
			var n atomic.Int64
			return on("tile/1/000", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bytes.Repeat([]byte{byte(n.Add(1))}, 64)) })
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := wholeOf(t, serve(t, h)); err == nil {
				t.Error("it passed")
			}
		})
	}
}

func TestAServerThatStumblesIsAskedAgain(t *testing.T) {
	dir := write(t, t.TempDir(), files(origin, scrimLog(origin, 1, 20, ""), logKey))
	files := http.StripPrefix("/log/", http.FileServer(http.Dir(dir)))
	var n atomic.Int64
	if _, err := wholeOf(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			http.Error(w, "", http.StatusServiceUnavailable)
			return
		}
		files.ServeHTTP(w, r)
	})); err != nil {
		t.Error(err)
	}
}

func TestAddressesAndTokens(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://log.example/log": true, "http://127.0.0.1:7070/log": true, "http://localhost/log": true,
		"http://log.example/log": false, "ftp://log.example/": false, "https://log.example/?x=1": false, "https://u:p@log.example/": false, "log.example": false,
	} {
		if _, err := verify.HTTP(address, "sesame"); (err == nil) != ok {
			t.Errorf("%s with a token: error %v", address, err)
		}
	}
	if _, err := verify.HTTP("http://log.example/log", ""); err != nil {
		t.Errorf("without a token: %v", err)
	}
}

func TestNothingOutsideTheDirectoryIsRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	dir := write(t, t.TempDir(), files(origin, scrimLog(origin, 1, 20, ""), logKey))
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.Rename(filepath.Join(dir, "checkpoint"), outside); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir).Checkpoint(t.Context()); err == nil || errors.Is(err, verify.ErrNone) {
		t.Errorf("error %v, want that it leads out", err)
	}
	if err := os.Remove(filepath.Join(dir, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "checkpoint"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir).Checkpoint(t.Context()); err == nil {
		t.Error("a directory was read")
	}
}
