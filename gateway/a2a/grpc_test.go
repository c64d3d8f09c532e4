package a2a_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/a2aproject/a2a-go/v2/a2apb/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

// service is an agent on gRPC's own server that answers as it is told.
type service struct {
	a2apb.UnimplementedA2AServiceServer
	mu     sync.Mutex
	got    []*a2apb.SendMessageRequest
	answer func(*a2apb.SendMessageRequest) (*a2apb.SendMessageResponse, error)
	stream func(grpc.ServerStreamingServer[a2apb.StreamResponse]) error
}

func (s *service) SendMessage(_ context.Context, req *a2apb.SendMessageRequest) (*a2apb.SendMessageResponse, error) {
	s.mu.Lock()
	s.got = append(s.got, req)
	s.mu.Unlock()
	return s.answer(req)
}

func (s *service) SendStreamingMessage(_ *a2apb.SendMessageRequest, out grpc.ServerStreamingServer[a2apb.StreamResponse]) error {
	return s.stream(out)
}

func (s *service) received() []*a2apb.SendMessageRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*a2apb.SendMessageRequest(nil), s.got...)
}

// served puts a town in front of the service, which is reached by gRPC alone and in a tenant of its own.
func (s *service) served(t *testing.T, tenant string, change func(*gatewaytest.Setup)) *town {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gs := grpc.NewServer()
	a2apb.RegisterA2AServiceServer(gs, s)
	go func() { _ = gs.Serve(l) }()
	t.Cleanup(gs.Stop)
	return at(t, grpcCard(t, l.Addr().String(), tenant), change)
}

func grpcCard(t *testing.T, address, tenant string) string {
	return cardOf(t, fmt.Sprintf(`"supportedInterfaces":[{"url":%q,"protocolBinding":"GRPC","protocolVersion":"1.0","tenant":%q}]`, address, tenant), http.NotFound).URL
}

func done(text string) func(*a2apb.SendMessageRequest) (*a2apb.SendMessageResponse, error) {
	return func(*a2apb.SendMessageRequest) (*a2apb.SendMessageResponse, error) {
		return &a2apb.SendMessageResponse{Payload: &a2apb.SendMessageResponse_Message{Message: &a2apb.Message{
			MessageId: "r", Role: a2apb.Role_ROLE_AGENT, Parts: []*a2apb.Part{{Content: &a2apb.Part_Text{Text: text}}},
		}}}, nil
	}
}

func (r *town) dial(t *testing.T) a2apb.A2AServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(r.base, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return a2apb.NewA2AServiceClient(conn)
}

func as(key string, more ...string) context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), append([]string{"authorization", "Bearer " + key, "a2a-version", "1.0", "scrim-purpose", "care", "scrim-criticality", "routine"}, more...)...)
}

func asking(id, tenant, text string) *a2apb.SendMessageRequest {
	return &a2apb.SendMessageRequest{Tenant: tenant, Message: &a2apb.Message{MessageId: id, Role: a2apb.Role_ROLE_USER, Parts: []*a2apb.Part{{Content: &a2apb.Part_Text{Text: text}}}}}
}

func unknown(m proto.Message) []byte { return m.ProtoReflect().GetUnknown() }

