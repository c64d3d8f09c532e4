package bundle

import (
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/domain"
)

// payload is a bundle as it is signed. Members are in the order of their names (RFC 8785); what is not said is absent. Durations are
// seconds, but of pads, which are milliseconds.
type payload struct {
	Datasets []datasetPart `json:"datasets,omitempty"`
	Defaults defaultsPart  `json:"defaults,omitzero"`
	Expires  int64         `json:"exp"`
	IssuedAt int64         `json:"iat"`
	Issuer   flow.DomainID `json:"iss"`
	Labels   []labelPart   `json:"labels,omitempty"`
	Name     string        `json:"name"`
	Policies string        `json:"policies,omitempty"`
	Previous string        `json:"prev,omitempty"`
	Version  int64         `json:"ver"`
}

type labelPart struct {
	Label  flow.Label `json:"label"`
	Level  string     `json:"level,omitempty"`
	Retain int64      `json:"retain,omitempty"`
	Tier   string     `json:"tier,omitempty"`
}

type datasetPart struct {
	Columns    []columnPart   `json:"columns,omitempty"`
	Epsilon    int64          `json:"epsilon,omitempty"`
	Name       string         `json:"name"`
	Pad        int64          `json:"pad,omitempty"`
	Purposes   []flow.Purpose `json:"purposes,omitempty"`
	Retain     int64          `json:"retain,omitempty"`
	Techniques []string       `json:"techniques,omitempty"`
}

type columnPart struct {
	Labels []flow.Label `json:"labels"`
	Name   string       `json:"name"`
}

type defaultsPart struct {
	Capability  bool   `json:"capability,omitempty"`
	Criticality string `json:"criticality,omitempty"`
	Epsilon     int64  `json:"epsilon,omitempty"`
	Pad         int64  `json:"pad,omitempty"`
	Retain      int64  `json:"retain,omitempty"`
}

