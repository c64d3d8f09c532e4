package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// renderCSV writes one record for each cell's row: sections one after the other, then what is missing, then the proofs.
func renderCSV(d *Document) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	put := func(cells ...string) {
		for i, c := range cells {
			cells[i] = plain(c)
		}
		_ = w.Write(cells) // a buffer takes everything
	}
	put("report", string(d.Kind), string(d.Domain), d.From.Format(time.RFC3339), d.To.Format(time.RFC3339), d.Made.Format(time.RFC3339))
	for i := range d.Sections {
		s := &d.Sections[i]
		put("section", s.ID, s.Title, s.Law)
		for _, t := range s.Text {
			put("text", s.ID, t)
		}
		head := append([]string{"columns", s.ID}, s.Columns...)
		put(append(head, "proof")...)
		for _, row := range s.Rows {
			out, proofs := []string{"row", s.ID}, []string{}
			for _, c := range row {
				out = append(out, c.Text)
				if c.Figure != "" {
					proofs = append(proofs, c.Figure)
				}
			}
			put(append(out, strings.Join(proofs, " "))...)
		}
	}
	for _, m := range d.Missing {
		put("missing", m.Law, m.What)
	}
	for i := range d.Counts {
		c := &d.Counts[i]
		for j := range c.Figures {
			f := &c.Figures[j]
			put("proof", fmt.Sprintf("%s/%d", c.ID, j), strconv.FormatInt(f.Value, 10), f.Entries.where(), f.Entries.digest())
		}
	}
	for _, t := range d.Log.Trees {
		put("tree", t.Origin, fmt.Sprintf("%d–%d", t.First, t.Last), t.Checkpoint)
	}
	w.Flush()
	return b.Bytes()
}

// formula begins what a spreadsheet takes for a formula: at the beginning, and behind a semicolon or tabulator, at which some cut cells.
var formula = regexp.MustCompile(`(^|[;\t] *)([=+\-@\t\r\n＝＋－＠])`)

// plain keeps a spreadsheet from taking text for a formula.
func plain(s string) string { return formula.ReplaceAllString(s, "$1'$2") }

func endCSV(signed []byte) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"note", string(signed)}) // a buffer takes everything
	w.Flush()
	return b.Bytes()
}
