package json_test

import (
	"fmt"
	"io"
	"strings"

	"github.com/scrimhq/scrim/data/json"
)

// Change three values of a message and leave every other byte as it came.
func Example() {
	message := []byte(`{"patient": {"name": "Jane D\u00f6e", "mrn": "H-0042"}, "cost": 1240.50, "text": "Call Jane \u263a"}`)

	var doc json.Doc
	if err := doc.Parse(message, nil, json.Limits{}); err != nil {
		fmt.Println(err)
		return
	}
	patient, _ := doc.Member(0, "patient")
	name, _ := doc.Member(patient, "name")
	mrn, _ := doc.Member(patient, "mrn")
	text, _ := doc.Member(0, "text")

	edits := doc.Edit()
	edits.ReplaceText(name, "[person 1]")
	edits.Remove(mrn)
	edits.ReplaceSpans(text, []json.Span{{Start: 5, End: 9, Text: "[person 1]"}})
	out, err := edits.Apply(nil)
	fmt.Println(string(out), err)
	// Output: {"patient": {"name": "[person 1]"}, "cost": 1240.50, "text": "Call [person 1] \u263a"} <nil>
}

// A schema is a Matcher: while the document is parsed, each value gets the state of its place.
func ExampleMatcher() {
	var doc json.Doc
	err := doc.Parse([]byte(`{"to": ["jane@example.org", "joe@example.org"], "subject": "Hello"}`), addresses{}, json.Limits{})
	for n, node := range doc.Nodes {
		if node.State == address {
			fmt.Println(doc.Pointer(n, nil))
		}
	}
	fmt.Println(err)
	// Output:
	// /to/0
	// /to/1
	// <nil>
}

const (
	other json.State = iota
	root
	recipients
	address
)

type addresses struct{}

func (addresses) Root() json.State { return root }

func (addresses) Member(parent json.State, key []byte) json.State {
	if parent == root && string(key) == "to" {
		return recipients
	}
	return other
}

func (addresses) Element(parent json.State, index int) json.State {
	if parent == recipients {
		return address
	}
	return other
}

// Errors say where and why, and hold nothing of the input.
func ExampleError() {
	var doc json.Doc
	fmt.Println(doc.Parse([]byte(`{"name": "Jane", "n\u0061me": "Joe"}`), nil, json.Limits{}))
	// Output: json: member name given twice in one object at byte 17
}

func ExampleLines() {
	lines := json.NewLines(strings.NewReader("{\"id\":1}\n\n{\"id\":2, \"text\":\"too long\"}\n{\"id\":3}\n"), 10)
	for {
		line, err := lines.Next()
		if err == io.EOF {
			break
		}
		fmt.Println(string(line), err)
	}
	// Output:
	// {"id":1} <nil>
	//  json: too many bytes at byte 10
	// {"id":3} <nil>
}
