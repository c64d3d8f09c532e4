package identity

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func act(subs ...string) map[string]any {
	out := map[string]any{"sub": subs[0]}
	if len(subs) > 1 {
		out["act"] = act(subs[1:]...)
	}
	return out
}

func TestWhoActsIsWhoCalls(t *testing.T) {
	bySub := newLogin(t, nil)
	byActor := newLogin(t, func(o *Options) { o.Issuers[0].AgentClaim = "act.sub" })
	deep := strings.Split(strings.Repeat("alice-agent ", maxActors+1), " ")[:maxActors+1]
	for _, c := range []struct {
		name string
		in   *login
		sub  string
		act  any
		want string // agent; "": refused
	}{
		{"nobody acts", bySub, "alice-agent", nil, "desk"},
		{"nobody acts, and who acts is who calls", byActor, "alice-agent", nil, ""},
		{"an agent for a person", byActor, "carol", act("alice-agent"), "desk"},
		{"an agent for an agent", byActor, "bob-agent", act("alice-agent"), "desk"},
		{"an agent for itself", byActor, "alice-agent", act("alice-agent"), "desk"},
		{"an agent after others", byActor, "carol", act("bob-agent", "alice-agent", "x"), "intake"},
		{"as many as there may be", byActor, "carol", act(deep[:maxActors]...), "desk"},
		{"an agent by its own claim", bySub, "alice-agent", act("alice-agent"), "desk"},
		{"somebody acts for an agent, which is not the agent", bySub, "alice-agent", act("bob-agent"), ""},
		{"nobody we know acts for an agent", bySub, "alice-agent", act("mallory"), ""},
		{"nobody we know acts", byActor, "alice-agent", act("mallory"), ""},
		{"an agent further down does not count", byActor, "carol", act("mallory", "alice-agent"), ""},
		{"another issuer's subject of the same name acts", byActor, "carol", map[string]any{"sub": "alice-agent", "iss": "https://evil.example"}, ""},
		{"the issuer's own, and it says so", byActor, "carol", map[string]any{"sub": "alice-agent", "iss": iss}, "desk"},
		{"an issuer that is none", byActor, "carol", map[string]any{"sub": "alice-agent", "iss": 7}, ""},
		{"a text", byActor, "carol", "alice-agent", ""},
		{"a list", byActor, "carol", []any{act("alice-agent")}, ""},
		{"nobody in it", byActor, "carol", map[string]any{}, ""},
		{"a number", byActor, "carol", map[string]any{"sub": 7}, ""},
		{"an actor in it that is none", byActor, "carol", map[string]any{"sub": "alice-agent", "act": "x"}, ""},
		{"an actor in it that is null", byActor, "carol", map[string]any{"sub": "alice-agent", "act": nil}, ""},
		{"more than there may be", byActor, "carol", act(deep...), ""},
		{"a long name", byActor, "carol", act(strings.Repeat("x", maxName+1)), ""},
	} {
		got, err := c.in.ask(nil, "Authorization", "Bearer "+c.in.token(good().with("sub", c.sub).with("act", c.act)))
		if string(got.Party.Agent) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %+v, %v, want %q", c.name, got, err, c.want)
		}
		if err == nil && c.act != nil && (got.Principal != Principal{iss, c.sub} || len(got.Actors) == 0 || got.Actors[0].Subject == "" || got.Actors[0].Issuer != iss) {
			t.Errorf("%s: for %+v acts %+v, want the token's own words", c.name, got.Principal, got.Actors)
		}
		if err == nil && c.act == nil && (got.Principal != Principal{} || got.Actors != nil) {
			t.Errorf("%s: for %+v acts %+v, want nobody", c.name, got.Principal, got.Actors)
		}
	}
	null := good()
	null["act"] = nil
	if got, err := bySub.ask(nil, "Authorization", "Bearer "+bySub.token(null)); !errors.Is(err, ErrBadCredential) {
		t.Errorf("null acts: %+v, %v, want ErrBadCredential", got, err)
	}
}

// What one agent does for a person has another root than what another does, or than what the person does itself.
func TestRootsOfThoseWhoAct(t *testing.T) {
	l := newLogin(t, func(o *Options) { o.Issuers[0].AgentClaim = "act.sub" })
	roots := map[string]bool{}
	for _, c := range []claims{good().with("sub", "carol").with("act", act("alice-agent")), good().with("sub", "carol").with("act", act("bob-agent")), good().with("sub", "dave").with("act", act("alice-agent"))} {
		got, err := l.ask(nil, "Authorization", "Bearer "+l.token(c))
		if err != nil || roots[got.TokenRoot] {
			t.Errorf("root %q twice, or %v", got.TokenRoot, err)
		}
		roots[got.TokenRoot] = true
	}
}

// FuzzActors reads claims that a stranger's issuer could sign.
func FuzzActors(f *testing.F) {
	f.Add([]byte(`{"sub":"a","act":{"sub":"b","iss":"c"}}`))
	f.Add([]byte(`{"sub":"a","act":null}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var claim any
		if json.Unmarshal(b, &claim) != nil {
			return
		}
		all, err := actors(claim, iss)
		if err != nil && all != nil {
			t.Fatal("an error came with actors")
		}
		if len(all) > maxActors {
			t.Fatal("more actors than there may be")
		}
		for _, p := range all {
			if p.Subject == "" || p.Issuer == "" {
				t.Fatal("an actor without a name")
			}
		}
		_, _ = confirmationOf(map[string]any{"cnf": claim})
	})
}
