package run_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/observe/alarm"
)

// Who tries references that are none of its own is told of at the webhook and frozen, where configuration says so; who does it without
// a credential, in whoever's name, freezes nobody; and alarms freeze no more agents in an hour than they may, and never some.
func TestAlarmsDoWhatConfigurationSays(t *testing.T) {
	var mu sync.Mutex
	var posted []alarm.Alarm
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var a alarm.Alarm
		if err := json.Unmarshal(body, &a); err != nil || r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("the webhook got %s %q: %v", body, r.Header.Get("Authorization"), err)
		}
		mu.Lock()
		defer mu.Unlock()
		posted = append(posted, a)
	}))
	defer hook.Close()
	t.Setenv("ALARM_TOKEN", "secret")
	names := []string{"first", "second", "third", "precious"}
	yaml, keys := "version: 1\ndomain: clinic\nagents:\n", map[string]string{}
	for _, name := range names {
		key, digest := identity.NewKey()
		keys[name] = key.Expose()
		yaml += fmt.Sprintf("  - {id: %s, keys: [{sha256: %s}], limits: {rate: 1000}}\n", name, digest)
	}
	yaml += fmt.Sprintf("alarms:\n  handles: {do: [freeze, webhook]}\n  freezes: 2\n  never: [precious]\n  webhook: %s\n  token: {env: ALARM_TOKEN}\n", hook.URL)
	g, addr, _ := serve(t, load(t, lay(t, yaml, nil)), run.Options{})
	try := func(key string, times int) {
		for i := range times {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://%s/handles/%026d", addr, i), nil)
			if err != nil {
				t.Fatal(err)
			}
			if key != "" {
				req.Header.Set("Authorization", "Bearer "+key)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
		}
	}
	frozen := func() string { return asked(t, g, http.MethodGet, "/api/v1/frozen", "") }
	list := ""
	listed := func(name string) bool {
		list = asked(t, g, http.MethodGet, "/api/v1/alarms", "")
		return strings.Contains(list, `"`+name+`"`)
	}
	try("", 15)
	try("wrong", 3)
	// Tries are counted by the hour, which may turn: whoever tries goes on until it is noticed.
	eventually(t, "the precious one is told of", func() bool { try(keys["precious"], 12); return listed("precious") })
	try(keys["first"], 10)
	time.Sleep(100 * time.Millisecond)
	if got := frozen(); strings.Contains(got, "clinic") {
		t.Errorf("frozen are %s, want nobody", got)
	}
	eventually(t, "the first is frozen", func() bool { try(keys["first"], 1); return strings.Contains(frozen(), `"first"`) })
	eventually(t, "the second is frozen", func() bool { try(keys["second"], 11); return strings.Contains(frozen(), `"second"`) })
	eventually(t, "the third is told of", func() bool { try(keys["third"], 11); return listed("third") })
	if got := frozen(); strings.Contains(got, `"third"`) || strings.Contains(got, `"precious"`) {
		t.Errorf("frozen are %s, want two", got)
	}
	for _, want := range []string{"not frozen: too many in an hour", "not frozen: never", `"log, freeze, webhook"`} {
		if !strings.Contains(list, want) {
			t.Errorf("alarms are %s, want one with %s", list, want)
		}
	}
	eventually(t, "the webhook is told", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(posted) >= 4
	})
	if text := metrics(t, g); !strings.Contains(text, `scrim_alarms_total{kind="handles"}`) {
		t.Error("the metrics do not count alarms")
	}
}
