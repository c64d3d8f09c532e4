package activity

import (
	"cmp"
	"context"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// Span is a stretch of time, in sums of a unit that begin in it.
type Span struct {
	Unit     Unit
	From, To time.Time // To is not in it
}

// Last is a span until now that has about as many sums as a page shows.
func Last(d time.Duration, now time.Time) Span {
	u := Day
	switch {
	case d <= 3*time.Hour:
		u = Minute
	case d <= 8*24*time.Hour:
		u = Hour
	}
	return Span{u, now.Add(-d).Truncate(u.Length()), now.Add(time.Second)}
}

// Way is what went from one domain to another.
type Way struct {
	From    flow.DomainID `json:"from"`
	To      flow.DomainID `json:"to"`
	Flows   int64         `json:"flows"`
	Refused int64         `json:"refused"`
	Bytes   int64         `json:"bytes"`
	Highest int           `json:"highest"` // as a number of [flow.Level], or [Nothing]
}

// Shown is how many values of a label were shown to a domain at a level.
type Shown struct {
	Label flow.Label    `json:"label"`
	To    flow.DomainID `json:"to"`
	Level flow.Level    `json:"level"`
	Count int64         `json:"count"`
}

// Point is one unit of time.
type Point struct {
	At      time.Time `json:"at"`
	Flows   int64     `json:"flows"` // refused ones among them
	Refused int64     `json:"refused"`
}

// Refusals is how many flows a rule refused.
type Refusals struct {
	Rule  string `json:"rule"`
	Count int64  `json:"count"`
}

// Overview is what a first page shows of a span.
type Overview struct {
	Span     Span       `json:"-"`
	Flows    int64      `json:"flows"`
	Refused  int64      `json:"refused"`
	Bytes    int64      `json:"bytes"`
	Ways     []Way      `json:"ways"`     // most flows first
	Shown    []Shown    `json:"shown"`    // most values first
	Points   []Point    `json:"points"`   // one for each unit of time
	Refusals []Refusals `json:"refusals"` // most first
	Purposes []Purposes `json:"purposes"` // most first
	Seq      int64      `json:"seq"`      // entries of the journal up to here are in it
}

// Purposes is how many flows there were for a purpose.
type Purposes struct {
	Purpose flow.Purpose `json:"purpose"`
	Flows   int64        `json:"flows"`
}

// notFlows is what of the journal is no flow, as SQL; see [Flows].
const notFlows = "('segment', 'closed', 'changed', 'budget', 'erased', 'issued')"

// mostRows bounds what a query returns.
const mostRows = 2000

// Over returns the overview of a span, as of one moment.
func Over(ctx context.Context, db store.DB, s Span) (Overview, error) {
	var o Overview
	err := db.View(ctx, func(tx store.Tx) (err error) {
		o = Overview{Span: s}
		for _, part := range []func(store.Tx, Span) error{o.ways, o.shown, o.points, o.refusals, o.purposes} {
			if err := part(tx, s); err != nil {
				return err
			}
		}
		o.Seq, err = cursor(tx)
		return err
	})
	return o, err
}

func (s Span) args() []any { return []any{int64(s.Unit), s.From.Unix(), s.To.Unix()} }

// each runs a query over a span and hands every row on.
func each(tx store.Tx, s Span, query string, row func(scan func(...any) error) error) error {
	rows, err := tx.Query(query, append(s.args(), mostRows)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (o *Overview) ways(tx store.Tx, s Span) error {
	return each(tx, s, `SELECT sender, recipient, SUM(CASE WHEN outcome IN `+notFlows+` THEN 0 ELSE entries END) AS n,
		SUM(CASE WHEN outcome IN ('refused', 'conflict') THEN entries ELSE 0 END), SUM(bytes), MAX(highest)
		FROM activity_flows WHERE unit = ? AND at >= ? AND at < ? AND outcome NOT IN ('changed', 'budget', 'erased', 'issued')
		GROUP BY sender, recipient ORDER BY n DESC, sender, recipient LIMIT ?`, func(scan func(...any) error) error {
		var w Way
		if err := scan(&w.From, &w.To, &w.Flows, &w.Refused, &w.Bytes, &w.Highest); err != nil {
			return err
		}
		o.Ways = append(o.Ways, w)
		o.Flows, o.Refused, o.Bytes = o.Flows+w.Flows, o.Refused+w.Refused, o.Bytes+w.Bytes
		return nil
	})
}

func (o *Overview) shown(tx store.Tx, s Span) error {
	return each(tx, s, `SELECT label, recipient, level, SUM(shown) AS n FROM activity_levels WHERE unit = ? AND at >= ? AND at < ?
		GROUP BY label, recipient, level ORDER BY n DESC, label, recipient, level LIMIT ?`, func(scan func(...any) error) error {
		var h Shown
		var level int64
		if err := scan(&h.Label, &h.To, &level, &h.Count); err != nil {
			return err
		}
		h.Level = flow.Level(level)
		o.Shown = append(o.Shown, h)
		return nil
	})
}

func (o *Overview) points(tx store.Tx, s Span) error {
	step := int64(s.Unit.Length() / time.Second)
	at := map[int64]int{}
	for t := s.Unit.of(s.From); t < s.To.Unix() && len(o.Points) < mostRows; t += step {
		at[t] = len(o.Points)
		o.Points = append(o.Points, Point{At: time.Unix(t, 0).UTC()})
	}
	return each(tx, s, `SELECT at, SUM(CASE WHEN outcome IN `+notFlows+` THEN 0 ELSE entries END), SUM(CASE WHEN outcome IN ('refused', 'conflict') THEN entries ELSE 0 END)
		FROM activity_flows WHERE unit = ? AND at >= ? AND at < ? GROUP BY at ORDER BY at DESC LIMIT ?`, func(scan func(...any) error) error {
		var t, n, refused int64
		if err := scan(&t, &n, &refused); err != nil {
			return err
		}
		if i, ok := at[t]; ok {
			o.Points[i].Flows, o.Points[i].Refused = n, refused
		}
		return nil
	})
}

func (o *Overview) refusals(tx store.Tx, s Span) error {
	return each(tx, s, `SELECT rule, SUM(entries) AS n FROM activity_flows WHERE unit = ? AND at >= ? AND at < ? AND rule <> '' GROUP BY rule ORDER BY n DESC, rule LIMIT ?`,
		func(scan func(...any) error) error {
			var r Refusals
			if err := scan(&r.Rule, &r.Count); err != nil {
				return err
			}
			o.Refusals = append(o.Refusals, r)
			return nil
		})
}

func (o *Overview) purposes(tx store.Tx, s Span) error {
	return each(tx, s, `SELECT purpose, SUM(entries) AS n FROM activity_flows WHERE unit = ? AND at >= ? AND at < ? AND purpose <> '' AND outcome NOT IN `+notFlows+`
		GROUP BY purpose ORDER BY n DESC, purpose LIMIT ?`, func(scan func(...any) error) error {
		var p Purposes
		if err := scan(&p.Purpose, &p.Flows); err != nil {
			return err
		}
		o.Purposes = append(o.Purposes, p)
		return nil
	})
}

func compareFlows(a, b flowKey) int {
	return cmp.Or(cmp.Compare(a.unit, b.unit), cmp.Compare(a.at, b.at), cmp.Compare(a.sender, b.sender), cmp.Compare(a.recipient, b.recipient), cmp.Compare(a.purpose, b.purpose),
		cmp.Compare(a.outcome, b.outcome), cmp.Compare(a.rule, b.rule))
}

func compareLevels(a, b levelKey) int {
	return cmp.Or(cmp.Compare(a.unit, b.unit), cmp.Compare(a.at, b.at), cmp.Compare(a.label, b.label), cmp.Compare(a.recipient, b.recipient), cmp.Compare(a.level, b.level))
}
