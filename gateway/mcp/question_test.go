package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/privacy/budget"
)

// counting is a server whose tool draws something new for every call.
type counting struct {
	*upstream
	draws atomic.Int64
	wait  atomic.Int64                                    // before it answers, in milliseconds
	say   atomic.Pointer[func(n int64, id string) string] // nil: a draw
}

func newCounting(t *testing.T) *counting {
	c := &counting{upstream: &upstream{}}
	c.serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			ID json.RawMessage `json:"id"`
		}
		body, _ := io.ReadAll(r.Body)
		if json.Unmarshal(body, &call) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		n := c.draws.Add(1)
		time.Sleep(time.Duration(c.wait.Load()) * time.Millisecond)
		w.Header().Set("Content-Type", "application/json")
		if say := c.say.Load(); say != nil {
			_, _ = io.WriteString(w, (*say)(n, string(call.ID)))
			return
		}
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"resultType":"complete","_meta":{"secret/state":"Zanzibar"},"content":[{"type":"text","text":"draw %d"}]}}`, call.ID, n)
	}))
	return c
}

const permitQuestions = `
@id("asking") permit (principal, action == Action::"aggregate", resource);
`

// newBudgetRig puts the server behind a gateway whose dataset allows an ε of 1, of which a question takes 0.1.
func newBudgetRig(t *testing.T, u *counting, change func(*gatewaytest.Setup)) *rig {
	t.Helper()
	return newRig(t, u.upstream, func(s *gatewaytest.Setup) {
		s.Policy += permitQuestions
		s.Budgets = []budget.Budget{{Dataset: "stays", Unit: budget.Unit{Name: "patient"}, Plan: budget.Plan{Epsilon: 1_000_000_000}}}
		q := gatewaytest.Laplace(t, "stays", 10)
		s.Change = func(snap *gateway.Snapshot) {
			snap.Questions = map[flow.AgentID]gateway.Questions{"records": {Tools: map[string]*gateway.Question{"plain": q}}}
		}
		if change != nil {
			change(s)
		}
	})
}

// padded gives the question another padded time.
func padded(t *testing.T, pad time.Duration) func(*gatewaytest.Setup) {
	q := gatewaytest.Laplace(t, "stays", 10)
	q.Pad = pad
	return func(s *gatewaytest.Setup) {
		s.Change = func(snap *gateway.Snapshot) {
			snap.Questions = map[flow.AgentID]gateway.Questions{"records": {Tools: map[string]*gateway.Question{"plain": q}}}
		}
	}
}

// text makes a question of its own of a text.
func text(s string) string { return strings.Replace(plainCall, "hello", s, 1) }

// named gives a call an id of its caller's own.
func named(body, id string) string {
	return strings.Replace(body, `"_meta":{`, `"_meta":{"dev.scrim/flow-id":"`+id+`",`, 1)
}

var stays = budget.Scope{Dataset: "stays"}

// draw is what a call answered with; "" where it was refused.
func draw(t *testing.T, status int, body string) string {
	t.Helper()
	var res struct {
		Result struct {
			IsError bool `json:"isError"`
			Content []struct {
				Text string `json:"text"`
			} `json:"content"`
		} `json:"result"`
	}
	if err := json.Unmarshal([]byte(body), &res); err != nil {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	if res.Result.IsError || len(res.Result.Content) == 0 {
		return ""
	}
	return res.Result.Content[0].Text
}

func (r *rig) draw(t *testing.T, body string, header ...string) string {
	t.Helper()
	status, answer := r.send(t, body, header...)
	return draw(t, status, answer)
}

// all asks n questions at once.
func (r *rig) all(t *testing.T, n int, header ...string) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { r.send(t, text(fmt.Sprint("filler ", i)), header...) })
	}
	wg.Wait()
}

func TestTheSameQuestionIsPaidForOnceWhoeverAsks(t *testing.T) {
	t.Parallel()
	u := newCounting(t)
	r := newBudgetRig(t, u, nil)
	first := r.draw(t, text("beds"))
	if first == "" || u.draws.Load() != 1 {
		t.Fatalf("got %q after %d calls", first, u.draws.Load())
	}
	for name, c := range map[string]struct {
		body   string
		header []string
	}{
		"again":                             {text("beds"), nil},
		"written otherwise":                 {strings.Replace(text("beds"), `{"text":"beds"}`, ` { "te\u0078t" : "b\u0065ds" } `, 1), nil},
		"under another JSON-RPC id":         {strings.Replace(text("beds"), `"id":7`, `"id":"x"`, 1), nil},
		"with an id of its own":             {named(text("beds"), "one"), nil},
		"by somebody else":                  {text("beds"), []string{"Authorization", "Bearer scrim_third"}},
		"by somebody else, another purpose": {text("beds"), []string{"Authorization", "Bearer scrim_other", "Scrim-Purpose", "audit"}},
		"and the first purpose again":       {text("beds"), []string{"Authorization", "Bearer scrim_other"}},
	} {
		status, body := r.send(t, c.body, c.header...)
		if got := draw(t, status, body); got != first || strings.Contains(body, "Zanzibar") {
			t.Errorf("%s: %d %s, want %q", name, status, body, first)
		}
	}
	if n, spent := u.draws.Load(), r.Spent(t, stays); n != 1 || spent != 100_000_000 {
		t.Errorf("the tool was called %d times for ε = %d·10⁻⁹, want one draw", n, spent)
	}
	if got := r.draw(t, text("wards")); got == "" || got == first {
		t.Errorf("another question got %q", got)
	}
	if spent := r.Spent(t, stays); spent != 200_000_000 {
		t.Errorf("two questions cost %d", spent)
	}
	var hits, paid int
	for _, ev := range r.Events() {
		if ev.Flow.Direction == flow.Request && ev.Outcome == flow.Replayed && ev.Cost == (flow.Cost{}) {
			hits++
		}
		if ev.Flow.Direction == flow.Request && ev.Cost.EpsilonNano == 100_000_000 {
			paid++
		}
	}
	if hits != 7 || paid != 2 {
		t.Errorf("on record are %d hits and %d paid questions, want 7 and 2", hits, paid)
	}
}

func TestAStormOfRetriesDrawsOnce(t *testing.T) {
	t.Parallel()
	u := newCounting(t)
	u.wait.Store(50)
	r := newBudgetRig(t, u, nil)
	var wg sync.WaitGroup
	got := make([]string, 24)
	for i := range got {
		wg.Add(1)
		go func() {
			defer wg.Done()
			body := text("beds")
			if i%2 == 0 {
				body = named(body, fmt.Sprint("retry-", i%3))
			}
			status, answer := r.send(t, body)
			var res struct {
				Result struct {
					Content []struct{ Text string } `json:"content"`
				} `json:"result"`
			}
			if status == http.StatusOK && json.Unmarshal([]byte(answer), &res) == nil && len(res.Result.Content) > 0 {
				got[i] = res.Result.Content[0].Text
			}
		}()
	}
	wg.Wait()
	for i, g := range got {
		if g != "draw 1" {
			t.Errorf("call %d got %q", i, g)
		}
	}
	if n, spent := u.draws.Load(), r.Spent(t, stays); n != 1 || spent != 100_000_000 {
		t.Errorf("%d draws for ε = %d·10⁻⁹", n, spent)
	}
}

func TestTwoAgentsShareOneBudgetToTheLastQuestion(t *testing.T) {
	t.Parallel()
	u := newCounting(t)
	r := newBudgetRig(t, u, nil)
	var wg sync.WaitGroup
	var answered, refused atomic.Int64
	for i := range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			key := []string{"scrim_own", "scrim_third"}[i%2]
			status, body := r.send(t, text(fmt.Sprint("question ", i)), "Authorization", "Bearer "+key)
			switch {
			case strings.Contains(body, "draw "):
				answered.Add(1)
			case strings.Contains(body, "no room"):
				refused.Add(1)
			default:
				t.Errorf("%d %s", status, body)
			}
		}()
	}
	wg.Wait()
	if answered.Load() != 10 || refused.Load() != 6 || u.draws.Load() != 10 || r.Spent(t, stays) != 1_000_000_000 {
		t.Errorf("%d answered, %d refused, %d draws, ε = %d·10⁻⁹; want 10, 6, 10 and all of it", answered.Load(), refused.Load(), u.draws.Load(), r.Spent(t, stays))
	}
	var free atomic.Int64
	for i := range 16 {
		wg.Go(func() {
			if r.draw(t, text(fmt.Sprint("question ", i))) != "" {
				free.Add(1)
			}
		})
	}
	wg.Wait()
	if free.Load() != 10 || u.draws.Load() != 10 {
		t.Errorf("%d questions are answered from the book of an empty budget, want 10", free.Load())
	}
}

func TestARefusalDoesNotTellWhatOthersSpent(t *testing.T) {
	t.Parallel()
	u := newCounting(t)
	r := newBudgetRig(t, u, nil)
	if err := r.Budgets.SetQuota(t.Context(), budget.Scope{Dataset: "stays", Domain: gatewaytest.Own, Workflow: gateway.NoWorkflow, Agent: "caller"}, &budget.Plan{Epsilon: 100_000_000}); err != nil {
		t.Fatal(err)
	}
	if r.draw(t, text("one")) == "" {
		t.Fatal("the first question was refused")
	}
	_, mine := r.send(t, text("two"))
	if !strings.Contains(mine, "Your own quota") {
		t.Errorf("over its own quota: %s", mine)
	}
	r.all(t, 9, "Authorization", "Bearer scrim_other")
	_, all := r.send(t, text("three"), "Authorization", "Bearer scrim_third")
	if !strings.Contains(all, "The budget for questions about this dataset has no room") {
		t.Errorf("over the dataset's: %s", all)
	}
	for _, leak := range []string{"stranger", "caller", "other", "10⁻⁹", "000000", "global"} {
		if strings.Contains(all, leak) {
			t.Errorf("a refusal tells %q: %s", leak, all)
		}
	}
}

func TestAFailureIsPaidForAndTellsNothing(t *testing.T) {
	t.Parallel()
	for name, say := range map[string]func(n int64, id string) string{
		"an error of the tool": func(_ int64, id string) string {
			return `{"jsonrpc":"2.0","id":` + id + `,"result":{"isError":true,"content":[{"type":"text","text":"Zanzibar overflowed"}]}}`
		},
		"an error of the protocol": func(_ int64, id string) string {
			return `{"jsonrpc":"2.0","id":` + id + `,"error":{"code":-32000,"message":"Zanzibar overflowed"}}`
		},
		"what is no answer": func(_ int64, id string) string {
			return `{"jsonrpc":"2.0","id":` + id + `,"result":{"resultType":"input_required","content":[]}}`
		},
		"what is no JSON":           func(int64, string) string { return `Zanzibar` },
		"the answer to another one": func(int64, string) string { return `{"jsonrpc":"2.0","id":"Zanzibar","result":{"content":[]}}` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := newCounting(t)
			u.say.Store(&say)
			r := newBudgetRig(t, u, nil)
			_, body := r.send(t, named(text("beds"), "one"))
			if strings.Contains(body, "Zanzibar") || !strings.Contains(body, "could not be answered") {
				t.Errorf("told: %s", body)
			}
			if spent := r.Spent(t, stays); spent != 100_000_000 {
				t.Errorf("ε = %d·10⁻⁹ was charged", spent)
			}
			u.say.Store(nil)
			_, again := r.send(t, named(text("beds"), "one")) // a retry never pays, and never draws
			if draw(t, 200, strings.Replace(again, `"error"`, `"result"`, 1)) != "" || u.draws.Load() != 1 || r.Spent(t, stays) != 100_000_000 {
				t.Errorf("the retry: %s, %d draws", again, u.draws.Load())
			}
			if got := r.draw(t, text("beds")); got != "draw 2" || r.Spent(t, stays) != 200_000_000 {
				t.Errorf("asked anew: %q for ε = %d·10⁻⁹", got, r.Spent(t, stays))
			}
		})
	}
}

// A block that begins while the tool is at it may be in what it read, and was not charged: that answer is given to nobody.
func TestABlockThatBeginsMeanwhileIsNotRead(t *testing.T) {
	u := newCounting(t)
	r := newBudgetRig(t, u, func(s *gatewaytest.Setup) {
		s.Budgets[0].Blocks = budget.Blocks{Kind: budget.BlocksHash, Count: 2}
		q := gatewaytest.Laplace(t, "stays", 10)
		q.Blocks = func(time.Time) (budget.Range, error) { return budget.Range{To: min(1+u.draws.Load(), 2)}, nil }
		s.Change = func(snap *gateway.Snapshot) {
			snap.Questions = map[flow.AgentID]gateway.Questions{"records": {Tools: map[string]*gateway.Question{"plain": q}}}
		}
	})
	if _, body := r.send(t, plainCall); strings.Contains(body, "draw") || !strings.Contains(body, "what it costs is spent") {
		t.Errorf("an answer from data that was not paid for: %s", body)
	}
	if got := r.Spent(t, budget.Scope{Dataset: "stays"}); got != 100_000_000 {
		t.Errorf("spent %d nano-ε, want one question", got)
	}
	if _, body := r.send(t, plainCall); !strings.Contains(body, "draw 2") {
		t.Errorf("the same question about both blocks: %s", body)
	}
}

func TestWhatACapabilityOrPolicyRefusesCostsNothing(t *testing.T) {
	t.Parallel()
	u := newCounting(t)
	r := newBudgetRig(t, u, func(s *gatewaytest.Setup) {
		s.Policy = strings.Replace(s.Policy, permitQuestions, `@id("asking") permit (principal in Domain::"own", action == Action::"aggregate", resource);`, 1)
	})
	_, body := r.send(t, text("beds"), "Authorization", "Bearer scrim_third")
	if !strings.Contains(body, "Policy does not permit") || u.draws.Load() != 0 || r.Spent(t, stays) != 0 {
		t.Errorf("%s, %d draws, ε = %d·10⁻⁹", body, u.draws.Load(), r.Spent(t, stays))
	}
	_, body = r.send(t, strings.Replace(text("beds"), `"arguments"`, `"task":{"ttl":1000},"arguments"`, 1))
	if strings.Contains(body, "draw") || r.Spent(t, stays) != 0 {
		t.Errorf("a question as a task: %s", body)
	}
	_, body = r.send(t, strings.Replace(text("beds"), `"hello"`, `"\ud800"`, 1))
	if r.Spent(t, stays) != 0 && !strings.Contains(body, "draw") {
		t.Errorf("a question without a form: %s", body)
	}
}

// Hits, new answers and refusals leave at multiples of the same time.
func TestTimeDoesNotTellAHitFromANewAnswer(t *testing.T) {
	t.Parallel()
	var waited atomic.Int64
	u := newCounting(t)
	u.wait.Store(120)
	r := newBudgetRig(t, u, func(s *gatewaytest.Setup) {
		s.Wait = func(_ context.Context, d time.Duration) error { waited.Add(int64(d)); return nil }
	})
	took := func(body string) time.Duration {
		began := time.Now()
		waited.Store(0)
		r.send(t, body)
		return time.Since(began) + time.Duration(waited.Load())
	}
	fresh, hit := took(text("beds")), took(text("beds"))
	r.all(t, 9)
	refused := took(text("one more"))
	for name, d := range map[string]time.Duration{"a new answer": fresh, "a hit": hit, "a refusal": refused} {
		if d < gatewaytest.Pad {
			t.Errorf("%s left after %s, before the padded time of %s", name, d, gatewaytest.Pad)
		}
	}
	if n := u.draws.Load(); n != 10 {
		t.Errorf("%d draws", n)
	}
}

// A tool that takes too long is charged, its answer is nobody's, and the caller hears so at the padded time.
func TestAToolThatTakesTooLongIsCut(t *testing.T) {
	t.Parallel()
	u := newCounting(t)
	r := newBudgetRig(t, u, padded(t, 400*time.Millisecond))
	hang := make(chan struct{})
	defer close(hang) // it is not done before the caller heard
	slow := func(int64, string) string { <-hang; return "{}" }
	u.say.Store(&slow)
	if _, body := r.send(t, text("beds")); !strings.Contains(body, "could not be answered") || r.Spent(t, stays) != 100_000_000 {
		t.Errorf("the caller heard %s", body)
	}
}

// A gateway that ends between reservation and answer leaves the cost charged, and its retry is not answered by another draw.
func TestACrashBetweenReservationAndAnswerStaysCharged(t *testing.T) {
	t.Parallel()
	u := newCounting(t)
	dir := t.TempDir()
	setup := func(s *gatewaytest.Setup) { s.Dir, s.NoSync = dir, false }
	r := newBudgetRig(t, u, setup)
	hang := make(chan struct{})
	slow := func(n int64, id string) string { <-hang; return "{}" }
	u.say.Store(&slow)
	sent := make(chan string)
	go func() {
		req, _ := http.NewRequest(http.MethodPost, r.url, strings.NewReader(named(text("beds"), "one")))
		for k, v := range map[string]string{"Content-Type": "application/json", "Accept": "application/json", "Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "plain", "Authorization": "Bearer scrim_own", "Scrim-Purpose": "care", "Scrim-Criticality": "critical"} {
			req.Header.Set(k, v)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			sent <- "cut"
			return
		}
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		sent <- string(b)
	}()
	for end := time.Now().Add(time.Minute); u.draws.Load() == 0 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
	}
	if spent := r.Spent(t, stays); spent != 100_000_000 {
		t.Fatalf("while the tool is at work ε = %d·10⁻⁹ is charged", spent)
	}
	copied := copyState(t, dir) // what a kill would leave on the disk at this moment
	close(hang)
	<-sent
	u.say.Store(nil)
	before := u.draws.Load()
	again := newBudgetRig(t, u, func(s *gatewaytest.Setup) {
		padded(t, 400*time.Millisecond)(s) // the retry waits four times as long
		s.Dir, s.NoSync = copied, false
	})
	if spent := again.Spent(t, stays); spent != 100_000_000 {
		t.Errorf("after the crash ε = %d·10⁻⁹ is charged", spent)
	}
	_, body := again.send(t, named(text("beds"), "one"))
	if strings.Contains(body, "draw") || u.draws.Load() != before || again.Spent(t, stays) != 100_000_000 {
		t.Errorf("the retry got %s, %d further draws", body, u.draws.Load()-before)
	}
}

// copyState copies a data directory as it is.
func copyState(t *testing.T, dir string) string {
	t.Helper()
	var to string
	for {
		to = filepath.Join(t.TempDir(), "copy")
		err := os.CopyFS(to, os.DirFS(dir))
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) { // the log publishes, and may have renamed a file meanwhile
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(to, "keyset.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}
