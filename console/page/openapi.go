package page

import (
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// operation is one way to call the API, as the description tells it.
type operation struct {
	method, path, title, summary string
	role                         Role
	query                        []Param
	in, out                      reflect.Type // nil: none
	media                        string       // of an answer that is not JSON
}

func (f *Frame) describe(o operation) { f.operations = append(f.operations, o) }

// Described is an operation that is served beside the frame, for its description. In and Out are the types of body and answer; nil: none.
type Described struct {
	Method, Path, Title, Summary string
	Role                         Role
	In, Out                      reflect.Type
	Media                        string // of an answer that is not one JSON value; "": JSON
}

// Describe adds an operation to the description only.
func (f *Frame) Describe(d Described) {
	f.describe(operation{
		method: strings.ToLower(d.Method), path: d.Path, title: d.Title, summary: d.Summary, role: d.Role, media: d.Media, in: d.In, out: d.Out,
	})
}

// Calls lists what the description has, as "POST /freeze".
func (f *Frame) Calls() []string {
	var all []string
	for _, o := range f.operations {
		all = append(all, strings.ToUpper(o.method)+" "+o.path)
	}
	return all
}

type object = map[string]any

// OpenAPI is the description of all that lies under /api/v1 (OpenAPI 3.1). It says nothing of any gateway.
func (f *Frame) OpenAPI() []byte {
	s := &schemas{named: object{}, types: map[string]reflect.Type{}}
	paths := object{}
	for _, o := range f.operations {
		at := strings.ReplaceAll(o.path, "...}", "}")
		item, _ := paths[at].(object)
		if item == nil {
			item = object{}
			paths[at] = item
		}
		item[o.method] = s.operation(o)
	}
	b, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info":    object{"title": "Scrim: console and administration", "version": "1", "description": "Every page of the console in JSON, every action, and what the commands of scrim ask of a running gateway. No answer holds a value from a payload unless its summary says so. A browser that is logged in brings the cookie of its session instead of the token, whose name is another one at each gateway, and the header Scrim-Form with changes."},
		"servers": []any{object{"url": "/api/v1"}},
		"paths":   paths,
		"components": object{
			"schemas": s.named,
			"securitySchemes": object{
				"token": object{"type": "http", "scheme": "bearer", "description": "The token of the data directory: role admin."},
			},
		},
		"security": []any{object{"token": []any{}}},
	}, "", "  ")
	if err != nil {
		panic(err) // maps, texts and numbers
	}
	return append(b, '\n')
}

func (s *schemas) operation(o operation) object {
	media := o.media
	if media == "" {
		media = "application/json"
	}
	body := object{}
	if o.out != nil {
		body = s.of(o.out)
	}
	op := object{
		"operationId": o.method + strings.NewReplacer("/", "_", "{", "", "}", "", ".", "").Replace(o.path),
		"summary":     o.title, "description": o.summary, "x-scrim-role": o.role.String(),
		"responses": object{
			"200":     object{"description": o.title, "content": object{media: object{"schema": body}}},
			"default": object{"description": "What is wrong, without values.", "content": object{"application/json": object{"schema": s.of(reflect.TypeFor[problem]())}}},
		},
	}
	var list []any
	for _, m := range params.FindAllStringSubmatch(o.path, -1) {
		list = append(list, object{"name": strings.TrimSuffix(m[1], "..."), "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, q := range o.query {
		list = append(list, object{"name": q.Name, "in": "query", "description": q.What, "schema": object{"type": "string"}})
	}
	if list != nil {
		op["parameters"] = list
	}
	if o.in != nil {
		op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": s.of(o.in)}}}
	}
	return op
}

type problem struct {
	Error string `json:"error"`
}

// schemas describes Go types as encoding/json writes them.
type schemas struct {
	named object
	types map[string]reflect.Type // by name
}

var (
	textType = reflect.TypeFor[encoding.TextMarshaler]()
	jsonType = reflect.TypeFor[json.Marshaler]()
)

func (s *schemas) of(t reflect.Type) object {
	if t.Kind() == reflect.Pointer {
		return s.of(t.Elem())
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[time.Duration]():
		return object{"type": "integer", "description": "nanoseconds"}
	case t.Implements(jsonType) || reflect.PointerTo(t).Implements(jsonType):
		return object{}
	case t.Implements(textType) || reflect.PointerTo(t).Implements(textType):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": []any{"array", "null"}, "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": []any{"object", "null"}, "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.structure(t)
	}
	return object{}
}

// structure describes a struct once, by its name.
func (s *schemas) structure(t reflect.Type) object {
	if t.Name() == "" {
		return s.members(t)
	}
	name := t.String()
	name = strings.NewReplacer("*", "", "[", "-", "]", "", "/", ".", ",", "-").Replace(name)
	for was := s.types[name]; was != nil && was != t; was = s.types[name] {
		name += "_" // packages of one name in two places
	}
	if s.types[name] == nil {
		s.types[name] = t
		s.named[name] = object{} // a type that holds itself
		s.named[name] = s.members(t)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

func (s *schemas) members(t reflect.Type) object {
	props := object{}
	need := map[string]bool{}
	for i := range t.NumField() {
		sf := t.Field(i)
		name, opts, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if name == "-" || !sf.IsExported() && !sf.Anonymous {
			continue
		}
		if sf.Anonymous && name == "" {
			ft := sf.Type
			if ft.Kind() == reflect.Pointer {
				ft = ft.Elem()
			}
			if ft.Kind() == reflect.Struct {
				inner := s.members(ft)
				maps.Copy(props, inner["properties"].(object))
				continue
			}
		}
		if name == "" {
			name = sf.Name
		}
		props[name] = s.of(sf.Type)
		if !strings.Contains(opts, "omit") {
			need[name] = true
		}
	}
	out := object{"type": "object", "properties": props}
	if len(need) > 0 {
		out["required"] = slices.Sorted(maps.Keys(need))
	}
	return out
}
