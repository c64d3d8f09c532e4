package mcp_test

import (
	"cmp"
	"context"
	stdjson "encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
)

// newLab is a second server, whose things have the names of the first one's.
func newLab() *sdk.Server {
	s := sdk.NewServer(&sdk.Implementation{Name: "lab", Version: "1"}, &sdk.ServerOptions{Instructions: "Ask for results."})
	sdk.AddTool(s, &sdk.Tool{Name: "plain"}, func(ctx context.Context, req *sdk.CallToolRequest, in asked) (*sdk.CallToolResult, any, error) {
		if token := req.Params.GetProgressToken(); token != nil {
			_ = req.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{ProgressToken: token, Progress: 1, Message: "at the lab"})
		}
		return &sdk.CallToolResult{Content: []sdk.Content{
			&sdk.TextContent{Text: "From the lab: " + in.Text}, &sdk.ResourceLink{URI: "mem://beds", Name: "beds"},
		}}, nil, nil
	})
	sdk.AddTool(s, &sdk.Tool{Name: "count"}, func(context.Context, *sdk.CallToolRequest, struct{}) (*sdk.CallToolResult, any, error) {
		return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: "three"}}}, nil, nil
	})
	s.AddResource(&sdk.Resource{URI: "mem://beds", Name: "beds", MIMEType: "text/plain"}, func(context.Context, *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{{URI: "mem://beds", MIMEType: "text/plain", Text: "beds of the lab"}}}, nil
	})
	return s
}

func serveLab(t testing.TB, opt *sdk.StreamableHTTPOptions) *upstream {
	s := newLab()
	return (&upstream{}).serve(t, sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return s }, opt))
}

// newGroup puts servers behind one address.
func newGroup(t testing.TB, wait time.Duration, servers map[flow.AgentID]*upstream, change func(*gatewaytest.Setup)) *rig {
	t.Helper()
	r := newRig(t, servers["records"], func(s *gatewaytest.Setup) {
		s.Policy += `@id("words") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"text");`
		front := &gateway.Group{ID: "clinic", Wait: cmp.Or(wait, time.Minute)}
		for id, u := range servers {
			front.Servers = append(front.Servers, id)
			if id == "records" {
				continue
			}
			up, err := gateway.NewUpstream(u.URL, "", flow.Secret{}, gateway.UpstreamOptions{})
			if err != nil {
				t.Fatal(err)
			}
			s.Agents = append(s.Agents, &gateway.Agent{Party: flow.Party{Agent: id, Domain: gatewaytest.Own}, MCP: up})
			s.Schemas = append(s.Schemas, gatewaytest.Schema{Kind: catalog.Tool, Owner: id, Name: "plain", Direction: flow.Request, JSON: question})
		}
		slices.Sort(front.Servers)
		s.Fronts = append(s.Fronts, front)
		if change != nil {
			change(s)
		}
	})
	r.url = strings.TrimSuffix(r.url, "records") + "clinic"
	return r
}

func options(version string) *sdk.StreamableHTTPOptions {
	if version == wire.MCP20260728 {
		return &sdk.StreamableHTTPOptions{Stateless: true, JSONResponse: true}
	}
	return nil
}

func textOf(t *testing.T, res *sdk.CallToolResult, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range res.Content {
		if c, ok := c.(*sdk.TextContent); ok {
			return c.Text
		}
	}
	return ""
}

