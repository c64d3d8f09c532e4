package handles_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/handles"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const secret = "Write to jane.doe@example.org today."

func dump(t *testing.T, res *http.Response, body string) string {
	t.Helper()
	res.Header.Del("Date")
	head, err := httputil.DumpResponse(res, false)
	if err != nil {
		t.Fatal(err)
	}
	return string(head) + body
}

// Whoever gets nothing cannot tell why: the answers are the same to the byte.
func TestWhoeverGetsNothingCannotTellWhy(t *testing.T) {
	r := newRig(t, nil)
	text := func(more string) flow.Handle {
		return r.reference(r.ask("billing", `{"text":"`+secret+`","metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":`+more+`}}}`))
	}
	good, once, brief := text("true"), text(`{"uses":1}`), text(`{"seconds":5}`)
	if res, _ := r.redeem(once, "insurer", nil); res.StatusCode != http.StatusOK {
		t.Fatal(res.Status)
	}
	unknown := flow.Handle{Ref: flow.HandleScheme + strings.Repeat("0a", 16)}
	r.now.add(10 * time.Second)
	get := func(h flow.Handle, key string, header map[string]string) string {
		res, body := r.redeem(h, key, header)
		return dump(t, res, body)
	}
	want := get(unknown, "insurer", nil)
	if !strings.Contains(want, "404 Not Found") {
		t.Fatal(want)
	}
	for name, got := range map[string]string{
		"another agent of the same domain": get(good, "rival", nil),
		"an agent of a third domain":       get(good, "broker", nil),
		"its own sender":                   get(good, "records", nil),
		"another purpose":                  get(good, "insurer", map[string]string{identity.HeaderPurpose: "care"}),
		"used up":                          get(once, "insurer", nil),
		"expired":                          get(brief, "insurer", nil),
	} {
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
	}
	for _, path := range []string{"", "x", strings.Repeat("0a", 17), "../handles/" + gateway.HandleID(good.Ref)[:31], strings.ToUpper(gateway.HandleID(good.Ref)), gateway.HandleID(good.Ref) + "/"} {
		if res, body := r.do(http.MethodGet, gateway.HandlePath+path, "insurer", nil, ""); dump(t, res, body) != want && path != "../handles/"+gateway.HandleID(good.Ref)[:31] {
			t.Errorf("%q: %s", path, dump(t, res, body))
		}
	}
	if res, _ := r.redeem(good, "", nil); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a credential: %s", res.Status)
	}
	if res, _ := r.redeem(good, "insurer", nil); res.StatusCode != http.StatusOK {
		t.Errorf("its recipient: %s", res.Status)
	}
	refused := map[string]int{}
	for _, ev := range r.Events() {
		if ev.Outcome == flow.Refused {
			refused[ev.Reason]++
		}
	}
	if refused["handle "] < 10 {
		t.Errorf("on record are %v", refused)
	}
}

// A part that is forbidden now is forbidden like any, though its reference was made when it was not.
func TestTermsThatNarrowedHold(t *testing.T) {
	r := newRig(t, nil)
	long := strings.Repeat("All is well. ", 30) + "Zelda Kowalska wrote from jane.doe@example.org today."
	h := r.reference(r.ask("care", `{"text":"`+long+`"`+mark+`}`))
	res, body := r.redeem(h, "insurer", nil)
	tag := res.Header.Get("ETag")
	if body != long || tag == "" {
		t.Fatalf("%s %q, want all of it", res.Status, body)
	}
	at := strings.Index(long, "jane")
	piece := map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", at, at+3), "If-Range": tag}
	if res, got := r.redeem(h, "insurer", piece); res.StatusCode != http.StatusPartialContent || got != "jane" || res.Header.Get("ETag") != tag {
		t.Fatalf("%s %q, want a piece", res.Status, got)
	}
	r.reload(func(s *gatewaytest.Setup) {
		s.Policy = strings.Replace(policies, `Purpose::"care"`, `Purpose::"research"`, 1)
	})
	res, got := r.redeem(h, "insurer", piece)
	if res.StatusCode != http.StatusOK || strings.Contains(gatewaytest.Said(got), "jane") || strings.Contains(gatewaytest.Said(got), "Zelda") || res.Header.Get("ETag") == tag {
		t.Fatalf("after the policy was tightened: %s %s %q", res.Status, res.Header.Get("ETag"), got)
	}
	for from := 0; from < len(got); from++ { // pieces of what is shown, and of nothing else
		res, one := r.redeem(h, "insurer", map[string]string{"Range": fmt.Sprintf("bytes=%d-%d", from, from), "If-Range": res.Header.Get("ETag")})
		if res.StatusCode != http.StatusPartialContent || one != got[from:from+1] {
			t.Fatalf("byte %d is %q, want %q", from, one, got[from:from+1])
		}
		if from > 2 && from < at {
			from = at
		}
	}
	r.reload(func(s *gatewaytest.Setup) {
		s.Policy = strings.Replace(policies, `@id("text")`, `@id("text") @shadow("true")`, 1)
	})
	unknown := flow.Handle{Ref: flow.HandleScheme + strings.Repeat("0a", 16)}
	res, body = r.redeem(unknown, "insurer", nil)
	want := dump(t, res, body)
	res, body = r.redeem(h, "insurer", nil)
	if got := dump(t, res, body); got != want {
		t.Errorf("forbidden now: %s", got)
	}
	var forms int
	if err := r.DB.View(context.Background(), countForms(&forms)); err != nil || forms != 0 {
		t.Errorf("%d forms are kept, %v; want the old one gone", forms, err)
	}
}

