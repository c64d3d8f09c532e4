package a2a_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// A whole answer says how long it is, also one that is longer than what the server gathers before it sends.
func TestAnswersSayTheirLength(t *testing.T) {
	long := strings.Repeat("well ", 4000)
	r := newTown(t, newAgent(t, answerWith(`{"message":{"messageId":"m-2","role":"ROLE_AGENT","parts":[{"text":"`+long+`"}]}}`)), nil)
	res, err := http.DefaultClient.Do(r.request(t, "/out/a2a/partner", "scrim_key", told("SendMessage", idMessage, "")))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || len(body) < len(long) {
		t.Fatalf("%d, %d bytes, %v", res.StatusCode, len(body), err)
	}
	if res.ContentLength != int64(len(body)) || len(res.TransferEncoding) > 0 {
		t.Errorf("announced %d bytes, transfer encoding %q, sent %d", res.ContentLength, res.TransferEncoding, len(body))
	}
}
