package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/agent"
	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/ask"
	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
)

// questionFlags are what scrim query takes.
type questionFlags struct {
	file, as                                string
	url, keyEnv, chain, holder, domain      string
	dataset, epsilon, accuracy, noise       string
	from, until, id, purpose, criticality   string
	rows, groups                            int64
	weights                                 []int64
	explain, list, describe, budget, asJSON bool
}

func (e *env) queryCommand() *cobra.Command {
	var q questionFlags
	c := fileFlag(e.command("query [SQL …] --dataset NAME (--as AGENT | --url URL)", "Ask a dataset in SQL, under differential privacy",
		"Asks as an agent of the configuration (--as), which is charged and recorded as if it had asked itself; or at any gateway (--url), with a\n"+
			"key out of an environment variable (--key-env), or a capability (--cap) with its holder's key (--holder). With --explain nothing is read\n"+
			"and nothing is charged: it tells what the question would cost, how exact its answer would be, and what there is room for. SQL may be \"-\"\n"+
			"for standard input; several questions about the same rows are answered together, the one with more weight more exactly. docs/spec/questions.md has all of it.", cobra.ArbitraryArgs,
		func(ctx context.Context, args []string) error { return e.query(ctx, &q, args) }), &q.file)
	f := c.Flags()
	f.StringVar(&q.dataset, "dataset", "", "the dataset")
	f.StringVar(&q.as, "as", "", "the agent of the configuration that asks")
	f.StringVar(&q.url, "url", "", "base of another gateway's address for agents")
	f.StringVar(&q.keyEnv, "key-env", "", "environment variable with the key or token to show there")
	f.StringVar(&q.chain, "cap", "", "file with a capability to show there")
	f.StringVar(&q.holder, "holder", "", "file with the key of the capability's holder")
	f.StringVar(&q.domain, "domain", "", "the domain of that gateway, which the proof is made for")
	f.BoolVar(&q.explain, "explain", false, "tell what the question would cost, and ask nothing")
	f.BoolVar(&q.list, "list", false, "list the datasets that may be asked about")
	f.BoolVar(&q.describe, "describe", false, "tell what the dataset has")
	f.BoolVar(&q.budget, "budget", false, "tell what is left of the dataset's budget, as far as the asker is told")
	f.StringVar(&q.epsilon, "epsilon", "", "what the question may cost, ε; default: the dataset's")
	f.StringVar(&q.accuracy, "accuracy", "", "in place of ε, how far from the truth at most at 95 % confidence: 5, or 5% of each number")
	f.StringVar(&q.noise, "noise", "", "laplace or gaussian; default: whichever is more exact")
	f.Int64Var(&q.rows, "rows", 0, "how many rows of one unit count in one group")
	f.Int64Var(&q.groups, "groups", 0, "in how many groups one unit counts")
	f.Int64SliceVar(&q.weights, "weight", nil, "of several questions, how much each one counts, in their order: once for each; default: 1")
	f.StringVar(&q.from, "from", "", "of a dataset with blocks of time: those from here on (RFC 3339)")
	f.StringVar(&q.until, "until", "", "and until here")
	f.StringVar(&q.id, "id", "", "a name for this question: the same again is a retry")
	f.StringVar(&q.purpose, "purpose", "", "why; it counts if it was granted")
	f.StringVar(&q.criticality, "criticality", "", "how much hangs on it; it counts if it was granted")
	f.BoolVar(&q.asJSON, "json", false, "print the answer as agents get it")
	return c
}

// act is what is to be done.
func (q *questionFlags) act() (string, error) {
	name, given := ask.QueryTool, 0
	for _, one := range []struct {
		set  bool
		name string
	}{{q.explain, ask.ExplainTool}, {q.list, ask.ListTool}, {q.describe, ask.DescribeTool}, {q.budget, ask.BudgetTool}} {
		if one.set {
			name, given = one.name, given+1
		}
	}
	switch {
	case given > 1:
		return "", misuse("one of --explain, --list, --describe and --budget is expected")
	case (q.as == "") == (q.url == ""):
		return "", misuse("either --as or --url is expected: who asks, and where?")
	case q.dataset == "" && !q.list:
		return "", misuse("--dataset is needed; --list tells which there are")
	}
	return name, nil
}

// arguments are those of the act, without the dataset.
func (q *questionFlags) arguments(act string, sql []string) (map[string]any, error) {
	out := map[string]any{}
	if act != ask.QueryTool && act != ask.ExplainTool {
		return out, nil
	}
	if len(q.weights) > 0 && (len(sql) == 1 || len(q.weights) != len(sql)) {
		return nil, misuse("--weight is for several questions, and needed for each or none of them")
	}
	var parts []ask.Query
	for i, one := range sql {
		part := ask.Query{SQL: one}
		if len(q.weights) > 0 {
			if part.Weight = q.weights[i]; part.Weight <= 0 {
				return nil, misuse("--weight: a number above 0 is expected")
			}
		}
		parts = append(parts, part)
	}
	if len(parts) == 1 {
		out["sql"] = sql[0]
	} else {
		out["queries"] = parts
	}
	for name, v := range map[string]string{"epsilon": q.epsilon, "noise": q.noise, "from": q.from, "until": q.until} {
		if v != "" {
			out[name] = v
		}
	}
	if q.rows != 0 {
		out["rows"] = q.rows
	}
	if q.groups != 0 {
		out["groups"] = q.groups
	}
	for name, v := range map[string]string{"from": q.from, "until": q.until} {
		if _, err := time.Parse(time.RFC3339, v); v != "" && err != nil {
			return nil, misuse("--%s: a time such as 2026-01-31T00:00:00Z is expected", name)
		}
	}
	if percent, relative := strings.CutSuffix(q.accuracy, "%"); relative {
		part, err := hundredth(percent)
		if err != nil {
			return nil, err
		}
		out["accuracy"] = map[string]string{"relative": part}
	} else if q.accuracy != "" {
		out["accuracy"] = map[string]string{"half_width": q.accuracy}
	}
	return out, nil
}

