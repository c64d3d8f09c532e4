package score

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
)

// Span is a stretch of a text in which something was marked or found, in bytes, with its type.
type Span struct {
	Start, End int
	Type       string
	Label      flow.Label // of a finding
}

// Text is a text with what people marked in it.
type Text struct {
	ID     string
	Text   string
	Marked []Span
}

// ErrDataset means that a data set has no form that is read. Errors that wrap it name the place, never a text.
var ErrDataset = errors.New("not a data set that can be read")

// maxLine bounds one line of a data set.
const maxLine = 64 << 20

// Read reads a data set, whose form it tells by its beginning:
//
//   - a JSON array of {"full_text", "spans": [{"entity_type", "start_position", "end_position"}]}, as presidio-research has it;
//   - lines of JSON {"id", "text", "spans": [{"start", "end", "label"}]};
//   - CoNLL: a token and its tag (B-PER, I-PER, O) a line, sentences apart by empty lines.
//
// Positions count Unicode code points.
func Read(r io.Reader) ([]Text, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		b, err := in.Peek(1)
		if err != nil {
			return nil, fmt.Errorf("%w: it is empty", ErrDataset)
		}
		switch b[0] {
		case ' ', '\t', '\r', '\n':
			_, _ = in.Discard(1) // it was peeked
		case '[':
			return readArray(in)
		case '{':
			return readLines(in)
		default:
			return readCoNLL(in)
		}
	}
}

type marked struct {
	Type  string `json:"entity_type"`
	Start *int   `json:"start_position"`
	End   *int   `json:"end_position"`

	Label  string `json:"label"`
	From   *int   `json:"start"`
	Before *int   `json:"end"`
}

func readArray(r io.Reader) ([]Text, error) {
	var all []struct {
		Text  string   `json:"full_text"`
		Spans []marked `json:"spans"`
	}
	if err := json.NewDecoder(r).Decode(&all); err != nil {
		return nil, fmt.Errorf("%w: the array has not the form of {full_text, spans}", ErrDataset)
	}
	texts := make([]Text, 0, len(all))
	for i, one := range all {
		t := Text{ID: fmt.Sprint(i), Text: one.Text}
		if err := t.mark(one.Spans); err != nil {
			return nil, fmt.Errorf("%w: element %d: %w", ErrDataset, i, err)
		}
		texts = append(texts, t)
	}
	return texts, nil
}

func readLines(r io.Reader) (texts []Text, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var one struct {
			ID    json.RawMessage `json:"id"`
			Text  *string         `json:"text"`
			Spans []marked        `json:"spans"`
		}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil || one.Text == nil {
			return nil, fmt.Errorf("%w: line %d has not the form of {text, spans}", ErrDataset, n)
		}
		t := Text{ID: strings.Trim(string(one.ID), `"`), Text: *one.Text}
		if err := t.mark(one.Spans); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrDataset, n, err)
		}
		texts = append(texts, t)
	}
	if lines.Err() != nil {
		return nil, fmt.Errorf("%w: a line is too long", ErrDataset)
	}
	return texts, nil
}

// mark takes spans over, from code points to bytes.
func (t *Text) mark(spans []marked) error {
	at := make([]int, 0, len(t.Text)+1) // byte of each code point
	for i := range t.Text {
		at = append(at, i)
	}
	at = append(at, len(t.Text))
	for _, s := range spans {
		start, end, kind := s.Start, s.End, s.Type
		if start == nil || end == nil {
			start, end, kind = s.From, s.Before, s.Label
		}
		if start == nil || end == nil || *start < 0 || *start >= *end || *end >= len(at) {
			return errors.New("a span lies outside its text")
		}
		t.Marked = append(t.Marked, Span{Start: at[*start], End: at[*end], Type: kind})
	}
	return nil
}

// readCoNLL joins the tokens of a sentence with spaces.
func readCoNLL(r io.Reader) (texts []Text, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var b strings.Builder
	var now Text
	flush := func() {
		if b.Len() > 0 {
			now.ID, now.Text = fmt.Sprint(len(texts)), b.String()
			texts = append(texts, now)
		}
		now = Text{}
		b.Reset()
	}
	for n := 1; lines.Scan(); n++ {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			flush()
			continue
		}
		tag := fields[len(fields)-1]
		if len(fields) < 2 || !utf8.ValidString(fields[0]) || tag != "O" && !strings.HasPrefix(tag, "B-") && !strings.HasPrefix(tag, "I-") {
			return nil, fmt.Errorf("%w: line %d is no token with its tag", ErrDataset, n)
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		start := b.Len()
		b.WriteString(fields[0])
		if tag == "O" {
			continue
		}
		last := len(now.Marked) - 1
		if tag[0] == 'I' && last >= 0 && now.Marked[last].Type == tag[2:] && now.Marked[last].End == start-1 {
			now.Marked[last].End = b.Len()
		} else {
			now.Marked = append(now.Marked, Span{Start: start, End: b.Len(), Type: tag[2:]})
		}
	}
	flush()
	if lines.Err() != nil {
		return nil, fmt.Errorf("%w: a line is too long", ErrDataset)
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrDataset)
	}
	return texts, nil
}
