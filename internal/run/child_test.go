package run

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway/wire"
)

type closing struct{ io.Writer }

func (closing) Close() error { return nil }

// Callers without a session share one process, and their ids are their own: what one calls off may be another's call.
func TestACallOfAnotherCallerIsNotCalledOff(t *testing.T) {
	const off = `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`
	for session, want := range map[string]string{"": "", "s": `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"scrim-1"}}` + "\n"} {
		var out bytes.Buffer
		c := &child{session: session, program: &Program{In: closing{&out}}, cancel: func() {}, pending: map[string]*waiting{"scrim-1": {id: []byte("1")}}}
		d := new(json.Doc)
		if err := d.Parse([]byte(off), nil, json.Limits{}); err != nil {
			t.Fatal(err)
		}
		rpc, err := wire.ReadRPC(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.tell(t.Context(), d, rpc); err != nil || out.String() != want {
			t.Errorf("in session %q the process was told %q, %v, want %q", session, out.String(), err, want)
		}
	}
}

// A process that does not read is ended, so that nobody waits for it for ever.
func TestAProcessThatTakesNoLineIsEnded(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close()
	ended := make(chan struct{})
	c := &child{program: &Program{In: w}, cancel: func() { close(ended) }, wait: 10 * time.Millisecond}
	failed := make(chan error, 1)
	go func() { failed <- c.write(t.Context(), []byte("{}")) }()
	select {
	case err := <-failed:
		if err == nil {
			t.Error("the line counts as written")
		}
	case <-time.After(time.Minute):
		t.Fatal("the writer still waits")
	}
	<-ended
}
