package insurer

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/demo/priorauth"
)

// CoverageQuery is the input of check_coverage.
type CoverageQuery struct {
	Member string `json:"member" jsonschema:"the member number, or the token that stands for it"`
	Plan   string `json:"plan" jsonschema:"the plan's code, such as HM-GOLD"`
}

// Coverage is the output of check_coverage.
type Coverage struct {
	Active      bool    `json:"active" jsonschema:"whether the plan is in force"`
	Plan        string  `json:"plan" jsonschema:"the plan's code"`
	Coinsurance float64 `json:"coinsurance" jsonschema:"the share of the cost that the member pays, from 0 to 1"`
	Requests    int     `json:"requests" jsonschema:"how often this member was looked up before"`
}

// Plan is one of the insurer's plans.
type Plan struct {
	Code        string  `json:"code"`
	Title       string  `json:"title"`
	Coinsurance float64 `json:"coinsurance"`
}

// Policies is the output of list_policies: plans, and what is covered when. It is public.
type Policies struct {
	Plans      []Plan                `json:"plans"`
	Treatments []priorauth.Treatment `json:"treatments"`
}

// Plans are the insurer's own.
var Plans = []Plan{
	{"HM-GOLD", "Harbor Mutual Gold", 0.1},
	{"HM-SILVER", "Harbor Mutual Silver", 0.2},
	{"HM-BRONZE", "Harbor Mutual Bronze", 0.4},
}

// StartCoverage starts the MCP server coverage. A member is known to it by the number or token that callers use:
// whoever always presents the same token is the same member, whoever that is.
func StartCoverage(ctx context.Context, opt node.Options) (*node.Running, error) {
	c := &coverage{seen: map[string]int{}}
	s := mcp.NewServer(&mcp.Implementation{Name: "coverage", Title: "Harbor Mutual coverage", Version: node.Version}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "check_coverage", Description: "Says whether a member's plan is in force and what share the member pays."}, c.check)
	mcp.AddTool(s, &mcp.Tool{Name: "list_policies", Description: "Lists plans and the rules by which treatments are covered."}, listPolicies)
	s.AddResource(&mcp.Resource{URI: "coverage://policies", Name: "policies", Title: "Coverage policies", MIMEType: "application/json"}, readPolicies)
	return node.StartServer(ctx, opt, s)
}

type coverage struct {
	mu   sync.Mutex     // guards the field below
	seen map[string]int // by member number or token
}

func (c *coverage) check(_ context.Context, _ *mcp.CallToolRequest, q CoverageQuery) (*mcp.CallToolResult, Coverage, error) {
	out := Coverage{Plan: strings.ToUpper(q.Plan)}
	for _, p := range Plans {
		if p.Code == out.Plan {
			out.Active, out.Coinsurance = true, p.Coinsurance
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out.Requests = c.seen[q.Member]
	c.seen[q.Member]++
	return nil, out, nil
}

func listPolicies(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, Policies, error) {
	return nil, Policies{Plans, priorauth.Treatments}, nil
}

func readPolicies(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	text, err := json.Marshal(Policies{Plans, priorauth.Treatments})
	if err != nil {
		return nil, err
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, MIMEType: "application/json", Text: string(text)}}}, nil
}
