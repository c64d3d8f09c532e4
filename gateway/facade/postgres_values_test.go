package facade_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/store/pgtest"
)

const typed = `apiVersion: v3.1.0
kind: DataContract
id: typed
version: 1.0.0
status: active
schema:
  - name: things
    properties:
      - {name: id, logicalType: integer, primaryKey: true, classification: public}
      - {name: code, logicalType: string, classification: public}
      - {name: mood, logicalType: string, classification: public}
      - {name: net, logicalType: string, classification: public}
      - {name: small, logicalType: integer, classification: public}
      - {name: worth, logicalType: number, classification: public}
      - {name: part, logicalType: number, classification: public}
      - {name: day, logicalType: date, classification: public}
      - {name: moment, logicalType: timestamp, classification: public}
      - {name: truth, logicalType: boolean, classification: public}
      - {name: text, logicalType: string, classification: public}
  - name: codes
    physicalName: things
    properties:
      - {name: code, logicalType: string, primaryKey: true, classification: public}
      - {name: id, logicalType: integer, classification: public}
`

// typedRig is a facade before a table of columns whose types hold less than a caller may write.
func typedRig(t *testing.T, address string, faults *strings.Builder) *rig {
	t.Helper()
	source, err := facade.Postgres(address, patience)
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, source, func(o *facade.Options, s *gatewaytest.Setup) {
		o.Contracts, o.Tables = parsed(t, typed), []facade.Table{{Name: "things"}, {Name: "codes"}}
		s.Hooks.Error = func(err error) { fmt.Fprintln(faults, err) }
	})
}

const typedRows = `CREATE TABLE things (id integer PRIMARY KEY, code uuid, mood mood, net inet, small smallint, worth bigint, part real, day date, moment timestamptz, truth integer, text text);
INSERT INTO things VALUES
 (1, '11111111-1111-4111-8111-111111111111', 'sad', '10.0.0.1', 32767, 1000, 0.1, '2026-01-31', '2026-01-31T10:00:00Z', 1, 'plain'),
 (2, '22222222-2222-4222-8222-222222222222', 'glad', '10.0.0.2', -32768, -1, -0.5, '1999-12-31', '1999-12-31T10:00:00Z', 1, 'fine'),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`

