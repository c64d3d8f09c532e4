package inventory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"slices"
	"strings"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/data/catalog"
	rawjson "github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// Pipe is a program that speaks MCP over its standard input and output.
type Pipe struct {
	In   io.WriteCloser
	Out  io.ReadCloser
	Stop func() error
}

// MCP is the source whose assets are the tools and resources of an MCP server. Id is what contracts call the server.
//
// A tool is listed by the places that its schemas declare. Values are looked at only where the options say that tools are called, and
// then of those that say they only read and need no arguments; what a server says of itself is a claim, so that is for servers
// one trusts.
func MCP(id flow.AgentID, e Endpoint) (Source, error) {
	u, err := e.check()
	if err != nil {
		return nil, err
	}
	s := &mcpSource{id: id, name: "MCP server " + e.URL, at: catalog.Server{Type: "api", Location: e.URL}}
	client, asked := e.client(u)
	s.status = asked.status.Load
	s.connect = func(life context.Context) (sdk.Transport, func() error, error) {
		asked.life = life
		return &sdk.StreamableClientTransport{Endpoint: e.URL, HTTPClient: client, MaxRetries: -1, DisableStandaloneSSE: true, MaxEventSize: maxAnswer}, nil, nil
	}
	return s, nil
}

// MCPProgram is [MCP] for a program, which start starts. Name says which it is.
func MCPProgram(id flow.AgentID, name string, start func(context.Context) (Pipe, error)) Source {
	s := &mcpSource{id: id, name: "MCP server " + name, at: catalog.Server{Type: "custom", Description: "an MCP server over standard input and output"}}
	s.status = func() int64 { return 0 }
	s.connect = func(ctx context.Context) (sdk.Transport, func() error, error) {
		p, err := start(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: %w", errProgram, err)
		}
		return &sdk.IOTransport{Reader: p.Out, Writer: p.In, MaxLineLength: maxAnswer}, p.Stop, nil
	}
	return s
}

var errProgram = errors.New("the program does not start")

type mcpSource struct {
	id      flow.AgentID
	name    string
	at      catalog.Server
	status  func() int64
	connect func(context.Context) (sdk.Transport, func() error, error)
}

func (s *mcpSource) Name() string           { return s.name }
func (s *mcpSource) server() catalog.Server { return s.at }

const (
	closing      = time.Second
	maxTools     = 5000
	maxResources = 100_000 // that are counted
)

func (s *mcpSource) survey(ctx context.Context, o Options, give func(*draft) error) (err error) {
	life, end := context.WithCancel(ctx) // the session's, which outlives the call that opens it
	defer end()
	transport, stop, err := s.connect(life)
	if err != nil {
		return fault(s.name, "connecting", err, 0)
	}
	if stop != nil {
		defer func() { _ = stop() }() // it was asked for all there was to ask
	}
	client := sdk.NewClient(&sdk.Implementation{Name: "scrim", Version: "1"}, &sdk.ClientOptions{Logger: slog.New(slog.DiscardHandler), Capabilities: &sdk.ClientCapabilities{}})
	var session *sdk.ClientSession
	err = within(ctx, s.name, o.Each, func(ctx context.Context) (err error) {
		opened := make(chan error, 1) // a server that answers nothing must not hold the session's own context
		go func() {
			var err error
			session, err = client.Connect(life, transport, nil)
			opened <- err
		}()
		select {
		case err = <-opened:
		case <-ctx.Done():
			end()
			<-opened
			err = ctx.Err()
		}
		return err
	})
	if err != nil {
		return fault(s.name, "connecting", err, s.status())
	}
	defer func() {
		late := time.AfterFunc(closing, end) // a server need not answer a farewell
		defer late.Stop()
		_ = session.Close() // likewise
	}()
	return s.list(ctx, session, o, give)
}

func (s *mcpSource) list(ctx context.Context, session *sdk.ClientSession, o Options, give func(*draft) error) error {
	offers := session.InitializeResult().Capabilities
	if offers != nil && offers.Tools != nil {
		tools, err := s.tools(ctx, session, o)
		if err != nil {
			return err
		}
		for _, t := range tools {
			d := s.tool(t)
			if o.Call && harmless(t) {
				if err := s.call(ctx, session, t.Name, d, o); err != nil {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					d.Why, d.Failed = err.Error(), true
				}
			}
			if err := give(d); err != nil {
				return err
			}
		}
	}
	if offers != nil && offers.Resources != nil {
		return s.resources(ctx, session, o, give)
	}
	return nil
}

// tools lists them all before anything else is asked, in the order of the server. A name that comes twice is the first.
func (s *mcpSource) tools(ctx context.Context, session *sdk.ClientSession, o Options) (all []*sdk.Tool, err error) {
	err = within(ctx, s.name, o.Each, func(ctx context.Context) error {
		seen, pages := map[string]bool{}, 0
		for t, err := range session.Tools(ctx, nil) {
			if err != nil {
				return fault(s.name, "listing its tools", err, s.status())
			}
			if pages++; pages > maxTools {
				return fmt.Errorf("%s: lists more than %d tools", s.name, maxTools)
			}
			if !seen[t.Name] {
				seen[t.Name] = true
				all = append(all, t)
			}
		}
		return nil
	})
	return all, err
}

// tool is what the schemas of a tool declare.
func (s *mcpSource) tool(t *sdk.Tool) *draft {
	d := &draft{Asset: Asset{Name: t.Name, Kind: Tool, Agent: s.id, Columns: []Column{}}, name: t.Name}
	d.Columns = append(d.Columns, schemaColumns(t.InputSchema, "arguments")...)
	if t.OutputSchema != nil {
		d.Columns = append(d.Columns, schemaColumns(t.OutputSchema, "result")...)
	} else {
		d.Columns = append(d.Columns, Column{Name: "result", Why: "the tool does not say what it gives"})
	}
	return d
}

