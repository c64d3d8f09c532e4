package a2a

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// operation is a method of A2A as the HTTP+JSON binding has it.
type operation struct {
	method string
	verbs  []string // of HTTP; requests to agents have the first
	path   []string // segments: a word, or {param} with perhaps an action behind it
}

// operations are those of A2A 1.0. The specification subscribes by GET; some clients use POST.
var operations = []operation{
	{"SendMessage", []string{http.MethodPost}, []string{"message:send"}},
	{"SendStreamingMessage", []string{http.MethodPost}, []string{"message:stream"}},
	{"ListTasks", []string{http.MethodGet}, []string{"tasks"}},
	{"GetTask", []string{http.MethodGet}, []string{"tasks", "{id}"}},
	{"CancelTask", []string{http.MethodPost}, []string{"tasks", "{id}:cancel"}},
	{"SubscribeToTask", []string{http.MethodGet, http.MethodPost}, []string{"tasks", "{id}:subscribe"}},
	{"CreateTaskPushNotificationConfig", []string{http.MethodPost}, []string{"tasks", "{taskId}", "pushNotificationConfigs"}},
	{"ListTaskPushNotificationConfigs", []string{http.MethodGet}, []string{"tasks", "{taskId}", "pushNotificationConfigs"}},
	{"GetTaskPushNotificationConfig", []string{http.MethodGet}, []string{"tasks", "{taskId}", "pushNotificationConfigs", "{id}"}},
	{"DeleteTaskPushNotificationConfig", []string{http.MethodDelete}, []string{"tasks", "{taskId}", "pushNotificationConfigs", "{id}"}},
	{"GetExtendedAgentCard", []string{http.MethodGet}, []string{"extendedAgentCard"}},
}

// actions are what may stand behind the id of a task. An id that ends in one cannot be told from it.
var actions = []string{":cancel", ":subscribe"}

// maxTenant is how many segments a tenant may have in a path.
const maxTenant = 8

// route is what a path of the HTTP+JSON binding names.
type route struct {
	operation
	params [][2]string // names and values, the tenant among them
}

// findRoute reads a path, escaped as it came, without a slash at its beginning. Where it could name a tenant or not, it
// names as little of one as it can. Ok is false if there is no such place; allowed are the verbs of a place that has
// another one.
func findRoute(verb, path string) (rt route, ok bool, allowed []string) {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil || !plainSegment(plain) {
			return route{}, false, nil
		}
		segments[i] = plain
	}
	for tenant := 0; tenant <= maxTenant && tenant < len(segments); tenant++ {
		var verbs []string
		for _, op := range operations {
			params, fits := op.match(segments[tenant:])
			if !fits {
				continue
			}
			if !slices.Contains(op.verbs, verb) {
				verbs = append(verbs, op.verbs...)
				continue
			}
			if tenant > 0 {
				params = append(params, [2]string{"tenant", strings.Join(segments[:tenant], "/")})
			}
			return route{op, params}, true, nil
		}
		if verbs != nil {
			return route{}, false, verbs
		}
	}
	return route{}, false, nil
}

func (op operation) match(segments []string) (params [][2]string, ok bool) {
	if len(segments) != len(op.path) {
		return nil, false
	}
	for i, want := range op.path {
		name, action, isParam := cutParam(want)
		switch {
		case !isParam && segments[i] != want:
			return nil, false
		case !isParam:
			continue
		}
		value, fits := strings.CutSuffix(segments[i], action)
		if !fits || value == "" || hasAction(value) {
			return nil, false
		}
		params = append(params, [2]string{name, value})
	}
	return params, true
}

// cutParam takes "{id}:cancel" apart.
func cutParam(segment string) (name, action string, ok bool) {
	rest, ok := strings.CutPrefix(segment, "{")
	if !ok {
		return "", "", false
	}
	name, action, _ = strings.Cut(rest, "}")
	return name, action, true
}

func hasAction(id string) bool {
	return slices.ContainsFunc(actions, func(a string) bool { return strings.HasSuffix(id, a) })
}

// plainSegment reports whether a text is one segment of a path whichever way a server reads it: what hides a slash, a
// step upwards or an escape is one here and two there.
func plainSegment(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= 512 && utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\%?#;`, r) })
}

// build returns the path of an operation at a base address, with values for its params and the tenant. Ok is false if
// one of them cannot stand in a path, or makes it that of another operation or tenant, as "tasks" before "tasks" does.
func (op operation) build(base, tenant string, value func(name string) string) (address string, ok bool) {
	path, ok := op.relative(tenant, value)
	if !ok {
		return "", false
	}
	rt, ok, _ := findRoute(op.verbs[0], path[1:])
	if !ok || rt.method != op.method || rt.tenant() != tenant {
		return "", false
	}
	return strings.TrimSuffix(base, "/") + path, true
}

// tenant is the one that the path names, or "".
func (rt route) tenant() string {
	for _, p := range rt.params {
		if p[0] == "tenant" {
			return p[1]
		}
	}
	return ""
}

func (op operation) relative(tenant string, value func(name string) string) (path string, ok bool) {
	var b []byte
	if tenant != "" {
		segments := strings.Split(tenant, "/")
		if len(segments) > maxTenant {
			return "", false
		}
		for _, s := range segments {
			if !plainSegment(s) {
				return "", false
			}
			b = append(append(b, '/'), url.PathEscape(s)...)
		}
	}
	for _, s := range op.path {
		b = append(b, '/')
		name, action, isParam := cutParam(s)
		if !isParam {
			b = append(b, s...)
			continue
		}
		v := value(name)
		if !plainSegment(v) || hasAction(v) {
			return "", false
		}
		b = append(append(b, url.PathEscape(v)...), action...)
	}
	return string(b), true
}

// inPath reports whether the path itself holds the param.
func (op operation) inPath(name string) bool {
	return slices.ContainsFunc(op.path, func(s string) bool {
		n, _, ok := cutParam(s)
		return ok && n == name
	})
}

func operationOf(method string) (operation, bool) {
	i := slices.IndexFunc(operations, func(op operation) bool { return op.method == method })
	if i < 0 {
		return operation{}, false
	}
	return operations[i], true
}
