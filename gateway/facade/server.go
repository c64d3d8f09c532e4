package facade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	fast "github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// maxMessage bounds a message, which the gateway bounds before.
const maxMessage = 4 << 20

// Codes of JSON-RPC.
const (
	codeMethod  = -32601
	codeInvalid = -32602
	codeFailed  = -32603
)

// ServeHTTP implements [http.Handler]: MCP over streamable HTTP, without sessions. It answers nobody but the gateway.
func (f *Facade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, ok := gateway.Admitted(r.Context()).(*admitted)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	if !ok || a.f != f {
		http.Error(w, "only the gateway calls here", http.StatusForbidden)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxMessage))
	if err != nil {
		http.Error(w, "the message broke off", http.StatusBadRequest)
		return
	}
	d := fast.Borrow()
	defer d.Return()
	if err := d.Parse(body, nil, fast.Limits{Bytes: maxMessage}); err != nil {
		http.Error(w, "not a message", http.StatusBadRequest)
		return
	}
	rpc, err := wire.ReadRPC(d)
	if err != nil || rpc.Kind != wire.Call {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	out := append([]byte(`{"jsonrpc":"2.0","id":`), rpc.ID...)
	result, code, text := a.answer(r.Context(), d, rpc)
	if code != 0 {
		out = append(out, `,"error":`...)
		out = append(out, must(object{"code": code, "message": text})...)
	} else {
		out = append(append(out, `,"result":`...), result...)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(out, '}')) // it goes to memory
}

// must encodes what always can be.
func must(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers
	}
	return b
}

func (a *admitted) answer(ctx context.Context, d *fast.Doc, rpc wire.RPC) (result []byte, code int, text string) {
	switch rpc.Method {
	case "initialize":
		return must(object{"protocolVersion": a.e.Version, "capabilities": object{"tools": object{}}, "serverInfo": object{"name": string(a.f.opt.Server), "version": "1"}}), 0, ""
	case "server/discover":
		return must(object{
			"supportedVersions": wire.MCPVersions(), "capabilities": object{"tools": object{}}, "serverInfo": object{"name": string(a.f.opt.Server), "version": "1"},
			"resultType": "complete", "ttlMs": 0, "cacheScope": "private",
		}), 0, ""
	case "ping":
		return []byte("{}"), 0, ""
	case "tools/list":
		return a.list(), 0, ""
	case "tools/call":
		result, err := a.call(ctx, d, rpc)
		if err == nil {
			return result, 0, ""
		}
		if errors.Is(err, ErrSource) || errors.Is(err, ErrChanged) {
			a.e.Gateway.Fault(fmt.Errorf("facade %s, tool %s: %w", a.f.opt.Server, a.e.Tool, err))
			return nil, codeFailed, said(err)
		}
		return nil, codeInvalid, said(err)
	}
	return nil, codeMethod, "This method is not carried."
}

// said is what a caller is told: nothing that depends on a value.
func said(err error) string {
	if r, ok := errors.AsType[*gateway.Refusal](err); ok {
		return r.Text()
	}
	switch {
	case errors.Is(err, errCursor):
		return "The cursor is not one of this question for this caller; ask for the first page again."
	case errors.Is(err, ErrChanged):
		return "The source is not as the data contract says. Whoever operates the gateway has to look at it."
	case errors.Is(err, context.DeadlineExceeded):
		return "The source took too long. Ask for less, or by the key."
	case errors.Is(err, ErrSource):
		return "The source did not answer."
	}
	return "The arguments are not acceptable."
}

// list describes the tools of tables of which the caller is shown something, with the columns that it may use.
func (a *admitted) list() []byte {
	tools := []any{}
	for _, t := range a.f.tables {
		s := a.sights[t.Name]
		if !slices.ContainsFunc(s, func(s sight) bool { return s.seen }) {
			continue
		}
		keyed := true
		for _, i := range t.key {
			keyed = keyed && s[i].token
		}
		for _, op := range operations {
			if op == get && !keyed {
				continue // it could not be called
			}
			tools = append(tools, object{
				"name": t.tool(op), "description": describe[op] + " of " + t.Name + ".", "inputSchema": t.input(op, s, a.f.opt.Rows), "outputSchema": t.output(s),
				"annotations": object{"readOnlyHint": true, "openWorldHint": false},
			})
		}
	}
	out := object{"tools": tools}
	if a.e.Version == wire.MCP20260728 {
		out["resultType"], out["ttlMs"], out["cacheScope"] = "complete", 0, "private"
	}
	return must(out)
}

var describe = map[operation]string{
	get:    "One row by its key",
	list:   "All rows, page by page,",
	search: "Rows that meet all conditions, page by page,",
}

// call answers one call of a tool.
func (a *admitted) call(ctx context.Context, d *fast.Doc, rpc wire.RPC) ([]byte, error) {
	t, op := a.f.named(a.e.Tool)
	if t == nil || rpc.Params < 0 {
		return nil, errValue
	}
	n := -1
	if m, ok := d.Member(rpc.Params, "arguments"); ok {
		n = m
	}
	q, err := t.read(d, n, op, a.f.opt.Rows)
	if err != nil {
		return nil, err
	}
	data, err := a.rows(ctx, t, q, op)
	if err != nil {
		return nil, err
	}
	structured := a.e.Version != wire.MCP20241105 && a.e.Version != wire.MCP20250326
	out := []byte(`{`)
	if a.e.Version == wire.MCP20260728 {
		out = append(out, `"resultType":"complete",`...)
	}
	out = append(out, `"content":[`...)
	if !a.e.Bare || !structured {
		out = append(out, `{"type":"text","text":`...)
		out = append(fast.AppendString(out, string(data)), '}')
	}
	out = append(out, ']')
	if structured {
		out = append(append(out, `,"structuredContent":`...), data...)
	}
	return append(out, '}'), nil
}

