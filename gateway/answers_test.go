package gateway

import (
	"bytes"
	"reflect"
	"testing"
)

func TestAnswersReadBackAsTheyWere(t *testing.T) {
	want := &Answer{Status: 200, Header: map[string]string{"X": "y"}, Body: []byte("\x00{\"not\": json"), Stream: true, Task: "t"}
	plain, err := want.encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeAnswer(plain); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("decodeAnswer() = %+v, %v; want %+v", got, err, want)
	}
	old, err := decodeAnswer([]byte(`{"status":200,"body":"aGk=","task":"t"}`))
	if err != nil || !bytes.Equal(old.Body, []byte("hi")) || old.Task != "t" {
		t.Errorf("an answer of an earlier version is read as %+v, %v", old, err)
	}
	for _, bad := range [][]byte{nil, {1}, {1, 9, '{'}, {1, 2, '{', 'x'}} {
		if _, err := decodeAnswer(bad); err == nil {
			t.Errorf("decodeAnswer(%q) error = nil", bad)
		}
	}
}
