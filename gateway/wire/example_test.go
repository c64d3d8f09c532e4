package wire_test

import (
	"fmt"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
)

// The method chooses the table, and the table says what each value is.
func Example() {
	src := []byte(`{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{
		"messageId":"m-1","role":"ROLE_USER","parts":[{"text":"Is Ann Lee covered?"},{"data":{"patient":{"born":"1980-02-03"}}}]}}}`)
	var doc json.Doc
	if err := doc.Parse(src, nil, json.Limits{}); err != nil {
		panic(err)
	}
	rpc, err := wire.ReadRPC(&doc)
	if err != nil {
		panic(err)
	}
	table, ok := wire.For("a2a", wire.A2A10, rpc.Method, flow.Request, false)
	if !ok {
		panic("not carried")
	}
	table.Place(&doc)
	for n, node := range doc.Nodes {
		if role := table.Role(node.State); role.Content() && node.Kind == json.String {
			fmt.Println(role, doc.Pointer(n, nil))
		}
	}
	// Output:
	// Text /params/message/parts/0/text
	// Data /params/message/parts/1/data/patient/born
}
