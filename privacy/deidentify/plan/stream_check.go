package plan

import (
	"slices"
	"strings"
	"time"
)

// streams reports whether the plan is for a stream, also where it is so with mistakes.
func (p *Plan) streams(d *decoder) bool {
	_, given := d.places["stream"]
	return given
}

// streamKeys are the parameters of each model of a stream beside its name: those it needs, and those it may have.
var streamKeys = map[string]struct{ needs, may []string }{
	"z-anonymity": {needs: []string{"z", "window"}, may: []string{"capacity"}},
	"castle":      {needs: []string{"k", "delay"}, may: []string{"l", "column", "within", "clusters", "recent", "reuse"}},
}

const mostOfStream = 10_000_000 // records, combinations or clusters: all are held in memory

// checkStream finds the mistakes of a stream, and everything that would be read and have no effect on one.
func (p *Plan) checkStream(d *decoder, quasi int) {
	if !p.streams(d) {
		return
	}
	s := &p.Stream
	keys, ok := streamKeys[s.Model]
	if !ok {
		d.at("stream/model", nearHint(s.Model, []string{"z-anonymity", "castle"}), "one of z-anonymity, castle is expected")
		return
	}
	for _, need := range keys.needs {
		if _, given := d.places["stream/"+need]; !given {
			d.at("stream", "", "%s needs %s", s.Model, need)
		}
	}
	for _, f := range s.fields()[1:] {
		if _, given := d.places["stream/"+f.key]; given && !slices.Contains(keys.needs, f.key) && !slices.Contains(keys.may, f.key) {
			d.at("stream/"+f.key, "", "%s does not take %s", s.Model, f.key)
		}
	}
	for _, key := range []string{"privacy", "suppression", "recoding", "metric", "suppressed", "population", "risk"} {
		if _, given := d.places[key]; given {
			d.at(key, "leave it out", "it is of tables, and the plan is for a stream")
		}
	}
	if p.Subject == "" {
		d.at("stream", "subject: names the column that says whom a record is about", "a stream counts subjects and needs their column")
	}
	if quasi == 0 {
		d.at("stream", "give columns role: quasi", "a stream needs quasi-identifiers")
	}
	p.checkStreamNumbers(d)
	p.checkStreamColumns(d)
}

func (p *Plan) checkStreamNumbers(d *decoder) {
	s := &p.Stream
	atLeast := func(key string, n, least int) {
		if _, given := d.places["stream/"+key]; given && (n < least || n > mostOfStream) {
			d.at("stream/"+key, "", "a whole number from %d to %d is expected", least, mostOfStream)
		}
	}
	atLeast("z", s.Z, 2)
	atLeast("k", s.K, 2)
	atLeast("l", s.L, 2)
	atLeast("delay", s.Delay, max(s.K, 2))
	atLeast("capacity", s.Capacity, 1)
	atLeast("clusters", s.Clusters, 1)
	atLeast("recent", s.Recent, 1)
	atLeast("reuse", s.Reuse, 1)
	for key, text := range map[string]string{"window": s.Window, "within": s.Within} {
		if _, given := d.places["stream/"+key]; !given {
			continue
		}
		if v, err := time.ParseDuration(text); err != nil || v < time.Millisecond || v > 10*366*24*time.Hour {
			d.at("stream/"+key, "such as 90s, 10m or 24h", "a time is expected, of a millisecond or more")
		}
	}
	if (s.L > 0) != (s.Column != "") {
		d.at("stream", "such as l: 2, column: diagnosis", "l counts the values of a column, and needs it; a column is named for l alone")
	}
}

func (p *Plan) checkStreamColumns(d *decoder) {
	s := &p.Stream
	if s.Column != "" {
		if c := p.Column(s.Column); c == nil || c.Role != "sensitive" {
			d.at("stream/column", "give it role: sensitive", "the column is not a sensitive one of the plan")
		}
	}
	for i := range p.Columns {
		c := &p.Columns[i]
		at := "columns/" + c.Name
		if strings.HasPrefix(c.Name, "/") {
			d.at(at, "", "a stream's columns are members of the record itself, not of objects further down")
		}
		if c.Role == "sensitive" && c.Name != s.Column {
			d.at(at+"/role", "name it as column of castle, with l, or leave the role out", "nothing of the stream protects the column")
		}
		if c.Technique == "surrogate" {
			d.at(at+"/technique", "such as token", "surrogates are numbered in the order in which records come, and remembered for ever: a stream has none")
		}
		if c.Role != "quasi" {
			continue
		}
		for _, key := range []string{"most", "weight"} {
			if _, given := d.places[at+"/"+key]; given && (key == "most" || s.Model != "castle") {
				d.at(at+"/"+key, "leave it out", "%s does not take %s", s.Model, key)
			}
		}
		plain := c.Hierarchy == "" && c.Intervals == nil && c.Prefix == nil && c.Dates == nil
		if plain && (s.Model == "castle" || c.Least > 0) {
			d.at(at, "such as intervals: [10], bottom: 0, top: 119", "a stream generalises by hierarchy, intervals, prefix or dates, and the column has none")
		}
		if c.Intervals != nil && (c.Bottom == "" || c.Top == "") {
			d.at(at, "", "a stream cannot see which numbers will come: intervals need bottom and top")
		}
		if len(c.Prefix) > 0 && c.Prefix[0] > 6 {
			d.at(at+"/prefix/0", "", "of a stream the codes of a prefix are digits, at most 6")
		}
	}
}
