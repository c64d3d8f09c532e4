package node

import (
	"context"
	"errors"
	"iter"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv"
)

// Handler does what an agent does with one message, and reports as it goes. What it returns as an error ends the task
// as failed, with the error's text; so that text must not hold values from the message.
//
// Handler is an [a2asrv.AgentExecutor].
type Handler func(ctx context.Context, msg *a2a.Message, work *Work) error

// ErrGone is returned by the methods of [Work] when nobody is listening any more; a handler returns it onwards.
var ErrGone = errors.New("the caller has gone")

// Work is one task under way. It is used by one handler and dies with it.
type Work struct {
	task  a2a.TaskInfoProvider
	yield func(a2a.Event, error) bool
}

// Execute implements [a2asrv.AgentExecutor].
func (h Handler) Execute(ctx context.Context, ec *a2asrv.ExecutorContext) iter.Seq2[a2a.Event, error] {
	return func(yield func(a2a.Event, error) bool) {
		w := &Work{ec, yield}
		if ec.StoredTask == nil && !yield(a2a.NewSubmittedTask(ec, ec.Message), nil) {
			return
		}
		err := h(ctx, ec.Message, w)
		switch {
		case errors.Is(err, ErrGone):
		case err != nil:
			_ = w.status(a2a.TaskStateFailed, err.Error())
		default:
			_ = w.status(a2a.TaskStateCompleted, "")
		}
	}
}

// Cancel implements [a2asrv.AgentExecutor].
func (h Handler) Cancel(_ context.Context, ec *a2asrv.ExecutorContext) iter.Seq2[a2a.Event, error] {
	return func(yield func(a2a.Event, error) bool) {
		yield(a2a.NewStatusUpdateEvent(ec, a2a.TaskStateCanceled, nil), nil)
	}
}

// ID is the task's id.
func (w *Work) ID() a2a.TaskID { return w.task.TaskInfo().TaskID }

// Say tells the caller what the agent is doing.
func (w *Work) Say(text string) error { return w.status(a2a.TaskStateWorking, text) }

func (w *Work) status(state a2a.TaskState, text string) error {
	var msg *a2a.Message
	if text != "" {
		msg = a2a.NewMessageForTask(a2a.MessageRoleAgent, w.task, a2a.NewTextPart(text))
	}
	return w.send(a2a.NewStatusUpdateEvent(w.task, state, msg))
}

// Give hands over structured content as an artifact of the name.
func (w *Work) Give(name string, data any) error {
	var plain any // the SDK copies tasks and knows how to copy nothing else
	if err := Decode(data, &plain); err != nil {
		return err
	}
	part := a2a.NewDataPart(plain)
	part.MediaType = "application/json"
	ev := a2a.NewArtifactEvent(w.task, part)
	ev.Artifact.Name, ev.LastChunk = name, true
	return w.send(ev)
}

// Write streams a text as an artifact of the name, in chunks of about the given number of bytes. Chunks are cut
// between characters, never mind words: as a language model would.
func (w *Work) Write(name, text string, size int) error {
	id := a2a.NewArtifactID()
	for first := true; first || text != ""; first = false {
		n := runeCut(text, size)
		chunk := a2a.NewArtifactUpdateEvent(w.task, id, a2a.NewTextPart(text[:n]))
		text = text[n:]
		chunk.Artifact.Name, chunk.Append, chunk.LastChunk = name, !first, text == ""
		if err := w.send(chunk); err != nil {
			return err
		}
	}
	return nil
}

// runeCut returns the length of the shortest beginning of s that has at least n bytes and ends between characters.
func runeCut(s string, n int) int {
	for i := range s {
		if i >= max(n, 1) {
			return i
		}
	}
	return len(s)
}

func (w *Work) send(ev a2a.Event) error {
	if !w.yield(ev, nil) {
		return ErrGone
	}
	return nil
}
