package facade

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// Bounds of one request.
const (
	maxWhere  = 16      // conditions
	maxValues = 100     // of one condition
	maxOrder  = 4       // steps
	maxText   = 4 << 10 // bytes of one value
)

// asked is a request as its arguments say it.
type asked struct {
	columns []int // chosen; nil: all
	where   []filter
	order   []step
	limit   int
	cursor  string
}

type filter struct {
	column int
	op     Op
	values []string
	place  flow.Path   // in the message
	paths  []flow.Path // of the values there
}

type step struct {
	column     int
	descending bool
}

// at is the path of a place below the arguments, in names that schemas give.
func at(names ...string) flow.Path {
	p := flow.Path("/params/arguments")
	for _, n := range names {
		p += "/" + flow.Path(escaped.Replace(n))
	}
	return p
}

var escaped = strings.NewReplacer("~", "~0", "/", "~1")

func unfit(p flow.Path, why string) error {
	r := gateway.Refuse(gateway.RulePlace, nil, "%s", why)
	r.Place = p
	return r
}

var errValue = errors.New("a value of a filter is not of its column's type")

var errClosed = fmt.Errorf("%w: it is closed", ErrSource)

// reader reads arguments. A name that the table does not have is answered like one that is kept from the caller.
type reader struct {
	d *json.Doc
	t *table
	a *asked
}

const noColumn = "There is no such column for this caller, or it cannot be used so."

// read reads the arguments at a node, -1 for none.
func (t *table) read(d *json.Doc, n int, op operation, rows int) (*asked, error) {
	r := &reader{d, t, &asked{limit: min(rows, 50)}}
	if n < 0 {
		if op == get {
			return nil, unfit(at("key"), "The key is missing.")
		}
		return r.a, nil
	}
	if d.Nodes[n].Kind != json.Object {
		return nil, unfit(at(), "The arguments are not an object.")
	}
	hasKey := false
	for m := range d.Children(n) {
		var err error
		switch name := string(d.Key(m)); {
		case name == "columns":
			err = r.columns(m)
		case name == "key" && op == get:
			hasKey, err = true, r.key(m)
		case name == "limit" && op != get:
			err = r.limit(m, rows)
		case name == "cursor" && op != get:
			if d.Nodes[m].Kind != json.String {
				return nil, unfit(at("cursor"), "A text is expected.")
			}
			r.a.cursor = d.Text(m)
		case name == "where" && op == search:
			err = r.where(m)
		case name == "order" && op == search:
			err = r.order(m)
		default:
			err = unfit(at("*"), "There is no such argument.")
		}
		if err != nil {
			return nil, err
		}
	}
	if op == get && !hasKey {
		return nil, unfit(at("key"), "The key is missing.")
	}
	if op == get {
		r.a.limit = 1
	}
	return r.a, nil
}

func (r *reader) columns(n int) error {
	if r.d.Nodes[n].Kind != json.Array {
		return unfit(at("columns"), "A list of columns is expected.")
	}
	chosen := []int{}
	seen := map[int]bool{}
	for m := range r.d.Children(n) {
		i := r.columnAt(m)
		if i < 0 || seen[i] {
			return unfit(at("columns"), noColumn)
		}
		seen[i], chosen = true, append(chosen, i)
	}
	if len(chosen) == 0 {
		return unfit(at("columns"), "Name a column, or leave the list out for all.")
	}
	r.a.columns = chosen
	return nil
}

func (r *reader) columnAt(n int) int {
	if r.d.Nodes[n].Kind != json.String {
		return -1
	}
	return r.t.column(r.d.Text(n))
}

func (r *reader) limit(n, rows int) error {
	l, err := strconv.Atoi(string(r.d.Raw(n)))
	if err != nil || l < 1 || l > rows {
		return unfit(at("limit"), "A number from 1 to "+strconv.Itoa(rows)+" is expected.")
	}
	r.a.limit = l
	return nil
}

func (r *reader) key(n int) error {
	if r.d.Nodes[n].Kind != json.Object {
		return unfit(at("key"), "An object is expected, with a member for each column of the key.")
	}
	given := 0
	for _, i := range r.t.key {
		name := r.t.columns[i].name
		m, ok := r.d.Member(n, name)
		if !ok {
			return unfit(at("key"), "A column of the key is missing.")
		}
		v, err := r.value(m, i, at("key", name))
		if err != nil {
			return err
		}
		given++
		r.a.where = append(r.a.where, filter{i, Equal, []string{v}, at("key", name), []flow.Path{at("key", name)}})
	}
	for range r.d.Children(n) {
		given--
	}
	if given != 0 {
		return unfit(at("key"), noColumn)
	}
	return nil
}

