package config

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// SchemaURL is where the JSON Schema of the file is published, and what a file's first line names.
const SchemaURL = "https://scrim.dev/schema/scrim-v1.json"

// Schema returns the JSON Schema (2020-12) of the file, made from the types of this package.
func Schema() []byte {
	root := object(reflect.TypeFor[Config]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = SchemaURL
	root["title"] = "scrim.yaml"
	raw, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		panic(err) // maps of texts and numbers always encode
	}
	return append(raw, '\n')
}

func object(t reflect.Type) map[string]any {
	props, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("yaml")
		if key == "" {
			continue
		}
		props[key] = property(f)
		if f.Tag.Get("required") != "" {
			required = append(required, key)
		}
	}
	out := map[string]any{"type": "object", "properties": props, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

func property(f reflect.StructField) map[string]any {
	s := typeSchema(f.Type, f.Tag)
	s["description"] = f.Tag.Get("doc")
	if text := f.Tag.Get("default"); text != "" {
		s["default"] = text
		if n, err := strconv.Atoi(text); err == nil && f.Type.Kind() == reflect.Int {
			s["default"] = n
		}
	}
	// A key whose block is commented out is read as absent.
	if kind := s["type"]; kind == "object" || kind == "array" {
		s["type"] = []string{kind.(string), "null"}
	}
	return s
}

// named lists the values of types that are read from a name.
var named = map[reflect.Type][]encoding.TextMarshaler{
	reflect.TypeFor[flow.Criticality](): {flow.Low, flow.Routine, flow.Critical},
	reflect.TypeFor[flow.Level]():       {flow.Dropped, flow.Masked, flow.Tokenized, flow.Generalized, flow.Raw},
	reflect.TypeFor[flow.Direction]():   {flow.Request, flow.Response},
	reflect.TypeFor[flow.Tier]():        {flow.Public, flow.Internal, flow.Confidential, flow.Restricted},
	reflect.TypeFor[flow.Family]():      {flow.Identifier, flow.Attribute},
	reflect.TypeFor[flow.Kind]():        {flow.Text, flow.Date, flow.Number, flow.Postal, flow.Network, flow.Code, flow.Digits, flow.Truth},
}

func typeSchema(t reflect.Type, tag reflect.StructTag) map[string]any {
	if values, ok := named[t]; ok {
		var names []string
		for _, v := range values {
			name, _ := v.MarshalText()
			names = append(names, string(name))
		}
		return map[string]any{"enum": names}
	}
	switch t {
	case timeType:
		return map[string]any{"type": "string", "format": "date-time"}
	case reflect.TypeFor[Score]():
		return map[string]any{"type": "number", "minimum": 0, "maximum": 1}
	case reflect.TypeFor[Decimal]():
		return map[string]any{"type": []string{"string", "number"}, "pattern": `^[0-9]{1,7}(\.[0-9]{0,12})?$`, "minimum": 0}
	case reflect.TypeFor[Exact]():
		return map[string]any{"type": []string{"string", "number"}, "pattern": `^[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?$`, "minimum": 0}
	case reflect.TypeFor[Literal]():
		return map[string]any{"type": []string{"string", "number", "boolean"}, "maxLength": 256}
	case reflect.TypeFor[Duration]():
		return map[string]any{"type": "string", "pattern": `^([0-9]+d|([0-9.]+(ns|us|µs|ms|s|m|h))+|0)$`}
	case reflect.TypeFor[Size]():
		return map[string]any{"type": []string{"string", "integer"}, "pattern": `^[0-9]+(B|KiB|MiB|GiB)?$`, "minimum": 0}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem(), tag)
	case reflect.Struct:
		return object(t)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": typeSchema(t.Elem(), tag)}
	case reflect.Map:
		values := typeSchema(t.Elem(), "")
		if values["type"] == "object" {
			values["type"] = []string{"object", "null"}
		}
		return map[string]any{"type": "object", "propertyNames": map[string]any{"pattern": patterns[tag.Get("keys")].re.String()}, "additionalProperties": values}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return number(tag)
	}
	return text(tag)
}

func number(tag reflect.StructTag) map[string]any {
	out := map[string]any{"type": "integer"}
	for key, keyword := range map[string]string{"min": "minimum", "max": "maximum", "enum": "const"} {
		if n, err := strconv.Atoi(tag.Get(key)); err == nil {
			out[keyword] = n
		}
	}
	return out
}

func text(tag reflect.StructTag) map[string]any {
	out := map[string]any{"type": "string"}
	if values := strings.Fields(tag.Get("enum")); len(values) > 0 {
		out["enum"] = values
	}
	if p, ok := patterns[tag.Get("pattern")]; ok && p.re != nil {
		out["pattern"] = "^$|" + p.re.String()
		if tag.Get("required") != "" {
			out["pattern"] = p.re.String()
		}
	} else if tag.Get("required") != "" {
		out["minLength"] = 1
	}
	return out
}