// harmless reports whether a tool says that it only reads, and takes no arguments that it must be given.
func harmless(t *sdk.Tool) bool {
	schema, _ := t.InputSchema.(map[string]any)
	required, _ := schema["required"].([]any)
	return t.Annotations != nil && t.Annotations.ReadOnlyHint && len(required) == 0
}

// call looks at what a tool answers.
func (s *mcpSource) call(ctx context.Context, session *sdk.ClientSession, tool string, d *draft, o Options) error {
	var res *sdk.CallToolResult
	err := within(ctx, d.Asset.Name, o.Each, func(ctx context.Context) (err error) {
		res, err = session.CallTool(ctx, &sdk.CallToolParams{Name: tool, Arguments: map[string]any{}})
		return err
	})
	if err != nil {
		return fault(s.name, "calling "+shownName(tool), err, s.status())
	}
	if res.IsError {
		return fmt.Errorf("%s: calling %s: the tool says that it failed", s.name, shownName(tool))
	}
	m := &member{name: "result"}
	if res.StructuredContent != nil {
		if raw, err := json.Marshal(res.StructuredContent); err == nil {
			m.take(raw)
		}
	} else {
		for _, c := range res.Content {
			if text, ok := c.(*sdk.TextContent); ok && !m.take([]byte(text.Text)) {
				m.values = append(m.values, beginning([]byte(text.Text), false))
			}
		}
	}
	d.judge = o.names()
	d.join(m)
	d.Sampled = 1
	return nil
}

// take adds a document, and reports whether it is one.
func (m *member) take(raw []byte) bool {
	doc := rawjson.Borrow()
	defer doc.Return()
	if doc.Parse(raw, nil, rawjson.Limits{}) != nil {
		return false
	}
	m.add(doc, 0, 0)
	return true
}

// join adds what was found to what a schema declares: values to its places, and places of their own for what it does not declare.
func (d *draft) join(m *member) {
	found := draft{judge: d.judge}
	m.columns(&found, Column{Name: m.name})
	d.values = make([][]string, len(d.Columns))
	for i, c := range found.Columns {
		at := slices.IndexFunc(d.Columns, func(o Column) bool { return o.Name == c.Name })
		if at < 0 {
			at = len(d.Columns)
			c.Type = "undeclared"
			d.Columns, d.values = append(d.Columns, c), append(d.values, nil)
		}
		d.values[at] = found.values[i]
		d.Columns[at].Nulls += c.Nulls
		if d.Columns[at].Why == "" || len(found.values[i]) > 0 {
			d.Columns[at].Why = c.Why
		}
	}
}

// resources lists templates by their variables, and counts resources by their type: their names and addresses can be values.
func (s *mcpSource) resources(ctx context.Context, session *sdk.ClientSession, o Options, give func(*draft) error) error {
	counts := map[string]int64{}
	var templates []*draft
	err := within(ctx, s.name, o.Each, func(ctx context.Context) error {
		n := 0
		for r, err := range session.Resources(ctx, nil) {
			if err != nil {
				return fault(s.name, "listing its resources", err, s.status())
			}
			if n++; n > maxResources {
				return fmt.Errorf("%s: lists more than %d resources", s.name, maxResources)
			}
			counts[mediaType(r.MIMEType)]++
		}
		for t, err := range session.ResourceTemplates(ctx, nil) {
			if err != nil {
				break // a server need not have any
			}
			if len(templates) == maxTools {
				return fmt.Errorf("%s: lists more than %d templates of resources", s.name, maxTools)
			}
			d := &draft{Asset: Asset{Name: t.Name, Kind: Resource, Agent: s.id, Columns: []Column{}}, name: t.Name}
			for _, v := range variables(t.URITemplate) {
				d.Columns = append(d.Columns, Column{Name: v, Type: "string", Logical: "string"})
			}
			d.Columns = append(d.Columns, Column{Name: "content", Type: mediaType(t.MIMEType), Why: "resources are not read"})
			templates = append(templates, d)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, typ := range slices.Sorted(maps.Keys(counts)) {
		templates = append(templates, &draft{Asset: Asset{
			Name: "resources of type " + typ, Kind: Resource, Agent: s.id, Rows: counts[typ], Exact: true,
			Columns: []Column{{Name: "content", Type: typ, Why: "resources are not read"}},
		}})
	}
	for _, d := range templates {
		if err := give(d); err != nil {
			return err
		}
	}
	return nil
}

// mediaType is a type without parameters, as long as it is one.
func mediaType(s string) string {
	t, _, err := mime.ParseMediaType(s)
	if err != nil || !plausible(t) || !strings.Contains(t, "/") {
		return "unknown"
	}
	return t
}

// variables are the names in a URI template (RFC 6570).
func variables(template string) (names []string) {
	for len(names) < 100 {
		_, rest, ok := strings.Cut(template, "{")
		if !ok {
			break
		}
		var list string
		if list, template, ok = strings.Cut(rest, "}"); !ok {
			break
		}
		for _, v := range strings.Split(strings.TrimLeft(list, "+#./;?&"), ",") {
			v, _, _ = strings.Cut(strings.TrimRight(v, "*"), ":")
			if plausible(v) && !slices.Contains(names, v) {
				names = append(names, v)
			}
		}
	}
	return names
}
