package ask

import (
	"context"
	stdjson "encoding/json"
	"errors"
	"time"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/privacy/dp/stream"
)

// Streams are running counts and sums that are published step by step: a [stream.Publisher].
type Streams interface {
	List(context.Context) ([]stream.Info, error)
	Stream(ctx context.Context, dataset, name string) (stream.Info, error)
	Read(context.Context, stream.Ask) (*stream.Reading, error)
	// Scans are the columns that a stream is made of.
	Scans(dataset, name string) []relation.Scan
}

const (
	// StreamsTool lists streams, ReadTool reads one.
	StreamsTool = "streams"
	ReadTool    = "read_stream"

	readForm = `{"type":"object","additionalProperties":false,"required":["dataset","stream"],"properties":{` +
		`"dataset":{"type":"string","maxLength":128},` +
		`"stream":{"type":"string","maxLength":128,"description":"One that streams names."},` +
		`"window":{"type":"integer","minimum":1,"description":"Sums over the last so many steps, instead of since the stream began."},` +
		`"until":{"type":"string","format":"date-time","description":"The end of the last step that is wanted. Absent: the last one there is."},` +
		`"points":{"type":"integer","minimum":1,"maximum":1000,"description":"How many steps to tell, each with the sums until its end. Absent: 1."}}}`
)

// ListStreams tells which streams the caller may read.
func (s *Service) ListStreams(ctx context.Context, asker Asker) ([]byte, error) {
	a := s.asking(asker, StreamsTool)
	if err := parse(a.Arguments, &struct{}{}); err != nil {
		return nil, err
	}
	if err := a.proven(ctx); err != nil {
		return nil, err
	}
	out := struct {
		Streams []stream.Info `json:"streams"`
	}{[]stream.Info{}}
	all, err := s.Streams.List(ctx)
	if err != nil {
		return nil, gateway.Refuse(gateway.RuleInternal, err, "The gateway could not read its streams.")
	}
	for _, in := range all {
		if _, err := a.stream(in.Dataset, in.Stream); err == nil {
			out.Streams = append(out.Streams, in)
		}
	}
	if err := a.told(ctx, "which streams there are"); err != nil {
		return nil, err
	}
	return stdjson.Marshal(out)
}

// ReadStream tells what a stream released. It costs nothing: it was paid for when it was released.
func (s *Service) ReadStream(ctx context.Context, asker Asker) ([]byte, error) {
	a := s.asking(asker, ReadTool)
	var args struct {
		Dataset string    `json:"dataset"`
		Stream  string    `json:"stream"`
		Window  int       `json:"window"`
		Until   time.Time `json:"until"`
		Points  int       `json:"points"`
	}
	if err := parse(a.Arguments, &args); err != nil {
		return nil, err
	}
	if args.Dataset == "" || len(args.Dataset) > maxName || args.Stream == "" || len(args.Stream) > maxName {
		return nil, gateway.Refuse(gateway.RulePlace, nil, "The question names no dataset, or no stream.")
	}
	if err := a.proven(ctx); err != nil {
		return nil, err
	}
	q, err := a.stream(args.Dataset, args.Stream)
	if err != nil {
		return nil, err
	}
	posed := a.posed(q)
	posed.Compute = func(ctx context.Context) ([]byte, error) {
		in, err := s.Streams.Stream(ctx, args.Dataset, args.Stream)
		if err != nil {
			return nil, unread(err)
		}
		over, err := in.Over(args.Window)
		if err != nil {
			return nil, unread(err)
		}
		got, err := s.Streams.Read(ctx, stream.Ask{Dataset: args.Dataset, Stream: args.Stream, Over: over, Until: args.Until, Points: args.Points})
		if err != nil {
			return nil, unread(err)
		}
		return stdjson.Marshal(got)
	}
	return a.Gateway.Tell(ctx, posed)
}

// stream is reading a stream as a question about the columns that it is made of. One that is not there, one of a dataset that is not, and one that
// the caller may not read are refused alike.
func (a *asking) stream(dataset, name string) (*gateway.Question, error) {
	q := &gateway.Question{Technique: Technique, Columns: []string{}, Blocks: func(time.Time) (budget.Range, error) { return budget.Range{}, nil }}
	d, scans := a.Snapshot.Datasets[dataset], a.Streams.Scans(dataset, name)
	there := d != nil && scans != nil
	if there {
		q.Dataset, q.Stream, q.Columns, q.Tables, q.Label = dataset, name, columnsOf(d.Query, scans), tablesOf(d.Query, scans), "stream"
	}
	if _, err := a.Gateway.Permits(a.posed(q)); err != nil || !there {
		return nil, gateway.Refuse(gateway.RulePolicy, err, "There is no stream of this name that this caller may read.")
	}
	return q, nil
}

// unread is what a caller is told of what could not be read.
func unread(err error) error {
	switch {
	case errors.Is(err, stream.ErrAsk):
		return gateway.Refuse(gateway.RulePlace, err, "A stream is read over one to 16777216 of its steps, and at most 1000 points and 65536 numbers at once.")
	case errors.Is(err, stream.ErrNotKept):
		return gateway.Refuse(gateway.RulePlace, err, "Steps so long ago are not kept any more.")
	}
	return gateway.Refuse(gateway.RuleInternal, err, "The stream could not be read.")
}

// streamActs are what the service does with streams.
func (s *Service) streamActs() []Act {
	return []Act{
		{StreamsTool, "List streams", "Lists the running counts and sums that are published step by step and that you may read. It costs nothing.", noneForm, false, s.ListStreams},
		{ReadTool, "Read a stream", "Tells the running sums of a stream after its last steps, or over a sliding window, each with the interval in which the true sum lies at 95 % confidence. It costs nothing.", readForm, false, s.ReadStream},
	}
}
