//go:build unix

package run_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/store/pgtest"
)

// A facade reads PostgreSQL by a role that may read its table alone, and scrim doctor says what is not as the contract has it.
func TestAFacadeBeforePostgresByConfiguration(t *testing.T) {
	owner := pgtest.Start(t).Database(t)
	pgtest.Exec(t, owner,
		"CREATE TABLE clinic_stays (patient_id text PRIMARY KEY, ward text, age bigint)", "INSERT INTO clinic_stays SELECT 'p' || i, 'icu', 20 + i FROM generate_series(0, 9) i",
		"CREATE ROLE facade_reader LOGIN PASSWORD 'reads-stays'", "GRANT SELECT ON clinic_stays TO facade_reader")
	reader, err := url.Parse(owner)
	if err != nil {
		t.Fatal(err)
	}
	reader.User = url.UserPassword("facade_reader", "reads-stays")
	secret := filepath.Join(t.TempDir(), "url")
	if err := os.WriteFile(secret, []byte(reader.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ward, wardDigest := identity.NewKey()
	_, labDigest := identity.NewKey()
	yaml := strings.Replace(fmt.Sprintf(facadeYAML, wardDigest, labDigest, "SOURCE"), "sqlite: SOURCE", "postgres: {file: "+strconv.Quote(secret)+"}", 1)
	c := load(t, lay(t, yaml, map[string]string{"contract.yaml": staysContract}))
	a, _ := c.Agent("stays")
	if err := run.CheckFacade(t.Context(), c, &a); err != nil {
		t.Errorf("the source is as the contract says, and yet: %v", err)
	}
	_, addr, _ := serve(t, c, run.Options{})
	if got := facadeCall(t, addr, ward.Expose(), "stays_search", `{"where":{"age":{"ge":28}}}`); !strings.Contains(got, `{"patient":"p8","age":28},{"patient":"p9","age":29}`) {
		t.Errorf("the ward sees %s", got)
	}
	pgtest.Exec(t, owner, "ALTER TABLE clinic_stays RENAME COLUMN age TO years")
	err = run.CheckFacade(t.Context(), c, &a)
	if err == nil || !strings.Contains(err.Error(), "table stays") || strings.Contains(err.Error(), "reads-stays") {
		t.Errorf("without a column of the contract the check says %v", err)
	}
	if got := facadeCall(t, addr, ward.Expose(), "stays_list", `{}`); !strings.Contains(got, "not as the data contract says") || strings.Contains(got, "years") {
		t.Errorf("without a column of the contract the ward sees %s", got)
	}
}

// A password that was rotated is taken at the next reload, though the configuration says what it said; the source that was
// opened with the one before is closed then, and not before another is in force.
func TestAFacadeTakesARotatedAddressAtAReload(t *testing.T) {
	server := pgtest.Start(t)
	admin := server.URL("postgres")
	filled := func(ward string) string {
		address := server.Database(t)
		pgtest.Exec(t, address, "CREATE TABLE clinic_stays (patient_id text PRIMARY KEY, age bigint)", "INSERT INTO clinic_stays VALUES ('"+ward+"', 30)")
		return address
	}
	first, second := filled("before"), filled("after")
	secret := filepath.Join(t.TempDir(), "url")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(secret, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(first)
	ward, wardDigest := identity.NewKey()
	_, labDigest := identity.NewKey()
	yaml := strings.Replace(fmt.Sprintf(facadeYAML, wardDigest, labDigest, "SOURCE"), "sqlite: SOURCE", "postgres: {file: "+strconv.Quote(secret)+"}", 1)
	g, addr, _ := serve(t, load(t, lay(t, yaml, map[string]string{"contract.yaml": staysContract})), run.Options{})
	shows := func(when, want string) {
		t.Helper()
		if got := facadeCall(t, addr, ward.Expose(), "stays_list", `{}`); !strings.Contains(got, `"patient":"`+want+`"`) {
			t.Errorf("%s the ward sees %s, want %q", when, got, want)
		}
	}
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	sessions := func() (all string) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), "SELECT coalesce(string_agg(datname || ' ' || pid, ', ' ORDER BY pid), '') FROM pg_stat_activity WHERE application_name = 'scrim' AND backend_type = 'client backend'").Scan(&all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	shows("at the start", "before")
	open := sessions()
	if err := g.Reload(t.Context(), "nothing is other"); err != nil {
		t.Fatal(err)
	}
	shows("after a reload without a change", "before")
	if now := sessions(); now != open || open == "" {
		t.Errorf("a reload without a change opens the source again: %q, then %q", open, now)
	}
	write("")
	if err := g.Reload(t.Context(), "a broken rotation"); err == nil || strings.Contains(err.Error(), server.Password()) {
		t.Errorf("with an empty file a reload says %v", err)
	}
	shows("after a reload that failed", "before")
	write(second + "\n")
	if err := g.Reload(t.Context(), "a rotation"); err != nil {
		t.Fatal(err)
	}
	shows("after the rotation", "after")
	for end := time.Now().Add(time.Minute); strings.Contains(sessions(), open); time.Sleep(20 * time.Millisecond) { // the server needs a moment to see it
		if time.Now().After(end) {
			t.Fatalf("the source before is still open: %s", sessions())
		}
	}
	write(first)
	if err := g.Reload(t.Context(), "a rotation back"); err != nil {
		t.Fatal(err)
	}
	shows("after the rotation back", "before")
}
