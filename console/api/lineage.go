package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/evidence/lineage/emit"
	"github.com/scrimhq/scrim/evidence/lineage/trace"
	"github.com/scrimhq/scrim/flow"
)

// Lineage is what answers about where data came from and where it went.
type Lineage struct {
	Domain   flow.DomainID
	Graph    *lineage.Graph
	Tracer   *trace.Tracer
	Emitters []*emit.Emitter
	Rules    func() lineage.Rules // of the configuration in force
}

// Directions of a lineage query.
const (
	Upstream   = "upstream"   // what it was made of
	Downstream = "downstream" // what was made of it
)

// LineageQuery asks about a column, a dataset, or, without a direction, about all that is known.
type LineageQuery struct {
	Direction string `json:"direction,omitempty"`
	Namespace string `json:"namespace,omitempty"` // "": of the own domain
	Dataset   string `json:"dataset,omitempty"`
	Column    string `json:"column,omitempty"`
	Steps     int    `json:"steps,omitempty"` // 0: as far as it goes, within bounds
}

// errDirection says which there are.
var errDirection = errors.New("direction is not one of upstream, downstream")

// ShowLineage answers a query.
func ShowLineage(ctx context.Context, l *Lineage, q LineageQuery) (*lineage.Picture, error) {
	if q.Namespace == "" {
		q.Namespace = trace.Namespace(l.Domain)
	}
	c := lineage.Column{Dataset: lineage.Name{Namespace: q.Namespace, Name: q.Dataset}, Field: q.Column}
	reach := lineage.Reach{Steps: max(q.Steps, 0)}
	switch q.Direction {
	case Upstream:
		return l.Graph.Upstream(ctx, c, reach)
	case Downstream:
		return l.Graph.Downstream(ctx, c, reach)
	case "":
		return l.Graph.Whole(ctx, reach)
	}
	return nil, errDirection
}

// LineageState is how far lineage is.
type LineageState struct {
	Followed trace.Progress `json:"followed"`
	Emitters []emit.Status  `json:"emitters"`
}

// LineageStatus tells how far the journal was followed, and how far it was sent elsewhere.
func LineageStatus(ctx context.Context, l *Lineage, _ struct{}) (s LineageState, err error) {
	s.Emitters = []emit.Status{}
	if s.Followed, err = l.Tracer.Progress(ctx); err != nil {
		return s, err
	}
	for _, e := range l.Emitters {
		one, err := e.Status(ctx)
		if err != nil {
			return s, fmt.Errorf("asking an emitter of lineage: %w", err)
		}
		s.Emitters = append(s.Emitters, one)
	}
	return s, nil
}

func (a *API) lineage() {
	const none = "this gateway keeps no lineage"
	partCall(a, "/api/v1/lineage/show", a.opt.Lineage, none, ShowLineage)
	partCall(a, "/api/v1/lineage/labels", a.opt.Lineage, none, LineageLabels)
	partCall(a, "/api/v1/lineage/status", a.opt.Lineage, none, LineageStatus)
}
