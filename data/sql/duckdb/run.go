package duckdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"math/big"
	"time"

	driverduckdb "github.com/duckdb/duckdb-go/v2"

	"github.com/scrimhq/scrim/data/sql/process"
	"github.com/scrimhq/scrim/data/sql/relation"
)

// batch is how many rows one line has at most, and lineText how many bytes of text, of which each may take six on the line.
const (
	batch    = 256
	lineText = process.MaxLine / 16
)

// run answers with the rows of a statement.
func run(ctx context.Context, db *sql.DB, req *process.Request, out io.Writer) error {
	kinds := make([]relation.Kind, len(req.Columns))
	for i, c := range req.Columns {
		var ok bool
		if kinds[i], ok = process.KindOf(c); !ok {
			return failed(process.FailedRequest)
		}
	}
	if err := single(ctx, db, req.SQL); err != nil {
		return err
	}
	args := make([]any, len(req.Args))
	for i, a := range req.Args {
		args[i] = a.V
	}
	rows, err := db.QueryContext(ctx, req.SQL, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	if len(columns) != len(kinds) {
		return failed(process.FailedRequest)
	}
	values, targets := make([]any, len(kinds)), make([]any, len(kinds))
	for i := range values {
		targets[i] = &values[i]
	}
	var lines [][]process.Cell
	long := 0
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		cells := make([]process.Cell, len(kinds))
		for i, v := range values {
			var ok bool
			if cells[i], ok = cell(v, kinds[i]); !ok {
				return failed(process.FailedRun)
			}
			long += len(cells[i].Text)
		}
		if lines = append(lines, cells); len(lines) == batch || long >= lineText {
			if err := process.WriteLine(out, process.Response{ID: req.ID, Rows: lines}); err != nil {
				return err
			}
			lines, long = lines[:0], 0
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(lines) > 0 {
		return process.WriteLine(out, process.Response{ID: req.ID, Rows: lines})
	}
	return nil
}

// single holds that the text is one SELECT, by DuckDB's own parser, which can write out nothing else. The driver would run all
// statements of a text but the last while it prepares.
func single(ctx context.Context, db *sql.DB, text string) error {
	var ok sql.NullBool
	const ask = `SELECT json_extract(s, '$.error') = 'false'::JSON AND json_array_length(s, '$.statements') = 1 FROM (SELECT json_serialize_sql(?::VARCHAR) AS s)`
	if err := db.QueryRowContext(ctx, ask, text).Scan(&ok); err != nil || !ok.Valid || !ok.Bool {
		return failed(process.FailedStatement)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.Raw(func(c any) error {
		s, err := c.(driver.ConnPrepareContext).PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		defer func() { _ = s.Close() }()
		if kind, err := s.(*driverduckdb.Stmt).StatementType(); err != nil || kind != driverduckdb.STATEMENT_TYPE_SELECT {
			return failed(process.FailedStatement)
		}
		return nil
	})
}

// cell is a value of the driver as the protocol writes it.
func cell(v any, k relation.Kind) (process.Cell, bool) {
	switch v := v.(type) {
	case nil:
		return process.Cell{Null: true}, true
	case string:
		return process.Cell{IsText: true, Text: v}, k == relation.Text
	case bool:
		if v {
			return process.Cell{Int: 1}, k == relation.Truth
		}
		return process.Cell{}, k == relation.Truth
	case time.Time:
		switch k {
		case relation.Date:
			days := v.Unix() / 86400
			if v.Unix()%86400 < 0 {
				days--
			}
			return process.Cell{Int: days}, true
		case relation.Time:
			return process.Cell{Int: v.UnixMicro()}, true
		}
		return process.Cell{}, false
	}
	n, ok := integer(v)
	return process.Cell{Int: n}, ok && k != relation.Text
}

func integer(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case int32:
		return int64(v), true
	case int16:
		return int64(v), true
	case int8:
		return int64(v), true
	case uint32:
		return int64(v), true
	case uint16:
		return int64(v), true
	case uint8:
		return int64(v), true
	case uint64:
		return int64(v), v <= 1<<63-1
	case *big.Int:
		return v.Int64(), v.IsInt64()
	}
	return 0, false
}
