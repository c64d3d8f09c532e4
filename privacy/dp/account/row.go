package account

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// Row is one question: a composition, what is given, and what is asked for. Its JSON form is a row of a golden file; what a row says
// beside these members, such as the expected value, is not read.
type Row struct {
	ID       string
	Group    string
	Spec     []Mechanism
	Input    Input
	Quantity string
	relation string // of neighbours, where the row says it
}

// Input is what is given. nil, 0 and "" mean: not given.
type Input struct {
	Epsilon, Delta *float64
	Orders         []float64 // Rényi orders; the text of a row stands for DefaultOrders
	ThresholdDelta *float64
	Threshold      *float64
	Units          int64 // privacy units of a partition
	Order          float64
	DeltaPrime     float64
	Rho            float64 // a cap given in ρ
	Filter         Filter
}

// Limits of what is read.
const (
	maxRows   = 1_000_000
	maxRow    = 1 << 20 // bytes of a row
	maxSpec   = 10_000  // mechanisms of a row
	maxOrders = 10_000
)

// UnmarshalJSON reads a row. The ID is set even where the rest is refused, so that the refusal can name it.
func (r *Row) UnmarshalJSON(raw []byte) error {
	all, err := members(raw)
	*r = Row{}
	var first error
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	keep(err)
	for _, x := range all {
		var err error
		switch x.name {
		case "id":
			r.ID, err = text("id", x.raw)
		case "group":
			r.Group, err = text("group", x.raw)
		case "quantity":
			r.Quantity, err = text("quantity", x.raw)
		case "spec":
			r.Spec, err = readSpec(x.raw)
		case "input":
			r.Input, err = readInput(x.raw)
		case "neighboring", "neighbouring", "neighboring_relation":
			r.relation, err = text(x.name, x.raw)
		}
		keep(err)
	}
	return first
}

func readSpec(raw json.RawMessage) ([]Mechanism, error) {
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, refuse("spec", "must be a list of mechanisms")
	}
	if len(parts) == 0 || len(parts) > maxSpec {
		return nil, refuse("spec", "must name at least one mechanism, and not absurdly many")
	}
	spec := make([]Mechanism, len(parts))
	for i, p := range parts {
		if err := spec[i].UnmarshalJSON(p); err != nil {
			return nil, at(i, err)
		}
	}
	return spec, nil
}

func readInput(raw json.RawMessage) (in Input, err error) {
	all, err := members(raw)
	if err != nil {
		return Input{}, within("input", err)
	}
	for _, x := range all {
		if err := in.set(x); err != nil {
			return Input{}, within("input", err)
		}
	}
	return in, nil
}

func within(place string, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		name := strings.TrimSuffix(place+"."+e.Member, ".")
		return &Error{Member: name, Rule: e.Rule, cause: e.cause}
	}
	return err
}

func (in *Input) set(x member) (err error) {
	pointers := map[string]**float64{
		"epsilon": &in.Epsilon, "target_epsilon": &in.Epsilon, "delta": &in.Delta, "target_delta": &in.Delta,
		"threshold_delta": &in.ThresholdDelta, "threshold": &in.Threshold,
	}
	switch p := pointers[x.name]; {
	case p != nil:
		v, err := number(x.name, x.raw)
		if err != nil {
			return err
		}
		if *p != nil {
			return refuse(x.name, "must not be given by two names")
		}
		*p = &v
		return in.check(x.name, v)
	case x.name == "orders":
		in.Orders, err = readOrders(x.raw)
	case x.name == "n_privacy_units" || x.name == "n":
		if in.Units, err = integer(x.name, x.raw); err == nil && in.Units < 0 {
			err = refuse(x.name, "must not be negative")
		}
	case x.name == "rho" || x.name == "rho_budget" || x.name == "target_rho":
		if in.Rho, err = number(x.name, x.raw); err == nil && !(in.Rho > 0 && in.Rho <= maxE) {
			err = refuse(x.name, "must be above 0"+rules)
		}
	case x.name == "order" || x.name == "alpha":
		if in.Order, err = number(x.name, x.raw); err == nil && !(in.Order >= 1 && in.Order <= 1e6) {
			err = refuse(x.name, "must be at least 1, and not absurdly large")
		}
	case x.name == "delta_prime":
		if in.DeltaPrime, err = number(x.name, x.raw); err == nil && !(in.DeltaPrime > 0 && in.DeltaPrime < 1) {
			err = refuse(x.name, "must be above 0 and below 1")
		}
	case x.name == "filter":
		var s string
		if s, err = text(x.name, x.raw); err == nil {
			in.Filter, err = filterNamed(s)
		}
	default:
		for _, r := range remarks {
			if r == x.name {
				_, err = text(x.name, x.raw)
				return err
			}
		}
		return refuse(shown(x.name), "is no input")
	}
	return err
}