func (r *reader) where(n int) error {
	if r.d.Nodes[n].Kind != json.Object {
		return unfit(at("where"), "An object is expected, with a member for each column.")
	}
	for m := range r.d.Children(n) {
		i := r.t.column(string(r.d.Key(m)))
		if i < 0 || r.t.columns[i].prose || r.d.Nodes[m].Kind != json.Object {
			return unfit(at("where", "*"), noColumn)
		}
		for o := range r.d.Children(m) {
			if err := r.condition(o, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *reader) condition(n, i int) error {
	c := &r.t.columns[i]
	p := at("where", c.name)
	op := Op(0)
	for op < Op(len(opNames)) && opNames[op] != string(r.d.Key(n)) {
		op++
	}
	if op == Op(len(opNames)) || op >= Less && op <= AtLeast && !c.ordered() {
		return unfit(p, noColumn)
	}
	if len(r.a.where) == maxWhere {
		return unfit(at("where"), "There are more than "+strconv.Itoa(maxWhere)+" conditions.")
	}
	f := filter{column: i, op: op, place: p}
	p = at("where", c.name, opNames[op])
	switch {
	case op == IsNull:
		k := r.d.Nodes[n].Kind
		if k != json.True && k != json.False {
			return unfit(p, "true or false is expected.")
		}
		f.values = []string{strconv.FormatBool(k == json.True)}
	case op == OneOf:
		if r.d.Nodes[n].Kind != json.Array {
			return unfit(p, "A list is expected.")
		}
		for m := range r.d.Children(n) {
			below := at("where", c.name, opNames[op], strconv.Itoa(len(f.values)))
			v, err := r.value(m, i, below)
			if err != nil {
				return err
			}
			f.values, f.paths = append(f.values, v), append(f.paths, below)
		}
		if len(f.values) == 0 || len(f.values) > maxValues {
			return unfit(p, "From 1 to "+strconv.Itoa(maxValues)+" values are expected.")
		}
	default:
		v, err := r.value(n, i, p)
		if err != nil {
			return err
		}
		f.values, f.paths = []string{v}, []flow.Path{p}
	}
	r.a.where = append(r.a.where, f)
	return nil
}

// value reads a value that a column is compared with. What stands in a text is looked at by [normal], once it is opened.
func (r *reader) value(n, i int, p flow.Path) (string, error) {
	kind := r.d.Nodes[n].Kind
	c := &r.t.columns[i]
	want, words := json.String, "A text is expected."
	switch c.source.Kind {
	case Integer, Number:
		if !c.named {
			want, words = json.Number, "A number is expected."
		}
	case Truth:
		if kind == json.True || kind == json.False {
			return strconv.FormatBool(kind == json.True), nil
		}
		return "", unfit(p, "true or false is expected.")
	}
	if kind != want {
		return "", unfit(p, words)
	}
	v := string(r.d.Raw(n))
	if want == json.String {
		v = r.d.Text(n)
	}
	if len(v) > maxText || !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
		return "", unfit(p, "The value is too long, or no text.")
	}
	if c.source.Kind == Integer && !c.named {
		if _, err := strconv.ParseInt(v, 10, 64); err != nil {
			return "", unfit(p, "A whole number of 64 bits is expected.")
		}
	}
	if f, err := strconv.ParseFloat(v, 64); c.source.Kind == Number && (err != nil || f-f != 0 || len(v) > 64 || f == 0 && !zero(v)) {
		return "", unfit(p, "A number of at most 64 characters is expected.")
	}
	return v, nil
}

// zero reports whether a number is nothing as it is written, and not too small for 64 bits only.
func zero(v string) bool {
	v, _, _ = strings.Cut(strings.ToLower(v), "e")
	return !strings.ContainsAny(v, "123456789")
}

// normal is a value as sources compare it; false: no row has it.
func (c *column) normal(v string) (string, bool) {
	switch c.source.Kind {
	case Integer:
		n, err := strconv.ParseInt(v, 10, 64)
		return strconv.FormatInt(n, 10), err == nil
	case Date:
		return v, fits(v, Date)
	case Moment:
		t, err := time.Parse(time.RFC3339Nano, v)
		return t.UTC().Format("2006-01-02T15:04:05.000Z"), err == nil
	}
	return v, true
}

func (r *reader) order(n int) error {
	if r.d.Nodes[n].Kind != json.Array {
		return unfit(at("order"), "A list is expected.")
	}
	for m := range r.d.Children(n) {
		if r.d.Nodes[m].Kind != json.Object || len(r.a.order) == maxOrder {
			return unfit(at("order"), "A list of at most "+strconv.Itoa(maxOrder)+" columns is expected.")
		}
		s := step{column: -1}
		for o := range r.d.Children(m) {
			switch string(r.d.Key(o)) {
			case "column":
				s.column = r.columnAt(o)
			case "descending":
				s.descending = r.d.Nodes[o].Kind == json.True
			default:
				return unfit(at("order", "*"), "There is no such argument.")
			}
		}
		if s.column < 0 || r.t.columns[s.column].prose {
			return unfit(at("order"), noColumn)
		}
		r.a.order = append(r.a.order, s)
	}
	return nil
}