// TestAValueThatTheColumnsTypeDoesNotHoldIsFoundNowhere compares columns of PostgreSQL with what their types refuse to read:
// it is answered like a value that no row has, and bounds beyond a type's range hold for all rows or for none.
func TestAValueThatTheColumnsTypeDoesNotHoldIsFoundNowhere(t *testing.T) {
	owner := pgtest.Common(t).Database(t)
	pgtest.Exec(t, owner, `CREATE TYPE mood AS ENUM ('sad', 'glad', 'never')`, typedRows)
	var faults strings.Builder
	r := typedRig(t, owner, &faults)
	for where, want := range map[string]string{
		`"code":{"eq":"no uuid"}`: "", `"mood":{"eq":"neither"}`: "", `"net":{"eq":"somewhere"}`: "", `"truth":{"eq":true}`: "",
		`"code":{"in":["no uuid","22222222-2222-4222-8222-222222222222","11111111-1111-4111-8111-11111111111"]}`: "2", `"mood":{"in":["neither","sad"]}`: "1",
		`"code":{"eq":"no uuid"},"id":{"null":false}`: "", `"code":{"in":["no uuid","11111111-1111-4111-8111-111111111111"]},"id":{"in":[3000000000,1,2]},"text":{"null":false}`: "1",
		`"id":{"eq":3000000000}`: "", `"id":{"in":[3000000000,2]}`: "2", `"id":{"lt":3000000000}`: "123", `"id":{"le":3000000000}`: "123", `"id":{"gt":3000000000}`: "", `"id":{"ge":-3000000000}`: "123", `"id":{"le":-3000000000}`: "",
		`"small":{"lt":32768}`: "12", `"small":{"ge":32768}`: "", `"small":{"gt":-40000}`: "12", `"small":{"eq":-40000}`: "", `"small":{"ge":32767,"le":99999}`: "1",
		`"worth":{"eq":1e3}`: "1", `"worth":{"in":[1000.0,0.5]}`: "1", `"worth":{"eq":999.5}`: "", `"worth":{"gt":999.5}`: "1", `"worth":{"ge":1000.5}`: "", `"worth":{"lt":-0.5}`: "2", `"worth":{"le":-1.5}`: "", `"worth":{"gt":-1.5}`: "12", `"worth":{"lt":1e300}`: "12", `"worth":{"ge":-1e300}`: "12", `"worth":{"lt":-9223372036854775808.5}`: "",
		`"part":{"eq":0.1}`: "1", `"part":{"lt":1e300}`: "12", `"part":{"gt":1e300}`: "", `"part":{"ge":-1e300}`: "12", `"part":{"eq":1e300}`: "", `"part":{"gt":1e-300}`: "1", `"part":{"le":1e-300}`: "2", `"part":{"lt":-1e-300}`: "2", `"part":{"ge":-1e-300}`: "1",
		`"day":{"ge":"0000-01-01"}`: "12", `"day":{"lt":"0000-06-01"}`: "", `"day":{"eq":"0000-06-01"}`: "", `"moment":{"ge":"0000-01-01T00:00:00Z"}`: "12", `"moment":{"gt":"0000-01-01T00:00:00+14:00"}`: "12", `"moment":{"le":"0000-01-01T00:00:00Z"}`: "", `"moment":{"lt":"9999-12-31T23:59:59-14:00"}`: "12",
	} {
		got, ids := r.call(t, "scrim_own", "things_search", `{"columns":["id"],"where":{`+where+`}}`), ""
		for _, row := range got.Rows {
			ids += fmt.Sprint(row["id"])
		}
		if got.refused != "" || ids != want {
			t.Errorf("%s finds %q, want %q: %s", where, ids, want, got.body)
		}
	}
	for bad, none := range map[string]string{
		`things_search {"where":{"mood":{"eq":"neither"}}}`: `things_search {"where":{"mood":{"eq":"never"}}}`,
		`things_get {"key":{"id":3000000000}}`:              `things_get {"key":{"id":4}}`,
		`codes_get {"key":{"code":"no uuid"}}`:              `codes_get {"key":{"code":"33333333-3333-4333-8333-333333333333"}}`,
	} {
		badTool, badArguments, _ := strings.Cut(bad, " ")
		tool, arguments, _ := strings.Cut(none, " ")
		if a, b := r.call(t, "scrim_own", badTool, badArguments), r.call(t, "scrim_own", tool, arguments); a.refused != "" || string(a.Structured) != string(b.Structured) || len(b.Rows) != 0 {
			t.Errorf("%s is answered with %s, %s with %s", bad, a.body, none, b.body)
		}
	}
	many, _ := json.Marshal(slices.Repeat([]string{strings.Repeat("no uuid ", 500)}, 100))
	if got := r.call(t, "scrim_own", "things_search", `{"where":{"code":{"in":`+string(many)+`}}}`); got.refused != "" || len(got.Rows) != 0 {
		t.Errorf("a hundred long values are answered with %s", got.body)
	}
	if faults.Len() > 0 {
		t.Errorf("whoever operates the gateway hears of callers' values: %s", faults.String())
	}
	if got := r.call(t, "scrim_own", "things_search", `{"where":{"worth":{"lt":1e-400}}}`); got.refused == "" {
		t.Errorf("a number that is too small to be told from none is compared: %s", got.body)
	}
	// What the data makes fail is a failure still, whatever else does not fit.
	pgtest.Exec(t, owner, `ALTER TABLE things RENAME TO old`, `CREATE VIEW things AS SELECT id, code, mood, net, small, worth, part, day, moment, truth, 1 / (id - 1) || 'x' AS text FROM old`)
	if got := r.call(t, "scrim_own", "things_search", `{"where":{"code":{"in":["no uuid","11111111-1111-4111-8111-111111111111"]}}}`); got.refused != "The source did not answer." || !strings.Contains(faults.String(), "22012") {
		t.Errorf("a view that divides by zero gives %s and %q", got.body, faults.String())
	}
}

// TestALetterThatTheDatabaseDoesNotHaveIsFoundNowhere has a database whose encoding lacks most letters.
func TestALetterThatTheDatabaseDoesNotHaveIsFoundNowhere(t *testing.T) {
	server := pgtest.Common(t)
	pgtest.Exec(t, server.URL("postgres"), `DROP DATABASE IF EXISTS facade_latin`, `CREATE DATABASE facade_latin ENCODING 'LATIN1' TEMPLATE template0`)
	owner := server.URL("facade_latin")
	pgtest.Exec(t, owner, `CREATE TYPE mood AS ENUM ('sad', 'glad')`, typedRows)
	var faults strings.Builder
	r := typedRig(t, owner, &faults)
	if got := r.call(t, "scrim_own", "things_search", `{"where":{"text":{"in":["Łódź","plain"]}}}`); got.refused != "" || len(got.Rows) != 1 || faults.Len() > 0 {
		t.Errorf("a letter that the database does not have gives %s, and the fault %q", got.body, faults.String())
	}
}
