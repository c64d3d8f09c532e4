package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// payload makes requests and answers. Answers come in many variants, so that no cache knows every value.
type payload struct {
	opt     Options
	prose   bool     // answers are text, not structured
	answers [][]byte // results, without the envelope
	chunks  []string // of a streamed answer
}

const (
	variants = 64
	canary   = "canary." // begins the local part of every e-mail address
	end      = "that-is-all"
	firstID  = 10_000_000 // ids of one length keep requests of one length
)

func newPayload(opt Options) *payload {
	p := &payload{opt: opt, prose: opt.Scenario == "text" || opt.Scenario == "stream" || opt.Scenario == "streams"}
	for v := range variants {
		p.answers = append(p.answers, []byte(p.result(v)))
	}
	const parts = 10
	text := p.text(0)
	for i := range parts {
		p.chunks = append(p.chunks, text[i*len(text)/parts:(i+1)*len(text)/parts])
	}
	return p
}

// request is the body of the n-th call. Every call has an id of its own, so that none is a retry.
func (p *payload) request(n int, stream bool) []byte {
	id, message := firstID+n, fmt.Sprintf("m-%d-%d", os.Getpid(), firstID+n)
	const words = "Please see to it that all of it is there by the end of the month, and say so if it cannot be. "
	var items strings.Builder
	for i := range 6 {
		fmt.Fprintf(&items, `,{"sku":"AB-%04d","count":%d}`, i, i%7)
	}
	var head, tail string
	if p.opt.Protocol == "mcp" {
		head = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}},"name":"order","arguments":{"note":"`, id)
		tail = `","items":[` + items.String()[1:] + `]}}}`
	} else {
		method := "SendMessage"
		if stream {
			method = "SendStreamingMessage"
		}
		head = fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"%s","params":{"message":{"messageId":"%s","role":"ROLE_USER","parts":[{"text":"`, id, method, message)
		tail = `"},{"data":{"note":"standing order","items":[` + items.String()[1:] + `]}}]}}}`
	}
	pad := max(p.opt.Request-len(head)-len(tail), len(words))
	return []byte(head + strings.Repeat(words, pad/len(words)) + tail)
}

// answer is a response under the id of the call, given as on the wire.
func (p *payload) answer(n int, id []byte) []byte {
	return bytes.Join([][]byte{[]byte(`{"jsonrpc":"2.0","id":`), id, []byte(`,"result":`), p.answers[n%variants], []byte(`}`)}, nil)
}

// events are a streamed answer: the task, its text in chunks, its end.
func (p *payload) events(id []byte) [][]byte {
	wrap := func(result string) []byte {
		return []byte(`data: {"jsonrpc":"2.0","id":` + string(id) + `,"result":` + result + "}\n\n")
	}
	all := [][]byte{wrap(`{"task":{"id":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_WORKING"}}}`)}
	for i, text := range p.chunks {
		all = append(all, wrap(fmt.Sprintf(`{"artifactUpdate":{"taskId":"t-1","contextId":"c-1","artifact":{"artifactId":"a-1","parts":[{"text":%s}]},"append":%v,"lastChunk":%v}}`,
			strconv.Quote(text), i > 0, i == len(p.chunks)-1)))
	}
	return append(all, wrap(`{"statusUpdate":{"taskId":"t-1","contextId":"c-1","status":{"state":"TASK_STATE_COMPLETED"}}}`))
}

func (p *payload) result(variant int) string {
	content := `{"text":` + strconv.Quote(p.text(variant)) + `}`
	if !p.prose {
		content = `{"data":` + p.records(variant) + `}`
	}
	switch {
	case p.opt.Protocol != "mcp":
		return `{"message":{"messageId":"r-1","role":"ROLE_AGENT","parts":[` + content + `]}}`
	case p.prose:
		return `{"resultType":"complete","content":[{"type":"text",` + content[1:] + `]}`
	}
	return `{"resultType":"complete","content":[{"type":"text","text":"` + end + `"}],"structuredContent":` + content[len(`{"data":`):len(content)-1] + `}`
}

var givenNames = []string{"Jane", "Omar", "Lucia", "Piotr", "Amara", "Henrik", "Mei", "Tomas"}
var familyNames = []string{"Doe", "Haddad", "Moreno", "Nowak", "Okafor", "Larsen", "Chen", "Novak"}

func person(n int) (name, email, phone string) {
	name = givenNames[n%8] + " " + familyNames[n/8%8]
	return name, fmt.Sprintf("%s%05d@example.org", canary, n), fmt.Sprintf("+1 415 555 %04d", 100+n%9000)
}

// records is structured content with one finding in each record: half are named by the schema, half stand in a member
// whose label says less than the value is, and are found.
func (p *payload) records(variant int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"batch":"%s","records":[`, end)
	n := max(p.opt.Findings, 1)
	each := p.opt.Response / n
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		name, email, phone := person(variant*n + i)
		at := b.Len()
		fmt.Fprintf(&b, `{"id":"R-%06d","status":"open","quantity":%d,"amount":%d.5,"updated":"2026-11-%02dT10:00:00Z","city":"Lisbon"`, variant*1000+i, i%9+1, 100+i, i%28+1)
		switch {
		case p.opt.Findings == 0:
		case i%4 == 0:
			fmt.Fprintf(&b, `,"email":"%s"`, email)
		case i%4 == 1:
			fmt.Fprintf(&b, `,"contact":"%s"`, email)
		case i%4 == 2:
			fmt.Fprintf(&b, `,"name":"%s"`, name)
		default:
			fmt.Fprintf(&b, `,"contact":"%s"`, phone)
		}
		const words = "as agreed with the depot and on the usual terms "
		pad := max(each-(b.Len()-at)-len(`,"remark":""},`), 1)
		fmt.Fprintf(&b, `,"remark":"%s"}`, strings.Repeat(words, pad/len(words)+1)[:pad])
	}
	b.WriteString(`]}`)
	return b.String()
}

// text is prose with as many findings as asked for.
func (p *payload) text(variant int) string {
	var b strings.Builder
	n := max(p.opt.Findings, 1)
	each := (p.opt.Response - len(end)) / n
	for i := range n {
		_, email, phone := person(variant*n + i)
		at := b.Len()
		switch {
		case p.opt.Findings == 0:
		case i%2 == 0:
			fmt.Fprintf(&b, "Write to %s about it. ", email)
		default:
			fmt.Fprintf(&b, "Call %s in the morning. ", phone)
		}
		const words = "The delivery went out with the usual carrier and was signed for at the gate, so that nothing is left to do but to file the papers and wait. "
		pad := max(each-(b.Len()-at), 1)
		b.WriteString(strings.Repeat(words, pad/len(words)+1)[:pad])
	}
	return b.String() + end
}
