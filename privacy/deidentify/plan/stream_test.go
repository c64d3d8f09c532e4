package plan_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/table"
	"github.com/scrimhq/scrim/privacy/deidentify/plan"
)

func TestStreamMistakesSayWhere(t *testing.T) {
	const columns = "version: 1\ncolumns:\n  who: {technique: drop}\n  age: {role: quasi, intervals: [10], bottom: 0, top: 99}\nsubject: who\n"
	for text, want := range map[string]string{
		columns + "stream: {model: castle, k: 3, delay: 9}":                                                                                    "",
		columns + "stream: {model: z-anonymity, z: 3, window: 10m}":                                                                            "",
		columns + "stream: {model: castel, k: 3, delay: 9}":                                                                                    "plan.yaml:6:10: one of z-anonymity, castle is expected (did you mean castle?)",
		columns + "stream: {}":                                                                                                                 "plan.yaml:6:1: one of z-anonymity, castle is expected",
		columns + "stream: {model: castle, k: 1, delay: 9}":                                                                                    "plan.yaml:6:25: a whole number from 2",
		columns + "stream: {model: castle, k: 5, delay: 4}":                                                                                    "plan.yaml:6:31: a whole number from 5",
		columns + "stream: {model: castle, k: 3}":                                                                                              "plan.yaml:6:1: castle needs delay",
		columns + "stream: {model: castle, k: 3, delay: 9, z: 2}":                                                                              "plan.yaml:6:41: castle does not take z",
		columns + "stream: {model: castle, k: 3, delay: 9, active: 2}":                                                                         "plan.yaml:6:41: unknown key \"active\"",
		columns + "stream: {model: castle, k: 3, delay: 9, within: 5}":                                                                         "plan.yaml:6:41: a time is expected",
		columns + "stream: {model: castle, k: 3, delay: 9, l: 2}":                                                                              "plan.yaml:6:1: l counts the values of a column",
		columns + "stream: {model: castle, k: 3, delay: 9, l: 2, column: age}":                                                                 "plan.yaml:6:47: the column is not a sensitive one",
		columns + "stream: {model: z-anonymity, z: 3, window: -1m}":                                                                            "plan.yaml:6:36: a time is expected",
		columns + "stream: {model: castle, k: 3, delay: 9}\nsuppression: 5%":                                                                   "plan.yaml:7:1: it is of tables",
		columns + "stream: {model: castle, k: 3, delay: 9}\nprivacy: [{model: k-anonymity, k: 2}]":                                             "plan.yaml:7:1: it is of tables",
		strings.Replace(columns, "subject: who\n", "", 1) + "stream: {model: castle, k: 3, delay: 9}":                                          "plan.yaml:5:1: a stream counts subjects",
		strings.Replace(columns, ", top: 99", "", 1) + "stream: {model: castle, k: 3, delay: 9}":                                               "plan.yaml:4:3: a stream cannot see which numbers will come",
		strings.Replace(columns, ", intervals: [10], bottom: 0, top: 99", "", 1) + "stream: {model: castle, k: 3, delay: 9}":                   "plan.yaml:4:3: a stream generalises by",
		strings.Replace(columns, "technique: drop", "technique: surrogate, label: person/name", 1) + "stream: {model: castle, k: 3, delay: 9}": "plan.yaml:3:9: surrogates are numbered",
		strings.Replace(columns, "technique: drop", "role: sensitive", 1) + "stream: {model: castle, k: 3, delay: 9}":                          "plan.yaml:3:9: nothing of the stream protects",
		strings.Replace(columns, "bottom: 0", "most: 1, bottom: 0", 1) + "stream: {model: castle, k: 3, delay: 9}":                             "plan.yaml:4:39: castle does not take most",
		strings.Replace(columns, "99}", "99, weight: 2}", 1) + "stream: {model: z-anonymity, z: 3, window: 10m}":                               "plan.yaml:4:59: z-anonymity does not take weight",
		strings.Replace(columns, "age:", "/a/b:", 1) + "stream: {model: castle, k: 3, delay: 9}":                                               "plan.yaml:4:3: a stream's columns are members of the record itself",
	} {
		_, err := plan.Parse("plan.yaml", []byte(text))
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && !strings.Contains(got, want) {
			t.Errorf("Parse(%s)\n = %v\nwant %q", text[strings.Index(text, "columns"):], got, want)
		}
	}
}

