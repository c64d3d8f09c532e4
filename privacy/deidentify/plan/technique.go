package plan

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
)

// Keys makes the keys of techniques, all of one recipient and purpose. Package vault has them; they do not leave it.
type Keys interface {
	// Epoch names the keys: equal names mean that equal values become equal.
	Epoch() string
	Tokens(l flow.Label) (deidentify.Tokens, error)
	MAC(l flow.Label) (deidentify.MAC, error)
	Cipher(l flow.Label, radix int) (deidentify.Cipher, error)
	PRF(l flow.Label) (deidentify.PRF, error)
}

// maker is what a technique is made of.
type maker struct {
	class  flow.Class
	keys   Keys
	memory *deidentify.Memory
	open   func(name string) (io.ReadCloser, error)
}

// technique is one that a plan can name.
type technique struct {
	keys     []string // of the column that it takes
	needs    []string // of these, those it cannot do without
	keyed    bool     // it needs keys
	unsteady bool     // two applications to one value may give two results
	make     func(c *Column, m maker) (deidentify.Technique, error)
}

// techniques are all there are, by the name that [deidentify.Says] has.
var techniques = map[string]technique{
	"drop": {make: func(*Column, maker) (deidentify.Technique, error) { return deidentify.Drop(), nil }},
	"keep": {make: func(*Column, maker) (deidentify.Technique, error) { return deidentify.Keep(), nil }},
	"constant": {keys: []string{"value"}, needs: []string{"value"}, make: func(c *Column, _ maker) (deidentify.Technique, error) {
		kind := map[byte]deidentify.Kind{'t': deidentify.String, 'n': deidentify.Number, 'b': deidentify.Bool}[c.Value.Kind]
		return deidentify.Constant(deidentify.Value{Kind: kind, Text: []byte(c.Value.Text)})
	}},
	"placeholder": {make: func(_ *Column, m maker) (deidentify.Technique, error) {
		return deidentify.TypedPlaceholder(m.class), nil
	}},
	"mask": {keys: []string{"keep"}, needs: []string{"keep"}, make: func(c *Column, m maker) (deidentify.Technique, error) {
		return deidentify.Mask(m.class, c.Keep)
	}},
	"surrogate": {unsteady: true, make: func(_ *Column, m maker) (deidentify.Technique, error) {
		return deidentify.Surrogate(m.memory, m.class), nil
	}},
	"realistic": {keys: []string{"locale"}, needs: []string{"label"}, unsteady: true, make: func(c *Column, m maker) (deidentify.Technique, error) {
		return deidentify.Realistic(m.memory, m.class, deidentify.RealisticOptions{Locale: c.Locale})
	}},
	"token": {needs: []string{"label"}, keyed: true, make: func(c *Column, m maker) (deidentify.Technique, error) {
		t, err := m.keys.Tokens(c.Label)
		if err != nil {
			return nil, err
		}
		return deidentify.Token(t), nil
	}},
	"one-way": {keys: []string{"bytes"}, needs: []string{"label"}, keyed: true, make: func(c *Column, m maker) (deidentify.Technique, error) {
		k, err := m.keys.MAC(c.Label)
		if err != nil {
			return nil, err
		}
		return deidentify.OneWay(k, deidentify.OneWayOptions{Class: m.class, Bytes: c.Bytes})
	}},
	"format": {keys: []string{"alphabet", "luhn"}, needs: []string{"label"}, keyed: true, make: func(c *Column, m maker) (deidentify.Technique, error) {
		o := deidentify.FormatOptions{Alphabet: c.Alphabet, Luhn: c.Luhn}
		if o.Radix() == 0 {
			return nil, errors.New("the alphabet is digits, lower, upper, alphanumeric, or letters and digits, each once")
		}
		k, err := m.keys.Cipher(c.Label, o.Radix())
		if err != nil {
			return nil, err
		}
		return deidentify.FormatPreserving(k, o)
	}},
	"shift-date": {keys: []string{"days", "subject"}, needs: []string{"days"}, keyed: true, make: func(c *Column, m maker) (deidentify.Technique, error) {
		l := c.Label
		if l == "" {
			l = "person/birth-date"
		}
		k, err := m.keys.PRF(l)
		if err != nil {
			return nil, err
		}
		return deidentify.ShiftDate(k, c.Days)
	}},
	"salted-hash": {keys: []string{"salt", "public"}, needs: []string{"salt"}, make: func(c *Column, m maker) (deidentify.Technique, error) {
		return deidentify.SaltedHash(deidentify.SaltedHashOptions{Class: m.class, Salt: []byte(c.Salt), Public: c.Public})
	}},
	"bucket": {keys: []string{"width", "edges", "names", "lower"}, make: func(c *Column, m maker) (deidentify.Technique, error) {
		return deidentify.Bucket(deidentify.BucketOptions{Class: m.class, Width: string(c.Width), Edges: decimals(c.Edges), Names: c.Names, Lower: c.Lower})
	}},
	"top-bottom": {keys: []string{"top", "bottom", "names"}, make: func(c *Column, _ maker) (deidentify.Technique, error) {
		o := deidentify.TopBottomOptions{Bottom: string(c.Bottom), Top: string(c.Top)}
		switch len(c.Names) {
		case 0:
		case 2:
			o.BottomName, o.TopName = c.Names[0], c.Names[1]
		default:
			return nil, errors.New("there are two names, of what lies below and of what lies above")
		}
		return deidentify.TopBottom(o)
	}},
	"round": {keys: []string{"to"}, needs: []string{"to"}, make: func(c *Column, m maker) (deidentify.Technique, error) {
		return deidentify.Round(m.class, c.To)
	}},
	"shorten-date": {keys: []string{"to"}, needs: []string{"to"}, make: func(c *Column, _ maker) (deidentify.Technique, error) {
		return deidentify.ShortenDate(flow.Param(c.To))
	}},
	"prefix": {keys: []string{"keep"}, needs: []string{"keep", "label"}, make: func(c *Column, m maker) (deidentify.Technique, error) {
		return deidentify.Prefix(m.class, c.Keep)
	}},
	"network": {keys: []string{"bits"}, needs: []string{"bits"}, make: func(c *Column, _ maker) (deidentify.Technique, error) {
		return deidentify.Network(c.Bits)
	}},
	"noise": {keys: []string{"scale", "shape", "unit", "floor", "ceiling"}, needs: []string{"scale"}, unsteady: true, make: func(c *Column, _ maker) (deidentify.Technique, error) {
		if c.Shape != "" && c.Shape != "laplace" && c.Shape != "gaussian" {
			return nil, errors.New("the shape of noise is laplace or gaussian")
		}
		return deidentify.Noise(deidentify.NoiseOptions{
			Gaussian: c.Shape == "gaussian", Scale: int64(c.Scale), Unit: string(c.Unit), Least: string(c.Floor), Most: string(c.Ceiling),
		})
	}},
	"generalize": {keys: []string{"hierarchy", "steps"}, needs: []string{"hierarchy", "steps"}, make: func(c *Column, m maker) (deidentify.Technique, error) {
		f, err := m.open(c.Hierarchy)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		l := m.class.Label
		if l == "" {
			l = "work/title" // any: the tree is this column's own
		}
		h, err := deidentify.Hierarchies{}.With(l, f)
		if err != nil {
			return nil, err
		}
		return deidentify.Generalize(h, l, c.Steps)
	}},
}

