package facade

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	fast "github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/gateway/mcp"
)

// Path is where facades are found over REST.
const Path = "/facade/"

// REST is facades for callers who speak plain HTTP: /facade/{server}/{table} is the tool search, with a key after it
// get, and /facade/{server}/openapi.json describes what the caller may use. Each request is one call of a tool, and on
// record as such. It is safe for concurrent use.
type REST struct {
	Gateway *gateway.Gateway
	MCP     *mcp.Handler // of the inbound face
}

// unasked puts on record that an address cannot be asked, once it is known who asks: what strangers send is on record as such, and
// bounded.
func (h *REST) unasked(r *http.Request, s *gateway.Snapshot, err error) error {
	f := flow.Flow{ID: gateway.NewFlowID(), Protocol: "mcp", Direction: flow.Request}
	caller, _, unknown := h.Gateway.Identify(r.Context(), s, r)
	if unknown == nil {
		f.From = caller.Party
		unknown = h.Gateway.Admit(r.Context(), s, caller.Party)
	}
	if unknown != nil {
		err = unknown
	}
	return h.Gateway.Refused(r.Context(), s, f, err)
}

// maxAddress bounds what an address says.
const maxAddress = 16 << 10

// ServeHTTP implements [http.Handler].
func (h *REST) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := h.Gateway.Snapshot()
	fail := func(err error) { h.failed(w, r, s, err) }
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	server, rest, err := address(r)
	if err != nil {
		fail(h.unasked(r, s, err))
		return
	}
	if len(rest) == 1 && rest[0] == "openapi.json" {
		result, err := h.MCP.Direct(r, server, "tools/list", []byte("{}"))
		if err != nil {
			fail(err)
			return
		}
		body, err := openAPI(s.PublicURL, server, result)
		if err != nil {
			fail(err)
			return
		}
		answered(w, body)
		return
	}
	op := search
	if len(rest) > 1 {
		op = get
	}
	params, err := call(s, server, rest, op, r.URL.RawQuery)
	if err != nil {
		fail(h.unasked(r, s, err))
		return
	}
	result, err := h.MCP.Direct(r, server, "tools/call", params)
	if err != nil {
		fail(err)
		return
	}
	body, err := plain(result, op)
	if err != nil {
		fail(err)
		return
	}
	answered(w, body)
}

// address reads whose table is meant, and after it a key.
func address(r *http.Request) (server flow.AgentID, rest []string, err error) {
	if len(r.URL.RawQuery)+len(r.URL.Path) > maxAddress {
		return "", nil, gateway.Refuse(gateway.RuleTooBig, nil, "The address is longer than %d bytes.", maxAddress)
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), Path), "/")
	for i := range parts {
		if parts[i], err = url.PathUnescape(parts[i]); err != nil {
			return "", nil, gateway.Refuse(gateway.RuleMalformed, nil, "The address cannot be read.")
		}
	}
	if len(parts) < 2 || parts[1] == "" {
		return "", nil, gateway.Refuse(gateway.RuleFace, nil, "There is nothing at this address.")
	}
	return flow.AgentID(parts[0]), parts[1:], nil
}

// call makes a call of a tool from an address. What the table does not have goes into it all the same, so that it is
// refused where everything is.
func call(s *gateway.Snapshot, server flow.AgentID, rest []string, op operation, query string) ([]byte, error) {
	given, err := url.ParseQuery(query)
	if err != nil {
		return nil, gateway.Refuse(gateway.RuleMalformed, nil, "The parameters of the address cannot be read.")
	}
	t := &table{Table: Table{Name: rest[0]}}
	if a := s.Agents[server]; a != nil {
		if f, ok := a.Inner.(*Facade); ok {
			if known, _ := f.named(rest[0] + "_" + string(op)); known != nil {
				t = known
			}
		}
	}
	args := object{}
	if op == get {
		key := object{}
		for i, v := range rest[1:] {
			name := "*" + strconv.Itoa(i) // one too many
			if i < len(t.key) {
				name = t.columns[t.key[i]].name
			}
			key[name] = t.written(name, v)
		}
		args["key"] = key
	}
	where := map[string]object{}
	for _, name := range sorted(given) {
		values := given[name]
		switch {
		case name == "select" || name == "order":
			if len(values) != 1 {
				return nil, twice()
			}
			list := []any{}
			for one := range strings.SplitSeq(values[0], ",") {
				if name == "order" {
					column, down := strings.CutPrefix(one, "-")
					list = append(list, object{"column": column, "descending": down})
				} else {
					list = append(list, one)
				}
			}
			args[map[string]string{"select": "columns", "order": "order"}[name]] = list
		case name == "limit" || name == "cursor":
			if len(values) != 1 {
				return nil, twice()
			}
			args[name] = any(values[0])
			if n, err := strconv.Atoi(values[0]); err == nil && name == "limit" {
				args[name] = n
			}
		default:
			if err := t.condition(where, name, values); err != nil {
				return nil, err
			}
		}
	}
	if len(where) > 0 {
		args["where"] = where
	}
	return json.Marshal(object{"name": t.tool(op), "arguments": args})
}

