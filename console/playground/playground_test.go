package playground

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/console/draft"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/change"
)

const hostile = `</td><script>alert("x")</script>` + "\u202egnp"

// stage shows as many places as it is told to, by hostile names.
type stage struct {
	draft.Without
	agents, places int
}

func (s stage) InForce() (draft.Force, error) {
	return draft.Force{Rules: change.RuleSet{Files: map[string][]byte{hostile + ".cedar": []byte("// " + hostile)}}}, nil
}

func (s stage) Choices() (c Choices) {
	for i := range s.agents {
		c.Agents = append(c.Agents, flow.Party{Agent: flow.AgentID(fmt.Sprint("a", i)), Domain: flow.DomainID(hostile)})
	}
	return c
}

func (s stage) Try(_ context.Context, t Try) (out []Sight, err error) {
	for _, to := range t.To {
		one := Sight{To: flow.Party{Agent: to, Domain: hostile}, Seen: hostile}
		for i := range s.places {
			one.Places = append(one.Places, Place{Place: fmt.Sprint(hostile, i), Value: hostile, Label: "person/name", Reason: hostile, Policies: []flow.PolicyID{hostile}})
		}
		out = append(out, one)
	}
	return out, nil
}

func TestHostileNamesAndManyOfThem(t *testing.T) {
	s := stage{agents: 10_000, places: 10_000}
	f := page.New(page.Options{
		Login: "/login", Record: func(context.Context, page.Act) error { return nil },
		Identify: func(*http.Request) page.Who {
			return page.Who{Name: "ann", Role: page.Steward, Form: flow.NewSecret("the-form-of-ann")}
		},
	})
	Add(f, Options{Stage: s, Bench: s})
	srv := httptest.NewServer(f)
	defer srv.Close()
	post := func(form url.Values) string {
		t.Helper()
		res, err := http.PostForm(srv.URL+"/playground", form)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	form := url.Values{"form_token": {"the-form-of-ann"}, "message": {hostile}, "to": {"a1, a2"}}
	body := post(form)
	if strings.Contains(body, "<script>alert") || strings.Contains(strings.SplitN(body, "</form>", 3)[2], "\u202e") {
		t.Error("a name gets out of its place")
	}
	if n := strings.Count(body, `scope="row"`); n != mostRows || !strings.Contains(body, "more places are") || len(body) > 2<<20 {
		t.Errorf("%d rows, %d bytes", n, len(body))
	}
	form.Set("to", "a1,a2,a3,a4,a5,a6,a7,a8,a9")
	if body := post(form); !strings.Contains(body, "At most 8 recipients") {
		t.Error("nine recipients")
	}
	form.Set("to", "a1")
	form.Set("message", strings.Repeat("x", mostMessage+1))
	if body := post(form); !strings.Contains(body, "larger than 256 KiB") {
		t.Error("a message without end")
	}
	form.Set("form_token", "of-somebody-else")
	if body := post(form); strings.Contains(body, "What each would see") {
		t.Error("a forged form is answered")
	}
}

func TestKindOfAMessage(t *testing.T) {
	for text, want := range map[string]Kind{
		"Dear Ann": Text, "{not json": Text, `{"a":1}`: JSON, `[1]`: JSON,
		`{"jsonrpc":"2.0","method":"SendMessage","params":{}}`:  A2A,
		`{"jsonrpc":"2.0","method":"message/send","params":{}}`: A2A,
		`{"jsonrpc":"2.0","method":"tools/call","params":{}}`:   MCP,
		`{"jsonrpc":"2.0","id":1,"result":{"content":[]}}`:      MCP,
		`{"jsonrpc":"2.0","id":1,"result":{"message":{}}}`:      A2A,
	} {
		if got := KindOf([]byte(text)); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}
