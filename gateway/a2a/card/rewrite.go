package card

import (
	"fmt"

	"github.com/scrimhq/scrim/data/json"
)

// gone are the members that Rewrite takes out: signatures, which no longer hold, and what A2A 0.3 had, which gives the
// agent's own address away.
var gone = []string{"signatures", "url", "preferredTransport", "additionalInterfaces", "protocolVersion", "supportsAuthenticatedExtendedCard"}

// Rewrite returns the card as the gateway shows it: with one interface, at the gateway's URL; without push
// notifications, which are not carried; with the privacy extension; without the agent's own security schemes and
// signatures; and signed by the gateway, if there is a signer. All else keeps its bytes.
//
// The errors are [ErrNoInterface], [ErrSigner], the signer's own, and one that wraps [ErrNotCard] where an option is not JSON.
func (c *Card) Rewrite(opt Options) ([]byte, error) {
	if c.chosen < 0 {
		return nil, ErrNoInterface
	}
	at := c
	if len(opt.Texts) > 0 {
		var err error
		if at, err = c.withTexts(opt.Texts); err != nil {
			return nil, err
		}
	}
	out, err := at.restructure(opt)
	if err != nil {
		return nil, err
	}
	if opt.Signer == nil {
		return out, nil
	}
	return sign(out, opt)
}

// withTexts returns the card with other texts. Only the nodes of Texts can change.
func (c *Card) withTexts(texts map[int]string) (*Card, error) {
	e := c.Doc.Edit()
	for _, n := range c.Texts() {
		if s, ok := texts[n]; ok {
			e.ReplaceText(n, s)
		}
	}
	out, err := e.Apply(nil)
	if err != nil {
		return nil, err
	}
	return Parse(out, wide(out))
}

// wide are limits for what was read before and has grown.
func wide(b []byte) json.Limits {
	return json.Limits{Bytes: len(b), Depth: 1 << 16, Nodes: len(b) + 1, Number: len(b) + 1}
}

func (c *Card) restructure(opt Options) ([]byte, error) {
	d := c.Doc
	e := d.Edit()
	for _, name := range gone {
		c.remove(e, 0, name)
	}
	iface, err := c.at(opt.URL)
	if err != nil {
		return nil, err
	}
	e.Replace(c.interfaces, iface)
	c.remove(e, c.capabilities, "pushNotifications")
	if err := c.extend(e, opt.Params); err != nil {
		return nil, err
	}
	for _, m := range []struct {
		name string
		raw  []byte
	}{{"securitySchemes", opt.SecuritySchemes}, {"securityRequirements", opt.SecurityRequirements}} {
		if err := c.put(e, m.name, m.raw); err != nil {
			return nil, err
		}
	}
	if skills, ok := d.Member(0, "skills"); ok {
		for skill := range d.Children(skills) {
			c.remove(e, skill, "securityRequirements")
		}
	}
	return e.Apply(nil)
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

// at returns the list of interfaces: the chosen one, at the gateway's URL.
func (c *Card) at(url string) ([]byte, error) {
	raw := c.Doc.Raw(c.chosen)
	var d json.Doc
	if err := d.Parse(raw, nil, wide(raw)); err != nil {
		return nil, err
	}
	e := d.Edit()
	n, _ := d.Member(0, "url") // an interface without is not chosen
	e.ReplaceText(n, url)
	out, err := e.Apply([]byte{'['})
	return append(out, ']'), err
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
