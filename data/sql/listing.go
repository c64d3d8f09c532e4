package sql

import (
	"context"

	"github.com/scrimhq/scrim/data/table"
)

// Listed is a table or view as the database's own catalog describes it.
type Listed struct {
	Schema  string // "" in SQLite
	Name    string
	View    bool // a view, or a foreign table: to read it runs what its owner wrote
	Virtual bool // of SQLite: a module gives its rows, which is never run
	Columns []ListedColumn
	Rows    int64  // by the database's own statistics; -1: it has none
	Why     string // why its rows cannot be read, as far as the catalog tells; "" if they can

	oid   uint32
	size  int64 // bytes on disk, with those of partitions
	rowid string
}

// ListedColumn is a column of a [Listed] table.
type ListedColumn struct {
	table.Column
	Declared   string    // its type as the database spells it
	Key        bool      // part of the primary key
	Unique     bool      // unique by itself, by a constraint or as the whole of the primary key
	References Reference // what a foreign key names
	Distinct   int64     // different values by the database's own statistics; 0: it has none
	Unreadable bool      // the user may not read it

	kind listedKind
}

// Reference is a column that a foreign key names; without a table there is none.
type Reference struct{ Schema, Table, Column string }

// listedKind says how a column's values are taken.
type listedKind uint8

const (
	plainColumn listedKind = iota
	jsonColumn
	listColumn
	bytesColumn   // not looked at
	foreignColumn // of a type that is not the server's own
)

// Title is the table's name with its schema, as errors name it.
func (l *Listed) Title() string { return Title(l.Schema, l.Name) }

// Title is a table's name with its schema, if there is one.
func Title(schema, name string) string {
	if schema == "" {
		return name
	}
	return schema + "." + name
}

// Sampling says what [Database.Sample] reads.
type Sampling struct {
	Rows  int  // how many rows are wanted; some more may come
	Views bool // read views and foreign tables too
	Seed  uint64
}

// Database is an open database whose tables can be listed and sampled. It is used by one goroutine.
type Database interface {
	// Name says what it is, without secrets.
	Name() string
	// Where says where it is: a host, "" for a socket of this machine or a file, and the database's name or the file's.
	Where() (host string, port int, name string)
	// Tables lists tables and views in the order of their names, system's own left out, in at most so many.
	Tables(ctx context.Context, most int) ([]Listed, error)
	// Sample calls look with the rows of a sample, numbered from 1, and returns how many rows the table has, and whether they were
	// counted. Cells are those of the listed columns, in their order; they hold until look returns. Of a value no more than its
	// first 16 KiB come. Rows of a view are the first that it gives.
	Sample(ctx context.Context, l *Listed, s Sampling, look func(number int64, cells []table.Cell) error) (rows int64, exact bool, err error)
	// Ping reports whether the connection is still there.
	Ping(ctx context.Context) error
	// Close ends the connection.
	Close(ctx context.Context) error
}

const (
	sampledValue  = 4 << 10  // bytes of a value that are looked at
	sampledNested = 16 << 10 // of one that is taken apart
	mostListed    = 1600     // columns of a table, PostgreSQL's own limit
)
