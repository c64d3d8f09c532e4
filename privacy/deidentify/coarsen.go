package deidentify

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/scrimhq/scrim/flow"
)

// BucketOptions say how numbers are put into buckets: by width or by edges.
type BucketOptions struct {
	Class flow.Class // ages end at 90; the zero value is no class
	Width string     // a decimal above 0: buckets begin at its multiples
	Edges []string   // decimals, ascending: bucket i is from edge i-1, included, to edge i, not included
	Names []string   // of the buckets, one more than edges; without it "<18", "[18,65)", ">=65"; with a width "[30,40)"
	Lower bool       // with a width: the lower edge instead of a range, so that numbers stay numbers
}

// Bucket returns the technique that puts numbers into buckets. Strings may have a unit, as in messages, if the lower edge is shown.
func Bucket(o BucketOptions) (Technique, error) {
	switch {
	case (o.Width == "") == (len(o.Edges) == 0):
		return nil, fmt.Errorf("%w: buckets need a width or edges, not both", ErrOptions)
	case o.Width != "":
		return bucketWidth(o)
	case o.Lower:
		return nil, fmt.Errorf("%w: buckets with edges are shown as ranges or names", ErrOptions)
	}
	return bucketEdges(o)
}

func bucketWidth(o BucketOptions) (Technique, error) {
	width, ok := parseSmall([]byte(o.Width))
	if !ok || width.units <= 0 || len(o.Names) > 0 {
		return nil, fmt.Errorf("%w: the width of a bucket is a number above 0, and its buckets have no names", ErrOptions)
	}
	s := Says{
		Name: "bucket", Does: "ranges of width " + o.Width, Treatment: flow.Treatment{Level: flow.Generalized}, Joinable: true,
		Preserves: []string{"order, and distance up to one width", "sums and means up to half a width a value"},
		Reveals:   []string{"the range", "with a change that moves a value over an edge, the value itself", "outliers: a range with one person in it names that person"},
		Threat:    "stops a look-up by the exact number; not one by several coarse columns together: use a privacy model over the table for that",
	}
	if width.scale == 0 {
		s.Param = flow.Param(fmt.Sprintf("bucket:%d", width.units))
	}
	if o.Lower {
		s.Out = OutSame
	}
	age := o.Class.Label.Within("person/age")
	if o.Lower {
		return &simple{says: s, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
			return coarsenTo(dst, v, width, false, age)
		}}, nil
	}
	return &simple{says: s, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) { return rangeOf(dst, v, width, age) }}, nil
}

func bucketEdges(o BucketOptions) (Technique, error) {
	if len(o.Names) > 0 && len(o.Names) != len(o.Edges)+1 {
		return nil, fmt.Errorf("%w: there is one bucket more than edges, and each needs a name", ErrOptions)
	}
	edges := make([]decimal, len(o.Edges))
	for i, e := range o.Edges {
		var ok bool
		if edges[i], ok = parseDecimal(e); !ok {
			return nil, fmt.Errorf("%w: edge %d is no number", ErrOptions, i+1)
		}
		if i > 0 && edges[i-1].cmp(edges[i]) >= 0 {
			return nil, fmt.Errorf("%w: edge %d is not above the one before it", ErrOptions, i+1)
		}
	}
	names := slices.Clone(o.Names)
	if len(names) == 0 {
		names = append(names, "<"+o.Edges[0])
		for i := 1; i < len(o.Edges); i++ {
			names = append(names, "["+o.Edges[i-1]+","+o.Edges[i]+")")
		}
		names = append(names, ">="+o.Edges[len(o.Edges)-1])
	}
	s := Says{
		Name: "bucket", Does: fmt.Sprintf("one of %d ranges", len(names)), Treatment: flow.Treatment{Level: flow.Generalized, Param: edgesWithin(edges)}, Joinable: true,
		Preserves: []string{"order between ranges"},
		Reveals:   []string{"the range", "outliers: a range with one person in it names that person"},
		Threat:    "stops a look-up by the exact number; not one by several coarse columns together: use a privacy model over the table for that",
	}
	return &simple{says: s, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
		m, ok := readMeasure(v)
		if !ok || len(m.before)+len(m.after) > 0 {
			return nil, Null, ErrForm
		}
		d := m.decimal()
		i, _ := slices.BinarySearchFunc(edges, d, func(e, d decimal) int {
			if e.cmp(d) <= 0 {
				return -1
			}
			return 1
		})
		return append(dst, names[i]...), String, nil
	}}, nil
}

