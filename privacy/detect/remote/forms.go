package remote

import (
	"context"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
)

// place is a finding as both forms have it, in code points. Pointers tell what is absent from what is 0.
type place struct {
	Start *int     `json:"start"`
	End   *int     `json:"end"`
	Score *float64 `json:"score"`
}

type scrimFinding struct {
	place
	Type  string `json:"type"`
	Label string `json:"label"`
	By    string `json:"by"`
}

func (c *Client) askScrim(ctx context.Context, texts []string) ([][]detect.Finding, error) {
	var answer struct {
		Findings [][]scrimFinding `json:"findings"`
	}
	if err := c.post(ctx, map[string]any{"texts": texts}, &answer); err != nil {
		return nil, err
	}
	if len(answer.Findings) != len(texts) {
		return nil, fmt.Errorf("%w: it is not about as many texts", ErrAnswer)
	}
	out := make([][]detect.Finding, len(texts))
	for i, list := range answer.Findings {
		r := reader{c: c, text: texts[i]}
		for _, f := range list {
			r.take(f.place, f.Type, flow.Label(f.Label))
		}
		if r.bad {
			return nil, ErrAnswer
		}
		out[i] = r.out
	}
	return out, nil
}

func (c *Client) askPresidio(ctx context.Context, text string) ([][]detect.Finding, error) {
	var answer []struct {
		place
		Type string `json:"entity_type"`
	}
	body := map[string]any{"text": text, "language": c.opt.Language}
	if c.opt.MinScore > 0 {
		body["score_threshold"] = c.opt.MinScore
	}
	if err := c.post(ctx, body, &answer); err != nil {
		return nil, err
	}
	if answer == nil { // null, which is no list
		return nil, ErrAnswer
	}
	r := reader{c: c, text: text}
	for _, f := range answer {
		r.take(f.place, f.Type, "")
	}
	if r.bad {
		return nil, ErrAnswer
	}
	return [][]detect.Finding{r.out}, nil
}

// reader makes findings of what a service says about one text.
type reader struct {
	c     *Client
	text  string
	bytes []int // of each code point and the end, once there is a finding
	out   []detect.Finding
	bad   bool
}

func (r *reader) take(at place, kind string, label flow.Label) {
	if at.Start == nil || at.End == nil || at.Score == nil || !word(kind) || math.IsNaN(*at.Score) || *at.Score < 0 || *at.Score > 1 {
		r.bad = true
		return
	}
	if r.bytes == nil {
		r.bytes = make([]int, 0, utf8.RuneCountInString(r.text)+1)
		for i := range r.text {
			r.bytes = append(r.bytes, i)
		}
		r.bytes = append(r.bytes, len(r.text))
	}
	if *at.Start < 0 || *at.Start >= *at.End || *at.End >= len(r.bytes) {
		r.bad = true
		return
	}
	if ours, ok := r.c.opt.Types[kind]; ok {
		label = ours
	}
	switch {
	case label == Ignored || *at.Score < r.c.opt.MinScore:
		return
	case !r.c.opt.Taxonomy.Known(label), label == flow.PublicData, label == flow.FreeText:
		label = flow.Unlabelled // it found something that we have no word for
	}
	r.out = append(r.out, detect.Finding{
		Start: r.bytes[*at.Start], End: r.bytes[*at.End], Type: kind, Label: label, Score: max(*at.Score, 0.01), By: "remote/" + string(r.c.opt.Kind),
	})
}

// word reports whether a type is the name of one, so that nothing of a text travels as such.
func word(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return false
		}
	}
	return true
}

// presidioTypes are Presidio's own entities. What is in neither this list nor the configuration is unlabelled.
var presidioTypes = map[string]flow.Label{
	"PERSON": "person/name", "EMAIL_ADDRESS": "person/contact/email", "PHONE_NUMBER": "person/contact/phone",
	"LOCATION": "location/city", "NRP": "person/nationality", "ORGANIZATION": "organization", "DATE_TIME": "time",
	"AGE": "person/age", "CREDIT_CARD": "finance/card", "IBAN_CODE": "finance/iban", "CRYPTO": "finance/crypto",
	"US_BANK_NUMBER": "finance/account", "US_SSN": "government-id/ssn", "US_ITIN": "government-id/tax",
	"US_PASSPORT": "government-id/passport", "US_DRIVER_LICENSE": "government-id/driver-licence", "UK_NHS": "health/record-number",
	"IP_ADDRESS": "technical/ip", "MAC_ADDRESS": "technical/mac", "URL": "technical/url",
}
