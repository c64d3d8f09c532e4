// Package trust is the pages about whom one believes and what is proven: domains and what is agreed with them, freezes, capabilities as trees of
// what was handed on, and the log with its checkpoints, receipts and entries.
//
// Peers, callers and holders of capabilities choose some of the texts that are shown here. None of them is believed to be more than text.
package trust

import (
	"context"
	"embed"
	"encoding/hex"
	"errors"
	"html/template"
	"time"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
)

//go:embed templates/*.html
var templates embed.FS

// Options of the pages: the same parts of a gateway that the admin API has. Parts that are absent have pages that say so.
type Options struct {
	API   api.Options
	Clock func() time.Time // nil: time.Now
}

// Pages are the pages of this package.
type Pages struct {
	api.Options
	now func() time.Time

	check *verification
}

// Add adds the pages to a frame.
func Add(f *page.Frame, opt Options) *Pages {
	p := &Pages{Options: opt.API, now: opt.Clock, check: &verification{verify: opt.API.Verify}}
	if p.now == nil {
		p.now = time.Now
	}
	g := f.Group(templates, template.FuncMap{"hex": hexOf, "int": func(n int64) int { return int(n) }, "ago": p.ago, "decimal": decimal, "alarmWords": alarmWords})
	p.addLog(g)
	p.addCapabilities(g)
	p.addDomains(g)
	p.addFreezes(g)
	p.addContracts(g)
	return p
}

// Close ends a verification that runs, and waits for it.
func (p *Pages) Close() { p.check.close() }

func (p *Pages) domain() flow.DomainID {
	if p.Snapshot == nil {
		return ""
	}
	return p.Snapshot().Domain
}

func hexOf(b any) string {
	switch b := b.(type) {
	case [32]byte:
		return hex.EncodeToString(b[:])
	case []byte:
		return hex.EncodeToString(b)
	}
	return ""
}

func (p *Pages) ago(t time.Time) string {
	d := p.now().Sub(t)
	switch {
	case t.IsZero():
		return "never"
	case d < 0:
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < 2*time.Hour:
		return (d.Truncate(time.Minute)).String()[:len((d.Truncate(time.Minute)).String())-2]
	case d < 48*time.Hour:
		return d.Truncate(time.Hour).String()[:len(d.Truncate(time.Hour).String())-4]
	}
	n := int64(d / (24 * time.Hour))
	return decimal(n, 0) + " " + flow.Plural(n, "day", "days")
}

func decimal(n int64, places int) string { return flow.Decimal(n, places) }

// told makes a mistake, which whoever asked may read, of an error that repeats nothing of what was asked; nil stays nil.
func told(err error, plain ...error) error {
	for _, e := range plain {
		if errors.Is(err, e) {
			return page.Wrong("%v", err)
		}
	}
	return err
}

var errAbsent = page.Wrong("this gateway does not have what that needs; the page says how to switch it on")

// flat is for models that need no context.
func flat[M any](f func(*page.Request) (M, error)) func(context.Context, *page.Request) (M, error) {
	return func(_ context.Context, r *page.Request) (M, error) { return f(r) }
}
