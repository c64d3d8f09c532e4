package cli

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/policy/capability"
)

// terms are the flags that say what a capability admits. What is not given is as it was.
type terms struct {
	file                                                   string
	audience, recipients, purposes, tasks, techniques, via []string
	levels, datasets, tools, arguments                     []string
	criticality, epsilon, delta, counted, notBefore        string
	uses, depth                                            int
	life                                                   time.Duration
	given                                                  func(name string) bool
}

func (t *terms) flags(f *pflag.FlagSet) {
	f.StringVar(&t.file, "terms", "", "JSON file with the terms: an entry of what \"scrim cap inspect --json\" prints")
	f.StringArrayVar(&t.audience, "audience", nil, "domain at whose gateways it may be shown (repeat for more)")
	f.StringArrayVar(&t.recipients, "recipient", nil, "whom flows may go to: domain/agent or domain/*")
	f.StringArrayVar(&t.purposes, "purpose", nil, "what for")
	f.StringArrayVar(&t.tasks, "task", nil, "in which task")
	f.StringArrayVar(&t.levels, "level", nil, "the most that may show: label=level, such as person=tokenized")
	f.StringArrayVar(&t.datasets, "dataset", nil, "dataset, or dataset:column,column")
	f.StringArrayVar(&t.techniques, "technique", nil, "technique on datasets, such as aggregate")
	f.StringArrayVar(&t.tools, "tool", nil, "tool or skill: agent/tool or agent/*")
	f.StringArrayVar(&t.arguments, "arg", nil, "what an argument of a tool may be: agent/tool:name=JSON constraint")
	f.StringArrayVar(&t.via, "via", nil, "domain whose gateways may vouch for the holder")
	f.StringVar(&t.criticality, "criticality", "", "the highest that may be claimed: low, routine or critical")
	f.StringVar(&t.epsilon, "epsilon", "", "the most that questions may cost, ε")
	f.StringVar(&t.delta, "delta", "", "the most that questions may cost, δ")
	f.StringVar(&t.counted, "counted", "", "domain that counts uses and costs")
	f.IntVar(&t.uses, "uses", 0, "how many flows there may be")
	f.IntVar(&t.depth, "depth", 0, "how deep the chain may become, from 1; a root has 0")
	f.DurationVar(&t.life, "life", 0, "how long it is good for, such as 5m")
	f.StringVar(&t.notBefore, "not-before", "", "when it begins (RFC 3339)")
	t.given = f.Changed
}

// grant returns what the flags say; members of flags that were not given are nil.
func (t *terms) grant(now time.Time) (g capability.Grant, err error) {
	if t.file != "" {
		b, err := os.ReadFile(t.file)
		if err != nil {
			return g, err
		}
		if err := json.Unmarshal(b, &g); err != nil {
			return g, fmt.Errorf("%s: %w", t.file, err)
		}
	}
	for name, set := range map[string]func() error{
		"audience":    func() error { g.Audience = as[flow.DomainID](t.audience); return nil },
		"recipient":   func() error { g.Recipients = t.recipients; return nil },
		"purpose":     func() error { g.Purposes = as[flow.Purpose](t.purposes); return nil },
		"task":        func() error { g.Tasks = as[flow.TaskID](t.tasks); return nil },
		"technique":   func() error { g.Techniques = t.techniques; return nil },
		"via":         func() error { g.Via = as[flow.DomainID](t.via); return nil },
		"counted":     func() error { g.Counted = flow.DomainID(t.counted); return nil },
		"uses":        func() error { n := int64(t.uses); g.Uses = &n; return nil },
		"depth":       func() error { return t.setDepth(&g) },
		"life":        func() error { g.Expires = now.Add(t.life).Truncate(time.Second); return nil },
		"level":       func() error { return t.setLevels(&g) },
		"dataset":     func() error { return t.setDatasets(&g) },
		"tool":        func() error { return t.setTools(&g) },
		"arg":         func() error { return t.setTools(&g) },
		"criticality": func() error { return t.setCriticality(&g) },
		"epsilon":     func() error { return t.setCost(&g) },
		"delta":       func() error { return t.setCost(&g) },
		"not-before": func() (err error) {
			g.NotBefore, err = time.Parse(time.RFC3339, t.notBefore)
			return err
		},
	} {
		if t.given(name) {
			if err := set(); err != nil {
				return g, misuse("--%s: %v", name, err)
			}
		}
	}
	return g, nil
}

