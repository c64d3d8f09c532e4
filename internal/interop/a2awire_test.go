package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// object is a JSON object.
type object = map[string]any

// service holds what goes beside a call, as headers.
type service map[string]string

// reply is what one call of A2A came back with, whatever the binding.
type reply struct {
	body        object
	fault       *fault
	status      int // of HTTP
	contentType string
	wrong       []string // what the binding's own rules forbid
}

// fault is an error of A2A.
type fault struct {
	code                    int // of JSON-RPC, or the HTTP status
	status                  string
	reason, domain, message string
}

// stream is an open stream of answers; it ends with its channel. The reply of a call that opened none has a fault.
type stream struct {
	events chan object
	opened reply
	close  func()
	broke  error // after the channel was closed
}

// binding makes calls of A2A by one binding, without an SDK, so that the bytes themselves are looked at.
type binding interface {
	call(ctx context.Context, method string, params object, s service) reply
	stream(ctx context.Context, method string, params object, s service) *stream
}

var client = &http.Client{Timeout: 60 * time.Second}

// credentials are what the peer knows the caller by.
func send(ctx context.Context, verb, url string, body []byte, s service) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, verb, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, v := range s {
		if v != "" {
			req.Header.Set(name, v)
		}
	}
	return client.Do(req)
}

// jsonrpc is the JSON-RPC binding at an address.
type jsonrpc struct{ url string }

var lastID atomic.Int64

