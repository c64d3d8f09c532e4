package run_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

// mostPerStream is what an open stream may take of memory, with the few buffers of this test's own: 5,000 of them in
// less than 500 MB, the collector's slack included. It is some 85 kB on a machine at rest; a busy one holds some of what is under way, too.
const mostPerStream = 100 << 10

// TestAnOpenStreamTakesLittle holds streams open and looks at the memory that lives: 1,000 of them, or 2,000 in a long run: with few, what a gateway does meanwhile counts.
func TestAnOpenStreamTakesLittle(t *testing.T) {
	n := 1000
	if os.Getenv("SCRIM_LONG") != "" {
		n = 2000 // four descriptors each, of 20,000 that a process may have
	}
	up, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var held sync.WaitGroup
	t.Cleanup(held.Wait)
	t.Cleanup(func() { _ = up.Close() })
	end := make(chan struct{})
	defer close(end)
	go func() {
		for {
			c, err := up.Accept()
			if err != nil {
				return
			}
			held.Go(func() { holdOpen(c, end) })
		}
	}()
	key, digest := identity.NewKey()
	_, addr, _ := serve(t, load(t, lay(t, fmt.Sprintf(`version: 1
domain: clinic
agents:
  - {id: client, keys: [{sha256: %s}], limits: {streams: 10000}}
  - {id: scribe, a2a: {url: "http://%s"}}
transparent: [{agent: "*", reason: a test}]
timeouts: {shutdown: 1ms}
`, digest, up.Addr()), nil)), run.Options{})
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	add := func(n int) {
		for len(open) < n {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, c)
			body := strings.Replace(sendStream, "m1", fmt.Sprintf("m%d", len(open)), 1)
			fmt.Fprintf(c, "POST /a2a/scribe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nA2A-Version: 1.0\r\nContent-Length: %d\r\n\r\n%s",
				key.Expose(), len(body), body)
			r := bufio.NewReaderSize(c, 16)
			for line := ""; !strings.Contains(line, "TASK_STATE_WORKING"); {
				if line, err = r.ReadString('\n'); err != nil {
					t.Fatalf("stream %d: %v", len(open), err)
				}
			}
		}
	}
	add(n / 10)
	before := living()
	if name := os.Getenv("SCRIM_HEAP"); name != "" {
		f, _ := os.Create(name + ".base")
		_ = pprof.WriteHeapProfile(f)
		_ = f.Close()
	}
	add(n)
	most := int64(mostPerStream)
	if raced {
		most *= 2
	}
	each := func(living int64) int64 { return (living - before) / int64(n-n/10) }
	after := living()
	for end := time.Now().Add(time.Minute); each(after) > most && time.Now().Before(end); after = living() {
		time.Sleep(time.Second) // what is under way ends, what an open stream holds stays
	}
	if name := os.Getenv("SCRIM_HEAP"); name != "" {
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_ = pprof.WriteHeapProfile(f)
		_ = f.Close()
	}
	per := each(after)
	t.Logf("%d streams: %d bytes each", n, per)
	if per > most {
		t.Errorf("an open stream takes %d bytes, want at most %d", per, most)
	}
}

// living is what is in use of heap and stacks once what is not has been collected.
func living() int64 {
	for range 6 {
		runtime.GC() // stacks shrink by half each time
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)

	return int64(m.HeapAlloc + m.StackInuse)
}

var anEvent = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" +
	`data: {"jsonrpc":"2.0","id":1,"result":{"statusUpdate":{"taskId":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}}}}` + "\n\n")

// holdOpen answers one call with a stream of one event, or with nothing where the agent's card is asked for.
func holdOpen(c net.Conn, end <-chan struct{}) {
	defer c.Close()
	first := make([]byte, 4)
	if _, err := io.ReadFull(c, first); err != nil {
		return
	}
	if string(first) == "GET " {
		_, _ = io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		return
	}
	_, _ = c.Write(anEvent)
	<-end
}
