package relation

import "fmt"

// NewCompare is l op r. Both are of one kind, and numbers have the same places (see [Align]); text and truth values are only equal or not.
func NewCompare(op CompareOp, l, r Expr) (*Compare, error) {
	a, b := l.Type(), r.Type()
	if a.Kind != b.Kind || op > Ge || op > Ne && !a.Kind.ordered() {
		return nil, fmt.Errorf("comparing %v with %v: %w", a.Kind, b.Kind, ErrKind)
	}
	if a.Places != b.Places {
		return nil, fmt.Errorf("comparing numbers with different places: %w", ErrShape)
	}
	return &Compare{op, l, r}, nil
}

// NewAnd is whether all are true.
func NewAnd(of ...Expr) (Expr, error) { return newLogic(false, of) }

// NewOr is whether any is true.
func NewOr(of ...Expr) (Expr, error) { return newLogic(true, of) }

func newLogic(or bool, of []Expr) (Expr, error) {
	if len(of) == 0 {
		return nil, fmt.Errorf("logic of nothing: %w", ErrShape)
	}
	for _, e := range of {
		if err := truth(e); err != nil {
			return nil, err
		}
	}
	if len(of) == 1 {
		return of[0], nil
	}
	return &Logic{or, append([]Expr(nil), of...)}, nil
}

func truth(e Expr) error {
	if k := e.Type().Kind; k != Truth {
		return fmt.Errorf("a condition of %v: %w", k, ErrKind)
	}
	return nil
}

// NewNot negates.
func NewNot(x Expr) (*Not, error) {
	if err := truth(x); err != nil {
		return nil, err
	}
	return &Not{x}, nil
}

// NewIsNull is whether x is NULL.
func NewIsNull(x Expr) *IsNull { return &IsNull{x} }

// NewIn is whether x equals one of the values, which are of its kind and in its places.
func NewIn(x Expr, of ...Value) (*In, error) {
	k := x.Type().Kind
	if len(of) == 0 {
		return nil, fmt.Errorf("a list of nothing: %w", ErrShape)
	}
	for _, v := range of {
		if v.Kind != k {
			return nil, fmt.Errorf("a list of %v for %v: %w", v.Kind, k, ErrKind)
		}
		if _, err := NewConst(v, x.Type().Places); err != nil {
			return nil, err
		}
	}
	return &In{x, append([]Value(nil), of...)}, nil
}

// NewLike matches text against an SQL pattern: % is any number of characters, _ is one, and the escape character takes the next as it is;
// 0 is no escape character.
func NewLike(x Expr, pattern string, escape rune) (*Like, error) {
	if k := x.Type().Kind; k != Text {
		return nil, fmt.Errorf("a pattern for %v: %w", k, ErrKind)
	}
	if !textual(pattern) {
		return nil, fmt.Errorf("a pattern: %w", ErrShape)
	}
	l := &Like{X: x}
	var text []rune
	flush := func() {
		if len(text) > 0 {
			l.Pattern = append(l.Pattern, LikePart{Text: string(text)})
			text = nil
		}
	}
	rs := []rune(pattern)
	for i := 0; i < len(rs); i++ {
		switch r := rs[i]; {
		case escape != 0 && r == escape:
			if i++; i == len(rs) {
				return nil, fmt.Errorf("a pattern that ends with its escape character: %w", ErrShape)
			}
			text = append(text, rs[i])
		case r == '%':
			flush()
			if n := len(l.Pattern); n == 0 || !l.Pattern[n-1].Many { // %% is %
				l.Pattern = append(l.Pattern, LikePart{Many: true})
			}
		case r == '_':
			flush()
			l.Pattern = append(l.Pattern, LikePart{One: true})
		default:
			text = append(text, r)
		}
	}
	flush()
	return l, nil
}

// NewCase is the first Then whose If is true, else otherwise, which may be nil for NULL. Branches are of one kind, and numbers of the
// same places; constants that are NULL take the type of the others.
func NewCase(whens []When, otherwise Expr) (*Case, error) {
	if len(whens) == 0 {
		return nil, fmt.Errorf("CASE without a branch: %w", ErrShape)
	}
	branches := make([]Expr, 0, len(whens)+1)
	for _, w := range whens {
		if err := truth(w.If); err != nil {
			return nil, err
		}
		branches = append(branches, w.Then)
	}
	if otherwise != nil {
		branches = append(branches, otherwise)
	}
	t, err := caseType(branches)
	if err != nil {
		return nil, err
	}
	retype := func(e Expr) Expr {
		if e == nil || null(e) {
			return NewNull(t)
		}
		return e
	}
	c := &Case{Else: retype(otherwise), As: t}
	for _, w := range whens {
		c.Whens = append(c.Whens, When{w.If, retype(w.Then)})
	}
	return c, nil
}