// edgesWithin returns the widest bucket:N whose lower edges are among the given ones, or "" where none is: which of the
// ranges a number is in is a function of the lower edge of that bucket.
func edgesWithin(edges []decimal) flow.Param {
	all := new(big.Int)
	for _, e := range edges {
		whole, rest := new(big.Int).QuoRem(e.units, pow10(e.scale), new(big.Int))
		if rest.Sign() != 0 {
			return ""
		}
		all.GCD(nil, nil, all, whole.Abs(whole))
	}
	if !all.IsInt64() || all.Sign() == 0 { // the only edge is 0: every bucket:N knows it
		if all.Sign() == 0 {
			return "bucket:2147483647"
		}
		return ""
	}
	p, err := flow.ParseParam(flow.Generalized, fmt.Sprintf("bucket:%d", all.Int64()))
	if err != nil {
		return ""
	}
	return p
}

// Round returns the technique that rounds numbers to the nearest multiple of a decimal above 0, halves away from zero. Ages end at 90.
func Round(c flow.Class, to string) (Technique, error) {
	width, ok := parseSmall([]byte(to))
	if !ok || width.units <= 0 {
		return nil, fmt.Errorf("%w: numbers are rounded to a number above 0", ErrOptions)
	}
	s := Says{
		Name: "round", Does: "the nearest multiple of " + to, Treatment: flow.Treatment{Level: flow.Generalized}, Out: OutSame, Joinable: true,
		Preserves: []string{"order, and distance up to one step", "sums and means nearly"},
		Reveals:   []string{"the value up to half a step", "outliers"},
		Threat:    "stops a look-up by the exact number; not one by several coarse columns together",
	}
	if width.scale == 0 {
		s.Param = flow.Param(fmt.Sprintf("round:%d", width.units))
	}
	age := c.Label.Within("person/age")
	return &simple{says: s, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
		return coarsenTo(dst, v, width, true, age)
	}}, nil
}

// TopBottomOptions say where numbers end.
type TopBottomOptions struct {
	Bottom, Top         string // decimals; "" is no end
	BottomName, TopName string // what stands for numbers below and above; without it the end itself, so that numbers stay numbers
}

// TopBottom returns the technique that puts the end in place of every number beyond it, and leaves all others.
func TopBottom(o TopBottomOptions) (Technique, error) {
	if o.Bottom == "" && o.Top == "" {
		return nil, fmt.Errorf("%w: there is neither a top nor a bottom", ErrOptions)
	}
	bottom, okB := newLimit(o.Bottom, o.BottomName, -1)
	top, okT := newLimit(o.Top, o.TopName, 1)
	switch {
	case o.Bottom != "" && !okB || o.Top != "" && !okT:
		return nil, fmt.Errorf("%w: top and bottom are numbers", ErrOptions)
	case okB && okT && bottom.at.cmp(top.at) >= 0:
		return nil, fmt.Errorf("%w: the bottom is not below the top", ErrOptions)
	}
	s := Says{
		Name: "top-bottom", Does: "numbers end at " + ends(o), Treatment: flow.Treatment{Level: flow.Generalized}, Out: OutSame, Joinable: true,
		Preserves: []string{"every number that is not beyond an end"},
		Reveals:   []string{"every number that is not beyond an end", "of the others, that they are beyond"},
		Threat:    "stops those who look for the oldest or the richest, and nobody else",
	}
	if okT {
		s.Param = numbered("top", o.Top)
	}
	if okB {
		if p := numbered("bottom", o.Bottom); s.Param == "" {
			s.Param = p
		} else if p != "" {
			s.bounds = append(s.bounds, flow.Treatment{Level: flow.Generalized, Param: p})
		}
	}
	if o.BottomName != "" || o.TopName != "" {
		s.Out = OutText
	}
	if !okB {
		bottom = nil
	}
	if !okT {
		top = nil
	}
	return &simple{says: s, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) { return limited(dst, v, bottom, top) }}, nil
}

func ends(o TopBottomOptions) string {
	switch {
	case o.Top == "":
		return o.Bottom
	case o.Bottom == "":
		return o.Top
	}
	return o.Bottom + " and " + o.Top
}

// numbered returns the parameter of a kind and a number, or "" where there is none.
func numbered(kind, n string) flow.Param {
	p, err := flow.ParseParam(flow.Generalized, kind+":"+n)
	if err != nil {
		return ""
	}
	return p
}

