// Package draw writes a part of the lineage graph for people and other programs: as Mermaid, as SVG, as PROV-JSON and as JSON.
//
// Names come from whoever told of them, so each form escapes them in its own way, and a line break or a control character is in none.
package draw

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/evidence/lineage"
)

// ErrFormat is the error of a format that is none of [Formats].
var ErrFormat = errors.New("the format is not known")

// Formats lists the names of all formats.
func Formats() []string { return []string{"mermaid", "svg", "json", "prov"} }

// Write writes a picture in one of [Formats].
func Write(w io.Writer, format string, p *lineage.Picture) error {
	var b []byte
	var err error
	switch format {
	case "mermaid":
		b = Mermaid(p)
	case "svg":
		b = SVG(p)
	case "json":
		b, err = json.MarshalIndent(p, "", "  ")
		b = append(b, '\n')
	case "prov":
		b, err = PROV(p)
	default:
		return fmt.Errorf("%w: it is one of %s", ErrFormat, strings.Join(Formats(), ", "))
	}
	if err != nil {
		return fmt.Errorf("writing lineage: %w", err)
	}
	_, err = w.Write(b)
	return err
}

// plain takes out what no name should have.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x2028, r == 0x2029, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfffd, r >= 0xd800 && r <= 0xdfff, r == 0xfffe, r == 0xffff:
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
}

// short cuts a text to n characters.
func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// said is what a link does to a value, in few words; "" where the value stays what it is.
func said(l *lineage.Link) string {
	var words []string
	for _, h := range strings.Fields(l.How) {
		kind, detail, _ := strings.Cut(h, ":")
		switch {
		case detail != "":
			words = append(words, detail)
		case kind == "DIRECT/IDENTITY":
		case kind == "UNKNOWN" || kind == "DIRECT" || kind == "INDIRECT":
		default:
			_, sub, _ := strings.Cut(kind, "/")
			words = append(words, strings.ToLower(sub))
		}
	}
	if len(words) == 0 && l.Masking {
		return "masked"
	}
	slices.Sort(words)
	return plain(strings.Join(slices.Compact(words), ", "))
}

// direct reports whether a value itself goes along a link, as far as anybody said.
func direct(l *lineage.Link) bool { return strings.Contains(" "+l.How, " DIRECT") }

// recipients tells who received a dataset, each once.
func recipients(p *lineage.Picture, d lineage.Name) (out []string) {
	type key struct{ who, level string }
	count := map[key]int64{}
	for _, v := range p.Deliveries {
		if v.Dataset == d {
			count[key{string(v.Agent) + "@" + string(v.Domain), v.Level}] += v.Count
		}
	}
	for k, n := range count {
		out = append(out, plain(fmt.Sprintf("%s, %s, %d×", k.who, k.level, n)))
	}
	slices.Sort(out)
	return out
}

// Coarse leaves columns out: of each two datasets that one job joins there is one link, which says all that is done to any column.
// It masks where every link does.
func Coarse(p *lineage.Picture) *lineage.Picture {
	out := *p
	out.Datasets, out.Links = slices.Clone(p.Datasets), nil
	for i := range out.Datasets {
		out.Datasets[i].Columns = nil
	}
	type pair struct{ from, to, job lineage.Name }
	at := map[pair]int{}
	for _, l := range p.Links {
		k := pair{l.From.Dataset, l.To.Dataset, l.Job}
		i, ok := at[k]
		if !ok {
			at[k] = len(out.Links)
			l.From.Field, l.To.Field = "", ""
			out.Links = append(out.Links, l)
			continue
		}
		o := &out.Links[i]
		words := append(strings.Fields(o.How), strings.Fields(l.How)...)
		slices.Sort(words)
		o.How, o.Masking = strings.Join(slices.Compact(words), " "), o.Masking && l.Masking
		if l.Last.After(o.Last) {
			o.Last, o.Run = l.Last, l.Run
		}
	}
	return &out
}
