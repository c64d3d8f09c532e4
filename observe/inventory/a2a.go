package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/a2a/card"
)

// A2A is the source whose assets are the skills that an A2A agent's card lists. Id is what contracts call the agent. Skills have no
// schema: a skill is listed with the media types that it takes and gives, and nothing of it is looked at.
func A2A(id flow.AgentID, e Endpoint) (Source, error) {
	u, err := e.check()
	if err != nil {
		return nil, err
	}
	s := &a2aSource{id: id, name: "A2A agent " + e.URL, url: strings.TrimSuffix(e.URL, "/"), at: catalog.Server{Type: "api", Location: e.URL}}
	if !strings.HasSuffix(s.url, ".json") {
		s.url += "/.well-known/agent-card.json"
	}
	s.client, s.asked = e.client(u)
	return s, nil
}

type a2aSource struct {
	id     flow.AgentID
	name   string
	url    string
	at     catalog.Server
	client *http.Client
	asked  *asker
}

func (s *a2aSource) Name() string           { return s.name }
func (s *a2aSource) server() catalog.Server { return s.at }

const (
	maxCard   = 1 << 20
	maxSkills = 1000
)

func (s *a2aSource) survey(ctx context.Context, o Options, give func(*draft) error) error {
	var c *card.Card
	err := within(ctx, s.name, o.Each, func(ctx context.Context) (err error) {
		c, err = s.card(ctx)
		return err
	})
	if err != nil {
		return err
	}
	takes, gives := modes(c.Doc, 0, "defaultInputModes"), modes(c.Doc, 0, "defaultOutputModes")
	skills, ok := c.Doc.Member(0, "skills")
	if !ok || c.Doc.Nodes[skills].Kind != json.Array {
		return nil
	}
	seen := map[string]bool{}
	for n := range c.Doc.Children(skills) {
		id, ok := c.Doc.Member(n, "id")
		name := ""
		if ok {
			name = c.Doc.Text(id)
		}
		if name == "" || seen[name] {
			return fmt.Errorf("%s: its card has a skill without an id of its own", s.name)
		}
		if seen[name] = true; len(seen) > maxSkills {
			return fmt.Errorf("%s: its card has more than %d skills", s.name, maxSkills)
		}
		in, out := modes(c.Doc, n, "inputModes"), modes(c.Doc, n, "outputModes")
		if in == "" {
			in = takes
		}
		if out == "" {
			out = gives
		}
		const why = "a skill does not say what its messages hold"
		d := &draft{Asset: Asset{Name: name, Kind: Skill, Agent: s.id, Columns: []Column{{Name: "request", Type: in, Why: why}, {Name: "answer", Type: out, Why: why}}}}
		if err := give(d); err != nil {
			return err
		}
	}
	return nil
}

// card fetches the agent's card, of A2A 1.0 or 0.3.
func (s *a2aSource) card(ctx context.Context) (*card.Card, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, ErrEndpoint
	}
	r.Header.Set("Accept", "application/json")
	res, err := s.client.Do(r)
	if err != nil {
		return nil, fault(s.name, "fetching its card", err, 0)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fault(s.name, "fetching its card", errors.New("status"), int64(res.StatusCode))
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxCard+1))
	if err != nil {
		return nil, fault(s.name, "fetching its card", err, 0)
	}
	if len(raw) > maxCard {
		return nil, fault(s.name, "fetching its card", errTooMuch, 0)
	}
	c, err := card.Parse(raw, json.Limits{Bytes: maxCard})
	if err != nil {
		return nil, fmt.Errorf("%s: what it answers is no agent card", s.name)
	}
	return c, nil
}

// modes are the media types that a list names.
func modes(d *json.Doc, n int, key string) string {
	list, ok := d.Member(n, key)
	if !ok || d.Nodes[list].Kind != json.Array {
		return ""
	}
	var all []string
	for k := range d.Children(list) {
		if t := mediaType(d.Text(k)); len(all) < 20 && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return strings.Join(all, ", ")
}
