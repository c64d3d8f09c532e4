package ask

import (
	stdjson "encoding/json"
	"slices"
	"sync"
)

// OpenAPI is the description of the HTTP API (OpenAPI 3.1). It says nothing of any dataset.
var OpenAPI = sync.OnceValue(openAPI)

func openAPI() []byte {
	type object = map[string]any
	byName := map[string]Act{}
	for _, act := range append((&Service{}).Acts(), (&Service{}).streamActs()...) {
		byName[act.Name] = act
	}
	one := func(name string, body bool) object {
		act := byName[name]
		op := object{
			"operationId": act.Name, "summary": act.Title, "description": act.Description,
			"responses": object{
				"200":     object{"description": "The answer.", "content": object{"application/json": object{"schema": object{"type": "object"}}}},
				"default": object{"description": "A refusal (RFC 9457).", "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}}},
			},
		}
		params := []any{}
		inPath := func(name string) {
			params = append(params, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string", "maxLength": maxName}})
		}
		if name != ListTool && name != StreamsTool {
			inPath("dataset")
		}
		if name == ReadTool {
			inPath("stream")
			form := formOf(act.Input)
			for _, name := range []string{"window", "until", "points"} {
				params = append(params, object{"name": name, "in": "query", "schema": form.Properties[name]})
			}
		}
		if act.Spends || name == ReadTool {
			params = append(params, object{"name": HeaderID, "in": "header", "description": "Your own name of this question: the same again is a retry.", "schema": object{"type": "string", "maxLength": maxID}})
		}
		for _, h := range []string{"Scrim-Purpose", "Scrim-Criticality"} {
			params = append(params, object{"name": h, "in": "header", "schema": object{"type": "string"}})
		}
		op["parameters"] = params
		if body {
			op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": bodyOf(act.Input)}}}
		}
		return op
	}
	text, err := stdjson.MarshalIndent(object{
		"openapi": "3.1.0",
		"info":    object{"title": "Questions about datasets", "version": "1", "description": "Answers under differential privacy."},
		"paths": object{
			Path:                        object{"get": one(ListTool, false)},
			Path + "/{dataset}":         object{"get": one(DescribeTool, false), "post": one(QueryTool, true)},
			Path + "/{dataset}/explain": object{"post": one(ExplainTool, true)},
			Path + "/{dataset}/budget":  object{"get": one(BudgetTool, false)},

			StreamsPath:                         object{"get": one(StreamsTool, false)},
			StreamsPath + "/{dataset}/{stream}": object{"get": one(ReadTool, false)},
		},
		"components": object{
			"schemas": object{"Problem": object{"type": "object", "required": []string{"title", "status", "detail", "rule"}, "properties": object{
				"title": object{"type": "string"}, "status": object{"type": "integer"}, "detail": object{"type": "string"}, "rule": object{"type": "string"}, "reference": object{"type": "string"},
			}}},
			"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer"}, "capability": object{"type": "apiKey", "in": "header", "name": "Scrim-Capability"}},
		},
		"security": []any{object{"bearer": []string{}}, object{"capability": []string{}}},
	}, "", "  ")
	if err != nil {
		panic(err) // texts and lists always encode
	}
	return text
}

// objectForm is the schema of an object.
type objectForm struct {
	Type       string                        `json:"type"`
	Additional bool                          `json:"additionalProperties"`
	Required   []string                      `json:"required,omitempty"`
	Properties map[string]stdjson.RawMessage `json:"properties"`
}

func formOf(text string) objectForm {
	var f objectForm
	if err := stdjson.Unmarshal([]byte(text), &f); err != nil {
		panic(err) // a constant of this package
	}
	return f
}

// bodyOf is a form without the dataset, which the address names.
func bodyOf(text string) objectForm {
	f := formOf(text)
	delete(f.Properties, "dataset")
	f.Required = slices.DeleteFunc(f.Required, func(name string) bool { return name == "dataset" })
	return f
}
