package scenario

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv"
	"github.com/a2aproject/a2a-go/v2/a2asrv/push"
)

// strict adds what the specification demands of an agent and the SDK leaves to it.
type strict struct {
	a2asrv.RequestHandler
	opt Options
}

// params checks what every call must say: the version (section 3.6.2) and required extensions (3.3.4).
func (s *strict) params(ctx context.Context) error {
	call, ok := a2asrv.CallContextFrom(ctx)
	if !ok {
		return a2a.ErrInternalError
	}
	version, _ := call.ServiceParams().Get(a2a.SvcParamVersion)
	if v := strings.Join(version, ","); v != "1.0" && !strings.HasPrefix(v, "1.0.") { // patches do not count
		return a2a.NewError(a2a.ErrVersionNotSupported, "this agent speaks A2A 1.0")
	}
	known, _ := call.ServiceParams().Get(a2a.SvcParamExtensions)
	var names []string
	for _, v := range known {
		for name := range strings.SplitSeq(v, ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	if s.opt.Required != "" && !slices.Contains(names, s.opt.Required) {
		return a2a.NewError(a2a.ErrExtensionSupportRequired, "this agent's extension is required")
	}
	return nil
}

// sent checks a message (3.1.1, 3.4).
func (s *strict) sent(ctx context.Context, req *a2a.SendMessageRequest) error {
	if err := s.params(ctx); err != nil {
		return err
	}
	if req.Message == nil {
		return a2a.ErrInvalidParams
	}
	for _, p := range req.Message.Parts {
		if p != nil && p.MediaType != "" && !slices.Contains(inputModes, p.MediaType) {
			return a2a.ErrUnsupportedContentType
		}
	}
	if n := historyLength(req); n != nil && *n < 0 {
		return a2a.ErrInvalidParams
	}
	if req.Message.TaskID == "" {
		return nil
	}
	task, err := s.RequestHandler.GetTask(ctx, &a2a.GetTaskRequest{ID: req.Message.TaskID})
	switch {
	case err != nil:
		return err
	case task.Status.State.Terminal():
		return a2a.NewError(a2a.ErrUnsupportedOperation, "the task has ended")
	case req.Message.ContextID != "" && req.Message.ContextID != task.ContextID:
		return a2a.NewError(a2a.ErrInvalidParams, "the task belongs to another context")
	}
	return nil
}

func historyLength(req *a2a.SendMessageRequest) *int {
	if req.Config == nil {
		return nil
	}
	return req.Config.HistoryLength
}

// shorten keeps the last messages of a history, as many as were asked for (3.2.4).
func shorten(req *a2a.SendMessageRequest, res a2a.SendMessageResult) {
	n, task := historyLength(req), (*a2a.Task)(nil)
	if t, ok := res.(*a2a.Task); ok {
		task = t
	}
	if n == nil || task == nil {
		return
	}
	task.History = task.History[max(0, len(task.History)-*n):]
	if *n == 0 {
		task.History = nil
	}
}

// SendMessage implements [a2asrv.RequestHandler].
func (s *strict) SendMessage(ctx context.Context, req *a2a.SendMessageRequest) (a2a.SendMessageResult, error) {
	if err := s.sent(ctx, req); err != nil {
		return nil, err
	}
	res, err := s.RequestHandler.SendMessage(ctx, req)
	if err == nil {
		shorten(req, res)
	}
	return res, err
}

// SendStreamingMessage implements [a2asrv.RequestHandler].
func (s *strict) SendStreamingMessage(ctx context.Context, req *a2a.SendMessageRequest) iter.Seq2[a2a.Event, error] {
	if err := s.sent(ctx, req); err != nil {
		return failed(err)
	}
	return s.RequestHandler.SendStreamingMessage(ctx, req)
}

// SubscribeToTask implements [a2asrv.RequestHandler] (3.1.6).
func (s *strict) SubscribeToTask(ctx context.Context, req *a2a.SubscribeToTaskRequest) iter.Seq2[a2a.Event, error] {
	if err := s.params(ctx); err != nil {
		return failed(err)
	}
	if !s.opt.Everything {
		return failed(a2a.ErrUnsupportedOperation)
	}
	task, err := s.RequestHandler.GetTask(ctx, &a2a.GetTaskRequest{ID: req.ID})
	switch {
	case err != nil:
		return failed(err)
	case task.Status.State.Terminal():
		return failed(a2a.NewError(a2a.ErrUnsupportedOperation, "the task has ended"))
	}
	return s.RequestHandler.SubscribeToTask(ctx, req)
}

func failed(err error) iter.Seq2[a2a.Event, error] {
	return func(yield func(a2a.Event, error) bool) { yield(nil, err) }
}

// GetTask implements [a2asrv.RequestHandler].
func (s *strict) GetTask(ctx context.Context, req *a2a.GetTaskRequest) (*a2a.Task, error) {
	if err := s.params(ctx); err != nil {
		return nil, err
	}
	if req.HistoryLength != nil && *req.HistoryLength < 0 {
		return nil, a2a.ErrInvalidParams
	}
	return s.RequestHandler.GetTask(ctx, req)
}

// ListTasks implements [a2asrv.RequestHandler].
func (s *strict) ListTasks(ctx context.Context, req *a2a.ListTasksRequest) (*a2a.ListTasksResponse, error) {
	if err := s.params(ctx); err != nil {
		return nil, err
	}
	if req.PageSize < 0 || req.PageSize > 100 {
		return nil, a2a.ErrInvalidParams
	}
	return s.RequestHandler.ListTasks(ctx, req)
}

// CancelTask implements [a2asrv.RequestHandler] (3.1.5).
func (s *strict) CancelTask(ctx context.Context, req *a2a.CancelTaskRequest) (*a2a.Task, error) {
	if err := s.params(ctx); err != nil {
		return nil, err
	}
	task, err := s.RequestHandler.GetTask(ctx, &a2a.GetTaskRequest{ID: req.ID})
	switch {
	case err != nil:
		return nil, err
	case task.Status.State.Terminal():
		return nil, a2a.ErrTaskNotCancelable
	}
	return s.cancel(ctx, req)
}

// cancel cancels a task that has not ended. The SDK does not while the turn is just ending in which the task came to wait: its
// caller may know by then that it waits.
func (s *strict) cancel(ctx context.Context, req *a2a.CancelTaskRequest) (*a2a.Task, error) {
	for {
		canceled, err := s.RequestHandler.CancelTask(ctx, req)
		if err == nil {
			return canceled, nil
		}
		task, e := s.RequestHandler.GetTask(ctx, &a2a.GetTaskRequest{ID: req.ID})
		if e != nil || task.Status.State.Terminal() {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// GetTaskPushConfig implements [a2asrv.RequestHandler].
func (s *strict) GetTaskPushConfig(ctx context.Context, req *a2a.GetTaskPushConfigRequest) (*a2a.PushConfig, error) {
	if err := s.params(ctx); err != nil {
		return nil, err
	}
	c, err := s.RequestHandler.GetTaskPushConfig(ctx, req)
	if errors.Is(err, push.ErrPushConfigNotFound) {
		return nil, a2a.NewError(a2a.ErrTaskNotFound, "there is no such configuration")
	}
	return c, err
}

// ListTaskPushConfigs implements [a2asrv.RequestHandler].
func (s *strict) ListTaskPushConfigs(ctx context.Context, req *a2a.ListTaskPushConfigRequest) (*a2a.ListTaskPushConfigResponse, error) {
	if err := s.params(ctx); err != nil {
		return nil, err
	}
	return s.RequestHandler.ListTaskPushConfigs(ctx, req)
}

// CreateTaskPushConfig implements [a2asrv.RequestHandler].
func (s *strict) CreateTaskPushConfig(ctx context.Context, req *a2a.PushConfig) (*a2a.PushConfig, error) {
	if err := s.params(ctx); err != nil {
		return nil, err
	}
	return s.RequestHandler.CreateTaskPushConfig(ctx, req)
}

// DeleteTaskPushConfig implements [a2asrv.RequestHandler].
func (s *strict) DeleteTaskPushConfig(ctx context.Context, req *a2a.DeleteTaskPushConfigRequest) error {
	if err := s.params(ctx); err != nil {
		return err
	}
	return s.RequestHandler.DeleteTaskPushConfig(ctx, req)
}

// GetExtendedAgentCard implements [a2asrv.RequestHandler] (3.1.11).
func (s *strict) GetExtendedAgentCard(ctx context.Context, req *a2a.GetExtendedAgentCardRequest) (*a2a.AgentCard, error) {
	if err := s.params(ctx); err != nil {
		return nil, err
	}
	if s.opt.Everything && s.opt.Credential != "" {
		call, _ := a2asrv.CallContextFrom(ctx)
		if shown, _ := call.ServiceParams().Get("Authorization"); !slices.Contains(shown, s.opt.Credential) {
			return nil, a2a.ErrUnauthenticated
		}
	}
	return s.RequestHandler.GetExtendedAgentCard(ctx, req)
}
