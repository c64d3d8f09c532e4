package show

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/internal/stranger/program"
	"github.com/scrimhq/scrim/observe/report"
)

// records is what the hospital's records of processing say of one recipient and purpose, counted in its log.
type records struct {
	to, purpose      string
	values, raw, all int64 // values that were shown, as they are, and entries that say so
}

// recounted is a report of the hospital, counted again by who has the log.
type recounted struct {
	figures int
	rows    []records
	says    string
	forged  string // the same report with one figure changed, signed by the hospital all the same
}

// reported makes the hospital's records of processing, has their figures counted again, and then those of a report that lies.
func (s *system) reported(ctx context.Context, f *facts) error {
	g := s.gateways[demo.Hospital]
	files, err := api.Document(ctx, g.Ledger(), g.Gateway.Snapshot(), run.ReportSettings(g.Config()), nil, api.DocumentRequest{Kind: report.ROPA})
	if err != nil {
		return fmt.Errorf("reporting: %w", err)
	}
	d, err := report.Decode(files.JSON)
	if err != nil {
		return err
	}
	at := -1
	for i := range d.Counts {
		f.recounted.figures += len(d.Counts[i].Figures)
		if d.Counts[i].ID == "values" {
			at = i
		}
	}
	if at < 0 || len(d.Counts[at].Figures) == 0 {
		return errors.New("the report counts no values")
	}
	for _, one := range d.Counts[at].Figures {
		f.recounted.add(one)
	}
	var ok bool
	if f.recounted.says, ok, err = s.recount(files.JSON); err == nil && !ok {
		err = errors.New(f.recounted.says)
	}
	if err != nil {
		return fmt.Errorf("counting again: %w", err)
	}
	forge(d, at)
	forged, err := report.Encode(d, g.Keys.Signer("log"))
	if err != nil {
		return err
	}
	if f.recounted.forged, ok, err = s.recount(forged.JSON); err == nil && ok {
		err = errors.New("a report that lies was not found out")
	}
	return err
}

// add takes a figure up: by domain, agent, purpose, label and level.
func (r *recounted) add(one report.Figure) {
	to, purpose := one.Key[0]+"/"+one.Key[1], one.Key[2]
	if n := len(r.rows); n == 0 || r.rows[n-1].to != to || r.rows[n-1].purpose != purpose {
		r.rows = append(r.rows, records{to: to, purpose: purpose})
	}
	row := &r.rows[len(r.rows)-1]
	row.values += one.Value
	row.all = max(row.all, one.Entries.Number)
	if one.Key[4] == flow.Raw.String() {
		row.raw += one.Value
	}
}

// forge makes the first figure of a count one less, wherever the report says it.
func forge(d *report.Document, count int) {
	one := &d.Counts[count].Figures[0]
	one.Value--
	ref := d.Counts[count].ID + "/0"
	for _, section := range d.Sections {
		for _, row := range section.Rows {
			for i := range row {
				if row[i].Figure == ref {
					row[i].Text = strconv.FormatInt(one.Value, 10)
				}
			}
		}
	}
}

// recount runs scrim-verify on a report and the hospital's log.
func (s *system) recount(file []byte) (says string, ok bool, err error) {
	g := s.gateways[demo.Hospital]
	key, err := tile.VerifierKey(run.Origin(demo.Hospital), g.Log.Key())
	if err != nil {
		return "", false, err
	}
	name := filepath.Join(s.dir, "gdpr-ropa.json")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		return "", false, err
	}
	var out, bad bytes.Buffer
	code := program.Main([]string{"report", "--key", key, name, run.LogDir(g.Config())}, strings.NewReader(""), &out, &bad)
	if bad.Len() > 0 {
		return "", false, errors.New(strings.TrimSpace(bad.String()))
	}
	says = strings.Join(strings.Fields(strings.ReplaceAll(out.String(), s.dir+string(filepath.Separator), "")), " ")
	if code != 0 {
		_, says, _ = strings.Cut(says, "FAIL ")
		return says, false, nil
	}
	return says[strings.LastIndex(says, ": ")+2:], true, nil
}

func (p *printer) recordsOfProcessing(f *facts) {
	r := &f.recounted
	p.heading(12, "Records of processing, counted again by a stranger")
	p.para(3, "", plain, words(plain, "The GDPR wants a record of processing activities (article 30). The hospital's is counted in its log: to whom, for which purpose, how much. "+
		fmt.Sprintf("Each of its %d figures names its entries.", r.figures)))
	p.line("")
	var rows [][]cell
	for _, one := range r.rows {
		rows = append(rows, []cell{{one.to, plain}, {one.purpose, plain}, {strconv.FormatInt(one.values, 10), plain}, {strconv.FormatInt(one.raw, 10), plain}})
	}
	p.table(3, []string{"shown to", "for", "values", "of them as they are"}, rows)
	p.line("")
	p.para(3, "the report", bold, append(words(good, "fits:"), words(plain, r.says)...))
	p.para(3, "one less", bold, append(words(bad, "does not fit:"), words(plain, "a figure was made one less, and the hospital signed that, too. scrim-verify says: "+r.forged)...))
}
