package ask

import (
	"context"

	"github.com/scrimhq/scrim/gateway/offer"
)

// The names of what the gateway does for those who ask, in every door.
const (
	ListTool     = "list_datasets"
	DescribeTool = "describe_dataset"
	ExplainTool  = "explain_query"
	QueryTool    = "query"
	BudgetTool   = "budget"
)

const (
	noneForm    = `{"type":"object","additionalProperties":false,"properties":{}}`
	datasetForm = `{"type":"object","additionalProperties":false,"required":["dataset"],"properties":{"dataset":{"type":"string","maxLength":128}}}`
	queryForm   = `{"type":"object","additionalProperties":false,"required":["dataset"],"properties":{` +
		`"dataset":{"type":"string","maxLength":128,"description":"One that list_datasets names."},` +
		`"sql":{"type":"string","maxLength":16384,"description":"One SELECT in PostgreSQL's grammar over the dataset's tables: COUNT, SUM, AVG, VAR, STDDEV, MIN, MAX, MEDIAN, QUANTILE, HISTOGRAM, with WHERE, GROUP BY, HAVING, ORDER BY, WITH and joins on the unit."},` +
		`"queries":{"type":"array","minItems":2,"maxItems":64,"description":"In place of sql, several questions with the same FROM and WHERE that count, sum or average by columns with public values. They share a cost and are more exact together than one by one.","items":{"type":"object","additionalProperties":false,"required":["sql"],"properties":{` +
		`"sql":{"type":"string","maxLength":16384},` +
		`"weight":{"type":"integer","minimum":1,"maximum":1000000,"description":"How much the variance of one of its numbers counts. Absent: 1."}}}},` +
		`"epsilon":{"type":["string","number"],"description":"What the question may cost. Absent: the dataset's default."},` +
		`"accuracy":{"type":"object","additionalProperties":false,"description":"In place of epsilon, how exact each number has to be at 95 % confidence: the cheapest question that is as exact is asked.","properties":{` +
		`"half_width":{"type":["string","number"],"description":"At most so far from the truth."},` +
		`"relative":{"type":["string","number"],"description":"As a part of the number itself, such as 0.05. A pilot is paid for first."}}},` +
		`"noise":{"enum":["laplace","gaussian"],"description":"Absent: whichever is more exact."},` +
		`"rows":{"type":"integer","minimum":1,"description":"How many rows of one unit count in one group. Absent: the dataset's default."},` +
		`"groups":{"type":"integer","minimum":1,"description":"In how many groups one unit counts. Absent: the dataset's default."},` +
		`"from":{"type":"string","format":"date-time","description":"Of a dataset with blocks of time: only those from here on are read and paid for."},` +
		`"until":{"type":"string","format":"date-time"}}}`
)

// Act is one thing that the service does, for doors of every kind.
type Act struct {
	Name        string
	Title       string
	Description string // for models
	Input       string // JSON Schema of the arguments
	Spends      bool   // it may cost something
	Do          func(context.Context, Asker) ([]byte, error)
}

// Acts are all that the service does, in the order in which lists have them.
func (s *Service) Acts() []Act {
	acts := []Act{
		{ListTool, "List datasets", "Lists the datasets that you may ask questions about, with their tables. It costs nothing.", noneForm, false, s.List},
		{DescribeTool, "Describe a dataset", "Tells a dataset's tables, columns, types, bounds and public values, whose the rows are, and what questions about it cost. It costs nothing.", datasetForm, false, s.Describe},
		{ExplainTool, "Explain a question", "Tells what a question would cost, how exact its answer would be and what there is room for, before anything is spent. Nothing is read and nothing is charged.", queryForm, false, s.Explain},
		{QueryTool, "Ask a question", "Answers a question about a dataset with noise that protects everybody in it. It costs privacy budget; asking the same again costs nothing as long as the data is the same.", queryForm, true, s.Query},
		{BudgetTool, "Ask for a budget", "Tells what is claimed of a dataset's answers, and what is left of the quotas that are yours. It costs nothing.", datasetForm, false, s.Budget},
	}
	if s.Streams != nil {
		acts = append(acts, s.streamActs()...)
	}
	return acts
}

// Tools are those of the gateway's own MCP server.
func (s *Service) Tools() []offer.Tool {
	var all []offer.Tool
	for _, act := range s.Acts() {
		all = append(all, offer.Tool{
			Name: act.Name, Title: act.Title, Description: act.Description, Input: act.Input, Output: `{"type":"object"}`, ReadOnly: !act.Spends,
			Call: func(ctx context.Context, c *offer.Call) (offer.Answer, error) {
				body, err := act.Do(ctx, Asker{Snapshot: c.Snapshot, Caller: c.Caller, Authority: c.Authority, Flow: c.Flow, ID: c.ID, Arguments: c.Arguments})
				return offer.Answer{Body: body}, err
			},
		})
	}
	return all
}
