package lab

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/demo/priorauth"
)

// Trial is an open clinical trial. Trials are public.
type Trial struct {
	ID         string   `json:"id"`
	Title      string   `json:"title"`
	Conditions []string `json:"conditions" jsonschema:"prefixes of ICD-10-CM codes"`
	BornFrom   int      `json:"bornFrom" jsonschema:"first decade of birth that is admitted"`
	BornTo     int      `json:"bornTo" jsonschema:"last decade of birth that is admitted"`
	Sex        string   `json:"sex,omitempty" jsonschema:"absent: any"`
	Regions    []string `json:"regions" jsonschema:"beginnings of postal codes"`
	ToAsk      string   `json:"toAsk" jsonschema:"what screening cannot tell"`
}

// Trials is the output of search_trials.
type Trials struct {
	Trials []Trial `json:"trials"`
}

// TrialQuery is the input of search_trials. What is absent is not asked for.
type TrialQuery struct {
	Condition string `json:"condition" jsonschema:"ICD-10-CM code or its beginning"`
	BornFrom  int    `json:"bornFrom,omitempty" jsonschema:"decade of birth, such as 1950"`
	Sex       string `json:"sex,omitempty" jsonschema:"female or male"`
	Region    string `json:"region,omitempty" jsonschema:"beginning of a postal code"`
}

// Open are the trials of the lab.
var Open = []Trial{
	{"DR-2026-014", "Biosimilar infliximab in rheumatoid arthritis", []string{"M05", "M06"}, 1940, 1990, "", []string{"97", "98"}, "earlier biologics, tuberculosis test"},
	{"DR-2026-009", "Tapering of methotrexate in stable rheumatoid arthritis", []string{"M05"}, 1950, 1980, "", []string{"977"}, "duration of remission"},
	{"DR-2025-031", "Home spirometry in chronic obstructive pulmonary disease", []string{"J44"}, 1930, 1970, "", []string{"97"}, "oxygen therapy"},
	{"DR-2026-002", "Early physiotherapy in osteoarthritis of the knee", []string{"M17"}, 1940, 1980, "", []string{"97", "83"}, "earlier surgery"},
	{"DR-2026-020", "Continuous glucose measurement without insulin", []string{"E11"}, 1940, 2000, "", []string{"97", "98", "95"}, "last HbA1c"},
	{"DR-2026-027", "Exercise after treatment of breast cancer", []string{"C50"}, 1940, 1990, "female", []string{"97", "98"}, "months since radiotherapy"},
}

// Search turns a profile into the question for search_trials. A value that is not coarse text, such as a placeholder, is left out.
func Search(p priorauth.Profile) TrialQuery {
	q := TrialQuery{Condition: p.Condition, BornFrom: p.BornFrom, Region: p.Region}
	if p.Sex == "female" || p.Sex == "male" {
		q.Sex = p.Sex
	}
	if strings.Trim(p.Region, "0123456789") != "" {
		q.Region = ""
	}
	return q
}

// StartTrials starts the MCP server trials.
func StartTrials(ctx context.Context, opt node.Options) (*node.Running, error) {
	s := mcp.NewServer(&mcp.Implementation{Name: "trials", Title: "Deschutes Research trials", Version: node.Version}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "search_trials", Description: "Finds open trials that a coarse profile may fit."}, searchTrials)
	s.AddResource(&mcp.Resource{URI: "trials://open", Name: "open-trials", Title: "Open trials", MIMEType: "application/json"}, readOpen)
	return node.StartServer(ctx, opt, s)
}

func searchTrials(_ context.Context, _ *mcp.CallToolRequest, q TrialQuery) (*mcp.CallToolResult, Trials, error) {
	out := Trials{Trials: []Trial{}}
	for _, t := range Open {
		if t.fits(q) {
			out.Trials = append(out.Trials, t)
		}
	}
	return nil, out, nil
}

func (t Trial) fits(q TrialQuery) bool {
	within := func(prefixes []string, s string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
	}
	return within(t.Conditions, q.Condition) &&
		(q.BornFrom == 0 || q.BornFrom >= t.BornFrom && q.BornFrom <= t.BornTo) &&
		(q.Sex == "" || t.Sex == "" || q.Sex == t.Sex) &&
		(q.Region == "" || within(t.Regions, q.Region))
}

func readOpen(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	text, err := json.Marshal(Trials{Open})
	if err != nil {
		return nil, err
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, MIMEType: "application/json", Text: string(text)}}}, nil
}
