package facade

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/gateway"
)

// WebOptions are what a source over REST is made of; zero numbers have the defaults named.
type WebOptions struct {
	Upstream *gateway.Upstream // where the service is; its paths are those of the file
	Spec     *Spec
	Tables   []WebTable
	Limit    time.Duration // of one call; 5 s
	Bytes    int           // of one answer of the service; 4 MiB
	Rows     int           // of one answer; 10,000
}

// WebTable is a table whose rows a service has.
type WebTable struct {
	Name    string // of the table in the source
	List    string // the operation that gives all rows, or those of its parameters
	Get     string // the operation that gives one row by its key; "": there is none
	Key     string // the column that get takes
	Columns []Column
}

// web reads rows from a service. What the service cannot do itself, choosing and putting in order, is done here, over an
// answer that is bounded.
type web struct {
	o      WebOptions
	tables map[string]*webTable
}

type webTable struct {
	WebTable
	list, get *endpoint
	rows      string // the member that has the list; "": the answer is it
}

// Web is a service with an OpenAPI file. Only the operations that tables name are called, by GET. The error says what
// the file lacks for them; see [SpecError].
func Web(o WebOptions) (Source, error) {
	o.Limit, o.Bytes, o.Rows = or(o.Limit, 5*time.Second), or(o.Bytes, 4<<20), or(o.Rows, 10_000)
	w := &web{o: o, tables: map[string]*webTable{}}
	for _, t := range o.Tables {
		one, err := bindTable(o.Spec, t)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", t.Name, err)
		}
		w.tables[t.Name] = one
	}
	return w, nil
}