func twice() error {
	return gateway.Refuse(gateway.RulePlace, nil, "A parameter of the address is there more than once.")
}

// condition adds a parameter such as age.ge=18, or age=18.
func (t *table) condition(where map[string]object, name string, values []string) error {
	column, op := name, opNames[Equal]
	if i := strings.LastIndexByte(name, '.'); i >= 0 && slices.Contains(opNames[:], name[i+1:]) {
		column, op = name[:i], name[i+1:]
	}
	if where[column] == nil {
		where[column] = object{}
	}
	if _, ok := where[column][op]; ok {
		return twice()
	}
	switch {
	case op == opNames[OneOf]:
		list := []any{}
		for _, v := range values {
			list = append(list, t.written(column, v))
		}
		where[column][op] = list
	case len(values) != 1:
		return twice()
	case op == opNames[IsNull]:
		where[column][op] = truth(values[0])
	default:
		where[column][op] = t.written(column, values[0])
	}
	return nil
}

func truth(v string) any {
	switch v {
	case "true":
		return true
	case "false":
		return false
	}
	return v
}

// written is a value of an address as JSON has it, by the column's kind; what is none of the kind stays a text, and is refused as one.
func (t *table) written(column, v string) any {
	i := t.column(column)
	if i < 0 {
		return v
	}
	switch c := &t.columns[i]; {
	case c.named:
	case c.source.Kind == Truth:
		return truth(v)
	case c.source.Kind == Integer || c.source.Kind == Number:
		if n := json.Number(v); json.Valid([]byte(v)) && n != "" && strings.ContainsRune("-0123456789", rune(v[0])) {
			return n
		}
	}
	return v
}

var errNoRow = errors.New("there is no such row")

// plain takes the structured part and the privacy note out of a tool's result.
func plain(result []byte, op operation) ([]byte, error) {
	d := fast.Borrow()
	defer d.Return()
	if err := d.Parse(result, nil, fast.Limits{Bytes: len(result) + 1}); err != nil {
		return nil, err
	}
	n, ok := d.Member(0, "structuredContent")
	if !ok || d.Nodes[n].Kind != fast.Object {
		return nil, errors.New("an answer without its structured part")
	}
	out := slices.Clone(d.Raw(n))
	if op == get {
		rows, ok := d.Member(n, "rows")
		if !ok {
			return nil, errNoRow
		}
		out = nil
		for row := range d.Children(rows) {
			out = append(append([]byte(`{"row":`), d.Raw(row)...), '}')
		}
		if out == nil {
			return nil, errNoRow
		}
	}
	if meta, ok := d.Member(0, "_meta"); ok {
		out = append(append(append(out[:len(out)-1], `,"_meta":`...), d.Raw(meta)...), '}')
	}
	return out, nil
}

func answered(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // the caller may have gone; the record says released
}

// failed tells what there is in place of an answer (RFC 9457).
func (h *REST) failed(w http.ResponseWriter, r *http.Request, s *gateway.Snapshot, err error) {
	if _, ok := errors.AsType[*gateway.Refusal](err); ok {
		ask.Deny(w, r, s, err)
		return
	}
	p := ask.Problem{Status: http.StatusInternalServerError, Detail: "The gateway could not answer.", Rule: string(gateway.RuleInternal)}
	f, failure := errors.AsType[*mcp.Failure](err)
	switch {
	case errors.Is(err, errNoRow):
		p.Status, p.Detail, p.Rule = http.StatusNotFound, "There is no such row.", string(gateway.RulePlace)
	case failure && f.Invalid():
		p.Status, p.Detail, p.Rule = http.StatusBadRequest, f.Text, string(gateway.RulePlace)
	case failure:
		p.Status, p.Detail, p.Rule = http.StatusBadGateway, f.Text, string(gateway.RuleUpstream)
	default:
		h.Gateway.Fault(err)
	}
	p.Title = http.StatusText(p.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_, _ = w.Write(must(p))
}
