package api

import (
	"context"

	"github.com/scrimhq/scrim/evidence/lineage"
)

// AskLabels names datasets, beside those that configuration has, of which one wants to know the labels.
type AskLabels struct {
	Datasets []lineage.Name `json:"datasets,omitempty"`
}

// LineageLabels returns the labels of columns by what is known of where they come from.
func LineageLabels(ctx context.Context, l *Lineage, q AskLabels) (*lineage.Labels, error) {
	r := l.Rules()
	r.Also = q.Datasets
	return l.Graph.Labels(ctx, r)
}
