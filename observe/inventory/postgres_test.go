//go:build unix

package inventory

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
	"github.com/scrimhq/scrim/store/pgtest"
)

// clinic are the statements that make a database of thirty tables in three schemas.
func clinic() []string {
	q := []string{
		`CREATE SCHEMA billing`, `CREATE SCHEMA ops`,
		`CREATE TABLE patients (id bigint PRIMARY KEY, full_name text NOT NULL, birth_date date, email varchar(80) UNIQUE, phone text, note text, active boolean)`,
		`INSERT INTO patients SELECT i, 'Canary ' || i, date '1950-01-01' + i, 'canary' || i || '@example.org', '+49 30 ' || 1000000 + i, NULL, i % 2 = 0 FROM generate_series(1, 5000) i`,
		`CREATE TABLE visits (id bigint PRIMARY KEY, patient bigint NOT NULL REFERENCES patients, at timestamptz, ward text, codes text[], detail jsonb)`,
		`INSERT INTO visits SELECT i, i % 5000 + 1, now(), 'W' || i % 7, ARRAY['J10','K2' || i % 10], jsonb_build_object('ip', '10.0.0.' || i % 250, 'device', jsonb_build_object('os', 'x')) FROM generate_series(1, 8000) i`,
		`CREATE TABLE billing.invoices (no text, line int, patient bigint REFERENCES public.patients (id), iban text, amount numeric(10,2), PRIMARY KEY (no, line))`,
		`INSERT INTO billing.invoices SELECT 'R' || i, 1, i, 'DE02120300000000202051', i / 7.0 FROM generate_series(1, 300) i`,
		`CREATE VIEW ops.adults AS SELECT * FROM patients`,
		`CREATE TABLE ops.measured (day date, sensor int, value float8) PARTITION BY RANGE (day)`,
		`CREATE TABLE ops.measured_old PARTITION OF ops.measured FOR VALUES FROM ('2000-01-01') TO ('2020-01-01')`,
		`CREATE TABLE ops.measured_new PARTITION OF ops.measured FOR VALUES FROM ('2020-01-01') TO ('2040-01-01')`,
		`INSERT INTO ops.measured SELECT date '2019-12-01' + i % 100, i, i FROM generate_series(1, 900) i`,
		`CREATE TABLE """; drop table patients; --" ("a` + "\n\x1b[31m" + `b" text, "select" int, "Ä/ö" text)`,
		`INSERT INTO """; drop table patients; --" VALUES ('x', 1, 'y')`,
	}
	for i := range 24 {
		q = append(q, fmt.Sprintf(`CREATE TABLE ops.log_%02d (id bigint PRIMARY KEY, at timestamptz DEFAULT now(), ip inet, actor bigint REFERENCES public.patients)`, i))
	}
	return q
}

func TestPostgresDatabaseOfThirtyTables(t *testing.T) {
	server := pgtest.Common(t)
	url := server.Database(t)
	pgtest.Exec(t, url, clinic()...)
	real, err := column.New(column.Options{})
	if err != nil {
		t.Fatal(err)
	}
	inv, err := Scan(t.Context(), Postgres(flow.NewSecret(url)), real, Options{Sample: 400})
	if err != nil {
		t.Fatal(err)
	}
	assets := map[string]Asset{}
	for _, a := range inv.Assets {
		if a.Failed {
			t.Errorf("%s could not be looked at: %s", a.Name, a.Why)
		}
		assets[a.Name] = a
	}
	tables := len(inv.Assets) - 1 // and a view
	if tables != 29 && tables != 30 || !strings.HasPrefix(inv.Source, "PostgreSQL database test") {
		t.Errorf("%d tables in %q", tables, inv.Source)
	}
	p := assets["public.patients"]
	if p.Rows != 5000 || !p.Exact || p.Sampled != 400 {
		t.Errorf("patients: %d rows (counted: %v), %d looked at; want 5000, counted, 400", p.Rows, p.Exact, p.Sampled)
	}
	email := p.Columns[3]
	if email.Type != "character varying(80)" || !email.Unique || len(email.Guesses) == 0 || email.Guesses[0].Label != "person/contact/email" {
		t.Errorf("column email: %+v", email)
	}
	visit := assets["public.visits"]
	if visit.Columns[1].References != "public.patients.id" {
		t.Errorf("visits.patient refers to %q", visit.Columns[1].References)
	}
	if c := assets["billing.invoices"].Columns; c[2].References != "public.patients.id" || !c[0].Key || c[0].Unique {
		t.Errorf("invoices: %+v", c)
	}
	var names []string
	for _, c := range visit.Columns {
		names = append(names, c.Name)
	}
	if !slices.Contains(names, "detail.ip") || !slices.Contains(names, "detail.device.os") {
		t.Errorf("members of JSON are not columns: %q", names)
	}
	if m := assets["ops.measured"]; m.Rows != 900 || assets["ops.measured_new"].Name != "" {
		t.Errorf("the divided table has %d rows, want 900, and its parts are listed by themselves", m.Rows)
	}
	if v := assets["ops.adults"]; v.Kind != View || v.Sampled != 0 || len(v.Columns) != 7 || v.Why == "" {
		t.Errorf("the view: %+v", v)
	}
	if odd := assets[`public."; drop table patients; --`]; odd.Rows != 1 || len(odd.Columns) != 3 {
		t.Errorf("the table with an odd name: %+v", odd)
	}
	out, err := json.Marshal(inv)
	if err != nil {
		t.Fatal(err)
	}
	for _, canary := range []string{"Canary", "canary7@", "DE0212", "10.0.0.", server.Password()} {
		if strings.Contains(string(out), canary) {
			t.Errorf("the inventory holds %q", canary)
		}
	}
}

