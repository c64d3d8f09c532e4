//go:build unix

package run_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

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
