package a2a_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/a2aproject/a2a-go/v2/a2apb/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/scrimhq/scrim/gateway/a2a"
)

func textField(n protowire.Number, text string) []byte { return bytesField(n, []byte(text)) }

func bytesField(n protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), value)
}

func fields(all ...[]byte) []byte { return bytes.Join(all, nil) }

// framesAgent answers calls over gRPC with one message as it stands, and keeps what it is sent.
func framesAgent(t *testing.T, answer []byte) (address string, last func() string) {
	t.Helper()
	var mu sync.Mutex
	var got []byte
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = b
		mu.Unlock()
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(frame(0, len(answer), answer))
		w.Header().Set("Grpc-Status", "0")
	}))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://"), func() string {
		mu.Lock()
		defer mu.Unlock()
		return string(got)
	}
}

// answered sends a message to a method as it stands, and returns the bytes that come back.
func (r *town) answered(t *testing.T, method string, message []byte) string {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, r.base+a2a.GRPCPath+method, bytes.NewReader(frame(0, len(message), message)))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{
		"Content-Type": "application/grpc", "TE": "trailers", "A2A-Version": "1.0", "Authorization": "Bearer scrim_guest", "Scrim-Purpose": "care", "Scrim-Criticality": "routine",
	} {
		req.Header.Set(k, v)
	}
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.Trailer.Get("Grpc-Status") != "0" {
		t.Fatalf("status %s %q, %v", res.Trailer.Get("Grpc-Status"), res.Trailer.Get("Grpc-Message"), err)
	}
	return string(b)
}

// Protobuf reads over a value whose place a later one takes, and over what an entry of a map has no place for. Nobody
// decides on what nobody reads, so it must not leave.
func TestWhatProtobufReadsOverDoesNotLeave(t *testing.T) {
	const hidden = "jane.doe@example.org"
	said := func(part, more []byte) []byte { // of a message with one part
		return fields(protowire.AppendVarint(protowire.AppendTag(nil, 4, protowire.VarintType), 2), bytesField(5, part), more)
	}
	value := bytesField(2, textField(3, "v"))
	for name, message := range map[string][]byte{
		"a text before a text":       said(fields(textField(1, hidden), textField(1, "Done.")), nil),
		"raw bytes before a text":    said(fields(textField(2, hidden), textField(1, "Done.")), nil),
		"a member before its like":   said(textField(1, "Done."), bytesField(6, fields(bytesField(1, fields(textField(1, "note"), bytesField(2, textField(3, hidden)))), bytesField(1, fields(textField(1, "note"), value))))),
		"a field of no member":       said(textField(1, "Done."), bytesField(6, bytesField(1, fields(textField(1, "note"), value, textField(9, hidden))))),
		"a name before a name":       said(textField(1, "Done."), bytesField(6, bytesField(1, fields(textField(1, hidden), textField(1, "note"), value)))),
		"a kind of value before one": said(fields(bytesField(4, bytesField(1, textField(3, hidden))), textField(1, "Done.")), nil),
	} {
		t.Run(name, func(t *testing.T) {
			var plain a2apb.Message
			if err := proto.Unmarshal(message, &plain); err != nil || plain.GetParts()[0].GetText() != "Done." || strings.Contains(plain.String(), hidden) {
				t.Fatalf("the message reads %v, %v", &plain, err)
			}
			address, last := framesAgent(t, bytesField(2, message))
			change := open("desk", "/**") // metadata is undeclared otherwise
			if !strings.Contains(string(message), "note") {
				change = nil
			}
			r := at(t, grpcCard(t, address, ""), change)
			asked, err := proto.Marshal(asking("m-1", "a2a/desk", "hello"))
			if err != nil {
				t.Fatal(err)
			}
			got := r.answered(t, "SendMessage", asked)
			if !strings.Contains(got, "Done.") {
				t.Fatalf("answer = %q", got)
			}
			without(t, "the answer", got, hidden)
			r.answered(t, "SendMessage", fields(textField(1, "a2a/desk"), bytesField(2, message)))
			if !strings.Contains(last(), "Done.") {
				t.Errorf("the agent got %q", last())
			}
			without(t, "the request", last(), hidden)
		})
	}
}