// hundredth moves the point of a decimal number two places to the left.
func hundredth(s string) (string, error) {
	whole, part, _ := strings.Cut(s, ".")
	if whole == "" || strings.Trim(whole+part, "0123456789") != "" {
		return "", misuse("--accuracy: a number such as 5 or 5%% is expected")
	}
	whole = "00" + whole
	at := len(whole) - 2
	head := strings.TrimLeft(whole[:at], "0")
	if head == "" {
		head = "0"
	}
	return head + "." + whole[at:] + part, nil
}

func (e *env) query(ctx context.Context, q *questionFlags, args []string) error {
	act, err := q.act()
	if err != nil {
		return err
	}
	sql := args
	if len(sql) == 1 && sql[0] == "-" {
		raw, err := io.ReadAll(io.LimitReader(e.in, 64<<10))
		if err != nil {
			return err
		}
		sql = []string{string(raw)}
	}
	if (act == ask.QueryTool || act == ask.ExplainTool) == (len(sql) == 0) {
		return misuse("the question is missing, or is one too many: scrim query 'SELECT COUNT(*) FROM …' --dataset NAME")
	}
	arguments, err := q.arguments(act, sql)
	if err != nil {
		return err
	}
	var body []byte
	if q.url != "" {
		body, err = e.queryThere(ctx, q, act, arguments)
	} else {
		body, err = e.queryHere(ctx, q, act, arguments)
	}
	if err != nil {
		return err
	}
	if q.asJSON {
		_, err := fmt.Fprintln(e.out, string(body))
		return err
	}
	return e.showAnswer(act, body)
}

// queryHere asks as an agent of the configuration, in the running gateway or in one that is opened for it.
func (e *env) queryHere(ctx context.Context, q *questionFlags, act string, arguments map[string]any) ([]byte, error) {
	c, err := e.load(q.file)
	if err != nil {
		return nil, err
	}
	if !q.list {
		arguments["dataset"] = q.dataset
	}
	raw, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	req := api.QuestionRequest{As: flow.AgentID(q.as), Act: act, Arguments: raw, Purpose: q.purpose, Criticality: q.criticality, ID: q.id}
	var body json.RawMessage
	err = hereOrThere(c,
		func(a *adminClient) error { return a.call(ctx, http.MethodPost, "/api/v1/questions", req, &body) },
		func() error {
			g, err := run.Open(ctx, c, run.Options{})
			if err != nil {
				return err
			}
			body, err = api.AskData(ctx, g.Questions(), g.Gateway.Snapshot(), req)
			return errors.Join(err, g.Close())
		})
	return body, err
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

// queryThere asks at the address for agents of a gateway.
func (e *env) queryThere(ctx context.Context, q *questionFlags, act string, arguments map[string]any) ([]byte, error) {
	client, err := e.queryClient(q)
	if err != nil {
		return nil, err
	}
	address, method := strings.TrimRight(q.url, "/")+ask.Path, http.MethodGet
	if !q.list {
		address += "/" + url.PathEscape(q.dataset)
	}
	var content io.Reader = http.NoBody
	switch act {
	case ask.BudgetTool:
		address += "/budget"
	case ask.ExplainTool, ask.QueryTool:
		raw, err := json.Marshal(arguments)
		if err != nil {
			return nil, err
		}
		content, method = bytes.NewReader(raw), http.MethodPost
		if act == ask.ExplainTool {
			address += "/explain"
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return nil, misuse("--url: not an address")
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, v := range map[string]string{identity.HeaderPurpose: q.purpose, identity.HeaderCriticality: q.criticality, ask.HeaderID: q.id} {
		if v != "" {
			req.Header.Set(name, v)
		}
	}
	if q.chain == "" && q.keyEnv != "" {
		req.Header.Set("Authorization", "Bearer "+os.Getenv(q.keyEnv))
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("asking the gateway: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		var p ask.Problem
		if json.Unmarshal(body, &p) != nil || p.Detail == "" {
			return nil, fmt.Errorf("the gateway answers %s", res.Status)
		}
		return nil, errors.New(printable(p.Detail))
	}
	return body, nil
}

// queryClient shows what is to be shown at that gateway, and follows nowhere else.
func (e *env) queryClient(q *questionFlags) (*http.Client, error) {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if q.keyEnv != "" && os.Getenv(q.keyEnv) == "" {
		return nil, misuse("--key-env: the environment variable is empty")
	}
	if (q.chain == "") != (q.holder == "") || q.chain != "" && q.domain == "" {
		return nil, misuse("--cap, --holder and --domain go together")
	}
	if q.chain == "" {
		return &http.Client{CheckRedirect: stay}, nil
	}
	key, err := agent.LoadKey(q.holder)
	if err != nil {
		return nil, err
	}
	opt := agent.Options{Key: key, Gateways: []agent.Gateway{{URL: q.url, Domain: flow.DomainID(q.domain)}}}
	if q.keyEnv != "" {
		opt.Bearer = flow.NewSecret(os.Getenv(q.keyEnv))
	}
	client, err := agent.NewClient(opt)
	if err != nil {
		return nil, err
	}
	chain, err := e.readChain(q.chain)
	if err != nil {
		return nil, err
	}
	if err := client.Hold(chain); err != nil {
		return nil, err
	}
	out := client.HTTP()
	out.CheckRedirect = stay
	return out, nil
}
