package report

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/scrimhq/scrim/evidence/tile"
)

// noteLine heads the note of every report. No log is called so, and a checkpoint's second line is a number: neither can be taken for the other.
const noteLine = "scrim.dev/report@v1"

// Files are a document in its three forms, under one signature.
type Files struct {
	JSON []byte `json:"json"`
	HTML []byte `json:"html"`
	CSV  []byte `json:"csv"`
}

// ErrFile is the error of bytes that are no report as it was written.
var ErrFile = errors.New("file is not a report in its form")

// Encode writes a document in its three forms and signs them together by the log's key.
func Encode(d *Document, key crypto.Signer) (Files, error) {
	var f Files
	body, err := canonical(d)
	if err != nil {
		return f, err
	}
	page, err := renderHTML(d)
	if err != nil {
		return f, err
	}
	table := renderCSV(d)
	s, err := tile.NewSigner(d.Log.Origin, key)
	if err != nil {
		return f, err
	}
	text := fmt.Sprintf("%s\n%s\nkind %s\ntime %s\njson %s\nhtml %s\ncsv %s\n", noteLine, d.Log.Origin, d.Kind, d.Made.UTC().Format(time.RFC3339), sum(body), sum(page), sum(table))
	signed, err := note.Sign(&note.Note{Text: text}, s)
	if err != nil {
		return f, fmt.Errorf("signing a report: %w", err)
	}
	f.JSON, err = sealJSON(body, signed)
	f.HTML, f.CSV = append(page, endHTML(signed)...), append(table, endCSV(signed)...)
	return f, err
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return base64.StdEncoding.EncodeToString(h[:])
}

// canonical is the one form of a document: compact JSON in the order of its members, without escapes for HTML.
func canonical(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("writing a report: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func sealJSON(body, signed []byte) ([]byte, error) {
	quoted, err := canonical(string(signed))
	if err != nil {
		return nil, err
	}
	b := append([]byte(`{"report":`), body...)
	b = append(append(b, `,"note":`...), quoted...)
	return append(b, "}\n"...), nil
}

// Decode reads the JSON of a report, strictly: what [Encode] would not write is an [ErrFile]. Who signed it is for scrim-verify to say.
func Decode(file []byte) (*Document, error) {
	var outer struct {
		Report json.RawMessage `json:"report"`
		Note   string          `json:"note"`
	}
	if json.Unmarshal(file, &outer) != nil {
		return nil, ErrFile
	}
	again, err := sealJSON(outer.Report, []byte(outer.Note))
	if err != nil || !bytes.Equal(again, file) {
		return nil, ErrFile
	}
	d := new(Document)
	dec := json.NewDecoder(bytes.NewReader(outer.Report))
	dec.DisallowUnknownFields()
	if dec.Decode(d) != nil || d.Scrim != documentForm {
		return nil, ErrFile
	}
	if body, err := canonical(d); err != nil || !bytes.Equal(body, outer.Report) {
		return nil, ErrFile
	}
	return d, nil
}

// Shows reports whether the HTML or CSV of a report shows what its document says, and nothing else; its signature is for scrim-verify.
func (d *Document) Shows(file []byte) bool {
	if page, err := renderHTML(d); err == nil && bytes.HasPrefix(file, page) {
		return bytes.HasPrefix(file[len(page):], []byte(noteHTML))
	}
	table := renderCSV(d)
	return bytes.HasPrefix(file, table) && bytes.HasPrefix(file[len(table):], []byte("note,\""))
}