// ShortenDate returns the technique that makes dates and times shorter: day, month, quarter, year or decade.
func ShortenDate(to flow.Param) (Technique, error) {
	step, ok := steps[string(to)]
	if !ok {
		return nil, fmt.Errorf("%w: dates are shortened to day, month, quarter, year or decade", ErrOptions)
	}
	return &simple{says: Says{
		Name: "shorten-date", Does: "no finer than the " + string(to), Treatment: flow.Treatment{Level: flow.Generalized, Param: to}, Joinable: true,
		Preserves: []string{"order between " + string(to) + "s", "seasons and holidays, as far as a " + string(to) + " shows them"},
		Reveals:   []string{"the " + string(to), "rare dates: the only person born in a decade"},
		Threat:    "stops a look-up by the exact date; not one by several coarse columns together",
	}, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
		return shortenBytes(dst, v, step)
	}}, nil
}

// Prefix returns the technique that keeps the first n letters or digits (1 to 16): of postal codes with two asterisks behind,
// of codes with categories as the category. The class says which of the two it is.
func Prefix(c flow.Class, n int) (Technique, error) {
	if n < 1 || n > 16 || c.Kind != flow.Postal && c.Kind != flow.Code {
		return nil, fmt.Errorf("%w: a prefix is 1 to 16 characters of a postal code or a code", ErrOptions)
	}
	return &simple{says: Says{
		Name: "prefix", Does: fmt.Sprintf("the first %d letters or digits", n), Treatment: flow.Treatment{Level: flow.Generalized, Param: flow.Param(fmt.Sprintf("prefix:%d", n))}, Joinable: true,
		Preserves: []string{"the area or category"},
		Reveals:   []string{"the area or category", "small ones: three digits of some postal codes have fewer than 20,000 inhabitants"},
		Threat:    "stops a look-up by the exact place or code; not one by several coarse columns together",
	}, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
		if c.Kind == flow.Postal && v.Kind == String {
			if out, ok := plainDigits(dst, v.Text, n); ok {
				return out, String, nil
			}
		}
		text, ok := cutPrefix(c, Scalar{v.Kind, string(v.Text)}, n)
		return appendIf(dst, text, v.Kind, ok)
	}}, nil
}

// Network returns the technique that keeps the first n bits (8 to 28) of an IPv4 address, 2n+8 and at most 64 of an IPv6 one.
func Network(n int) (Technique, error) {
	if n < 8 || n > 28 {
		return nil, fmt.Errorf("%w: a network keeps 8 to 28 bits", ErrOptions)
	}
	return &simple{says: Says{
		Name: "network", Does: fmt.Sprintf("the first %d bits of an address", n), Treatment: flow.Treatment{Level: flow.Generalized, Param: flow.Param(fmt.Sprintf("net:%d", n))}, Joinable: true,
		Preserves: []string{"the network, and often country and provider"},
		Reveals:   []string{"the network: a company's own is its name"},
		Threat:    "stops a look-up of one machine; not one by several coarse columns together",
	}, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
		text, ok := cutNetwork(Scalar{v.Kind, string(v.Text)}, n)
		return appendIf(dst, text, v.Kind, ok)
	}}, nil
}

// Generalize returns the technique that puts a value's n-th ancestor in its place, or the topmost: the hierarchy is that of the
// label, or of the nearest label above it. [ErrUncovered] is for values that it does not have.
func Generalize(h Hierarchies, l flow.Label, n int) (Technique, error) {
	if n < 1 || n > maxColumns-1 || !h.has(l) {
		return nil, fmt.Errorf("%w: there is no hierarchy, or it is climbed by 1 to %d steps", ErrOptions, maxColumns-1)
	}
	return &simple{says: Says{
		Name: "generalize", Does: fmt.Sprintf("%d steps up the hierarchy", n), Treatment: flow.Treatment{Level: flow.Generalized, Param: flow.Param(fmt.Sprintf("up:%d", n))}, Joinable: true,
		Preserves: []string{"what the hierarchy says is alike"},
		Reveals:   []string{"the group; with few members in it nearly the value"},
		Threat:    "stops a look-up by the exact value; not one by several coarse columns together: a plan that searches the levels by a privacy model does",
	}, apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
		text, ok := h.climb(l, Scalar{v.Kind, string(v.Text)}, n)
		if !ok {
			return nil, Null, ErrUncovered
		}
		return append(dst, text...), v.Kind, nil
	}}, nil
}

func appendIf(dst []byte, text string, k Kind, ok bool) ([]byte, Kind, error) {
	if !ok {
		return nil, Null, ErrForm
	}
	return append(dst, text...), k, nil
}
