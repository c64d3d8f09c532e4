package a2a_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/store/storetest"
)

// What the parent tells the child process that is to be killed.
const (
	childDir      = "SCRIM_TEST_KILL_DIR"
	childUpstream = "SCRIM_TEST_KILL_UPSTREAM"
)

func killed() (messages, rounds int) {
	if os.Getenv("SCRIM_LONG") != "" {
		return 1000, 100
	}
	return 120, 3
}

func killSetup(t *testing.T, dir, upstream string) gatewaytest.Setup {
	up, err := gateway.NewUpstream(upstream, "", flow.Secret{}, gateway.UpstreamOptions{})
	if err != nil {
		t.Fatal(err)
	}
	messages, _ := killed()
	setup := gatewaytest.Setup{
		Policy: policies, Dir: dir, Callers: map[string]identity.Grant{},
		Agents: []*gateway.Agent{{Party: flow.Party{Agent: "partner", Domain: gatewaytest.Other}, A2A: up}},
	}
	for i := range messages { // the journal holds no message ids, so each message has a caller of its own
		p := flow.Party{Agent: flow.AgentID(fmt.Sprintf("caller-%d", i)), Domain: gatewaytest.Own}
		setup.Agents = append(setup.Agents, &gateway.Agent{Party: p})
		setup.Callers[fmt.Sprintf("scrim_%d", i)] = identity.Grant{Party: p}
	}
	return setup
}

// TestGatewayThatIsKilled is the child process: a gateway that serves until it is killed.
func TestGatewayThatIsKilled(t *testing.T) {
	dir := os.Getenv(childDir)
	if dir == "" {
		t.Skip("this is the process that TestKillLosesNoRecord kills")
	}
	g := gatewaytest.New(t, killSetup(t, dir, os.Getenv(childUpstream)))
	cards := &a2a.Cards{Signer: g.Keys.Signer("card"), KeyID: g.Keys.ID()}
	srv := httptest.NewServer(&a2a.Handler{Gateway: g.Gateway, Face: gateway.Outbound, Prefix: "/out/a2a/", Cards: cards})
	fmt.Printf("\nserving at %s\n", srv.URL)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent is gone
}

// child is a running gateway process.
type child struct {
	url  string
	kill func()
}

func startChild(t *testing.T, dir, upstream string) *child {
	t.Helper()
	storetest.Prepare(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestGatewayThatIsKilled$", "-test.v")
	cmd.Env = append(os.Environ(), childDir+"="+dir, childUpstream+"="+upstream)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	c := &child{kill: func() {
		once.Do(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = in.Close() })
	}}
	t.Cleanup(c.kill)
	var said strings.Builder
	for sc := bufio.NewScanner(out); sc.Scan(); {
		said.WriteString(sc.Text() + "\n")
		if url, ok := strings.CutPrefix(sc.Text(), "serving at "); ok {
			c.url = url
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return c
		}
	}
	t.Fatalf("the gateway did not start: %s", said.String())
	return nil
}

// counter is the upstream: it notes every message as it arrives, and never answers twice alike.
type counter struct {
	mu  sync.Mutex
	got map[string]int
}

var messageName = regexp.MustCompile(`"text":"hello (k-\d+)"`)

func (u *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	id := messageName.FindSubmatch(b)
	if id == nil {
		http.NotFound(w, r)
		return
	}
	u.mu.Lock()
	u.got[string(id[1])]++
	u.mu.Unlock()
	if !strings.Contains(string(b), "SendStreamingMessage") {
		answerWith(fmt.Sprintf(`{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"unique %s"}]}}`, rand.Text()))(w, string(b))
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range 4 {
		fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"artifactUpdate\":{\"taskId\":\"t\",\"contextId\":\"c\",\"artifact\":{\"artifactId\":\"a\",\"parts\":[{\"text\":\"unique %s \"}]},\"append\":%v}}}\n\n", rand.Text(), i > 0)
		w.(http.Flusher).Flush()
	}
	fmt.Fprint(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"statusUpdate\":{\"taskId\":\"t\",\"contextId\":\"c\",\"status\":{\"state\":\"TASK_STATE_COMPLETED\"}}}}\n\n")
}

func (u *counter) calls() map[string]int {
	u.mu.Lock()
	defer u.mu.Unlock()
	out := map[string]int{}
	for k, v := range u.got {
		out[k] = v
	}
	return out
}