func TestTheTenantNamesTheAgent(t *testing.T) {
	s := &service{answer: done("Done.")}
	r := s.served(t, "north", nil)
	c := r.dial(t)
	if res, err := c.SendMessage(as("scrim_guest"), asking("m-1", "a2a/desk", "hello")); err != nil || res.GetMessage().GetParts()[0].GetText() != "Done." {
		t.Fatalf("SendMessage() = %v, %v", res, err)
	}
	if got := s.received()[0].GetTenant(); got != "north" {
		t.Errorf("the agent got tenant %q, want its own", got)
	}
	if _, err := c.SendMessage(as("scrim_guest"), asking("m-2", "a2a/desk/north", "hello")); err != nil {
		t.Errorf("the agent's own tenant named: %v", err)
	}
	calls := len(s.received())
	twice := asking("m-3", "a2a/desk", "hello")
	twice.ProtoReflect().SetUnknown(protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "a2a/partner")) // the last one counts
	for name, call := range map[string]struct {
		ctx  context.Context
		req  *a2apb.SendMessageRequest
		want codes.Code
	}{
		"no tenant":                        {as("scrim_guest"), asking("x-1", "", "Zanzibar"), codes.NotFound},
		"the agent's name alone":           {as("scrim_guest"), asking("x-2", "desk", "Zanzibar"), codes.NotFound},
		"an agent of the other face":       {as("scrim_guest"), asking("x-3", "a2a/partner", "Zanzibar"), codes.NotFound},
		"the other face, for a stranger":   {as("scrim_guest"), asking("x-4", "out/a2a/partner", "Zanzibar"), codes.NotFound},
		"an agent that is not there":       {as("scrim_guest"), asking("x-5", "a2a/nobody", "Zanzibar"), codes.NotFound},
		"another tenant of the agent":      {as("scrim_guest"), asking("x-6", "a2a/desk/south", "Zanzibar"), codes.InvalidArgument},
		"a way up":                         {as("scrim_guest"), asking("x-7", "a2a/../out/a2a/partner", "Zanzibar"), codes.NotFound},
		"two tenants":                      {as("scrim_guest"), twice, codes.NotFound},
		"nobody":                           {metadata.AppendToOutgoingContext(context.Background(), "a2a-version", "1.0"), asking("x-8", "a2a/desk", "Zanzibar"), codes.Unauthenticated},
		"somebody else's key":              {as("scrim_other"), asking("x-9", "a2a/desk", "Zanzibar"), codes.Unauthenticated},
		"no version, which is 0.3":         {metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer scrim_guest"), asking("x-10", "a2a/desk", "Zanzibar"), codes.FailedPrecondition},
		"the same id for something else":   {as("scrim_guest"), asking("m-1", "a2a/desk", "Zanzibar"), codes.AlreadyExists},
		"a role that is none":              {as("scrim_guest"), &a2apb.SendMessageRequest{Tenant: "a2a/desk", Message: &a2apb.Message{MessageId: "x", Role: 77}}, codes.InvalidArgument},
		"a part without content":           {as("scrim_guest"), &a2apb.SendMessageRequest{Tenant: "a2a/desk", Message: &a2apb.Message{MessageId: "x", Role: 1, Parts: []*a2apb.Part{{}}}}, codes.InvalidArgument},
		"an id that is a whole sentence x": {as("scrim_guest"), asking("an id of Zanzibar", "a2a/desk", "x"), codes.InvalidArgument},
	} {
		_, err := c.SendMessage(call.ctx, call.req)
		if got := status.Code(err); got != call.want || strings.Contains(fmt.Sprint(err), "Zanzibar") {
			t.Errorf("%s: error = %v, want %s", name, err, call.want)
		}
	}
	if n := len(s.received()); n != calls {
		t.Errorf("the agent was called %d times more", n-calls)
	}
}

func TestUnknownFieldsOfGRPC(t *testing.T) {
	extra := protowire.AppendString(protowire.AppendTag(nil, 9000, protowire.BytesType), "Zanzibar")
	s := &service{}
	s.answer = func(req *a2apb.SendMessageRequest) (*a2apb.SendMessageResponse, error) {
		res, err := done("Done.")(req)
		res.ProtoReflect().SetUnknown(extra)
		res.GetMessage().Parts[0].ProtoReflect().SetUnknown(extra)
		return res, err
	}
	t.Run("undeclared", func(t *testing.T) {
		c := s.served(t, "", nil).dial(t)
		res, err := c.SendMessage(as("scrim_guest"), asking("m-1", "a2a/desk", "hello"))
		if err != nil || len(unknown(res)) > 0 || len(unknown(res.GetMessage().Parts[0])) > 0 {
			t.Errorf("an answer with unknown fields = %v, %v, want it without", res, err)
		}
		calls := len(s.received())
		req := asking("m-2", "a2a/desk", "hello")
		req.Message.Parts[0].ProtoReflect().SetUnknown(extra)
		if _, err := c.SendMessage(as("scrim_guest"), req); status.Code(err) != codes.PermissionDenied || strings.Contains(err.Error(), "Zanzibar") || len(s.received()) != calls {
			t.Errorf("a request with unknown fields: error = %v, want it refused", err)
		}
	})
	t.Run("public", func(t *testing.T) {
		c := s.served(t, "", func(setup *gatewaytest.Setup) {
			open("desk", "/**")(setup)
			setup.Transparent = []gateway.Transparent{{Agent: "*", Path: "/**"}}
		}).dial(t)
		req := asking("m-3", "a2a/desk", "hello")
		req.Message.Parts[0].ProtoReflect().SetUnknown(extra)
		res, err := c.SendMessage(as("scrim_key"), req)
		if err != nil || !bytes.Equal(unknown(res), extra) || !bytes.Equal(unknown(res.GetMessage().Parts[0]), extra) {
			t.Errorf("answer = %v, %v, want unknown fields kept", res, err)
		}
		got := s.received()
		if last := got[len(got)-1]; !bytes.Equal(unknown(last.Message.Parts[0]), extra) || last.GetTenant() != "" {
			t.Errorf("the agent got %v, want unknown fields kept and no tenant", last)
		}
	})
}

