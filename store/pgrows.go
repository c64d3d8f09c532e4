package store

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// Types of the server, by the numbers that its catalog pg_type gives them for good.
const (
	oidBool    = 16
	oidBytes   = 17
	oidName    = 19
	oidInt8    = 20
	oidInt2    = 21
	oidInt4    = 23
	oidText    = 25
	oidFloat4  = 700
	oidFloat8  = 701
	oidUnknown = 705
	oidBpchar  = 1042
	oidVarchar = 1043
	oidNumeric = 1700
)

const binaryFormat = 1

// pgStmt is a prepared statement. Bytes travel as they are, all else as text.
type pgStmt struct {
	link    *pgLink
	sd      *pgconn.StatementDescription
	formats []int16 // of the columns
}

// NumInput implements [driver.Stmt].
func (s *pgStmt) NumInput() int { return len(s.sd.ParamOIDs) }

// Close implements [driver.Stmt].
func (s *pgStmt) Close() error {
	if s.sd.Name == "" || s.link.ending || s.link.gone() {
		return nil
	}
	if err := s.link.settle(); err != nil {
		return err
	}
	ctx, cancel := s.link.bounded(context.Background())
	defer cancel()
	return s.link.fault(ctx, s.link.c.Deallocate(ctx, s.sd.Name))
}

// Exec implements [driver.Stmt].
func (s *pgStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

// Query implements [driver.Stmt].
func (s *pgStmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

// ExecContext implements [driver.StmtExecContext].
func (s *pgStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	ctx, cancel := s.link.bounded(ctx)
	defer cancel()
	rr, err := s.send(ctx, args)
	if err != nil {
		return nil, err
	}
	tag, err := rr.Close()
	if err != nil {
		return nil, s.link.fault(ctx, err)
	}
	return driver.RowsAffected(tag.RowsAffected()), nil
}

// QueryContext implements [driver.StmtQueryContext]. The first row is waited for, so that an error is known by then.
func (s *pgStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	ctx, cancel := s.link.bounded(ctx)
	rr, err := s.send(ctx, args)
	if err != nil {
		cancel()
		return nil, err
	}
	r := &pgRows{stmt: s, rr: rr, ctx: ctx, cancel: cancel}
	s.link.reading = r
	if first, ok := r.fetch(); ok {
		r.kept = append(r.kept, first)
	}
	if r.err != nil {
		return nil, r.err
	}
	return r, nil
}

func (s *pgStmt) send(ctx context.Context, args []driver.NamedValue) (*pgconn.ResultReader, error) {
	if err := s.link.ready(); err != nil {
		return nil, err
	}
	values, formats := make([][]byte, len(args)), make([]int16, len(args))
	for i, a := range args {
		oid := s.sd.ParamOIDs[i]
		v, err := encode(a.Value, oid)
		if err != nil {
			return nil, fmt.Errorf("argument %d: %w", i+1, err)
		}
		values[i] = v
		if oid == oidBytes {
			formats[i] = binaryFormat
		}
	}
	return s.link.c.ExecStatement(ctx, s.sd, values, formats, s.formats), nil
}

// pgRows is a result. It is read as rows are asked for, and the rest at once when the connection is needed.
type pgRows struct {
	stmt   *pgStmt
	rr     *pgconn.ResultReader // nil: all was read
	ctx    context.Context
	cancel context.CancelFunc
	kept   [][]driver.Value // read, not yet asked for
	err    error
}

// Columns implements [driver.Rows].
func (r *pgRows) Columns() []string {
	names := make([]string, len(r.stmt.sd.Fields))
	for i, f := range r.stmt.sd.Fields {
		names[i] = f.Name
	}
	return names
}

// Next implements [driver.Rows].
func (r *pgRows) Next(dest []driver.Value) error {
	if len(r.kept) > 0 {
		copy(dest, r.kept[0])
		r.kept = r.kept[1:]
		return nil
	}
	row, ok := r.fetch()
	switch {
	case ok:
		copy(dest, row)
		return nil
	case r.err != nil:
		return r.err
	}
	return io.EOF
}

// fetch reads one row from the connection.
func (r *pgRows) fetch() ([]driver.Value, bool) {
	if r.rr == nil {
		return nil, false
	}
	if !r.rr.NextRow() {
		_, err := r.rr.Close()
		r.finish(err)
		return nil, false
	}
	raw := r.rr.Values()
	row := make([]driver.Value, len(raw))
	for i, v := range raw {
		var err error
		if row[i], err = decode(v, r.stmt.sd.Fields[i].DataTypeOID); err != nil {
			_, _ = r.rr.Close()
			r.finish(nil)
			r.err = fmt.Errorf("column %s: %w", r.stmt.sd.Fields[i].Name, err)
			return nil, false
		}
	}
	return row, true
}

// finish notes that nothing more comes.
func (r *pgRows) finish(err error) {
	r.rr = nil
	if r.stmt.link.reading == r {
		r.stmt.link.reading = nil
	}
	r.err = r.stmt.link.fault(r.ctx, err)
	r.cancel()
}

// buffer reads the rest.
func (r *pgRows) buffer() {
	for {
		row, ok := r.fetch()
		if !ok {
			return
		}
		r.kept = append(r.kept, row)
	}
}

// Close implements [driver.Rows].
func (r *pgRows) Close() error {
	r.kept = nil
	if r.rr != nil {
		_, err := r.rr.Close()
		r.finish(err)
	}
	return nil // the transaction knows if it failed
}

// encode writes a value in the way of the type that the server took the argument for. What SQLite takes as the same, such as a truth value and
// a number, is the same here.
func encode(v driver.Value, oid uint32) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case int64:
		switch oid {
		case oidBytes:
			return nil, errType
		case oidBool:
			return strconv.AppendBool(nil, v != 0), nil
		}
		return strconv.AppendInt(nil, v, 10), nil
	case bool:
		if oid == oidBool {
			return strconv.AppendBool(nil, v), nil
		}
		if v {
			return encode(int64(1), oid)
		}
		return encode(int64(0), oid)
	case float64:
		if oid == oidBytes {
			return nil, errType
		}
		return strconv.AppendFloat(nil, v, 'g', -1, 64), nil
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	return nil, errType
}

// decode reads what the server sent. Truth values are numbers, as in SQLite; a sum of BIGINT is a number without fraction there.
func decode(raw []byte, oid uint32) (driver.Value, error) {
	if raw == nil {
		return nil, nil
	}
	switch oid {
	case oidInt8, oidInt4, oidInt2:
		return strconv.ParseInt(string(raw), 10, 64)
	case oidNumeric:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return nil, errRange
		}
		return n, nil
	case oidBytes:
		return append([]byte(nil), raw...), nil // no bytes are nil, as from SQLite's driver
	case oidText, oidVarchar, oidBpchar, oidName, oidUnknown:
		return string(raw), nil
	case oidBool:
		if string(raw) == "t" {
			return int64(1), nil
		}
		return int64(0), nil
	case oidFloat8, oidFloat4:
		return strconv.ParseFloat(string(raw), 64)
	}
	return nil, errType
}