func TestUnchangedClientSeesServersOfAGroupAsOne(t *testing.T) {
	for _, version := range []string{wire.MCP20260728, wire.MCP20251125} {
		t.Run(version, func(t *testing.T) {
			r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": newUpstream(t, options(version)), "lab": serveLab(t, options(version))}, nil)
			s := connect(t, r.url, "scrim_own", version, nil)
			var names []string
			for tool, err := range s.Tools(t.Context(), nil) {
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, tool.Name)
			}
			want := []string{"lab__count", "lab__plain", "records__asks", "records__bare", "records__extra", "records__fails", "records__plain", "records__rows", "records__talks"}
			if !slices.Equal(names, want) {
				t.Errorf("tools = %v, want %v", names, want)
			}
			res, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "lab__plain", Arguments: asked{Text: "hello"}})
			if got := textOf(t, res, err); got != "From the lab: hello" {
				t.Errorf("the lab says %q", got)
			}
			link, _ := res.Content[1].(*sdk.ResourceLink)
			if link == nil || link.URI != "scrim:lab:mem://beds" {
				t.Fatalf("the link is %+v", link)
			}
			read, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: link.URI})
			if err != nil || read.Contents[0].Text != "beds of the lab" || read.Contents[0].URI != link.URI {
				t.Errorf("the link leads to %+v, %v", read, err)
			}
			res, err = s.CallTool(t.Context(), &sdk.CallToolParams{Name: "records__plain", Arguments: asked{Text: "hello"}})
			if got := textOf(t, res, err); !strings.HasPrefix(got, "Nothing to see") {
				t.Errorf("the records say %q", got)
			}
			if got := s.InitializeResult(); got == nil || !strings.Contains(got.Instructions, "lab: Ask for results.") || !strings.Contains(got.Instructions, "records: Ask for rows.") {
				t.Errorf("the group introduces itself as %+v", got)
			}
			to := map[flow.AgentID]int{}
			for _, ev := range r.Events() {
				if ev.Flow.Method == "tools/call" && ev.Flow.Direction == flow.Request {
					to[ev.Flow.To.Agent]++
				}
			}
			if to["lab"] != 1 || to["records"] != 1 || to["clinic"] != 0 {
				t.Errorf("calls on record went to %v, want one to each server", to)
			}
		})
	}
}

func TestGroupKeepsBackWhatItsServersKeepBack(t *testing.T) {
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": newUpstream(t, options(wire.MCP20260728)), "lab": serveLab(t, options(wire.MCP20260728))}, keep)
	names := toolNames(t, r, "scrim_other", wire.MCP20260728)
	if slices.Contains(names, "records__rows") || !slices.Contains(names, "records__bare") || !slices.Contains(names, "lab__count") {
		t.Errorf("tools = %v", names)
	}
}

func TestProgressOfAGroupsServersIsJoined(t *testing.T) {
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": newUpstream(t, nil), "lab": serveLab(t, nil)}, nil)
	said := make(chan string, 4)
	s := connect(t, r.url, "scrim_own", wire.MCP20251125, &sdk.ClientOptions{
		ProgressNotificationHandler: func(_ context.Context, req *sdk.ProgressNotificationClientRequest) { said <- req.Params.Message },
	})
	params := &sdk.CallToolParams{Name: "lab__plain", Arguments: asked{Text: "hello"}}
	params.SetProgressToken("token")
	res, err := s.CallTool(t.Context(), params)
	if got := textOf(t, res, err); got != "From the lab: hello" {
		t.Errorf("the lab says %q", got)
	}
	select {
	case got := <-said:
		if got != "at the lab" {
			t.Errorf("progress = %q", got)
		}
	case <-time.After(time.Minute):
		t.Error("no progress came")
	}
}

// dead is a server that nobody reaches, at a port that no other test is given meanwhile.
func dead() *upstream { return &upstream{Server: &httptest.Server{URL: "http://127.0.0.1:1"}} }

// TestDeadAndSlowServersOfAGroupAreMissingAndOnRecord: the others are listed all the same.
func TestDeadAndSlowServersOfAGroupAreMissingAndOnRecord(t *testing.T) {
	t.Parallel()
	const wait = 20 * time.Second // in which the server that answers does, also on a busy machine
	release := make(chan struct{})
	slow := (&upstream{}).serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(release) })
	r := newGroup(t, wait, map[flow.AgentID]*upstream{
		"records": newUpstream(t, options(wire.MCP20260728)), "slow": slow, "dead": dead(),
	}, nil)
	began := time.Now()
	status, body := r.send(t, listTools, "Mcp-Method", "tools/list", "Mcp-Name", "")
	if took := time.Since(began); took < wait {
		t.Errorf("the slow server was given up after %v", took)
	}
	var got struct {
		Result struct {
			Tools []struct{ Name string }
			Meta  struct {
				Note flow.Note `json:"dev.scrim/privacy"`
			} `json:"_meta"`
		}
	}
	if err := stdjson.Unmarshal([]byte(body), &got); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, body, err)
	}
	if len(got.Result.Tools) != 7 || !slices.Equal(got.Result.Meta.Note.Missing, []flow.AgentID{"dead", "slow"}) {
		t.Errorf("answer = %s", body)
	}
	found := false
	for _, ev := range r.Events() {
		found = found || ev.Flow.ID == got.Result.Meta.Note.Reference && ev.Outcome == flow.Refused && ev.Flow.To.Agent == "clinic"
	}
	if !found {
		t.Error("what is missing is not on record")
	}
}