// A handle is used once for each time that it is redeemed, and a retry is none.
func TestARetryTakesNoUse(t *testing.T) {
	r := newRig(t, nil)
	h := r.reference(r.ask("billing", `{"text":"`+secret+`","metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":{"uses":2}}}}`))
	if h.Uses != 2 {
		t.Fatalf("%+v", h)
	}
	id := func(s string) map[string]string { return map[string]string{handles.HeaderFlow: s} }
	res, first := r.redeem(h, "insurer", id("a"))
	tag := res.Header.Get("ETag")
	for range 3 {
		if res, got := r.redeem(h, "insurer", id("a")); res.StatusCode != http.StatusOK || got != first || res.Header.Get("ETag") != tag {
			t.Fatalf("a retry: %s %q", res.Status, got)
		}
	}
	if res, got := r.redeem(h, "insurer", map[string]string{"Range": "bytes=0-4", "If-Range": tag}); res.StatusCode != http.StatusPartialContent || got != first[:5] {
		t.Fatalf("a piece: %s %q", res.Status, got)
	}
	if res, got := r.redeem(h, "insurer", id("b")); res.StatusCode != http.StatusOK || got != first || res.Header.Get("ETag") != tag {
		t.Fatalf("the second use: %s %q %s, want the same with the same tag", res.Status, got, res.Header.Get("ETag"))
	}
	for _, key := range []string{"c", "a", ""} {
		if res, _ := r.redeem(h, "insurer", id(key)); res.StatusCode != http.StatusNotFound {
			t.Errorf("a third use with id %q: %s", key, res.Status)
		}
	}
	if res, got := r.redeem(h, "insurer", id("b")); res.StatusCode != http.StatusOK || got != first {
		t.Errorf("a retry of the last use: %s", res.Status)
	}
	replayed := 0
	for _, ev := range r.Events() {
		if ev.Outcome == flow.Replayed {
			replayed++
		}
	}
	if replayed != 5 {
		t.Errorf("%d retries are on record, want 5", replayed)
	}
}

