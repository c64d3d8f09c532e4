package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The test program is the child process, too.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "--child" {
		if err := Serve(context.Background(), os.Args[2], os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var okResponse = &http.Response{StatusCode: http.StatusOK}

func self(arg string) *exec.Cmd { return exec.Command(os.Args[0], "--child", arg) }

func small(name string) Options {
	return Options{Scenario: name, Calls: 20, Concurrency: 2, Request: 1024, Response: 3000, Findings: 4, Streams: 8, For: 50 * time.Millisecond, NoSync: true, Child: self}
}

// Every scenario measures what it says over a real gateway, and checks that protected values come back as they should.
func TestEveryScenarioMeasures(t *testing.T) {
	want := map[string]string{
		"load": "cost of masking", "tokens": "cost of tokens", "text": "cost of masking", "capability": "cost of capabilities", "transparent": "gateway to plain proxy",
		"latency": "added, p99", "stream": "added to the first event", "streams": "memory of a stream", "soak": "growth",
	}
	for _, s := range Scenarios() {
		opt := small(s.Name)
		opt.Dir = t.TempDir()
		res, err := Run(t.Context(), opt)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		var b strings.Builder
		res.Print(&b)
		for _, word := range []string{want[s.Name], "fsync of 4 KiB", "record not durable", "2 connections"} {
			if word == "" || !strings.Contains(b.String(), word) {
				t.Errorf("%s: the printed result lacks %q:\n%s", s.Name, word, b.String())
			}
		}
		for _, w := range res.Ways {
			gateway := strings.HasPrefix(w.Name, "gateway")
			if w.Latency.P50 <= 0 || w.PerSecond <= 0 || gateway && (w.ServerCPU <= 0 || w.Resident <= 0) || w.AllCPU < w.ServerCPU {
				t.Errorf("%s: %s = %+v, want figures", s.Name, w.Name, w)
			}
		}
		if left, _ := os.ReadDir(opt.Dir); len(left) > 0 {
			t.Errorf("%s left %d entries behind", s.Name, len(left))
		}
	}
}

func TestLoadOverMCP(t *testing.T) {
	opt := small("load")
	opt.Protocol, opt.NoRecord, opt.Dir = "mcp", true, t.TempDir()
	res, err := Run(t.Context(), opt)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(res)
	if err != nil || !bytes.Contains(raw, []byte(`"server_cpu_ms"`)) || !bytes.Contains(raw, []byte("no record")) {
		t.Errorf("as JSON: %s, %v", raw, err)
	}
}

// A gateway that lets values through, or hides those it should not, is an error and no figure.
func TestWrongAnswersAreNotMeasured(t *testing.T) {
	opt := small("load")
	c := newClients(newPayload(opt), target{hides: true}, 1, false)
	for name, body := range map[string]string{"shows a value": `{"x":"` + canary + `00001@example.org","y":"` + end + `"}`, "is another's": `{}`} {
		if c.check(okResponse, []byte(body)) == nil {
			t.Errorf("an answer that %s is taken for good", name)
		}
	}
	c.to.hides = false
	if c.check(okResponse, []byte(`{"y":"`+end+`"}`)) == nil {
		t.Error("an answer whose values are missing is taken for unmasked")
	}
}

// Sizes and findings are what was asked for.
func TestPayloadHasTheSizesAsked(t *testing.T) {
	p := newPayload(Options{Scenario: "load", Protocol: "a2a", Request: 1024, Response: 10 << 10, Findings: 20})
	if n := len(p.request(7, false)); n < 900 || n > 1100 {
		t.Errorf("a request has %d bytes, want about 1024", n)
	}
	answer := p.answer(3, []byte("7"))
	if len(answer) < 9800 || len(answer) > 10700 || !json.Valid(answer) {
		t.Errorf("an answer has %d bytes, want about 10 KiB of JSON", len(answer))
	}
	if n := bytes.Count(answer, []byte(`"email":"`)) + bytes.Count(answer, []byte(`"contact":"`)) + bytes.Count(answer, []byte(`"name":"`)); n != 20 {
		t.Errorf("an answer has %d findings, want 20", n)
	}
}