// paged is a server whose list has several pages, and which remembers nothing.
func paged(t testing.TB, name string, pages int) *upstream {
	return (&upstream{}).serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			ID     stdjson.RawMessage
			Params struct{ Cursor string }
		}
		_ = stdjson.Unmarshal([]byte(readAll(r)), &call)
		page := 1
		if call.Params.Cursor != "" {
			if _, err := fmt.Sscanf(call.Params.Cursor, name+"-%d", &page); err != nil {
				t.Errorf("%s got the cursor %q", name, call.Params.Cursor)
			}
		}
		next := ""
		if page < pages {
			next = fmt.Sprintf(`,"nextCursor":"%s-%d"`, name, page+1)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"tools":[{"name":"t%d","inputSchema":{"type":"object"}}],"resultType":"complete"%s}}`, call.ID, page, next)
	}))
}

func TestPagesOfAGroupAreJoined(t *testing.T) {
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": paged(t, "records", 3), "lab": paged(t, "lab", 1)}, nil)
	s := connectTo(t, r, "scrim_own")
	want := []string{"lab__t1", "records__t1", "records__t2", "records__t3"}
	if got := s.all(""); !slices.Equal(got, want) {
		t.Errorf("tools = %v, want %v", got, want)
	}
}

// pager lists page by page with bare messages.
type pager struct {
	t   *testing.T
	r   *rig
	key string
}

func connectTo(t *testing.T, r *rig, key string) *pager { return &pager{t: t, r: r, key: key} }

func (p *pager) page(cursor string) (names []string, next string, body string) {
	call := listTools
	if cursor != "" {
		call = strings.Replace(listTools, `"params":{`, `"params":{"cursor":"`+cursor+`",`, 1)
	}
	_, body = p.r.send(p.t, call, "Mcp-Method", "tools/list", "Mcp-Name", "", "Authorization", "Bearer "+p.key)
	var got struct {
		Result struct {
			Tools      []struct{ Name string }
			NextCursor string
		}
	}
	_ = stdjson.Unmarshal([]byte(body), &got)
	for _, tool := range got.Result.Tools {
		names = append(names, tool.Name)
	}
	return names, got.Result.NextCursor, body
}

func (p *pager) all(cursor string) (names []string) {
	for range 10 {
		some, next, _ := p.page(cursor)
		names = append(names, some...)
		if next == "" {
			return names
		}
		cursor = next
	}
	return names
}

func TestCursorOfAGroupIsSealedForItsCaller(t *testing.T) {
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": paged(t, "records", 3), "lab": paged(t, "lab", 1)}, nil)
	_, cursor, _ := connectTo(t, r, "scrim_own").page("")
	if cursor == "" || strings.Contains(cursor, "records") {
		t.Fatalf("cursor = %q", cursor)
	}
	for name, c := range map[string][2]string{
		"another caller's":  {"scrim_other", cursor},
		"a changed one":     {"scrim_own", cursor[:len(cursor)-4] + "AAAA"},
		"a server's own":    {"scrim_own", "records-2"},
		"one for no server": {"scrim_own", "e30"},
	} {
		if names, _, body := connectTo(t, r, c[0]).page(c[1]); len(names) > 0 || !strings.Contains(body, "-32602") {
			t.Errorf("%s: %s", name, body)
		}
	}
}

func TestCallsOfAGroupNameTheirServer(t *testing.T) {
	lab := serveLab(t, options(wire.MCP20260728))
	records := newUpstream(t, options(wire.MCP20260728))
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": records, "lab": lab}, nil)
	for _, name := range []string{"plain", "third__plain", "__plain", "records", "scrim:lab:plain", "records_plain"} {
		status, body := r.send(t, toolCall(name, `{}`), "Mcp-Name", name)
		if status != http.StatusBadRequest || !strings.Contains(body, "nothing of this name") {
			t.Errorf("%q: %d %s", name, status, body)
		}
	}
	if n := len(records.bodies()) + len(lab.bodies()); n != 0 {
		t.Errorf("servers were asked %d times", n)
	}
	if status, body := r.send(t, toolCall("lab__plain", `{}`), "Mcp-Name", "records__plain"); status != http.StatusBadRequest || !strings.Contains(body, "-32020") {
		t.Errorf("a header that says otherwise: %d %s", status, body)
	}
	if status, body := r.send(t, toolCall("lab__plain", `{}`), "Mcp-Name", "lab__plain"); status != http.StatusOK || !strings.Contains(body, "From the lab") {
		t.Errorf("the lab: %d %s", status, body)
	}
	lab.mu.Lock()
	defer lab.mu.Unlock()
	if got := lab.header[len(lab.header)-1].Get("Mcp-Name"); got != "plain" {
		t.Errorf("the lab was shown the name %q", got)
	}
	if got := lab.got[len(lab.got)-1]; !strings.Contains(got, `"name":"plain"`) || strings.Contains(got, "lab__") {
		t.Errorf("the lab was sent %s", got)
	}
}

func TestSessionsOfAGroupBelongToWhoBeganThem(t *testing.T) {
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": newUpstream(t, nil), "lab": serveLab(t, nil)}, nil)
	s := connect(t, r.url, "scrim_own", wire.MCP20251125, nil)
	id := s.ID()
	if id == "" {
		t.Fatal("the group gave out no session")
	}
	const call = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"lab__plain","arguments":{}}}`
	header := []string{"Mcp-Protocol-Version", wire.MCP20251125, "Mcp-Session-Id", id, "Mcp-Method", "", "Mcp-Name", ""}
	if status, body := r.send(t, call, header...); status != http.StatusOK || !strings.Contains(body, "From the lab") {
		t.Errorf("its own caller: %d %s", status, body)
	}
	if status, body := r.send(t, call, append(header, "Authorization", "Bearer scrim_other")...); status != http.StatusNotFound || strings.Contains(body, "From the lab") {
		t.Errorf("another caller: %d %s", status, body)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if status, _ := r.send(t, call, header...); status != http.StatusNotFound {
		t.Errorf("after its end: %d", status)
	}
}

func TestGroupAsksForACredential(t *testing.T) {
	lab := serveLab(t, options(wire.MCP20260728))
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": newUpstream(t, options(wire.MCP20260728)), "lab": lab}, nil)
	for _, body := range []string{toolCall("lab__plain", `{}`), listTools, strings.Replace(listTools, "tools/list", "ping", 1), "[]", "{"} {
		if status, answer := r.send(t, body, "Authorization", ""); status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
	if status, body := r.send(t, "["+listTools+"]"); status != http.StatusBadRequest || !strings.Contains(body, "batch") {
		t.Errorf("a batch: %d %s", status, body)
	}
	if len(lab.bodies()) != 0 {
		t.Error("the lab was asked")
	}
}

// TestNewsOfAGroupsServersIsJoined: what servers send unasked comes on one stream, without ids, since those of two
// servers mean nothing beside each other; a stream of one server can be taken up again.
func TestNewsOfAGroupsServersIsJoined(t *testing.T) {
	talking := func(name string) *upstream {
		return (&upstream{}).serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				w.Header().Set("Content-Type", "text/event-stream")
				_, _ = fmt.Fprintf(w, "id: %s-%s\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"news of %s\"}}\n\n", name, r.Header.Get("Last-Event-Id"), name)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Mcp-Session-Id", "session-of-"+name)
			_, _ = fmt.Fprint(w, `{"jsonrpc":"2.0","id":7,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":`+fmt.Sprint(name == "lab")+`}},"serverInfo":{"name":"n","version":"1"}}}`)
		}))
	}
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": talking("records"), "lab": talking("lab")}, func(s *gatewaytest.Setup) {
		s.Policy += `@id("log") @exception("test") permit (principal, action in Action::"upto_raw", resource in DataClass::"unlabelled");`
		s.Transparent = []gateway.Transparent{{Agent: "*", Path: "/**"}}
		s.Policy += `@id("open-traffic") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`
	})
	const hello = `{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`
	do := func(method, body string, header ...string) (*http.Response, string) {
		req, _ := http.NewRequestWithContext(t.Context(), method, r.url, strings.NewReader(body))
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		req.Header.Set("Authorization", "Bearer scrim_own")
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", "application/json, text/event-stream")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return res, string(b)
	}
	res, body := do(http.MethodPost, hello)
	session := res.Header.Get("Mcp-Session-Id")
	if session == "" || strings.Contains(session, "session-of") || !strings.Contains(body, `"listChanged":true`) {
		t.Fatalf("initialize: session %q, %s", session, body)
	}
	header := []string{"Mcp-Session-Id", session, "Mcp-Protocol-Version", "2025-11-25"}
	_, news := do(http.MethodGet, "", header...)
	if !strings.Contains(news, "news of lab") || !strings.Contains(news, "news of records") || strings.Contains(news, "id: ") {
		t.Errorf("news = %s", news)
	}
	_, news = do(http.MethodGet, "", append(header, "Last-Event-Id", "lab:one")...)
	if !strings.Contains(news, "id: lab:lab-one\n") || strings.Contains(news, "records") {
		t.Errorf("the lab's stream goes on as %s", news)
	}
	if res, _ := do(http.MethodGet, "", append(header, "Last-Event-Id", "third:one")...); res.StatusCode != http.StatusNotFound {
		t.Errorf("a stream of nobody: %d", res.StatusCode)
	}
}