// frames sends bytes to a method over HTTP/2, and returns the status that comes of it.
func (r *town) frames(t *testing.T, method string, body []byte, header ...string) (code string, text string) {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.base+a2a.GRPCPath+method, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Content-Type": "application/grpc", "TE": "trailers", "A2A-Version": "1.0", "Authorization": "Bearer scrim_guest"} {
		req.Header.Set(k, v)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != 200 {
		return fmt.Sprint("HTTP ", res.StatusCode), string(b)
	}
	return res.Trailer.Get("Grpc-Status"), res.Trailer.Get("Grpc-Message")
}

func frame(flag byte, size int, message []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{flag}, uint32(size)), message...)
}

// What is not one plain message of gRPC is refused before it is read, and the next call is answered.
func TestFramesThatAreNotAMessage(t *testing.T) {
	s := &service{answer: done("Done.")}
	r := s.served(t, "", nil)
	good, err := proto.Marshal(asking("m", "a2a/desk", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	whole := frame(0, len(good), good)
	for name, c := range map[string]struct {
		method string
		body   []byte
		header []string
		want   string
	}{
		"nothing":                 {"SendMessage", nil, nil, "3"},
		"half a head":             {"SendMessage", []byte{0, 0}, nil, "3"},
		"half a message":          {"SendMessage", frame(0, len(good), good[:3]), nil, "3"},
		"a length of 4 GB":        {"SendMessage", frame(0, 1<<32-1, good), nil, "8"},
		"a length over the limit": {"SendMessage", frame(0, 5<<20, good), nil, "8"},
		"compressed":              {"SendMessage", frame(1, len(good), good), []string{"Grpc-Encoding", "gzip"}, "3"},
		"compressed, unsaid":      {"SendMessage", frame(1, len(good), good), nil, "3"},
		"encoded, it says":        {"SendMessage", whole, []string{"Grpc-Encoding", "gzip"}, "3"},
		"two messages":            {"SendMessage", append(append([]byte(nil), whole...), whole...), nil, "3"},
		"something behind it":     {"SendMessage", append(append([]byte(nil), whole...), 0), nil, "3"},
		"no message":              {"SendMessage", frame(0, 3, []byte{0xff, 0xff, 0xff}), nil, "3"},
		"an empty message":        {"SendMessage", frame(0, 0, nil), nil, "5"},
		"no method":               {"Zanzibar", whole, nil, "12"},
		"a method's path":         {"SendMessage/../GetTask", whole, nil, "HTTP 307"},
		"a slash in disguise":     {"x%2FSendMessage", whole, nil, "12"},
		"another codec":           {"SendMessage", whole, []string{"Content-Type", "application/grpc+json"}, "HTTP 415"},
		"gRPC-Web":                {"SendMessage", whole, []string{"Content-Type", "application/grpc-web"}, "HTTP 415"},
		"no time":                 {"SendMessage", whole, []string{"Grpc-Timeout", "1n"}, "13"},
	} {
		code, text := r.frames(t, c.method, c.body, c.header...)
		if code != c.want || strings.Contains(text, "Zanzibar") {
			t.Errorf("%s: status %s %q, want %s", name, code, text, c.want)
		}
	}
	if n := len(s.received()); n != 0 {
		t.Errorf("the agent was called %d times", n)
	}
	if code, text := r.frames(t, "SendMessage", whole); code != "0" {
		t.Errorf("afterwards: status %s %q", code, text)
	}
	res, err := http.Post(r.base+a2a.GRPCPath+"SendMessage", "application/grpc", bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusHTTPVersionNotSupported {
		t.Errorf("over HTTP/1.1: %d", res.StatusCode)
	}
	if _, err := r.dial(t).SendMessage(as("scrim_guest"), asking("z", "a2a/desk", "hello"), grpc.UseCompressor(gzip.Name)); err == nil {
		t.Error("a compressed call was taken")
	}
}

func piece(text string, more bool) *a2apb.StreamResponse {
	return &a2apb.StreamResponse{Payload: &a2apb.StreamResponse_ArtifactUpdate{ArtifactUpdate: &a2apb.TaskArtifactUpdateEvent{
		TaskId: "t", ContextId: "c", Append: more, Artifact: &a2apb.Artifact{ArtifactId: "a", Parts: []*a2apb.Part{{Content: &a2apb.Part_Text{Text: text}}}},
	}}}
}

var finished = &a2apb.StreamResponse{Payload: &a2apb.StreamResponse_StatusUpdate{StatusUpdate: &a2apb.TaskStatusUpdateEvent{TaskId: "t", ContextId: "c", Status: &a2apb.TaskStatus{State: a2apb.TaskState_TASK_STATE_COMPLETED}}}}

// drain reads a stream to its end.
func drain(t *testing.T, c a2apb.A2AServiceClient, id string) (text string, last error) {
	t.Helper()
	stream, err := c.SendStreamingMessage(as("scrim_guest"), asking(id, "a2a/desk", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	for {
		ev, err := stream.Recv()
		if err != nil {
			return text, err
		}
		for _, p := range ev.GetArtifactUpdate().GetArtifact().GetParts() {
			text += p.GetText()
		}
	}
}

func TestStreamOverGRPC(t *testing.T) {
	s := &service{stream: func(out grpc.ServerStreamingServer[a2apb.StreamResponse]) error {
		for i, text := range []string{"Write to jane.", "doe@exam", "ple.org, ", "not to others."} {
			if err := out.Send(piece(text, i > 0)); err != nil {
				return err
			}
		}
		return out.Send(finished)
	}}
	r := s.served(t, "", nil)
	text, err := drain(t, r.dial(t), "s-1")
	if err != io.EOF || !strings.HasPrefix(text, "Write to [email ") || !strings.HasSuffix(text, ", not to others.") {
		t.Errorf("text = %q, %v", text, err)
	}
	var outcomes []string
	for _, ev := range r.Events() {
		outcomes = append(outcomes, string(ev.Outcome))
	}
	if got := strings.Join(outcomes, " "); !strings.HasPrefix(got, "released opened segment") || !strings.HasSuffix(got, "segment closed") {
		t.Errorf("outcomes = %s", got)
	}
	if again, err := drain(t, r.dial(t), "s-1"); again != text || err != io.EOF {
		t.Errorf("retry = %q, %v, want the same text", again, err)
	}
}

// What was sent before an agent died is on record as sent, and the caller is told that there is no more.
func TestAgentsOfGRPCThatDie(t *testing.T) {
	t.Run("with a status", func(t *testing.T) {
		s := &service{stream: func(out grpc.ServerStreamingServer[a2apb.StreamResponse]) error {
			_ = out.Send(piece("one two three ", false))
			return status.Error(codes.ResourceExhausted, "ask jane.doe@example.org")
		}}
		r := s.served(t, "", nil)
		text, err := drain(t, r.dial(t), "s-1")
		if status.Code(err) != codes.ResourceExhausted || strings.Contains(gatewaytest.Said(err.Error()), "jane") || !strings.Contains(err.Error(), "[email ") || !strings.HasPrefix(text, "one") {
			t.Errorf("text = %q, error = %v", text, err)
		}
	})
	t.Run("before the first message", func(t *testing.T) {
		s := &service{stream: func(grpc.ServerStreamingServer[a2apb.StreamResponse]) error {
			return status.Error(codes.NotFound, "no")
		}}
		r := s.served(t, "", nil)
		if _, err := drain(t, r.dial(t), "s-1"); status.Code(err) != codes.NotFound {
			t.Errorf("error = %v, want NotFound", err)
		}
		if code, body := r.rest(t, http.MethodPost, "/a2a/desk/message:stream", restMessage); code != 404 {
			t.Errorf("over HTTP+JSON: %d %s, want 404", code, body)
		}
	})
	for name, answer := range map[string]http.HandlerFunc{
		"with the connection": func(w http.ResponseWriter, _ *http.Request) {
			b, _ := proto.Marshal(piece("one ", false))
			_, _ = w.Write(frame(0, len(b), b))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"within a message":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(frame(0, 100, []byte{1})) },
		"without a status":   func(w http.ResponseWriter, _ *http.Request) {},
		"with a bomb":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(frame(1, 4, []byte{1, 2, 3, 4})) },
		"with a huge length": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(frame(0, 1<<31, nil)) },
		"with nonsense":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(frame(0, 2, []byte{0xff, 0xff})) },
		"as a web page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "Zanzibar")
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/grpc")
				answer(w, r)
			}))
			srv.Config.Protocols = new(http.Protocols)
			srv.Config.Protocols.SetUnencryptedHTTP2(true)
			srv.Start()
			t.Cleanup(srv.Close)
			r := at(t, grpcCard(t, strings.TrimPrefix(srv.URL, "http://"), ""), nil)
			_, err := drain(t, r.dial(t), "s-1")
			if c := status.Code(err); err == io.EOF || c == codes.OK || strings.Contains(err.Error(), "Zanzibar") {
				t.Errorf("error = %v, want one", err)
			}
			events := r.Events()
			if last := events[len(events)-1]; last.Outcome == flow.Closed && last.Reason == "" || last.Outcome == flow.Released {
				t.Errorf("last row = %s %q", last.Outcome, last.Reason)
			}
			if _, err := r.dial(t).SendMessage(as("scrim_guest"), asking("m-2", "a2a/desk", "hello")); status.Code(err) == codes.OK {
				t.Errorf("a whole answer of such an agent was taken")
			}
		})
	}
}
