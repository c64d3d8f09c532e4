package sql

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"hash"
	"strings"

	"github.com/scrimhq/scrim/data/table"
)

// partialSuffix is behind the name of a table while it is written.
const partialSuffix = "__scrim_partial"

// progress is how far a table is. It is kept in the transaction of the rows that it counts.
type progress struct {
	Tag     string `json:"tag"`
	Columns string `json:"columns"` // a digest of names and types
	Rows    int64  `json:"rows"`
	Sum     []byte `json:"sum"` // state of the digest over what was written
}

func newProgress(columns []table.Column, run table.Run) progress {
	return progress{Tag: run.Tag, Columns: hex.EncodeToString(heading(columns))}
}

// createTable is the statement that makes a table of the name, which is quoted already, with what the database calls each type.
func createTable(name string, columns []table.Column, types []string) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE " + name + " (")
	for i, c := range columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteName(c.Name) + " " + types[c.Type])
		if c.Required {
			b.WriteString(" NOT NULL")
		}
	}
	return b.String() + ")"
}

// mayBegin says whether a run may begin, or go on, where a table has the final name (taken) or the passing one (begun).
func mayBegin(name string, taken, begun, resume bool) error {
	switch {
	case taken:
		return &table.Error{Table: name, Why: "there is such a table already", Err: table.ErrExists}
	case begun && !resume:
		return &table.Error{Table: name, Why: "an unfinished one is there: resume, or discard it", Err: table.ErrExists}
	}
	return nil
}

func begunByAnother(name string) error {
	return &table.Error{Table: name, Why: "an unfinished one is there that another run began; discard it first", Err: table.ErrPartial}
}

// goesOn gives sum the state that an earlier run of the same tag and columns left.
func (p progress) goesOn(name string, old progress, sum hash.Hash) error {
	if old.Tag != p.Tag || old.Columns != p.Columns || sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(old.Sum) != nil {
		return begunByAnother(name)
	}
	return nil
}

// keep notes the state of the digest.
func (p *progress) keep(sum hash.Hash) (err error) {
	p.Sum, err = sum.(encoding.BinaryMarshaler).MarshalBinary()
	return err
}

// digest is that of the columns and of all that was written.
func (p progress) digest(sum hash.Hash) string {
	total := sha256.New()
	total.Write([]byte(p.Columns))
	total.Write(sum.Sum(nil))
	return "sha256:" + hex.EncodeToString(total.Sum(nil))
}
