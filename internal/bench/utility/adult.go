package utility

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/privacy/dp/query"
)

// person is one row of Adult. It is a privacy unit of its own.
type person struct {
	age, years, gain, loss, hours                                                  int64
	work, education, marital, occupation, relationship, race, sex, country, income string
}

// read reads the files as the repository at UCI publishes them: and in adult.test with a remark or a header first and a point behind
// each line. A question mark is a value that is missing.
func read(paths []string) ([]person, error) {
	var all []person
	for _, path := range paths {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("reading Adult: %w", err)
		}
		s := bufio.NewScanner(f)
		for n := 1; s.Scan(); n++ {
			line := strings.TrimSuffix(strings.TrimSpace(s.Text()), ".")
			if line == "" || n == 1 && (line[0] < '0' || line[0] > '9') {
				continue
			}
			p, err := personOf(strings.Split(line, ","))
			if err != nil {
				f.Close()
				return nil, fmt.Errorf("line %d of %s: %w", n, path, err)
			}
			all = append(all, p)
		}
		if err := errors.Join(s.Err(), f.Close()); err != nil {
			return nil, fmt.Errorf("reading Adult: %w", err)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("reading Adult: there are no rows")
	}
	return all, nil
}

var errLine = errors.New("it is no row of Adult")

func personOf(c []string) (p person, err error) {
	if len(c) != 15 {
		return p, errLine
	}
	for i := range c {
		if c[i] = strings.TrimSpace(c[i]); c[i] == "?" {
			c[i] = ""
		}
	}
	for i, to := range map[int]*int64{0: &p.age, 4: &p.years, 10: &p.gain, 11: &p.loss, 12: &p.hours} {
		if *to, err = strconv.ParseInt(c[i], 10, 64); err != nil {
			return p, errLine
		}
	}
	p.work, p.education, p.marital, p.occupation, p.relationship, p.race, p.sex, p.country, p.income = c[1], c[3], c[5], c[6], c[7], c[8], c[9], c[13], c[14]
	return p, nil
}

// write writes them with a header, and a number for whose row each is.
func write(path string, people []person) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing the data to ask: %w", err)
	}
	w := csv.NewWriter(f)
	rows := [][]string{{"person", "age", "years", "gain", "loss", "hours", "work", "education", "marital", "occupation", "relationship", "race", "sex", "country", "income"}}
	for i, p := range people {
		row := []string{strconv.Itoa(i + 1)}
		for _, n := range []int64{p.age, p.years, p.gain, p.loss, p.hours} {
			row = append(row, strconv.FormatInt(n, 10))
		}
		rows = append(rows, append(row, p.work, p.education, p.marital, p.occupation, p.relationship, p.race, p.sex, p.country, p.income))
	}
	if err := errors.Join(w.WriteAll(rows), f.Close()); err != nil {
		return fmt.Errorf("writing the data to ask: %w", err)
	}
	return nil
}

// dataset is what is declared of it, without looking at a row: bounds as anybody would guess them, and the values that the data's own description
// lists. The country is left without, so that groups by it are selected.
func dataset() *query.Dataset {
	number := func(name string, lo, hi int64) query.Column {
		return query.Column{Name: name, Source: name, Type: relation.Type{Kind: relation.Number, Min: lo, Max: hi}, Bounded: true}
	}
	words := func(name string, values ...string) query.Column {
		c := query.Column{Name: name, Source: name, Type: relation.Type{Kind: relation.Text}}
		for _, v := range values {
			c.Values = append(c.Values, relation.Value{Kind: relation.Text, Text: v})
		}
		return c
	}
	return &query.Dataset{Name: "adult", Unit: "person", Formal: true, Limits: query.Limits{Rows: 1, Groups: 1, MostRows: 1, MostGroups: 1}, Tables: []query.Table{{
		Name: "people", Source: "people", Unit: []string{"person"}, Columns: []query.Column{
			number("person", 0, 1<<40), number("age", 0, 100), number("years", 0, 20), number("gain", 0, 100_000), number("loss", 0, 5000), number("hours", 0, 100),
			words("work", "Private", "Self-emp-not-inc", "Self-emp-inc", "Federal-gov", "Local-gov", "State-gov", "Without-pay", "Never-worked"),
			words("education", "Bachelors", "Some-college", "11th", "HS-grad", "Prof-school", "Assoc-acdm", "Assoc-voc", "9th", "7th-8th", "12th", "Masters", "1st-4th", "10th", "Doctorate", "5th-6th", "Preschool"),
			words("marital", "Married-civ-spouse", "Divorced", "Never-married", "Separated", "Widowed", "Married-spouse-absent", "Married-AF-spouse"),
			words("occupation", "Tech-support", "Craft-repair", "Other-service", "Sales", "Exec-managerial", "Prof-specialty", "Handlers-cleaners", "Machine-op-inspct", "Adm-clerical", "Farming-fishing",
				"Transport-moving", "Priv-house-serv", "Protective-serv", "Armed-Forces"),
			words("relationship", "Wife", "Own-child", "Husband", "Not-in-family", "Other-relative", "Unmarried"),
			words("race", "White", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other", "Black"),
			words("sex", "Female", "Male"), words("country"), words("income", "<=50K", ">50K"),
		}}}}
}
