package catalog

import (
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// servers reads where the data lie.
func (p *contractParser) servers(n *yaml.Node) (all []Server) {
	for i, v := range p.list(n, "", "servers") {
		at := fmt.Sprintf("/servers/%d", i)
		if v.Kind != yaml.MappingNode {
			p.wrong(v, at, "", "an object is expected")
			continue
		}
		text := func(key string) string { return p.text(v, at, key, false) }
		s := Server{
			Name: p.text(v, at, "server", true), Type: p.text(v, at, "type", true),
			Description: text("description"), Environment: text("environment"), Location: text("location"), Host: text("host"),
			Database: text("database"), Schema: text("schema"), Path: text("path"), Format: text("format"),
		}
		if port := text("port"); port != "" {
			number, err := strconv.ParseUint(port, 10, 16)
			if err != nil {
				p.wrong(member(v, "port"), at+"/port", "", "a port is a number up to 65535")
			}
			s.Port = int(number)
		}
		all = append(all, s)
	}
	return all
}

// reference returns the field that a property's values come from, as "dataset/column".
func (p *contractParser) reference(n *yaml.Node, place string, custom placed) string {
	if v := custom.node; v != nil {
		if _, _, ok := cutField(v.Value); v.Kind != yaml.ScalarNode || !ok {
			p.wrong(v, custom.place, "", "dataset/column is expected")
			return ""
		}
		return v.Value
	}
	for i, r := range p.list(n, place, "relationships") {
		at := fmt.Sprintf("%s/relationships/%d", place, i)
		if r.Kind != yaml.MappingNode {
			p.wrong(r, at, "", "an object is expected")
			continue
		}
		to := member(r, "to")
		if to == nil || to.Kind != yaml.ScalarNode {
			continue // of several columns, which is nothing that is said of one
		}
		if m := shorthand.FindStringSubmatch(to.Value); m != nil {
			return m[1] + "/" + m[2]
		}
	}
	return ""
}
