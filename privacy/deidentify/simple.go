package deidentify

import (
	"fmt"

	"github.com/scrimhq/scrim/flow"
)

// simple is a technique made of what it says and a function.
type simple struct {
	says  Says
	apply func(dst []byte, v Value, subject []byte) ([]byte, Kind, error)
	nulls bool // it changes null, too
}

// Apply implements [Technique].
func (s *simple) Apply(dst []byte, v Value, subject []byte) ([]byte, Kind, error) {
	if v.Kind == Null && !s.nulls {
		return dst, Null, nil
	}
	out, kind, err := s.apply(dst, v, subject)
	if err != nil {
		return dst, Null, err
	}
	return out, kind, nil
}

// Says implements [Technique].
func (s *simple) Says() Says { return s.says }

// Drop returns the technique that leaves nothing of a value.
func Drop() Technique {
	return &simple{
		says: Says{
			Name: "drop", Does: "nothing is left of the value", Treatment: flow.Treatment{Level: flow.Dropped}, Out: OutNull,
			Reveals: []string{"that the column exists"},
			Threat:  "stops everybody",
		},
		apply: func(dst []byte, _ Value, _ []byte) ([]byte, Kind, error) { return dst, Null, nil },
	}
}

// Keep returns the technique that changes nothing. A plan has to name it: what a plan does not name is left out.
func Keep() Technique {
	return &simple{
		says: Says{
			Name: "keep", Does: "the value as it is", Treatment: flow.Treatment{Level: flow.Raw}, Out: OutSame, Joinable: true,
			Preserves: []string{"everything"}, Reveals: []string{"everything"},
			Threat: "stops nobody",
		},
		apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) { return append(dst, v.Text...), v.Kind, nil },
	}
}

// Constant returns the technique that puts one value, of any kind but null, in the place of every other, of nulls, too.
func Constant(value Value) (Technique, error) {
	if value.Kind == Null || value.Kind > Bool {
		return nil, fmt.Errorf("%w: a constant needs a value", ErrOptions)
	}
	text := append([]byte(nil), value.Text...)
	return &simple{
		says: Says{
			Name: "constant", Does: "one given value in place of all", Treatment: flow.Treatment{Level: flow.Dropped},
			Preserves: []string{"that the column exists and has a value in each row"},
			Reveals:   []string{"nothing of the value, and not whether there was one"},
			Threat:    "stops everybody",
		},
		nulls: true,
		apply: func(dst []byte, _ Value, _ []byte) ([]byte, Kind, error) {
			return append(dst, text...), value.Kind, nil
		},
	}, nil
}

// TypedPlaceholder returns the technique that puts the class's word in place of a value: "[email]".
func TypedPlaceholder(c flow.Class) Technique {
	text := Placeholder(c)
	return &simple{
		says: Says{
			Name: "placeholder", Does: "the kind of the value in brackets, such as [email]", Treatment: flow.Treatment{Level: flow.Masked},
			Preserves: []string{"of what kind the value was", "whether there was one"},
			Reveals:   []string{"of what kind the value was", "in which rows there was one"},
			Threat:    "stops everybody who wants the value; an empty place may tell something by itself",
		},
		apply: func(dst []byte, _ Value, _ []byte) ([]byte, Kind, error) { return append(dst, text...), String, nil },
	}
}

// Mask returns the technique that shows at most keep letters or digits (1 to 4), never more than a third of them, and three
// asterisks for the rest: the end of the value, or the beginning where the class says so. What is too short is a placeholder.
func Mask(c flow.Class, keep int) (Technique, error) {
	if keep < 1 || keep > 4 {
		return nil, fmt.Errorf("%w: a mask keeps 1 to 4 characters", ErrOptions)
	}
	placeholder := Placeholder(c)
	return &simple{
		says: Says{
			Name: "mask", Does: fmt.Sprintf("%d characters and three asterisks for the rest", keep),
			Treatment: flow.Treatment{Level: flow.Masked, Param: flow.Param(fmt.Sprintf("keep:%d", keep))}, Joinable: true,
			Preserves: []string{"some characters, for people who know the value to recognise it by"},
			Reveals:   []string{"these characters", "with other columns often enough to single a person out: four digits cut a crowd by ten thousand"},
			Threat:    "stops somebody who wants to use the value; not somebody who has a list of candidates",
		},
		apply: func(dst []byte, v Value, _ []byte) ([]byte, Kind, error) {
			if part, ok := keepPart(c, string(v.Text), keep); ok && v.Kind != Bool {
				return append(dst, part...), String, nil
			}
			return append(dst, placeholder...), String, nil
		},
	}, nil
}
