package a2a

import (
	"cmp"
	"context"
	stdjson "encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/store"
)

// pushMethods are the methods about push notification configs, by what they do.
var pushMethods = map[string]string{
	"CreateTaskPushNotificationConfig": "set", "GetTaskPushNotificationConfig": "get",
	"ListTaskPushNotificationConfigs": "list", "DeleteTaskPushNotificationConfig": "delete",
	"tasks/pushNotificationConfig/set": "set", "tasks/pushNotificationConfig/get": "get",
	"tasks/pushNotificationConfig/list": "list", "tasks/pushNotificationConfig/delete": "delete",
}

// configPlaces are where the params of a method have the config: under these names.
var configPlaces = map[string][]string{
	"SendMessage": {"configuration", "taskPushNotificationConfig"}, "SendStreamingMessage": {"configuration", "taskPushNotificationConfig"},
	"message/send": {"configuration", "pushNotificationConfig"}, "message/stream": {"configuration", "pushNotificationConfig"},
	"CreateTaskPushNotificationConfig": {}, "tasks/pushNotificationConfig/set": {"pushNotificationConfig"},
}

// configNode returns the push notification config that the call names, or -1. Where it stands depends on the method
// alone, not on what else the params hold.
func (c *call) configNode() int {
	path, ok := configPlaces[c.rpc.Method]
	if !ok || c.rpc.Params < 0 {
		return -1
	}
	n := c.rpc.Params
	for _, name := range path {
		next, ok := c.doc.Member(n, name)
		if !ok || c.doc.Nodes[next].Kind != json.Object {
			return -1 // what is of another kind is refused for it on the road
		}
		n = next
	}
	return n
}

// takePush takes the caller's address and credentials out of the call, and puts an address of the gateway's in.
func (c *call) takePush(ctx context.Context) error {
	if pushMethods[c.rpc.Method] != "" && c.h.Pushes == nil {
		return gateway.Refuse(gateway.RulePush, nil, "Push notifications are not carried.")
	}
	at := c.configNode()
	if at < 0 {
		return nil
	}
	switch {
	case c.h.Pushes == nil:
		return gateway.Refuse(gateway.RulePush, nil, "Push notifications are not carried.")
	case c.caller.Anonymous:
		return gateway.Refuse(gateway.RuleIdentity, nil, "Push notifications are for callers that prove who they are.")
	}
	if got, err := c.h.Cards.get(ctx, c.agent, c.snap); err == nil && !got.pushes {
		return gateway.Refuse(gateway.RulePush, nil, "The agent sends no push notifications.")
	}
	p, err := readConfig(&c.doc, at)
	if err != nil {
		return err
	}
	if err := c.snap.Egress.Check(ctx, p.URL); err != nil {
		return gateway.Refuse(gateway.RulePlace, err, "The address for push notifications is not one that this gateway calls.")
	}
	p.Version, p.Face, p.Caller, p.Agent = c.version, c.h.Face, c.caller.Party, c.agentID
	p.Capability, p.Trace = c.authority.Tokens().String(), c.flow.Trace
	p.Purpose, p.Criticality, p.Task = c.flow.Purpose, c.flow.Task.Criticality, c.flow.Task.ID
	if p.Task == "" {
		p.Task = flow.TaskID(c.flow.ID)
	}
	address := cmp.Or(c.h.Pushes.URL, gateway.BaseURL(c.snap, c.r)) + PushPath + c.h.Gateway.NewPush(p)
	e := c.doc.Edit()
	e.Replace(at, configFor(&c.doc, at, address, p.Secret))
	if c.body, err = e.Apply(nil); err != nil {
		return err
	}
	if f, ok := c.front.(*grpcFront); ok {
		f.frame = nil // as it came, it has the caller's address and credentials
	}
	c.pushed = p
	return c.reread()
}

// readConfig reads the caller's address and credentials from a config.
func readConfig(d *json.Doc, at int) (*gateway.Push, error) {
	var in struct {
		URL            string `json:"url"`
		Token          string `json:"token"`
		Authentication *struct {
			Scheme      string   `json:"scheme"`
			Schemes     []string `json:"schemes"` // of 0.3
			Credentials string   `json:"credentials"`
		} `json:"authentication"`
	}
	bad := func(what string) error {
		return gateway.Refuse(gateway.RulePlace, nil, "The push notification config has not its form: %s.", what)
	}
	if err := stdjson.Unmarshal(d.Raw(at), &in); err != nil {
		return nil, bad("a member is of another kind")
	}
	p := &gateway.Push{URL: in.URL, Token: in.Token}
	if a := in.Authentication; a != nil {
		p.Scheme, p.Credentials = a.Scheme, a.Credentials
		if p.Scheme == "" && len(a.Schemes) > 0 {
			p.Scheme = a.Schemes[0]
			if i := slices.IndexFunc(a.Schemes, func(s string) bool { return schemes[strings.ToLower(s)] }); i >= 0 {
				p.Scheme = a.Schemes[i]
			}
		}
	}
	switch {
	case !headerText(p.Token) || !headerText(p.Credentials):
		return nil, bad("token and credentials are printable text")
	case p.Credentials != "" && !schemes[strings.ToLower(p.Scheme)]:
		return nil, bad("the scheme is one of Bearer, Basic and ApiKey")
	}
	return p, nil
}

// schemes are those that the gateway can show a receiver.
var schemes = map[string]bool{"bearer": true, "basic": true, "apikey": true}

