package run

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// oldServer is a server that speaks nothing newer than the HTTP and SSE of 2024-11-05, as a program is spoken to: what
// is written to it is posted, and what it says on its stream is read, a line a message. So it stands behind the same
// bridge as a program, and everything before the bridge speaks streamable HTTP.
type oldServer struct {
	up    *gateway.Upstream
	ctx   context.Context
	stop  context.CancelFunc
	out   *io.PipeWriter
	ready chan struct{} // closed when to is set, or the stream ended before
	to    string        // where to post
	done  chan error
}

// greeting is how long a server has to say where to post.
const greeting = 10 * time.Second

var errElsewhere = errors.New("the server's stream names an address that is not its own")

// dial opens the stream. It returns at once; what is written waits until the server said where to post.
func dial(ctx context.Context, up *gateway.Upstream, limit int) *Program {
	ctx, stop := context.WithCancel(ctx)
	pr, pw := io.Pipe()
	s := &oldServer{up: up, ctx: ctx, stop: stop, out: pw, ready: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		err := s.listen(limit)
		stop()
		_ = pw.CloseWithError(io.EOF) // it always succeeds
		s.done <- err
	}()
	return &Program{In: s, Out: pr, end: func() error { return <-s.done }}
}

func (s *oldServer) listen(limit int) error {
	late := time.AfterFunc(greeting, s.stop)
	defer late.Stop()
	told := false
	defer func() {
		if !told {
			close(s.ready)
		}
	}()
	res, err := s.up.Send(s.ctx, http.MethodGet, http.Header{}, map[string]string{"Accept": "text/event-stream"}, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if !gateway.IsStream(res) || res.StatusCode != http.StatusOK {
		return errors.New("the server opens no stream")
	}
	events := wire.NewEventReader(res.Body, wire.EventLimits{Event: limit, Line: limit})
	for {
		ev, err := events.Next()
		switch {
		case errors.Is(err, io.EOF), s.ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case ev.Incomplete, len(ev.Data) == 0:
		case string(ev.Name) == "endpoint":
			if told {
				return errElsewhere // it said so once
			}
			if s.to, err = endpoint(s.up.URL, ev.Data); err != nil {
				return err
			}
			late.Stop()
			told = true
			close(s.ready)
		case len(ev.Name) == 0, string(ev.Name) == "message":
			if _, err := s.out.Write(oneLine(ev.Data)); err != nil {
				return nil // nobody reads any more
			}
		}
	}
}

// endpoint reads where a server wants messages posted. It must be of the server's own origin: the address is a
// stranger's word, and the gateway's credential goes there.
func endpoint(base *url.URL, data []byte) (string, error) {
	if len(data) > 2048 {
		return "", errElsewhere
	}
	to, err := base.Parse(string(data))
	if err != nil || to.Scheme != base.Scheme || to.Host != base.Host || to.User != nil || to.Opaque != "" {
		return "", errElsewhere
	}
	to.Fragment = ""
	return to.String(), nil
}

// oneLine writes a message as a line. A line end that stands in JSON is white space between its tokens.
func oneLine(message []byte) []byte {
	line := append(make([]byte, 0, len(message)+1), message...)
	for i, c := range line {
		if c == '\n' || c == '\r' {
			line[i] = ' '
		}
	}
	return append(line, '\n')
}

// Write posts one message.
func (s *oldServer) Write(line []byte) (int, error) {
	if err := s.writeLine(s.ctx, line); err != nil {
		return 0, err
	}
	return len(line), nil
}

// writeLine posts one message, with what goes along with it.
func (s *oldServer) writeLine(ctx context.Context, line []byte) error {
	select {
	case <-s.ready:
	case <-s.ctx.Done():
	}
	if s.to == "" || s.ctx.Err() != nil {
		return io.ErrClosedPipe
	}
	res, err := s.up.SendTo(gateway.Along(s.ctx, ctx), http.MethodPost, s.to, http.Header{}, map[string]string{"Accept": "application/json, text/event-stream"}, bytes.TrimSuffix(line, []byte("\n")))
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4096)) // a word of thanks
	res.Body.Close()
	if res.StatusCode >= 300 {
		return errors.New("the server did not take the message")
	}
	return nil
}

// Close ends the stream.
func (s *oldServer) Close() error {
	s.stop()
	return nil
}
