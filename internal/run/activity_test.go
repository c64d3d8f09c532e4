package run_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/internal/run"
)

var referred = regexp.MustCompile(`"reference":\s*"([0-9a-v]{26})"`)

// TestEveryReferenceResolves: also where more callers than are put on record one by one bring no credential, each reference that was given resolves for the
// operator, and for nobody else; what is on record can be verified, and is counted on the first page.
func TestEveryReferenceResolves(t *testing.T) {
	tw := settle(t, http.HandlerFunc(pong), "", run.Options{})
	admin, err := tw.Admin()
	if err != nil {
		t.Fatal(err)
	}
	c := tw.Config()
	token, err := api.ReadToken(c.Path(c.Data))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method, path, bearer, body string, into any) int {
		t.Helper()
		r := httptest.NewRequest(method, "http://127.0.0.1:7071"+path, strings.NewReader(body)).WithContext(t.Context())
		r.Header.Set("Content-Type", "application/json")
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, r)
		if w.Code == http.StatusOK && into != nil {
			if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
				t.Fatalf("%s: %v in %.200s", path, err, w.Body)
			}
		}
		return w.Code
	}
	var mu sync.Mutex
	var refs []string
	knock := func() {
		req := tw.request(t, "http", "/a2a/scribe", `{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t"}}`)
		req.Header.Del("Authorization")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		if m := referred.FindSubmatch(body); m != nil {
			mu.Lock()
			refs = append(refs, string(m[1]))
			mu.Unlock()
		}
	}
	recorded, unrecorded := "", ""
	for deadline := time.Now().Add(time.Minute); unrecorded == "" && time.Now().Before(deadline); {
		var wg sync.WaitGroup
		for range 45 {
			wg.Go(knock)
		}
		wg.Wait()
		if len(refs) == 0 {
			time.Sleep(200 * time.Millisecond) // nobody at this address is listened to for a while
		}
		for _, ref := range refs {
			var s struct {
				Recorded bool   `json:"recorded"`
				Rule     string `json:"rule"`
			}
			if code := ask("GET", "/api/v1/why/"+ref, token.Expose(), "", &s); code != http.StatusOK || s.Rule != "identity" {
				t.Fatalf("reference %s resolves to %d, rule %q", ref, code, s.Rule)
			}
			if code := ask("GET", "/api/v1/why/"+ref, "", "", nil); code == http.StatusOK {
				t.Fatal("anybody can ask why")
			}
			if s.Recorded {
				recorded = ref
			} else {
				unrecorded = ref
			}
		}
		refs = nil
	}
	if recorded == "" || unrecorded == "" {
		t.Fatalf("of all refusals one on record is %q and one without a row %q, want one of each", recorded, unrecorded)
	}
	var v struct {
		Good   bool
		Proven int
	}
	for deadline := time.Now().Add(time.Minute); v.Proven == 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if code := ask("POST", "/api/v1/flows/"+recorded+"/verify", token.Expose(), "{}", &v); code != http.StatusOK || !v.Good {
			t.Fatalf("verifying = %d, %+v", code, v)
		}
	}
	var o struct {
		Flows, Refused int64
	}
	for deadline := time.Now().Add(time.Minute); o.Refused == 0 && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if code := ask("GET", "/api/v1/overview", token.Expose(), "", &o); code != http.StatusOK {
			t.Fatalf("the overview = %d", code)
		}
	}
	if v.Proven == 0 || o.Refused == 0 {
		t.Errorf("proven %d, refused %d, want both above 0", v.Proven, o.Refused)
	}
	if code := ask("GET", "/flows/"+unrecorded, token.Expose(), "", nil); code != http.StatusOK {
		t.Errorf("the page of a refusal without a row = %d", code)
	}
}
