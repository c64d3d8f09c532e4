package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy"
)

func (e *env) policyCommand() *cobra.Command {
	return e.group("policy", "Look at the policies, and change the rules that decide", append(e.governance(), e.policyCheck(), e.policyTest(), e.policyExplain(), e.policySchema(), e.policyDiff(), e.policyReplay())...)
}

// policies loads configuration and policies, and prints what is wrong with them.
func (e *env) policies(file string) (*config.Config, *policy.Set, error) {
	c, err := e.load(file)
	if err != nil {
		return nil, nil, err
	}
	set, err := run.Policies(c)
	if err != nil {
		return nil, nil, e.mistakes(c, err)
	}
	return c, set, nil
}

func (e *env) policyCheck() *cobra.Command {
	var file string
	return fileFlag(e.command("check [-c FILE]", "Validate the policies against the taxonomy and the configuration", "", nil,
		func(context.Context, []string) error {
			c, set, err := e.policies(file)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "%s is good: policies and everything they name have hash %s\n", c.Policies, short(set.Hash()))
			return nil
		}), &file)
}

func (e *env) policyTest() *cobra.Command {
	var file string
	return fileFlag(e.command("test [-c FILE]", "Run the policy tests (*.test.yaml) beside the policies", "", nil,
		func(context.Context, []string) error {
			c, set, err := e.policies(file)
			if err != nil {
				return err
			}
			results, err := policy.RunTests(set, run.PolicyFiles(c))
			if err != nil {
				return e.mistakes(c, err)
			}
			return e.testResults(c, results)
		}), &file)
}

func (e *env) testResults(c *config.Config, results []policy.TestResult) error {
	if len(results) == 0 {
		return refuse("Write some: docs/spec/policy-tests.md has the format.", "there are no policy tests in %s", c.Policies)
	}
	st := e.style(e.out)
	bad := 0
	for _, r := range results {
		if r.Passed {
			fmt.Fprintf(e.out, "%s  %s\n", st.good("ok  "), r.Name)
			continue
		}
		bad++
		fmt.Fprintf(e.out, "%s  %s\n", st.bad("FAIL"), r.Failure)
	}
	fmt.Fprintf(e.out, "%s, %d failed\n", count(len(results), "test"), bad)
	if bad > 0 {
		return errSaid
	}
	return nil
}

func (e *env) policySchema() *cobra.Command {
	var file string
	return fileFlag(e.command("schema [-c FILE]", "Print the Cedar schema that policies are validated against", "", nil,
		func(context.Context, []string) error {
			_, set, err := e.policies(file)
			if err != nil {
				return err
			}
			fmt.Fprint(e.out, set.Schema())
			return nil
		}), &file)
}

// question is a flow as flags describe it.
type question struct {
	file, from, to, purpose, criticality string
	consent, approved                    bool
}

func (q *question) flags(c *cobra.Command) *cobra.Command {
	f := c.Flags()
	f.StringVar(&q.to, "to", "", "the agent that would receive it")
	f.StringVar(&q.from, "from", "", "the agent that would send it (default: this domain, no agent in particular)")
	f.StringVar(&q.purpose, "purpose", "", "why")
	f.StringVar(&q.criticality, "criticality", "routine", "how much hangs on the task: low, routine, critical")
	f.BoolVar(&q.consent, "consent", false, "as if consent of the subjects was verified")
	f.BoolVar(&q.approved, "approved", false, "as if a person had approved it")
	return fileFlag(c, &q.file)
}

// query checks the flags against the configuration.
func (q *question) query(c *config.Config) (policy.Query, error) {
	out := policy.Query{Consent: q.consent, Approved: q.approved}
	f := &out.Flow
	var err error
	if q.to == "" {
		return out, misuse("--to is missing: whose eyes is it for? Agents: %s", agentNames(c))
	}
	if f.To, err = party(c, q.to); err != nil {
		return out, err
	}
	f.From = flow.Party{Domain: c.Domain}
	if q.from != "" {
		if f.From, err = party(c, q.from); err != nil {
			return out, err
		}
	}
	if _, ok := c.Purposes[flow.Purpose(q.purpose)]; !ok && q.purpose != "" {
		return out, misuse("there is no purpose %q in %s; it has: %s", q.purpose, c.File(), purposeNames(c))
	}
	f.Purpose = flow.Purpose(q.purpose)
	if f.Task.Criticality, err = flow.ParseCriticality(q.criticality); err != nil {
		return out, misuse("%v", err)
	}
	return out, nil
}

func (e *env) policyExplain() *cobra.Command {
	var q question
	var label, field string
	var score uint8
	c := q.flags(e.command("explain --label LABEL --to AGENT --purpose P", "Say what would be shown of a label or field, and why",
		"Asks the policies about one label, or one field of a data contract, level by level, and says which of them permitted\n"+
			"or forbade it, what the tier of the data admits, and what holds in the end.", nil,
		func(context.Context, []string) error {
			c, set, err := e.policies(q.file)
			if err != nil {
				return err
			}
			query, err := q.query(c)
			if err != nil {
				return err
			}
			leaf := flow.Leaf{Path: "/", Label: flow.Label(label), Field: field, Origin: flow.Catalogued}
			if err := known(c, &leaf); err != nil {
				return err
			}
			switch {
			case score > flow.Certain:
				return misuse("--score is a number of percent, from 1 to 100")
			case score > 0 && field != "":
				return misuse("--score is of what was found in a text; a field is certain")
			case score > 0:
				leaf.Origin, leaf.Score = flow.Detected, score
			}
			ex, err := set.Explain(query, leaf)
			if err != nil {
				return err
			}
			snap, terms, leaves := &gateway.Snapshot{Policy: set, Catalog: c.Catalog()}, []flow.LeafTerms{ex.Result}, []flow.Leaf{leaf}
			snap.Governed(&query.Flow, "", leaves, terms) // what a data contract closes no policy opens
			ex.Result = terms[0]
			ex.Duties, _ = snap.Retained(leaves, terms, ex.Duties)
			fmt.Fprint(e.out, ex)
			return nil
		}))
	c.Flags().StringVar(&label, "label", "", "class of data, such as person/contact/email")
	c.Flags().Uint8Var(&score, "score", 0, "as if it was found in a text and the detector was so sure, in percent (default: it is catalogued)")
	c.Flags().StringVar(&field, "field", "", "field of a data contract, such as patients/birth_date")
	return c
}

// known refuses labels and fields that are not there: a question with a slip in it would be answered with "dropped".
func known(c *config.Config, leaf *flow.Leaf) error {
	if leaf.Field != "" {
		for _, f := range c.Catalog().Fields() {
			if f.Name == leaf.Field {
				if leaf.Label == "" {
					leaf.Label = f.Label
				}
				return nil
			}
		}
		return misuse("there is no field %q in the contracts", leaf.Field)
	}
	if leaf.Label == "" {
		return misuse("--label or --field is missing: what is it about?")
	}
	if !c.Taxonomy().Known(leaf.Label) {
		return misuse("there is no label %q in the taxonomy", leaf.Label)
	}
	return nil
}

// short is the beginning of a hash, enough to compare by eye.
func short(hash string) string { return hash[:min(len(hash), 16)] }
