package facade

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// listed is a tool as the list gives it, after the road.
type listed struct {
	Name   string `json:"name"`
	Input  schema `json:"inputSchema"`
	Output schema `json:"outputSchema"`
}

type schema struct {
	Properties map[string]json.RawMessage `json:"properties"`
	Required   []string                   `json:"required,omitempty"`
}

// openAPI describes (OpenAPI 3.1) what the caller of tools/list may use over REST.
func openAPI(base string, server flow.AgentID, result []byte) ([]byte, error) {
	var list struct {
		Tools []listed `json:"tools"`
	}
	if err := json.Unmarshal(result, &list); err != nil {
		return nil, err
	}
	paths := object{}
	for _, t := range list.Tools {
		if name, ok := strings.CutSuffix(t.Name, "_"+string(search)); ok {
			params, err := searching(t.Input)
			if err != nil {
				return nil, err
			}
			paths["/"+name] = object{"get": operationOf(t.Name, "Rows that meet all conditions, page by page.", params, t.Output)}
		}
		if name, ok := strings.CutSuffix(t.Name, "_"+string(get)); ok {
			var key schema
			if err := json.Unmarshal(t.Input.Properties["key"], &key); err != nil {
				return nil, err
			}
			path, params := "/"+name, []any{}
			for _, column := range key.Required {
				path += "/{" + column + "}"
				params = append(params, object{"name": column, "in": "path", "required": true, "schema": key.Properties[column]})
			}
			params = append(params, selecting(t.Input))
			var rows struct {
				Items json.RawMessage `json:"items"`
			}
			if err := json.Unmarshal(t.Output.Properties["rows"], &rows); err != nil {
				return nil, err
			}
			paths[path] = object{"get": operationOf(t.Name, "One row by its key.", params, schema{Properties: map[string]json.RawMessage{"row": rows.Items}, Required: []string{"row"}})}
		}
	}
	return json.Marshal(object{
		"openapi": "3.1.0",
		"info":    object{"title": string(server), "version": "1"},
		"servers": []any{object{"url": base + Path + string(server)}},
		"paths":   paths,
		"components": object{
			"schemas": object{"Problem": object{"type": "object", "required": []string{"title", "status", "detail", "rule"}, "properties": object{
				"title": object{"type": "string"}, "status": object{"type": "integer"}, "detail": object{"type": "string"}, "rule": object{"type": "string"}, "reference": object{"type": "string"},
			}}},
			"securitySchemes": object{"bearer": object{"type": "http", "scheme": "bearer"}, "capability": object{"type": "apiKey", "in": "header", "name": "Scrim-Capability"}},
		},
		"security": []any{object{"bearer": []string{}}, object{"capability": []string{}}},
	})
}

func operationOf(id, summary string, params []any, output schema) object {
	for _, h := range []string{"Scrim-Purpose", "Scrim-Criticality"} {
		params = append(params, object{"name": h, "in": "header", "schema": object{"type": "string"}})
	}
	properties := object{"_meta": object{"type": "object", "description": "What was changed for this caller, and why."}}
	for name, p := range output.Properties {
		properties[name] = p
	}
	return object{
		"operationId": id, "summary": summary, "parameters": params,
		"responses": object{
			"200":     object{"description": "The answer.", "content": object{"application/json": object{"schema": object{"type": "object", "properties": properties, "required": output.Required}}}},
			"default": object{"description": "A refusal (RFC 9457).", "content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/Problem"}}}},
		},
	}
}

func selecting(in schema) any {
	return object{"name": "select", "in": "query", "style": "form", "explode": false, "schema": in.Properties["columns"]}
}

// searching are the parameters by which rows are looked for.
func searching(in schema) ([]any, error) {
	params := []any{selecting(in)}
	for _, name := range []string{"limit", "cursor"} {
		params = append(params, object{"name": name, "in": "query", "schema": in.Properties[name]})
	}
	var order struct {
		Items struct {
			Properties struct {
				Column struct {
					Enum []string `json:"enum"`
				} `json:"column"`
			} `json:"properties"`
		} `json:"items"`
	}
	if err := json.Unmarshal(in.Properties["order"], &order); err != nil {
		return nil, err
	}
	var steps []string
	for _, c := range order.Items.Properties.Column.Enum {
		steps = append(steps, c, "-"+c)
	}
	if len(steps) > 0 {
		params = append(params, object{"name": "order", "in": "query", "style": "form", "explode": false, "schema": object{"type": "array", "items": object{"type": "string", "enum": steps}}})
	}
	var where schema
	if err := json.Unmarshal(in.Properties["where"], &where); err != nil {
		return nil, err
	}
	for _, column := range sorted(where.Properties) {
		var ops schema
		if err := json.Unmarshal(where.Properties[column], &ops); err != nil {
			return nil, err
		}
		for _, op := range sorted(ops.Properties) {
			name := column + "." + op
			if op == opNames[Equal] {
				name = column
			}
			params = append(params, object{"name": name, "in": "query", "schema": ops.Properties[op]})
		}
	}
	return params, nil
}

func sorted[V any](m map[string]V) []string {
	var all []string
	for name := range m {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}