// ask sends message i and returns the answer if all of it came, and how many events of it did.
func ask(url string, i int) (answer string, events int, whole bool) {
	method := "SendMessage"
	if i%3 == 0 {
		method = "SendStreamingMessage"
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{"message":{"messageId":"k-%[2]d","role":"ROLE_USER","parts":[{"text":"hello k-%[2]d"}]}}}`, method, i)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+"/out/a2a/partner", strings.NewReader(body))
	if err != nil {
		return "", 0, false
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("A2A-Version", "1.0")
	req.Header.Set("Authorization", fmt.Sprintf("Bearer scrim_%d", i))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", 0, false
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	events = strings.Count(string(b), "data:")
	return string(b), events, err == nil && res.StatusCode == http.StatusOK && strings.Contains(string(b), `"result"`) && !strings.Contains(string(b), `"error"`)
}

// A gateway is killed in the middle of many requests, again and again. Every message has a caller of its own, so that
// its rows are known by the caller's name: for each that reached the agent there must be a released row of a request,
// at least as many as it reached the agent, and for each part of an answer that reached the caller a row of its own. An answer
// that came is given again, with the same bytes, without the agent.
func TestKillLosesNoRecord(t *testing.T) {
	messages, rounds := killed()
	longest := 250
	if rounds > 10 {
		longest = 40 // so that work is left for the last kill
	}
	up := &counter{got: map[string]int{}}
	srv := httptest.NewServer(up)
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := mathrand.New(mathrand.NewPCG(seed, 1))

	answers := make([]string, messages)
	parts := make([]int, messages) // most events, of any attempt
	todo := make([]int, messages)
	for i := range todo {
		todo[i] = i
	}
	kills := 0
	for round := 0; len(todo) > 0; round++ {
		c := startChild(t, dir, srv.URL)
		var mu sync.Mutex
		var failed []int
		if round < rounds {
			kills++
			after := time.Duration(10+random.IntN(longest)) * time.Millisecond
			time.AfterFunc(after, c.kill)
		}
		work := make(chan int)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				for i := range work {
					answer, events, whole := ask(c.url, i)
					mu.Lock()
					parts[i] = max(parts[i], events)
					if whole {
						answers[i] = answer
					} else {
						failed = append(failed, i)
					}
					mu.Unlock()
				}
			})
		}
		for _, i := range todo {
			work <- i
		}
		close(work)
		wg.Wait()
		c.kill()
		if todo = failed; round > rounds+3 {
			t.Fatalf("%d messages are not answered by a gateway that nobody kills", len(todo))
		}
	}

	before := up.calls()
	c := startChild(t, dir, srv.URL)
	for i := range messages {
		if again, _, whole := ask(c.url, i); !whole || again != answers[i] {
			t.Fatalf("message %d is answered anew after a restart:\n%s\nwant\n%s", i, again, answers[i])
		}
	}
	c.kill()
	for id, n := range up.calls() {
		if n != before[id] {
			t.Errorf("%s reached the agent again when its answer was asked for again", id)
		}
	}

	g := gatewaytest.New(t, killSetup(t, dir, srv.URL))
	if report, err := g.Log.Verify(context.Background()); err != nil {
		t.Fatalf("journal after %d kills: %v (%+v)", rounds, err, report)
	}
	requests, responses := map[string]int{}, map[string]int{}
	for e, err := range g.Log.Entries(context.Background(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		switch f := e.Event.Flow; {
		case f.Direction == flow.Request && e.Event.Outcome == flow.Released:
			requests[string(f.From.Agent)]++
		case f.Direction == flow.Response && (e.Event.Outcome == flow.Released || e.Event.Outcome == flow.Segment):
			responses[string(f.To.Agent)]++
		}
	}
	released := map[int64][]byte{}
	for e, err := range g.Log.Entries(context.Background(), audit.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		released[e.Seq] = e.Raw
	}
	inTreeOnce(t, g, released)
	retried := 0
	for i := range messages {
		caller := fmt.Sprintf("caller-%d", i)
		calls := before[fmt.Sprintf("k-%d", i)]
		if calls == 0 || requests[caller] < calls {
			t.Errorf("message %d reached the agent %d times with %d released rows", i, calls, requests[caller])
		}
		if calls > 1 {
			retried++
		}
		want := 1
		if i%3 == 0 {
			want = parts[i]
		}
		if responses[caller] < want {
			t.Errorf("message %d: %d parts of its answer arrived with %d rows", i, want, responses[caller])
		}
	}
	t.Logf("%d kills, %d messages, %d of them sent to the agent more than once, %d rows", kills, messages, retried, len(released))
}

// inTreeOnce reads every leaf of the published tree and holds it against the rows: each is there once, at its place, with the same event, and
// there is nothing else.
func inTreeOnce(t *testing.T, g *gatewaytest.Rig, rows map[int64][]byte) {
	t.Helper()
	ctx := t.Context()
	c, err := g.Log.Checkpoint(ctx)
	if err != nil {
		t.Fatal(err)
	}
	reader, first := g.Log.Tree(""), g.Log.Trees()[0].First
	if c.Size != int64(len(rows))+1 {
		t.Errorf("the tree has %d leaves, want a header and %d rows", c.Size, len(rows))
	}
	seen := map[int64]bool{}
	for n := int64(1); n < c.Size; n++ {
		raw, err := tile.Entry(ctx, reader, c, n) // with its proof under the checkpoint
		if err != nil {
			t.Fatalf("leaf %d: %v", n, err)
		}
		leaf, err := audit.ParseLeaf(raw)
		if err != nil {
			t.Fatalf("leaf %d: %v", n, err)
		}
		if seen[leaf.Seq] || leaf.Seq != first+n-1 || !bytes.Equal(leaf.Event, rows[leaf.Seq]) {
			t.Errorf("leaf %d is row %d, seen before: %v, or has another event", n, leaf.Seq, seen[leaf.Seq])
		}
		seen[leaf.Seq] = true
	}
}
