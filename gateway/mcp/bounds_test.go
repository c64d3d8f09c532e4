package mcp

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// What a server says to be remembered has an end, however it goes about it.
func TestWhatServersSayIsRememberedWithinBounds(t *testing.T) {
	long := strings.Repeat("n", 1<<20)
	s := &gateway.Snapshot{}
	var tools Tools
	tools.learn("s", []byte(`{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"`+long+`"}]}}`), s)
	if len(tools.seen["s"]) != 0 {
		t.Error("a tool of a megabyte's name is remembered")
	}
	wide := `{"type":"object","description":"` + strings.Repeat("x", 200<<10) + `"}`
	for n := range 200 {
		tools.learn("s", fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"t%d","inputSchema":%s}]}}`, n, wide), s)
	}
	held := func() (n int) {
		for _, l := range tools.seen["s"] {
			n += len(l.input) + len(l.output)
		}
		return n
	}
	if n := held(); n > maxServerBytes || n != tools.bytes["s"] || len(tools.seen["s"]) != 200 {
		t.Errorf("%d bytes of %d tools are remembered, %d counted", n, len(tools.seen["s"]), tools.bytes["s"])
	}
	for n := range 200 { // they shrink, and there is room again
		tools.learn("s", fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"t%d","inputSchema":{"type":"object"}}]}}`, n), s)
	}
	if n := held(); n != 200*len(`{"type":"object"}`) || n != tools.bytes["s"] {
		t.Errorf("%d bytes are remembered, %d counted", n, tools.bytes["s"])
	}

	var m memory
	m.learn("s", []byte(`{"jsonrpc":"2.0","id":1,"result":{"prompts":[{"name":"`+long+`"},{"name":"p","arguments":[{"name":"`+long+`","required":true}]}]}}`))
	if len(m.prompts["s"]) != 1 || len(m.prompts["s"]["p"]) > 2*maxPromptBytes {
		t.Errorf("%d prompts are remembered, one of %d bytes", len(m.prompts["s"]), len(m.prompts["s"]["p"]))
	}
	who := parties{agent: &gateway.Agent{Party: flow.Party{Agent: "s"}}}
	if m.task(who, long, "t"); len(m.tasks) != 0 {
		t.Error("a task of a megabyte's id is remembered")
	}

	b := inbox{ready: true}
	schema := strings.Repeat("s", 60<<10)
	for n := range maxQuestions {
		if err := b.put(fmt.Sprint(n), &asking{digest: [32]byte{byte(n)}, places: []places{{form, schema}}}); err != nil {
			t.Fatal(err)
		}
	}
	total := 0
	for _, a := range b.asked {
		total += a.size()
	}
	if total == 0 || total > maxAskedBytes || total != b.bytes {
		t.Errorf("unanswered questions hold %d bytes, %d counted", total, b.bytes)
	}
	for n := range maxQuestions {
		b.take(fmt.Sprint(n))
	}
	if b.bytes != 0 || b.take("0") != nil {
		t.Errorf("%d bytes are counted when all is answered", b.bytes)
	}
}
