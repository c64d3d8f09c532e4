package api

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// Entry is a row of the journal as it is shown.
type Entry struct {
	Seq    int64      `json:"seq"`
	Hash   string     `json:"hash"` // of its leaf in the log
	Event  flow.Event `json:"event"`
	Inputs *Inputs    `json:"inputs,omitempty"` // of the decision, where they were asked for and are kept
}

// Inputs are what a decision was made of: places, labels and references, no value.
type Inputs struct {
	Leaves []flow.Leaf      `json:"leaves"`
	Terms  []flow.LeafTerms `json:"terms"` // one for each leaf
}

// EntryQuery chooses rows. The zero query is all of them.
type EntryQuery struct {
	audit.Query
	Last   int  // this many rows from the end; it is used instead of From
	Story  bool // with Flow: the flows that answer or continue it too
	Trace  bool // with Flow: every flow of its trace too, over whichever protocol
	Inputs bool // with the sealed inputs of each decision
}

// WriteEntries writes rows as JSON lines, in order.
func WriteEntries(ctx context.Context, l Ledger, q EntryQuery, w io.Writer) error {
	enc := json.NewEncoder(w)
	if q.Last > 0 {
		rows, err := l.Journal.Rows(ctx)
		if err != nil {
			return fmt.Errorf("finding the end of the journal: %w", err)
		}
		q.From = max(rows-int64(q.Last)+1, 1)
	}
	queries, trace := []audit.Query{q.Query}, flow.TraceID("")
	if q.Story && q.Flow != "" {
		queries = append(queries, audit.Query{Parent: q.Flow, Limit: q.Limit})
	}
	if q.Trace && q.Flow != "" {
		var err error
		if trace, err = traceOf(ctx, l, q.Flow); err != nil {
			return err
		}
		if trace != "" {
			queries = []audit.Query{{From: q.From, To: q.To}}
		}
	}
	for _, query := range queries {
		for e, err := range l.Journal.Entries(ctx, query) {
			if err != nil {
				return err
			}
			if trace != "" && e.Event.Flow.Trace != trace {
				continue
			}
			out := Entry{Seq: e.Seq, Hash: hex.EncodeToString(e.Hash[:]), Event: e.Event}
			if q.Inputs && e.Sealed != nil {
				if out.Inputs, err = OpenInputs(l, e); err != nil {
					return err
				}
			}
			if err := enc.Encode(out); err != nil {
				return err
			}
		}
	}
	return nil
}

// traceOf is the trace that a flow belongs to, or "".
func traceOf(ctx context.Context, l Ledger, id flow.ID) (flow.TraceID, error) {
	for e, err := range l.Journal.Entries(ctx, audit.Query{Flow: id}) {
		if err != nil || e.Event.Flow.Trace != "" {
			return e.Event.Flow.Trace, err
		}
	}
	return "", nil
}

// OpenInputs unseals the inputs of a row's decision.
func OpenInputs(l Ledger, e audit.Entry) (*Inputs, error) {
	plain, err := l.Keys.AEAD("journal").Open(e.Sealed, []byte(e.Event.Flow.ID))
	if err != nil {
		return nil, fmt.Errorf("entry %d: opening the sealed inputs: %w", e.Seq, err)
	}
	in, err := gateway.DecodeInputs(plain)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", e.Seq, err)
	}
	return &Inputs{Leaves: in.Leaves, Terms: in.Terms}, nil
}

// Values returns the query as an address carries it.
func (q EntryQuery) Values() url.Values {
	v := url.Values{}
	for name, n := range map[string]int64{"from": q.From, "to": q.To, "limit": int64(q.Limit), "last": int64(q.Last)} {
		if n != 0 {
			v.Set(name, strconv.FormatInt(n, 10))
		}
	}
	for name, on := range map[string]bool{"story": q.Story, "inputs": q.Inputs, "trace": q.Trace} {
		if on {
			v.Set(name, "true")
		}
	}
	if q.Flow != "" {
		v.Set("flow", string(q.Flow))
	}
	return v
}

func parseEntryQuery(v url.Values) (EntryQuery, error) {
	var q EntryQuery
	var errs []error
	number := func(name string) int64 {
		if !v.Has(name) {
			return 0
		}
		n, err := strconv.ParseInt(v.Get(name), 10, 64)
		if err != nil || n < 0 {
			errs = append(errs, fmt.Errorf("%s is not a number", name))
		}
		return n
	}
	q.From, q.To, q.Limit, q.Last = number("from"), number("to"), int(number("limit")), int(number("last"))
	q.Flow = flow.ID(v.Get("flow"))
	q.Story, q.Inputs, q.Trace = v.Get("story") == "true", v.Get("inputs") == "true", v.Get("trace") == "true"
	return q, errors.Join(errs...)
}

func (a *API) entries(w http.ResponseWriter, r *http.Request) {
	q, err := parseEntryQuery(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	if err := WriteEntries(r.Context(), a.opt.Ledger, q, w); err != nil {
		panic(http.ErrAbortHandler) // rows were sent already: cut the answer, so that it does not pass for the whole
	}
}