func TestAPlanForAStreamIsNotCarriedOutOnATable(t *testing.T) {
	got, _, err := carry(t, people, "version: 1\ncolumns:\n  name: {technique: drop}\n  zip: {role: quasi}\nsubject: name\nstream: {model: z-anonymity, z: 2, window: 1h}\n", plan.Options{})
	if !errors.Is(err, plan.ErrStream) || got != "" {
		t.Errorf("Run() wrote %q, error %v, want nothing and ErrStream", got, err)
	}
}

// begin compiles a plan for a stream.
func begin(t *testing.T, text string) *plan.Streaming {
	t.Helper()
	p, err := plan.Parse("plan.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Compile(p.Named(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Stream("records")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func cells(texts ...string) (row []table.Cell) {
	for _, s := range texts {
		row = append(row, table.Cell{Kind: table.Text, Text: []byte(s), Src: []byte{}})
	}
	return row
}

func shown(rows [][]table.Cell) string {
	var out []string
	for _, row := range rows {
		for _, c := range row {
			out = append(out, string(c.Text))
		}
	}
	return strings.Join(out, " ")
}

// TestStreamGeneralisesByEveryCoding: z lets a value pass when two subjects have it at the least level that the plan allows.
func TestStreamGeneralisesByEveryCoding(t *testing.T) {
	for _, c := range []struct{ column, first, second, want, outside string }{
		{"intervals: [10, 20], bottom: 0, top: 99, least: 1", "31", "38", "[30-39]", "100"},
		{"intervals: [0.5], bottom: -1.5, top: 1.5, least: 1", "-0.4", "-0.1", "[-0.5,0)", "1.6"},
		{"prefix: [4, 2], least: 1", "0214", "0299", "02**", "02145"},
		{"dates: [month, year], least: 1", "2024-02-29", "2024-02-01T10:00:00Z", "2024-02", "1899-12-31"},
		{"dates: [month, year], least: 2", "2024-02-29", "2024-12-01", "2024", "2101-01-01"},
		{"intervals: [10], bottom: 0, top: 99", "31", "31", "31", "abc"},
	} {
		s := begin(t, "version: 1\ncolumns:\n  who: {technique: drop}\n  q: {role: quasi, "+c.column+"}\nsubject: who\nstream: {model: z-anonymity, z: 2, window: 1h}\n")
		for i, step := range []struct{ who, value, want string }{{"a", c.first, ""}, {"a", c.second, ""}, {"b", c.second, c.want}} {
			row := map[string]string{"q": step.value, "who": step.who}
			var texts []string
			for _, name := range s.Needed() {
				texts = append(texts, row[name])
			}
			rows, err := s.Push(int64(i+1), cells(texts...))
			if err != nil || shown(rows) != step.want {
				t.Errorf("%s: Push(%s) = %q, %v, want %q", c.column, step.value, shown(rows), err, step.want)
			}
		}
		var texts []string
		for _, name := range s.Needed() {
			texts = append(texts, map[string]string{"q": c.outside, "who": "c"}[name])
		}
		if _, err := s.Push(9, cells(texts...)); err == nil || !strings.Contains(err.Error(), "row 9, column q") || strings.Contains(err.Error(), c.outside) {
			t.Errorf("%s: Push(%s) error = %v, want row and column", c.column, c.outside, err)
		}
	}
}

func TestStreamTickEndsTheDelay(t *testing.T) {
	s := begin(t, "version: 1\ncolumns:\n  who: {technique: drop}\n  q: {role: quasi, prefix: [2, 1]}\nsubject: who\nstream: {model: castle, k: 2, delay: 50, within: 1m}\n")
	for i, who := range []string{"a", "b"} {
		row := map[string]string{"q": fmt.Sprint("1", i), "who": who}
		var texts []string
		for _, name := range s.Needed() {
			texts = append(texts, row[name])
		}
		if rows, err := s.Push(int64(i+1), cells(texts...)); err != nil || rows != nil {
			t.Fatalf("Push() = %q, %v, want nothing yet", shown(rows), err)
		}
	}
	if s.Every() <= 0 {
		t.Errorf("Every() = %v, want a time", s.Every())
	}
	if rows := s.Tick(time.Now().Add(2 * time.Minute)); shown(rows) != "1* 1*" {
		t.Errorf("Tick() = %q, want both as 1*", shown(rows))
	}
}
