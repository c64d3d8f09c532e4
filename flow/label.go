package flow

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Label is a class of data, a path such as "person/contact/email". A label lies within each of its prefixes.
type Label string

// Labels that the machinery itself gives.
const (
	Unlabelled Label = "unlabelled"  // a structured leaf that nothing labels: restricted
	FreeText   Label = "text/free"   // prose outside found spans
	PublicData Label = "public"      // declared to be public by the catalog
	OpaqueFile Label = "file/opaque" // bytes that were not looked into
)

// Within reports whether l is parent or lies under it.
func (l Label) Within(parent Label) bool {
	return l == parent || strings.HasPrefix(string(l), string(parent)) && len(l) > len(parent) && l[len(parent)] == '/'
}

// Ancestors yields the label and each of its prefixes, nearest first.
func (l Label) Ancestors() iter.Seq[Label] {
	return func(yield func(Label) bool) {
		for l != "" {
			if !yield(l) {
				return
			}
			l = l[:max(strings.LastIndexByte(string(l), '/'), 0)]
		}
	}
}

// Tier is how sensitive a label is. The zero value is [Restricted].
type Tier uint8

// The tiers, strictest first.
const (
	Restricted Tier = iota
	Confidential
	Internal
	Public
)

var tierNames = [...]string{"restricted", "confidential", "internal", "public"}

// String returns the tier's name.
func (t Tier) String() string { return nameOf(tierNames[:], int(t)) }

// ParseTier reads a tier's name.
func ParseTier(s string) (Tier, error) {
	i := slices.Index(tierNames[:], s)
	if i < 0 {
		return Restricted, fmt.Errorf("tier is not one of public, internal, confidential, restricted")
	}
	return Tier(i), nil
}

// MarshalText implements [encoding.TextMarshaler].
func (t Tier) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Tier) UnmarshalText(b []byte) (err error) {
	*t, err = ParseTier(string(b))
	return err
}

// Kind says what a label's values look like, and so which generalisations apply.
type Kind uint8

// The kinds of value.
const (
	Text    Kind = iota // prose, names, anything without structure: cannot be generalised
	Date                // a date or time, RFC 3339 or its prefixes
	Number              // an amount, age or measure
	Postal              // a postal code
	Network             // an IP address
	Code                // a code whose prefix is its category, such as ICD-10
	Digits              // a string of digits with fixed format, such as a card number
	Truth               // yes or no
)

var kindNames = [...]string{"text", "date", "number", "postal", "network", "code", "digits", "truth"}

// String returns the kind's name.
func (k Kind) String() string { return nameOf(kindNames[:], int(k)) }

// MarshalText implements [encoding.TextMarshaler].
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (k *Kind) UnmarshalText(b []byte) error {
	i := slices.Index(kindNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("kind is not one of %s", strings.Join(kindNames[:], ", "))
	}
	*k = Kind(i)
	return nil
}

// Class is what the taxonomy knows of a label.
type Class struct {
	Label     Label  `json:"label"`
	Title     string `json:"title"`
	Tier      Tier   `json:"tier"`
	Family    Family `json:"family"`
	Kind      Kind   `json:"kind"`
	Bits      int    `json:"bits,omitempty"`       // entropy of a value, lower estimate; below 32 a token is never derived from the value
	DPV       string `json:"dpv,omitempty"`        // W3C Data Privacy Vocabulary term
	Special   bool   `json:"special,omitempty"`    // a special category, GDPR article 9 or 10
	Default   Param  `json:"default,omitempty"`    // generalisation where a policy names none
	KeepFirst bool   `json:"keep_first,omitempty"` // keep:N keeps the beginning, not the end
	Word      string `json:"word,omitempty"`       // what placeholders and surrogates call it: "[person 3]"
}

// Resolve fills in the class's default where the treatment has no parameter, and masks where the class cannot be generalised so.
func (c Class) Resolve(t Treatment) Treatment {
	if !c.Family.Has(t.Level) {
		return Treatment{Level: Masked}
	}
	switch t.Level {
	case Tokenized:
		if t.Param == "" {
			t.Param = TokenReversible
		}
	case Generalized:
		if t.Param == "" {
			t.Param = c.Default
		}
		if !c.Generalizes(t.Param) {
			return Treatment{Level: Masked}
		}
	case Raw, Dropped:
		t.Param = ""
	}
	return t
}

