package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// growing is a buffer that one writes while another reads.
type growing struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (g *growing) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all.Write(p)
}

func (g *growing) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.all.String()
}

// What "scrim demo --keep" prints of scrim's own commands can be typed as it stands there.
func TestDemoPrintsCommandsThatWork(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &growing{}
	ended := make(chan int, 1)
	go func() {
		e := &env{in: strings.NewReader(""), out: out, err: io.Discard}
		ended <- e.main(ctx, []string{"demo", "--keep"})
	}()
	for end := time.Now().Add(5 * time.Minute); !strings.Contains(out.String(), "Any A2A or MCP client"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the demo did not get to its end")
		}
	}
	tried := 0
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSpace(line)
		stdin := ""
		if echo, rest, ok := strings.Cut(line, " | "); ok && strings.HasPrefix(echo, "echo ") {
			stdin, line = strings.Trim(strings.TrimPrefix(echo, "echo "), "'")+"\n", rest
		}
		args := strings.Fields(line)
		if len(args) < 4 || args[0] != "scrim" || !strings.Contains(line, " -c ") {
			continue
		}
		tried++
		var answer, complaint bytes.Buffer
		e := &env{in: strings.NewReader(stdin), out: &answer, err: &complaint}
		if code := e.main(ctx, args[1:]); code != done || answer.Len() == 0 {
			t.Errorf("%s\nexit status %d: %s%s", line, code, answer.String(), complaint.String())
		}
		if stdin != "" && strings.Contains(answer.String(), "seen   Call Eleanor on 541-555-0142") {
			t.Errorf("%s\nshows the insurer the number: %s", line, answer.String())
		}
	}
	if tried != 8 {
		t.Errorf("%d commands were printed, want 8", tried)
	}
	cancel()
	if code := <-ended; code != done {
		t.Errorf("the demo ended with exit status %d", code)
	}
}
