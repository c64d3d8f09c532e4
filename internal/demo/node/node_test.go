package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/flow"
)

func echo(_ context.Context, msg *a2a.Message, work *Work) error {
	return work.Write("echo", Text(msg.Parts), 4)
}

func Example() {
	ctx := context.Background()
	agent, err := StartAgent(ctx, Options{Bearer: flow.NewSecret("let-me-in")}, a2a.AgentCard{Name: "echo", Version: Version}, Handler(echo))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = agent.Close() }()
	there := Endpoint{URL: agent.URL(), Bearer: flow.NewSecret("let-me-in")}
	task, err := there.Send(ctx, a2a.NewMessage(a2a.MessageRoleUser, a2a.NewTextPart("good morning")))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(Text(Artifact(task, "echo").Parts), len(agent.Received()))
	// Output: good morning 1
}

func startEcho(t *testing.T, opt Options, h Handler) *Running {
	t.Helper()
	r, err := StartAgent(t.Context(), opt, a2a.AgentCard{Name: "echo", Version: Version}, h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func say(t *testing.T, r *Running, text string) (*a2a.Task, error) {
	t.Helper()
	return Endpoint{URL: r.URL()}.Send(t.Context(), a2a.NewMessage(a2a.MessageRoleUser, a2a.NewTextPart(text)))
}

func TestReceivedKeepsTheLastBytes(t *testing.T) {
	r := startEcho(t, Options{Keep: 2}, echo)
	for _, text := range []string{"one", "two", "three"} {
		if _, err := say(t, r, text); err != nil {
			t.Fatal(err)
		}
	}
	got := r.Received()
	if len(got) != 2 || !strings.Contains(string(got[0].Body), `"two"`) || !strings.Contains(string(got[1].Body), `"three"`) {
		t.Errorf("kept %d messages, want the last two", len(got))
	}
}

func TestReceivedKeepsNoCredential(t *testing.T) {
	r := startEcho(t, Options{Bearer: flow.NewSecret("let-me-in")}, echo)
	e := Endpoint{URL: r.URL(), Bearer: flow.NewSecret("let-me-in")}.With("Scrim-Purpose", "testing")
	if _, err := e.Send(t.Context(), a2a.NewMessage(a2a.MessageRoleUser, a2a.NewTextPart("x"))); err != nil {
		t.Fatal(err)
	}
	h := r.Received()[0].Header
	if h.Get("Authorization") != "" || h.Get("Scrim-Purpose") != "testing" {
		t.Errorf("kept header %v", h)
	}
}

func TestWithLeavesTheEndpointAlone(t *testing.T) {
	a := Endpoint{URL: "u"}.With("A", "1")
	b := a.With("B", "2")
	if len(a.Header) != 1 || len(b.Header) != 2 {
		t.Errorf("headers %v and %v", a.Header, b.Header)
	}
}

func TestHandlerErrorFailsTheTask(t *testing.T) {
	r := startEcho(t, Options{}, func(context.Context, *a2a.Message, *Work) error { return errors.New("out of paper") })
	task, err := say(t, r, "x")
	if err != nil {
		t.Fatal(err)
	}
	if task.Status.State != a2a.TaskStateFailed || Text(task.Status.Message.Parts) != "out of paper" {
		t.Errorf("task ended %s", task.Status.State)
	}
}

func TestTooLargeIsRefused(t *testing.T) {
	r := startEcho(t, Options{}, echo)
	res, err := http.Post(r.URL(), "application/json", io.LimitReader(zeros{}, mostBody+1))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge || len(r.Received()) != 0 {
		t.Errorf("%s, %d kept", res.Status, len(r.Received()))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestCloseWaitsForWhatIsUnderWay(t *testing.T) {
	began := make(chan struct{})
	r := startEcho(t, Options{}, func(ctx context.Context, msg *a2a.Message, work *Work) error {
		close(began)
		time.Sleep(100 * time.Millisecond)
		return echo(ctx, msg, work)
	})
	r.finish = time.Minute // two seconds may pass while a busy machine does nothing
	done := make(chan error, 1)
	go func() {
		_, err := say(t, r, "x")
		done <- err
	}()
	<-began
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("a message under way broke off: %v", err)
	}
	if _, err := say(t, r, "x"); err == nil {
		t.Error("the node answers after Close")
	}
}

func TestNodeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r, err := StartServer(ctx, Options{}, mcp.NewServer(&mcp.Implementation{Name: "none", Version: Version}, nil))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-r.ended:
	case <-time.After(time.Minute):
		t.Fatal("the node goes on after its context ended")
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close() error = %v", err)
	}
}

func TestRuneCutKeepsCharactersWhole(t *testing.T) {
	const s = "Zoë Ñúñez"
	for n := 0; n <= len(s)+1; n++ {
		cut := runeCut(s, n)
		if cut < min(n, len(s)) || !strings.HasPrefix(s, s[:cut]) || strings.ContainsRune(s[:cut], '\uFFFD') || n > 0 && cut > n+1 && cut != len(s) {
			t.Errorf("runeCut(%d) = %d", n, cut)
		}
	}
}

func TestDecodeErrorsHoldNoValue(t *testing.T) {
	var to struct{ Age int }
	err := Decode(map[string]any{"Age": 4711.25}, &to)
	if !errors.Is(err, ErrShape) || strings.Contains(err.Error(), "4711") || !strings.Contains(err.Error(), "Age") {
		t.Errorf("Decode() error = %v", err)
	}
}