func (b *Bundle) payload() payload {
	p := payload{
		Issuer: b.Issuer, Name: b.Name, Version: b.Version, IssuedAt: b.Issued.Unix(), Expires: b.Expires.Unix(), Policies: b.Policies,
		Defaults: defaultsPart{
			Capability: b.Defaults.Capability, Epsilon: b.Defaults.Epsilon,
			Pad: b.Defaults.Pad.Milliseconds(), Retain: seconds(b.Defaults.Retain),
		},
	}
	if c := b.Defaults.Criticality; c != nil {
		p.Defaults.Criticality = c.String()
	}
	if !b.Previous.IsZero() {
		p.Previous = b.Previous.String()
	}
	for _, l := range b.Labels {
		part := labelPart{Label: l.Label, Retain: seconds(l.Retain)}
		if l.Level != nil {
			part.Level = l.Level.String()
		}
		if l.Tier != nil {
			part.Tier = l.Tier.String()
		}
		p.Labels = append(p.Labels, part)
	}
	for _, d := range b.Datasets {
		part := datasetPart{
			Name: d.Name, Purposes: d.Purposes, Techniques: d.Techniques, Retain: seconds(d.Retain), Epsilon: d.Epsilon, Pad: d.Pad.Milliseconds(),
		}
		for _, c := range d.Columns {
			part.Columns = append(part.Columns, columnPart{c.Labels, c.Name})
		}
		p.Datasets = append(p.Datasets, part)
	}
	return p
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

func (p *payload) bundle() (*Bundle, error) {
	if len(p.Labels) > mostLabels || len(p.Datasets) > mostDatasets {
		return nil, refused(RuleSize)
	}
	b := &Bundle{Issuer: p.Issuer, Name: p.Name, Version: p.Version, Issued: time.Unix(p.IssuedAt, 0).UTC(), Expires: time.Unix(p.Expires, 0).UTC()}
	b.Policies = p.Policies
	if p.Previous != "" {
		raw, err := hex.DecodeString(p.Previous)
		if err != nil || len(raw) != len(b.Previous) || Digest(raw).String() != p.Previous || Digest(raw).IsZero() {
			return nil, at("prev")
		}
		b.Previous = Digest(raw)
	}
	for _, part := range p.Labels {
		l, err := part.label()
		if err != nil {
			return nil, err
		}
		b.Labels = append(b.Labels, l)
	}
	for _, part := range p.Datasets {
		if !spanned(part.Retain, mostSeconds) || !spanned(part.Pad, mostPad) {
			return nil, at("datasets")
		}
		d := Dataset{
			Name: part.Name, Purposes: part.Purposes, Techniques: part.Techniques, Retain: time.Duration(part.Retain) * time.Second,
			Epsilon: part.Epsilon, Pad: time.Duration(part.Pad) * time.Millisecond,
		}
		for _, c := range part.Columns {
			d.Columns = append(d.Columns, Column{c.Name, c.Labels})
		}
		b.Datasets = append(b.Datasets, d)
	}
	return b, p.Defaults.into(&b.Defaults)
}

func (p *labelPart) label() (Label, error) {
	if !spanned(p.Retain, mostSeconds) {
		return Label{}, at("labels")
	}
	l := Label{Label: p.Label, Retain: time.Duration(p.Retain) * time.Second}
	if p.Level != "" {
		level, err := flow.ParseLevel(p.Level)
		if err != nil || level.String() != p.Level {
			return Label{}, at("labels")
		}
		l.Level = &level
	}
	if p.Tier != "" {
		tier, err := flow.ParseTier(p.Tier)
		if err != nil || tier.String() != p.Tier {
			return Label{}, at("labels")
		}
		l.Tier = &tier
	}
	return l, nil
}

func (p *defaultsPart) into(d *Defaults) error {
	if !spanned(p.Retain, mostSeconds) || !spanned(p.Pad, mostPad) {
		return at("defaults")
	}
	*d = Defaults{
		Capability: p.Capability, Epsilon: p.Epsilon,
		Pad: time.Duration(p.Pad) * time.Millisecond, Retain: time.Duration(p.Retain) * time.Second,
	}
	if p.Criticality != "" {
		c, err := flow.ParseCriticality(p.Criticality)
		if err != nil || c.String() != p.Criticality {
			return at("defaults")
		}
		d.Criticality = &c
	}
	return nil
}

func spanned(n, most int64) bool { return n >= 0 && n <= most }

// check holds for bundles that are read and for those that are signed.
func (b *Bundle) check() error {
	life := b.Expires.Sub(b.Issued)
	switch {
	case !domain.ValidName(b.Issuer):
		return at("iss")
	case !ValidName(b.Name):
		return at("name")
	case b.Version < 1 || b.Version > mostNumber:
		return at("ver")
	case (b.Version == 1) != b.Previous.IsZero():
		return at("prev")
	case !within(b.Issued):
		return at("iat")
	case !within(b.Expires) || life <= 0 || life > MaxLife:
		return at("exp")
	}
	return b.Content.Check()
}

// Check is nil for a content that a bundle can have. It does not look into policies. The error is an [*Error].
func (c *Content) Check() error {
	if len(c.Policies) > MaxPolicies || len(c.Labels) > mostLabels || len(c.Datasets) > mostDatasets {
		return refused(RuleSize)
	}
	if !utf8.ValidString(c.Policies) || strings.ContainsAny(c.Policies, "\x00\r\u2028\u2029") {
		return at("policies")
	}
	for i, l := range c.Labels {
		switch {
		case !label(l.Label), i > 0 && c.Labels[i-1].Label >= l.Label, l.Retain < 0, seconds(l.Retain) > mostSeconds, l.Retain%time.Second != 0,
			l.Level == nil && l.Tier == nil && l.Retain == 0:
			return at("labels")
		}
	}
	columns := 0
	for i := range c.Datasets {
		if i > 0 && c.Datasets[i-1].Name >= c.Datasets[i].Name || !c.Datasets[i].fits() {
			return at("datasets")
		}
		if columns += len(c.Datasets[i].Columns); columns > mostColumns {
			return refused(RuleSize)
		}
	}
	if d := c.Defaults; !budget(d.Epsilon) || !pad(d.Pad) || d.Retain < 0 || d.Retain%time.Second != 0 || seconds(d.Retain) > mostSeconds {
		return at("defaults")
	}
	return nil
}

func (d *Dataset) fits() bool {
	switch {
	case !word(d.Name), !ordered(d.Purposes), !ordered(d.Techniques), !budget(d.Epsilon), !pad(d.Pad),
		d.Retain < 0, d.Retain%time.Second != 0, seconds(d.Retain) > mostSeconds,
		slices.ContainsFunc(d.Techniques, func(t string) bool { return !slices.Contains(Techniques, t) }):
		return false
	}
	for i, c := range d.Columns {
		if !word(c.Name) || i > 0 && d.Columns[i-1].Name >= c.Name || len(c.Labels) == 0 || !ordered(c.Labels) || slices.ContainsFunc(c.Labels, func(l flow.Label) bool { return !label(l) }) {
			return false
		}
	}
	return true
}

// Techniques are those that a dataset can be limited to. A list of message alone leaves no question; what shows in messages no list limits.
var Techniques = []string{"aggregate", "compute", "extract", "match", "message", "score", "synthesize", "train"}

func budget(epsilon int64) bool { return epsilon >= 0 && epsilon <= mostNumber }

func pad(d time.Duration) bool {
	return d >= 0 && d%time.Millisecond == 0 && d.Milliseconds() <= mostPad
}

var bundleName = regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidName reports whether a bundle can have this name: lower-case letters, digits and dashes, at most 63.
func ValidName(s string) bool { return bundleName.MatchString(s) }

func label(l flow.Label) bool {
	if len(l) > mostName {
		return false
	}
	for part := range strings.SplitSeq(string(l), "/") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// word is a name that stands in Cedar and JSON as it is.
func word(s string) bool {
	return s != "" && len(s) <= mostName && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '"' || r == '\\' || r == '\u2028' || r == '\u2029'
	})
}

// ordered reports whether a list has few enough names, each once and in order.
func ordered[S ~string](all []S) bool {
	if len(all) > mostWords {
		return false
	}
	for i, s := range all {
		if !word(string(s)) || i > 0 && all[i-1] >= s {
			return false
		}
	}
	return true
}

// within bounds times to what any reader holds.
func within(t time.Time) bool { return t.Unix() > 0 && t.Unix() < 1<<37 && t.Nanosecond() == 0 }
