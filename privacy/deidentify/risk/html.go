package risk

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed report.html
var page string

var report = template.Must(template.New("report").Funcs(template.FuncMap{"plain": plain, "count": count}).Parse(page))

// WriteHTML writes the report as one page that needs nothing else: no scripts, no pictures, no fonts, nothing fetched. It follows the reader's light or dark
// setting, fits a telephone, and prints on white.
func (r *Report) WriteHTML(w io.Writer) error {
	type column struct {
		Name, Level, Loss, Distinct, Shift string
		Reveals                            []string
	}
	data := struct {
		*Report
		Recipient, HasAfter bool
		Sections            []section
		Costs               [][2]string
		Lost                []column
	}{Report: r, Recipient: r.Copy == ForRecipient, HasAfter: r.After != nil, Sections: r.sections()}
	if u := r.Utility; u != nil {
		data.Costs = u.costs()
		for _, c := range u.Columns {
			data.Lost = append(data.Lost, column{c.Name, c.level(), fmt.Sprintf("%.4f", c.Loss), count(c.DistinctBefore) + " → " + count(c.DistinctAfter), c.shift(), c.Reveals})
		}
	}
	if err := report.Execute(w, data); err != nil {
		return fmt.Errorf("writing the risk report: %w", err)
	}
	return nil
}
