package a2a

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestRoutes(t *testing.T) {
	for request, want := range map[string]string{
		"POST message:send":                          "SendMessage",
		"POST message:stream":                        "SendStreamingMessage",
		"POST acme/message:send":                     "SendMessage tenant=acme",
		"POST locations/eu/projects/p/message:send":  "SendMessage tenant=locations/eu/projects/p",
		"GET tasks":                                  "ListTasks",
		"GET acme/tasks":                             "ListTasks tenant=acme",
		"GET tasks/t-1":                              "GetTask id=t-1",
		"GET tasks/tasks":                            "GetTask id=tasks",
		"GET acme/tasks/t-1":                         "GetTask id=t-1 tenant=acme",
		"GET tasks/t%201":                            "",
		"GET tasks/t%E2%82%AC":                       "GetTask id=t€",
		"POST tasks/t-1:cancel":                      "CancelTask id=t-1",
		"POST tasks/t-1%3Acancel":                    "CancelTask id=t-1",
		"GET tasks/t-1:subscribe":                    "SubscribeToTask id=t-1",
		"POST acme/tasks/t-1:subscribe":              "SubscribeToTask id=t-1 tenant=acme",
		"POST tasks/t-1/pushNotificationConfigs":     "CreateTaskPushNotificationConfig taskId=t-1",
		"GET tasks/t-1/pushNotificationConfigs":      "ListTaskPushNotificationConfigs taskId=t-1",
		"GET tasks/t-1/pushNotificationConfigs/c":    "GetTaskPushNotificationConfig taskId=t-1 id=c",
		"DELETE tasks/t-1/pushNotificationConfigs/c": "DeleteTaskPushNotificationConfig taskId=t-1 id=c",
		"GET extendedAgentCard":                      "GetExtendedAgentCard",
		"GET acme/extendedAgentCard":                 "GetExtendedAgentCard tenant=acme",
		"GET message:send":                           "[POST]",
		"DELETE tasks/t-1":                           "[GET]",
		"POST tasks/t-1":                             "[GET]",
		"GET tasks/t-1:cancel":                       "[POST]",
		"GET tasks/t-1:cancel:subscribe":             "",
		"GET tasks/:subscribe":                       "",
		"GET tasks/":                                 "",
		"GET tasks/..":                               "",
		"GET tasks/%2E%2E":                           "",
		"GET tasks/a%2FpushNotificationConfigs":      "",
		"GET tasks/a%5Cb":                            "",
		"GET tasks/a%252Fb":                          "",
		"GET tasks/a%3Fx=1":                          "",
		"GET tasks/a;b":                              "",
		"GET %2E%2E/tasks/t-1":                       "",
		"GET ../tasks/t-1":                           "",
		"GET a%2Fb/tasks/t-1":                        "",
		"GET a//tasks/t-1":                           "",
		"GET tasks/%zz":                              "",
		"POST v1/skills/s/query":                     "",
		"GET a/b/c/d/e/f/g/h/i/tasks":                "",
		"GET tasks/" + strings.Repeat("a", 513):      "",
		"GET tasks/t-1/pushNotificationConfigs/pushNotificationConf": "GetTaskPushNotificationConfig taskId=t-1 id=pushNotificationConf",
	} {
		verb, path, _ := strings.Cut(request, " ")
		rt, ok, allowed := findRoute(verb, path)
		got := ""
		if ok {
			got = rt.method
			for _, p := range rt.params {
				got += " " + p[0] + "=" + p[1]
			}
		} else if allowed != nil {
			got = fmt.Sprint(allowed)
		}
		if got != want {
			t.Errorf("%.80s is %q, want %q", request, got, want)
		}
	}
}

// What a value in a message would do to an address beyond its own segment, it does not do at all.
func TestNoValueLeavesItsSegment(t *testing.T) {
	for _, op := range operations {
		for _, bad := range []string{"..", ".", "", "a/b", "a/../b", "a%2Fb", `a\b`, "a?x", "a#b", "a:cancel", "a:subscribe", "a b", "a\nb", "a;b"} {
			address, ok := op.build("http://agent.example/base", "", func(string) string { return bad })
			if ok && len(op.path) > 1 {
				t.Errorf("%s: %q made %q", op.method, bad, address)
			}
			if strings.ContainsAny(bad, "/:") {
				continue // a slash parts the segments of a tenant
			}
			if address, ok := op.build("http://agent.example/base", bad, func(string) string { return "t" }); ok && bad != "" {
				t.Errorf("%s: tenant %q made %q", op.method, bad, address)
			}
		}
		if address, ok := op.build("http://agent.example/base", "../../other", func(string) string { return "t" }); ok {
			t.Errorf("%s: a tenant left its agent: %q", op.method, address)
		}
	}
}

// FuzzRoute: what a path is read as is what it is written as again, and nothing else.
func FuzzRoute(f *testing.F) {
	for _, path := range []string{"message:send", "acme/tasks/t-1:cancel", "tasks/t/pushNotificationConfigs/c", "tasks/%2e%2e", "a%2Fb/tasks", "extendedAgentCard", "tasks/t€", "tasks/t%C3%A9:subscribe"} {
		for _, verb := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			f.Add(verb, path)
		}
	}
	f.Fuzz(func(t *testing.T, verb, path string) {
		rt, ok, _ := findRoute(verb, path)
		if !ok {
			return
		}
		values := map[string]string{}
		for _, p := range rt.params {
			values[p[0]] = p[1]
		}
		address, fits := rt.build("http://agent.example/x", values["tenant"], func(name string) string { return values[name] })
		if !fits {
			t.Fatalf("%q was read and cannot be written", path)
		}
		u, err := url.Parse(address)
		if err != nil || u.RawQuery != "" || u.Fragment != "" || !strings.HasPrefix(u.Path, "/x/") {
			t.Fatalf("%q became %q", path, address)
		}
		again, ok, _ := findRoute(verb, strings.TrimPrefix(u.EscapedPath(), "/x/"))
		if !ok || again.method != rt.method || fmt.Sprint(again.params) != fmt.Sprint(rt.params) {
			t.Fatalf("%q is %s %v, and written again %s %v", path, rt.method, rt.params, again.method, again.params)
		}
	})
}