func headerText(s string) bool {
	return len(s) <= 4096 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// configFor is the config as the agent gets it: the caller's ids, the gateway's address and secret.
func configFor(d *json.Doc, at int, address, secret string) []byte {
	out := []byte{'{'}
	for _, name := range []string{"tenant", "id", "taskId"} {
		if n, ok := d.Member(at, name); ok {
			out = append(append(append(out, '"'), name...), `":`...)
			out = append(append(out, d.Raw(n)...), ',')
		}
	}
	out = json.AppendString(append(out, `"url":`...), address)
	return append(json.AppendString(append(out, `,"token":`...), secret), '}')
}

// keepPush keeps what was taken out, in the transaction that records the call.
func (c *call) keepPush(tx store.Tx, _ []byte) error { return c.h.Gateway.KeepPush(tx, c.pushed) }

// pushAnswer makes of an answer that passed what the caller is shown of its push notification configs: its own address,
// and never the gateway's or another caller's. It forgets what the caller deleted and what the agent did not take.
func (c *call) pushAnswer(ctx context.Context, body []byte) ([]byte, error) {
	kind := pushMethods[c.rpc.Method]
	if kind == "" && c.pushed == nil {
		return body, nil
	}
	var d json.Doc
	rpc, err := parsed(&d, body)
	if err != nil {
		return nil, err
	}
	switch {
	case rpc.Kind == wire.Failure:
		if c.pushed != nil {
			c.h.Pushes.forget(ctx, c.pushed.ID())
		}
		return body, nil
	case kind == "delete":
		return body, c.h.Gateway.DropPushNamed(ctx, c.pushName(c.paramID()))
	case kind == "set" || kind == "get":
		out, err := c.ownConfig(ctx, &d, rpc.Result)
		if err != nil {
			return nil, err
		}
		if out == nil {
			return nil, gateway.Refuse(gateway.RuleUpstream, nil, "The agent answered with a push notification config that is not this caller's.")
		}
		return wire.AppendSuccess(nil, c.rpc.ID, out), nil
	case kind == "list":
		out, err := c.ownConfigs(ctx, &d, rpc.Result)
		if err != nil {
			return nil, err
		}
		return wire.AppendSuccess(nil, c.rpc.ID, out), nil
	}
	return body, nil
}

// paramID is the config's id that the call names.
func (c *call) paramID() string {
	name := "id"
	if c.version == wire.A2A03 {
		name = "pushNotificationConfigId"
	}
	if n := c.member(name); n >= 0 {
		return c.doc.Text(n)
	}
	return ""
}

func (c *call) pushName(id string) flow.SubjectRef {
	task := ""
	if c.a2a.TaskID >= 0 {
		task = c.doc.Text(c.a2a.TaskID)
	}
	return c.h.Gateway.PushName(c.between(), task, id)
}

func (c *call) ownConfigs(ctx context.Context, d *json.Doc, result int) ([]byte, error) {
	list, ok := result, true
	if c.version != wire.A2A03 {
		list, ok = d.Member(result, "configs")
	}
	var all []byte
	if ok && d.Nodes[list].Kind == json.Array {
		for n := range d.Children(list) {
			one, err := c.ownConfig(ctx, d, n)
			if err != nil {
				return nil, err
			}
			if one == nil {
				continue
			}
			if all != nil {
				all = append(all, ',')
			}
			all = append(all, one...)
		}
	}
	all = append(append([]byte{'['}, all...), ']')
	if c.version == wire.A2A03 {
		return all, nil
	}
	all = append([]byte(`{"configs":`), all...)
	if next, ok := d.Member(result, "nextPageToken"); ok {
		all = append(append(all, `,"nextPageToken":`...), d.Raw(next)...)
	}
	return append(all, '}'), nil
}

// ownConfig is a config as its caller knows it; nil if it is not the caller's.
func (c *call) ownConfig(ctx context.Context, d *json.Doc, at int) ([]byte, error) {
	config := at
	if c.version == wire.A2A03 {
		n, ok := d.Member(at, "pushNotificationConfig")
		if !ok {
			return nil, nil
		}
		config = n
	}
	text := func(obj int, name string) (string, []byte) {
		if d.Nodes[obj].Kind == json.Object {
			if n, ok := d.Member(obj, name); ok && d.Nodes[n].Kind == json.String {
				return d.Text(n), d.Raw(n)
			}
		}
		return "", nil
	}
	address, _ := text(config, "url")
	p, err := c.h.Gateway.FindPush(ctx, gateway.PushAddress(address))
	if err != nil || p == nil || p.Caller.Agent != c.caller.Party.Agent || p.Caller.Domain != c.caller.Party.Domain || p.Agent != c.agentID {
		return nil, err
	}
	id, rawID := text(config, "id")
	task, rawTask := text(at, "taskId")
	if !p.Named() && id != "" && task != "" {
		if err := c.h.Gateway.NamePush(ctx, p.ID(), c.h.Gateway.PushName(c.between(), task, id)); err != nil {
			return nil, err
		}
	}
	out := []byte{'{'}
	put := func(name string, raw []byte) {
		if raw == nil {
			return
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(append(out, '"'), name...), `":`...), raw...)
	}
	put("id", rawID)
	if c.version != wire.A2A03 {
		put("taskId", rawTask)
	}
	put("url", json.AppendString(nil, p.URL))
	if p.Token != "" {
		put("token", json.AppendString(nil, p.Token))
	}
	if p.Scheme != "" && c.version == wire.A2A03 {
		put("authentication", append(json.AppendString([]byte(`{"schemes":[`), p.Scheme), `]}`...))
	} else if p.Scheme != "" {
		put("authentication", append(json.AppendString([]byte(`{"scheme":`), p.Scheme), '}'))
	}
	out = append(out, '}')
	if c.version == wire.A2A03 {
		config := out
		out = []byte{'{'}
		put("taskId", rawTask)
		put("pushNotificationConfig", config)
		out = append(out, '}')
	}
	return out, nil
}

var errPush = errors.New("the push notification cannot be read")
