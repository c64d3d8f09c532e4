package facade_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/store/pgtest"
)

const benched = `{apiVersion: v3.1.0, kind: DataContract, id: b, version: "1", status: active, schema: [{name: stays, properties: [
{name: id, logicalType: integer, primaryKey: true, customProperties: [{property: scrim.label, value: technical/record-id}]},
{name: mrn, logicalType: string, customProperties: [{property: scrim.label, value: health/record-number}, {property: scrim.unit, value: patient}]},
{name: name, logicalType: string, customProperties: [{property: scrim.label, value: person/name}]},
{name: born, logicalType: date, customProperties: [{property: scrim.label, value: person/birth-date}]},
{name: ward, logicalType: string, classification: public}, {name: age, logicalType: integer, customProperties: [{property: scrim.label, value: person/age}]}]}]}`

const benchedRows = `CREATE TABLE stays (id INTEGER PRIMARY KEY, mrn TEXT, name TEXT, born DATE, ward TEXT, age INTEGER);`

// rowsOf are the rows of either driver.
type rowsOf interface {
	Next() bool
	Scan(...any) error
}

// plainHandler is the same query behind a handler that a service would have.
func plainHandler(query func(ctx context.Context, one bool, arg string) (rowsOf, func(), error)) http.Handler {
	type stay struct {
		ID   string `json:"id"`
		MRN  string `json:"mrn"`
		Name string `json:"name"`
		Born string `json:"born"`
		Ward string `json:"ward"`
		Age  int    `json:"age"`
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, one := strings.CutPrefix(r.URL.Path, "/stays/")
		arg := id
		if !one {
			arg = r.URL.Query().Get("ward")
		}
		rows, done, err := query(r.Context(), one, arg)
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		defer done()
		out := struct {
			Rows []stay `json:"rows"`
		}{[]stay{}}
		for rows.Next() {
			var s stay
			if err := rows.Scan(&s.ID, &s.MRN, &s.Name, &s.Born, &s.Ward, &s.Age); err != nil {
				http.Error(w, err.Error(), 500)
				return
			}
			out.Rows = append(out.Rows, s)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(out)
	})
}

// BenchmarkFacade reads one row by its key and a hundred by a condition: through a plain handler in this process, and
// through the facade over REST, for a caller of the house who sees all and for one of another domain. Durable: the
// journal is synced for each request and for each answer, as in a running gateway.
func BenchmarkFacade(b *testing.B) {
	var fill bytes.Buffer
	fill.WriteString(benchedRows)
	for i := range 10_000 {
		fmt.Fprintf(&fill, "INSERT INTO stays VALUES (%d, 'MRN-%06d', 'Jane Doe', '1961-04-12', 'w%d', %d);\n", i, i, i/100, i%90)
	}
	file := ""
	b.Run("sqlite", func(b *testing.B) {
		if file == "" {
			file = database(b, "BEGIN;"+fill.String()+"COMMIT;")
		}
		source, err := facade.SQLite(file, 5e9)
		if err != nil {
			b.Fatal(err)
		}
		db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		query := map[bool]string{true: `SELECT id, mrn, name, CAST(born AS TEXT), ward, age FROM stays WHERE id = ?`, false: `SELECT id, mrn, name, CAST(born AS TEXT), ward, age FROM stays WHERE ward = ? ORDER BY id LIMIT 100`}
		benchFacade(b, source, plainHandler(func(ctx context.Context, one bool, arg string) (rowsOf, func(), error) {
			rows, err := db.QueryContext(ctx, query[one], arg)
			return rows, func() { _ = rows.Close() }, err
		}))
	})
	b.Run("postgres", func(b *testing.B) {
		url := pgtest.Start(b).Database(b)
		pgtest.Exec(b, url, strings.ReplaceAll(benchedRows, "INTEGER", "bigint"), `INSERT INTO stays SELECT i, 'MRN-' || lpad(i::text, 6, '0'), 'Jane Doe', '1961-04-12', 'w' || i / 100, i % 90 FROM generate_series(0, 9999) i`, `CREATE INDEX ON stays (ward)`, `ANALYZE stays`)
		source, err := facade.Postgres(url, 5e9)
		if err != nil {
			b.Fatal(err)
		}
		conn, err := pgx.Connect(b.Context(), url)
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close(context.Background())
		query := map[bool]string{true: `SELECT id::text, mrn, name, born::text, ward, age FROM stays WHERE id = $1::text::bigint`, false: `SELECT id::text, mrn, name, born::text, ward, age FROM stays WHERE ward = $1 ORDER BY id LIMIT 100`}
		benchFacade(b, source, plainHandler(func(ctx context.Context, one bool, arg string) (rowsOf, func(), error) {
			rows, err := conn.Query(ctx, query[one], arg)
			return rows, rows.Close, err
		}))
	})
}

func benchFacade(b *testing.B, source facade.Source, plain http.Handler) {
	srv := httptest.NewServer(plain)
	b.Cleanup(srv.Close)
	r := newRig(b, source, func(o *facade.Options, s *gatewaytest.Setup) {
		o.Contracts, o.Tables = parsed(b, benched), []facade.Table{{Name: "stays"}}
		s.NoSync = false
		s.Policy += `@id("ids") @exception("test") permit (principal in Domain::"other", action in Action::"upto_raw", resource in DataClass::"technical/record-id");`
	})
	for _, n := range []struct{ name, path string }{{"1 row", "stays/4711"}, {"100 rows", "stays?ward=w47&limit=100"}} {
		for _, who := range []struct{ name, url, key string }{{"plain", srv.URL + "/", ""}, {"house", r.url + "/facade/records/", "scrim_own"}, {"abroad", r.url + "/facade/records/", "scrim_lab"}} {
			b.Run(n.name+"/"+who.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					fetch(b, who.url+n.path, who.key)
				}
			})
		}
	}
}

func fetch(b *testing.B, url, key string) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header["Authorization"], req.Header["Scrim-Purpose"], req.Header["Scrim-Criticality"] = []string{"Bearer " + key}, []string{"care"}, []string{"critical"}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		b.Fatalf("%d %s %v", res.StatusCode, body, err)
	}
}