func as[T ~string](in []string) []T {
	out := make([]T, 0, len(in))
	for _, s := range in {
		out = append(out, T(s))
	}
	return out
}

func (t *terms) setLevels(g *capability.Grant) error {
	g.Levels = map[flow.Label]flow.Level{}
	for _, s := range t.levels {
		label, name, ok := strings.Cut(s, "=")
		level, err := flow.ParseLevel(name)
		if !ok || err != nil {
			return fmt.Errorf("label=level is expected, such as person=tokenized")
		}
		g.Levels[flow.Label(label)] = level
	}
	return nil
}

func (t *terms) setDatasets(g *capability.Grant) error {
	g.Datasets = map[string][]string{}
	for _, s := range t.datasets {
		name, columns, some := strings.Cut(s, ":")
		if some {
			g.Datasets[name] = strings.Split(columns, ",")
		} else {
			g.Datasets[name] = nil
		}
	}
	return nil
}

func (t *terms) setTools(g *capability.Grant) error {
	g.Tools = map[string]capability.Arguments{}
	for _, name := range t.tools {
		g.Tools[name] = capability.Arguments{}
	}
	for _, s := range t.arguments {
		name, constraint, ok := strings.Cut(s, "=")
		tool, argument, both := strings.Cut(name, ":")
		if !ok || !both || g.Tools[tool] == nil {
			return fmt.Errorf(`--arg agent/tool:name={"constraint_type":"one_of","values":["a"]} is expected, of a tool that --tool names`)
		}
		var c capability.Constraint
		if err := json.Unmarshal([]byte(constraint), &c); err != nil {
			return fmt.Errorf("--arg %s: %w", name, err)
		}
		g.Tools[tool][argument] = c
	}
	return nil
}

// setDepth takes no 0: it would read as not given, and leave the depth as it was.
func (t *terms) setDepth(g *capability.Grant) error {
	if g.MaxDepth = t.depth; t.depth < 1 {
		return errors.New("1 at least; what is never to be handed on is a grant of depth 0 in scrim.yaml, or the last of a chain as deep as it may be")
	}
	return nil
}

func (t *terms) setCriticality(g *capability.Grant) error {
	c, err := flow.ParseCriticality(t.criticality)
	g.Criticality = &c
	return err
}

func (t *terms) setCost(g *capability.Grant) error {
	var epsilon, delta config.Decimal
	if t.epsilon == "" {
		return errors.New("delta needs --epsilon")
	}
	if err := epsilon.UnmarshalText([]byte(t.epsilon)); err != nil {
		return err
	}
	if t.delta != "" {
		if err := delta.UnmarshalText([]byte(t.delta)); err != nil {
			return err
		}
	}
	cost := config.Cost(epsilon, delta)
	g.Cost = &cost
	return nil
}

// readChain reads a chain from a file, or from standard input where the name is "-".
func (e *env) readChain(name string) (capability.Chain, error) {
	in := e.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return nil, err
	}
	chain, err := capability.ParseChain(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("%s holds no capability: %w", named(name), err)
	}
	return chain, nil
}

func named(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// holderKey reads the public key that a capability is for: a JWK, in a file or as it is.
func holderKey(text string) (ed25519.PublicKey, error) {
	if text == "" {
		return nil, misuse("--for names the public key of who gets it: a file that \"scrim cap key\" made, or a JWK")
	}
	b := []byte(text)
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		var err error
		if b, err = os.ReadFile(text); err != nil {
			return nil, err
		}
	}
	key, err := capability.ParseHolderJWK(b)
	if err != nil {
		return nil, fmt.Errorf("--for %s: %w", strconv.Quote(strings.TrimSpace(text)), err)
	}
	return key, nil
}
