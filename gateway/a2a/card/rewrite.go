package card

import (
	"fmt"
	"slices"

	"github.com/scrimhq/scrim/data/json"
)

// old are the members of A2A 0.3 that say where and how an agent is reached.
var old = []string{"url", "preferredTransport", "additionalInterfaces", "protocolVersion", "supportsAuthenticatedExtendedCard", "security"}

// Rewrite returns the card as the gateway shows it: with the gateway's own interfaces in place of the agent's; without
// the agent's own security schemes and signatures, and without capabilities that are not carried; with the privacy
// extension; and signed by the gateway, if there is a signer. All else keeps its bytes. Interfaces of A2A 0.3 are named
// by that version's own members as well, so that one card serves clients of both.
//
// The errors are [ErrNoInterface], [ErrSigner], the signer's own, and one that wraps [ErrNotCard] where an option is not JSON.
func (c *Card) Rewrite(opt Options) ([]byte, error) {
	if len(opt.Interfaces) == 0 {
		return nil, ErrNoInterface
	}
	return c.rewrite(opt, false)
}

// RewriteOld is Rewrite for clients that know A2A 0.3 alone: the card has that version's members and no others for where
// the agent is reached. The error is [ErrNoInterface] also where no interface is of 0.3.
func (c *Card) RewriteOld(opt Options) ([]byte, error) {
	opt.Interfaces = slices.DeleteFunc(slices.Clone(opt.Interfaces), func(i Interface) bool { return i.Version != "0.3" })
	if len(opt.Interfaces) == 0 {
		return nil, ErrNoInterface
	}
	return c.rewrite(opt, true)
}

func (c *Card) rewrite(opt Options, only03 bool) ([]byte, error) {
	out, err := c.restructure(opt, only03)
	if err != nil || opt.Signer == nil {
		return out, err
	}
	return sign(out, opt)
}

// wide are limits for what was read before and has grown.
func wide(b []byte) json.Limits {
	return json.Limits{Bytes: len(b), Depth: 1 << 16, Nodes: len(b) + 1, Number: len(b) + 1}
}

func (c *Card) restructure(opt Options, only03 bool) ([]byte, error) {
	d := c.Doc
	e := d.Edit()
	for _, name := range []string{"signatures", "securityRequirements"} {
		c.remove(e, 0, name)
	}
	for _, m := range c.reached(opt, only03) {
		if err := c.put(e, m.name, m.raw); err != nil {
			return nil, err
		}
	}
	if !opt.Push {
		c.remove(e, c.capabilities, "pushNotifications")
	}
	if !opt.Extended {
		c.remove(e, c.capabilities, "extendedAgentCard")
	}
	if err := c.extend(e, opt.Params); err != nil {
		return nil, err
	}
	if skills, ok := d.Member(0, "skills"); ok {
		for skill := range d.Children(skills) {
			if d.Nodes[skill].Kind == json.Object {
				c.remove(e, skill, "securityRequirements")
				c.remove(e, skill, "security")
			}
		}
	}
	return e.Apply(nil)
}

type member struct {
	name string
	raw  []byte // nil: it goes
}

// reached is what the card says of where the agent is reached, and how callers prove who they are.
func (c *Card) reached(opt Options, only03 bool) []member {
	set := map[string][]byte{}
	var first03 *Interface
	var list, more []byte
	for i := range opt.Interfaces {
		at := &opt.Interfaces[i]
		list = append(at.append(append(list, separator(list)...)), '}')
		switch {
		case at.Version != "0.3":
		case first03 == nil:
			first03 = at
		default:
			more = append(more, separator(more)...)
			more = append(json.AppendString(append(more, `{"url":`...), at.URL), `,"transport":`...)
			more = append(json.AppendString(more, at.Binding), '}')
		}
	}
	if !only03 {
		set["supportedInterfaces"] = append(list, ']')
	}
	if first03 != nil {
		set["url"] = json.AppendString(nil, first03.URL)
		set["preferredTransport"] = json.AppendString(nil, first03.Binding)
		set["protocolVersion"] = []byte(`"0.3.0"`)
		if n, ok := c.Doc.Member(0, "protocolVersion"); ok && minor(c.Doc.Text(n)) == "0.3" {
			set["protocolVersion"] = c.Doc.Raw(n)
		}
		if more != nil {
			set["additionalInterfaces"] = append(more, ']')
		}
	}
	set["securitySchemes"] = opt.SecuritySchemes
	var all []member
	for _, name := range append([]string{"supportedInterfaces", "securitySchemes"}, old...) {
		all = append(all, member{name, set[name]})
	}
	return all
}

// separator is what stands before the next element of a list of which b is written so far.
func separator(b []byte) string {
	if len(b) == 0 {
		return "["
	}
	return ","
}

// append writes an interface as an object that is still open.
func (i Interface) append(b []byte) []byte {
	b = json.AppendString(append(b, `{"url":`...), i.URL)
	b = json.AppendString(append(b, `,"protocolBinding":`...), i.Binding)
	b = json.AppendString(append(b, `,"protocolVersion":`...), i.Version)
	if i.Tenant != "" {
		b = json.AppendString(append(b, `,"tenant":`...), i.Tenant)
	}
	return b
}

func (c *Card) remove(e *json.Edits, obj int, name string) {
	if n, ok := c.Doc.Member(obj, name); ok {
		e.Remove(n)
	}
}

// put sets a member of the card, or takes it out where raw is nil.
func (c *Card) put(e *json.Edits, name string, raw []byte) error {
	n, ok := c.Doc.Member(0, name)
	switch {
	case raw == nil && ok:
		e.Remove(n)
	case raw == nil:
	case !valid(raw):
		return fmt.Errorf("%w: option for %s is not JSON", ErrNotCard, name)
	case ok:
		e.Replace(n, raw)
	default:
		e.Append(0, name, raw)
	}
	return nil
}

func valid(raw []byte) bool {
	var d json.Doc
	return d.Parse(raw, nil, wide(raw)) == nil
}

// extend puts the privacy extension at the end of the list, in place of any that is there.
func (c *Card) extend(e *json.Edits, params []byte) error {
	own := append([]byte(`{"uri":"`+PrivacyExtension+`","description":"What the gateway changed in a message, and how to ask for more."`), '}')
	if params != nil {
		if !valid(params) {
			return fmt.Errorf("%w: option for params is not JSON", ErrNotCard)
		}
		own = append(append(own[:len(own)-1], `,"params":`...), params...)
		own = append(own, '}')
	}
	list, ok := c.Doc.Member(c.capabilities, "extensions")
	out := []byte{'['}
	if ok {
		for n := range c.Doc.Children(list) {
			if text(c.Doc, n, "uri") != PrivacyExtension {
				out = append(append(out, c.Doc.Raw(n)...), ',')
			}
		}
	}
	out = append(append(out, own...), ']')
	if ok {
		e.Replace(list, out)
	} else {
		e.Append(c.capabilities, "extensions", out)
	}
	return nil
}
