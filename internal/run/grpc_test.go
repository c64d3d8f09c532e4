package run_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2apb/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/scrimhq/scrim/internal/run"
)

// gRPC's own client is served on the port of all other calls, streams as they come, and limits as everybody has.
func TestGRPCIsServedOnTheDataPort(t *testing.T) {
	open := make(chan struct{})
	tw := settle(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(b), "Streaming") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"jsonrpc":"2.0","id":1,"result":{"message":{"messageId":"r","role":"ROLE_AGENT","parts":[{"text":"pong"}]}}}`)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range 2 {
			_, _ = fmt.Fprintf(w, "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"artifactUpdate\":{\"taskId\":\"t\",\"contextId\":\"c\",\"artifact\":{\"artifactId\":\"a%d\",\"parts\":[{\"text\":\"piece\"}]},\"lastChunk\":true}}}\n\n", i)
			_ = http.NewResponseController(w).Flush()
			if i == 0 {
				<-open
			}
		}
	}), "limits: {body: 64KiB}", run.Options{})
	conn, err := grpc.NewClient(tw.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := a2apb.NewA2AServiceClient(conn)
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+tw.key.Expose(), "a2a-version", "1.0"), 2*time.Minute)
	defer cancel()
	ask := func(id, text string) *a2apb.SendMessageRequest {
		return &a2apb.SendMessageRequest{Tenant: "a2a/scribe", Message: &a2apb.Message{MessageId: id, Role: a2apb.Role_ROLE_USER, Parts: []*a2apb.Part{{Content: &a2apb.Part_Text{Text: text}}}}}
	}
	for i := range 3 {
		res, err := c.SendMessage(ctx, ask(fmt.Sprint("m-", i), "ping"))
		if err != nil || res.GetMessage().GetParts()[0].GetText() != "pong" {
			t.Fatalf("SendMessage() = %v, %v", res, err)
		}
	}
	if _, err := c.SendMessage(ctx, ask("m-big", strings.Repeat("word ", 20_000))); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a message over the limit: %v, want ResourceExhausted", err)
	}
	stream, err := c.SendStreamingMessage(ctx, ask("s-1", "ping"))
	if err != nil {
		t.Fatal(err)
	}
	if ev, err := stream.Recv(); err != nil || ev.GetArtifactUpdate().GetArtifact().GetParts()[0].GetText() != "piece" {
		t.Fatalf("the first event = %v, %v, want it before the second is sent", ev, err)
	}
	close(open)
	if ev, err := stream.Recv(); err != nil || ev.GetArtifactUpdate().GetArtifact().GetArtifactId() != "a1" {
		t.Fatalf("the second event = %v, %v", ev, err)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("the end = %v, want EOF", err)
	}
}