// TestSubscriptionOfAGroupGoesToEachServerForItsOwn: each server is asked for its own resources, news of all come on one
// stream, and the call is answered once.
func TestSubscriptionOfAGroupGoesToEachServerForItsOwn(t *testing.T) {
	listening := func(name string) *upstream {
		return (&upstream{}).serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, m := range []string{
				`{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"mem://` + name + `","_meta":{"io.modelcontextprotocol/subscriptionId":7}}}`,
				`{"jsonrpc":"2.0","id":7,"result":{"resultType":"complete"}}`,
			} {
				_, _ = fmt.Fprintf(w, "data: %s\n\n", m)
			}
		}))
	}
	records, lab := listening("beds"), listening("results")
	r := newGroup(t, 0, map[flow.AgentID]*upstream{"records": records, "lab": lab}, func(s *gatewaytest.Setup) {
		s.Transparent = []gateway.Transparent{{Agent: "*", Path: "/**"}}
		s.Policy += `@id("open-traffic") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");`
	})
	listen := strings.NewReplacer("tools/list", "subscriptions/listen", `"params":{`, `"params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["scrim:records:mem://beds","scrim:lab:mem://results","scrim:third:mem://x"]},`).Replace(listTools)
	_, news := r.send(t, listen, "Mcp-Method", "subscriptions/listen", "Mcp-Name", "")
	for _, want := range []string{"scrim:records:mem://beds", "scrim:lab:mem://results"} {
		if strings.Count(news, want) != 1 {
			t.Errorf("news have %s %d times: %s", want, strings.Count(news, want), news)
		}
	}
	if strings.Count(news, `"result"`) != 1 || !strings.HasSuffix(strings.TrimSpace(news), `"resultType":"complete"}}`) {
		t.Errorf("the call is answered otherwise than once, at the end: %s", news)
	}
	for name, u := range map[string]*upstream{"mem://beds": records, "mem://results": lab} {
		if got := u.bodies(); len(got) != 1 || !strings.Contains(got[0], `"resourceSubscriptions":["`+name+`"]`) {
			t.Errorf("the server of %s was asked %v", name, got)
		}
	}
}