// What a user of the database wrote must not run with the rights of whoever scans it.
func TestPostgresRunsNothingThatUsersWrote(t *testing.T) {
	url := pgtest.Common(t).Database(t)
	pgtest.Exec(t, url,
		`CREATE SEQUENCE ran`,
		`CREATE FUNCTION trap() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'canary: it ran'; END $$`,
		`CREATE VIEW bait AS SELECT trap() AS x`,
		`CREATE TYPE mood AS ENUM ('good', 'bad')`,
		`CREATE FUNCTION shown(mood) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'canary: a cast ran'; END $$`,
		`CREATE CAST (mood AS text) WITH FUNCTION shown(mood) AS ASSIGNMENT`,
		`CREATE FUNCTION shown_json(mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'canary: a cast ran'; END $$`,
		`CREATE CAST (mood AS json) WITH FUNCTION shown_json(mood)`,
		`CREATE TABLE diary (id int, m mood, ms mood[])`,
		`INSERT INTO diary VALUES (1, 'good', '{bad,good}')`,
		`CREATE TABLE guarded (id int)`, `INSERT INTO guarded VALUES (1)`,
		`CREATE FUNCTION allowed() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'canary: a policy ran'; END $$`,
		`ALTER TABLE guarded ENABLE ROW LEVEL SECURITY`, `ALTER TABLE guarded FORCE ROW LEVEL SECURITY`,
		`CREATE POLICY p ON guarded USING (allowed())`,
		`CREATE FUNCTION public.left(text, int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'canary: it ran'; END $$`,
	)
	inv, l := scan(t, Postgres(flow.NewSecret(url)), Options{})
	for _, a := range inv.Assets {
		if strings.Contains(a.Why, "canary") || a.Failed {
			t.Errorf("%s: %s", a.Name, a.Why)
		}
	}
	if v := l["diary/m"].Values; !slices.Equal(v, []string{"good"}) {
		t.Errorf("values of a type of the user's own: %q", v)
	}
	at, _, _ := strings.Cut(url[strings.LastIndex(url, "/test")+1:], "?")
	reader := "reader_of_" + at // roles are the server's, which has other databases of this test if it runs again
	pgtest.Exec(t, url, `CREATE ROLE `+reader+` LOGIN PASSWORD 'x'`, `GRANT SELECT ON guarded TO `+reader)
	inv, _ = scan(t, Postgres(flow.NewSecret(strings.Replace(url, "owner:"+pgtest.Common(t).Password(), reader+":x", 1))), Options{})
	i := slices.IndexFunc(inv.Assets, func(a Asset) bool { return a.Name == "public.guarded" })
	if a := inv.Assets[i]; !a.Failed || !strings.Contains(a.Why, "42501") { // P0001 if the policy ran
		t.Errorf("a table with a policy for rows: %+v", a)
	}
	i = slices.IndexFunc(inv.Assets, func(a Asset) bool { return a.Name == "public.diary" })
	if a := inv.Assets[i]; !a.Failed || a.Sampled != 0 || len(a.Columns) != 3 || a.Columns[0].Why == "" {
		t.Errorf("a table that the user may not read: %+v", a)
	}
	inv, _ = scan(t, Postgres(flow.NewSecret(url)), Options{Views: true})
	if a := inv.Assets[0]; a.Name != "public.bait" || !a.Failed || strings.Contains(a.Why, "canary") {
		t.Errorf("a view that fails, once it is asked for: %+v", a)
	}
}