// Whatever would not be shown is not referred to, whoever marks it.
func TestWhatIsForbiddenIsNotReferredTo(t *testing.T) {
	r := newRig(t, nil)
	for name, part := range map[string]string{
		"undeclared data":      `{"data":{"hidden":"jane.doe@example.org"}` + mark + `}`,
		"a file that is dark":  `{"raw":"AAECAw==","mediaType":"application/octet-stream"` + mark + `}`,
		"JSON that lies":       `{"text":"{\"a\":1,\"a\":\"jane.doe@example.org\"}"` + mark + `}`,
		"a mark that lies too": `{"data":{"hidden":"jane.doe@example.org"},"metadata":{"https://scrim.dev/ext/privacy/v1":{"handle":{"uses":9,"ref":"scrim:ref:00000000000000000000000000000000"}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			out := r.ask("billing", part)
			if strings.Contains(out, "scrim:ref:") || strings.Contains(gatewaytest.Said(out), "jane") {
				t.Errorf("it went by reference: %s", out)
			}
		})
	}
}

// What is found in a part because of what stands beside it is found when it is redeemed, too.
func TestAPartIsLookedAtWithWhatStoodBesideIt(t *testing.T) {
	r := newRig(t, nil)
	out := r.ask("billing", `{"data":{"code":"ruritania-7"}},{"text":"About ruritania-7: the usual."`+mark+`}`)
	res, got := r.redeem(r.reference(out), "insurer", nil)
	if res.StatusCode != http.StatusOK || strings.Contains(got, "ruritania") {
		t.Errorf("redeemed %q", got)
	}
	out = r.ask("billing", `{"text":"It was jane.doe@exam"`+mark+`},{"text":"ple.org who wrote."`+mark+`}`)
	if strings.Contains(out, "scrim:ref:") || strings.Contains(out, "jane.doe") {
		t.Errorf("a value over two parts: %s", out)
	}
}

// Policy says what goes by reference only; where that cannot be, it does not go.
func TestPolicyLetsDataGoByReferenceOnly(t *testing.T) {
	r := newRig(t, func(s *gatewaytest.Setup) {
		s.Policy = strings.Replace(policies, `@id("abroad")`, `@handle("PT1M") @id("abroad")`, 1)
	})
	out := r.ask("billing", `{"text":"Nothing about anybody."},{"text":"`+secret+`"}`)
	h := r.reference(out)
	if !strings.Contains(out, "Nothing about anybody") || strings.Contains(out, "[email]") || time.Until(h.Expires) > time.Minute {
		t.Fatalf("%s until %s", out, h.Expires)
	}
	if _, got := r.redeem(h, "insurer", nil); !strings.Contains(got, "[email]") {
		t.Errorf("redeemed %q", got)
	}
	out = r.call("billing", `{"text":"hello"}`, `{"task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_COMPLETED"},"artifacts":[{"artifactId":"a","name":"For jane.doe@example.org","parts":[{"text":"fine"}]}]}}`)
	if strings.Contains(out, "[email]") || strings.Contains(gatewaytest.Said(out), "jane") || !strings.Contains(out, "by reference only") {
		t.Errorf("the name of an artifact cannot go by reference: %s", out)
	}
}

// Configuration names parts by size and media type.
func TestConfigurationLetsLargePartsGoByReference(t *testing.T) {
	r := newRig(t, func(s *gatewaytest.Setup) {
		s.Agents[0].ByReference = gateway.ByReference{Over: 2000, Media: []string{"text/*", "image/png"}}
	})
	for _, tt := range []struct {
		part string
		want bool
		size string
	}{
		{`{"raw":"Zm9v","mediaType":"text/csv"}`, true, "1KiB"},
		{`{"raw":"Zm9v","mediaType":"application/octet-stream"}`, false, ""},
		{`{"data":{"id":"7"}}`, false, ""},
		{`{"data":{"id":"7"},"metadata":{"x":"` + strings.Repeat("x", 3000) + `"}}`, true, ""},
		{`{"text":"` + strings.Repeat("All is well. ", 230) + `"}`, true, "4KiB"},
		{`{"text":"` + strings.Repeat("All is well. ", 100) + `"}`, true, "4KiB"},
		{`{"text":"All is well."}`, true, "1KiB"},
	} {
		out := r.ask("research", tt.part)
		if got := strings.Contains(out, `{"handle":`); got != tt.want {
			t.Errorf("%.40s: %s", tt.part, out)
		} else if got && r.reference(out).Size != tt.size {
			t.Errorf("%.40s has size %q, want %q", tt.part, r.reference(out).Size, tt.size)
		}
	}
}

// An answer that is given again has the reference that it had, and so has one that goes down the road once more.
func TestAnAnswerGivenAgainKeepsItsReference(t *testing.T) {
	r := newRig(t, nil)
	first := r.reference(r.ask("billing", `{"text":"`+secret+`"`+mark+`}`))
	r.sent--
	if again := r.reference(r.ask("billing", "")); again.Ref != first.Ref {
		t.Errorf("%s, then %s", first.Ref, again.Ref)
	}
	r.reload(func(s *gatewaytest.Setup) {
		s.Policy += `permit (principal in Domain::"own", action in Action::"upto_masked", resource);`
	})
	r.sent--
	again := r.reference(r.ask("billing", ""))
	if again.Ref != first.Ref || again.URL != first.URL || !again.Expires.Equal(first.Expires) {
		t.Errorf("under another policy %+v, then %+v", first, again)
	}
	if len(r.got) != 1 {
		t.Errorf("the agent was asked %d times", len(r.got))
	}
	if res, _ := r.redeem(again, "insurer", nil); res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
}

// Neither the store nor what is told of a refusal has a reference, and the part is nowhere in the clear.
func TestNothingKeptRedeems(t *testing.T) {
	r := newRig(t, nil)
	h := r.reference(r.ask("care", `{"text":"`+secret+`"`+mark+`}`))
	for _, key := range []string{"insurer", "rival"} {
		r.redeem(h, key, nil)
	}
	id := gateway.HandleID(h.Ref)
	faults := strings.Join(r.faults, "\n")
	if !strings.Contains(faults, "for another recipient") || strings.Contains(faults, id) {
		t.Errorf("told of faults: %s", faults)
	}
	for _, ev := range r.Events() {
		if s := fmt.Sprintf("%+v", ev); strings.Contains(s, id) {
			t.Errorf("on record: %s", s)
		}
	}
	r.Close(t)
	storetest.NeedsDirectory(t) // from here on
	files, err := filepath.Glob(filepath.Join(r.Dir, "data", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the lock
		}
		for _, s := range []string{id, h.Ref, "jane.doe"} {
			if bytes.Contains(b, []byte(s)) {
				t.Errorf("%s holds %q", filepath.Base(name), s)
			}
		}
	}
}

// Handles die with the subject, with the task, and in time.
func TestHandlesDie(t *testing.T) {
	ctx := context.Background()
	for name, kill := range map[string]func(r *rig) error{
		"with the erasure of their subject": func(r *rig) error { return r.Vault.Erase(ctx, r.Vault.Subject("", "7")) },
		"with their task": func(r *rig) error {
			for _, ev := range r.Events() {
				if ev.Outcome == flow.Released {
					if err := r.Vault.Forget(ctx, vault.TaskKey{Task: ev.Flow.Task.ID}); err != nil {
						return err
					}
				}
			}
			return nil
		},
		"in time": func(r *rig) error { r.now.add(16 * time.Minute); return r.Sweep(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			h := r.reference(r.ask("care", `{"data":{"name":"Zelda Kowalska","id":"7"}`+mark+`}`))
			if res, got := r.redeem(h, "insurer", nil); !strings.Contains(got, "Zelda") {
				t.Fatal(res.Status, got)
			}
			if name == "with the erasure of their subject" {
				if err := r.Vault.Erase(ctx, r.Vault.Subject("", "8")); err != nil {
					t.Fatal(err)
				}
				if n, _, _ := r.Handles(ctx); n != 1 {
					t.Fatal("it died with another subject")
				}
			}
			r.reference(r.ask("billing", `{"text":"About nobody in particular."`+mark+`}`))
			if err := kill(r); err != nil {
				t.Fatal(err)
			}
			if n, size, err := r.Handles(ctx); n != 0 || size != 0 || err != nil {
				t.Errorf("%d handles of %d bytes are left, %v", n, size, err)
			}
			if res, _ := r.redeem(h, "insurer", nil); res.StatusCode != http.StatusNotFound {
				t.Error(res.Status)
			}
		})
	}
}

// An operator drops a handle by its reference or by the name that a list has for it, and nothing in the list redeems.
func TestAnOperatorDropsHandles(t *testing.T) {
	r := newRig(t, nil)
	ask := func() flow.Handle { return r.reference(r.ask("billing", `{"text":"`+secret+`"`+mark+`}`)) }
	one, two, three := ask(), ask(), ask()
	var all []gateway.KeptHandle
	list := func(tx store.Tx) (err error) { all, err = gateway.ListHandles(tx, 10); return err }
	if err := r.DB.View(context.Background(), list); err != nil || len(all) != 3 || all[0].Uses != -1 || all[0].Bytes == 0 {
		t.Fatalf("%+v %v", all, err)
	}
	for _, h := range all {
		if res, _ := r.do(http.MethodGet, gateway.HandlePath+h.Name, "insurer", nil, ""); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", h.Name, res.Status)
		}
	}
	name, err := gateway.HandleName(two.Ref)
	if err != nil {
		t.Fatal(err)
	}
	drop := func(name string) (n int) {
		err := r.DB.Update(context.Background(), func(tx store.Tx) (err error) { n, err = gateway.DropHandles(tx, name); return err })
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := drop(name); n != 1 {
		t.Errorf("%d were dropped, want one", n)
	}
	for h, want := range map[flow.Handle]int{one: http.StatusOK, two: http.StatusNotFound, three: http.StatusOK} {
		if res, _ := r.redeem(h, "insurer", nil); res.StatusCode != want {
			t.Errorf("%s, want %d", res.Status, want)
		}
	}
	if n := drop(""); n != 2 {
		t.Errorf("%d were dropped, want the rest", n)
	}
}
