package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/scrimhq/scrim/flow"
)

// Question asks on which terms data would pass between this agent and another, before any is sent. Zero fields are left to the
// gateway.
type Question struct {
	Direction   flow.Direction `json:"direction"`
	Purpose     flow.Purpose   `json:"purpose,omitempty"`
	Criticality string         `json:"criticality,omitempty"`
	Labels      []flow.Label   `json:"labels,omitempty"`
	Dataset     string         `json:"dataset,omitempty"`
	Columns     []string       `json:"columns,omitempty"`
	Tool        string         `json:"tool,omitempty"`
	Skill       string         `json:"skill,omitempty"`
}

// Terms are the answer.
type Terms struct {
	Passes bool    `json:"passes"` // nothing that was asked about would have to be left out
	Labels []Shown `json:"labels"`
	More   []More  `json:"more"` // what would show more, each by itself
}

// Shown is what would show of one kind of value.
type Shown struct {
	Label flow.Label `json:"label"`
	Field string     `json:"field"`
	Level flow.Level `json:"level"`
	Param flow.Param `json:"param"`
	By    string     `json:"by"`

	Handle int64 `json:"handle"` // it goes by reference only, which lasts so many seconds; 0: as it is
}

// More is one thing that would change the terms: another purpose of those the agent has, a lower or higher criticality, evidence
// about its runtime, a person's approval, fewer columns.
type More struct {
	By      string   `json:"by"`
	To      string   `json:"to"`
	Columns []string `json:"columns"`
	Passes  bool     `json:"passes"`
	Labels  []Shown  `json:"labels"`
}

const mostTerms = 4 << 20

// Terms asks the gateway at the A2A address of the other agent. Nothing is sent to that agent.
func (c *Client) Terms(ctx context.Context, address string, q Question) (Terms, error) {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "scrim/terms", "params": q})
	if err != nil {
		return Terms{}, err
	}
	req, err := http.NewRequestWithContext(Repeatable(ctx), http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return Terms{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("A2A-Version", "1.0")
	res, err := c.RoundTrip(req)
	if err != nil {
		return Terms{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, mostTerms))
	if err != nil {
		return Terms{}, err
	}
	var answer struct {
		Result *Terms `json:"result"`
		Error  *struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	switch err := json.Unmarshal(b, &answer); {
	case err == nil && answer.Error != nil:
		return Terms{}, fmt.Errorf("%w: %s", ErrRefused, answer.Error.Message)
	case err != nil || answer.Result == nil:
		return Terms{}, fmt.Errorf("%w: status %d", ErrRefused, res.StatusCode)
	}
	return *answer.Result, nil
}