// Generalizes reports whether values of the class can be generalised as the parameter says.
func (c Class) Generalizes(p Param) bool {
	kind, _ := p.Split()
	switch c.Kind {
	case Date:
		return slices.Contains(dateSteps, kind) || kind == "shift"
	case Number:
		return kind == "bucket" || kind == "round" || kind == "top" || kind == "bottom"
	case Postal, Code:
		return kind == "prefix" || kind == "up"
	case Network:
		return kind == "net"
	case Text, Truth, Digits:
		return kind == "up"
	}
	return false
}

// Taxonomy is a set of classes, closed under prefixes. It is immutable and safe for concurrent use.
type Taxonomy struct {
	classes map[Label]Class
}

// ErrTaxonomy is wrapped by the errors of [NewTaxonomy] and [Taxonomy.With].
var ErrTaxonomy = errors.New("taxonomy is not valid")

// NewTaxonomy returns a taxonomy of the classes. Labels must be lower-case paths, each given once.
func NewTaxonomy(classes []Class) (*Taxonomy, error) {
	return (&Taxonomy{}).With(classes)
}

// With returns a taxonomy that has the given classes as well; a class given again replaces the earlier one
// only if it is at least as strict, since an addition must not reveal more.
func (t *Taxonomy) With(classes []Class) (*Taxonomy, error) {
	next := &Taxonomy{classes: maps.Clone(t.classes)}
	if next.classes == nil {
		next.classes = make(map[Label]Class, len(classes))
	}
	var errs []error
	for _, c := range classes {
		if err := checkClass(c); err != nil {
			errs = append(errs, err)
			continue
		}
		if old, ok := next.classes[c.Label]; ok && c.Tier > old.Tier {
			errs = append(errs, fmt.Errorf("%w: %s would go from %s to %s", ErrTaxonomy, c.Label, old.Tier, c.Tier))
			continue
		}
		next.classes[c.Label] = c
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return next, nil
}

func checkClass(c Class) error {
	if !validLabel(c.Label) {
		return fmt.Errorf("%w: %q is not a path of lower-case words", ErrTaxonomy, c.Label)
	}
	if c.Default != "" && !c.Generalizes(c.Default) {
		return fmt.Errorf("%w: %s cannot be generalised by %s", ErrTaxonomy, c.Label, c.Default)
	}
	if c.Tier > Public || c.Family > Attribute || c.Kind > Truth {
		return fmt.Errorf("%w: %s has a tier, family or kind out of range", ErrTaxonomy, c.Label)
	}
	return nil
}

func validLabel(l Label) bool {
	if l == "" {
		return false
	}
	for part := range strings.SplitSeq(string(l), "/") {
		if part == "" || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// Class returns the label's class, or that of its nearest ancestor with the label put in.
// A label that is wholly unknown has the class of [Unlabelled], and false is returned.
func (t *Taxonomy) Class(l Label) (Class, bool) {
	if c, ok := t.classes[l]; ok {
		return c, true
	}
	for a := range l.Ancestors() {
		if c, ok := t.classes[a]; ok {
			c.Label = l
			return c, true
		}
	}
	return Class{Label: l, Title: "unlabelled", Tier: Restricted, Word: "value"}, false
}

// Known reports whether the taxonomy has the label itself.
func (t *Taxonomy) Known(l Label) bool { _, ok := t.classes[l]; return ok }

// All returns every class, ordered by label.
func (t *Taxonomy) All() []Class {
	return slices.SortedFunc(maps.Values(t.classes), func(a, b Class) int { return cmp.Compare(a.Label, b.Label) })
}

// Stricter returns the label that reveals less by the taxonomy: the lower tier; at equal tiers the one that lies
// within the other; else a, unless a is [Unlabelled] or [FreeText], which any finding beats at its own tier.
func (t *Taxonomy) Stricter(a, b Label) Label {
	if a == b || b == "" {
		return a
	}
	if a == "" {
		return b
	}
	ca, _ := t.Class(a)
	cb, _ := t.Class(b)
	switch {
	case ca.Tier < cb.Tier:
		return a
	case cb.Tier < ca.Tier:
		return b
	case a == Unlabelled || a == FreeText || b.Within(a):
		return b
	default:
		return a
	}
}