func null(e Expr) bool {
	c, ok := e.(*Const)
	return ok && c.Value.Null
}

// caseType is the hull of the branches that are not just NULL.
func caseType(branches []Expr) (Type, error) {
	var t Type
	seen := false
	for _, b := range branches {
		if null(b) {
			continue
		}
		u := b.Type()
		if seen && !t.like(u) {
			return Type{}, fmt.Errorf("CASE with branches of %v and %v: %w", t.Kind, u.Kind, ErrKind)
		}
		if seen {
			u = hull(t, u)
		}
		t, seen = u, true
	}
	if !seen {
		return branches[0].Type(), nil
	}
	return t, nil
}

// NewPart is a part of a date or time; hours and minutes are of times alone.
func NewPart(of DatePart, x Expr) (*Part, error) {
	if err := moment(x, of >= Hour); err != nil {
		return nil, err
	}
	if of == Week || of > Minute {
		return nil, fmt.Errorf("that part of a date: %w", ErrShape)
	}
	return &Part{of, x}, nil
}

// NewTrunc is the beginning of the part that a date or time lies in; hours and minutes are of times alone.
func NewTrunc(to DatePart, x Expr) (*Trunc, error) {
	if err := moment(x, to >= Hour); err != nil {
		return nil, err
	}
	if to == DayOfWeek || to > Minute {
		return nil, fmt.Errorf("that beginning of a date: %w", ErrShape)
	}
	return &Trunc{to, x}, nil
}

// moment refuses what is no time, and no date either unless a time is needed.
func moment(x Expr, time bool) error {
	if k := x.Type().Kind; k != Time && (time || k != Date) {
		return fmt.Errorf("a part of %v: %w", k, ErrKind)
	}
	return nil
}

// NewShift moves a date by days, or a time by microseconds. What leaves the bounds of the calendar is clamped.
func NewShift(x, by Expr) (*Shift, error) {
	t, err := shiftType(x, by)
	if err != nil {
		return nil, err
	}
	return &Shift{x, by, t}, nil
}

func shiftType(x, by Expr) (Type, error) {
	t, b := x.Type(), by.Type()
	if err := moment(x, false); err != nil {
		return Type{}, err
	}
	if b.Kind != Number || b.Places != 0 {
		return Type{}, fmt.Errorf("moving by %v: %w", b.Kind, ErrKind)
	}
	lo, ok1 := add(t.Min, b.Min)
	hi, ok2 := add(t.Max, b.Max)
	if !ok1 || !ok2 {
		return Type{}, fmt.Errorf("moving a %v: %w", t.Kind, ErrOverflow)
	}
	w := Widest(t.Kind, 0)
	return Type{Kind: t.Kind, Min: w.clamp(lo), Max: w.clamp(hi)}, nil
}

// NewBetween is l − r: days between dates, microseconds between times.
func NewBetween(l, r Expr) (*Between, error) {
	t, err := betweenType(l, r)
	if err != nil {
		return nil, err
	}
	return &Between{l, r, t}, nil
}

func betweenType(l, r Expr) (Type, error) {
	a, b := l.Type(), r.Type()
	if a.Kind != b.Kind || a.Kind != Date && a.Kind != Time {
		return Type{}, fmt.Errorf("what lies between %v and %v: %w", a.Kind, b.Kind, ErrKind)
	}
	return NumberType(0, a.Min-b.Max, a.Max-b.Min), nil
}

// NewAsDate is the day of a time.
func NewAsDate(x Expr) (*AsDate, error) {
	if k := x.Type().Kind; k != Time {
		return nil, fmt.Errorf("the day of %v: %w", k, ErrKind)
	}
	return &AsDate{x}, nil
}

// NewAsTime is the beginning of a day.
func NewAsTime(x Expr) (*AsTime, error) {
	if k := x.Type().Kind; k != Date {
		return nil, fmt.Errorf("the beginning of %v: %w", k, ErrKind)
	}
	return &AsTime{x}, nil
}

// NewLetters is a function of text.
func NewLetters(op LettersOp, x Expr) (*Letters, error) {
	if k := x.Type().Kind; k != Text || op > Length {
		return nil, fmt.Errorf("a function of text for %v: %w", k, ErrKind)
	}
	return &Letters{op, x}, nil
}
