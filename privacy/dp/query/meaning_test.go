//go:build unix

package query_test

import (
	"context"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/scrimhq/scrim/data/sql/relation"
	"github.com/scrimhq/scrim/data/sql/relation/relationtest"
	"github.com/scrimhq/scrim/privacy/dp/query"
	"github.com/scrimhq/scrim/store/pgtest"
)

// asked compiles a question with room for every row and group, and computes it without noise: sums as decimal numbers by group.
func asked(t *testing.T, d *query.Dataset, tables relationtest.Tables, sql string) (map[string][]string, *query.Plan, error) {
	t.Helper()
	p, err := query.Compile(d, query.Question{SQL: sql, Rows: d.Limits.MostRows, Groups: d.Limits.MostGroups})
	if err != nil {
		return nil, nil, err
	}
	groups, err := relation.Evaluate(t.Context(), &p.Relation, relation.Seed{1}, tables.Open(), nil)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	out := map[string][]string{}
	for _, g := range groups {
		var keys, sums []string
		for i, k := range g.Keys {
			keys = append(keys, valueText(k, p.Keys[i].Type.Places))
		}
		for _, c := range p.Columns {
			a, ok := c.Expr.(query.PostAggregate)
			if !ok {
				continue
			}
			m := p.Measures[p.Aggregates[a.Aggregate].Measures[0]]
			sums = append(sums, rational(g.Sums[m.Sum], m.Places).RatString())
		}
		out[strings.Join(keys, "|")] = sums
	}
	return out, p, nil
}

func rational(v int64, places int) *big.Rat {
	return new(big.Rat).SetFrac(big.NewInt(v), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil))
}

func valueText(v relation.Value, places int) string {
	switch {
	case v.Null:
		return "NULL"
	case v.Kind == relation.Number:
		return rational(v.Int, places).RatString()
	case v.Kind == relation.Text:
		return v.Text
	case v.Kind == relation.Truth:
		return fmt.Sprint(v.Int == 1)
	case v.Kind == relation.Date:
		return dayText(v.Int)
	}
	return stamp(v.Int)[:19]
}

// oracle runs the asker's own text on PostgreSQL, over the same rows: keys first, then numbers.
func oracle(t *testing.T, conn *pgx.Conn, sql string) (map[string][]string, error) {
	rows, err := conn.Query(context.Background(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string][]string{}
	for rows.Next() {
		var keys, sums []string
		for i, v := range rows.RawValues() {
			f := rows.FieldDescriptions()[i]
			switch {
			case strings.HasPrefix(f.Name, "k"):
				keys = append(keys, pgText(v, f.DataTypeOID))
			case v == nil:
				sums = append(sums, "0") // the sum of nothing
			default:
				sums = append(sums, pgText(v, f.DataTypeOID))
			}
		}
		out[strings.Join(keys, "|")] = sums
	}
	return out, rows.Err()
}

func pgText(v []byte, oid uint32) string {
	switch {
	case v == nil:
		return "NULL"
	case oid == pgtype.BoolOID:
		return fmt.Sprint(string(v) == "t")
	case oid == pgtype.TextOID:
		return string(v)
	}
	if r, ok := new(big.Rat).SetString(string(v)); ok {
		return r.RatString()
	}
	return string(v)
}

// store fills PostgreSQL with the tables under the names that questions use.
func store(t *testing.T, conn *pgx.Conn, tables relationtest.Tables) {
	t.Helper()
	create := []string{
		"CREATE TABLE patients (id int8, name text, born date, sex text, weight numeric(9, 1), smoker bool)",
		"CREATE TABLE stays (stay int8, patient_id int8, admitted timestamp, left_on date, ward text, diagnosis text, age int4, cost numeric(12, 2), code int8)",
		"CREATE TABLE visits (stay_id int8, minutes int4, kind text)",
		"CREATE TABLE codes (diagnosis text, chapter text, level int4)",
	}
	for i, table := range tables {
		if _, err := conn.Exec(t.Context(), create[i]); err != nil {
			t.Fatal(err)
		}
		for _, row := range table.Rows {
			var cells []string
			for _, c := range row {
				if c == nil {
					cells = append(cells, "NULL")
				} else {
					cells = append(cells, "'"+strings.TrimSuffix(fmt.Sprint(c), "Z")+"'")
				}
			}
			name := strings.TrimPrefix(table.Name, "src.")
			if _, err := conn.Exec(t.Context(), "INSERT INTO "+name+" VALUES ("+strings.Join(cells, ", ")+")"); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// wide is the clinic with room for all rows and groups.
func wide() *query.Dataset {
	d := clinic()
	d.Limits = query.Limits{Rows: 1000, MostRows: 1000, Groups: 1000, MostGroups: 1000, MostCells: 10_000}
	return d
}

// A question means what its text means to PostgreSQL: where nothing is cut off and no noise is added, both count the same.
// Left aside is what differs on purpose, which the page on the language lists: x/0, groups of NULL, and places of quotients.
func TestQuestionsMeanWhatTheySayInPostgreSQL(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	rng := rand.New(rand.NewPCG(7, 8))
	tables := randomClinic(rng, 60, 0)
	store(t, conn, tables)
	for _, sql := range meanings {
		agree(t, conn, tables, sql)
	}
	n := 150
	if os.Getenv("SCRIM_LONG") == "1" {
		n = 4_000
	}
	g := &wording{rng}
	compiled := 0
	for range n {
		if agree(t, conn, tables, g.question()) {
			compiled++
		}
		if t.Failed() {
			return
		}
	}
	if compiled < n/3 {
		t.Errorf("of %d random questions %d were taken: too few to tell anything", n, compiled)
	}
}

func connect(t *testing.T) *pgx.Conn {
	t.Helper()
	url := pgtest.Common(t).Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// agree compares the two, and reports whether the question was taken.
func agree(t *testing.T, conn *pgx.Conn, tables relationtest.Tables, sql string) bool {
	t.Helper()
	got, p, err := asked(t, wide(), tables, sql)
	if err != nil {
		if !strings.Contains(err.Error(), "rule bounds") && !strings.Contains(err.Error(), "rule size") && !strings.Contains(err.Error(), "rule cells") {
			t.Errorf("%s\n\t%v", sql, err)
		}
		return false
	}
	want, err := oracle(t, conn, sql)
	if strings.Contains(fmt.Sprint(err), "SQLSTATE 22003") || strings.Contains(fmt.Sprint(err), "SQLSTATE 22008") {
		return false // PostgreSQL's own integers or dates are too small
	}
	if err != nil {
		t.Errorf("%s\n\tPostgreSQL: %v", sql, err)
		return false
	}
	for k, w := range want {
		g, ok := got[k]
		if !ok && publicNull(p, k) {
			continue // NULL is no group of a public domain
		}
		if !ok || strings.Join(g, " ") != strings.Join(w, " ") {
			t.Errorf("%s\n\tgroup %s: %v, PostgreSQL has %v", sql, k, g, w)
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s\n\tgroup %s is not in PostgreSQL's answer", sql, k)
		}
	}
	return true
}

// publicNull is whether a group has NULL for a key of a public domain.
func publicNull(p *query.Plan, group string) bool {
	for i, k := range strings.Split(group, "|") {
		if k == "NULL" && i < len(p.Keys) && p.Keys[i].Values != nil {
			return true
		}
	}
	return false
}