func (in *Input) check(name string, x float64) error {
	switch name {
	case "epsilon", "target_epsilon":
		if !(x >= 0 && x <= maxE) {
			return refuse(name, "must be at least 0"+rules)
		}
	case "threshold":
		if !(x >= -huge && x <= huge) {
			return refuse(name, "must be finite, not absurdly large")
		}
	default:
		if !probability(x) {
			return refuse(name, "must be at least 0 and below 1")
		}
	}
	return nil
}

func readOrders(raw json.RawMessage) ([]float64, error) {
	if raw := bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '"' {
		s, err := text("orders", raw)
		if err == nil && !strings.Contains(strings.ToLower(s), "default") {
			err = refuse("orders", "must be a list of orders or a text that says default")
		}
		return DefaultOrders(), err
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil || len(parts) == 0 || len(parts) > maxOrders {
		return nil, refuse("orders", "must be a list of orders, and not absurdly many")
	}
	orders := make([]float64, len(parts))
	for i, p := range parts {
		var err error
		if orders[i], err = number("orders", p); err != nil {
			return nil, err
		}
		if !(orders[i] >= 1 && orders[i] <= 1e6) {
			return nil, refuse("orders", "must be at least 1, and not absurdly large")
		}
	}
	return orders, nil
}

// filterNamed finds a filter by its name or the beginning of it, of three letters or more: adv is advanced.
func filterNamed(s string) (Filter, error) {
	if s == "pld" {
		return FilterBatch, nil
	}
	for _, f := range append(filters[:len(filters):len(filters)], FilterBatch) {
		if len(s) >= 3 && strings.HasPrefix(string(f), s) {
			return f, nil
		}
	}
	return "", refuse("filter", "must be pure, basic, advanced, zcdp, rdp, gdp or batch")
}

// ReadRows reads rows one after the other: a golden file with a member values, a list of rows, or rows one after the other, as JSON lines
// are. yield is called for each with what was read of it and why it is refused; it returns false to stop. An error means that the
// rest could not be read.
func ReadRows(r io.Reader, yield func(Row, error) bool) error {
	d := json.NewDecoder(r)
	n := 0
	row := func(raw json.RawMessage) (bool, error) {
		if n++; n > maxRows {
			return false, refuse("", "there are more than a million rows")
		}
		var x Row
		var err error
		if len(raw) > maxRow {
			err = refuse("", "must not be longer than a megabyte")
		} else {
			err = x.UnmarshalJSON(raw)
		}
		return yield(x, err), nil
	}
	rows := func(raw json.RawMessage) (bool, error) {
		var list []json.RawMessage
		if err := json.Unmarshal(raw, &list); err != nil {
			return false, refuse("values", "must be a list of rows")
		}
		for _, x := range list {
			if more, err := row(x); err != nil || !more {
				return false, err
			}
		}
		return true, nil
	}
	for {
		var raw json.RawMessage
		switch err := d.Decode(&raw); {
		case errors.Is(err, io.EOF):
			if n == 0 {
				return refuse("", "there are no rows")
			}
			return nil
		case err != nil:
			return refuse("", "must be JSON")
		}
		more, err := true, error(nil)
		if raw[0] == '[' {
			more, err = rows(raw)
		} else if values, ok := valuesOf(raw); ok {
			more, err = rows(values)
		} else {
			more, err = row(raw)
		}
		if err != nil || !more {
			return err
		}
	}
}

// valuesOf is the member values of a golden file, which is no row itself.
func valuesOf(raw json.RawMessage) (json.RawMessage, bool) {
	var file struct {
		Values   json.RawMessage `json:"values"`
		Quantity json.RawMessage `json:"quantity"`
	}
	if json.Unmarshal(raw, &file) != nil || file.Values == nil || file.Quantity != nil {
		return nil, false
	}
	return file.Values, true
}