func techniqueNames() []string { return slices.Sorted(maps.Keys(techniques)) }

func decimals(ds []Decimal) []string {
	var out []string
	for _, d := range ds {
		out = append(out, string(d))
	}
	return out
}

var dateSteps = map[string]anonymity.Step{
	"day": anonymity.Day, "month": anonymity.Month, "quarter": anonymity.Quarter, "year": anonymity.Year, "decade": anonymity.Decade,
}

// coding returns how the values of a quasi-identifier become codes.
func (c *Column) coding(open func(name string) (io.ReadCloser, error)) (*anonymity.Coding, error) {
	switch {
	case c.Hierarchy != "":
		f, err := open(c.Hierarchy)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return anonymity.ReadListed(f)
	case c.Intervals != nil:
		whole := true
		for _, d := range append([]Decimal{c.Origin, c.Bottom, c.Top}, c.Intervals...) {
			whole = whole && !strings.Contains(string(d), ".")
		}
		return anonymity.NumberCoding(anonymity.Numbers{
			Widths: decimals(c.Intervals), Origin: string(c.Origin), Bottom: string(c.Bottom), Top: string(c.Top), Integers: whole,
		})
	case c.Prefix != nil:
		m := anonymity.Masks{Length: c.Prefix[0]}
		for _, keep := range c.Prefix[1:] {
			m.Hidden = append(m.Hidden, c.Prefix[0]-keep)
		}
		return anonymity.MaskCoding(m)
	case c.Dates != nil:
		var steps []anonymity.Step
		for _, s := range c.Dates {
			steps = append(steps, dateSteps[s])
		}
		return anonymity.DateCoding(steps...)
	}
	return anonymity.PlainCoding(), nil
}
