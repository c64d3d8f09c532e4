package capability

import (
	"time"

	"github.com/scrimhq/scrim/flow"
)

// MarshalJSON writes the grant as files, configuration and requests for tokens have it: the members of the profile's entry
// in authorization_details, and audience, tools, not_before, expires (RFC 3339) and max_depth beside them. What is nil or zero
// is left out. A grant that is not well-formed is not written; the error is an *[Error] with [RuleForm].
func (g Grant) MarshalJSON() ([]byte, error) {
	if err := g.partial(); err != nil {
		return nil, err
	}
	o := g.entry()
	o.text("type", entryScrim)
	putTexts(&o, "audience", g.Audience)
	if g.Tools != nil {
		o.put("tools", g.toolsRaw())
	}
	if !g.NotBefore.IsZero() {
		o.text("not_before", g.NotBefore.UTC().Format(time.RFC3339))
	}
	if !g.Expires.IsZero() {
		o.text("expires", g.Expires.UTC().Format(time.RFC3339))
	}
	if g.MaxDepth != 0 {
		o.number("max_depth", int64(g.MaxDepth))
	}
	return o.bytes(), nil
}

// UnmarshalJSON reads what [Grant.MarshalJSON] writes, strictly: a member that is unknown, occurs twice or is not well-formed
// is refused by an *[Error] with [RuleForm]. The type may be left out, as may any member.
func (g *Grant) UnmarshalJSON(b []byte) error {
	v, ok := parse(string(b))
	if !ok || v.kind != isObject {
		return broken(RuleForm, "grant")
	}
	var read Grant
	for i := range v.members {
		m := &v.members[i]
		known, ok := readMember(m.name, &m.value, &v, &read)
		if !known {
			return broken(RuleForm, "grant")
		}
		if !ok {
			return broken(RuleForm, m.name)
		}
	}
	if err := read.partial(); err != nil {
		return err
	}
	*g = read
	return nil
}

func readMember(name string, v, grant *value, g *Grant) (known, ok bool) {
	switch name {
	case "agent": // may be missing, but not empty
		g.Agent = v.text
		return true, v.kind == isString && v.text != ""
	case "type":
		return true, v.kind == isString && v.text == entryScrim
	case "audience":
		return true, readTexts(v, &g.Audience)
	case "tools":
		return true, readToolMap(v, g)
	case "not_before":
		return true, readTime(v, &g.NotBefore)
	case "expires":
		return true, readTime(v, &g.Expires)
	case "max_depth":
		var n int64
		ok := grant.integer(name, &n) && n <= hardDepth
		g.MaxDepth = int(n)
		return true, ok
	}
	return readLimit(name, v, grant, g)
}

func readTime(v *value, to *time.Time) bool {
	t, err := time.Parse(time.RFC3339, v.text)
	*to = t.UTC()
	return v.kind == isString && err == nil
}

// partial is malformed for a grant whose missing members somebody else will fill in.
func (g Grant) partial() error {
	if g.Agent == "" {
		g.Agent = "a"
	}
	if g.Counted == "" && (g.Cost != nil || g.Uses != nil) {
		g.Counted = "d"
	} else if g.Counted != "" && g.Cost == nil && g.Uses == nil {
		g.Cost = &flow.Cost{}
	}
	if g.Expires.IsZero() {
		g.Expires = time.Unix(0, 0)
	}
	if m := g.malformed(true); m != "" {
		return broken(RuleForm, m)
	}
	return nil
}