func (b jsonrpc) open(ctx context.Context, method string, params object, s service) (id string, res *http.Response, err error) {
	id = fmt.Sprintf("call-%d", lastID.Add(1))
	raw, err := json.Marshal(object{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	if err != nil {
		return "", nil, err
	}
	res, err = send(ctx, http.MethodPost, b.url, raw, s)
	return id, res, err
}

func (b jsonrpc) call(ctx context.Context, method string, params object, s service) reply {
	id, res, err := b.open(ctx, method, params, s)
	if err != nil {
		return reply{wrong: []string{err.Error()}}
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{wrong: []string{err.Error()}}
	}
	r := fromJSONRPC(raw, id)
	r.status, r.contentType = res.StatusCode, res.Header.Get("Content-Type")
	return r
}

const noResult = "neither a result nor an error"

// fromJSONRPC reads a response and checks its envelope; id "" fits any.
func fromJSONRPC(raw []byte, id string) (r reply) {
	var env struct {
		Version string          `json:"jsonrpc"`
		ID      json.RawMessage `json:"id"`
		Result  member          `json:"result"`
		Error   *struct {
			Code    *int            `json:"code"`
			Message string          `json:"message"`
			Data    json.RawMessage `json:"data"`
		} `json:"error"`
	}
	if err := json.Unmarshal(raw, &env); err != nil {
		return reply{wrong: []string{fmt.Sprintf("not a JSON-RPC response: %v: %.200s", err, raw)}}
	}
	wrong := func(format string, args ...any) { r.wrong = append(r.wrong, fmt.Sprintf(format, args...)) }
	if env.Version != "2.0" {
		wrong("jsonrpc is %q", env.Version)
	}
	if want := fmt.Sprintf("%q", id); id != "" && string(env.ID) != want && env.Error == nil {
		wrong("id is %s, want %s", env.ID, want)
	}
	switch {
	case env.Result != nil && env.Error != nil:
		wrong("both a result and an error")
	case env.Error != nil:
		if env.Error.Code == nil {
			wrong("the error has no code")
			return r
		}
		r.fault = &fault{code: *env.Error.Code, message: env.Error.Message}
		r.fault.detail(env.Error.Data)
	case env.Result != nil:
		if err := json.Unmarshal(env.Result, &r.body); err != nil {
			wrong("the result is no object: %.100s", env.Result)
		}
	default:
		r.wrong = append(r.wrong, noResult)
	}
	return r
}

// member is a member's value, nil only where there is none.
type member []byte

// UnmarshalJSON implements [json.Unmarshaler].
func (p *member) UnmarshalJSON(b []byte) error {
	*p = append(member{}, b...)
	return nil
}

// detail finds the ErrorInfo among an error's details.
func (f *fault) detail(raw json.RawMessage) {
	var details []struct {
		Type   string `json:"@type"`
		Reason string `json:"reason"`
		Domain string `json:"domain"`
	}
	if json.Unmarshal(raw, &details) != nil {
		return
	}
	for _, d := range details {
		if d.Type == "type.googleapis.com/google.rpc.ErrorInfo" {
			f.reason, f.domain = d.Reason, d.Domain
		}
	}
}

func (b jsonrpc) stream(ctx context.Context, method string, params object, s service) *stream {
	ctx, cancel := context.WithCancel(ctx)
	id, res, err := b.open(ctx, method, params, s)
	return follow(res, err, cancel, func(raw []byte) reply { return fromJSONRPC(raw, id) })
}

// rest is the HTTP+JSON binding below an address.
type rest struct{ url string }

// routes are verb and path of each method (section 5.3); what is in braces comes out of the params.
var routes = map[string]string{
	"SendMessage":                      "POST /message:send",
	"SendStreamingMessage":             "POST /message:stream",
	"GetTask":                          "GET /tasks/{id}",
	"ListTasks":                        "GET /tasks",
	"CancelTask":                       "POST /tasks/{id}:cancel",
	"SubscribeToTask":                  "POST /tasks/{id}:subscribe",
	"CreateTaskPushNotificationConfig": "POST /tasks/{taskId}/pushNotificationConfigs",
	"GetTaskPushNotificationConfig":    "GET /tasks/{taskId}/pushNotificationConfigs/{id}",
	"ListTaskPushNotificationConfigs":  "GET /tasks/{taskId}/pushNotificationConfigs",
	"DeleteTaskPushNotificationConfig": "DELETE /tasks/{taskId}/pushNotificationConfigs/{id}",
	"GetExtendedAgentCard":             "GET /extendedAgentCard",
}

func (b rest) open(ctx context.Context, method string, params object, s service) (*http.Response, error) {
	verb, path, _ := strings.Cut(routes[method], " ")
	query, body := url.Values{}, object{}
	for name, v := range params {
		switch place := "{" + name + "}"; {
		case strings.Contains(path, place):
			path = strings.Replace(path, place, url.PathEscape(fmt.Sprint(v)), 1)
		case verb == http.MethodPost:
			body[name] = v
		default:
			query.Set(name, fmt.Sprint(v))
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var raw []byte
	if verb == http.MethodPost {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	return send(ctx, verb, b.url+path, raw, s)
}

func (b rest) call(ctx context.Context, method string, params object, s service) reply {
	res, err := b.open(ctx, method, params, s)
	if err != nil {
		return reply{wrong: []string{err.Error()}}
	}
	defer res.Body.Close()
	return fromREST(res)
}

// aip193 reads an error of the HTTP+JSON binding (11.6); nil if it is none.
func aip193(raw []byte) *fault {
	var env struct {
		Error *struct {
			Code    int             `json:"code"`
			Status  string          `json:"status"`
			Message string          `json:"message"`
			Details json.RawMessage `json:"details"`
		} `json:"error"`
	}
	if err := json.Unmarshal(raw, &env); err != nil || env.Error == nil {
		return nil
	}
	f := &fault{code: env.Error.Code, status: env.Error.Status, message: env.Error.Message}
	f.detail(env.Error.Details)
	return f
}

func fromREST(res *http.Response) (r reply) {
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{wrong: []string{err.Error()}}
	}
	r = reply{status: res.StatusCode, contentType: res.Header.Get("Content-Type")}
	if res.StatusCode >= 400 {
		if r.fault = aip193(raw); r.fault == nil {
			r.fault = &fault{code: res.StatusCode}
			r.wrong = []string{fmt.Sprintf("an error that is not of the form of AIP-193: %.200s", raw)}
		}
		if r.fault.code != res.StatusCode {
			r.wrong = append(r.wrong, fmt.Sprintf("the error's code is %d at HTTP status %d", r.fault.code, res.StatusCode))
		}
		return r
	}
	if len(bytes.TrimSpace(raw)) > 0 {
		if err := json.Unmarshal(raw, &r.body); err != nil {
			r.wrong = append(r.wrong, fmt.Sprintf("not JSON: %.200s", raw))
		}
	}
	return r
}

func (b rest) stream(ctx context.Context, method string, params object, s service) *stream {
	ctx, cancel := context.WithCancel(ctx)
	res, err := b.open(ctx, method, params, s)
	return follow(res, err, cancel, func(raw []byte) (r reply) {
		if err := json.Unmarshal(raw, &r.body); err != nil {
			r.wrong = append(r.wrong, fmt.Sprintf("an event that is not JSON: %.200s", raw))
		}
		r.fault = aip193(raw) // the Go SDK tells it in an event, where the stream is open already
		return r
	})
}

// follow reads a stream of server-sent events to its end. An answer that is no stream is in opened.
func follow(res *http.Response, err error, cancel func(), read func([]byte) reply) *stream {
	st := &stream{events: make(chan object, 64), close: cancel}
	if err != nil {
		cancel()
		st.opened.wrong = []string{err.Error()}
		close(st.events)
		return st
	}
	st.opened.status, st.opened.contentType = res.StatusCode, res.Header.Get("Content-Type")
	if !strings.HasPrefix(st.opened.contentType, "text/event-stream") {
		defer cancel()
		defer res.Body.Close()
		if res.StatusCode >= 400 {
			st.opened = fromREST(res)
		} else if raw, err := io.ReadAll(res.Body); err == nil {
			st.opened = read(raw)
			st.opened.status, st.opened.contentType = res.StatusCode, res.Header.Get("Content-Type")
		}
		close(st.events)
		return st
	}
	first := make(chan reply, 1)
	go func() {
		defer res.Body.Close()
		defer close(st.events)
		begun := false
		st.broke = events(res.Body, func(raw []byte) {
			r := read(raw)
			if !begun {
				begun = true
				first <- r
			}
			if r.fault == nil {
				st.events <- r.body
			}
		})
		if !begun {
			first <- reply{wrong: []string{"a stream without an event"}}
		}
	}()
	r := <-first // an error may be the first event of a stream, too
	r.status, r.contentType = st.opened.status, st.opened.contentType
	st.opened = r
	return st
}

// events calls each with the data of each server-sent event.
func events(body io.Reader, each func([]byte)) error {
	in := bufio.NewScanner(body)
	in.Buffer(nil, 8<<20)
	var data []string
	for in.Scan() {
		line := in.Text()
		if v, ok := strings.CutPrefix(line, "data:"); ok {
			data = append(data, strings.TrimPrefix(v, " "))
		}
		if line == "" && len(data) > 0 {
			if joined := strings.Join(data, "\n"); joined != "" {
				each([]byte(joined))
			}
			data = nil
		}
	}
	return in.Err()
}

// all waits for the end of the stream.
func (s *stream) all(within time.Duration) (out []object, ended bool) {
	defer s.close()
	late := time.After(within)
	for {
		select {
		case ev, ok := <-s.events:
			if !ok {
				return out, true
			}
			out = append(out, ev)
		case <-late:
			return out, false
		}
	}
}
