package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// Bounds of a contract's file. A node of YAML takes a hundred times the bytes that stand for it, so their number is
// bounded before there are any.
const (
	maxContractBytes = 4 << 20
	maxContractSigns = 400_000 // of those that begin a key, a value or an entry
	maxContractDepth = 100
	maxMistakes      = 100
)

// document returns the one document of a contract's file.
func (p *contractParser) document(raw []byte) (*yaml.Node, bool) {
	refuse := func(line int, hint, message string) (*yaml.Node, bool) {
		p.mistakes = Mistakes{{File: p.name, Line: max(line, 1), Column: 1, Message: message, Hint: hint}}
		return nil, false
	}
	if len(raw) > maxContractBytes {
		return refuse(1, "split it into several contracts", "the file is larger than 4 MiB")
	}
	if signs := bytes.Count(raw, []byte("\n")) + bytes.Count(raw, []byte(",")) + bytes.Count(raw, []byte(":")) + bytes.Count(raw, []byte("- ")) +
		bytes.Count(raw, []byte("[")) + bytes.Count(raw, []byte("{")) + bytes.Count(raw, []byte("?")); signs > maxContractSigns {
		return refuse(1, "split it into several contracts", "the file has too many entries")
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return refuse(yamlLine(err), "", "not a YAML document")
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return refuse(1, "", "a data contract is expected")
	}
	var second yaml.Node
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		return refuse(yamlLine(err), "", "not a YAML document")
	default:
		return refuse(second.Line, "one contract a file", "a second document follows")
	}
	return doc.Content[0], true
}

// structure refuses what makes a file say something else than it seems to: keys given twice, aliases, which could
// also make a short file a long one, merged maps, tags.
func (p *contractParser) structure(n *yaml.Node, place string, depth int) {
	if depth > maxContractDepth {
		p.wrong(n, "", "", "nested more than %d deep", maxContractDepth)
		return
	}
	if n.Style&yaml.TaggedStyle != 0 || !slices.Contains(plainTags, n.Tag) && n.Kind != yaml.AliasNode && n.Tag != "!!merge" {
		p.wrong(n, place, "write the value without a tag", "tags are not read")
		return
	}
	switch n.Kind {
	case yaml.AliasNode:
		p.wrong(n, place, "write it out", "aliases are not read")
	case yaml.SequenceNode:
		for i, v := range n.Content {
			p.structure(v, fmt.Sprintf("%s/%d", place, i), depth+1)
		}
	case yaml.MappingNode:
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			switch {
			case k.Kind != yaml.ScalarNode || k.Tag == "!!null":
				p.wrong(k, place, "", "a key is a text")
				continue
			case k.Tag == "!!merge":
				p.wrong(k, place, "write it out", "merged maps are not read")
				continue
			case seen[k.Value]:
				p.wrong(k, place, "", "key %q is given twice", shortened(k.Value))
			}
			seen[k.Value] = true
			p.structure(v, place+"/"+escapePointer(shortened(k.Value)), depth+1)
		}
	}
}

var plainTags = []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!timestamp", "!!seq", "!!map"}

// shortened is a name as mistakes repeat it, without what could steer a terminal.
func shortened(name string) string {
	const most = 60
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, name)
	if r := []rune(name); len(r) > most {
		return string(r[:most]) + "…"
	}
	return name
}

// A shape is the members that the standard has at one kind of place, with the shape of what they hold: "" where
// anything may stand, "x" for an object, "[]x" for a list of them.
type shape map[string]string

