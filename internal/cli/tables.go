package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/scrimhq/scrim/data/csv"
	"github.com/scrimhq/scrim/data/json/lines"
	"github.com/scrimhq/scrim/data/parquet"
	"github.com/scrimhq/scrim/data/sql"
	rows "github.com/scrimhq/scrim/data/table"
)

const tableForms = "a file that ends in .csv, .tsv, .jsonl, .ndjson or .parquet, sqlite:FILE?table=NAME, or postgres://…?table=NAME"

// openSource opens what an argument names: a file by its ending (.csv .tsv .jsonl .ndjson .parquet, and .csv.gz and the like),
// sqlite:FILE?table=T, postgres://…?table=T, or - for standard input, which is copied to a private file first. Close the source.
func (e *env) openSource(arg string) (rows.Source, error) {
	if arg == "-" {
		return e.openStandardInput()
	}
	if d, ok, err := databaseOf(arg); ok || err != nil {
		if err != nil {
			return nil, err
		}
		if d.file != "" {
			return sql.SQLite(d.file, d.table)
		}
		return sql.Postgres(d.url, d.table)
	}
	switch form, packed := formOf(arg); {
	case form == "parquet" && packed:
		return nil, misuse("a Parquet file is compressed within; decompress this one first")
	case form == "csv":
		return csv.File(arg, csv.Options{})
	case form == "tsv":
		return csv.File(arg, csv.Options{Delimiter: '\t'})
	case form == "lines":
		return lines.File(arg, lines.Options{})
	case form == "parquet":
		return parquet.File(arg)
	}
	return nil, misuse("%s is not known as a table: give %s, or - for standard input", shown(arg), tableForms)
}

// openTarget is the place that an argument names, as for openSource; nothing is made or opened yet.
func (e *env) openTarget(arg string) (rows.Target, error) {
	if arg == "-" {
		return nil, misuse("a table is not written to standard output: nothing could be taken back there; give %s", tableForms)
	}
	if d, ok, err := databaseOf(arg); ok || err != nil {
		if err != nil {
			return nil, err
		}
		if d.file != "" {
			return sql.SQLiteTarget(d.file, d.table), nil
		}
		return sql.PostgresTarget(d.url, d.table), nil
	}
	switch form, packed := formOf(arg); {
	case packed:
		return nil, misuse("tables are not written compressed; leave out .gz, or write .parquet, which is compressed within")
	case form == "csv":
		return csv.Target(arg, csv.Options{}), nil
	case form == "tsv":
		return csv.Target(arg, csv.Options{Delimiter: '\t'}), nil
	case form == "lines":
		return lines.Target(arg, lines.Options{}), nil
	case form == "parquet":
		return parquet.Target(arg, parquet.Options{}), nil
	}
	return nil, misuse("%s is not known as a table: give %s", shown(arg), tableForms)
}

// shown is an argument as an error may show it: a URL can hold a password.
func shown(arg string) string {
	if scheme, _, ok := strings.Cut(arg, "://"); ok {
		return scheme + "://…"
	}
	return arg
}

// formOf tells the form of a file by its ending.
func formOf(path string) (form string, packed bool) {
	path = strings.ToLower(path)
	path, packed = strings.CutSuffix(path, ".gz")
	for ending, form := range map[string]string{".csv": "csv", ".tsv": "tsv", ".jsonl": "lines", ".ndjson": "lines", ".parquet": "parquet"} {
		if strings.HasSuffix(path, ending) {
			return form, packed
		}
	}
	return "", packed
}

type database struct {
	file  string // of SQLite
	url   string // of PostgreSQL, with its password: it is in no error
	table string
}

// databaseOf takes an argument apart that names a database. Errors say nothing of a URL: it may hold a password.
func databaseOf(arg string) (d database, ok bool, err error) {
	if rest, is := strings.CutPrefix(arg, "sqlite:"); is {
		file, query, _ := cutLast(rest, '?')
		q, err := url.ParseQuery(query)
		if err != nil || len(q) != 1 || len(q["table"]) != 1 || q.Get("table") == "" || file == "" {
			return d, false, misuse("a table of SQLite is named sqlite:FILE?table=NAME")
		}
		return database{file: file, table: q.Get("table")}, true, nil
	}
	scheme, rest, _ := strings.Cut(arg, "://")
	if !strings.EqualFold(scheme, "postgres") && !strings.EqualFold(scheme, "postgresql") || rest == "" {
		return d, false, nil
	}
	wrong := misuse("a table of PostgreSQL is named postgres://USER@HOST/DATABASE?table=NAME")
	u, err := url.Parse(arg)
	if err != nil {
		return d, false, wrong
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(q["table"]) != 1 || q.Get("table") == "" {
		return d, false, wrong
	}
	d.table = q.Get("table")
	q.Del("table")
	u.RawQuery = q.Encode()
	d.url = u.String()
	return d, true, nil
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// spooled is a source on a file that goes with it.
type spooled struct {
	rows.Source
	path string
}

func (s *spooled) Name() string { return "standard input" }

func (s *spooled) Close() error { return errors.Join(s.Source.Close(), os.Remove(s.path)) }

// openStandardInput copies standard input to a private file, since a source is read twice, and sees what it is by looking.
func (e *env) openStandardInput() (_ rows.Source, err error) {
	in := bufio.NewReaderSize(e.in, 64<<10)
	head, err := in.Peek(4 << 10)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	f, err := os.CreateTemp("", "scrim-input-*"+endingOf(head)) // 0600
	if err != nil {
		return nil, fmt.Errorf("copying standard input to a private file: %w", err)
	}
	_, err = io.Copy(f, in)
	err = errors.Join(err, f.Close())
	var src rows.Source
	if err == nil {
		src, err = e.openSource(f.Name())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copying standard input to a private file: %w", err), os.Remove(f.Name()))
	}
	return &spooled{src, f.Name()}, nil
}

// endingOf tells by its first bytes what a table is.
func endingOf(head []byte) string {
	packed := ""
	if bytes.HasPrefix(head, []byte{0x1f, 0x8b}) {
		packed = ".gz"
		if z, err := gzip.NewReader(bytes.NewReader(head)); err == nil {
			b := make([]byte, 512)
			n, _ := io.ReadFull(z, b) // the head ends somewhere
			head = b[:n]
		}
	}
	switch text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n"); {
	case bytes.HasPrefix(head, []byte("PAR1")):
		return ".parquet" + packed
	case len(text) > 0 && text[0] == '{':
		return ".jsonl" + packed
	}
	return ".csv" + packed
}