func TestPostgresErrorsNameThePlaceAndNoSecret(t *testing.T) {
	url := pgtest.Common(t).Database(t)
	password := pgtest.Common(t).Password()
	for name, bad := range map[string]string{
		"wrong password": strings.Replace(url, password, "canary-wrong", 1),
		"no database":    strings.Replace(url, "/test", "/nowhere", 1),
		"no address":     "postgres://owner:" + password + "@[::bad/x",
	} {
		_, err := Scan(t.Context(), Postgres(flow.NewSecret(bad)), looker{}, Options{})
		if err == nil || strings.Contains(err.Error(), password) || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "PostgreSQL database") {
			t.Errorf("%s: error = %v", name, err)
		}
	}
}

// A server that answers anything, or for ever, ends the scan with an error in time.
func TestPostgresServerThatLies(t *testing.T) {
	for name, answer := range map[string]func(net.Conn){
		"garbage": func(c net.Conn) { _, _ = c.Write([]byte("HTTP/1.1 200 OK\r\n\r\ncanary canary canary")) },
		"endless": func(c net.Conn) {
			for _, err := c.Write(make([]byte, 1<<16)); err == nil; _, err = c.Write(make([]byte, 1<<16)) {
			}
		},
		"huge": func(c net.Conn) {
			_, _ = c.Write([]byte{'R', 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0})
			time.Sleep(time.Minute)
		},
		"no answer": func(c net.Conn) { time.Sleep(time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			go func() {
				for {
					c, err := listener.Accept()
					if err != nil {
						return
					}
					go func() { defer c.Close(); answer(c) }()
				}
			}()
			url := "postgres://u:secret-canary@" + listener.Addr().String() + "/db?sslmode=disable"
			_, err = Scan(t.Context(), Postgres(flow.NewSecret(url)), looker{}, Options{Each: time.Second})
			if err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "PostgreSQL database") {
				t.Errorf("error = %v, want one that names the database and repeats nothing", err)
			}
		})
	}
}

// endlessRows speaks PostgreSQL well, and answers each question with rows of tables that never end.
func endlessRows(c net.Conn) {
	b := pgproto3.NewBackend(c, c)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	field := func(name string, oid uint32) pgproto3.FieldDescription {
		return pgproto3.FieldDescription{Name: []byte(name), DataTypeOID: oid, DataTypeSize: -1, TypeModifier: -1}
	}
	row := &pgproto3.DataRow{Values: [][]byte{{0, 0, 0, 1}, []byte("public"), []byte("canary"), []byte("r"), make([]byte, 8), {1}, make([]byte, 8)}}
	for b.Flush() == nil {
		m, err := b.Receive()
		if err != nil {
			return
		}
		switch m.(type) {
		case *pgproto3.Query:
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("BEGIN")})
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'T'})
		case *pgproto3.Parse:
			b.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Describe:
			b.Send(&pgproto3.ParameterDescription{ParameterOIDs: []uint32{20}})
			b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{
				field("oid", 26), field("schema", 19), field("name", 19), field("kind", 25), field("tuples", 701), field("usable", 16), field("size", 20)}})
		case *pgproto3.Bind:
			b.Send(&pgproto3.BindComplete{})
		case *pgproto3.Sync:
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'T'})
		case *pgproto3.Execute:
			for n := 1; ; n++ {
				if b.Send(row); n%1000 == 0 && b.Flush() != nil {
					return
				}
			}
		}
	}
}

func TestPostgresServerThatSendsTablesWithoutEnd(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); endlessRows(c) }()
		}
	}()
	began := time.Now()
	_, err = Scan(t.Context(), Postgres(flow.NewSecret("postgres://u@"+listener.Addr().String()+"/db?sslmode=disable")), looker{}, Options{})
	if err == nil || !strings.Contains(err.Error(), "more than 20000 tables") || strings.Contains(err.Error(), "canary") {
		t.Errorf("error = %v, want one that counts", err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
}