// shapes are those of v3.1.0; TestShapesAreThoseOfTheStandard holds them to its JSON Schema.
var shapes = map[string]shape{
	"contract": {
		"version": "", "kind": "", "apiVersion": "", "id": "", "name": "", "tenant": "", "tags": "", "status": "", "servers": "[]server", "dataProduct": "",
		"description": "about", "domain": "", "schema": "[]object", "support": "[]support", "price": "price", "team": "team", "roles": "[]role",
		"slaDefaultElement": "", "slaProperties": "[]sla", "authoritativeDefinitions": "[]authority", "customProperties": "[]custom", "contractCreatedTs": "",
	},
	"about": {"usage": "", "purpose": "", "limitations": "", "authoritativeDefinitions": "[]authority", "customProperties": "[]custom"},
	"server": {
		"account": "", "catalog": "", "customProperties": "[]custom", "database": "", "dataset": "", "delimiter": "", "description": "", "endpointUrl": "",
		"environment": "", "format": "", "host": "", "id": "", "location": "", "path": "", "port": "", "project": "", "region": "", "regionName": "",
		"roles": "[]role", "schema": "", "server": "", "serviceName": "", "stagingDir": "", "stream": "", "type": "", "warehouse": "",
	},
	"object": {
		"authoritativeDefinitions": "[]authority", "businessName": "", "customProperties": "[]custom", "dataGranularityDescription": "", "description": "",
		"id": "", "logicalType": "", "name": "", "physicalName": "", "physicalType": "", "properties": "[]property", "quality": "",
		"relationships": "[]relationship", "tags": "",
	},
	"property": {
		"authoritativeDefinitions": "[]authority", "businessName": "", "classification": "", "criticalDataElement": "", "customProperties": "[]custom",
		"description": "", "encryptedName": "", "examples": "", "id": "", "items": "property", "logicalType": "", "logicalTypeOptions": "options", "name": "",
		"partitionKeyPosition": "", "partitioned": "", "physicalName": "", "physicalType": "", "primaryKey": "", "primaryKeyPosition": "",
		"properties": "[]property", "quality": "", "relationships": "[]relationship", "required": "", "tags": "", "transformDescription": "",
		"transformLogic": "", "transformSourceObjects": "", "unique": "",
	},
	"options": {
		"minLength": "", "maxLength": "", "pattern": "", "format": "", "minimum": "", "maximum": "", "exclusiveMinimum": "", "exclusiveMaximum": "",
		"multipleOf": "", "timezone": "", "defaultTimezone": "", "minProperties": "", "maxProperties": "", "required": "", "minItems": "", "maxItems": "",
		"uniqueItems": "",
	},
	"custom":       {"description": "", "id": "", "property": "", "value": ""},
	"team":         {"authoritativeDefinitions": "[]authority", "customProperties": "[]custom", "description": "", "id": "", "members": "[]member", "name": "", "tags": ""},
	"member":       {"authoritativeDefinitions": "[]authority", "customProperties": "[]custom", "dateIn": "", "dateOut": "", "description": "", "id": "", "name": "", "replacedByUsername": "", "role": "", "tags": "", "username": ""},
	"role":         {"access": "", "customProperties": "[]custom", "description": "", "firstLevelApprovers": "", "id": "", "role": "", "secondLevelApprovers": ""},
	"relationship": {"customProperties": "[]custom", "from": "", "to": "", "type": ""},
	"sla":          {"description": "", "driver": "", "element": "", "id": "", "property": "", "schedule": "", "scheduler": "", "unit": "", "value": "", "valueExt": ""},
	"support":      {"channel": "", "customProperties": "[]custom", "description": "", "id": "", "invitationUrl": "", "scope": "", "tool": "", "url": ""},
	"price":        {"id": "", "priceAmount": "", "priceCurrency": "", "priceUnit": ""},
	"authority":    {"description": "", "id": "", "type": "", "url": ""},
}

// shaped refuses members that the standard does not have: most are spelled wrongly, and what they say would not hold.
func (p *contractParser) shaped(n *yaml.Node, name, place string) {
	if element, ok := strings.CutPrefix(name, "[]"); ok {
		if n.Kind != yaml.SequenceNode {
			p.wrong(n, place, "", "a list is expected")
			return
		}
		for i, v := range n.Content {
			p.shaped(v, element, fmt.Sprintf("%s/%d", place, i))
		}
		return
	}
	if name == "team" && n.Kind == yaml.SequenceNode { // as before v3.1
		p.shaped(n, "[]member", place)
		return
	}
	if n.Kind != yaml.MappingNode {
		p.wrong(n, place, "", "an object is expected")
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		within, ok := shapes[name][k.Value]
		at := place + "/" + escapePointer(shortened(k.Value))
		switch {
		case !ok:
			p.wrong(k, at, p.near(k.Value, members(name)), "unknown member %q", shortened(k.Value))
		case within == "[]custom":
			p.shaped(v, within, at)
			p.unread(v, name, at)
		case within != "":
			p.shaped(v, within, at)
		}
	}
}

// unread refuses customProperties of ours where nothing reads them, so that what they say would not hold. Of what a list holds the label is read.
func (p *contractParser) unread(list *yaml.Node, shape, place string) {
	items := strings.HasSuffix(place, "/items/customProperties")
	if !items && slices.Contains([]string{"contract", "object", "property"}, shape) {
		return
	}
	for i, entry := range list.Content {
		name := member(entry, "property")
		if name == nil || !strings.HasPrefix(name.Value, "scrim.") || items && name.Value == "scrim.label" {
			continue
		}
		p.wrong(name, fmt.Sprintf("%s/%d", place, i), "say it of the contract, of a dataset or of a column", "%q is not read here", shortened(name.Value))
	}
}

func members(name string) (all []string) {
	for k := range shapes[name] {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}