// rows reads what was asked for, and writes it as JSON.
func (a *admitted) rows(ctx context.Context, t *table, q *asked, op operation) ([]byte, error) {
	query, some, err := a.query(t, q, op)
	if err != nil {
		return nil, err
	}
	shown := a.shown(t, q)
	if !some {
		return []byte(`{"rows":[]}`), nil
	}
	query.Limit = min(query.Limit, max(1, a.f.opt.Cells/len(shown)))
	read, watched := slices.Clone(shown), a.watched(t, q, op)
	for _, i := range watched {
		if !slices.Contains(read, i) {
			read = append(read, i)
		}
	}
	for _, i := range read {
		query.Columns = append(query.Columns, t.columns[i].source)
	}
	rows, more, err := a.visible(ctx, t, query, watched, read)
	if err != nil {
		return nil, err
	}
	out, odd := []byte(`{"rows":[`), 0
	for i := range rows {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, '{')
		for j, c := range shown {
			if j > 0 {
				out = append(out, ',')
			}
			out = append(fast.AppendString(out, t.columns[c].name), ':')
			out = t.columns[c].appendTo(out, rows[i].Cells[j])
			if rows[i].Cells[j].Odd {
				odd++
			}
		}
		out = append(out, '}')
	}
	out = append(out, ']')
	if odd > 0 {
		out = append(out, `,"odd":`...)
		out = append(out, must(odd)...)
	}
	if more && op != get && len(rows) > 0 {
		cursor, err := a.seal(t, q, query, rows[len(rows)-1].At)
		if err != nil {
			return nil, err
		}
		out = fast.AppendString(append(out, `,"next":`...), cursor)
	}
	return append(out, '}'), nil
}

// shown are the columns of an answer: those asked for, or all, of which the caller is shown anything.
func (a *admitted) shown(t *table, q *asked) []int {
	var out []int
	for i := range t.columns {
		if a.sights[t.Name][i].seen && q.columns == nil {
			out = append(out, i)
		}
	}
	if q.columns != nil {
		out = q.columns
	}
	return out
}

// watched are the columns by which rows were chosen or put in order. A value of them that is hidden for what it looks like
// must not be found out by asking for it.
func (a *admitted) watched(t *table, q *asked, op operation) []int {
	var out []int
	add := func(i int) {
		if a.sights[t.Name][i].asked && !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	for _, w := range q.where {
		add(w.column)
	}
	for _, o := range q.order {
		add(o.column)
	}
	for _, i := range t.key {
		if op != get && a.open(t) {
			add(i)
		}
	}
	return out
}

// maxRounds bounds how often the source is asked for one page, where rows have to be left out.
const maxRounds = 20

// visible reads a page of rows that need not be left out. It is as it would be if the others were not there: a page that
// is short, or that goes on with nothing, would tell of them. So it reads on until it has one row more than fits. Where
// there are hardly any others it ends as if they were the last.
func (a *admitted) visible(ctx context.Context, t *table, query *Query, watched, read []int) (rows []Row, more bool, err error) {
	if len(watched) == 0 {
		return a.f.opt.Source.Select(ctx, query)
	}
	part, limit := *query, query.Limit
	part.Limit++
	for range maxRounds {
		got, more, err := a.f.opt.Source.Select(ctx, &part)
		if err != nil {
			return nil, false, err
		}
		for i := range got {
			hidden, err := a.hidden(ctx, t, watched, read, got[i].Cells)
			if err != nil {
				return nil, false, err
			}
			if hidden {
				continue
			}
			if len(rows) == limit {
				return rows, true, nil
			}
			rows = append(rows, got[i])
		}
		if !more || len(got) == 0 || len(query.Order) == 0 {
			return rows, false, nil
		}
		for i := range got {
			for _, c := range got[i].Cells {
				part.Bytes -= len(c.Text)
			}
		}
		if part.Bytes <= 0 && len(rows) > 0 {
			part.Bytes, part.Limit = 1, 1 // whether there is another row
			limit = len(rows)
		}
		part.After = got[len(got)-1].At
	}
	return rows, false, nil
}

// hidden reports whether a row must be left out: a column by which it was chosen holds something else than its label says.
func (a *admitted) hidden(ctx context.Context, t *table, watched, read []int, cells []Cell) (bool, error) {
	for _, i := range watched {
		c := cells[slices.Index(read, i)]
		if c.Odd { // it is not shown, and would be found by what it is all the same
			return true, nil
		}
		if c.Null || len(c.Text) < shortest || t.columns[i].source.Kind == Truth {
			continue
		}
		if hidden, err := a.e.Hidden(ctx, t.columns[i].leaf(), c.Text); hidden || err != nil {
			return hidden, err
		}
	}
	return false, nil
}

// shortest is how long a value is that can look like anything.
const shortest = 5

// appendTo writes a value as JSON.
func (c *column) appendTo(dst []byte, v Cell) []byte {
	switch {
	case v.Null:
		return append(dst, "null"...)
	case c.named, c.source.Kind == Text, c.source.Kind == Date, c.source.Kind == Moment:
		return fast.AppendString(dst, v.Text)
	}
	return append(dst, v.Text...)
}
