package config

import (
	"errors"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Source is where a dataset lies that questions in SQL are asked about: exactly one of its fields.
type Source struct {
	SQLite   string      `yaml:"sqlite" doc:"An SQLite database. It is opened for reading."`
	Postgres *SecretText `yaml:"postgres" secret:"true" doc:"The URL (postgres://…) of a PostgreSQL database. Give it a role that may read the tables below and nothing else."`
	Files    string      `yaml:"files" doc:"A directory of CSV, JSON lines and Parquet files. Each table says which of them are its own."`
	DuckDB   *DuckDB     `yaml:"duckdb" doc:"A DuckDB that the gateway starts as a program of its own."`
}

// DuckDB is a program that reads a DuckDB database, or files by DuckDB.
type DuckDB struct {
	Command  []string `yaml:"command" doc:"Program and arguments, such as [scrim-duckdb]." required:"true"`
	Database string   `yaml:"database" doc:"A DuckDB database, opened for reading. Absent: tables are files below dir."`
	Dir      string   `yaml:"dir" doc:"The directory that the files of tables lie in, and nothing outside of which is read."`
}

// Table is one table of a dataset as questions name it.
type Table struct {
	Table     string            `yaml:"table" doc:"Its name in the source, such as clinic.stays. Absent: the same."`
	Files     []string          `yaml:"files" doc:"Of a source of files: names or globs of its files, from the source's directory on, such as stays-*.parquet."`
	Contract  string            `yaml:"contract" doc:"The dataset of a data contract that describes it, by which columns have their labels, types and bounds. Absent: one that has the table's name, or, of a dataset with one table, the dataset's."`
	Public    bool              `yaml:"public" doc:"It holds nothing about any unit, such as a list of codes with their names. What it says is not protected."`
	Unit      []string          `yaml:"unit" doc:"The columns that say whose a row is. Absent: the contract's unit column."`
	Reference *TableReference   `yaml:"reference" doc:"The row is whoever's row of another table it refers to, in place of unit."`
	Time      string            `yaml:"time" doc:"The column that says when a row was, which a dataset with blocks of time needs."`
	Columns   map[string]Column `yaml:"columns" keys:"name" doc:"What questions may use, by name." required:"true"`
}

// TableReference is a foreign key.
type TableReference struct {
	Column string `yaml:"column" doc:"The column that refers." required:"true" pattern:"name"`
	Table  string `yaml:"table" doc:"The table that it refers to." required:"true" pattern:"name"`
	To     string `yaml:"to" doc:"The column there, of which each value stands in one row at most." required:"true" pattern:"name"`
}

// Column is one column of a table. What a source holds that is not of its type is NULL.
type Column struct {
	Column string     `yaml:"column" doc:"Its name in the source. Absent: the same."`
	Type   ColumnType `yaml:"type" doc:"number, text, truth, date or time. Absent: the contract's." enum:"number text truth date time"`
	Places int        `yaml:"places" doc:"Decimal places of a number. What is finer is rounded down." min:"0" max:"9"`
	Min    Literal    `yaml:"min" doc:"The least value that counts, of numbers, dates and times; what is less counts as this. Choose it by what the column means, never by looking at the data. Absent: the contract's."`
	Max    Literal    `yaml:"max" doc:"The greatest value that counts. Numbers without bounds can be compared, and not summed up."`
	Values []Literal  `yaml:"values" doc:"All values there can be, known to everybody. An answer by this column then has each of them, whoever is in it. Absent: a group appears if enough units are in it."`
	Label  flow.Label `yaml:"label" doc:"What it is. A column that names somebody is no group of an answer. Absent: the contract's." pattern:"label"`
}

// ColumnType is a type of columns.
type ColumnType string

// The types.
const (
	NumberColumn ColumnType = "number"
	TextColumn   ColumnType = "text"
	TruthColumn  ColumnType = "truth"
	DateColumn   ColumnType = "date"
	TimeColumn   ColumnType = "time"
)

// QueryLimits are how much a unit contributes to an answer, and how large that is.
type QueryLimits struct {
	Rows       int `yaml:"rows" doc:"Rows of a unit that count in one group, unless a question says otherwise." default:"1" min:"1" max:"1000000"`
	MostRows   int `yaml:"most_rows" doc:"The most that a question may ask for. Absent: 64, or rows." min:"0" max:"1000000"`
	Groups     int `yaml:"groups" doc:"Groups that a unit counts in, unless a question says otherwise." default:"1" min:"1" max:"1000000"`
	MostGroups int `yaml:"most_groups" doc:"The most that a question may ask for. Absent: 64, or groups." min:"0" max:"1000000"`
	Cells      int `yaml:"cells" doc:"The most groups of declared values in one answer." default:"10000" min:"1" max:"1000000"`
}

// SQL is what questions in SQL cost if they say nothing, and at most.
type SQL struct {
	Epsilon   Exact   `yaml:"epsilon" doc:"What a question costs that says nothing, ε. Absent: each has to say it, or how exact the answer must be."`
	Most      Exact   `yaml:"most" doc:"The most that one question may cost. Absent: the dataset's ε."`
	Delta     Exact   `yaml:"delta" doc:"The δ of Gaussian noise in one question. 0: there is none. Absent: a thousandth of the dataset's."`
	Selection Exact   `yaml:"selection" doc:"The δ of one question for which groups of values that nobody declared appear. 0: there are none. Absent: a thousandth of the dataset's."`
	Tell      Telling `yaml:"tell" doc:"What askers are told of budgets. own: what is left of their own quota and their contract. all: what is left of the dataset and of all quotas above theirs too, and so how much others spent." default:"own" enum:"own all"`
}

// Telling is what askers are told of budgets.
type Telling string

// The choices.
const (
	TellOwn Telling = "own"
	TellAll Telling = "all"
)

// Literal is a value as it is written, such as 12.5, 2026-01-31 or ward-3.
type Literal struct {
	text  string
	given bool
}

var errLiteral = errors.New("a value of at most 256 bytes is expected")

// UnmarshalText implements [encoding.TextUnmarshaler].
func (l *Literal) UnmarshalText(b []byte) error {
	if len(b) > 256 {
		return errLiteral
	}
	*l = Literal{strings.Clone(string(b)), true}
	return nil
}

// Given reports whether it was written at all.
func (l Literal) Given() bool { return l.given }

// String returns it as it was written.
func (l Literal) String() string { return l.text }

// Asked reports whether questions in SQL can be asked about the dataset.
func (d *Dataset) Asked() bool { return d.Source != (Source{}) }

// SourceURL returns the URL of the database that a dataset lies in. The error wraps [ErrSecret] and gives the place in the file.
func (c *Config) SourceURL(s *SecretText) (flow.Secret, error) {
	return c.secret(s.place, s.Env, s.File)
}