func bindTable(s *Spec, t WebTable) (*webTable, error) {
	out := &webTable{WebTable: t}
	var err error
	if out.list, err = s.named(t.List); err != nil {
		return nil, err
	}
	if len(out.list.inPath) > 0 || strings.Contains(out.list.path, "{") {
		return nil, specError(out.list.node, "the operation that lists has parameters in its path")
	}
	for name, required := range out.list.inQuery {
		if required {
			return nil, specError(out.list.node, fmt.Sprintf("the operation that lists requires the parameter %q", name))
		}
	}
	member, item, err := out.list.rows()
	if err != nil {
		return nil, err
	}
	out.rows = member
	for _, c := range t.Columns {
		if err := out.list.has(item, c); err != nil {
			return nil, err
		}
	}
	if t.Get == "" {
		return out, nil
	}
	if out.get, err = s.named(t.Get); err != nil {
		return nil, err
	}
	if len(out.get.inPath) != 1 || strings.Count(out.get.path, "{") != 1 || !strings.Contains(out.get.path, "{"+out.get.inPath[0]+"}") {
		return nil, specError(out.get.node, "the operation that gets one row has not one parameter in its path, which is the key")
	}
	for _, c := range t.Columns {
		if err := out.get.has(out.get.answer, c); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Select implements [Source].
func (w *web) Select(ctx context.Context, q *Query) ([]Row, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, w.o.Limit)
	defer cancel()
	t := w.tables[q.Table]
	if t == nil {
		return nil, false, ErrChanged
	}
	d, roots, err := w.ask(ctx, t, q)
	if err != nil {
		if ctx.Err() != nil {
			return nil, false, fmt.Errorf("%w: %w", ErrSource, ctx.Err())
		}
		return nil, false, err
	}
	all := make([]*record, 0, len(roots))
	for _, n := range roots {
		all = append(all, &record{d: d, n: n})
	}
	rows, more := q.over(all)
	return rows, more, nil
}

// ask calls the service, and returns its answer with the nodes of rows.
func (w *web) ask(ctx context.Context, t *webTable, q *Query) (*json.Doc, []int, error) {
	key, byKey := t.key(q)
	address := *w.o.Upstream.URL
	base := strings.TrimSuffix(address.EscapedPath(), "/")
	e, values := t.list, url.Values{}
	path := e.path
	if byKey {
		if key == "" || strings.Trim(key, ".") == "" { // the path would be another one
			return new(json.Doc), nil, nil
		}
		e = t.get
		path = strings.Replace(e.path, "{"+e.inPath[0]+"}", url.PathEscape(key), 1)
	} else {
		for _, c := range q.Where {
			if _, ok := e.inQuery[c.Column.Name]; ok && c.Op == Equal && !values.Has(c.Column.Name) {
				values.Set(c.Column.Name, c.Values[0])
			}
		}
	}
	to := address.Scheme + "://" + address.Host + base + path
	if len(values) > 0 {
		to += "?" + values.Encode()
	}
	res, err := w.o.Upstream.SendTo(ctx, http.MethodGet, to, http.Header{}, map[string]string{"Accept": "application/json"}, nil)
	if err != nil {
		return nil, nil, webFault(err)
	}
	defer res.Body.Close()
	switch {
	case byKey && res.StatusCode == http.StatusNotFound:
		return new(json.Doc), nil, nil
	case res.StatusCode != http.StatusOK:
		return nil, nil, fmt.Errorf("%w: it answered with status %d", ErrSource, res.StatusCode)
	}
	body, err := gateway.ReadAnswer(res, w.o.Bytes, "application/json")
	if err != nil {
		return nil, nil, webFault(err)
	}
	d := new(json.Doc)
	if err := d.Parse(body, nil, json.Limits{Bytes: w.o.Bytes, Nodes: 50 * w.o.Rows}); err != nil {
		return nil, nil, fmt.Errorf("%w: its answer is not acceptable JSON", ErrSource)
	}
	roots, err := t.roots(d, byKey, w.o.Rows)
	return d, roots, err
}

// roots are the nodes of the rows in an answer.
func (t *webTable) roots(d *json.Doc, one bool, most int) ([]int, error) {
	list := 0
	if one {
		if d.Nodes[0].Kind != json.Object {
			return nil, fmt.Errorf("%w: the answer is no object", ErrChanged)
		}
		return []int{0}, nil
	}
	if t.rows != "" {
		n, ok := -1, false
		if d.Nodes[0].Kind == json.Object {
			n, ok = d.Member(0, t.rows)
		}
		if !ok {
			return nil, fmt.Errorf("%w: the answer has no list", ErrChanged)
		}
		list = n
	}
	if d.Nodes[list].Kind != json.Array {
		return nil, fmt.Errorf("%w: the answer has no list", ErrChanged)
	}
	var out []int
	for n := range d.Children(list) {
		if d.Nodes[n].Kind != json.Object {
			return nil, fmt.Errorf("%w: the list holds something else than objects", ErrChanged)
		}
		if out = append(out, n); len(out) > most {
			return nil, fmt.Errorf("%w: it has more than %d rows", ErrSource, most)
		}
	}
	return out, nil
}

// key is the key that a query asks for and nothing else, where the service has an operation for it.
func (t *webTable) key(q *Query) (string, bool) {
	if t.get == nil {
		return "", false
	}
	i := slices.IndexFunc(q.Where, func(c Condition) bool { return c.Op == Equal && c.Column.Name == t.Key })
	if i < 0 {
		return "", false
	}
	return q.Where[i].Values[0], true
}

// webFault keeps what kind of failure it was: what the gateway's own client says holds no value.
func webFault(err error) error {
	if r, ok := errors.AsType[*gateway.Refusal](err); ok {
		return fmt.Errorf("%w: %s", ErrSource, r.Public)
	}
	return ErrSource
}

// Close implements [Source]. Connections are the pool's.
func (w *web) Close() error { return nil }

// record is one object of an answer.
type record struct {
	d *json.Doc
	n int
}

// cell reads a member as a column of its kind: what is of another kind is not shown.
func (r *record) cell(c Column) Cell {
	n, ok := r.d.Member(r.n, c.Name)
	if !ok || r.d.Nodes[n].Kind == json.Null {
		return Cell{Null: true}
	}
	text := string(r.d.Raw(n))
	kind := r.d.Nodes[n].Kind
	good := false
	switch kind {
	case json.String:
		text = r.d.Text(n)
		good = len(text) <= maxCell && (c.Kind == Text || c.Kind == Date || c.Kind == Moment) && fits(text, c.Kind)
	case json.Number:
		f, err := strconv.ParseFloat(text, 64)
		_, whole := strconv.ParseInt(text, 10, 64)
		good = len(text) <= 64 && err == nil && !math.IsInf(f, 0) && (c.Kind == Number || c.Kind == Text || c.Kind == Integer && whole == nil)
	case json.True, json.False:
		good = c.Kind == Truth || c.Kind == Text
	}
	if !good {
		return Cell{Null: true, Odd: true}
	}
	return Cell{Text: text, raw: text}
}
