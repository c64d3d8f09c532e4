//go:build unix

package run_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scrimhq/scrim/gateway/identity"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/budget"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/pgtest"
)

// Two gateways of a domain with one ledger spend one budget to the last question, and what one of them answered the other gives too.
func TestTwoGatewaysShareOneLedger(t *testing.T) {
	t.Parallel()
	pg := pgtest.Common(t)
	key, digest := identity.NewKey()
	url, draws := drawing(t)
	database := pg.Database(t)
	secret := filepath.Join(t.TempDir(), "budgets.url")
	if err := os.WriteFile(secret, []byte(database), 0o600); err != nil {
		t.Fatal(err)
	}
	yaml := fmt.Sprintf(budgetsYAML, digest, url, "3") + fmt.Sprintf("budgets: {shared: {file: %q}, slice: 3}\nkeys: {file: keyset.json}\n", secret)
	unsynced := run.Options{Store: store.Options{NoSync: true}}
	var addrs []string
	var keyset []byte
	for i := range 2 {
		file := lay(t, yaml, budgetsFiles)
		keys := filepath.Join(filepath.Dir(file), "keyset.json")
		if i > 0 {
			if err := os.WriteFile(keys, keyset, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, addr, _ := serve(t, load(t, file), unsynced)
		addrs = append(addrs, addr)
		var err error
		if keyset, err = os.ReadFile(keys); err != nil {
			t.Fatal(err)
		}
	}
	if body := count(t, addrs[0], key.Expose(), "a"); !strings.Contains(body, "draw 1") {
		t.Fatal(body)
	}
	if body := count(t, addrs[1], key.Expose(), "a"); !strings.Contains(body, "draw 1") || draws.Load() != 1 {
		t.Errorf("the other gateway answers what is known by %s after %d draws", body, draws.Load())
	}
	var answered, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			switch body := count(t, addrs[i%2], key.Expose(), fmt.Sprint("w", i)); {
			case strings.Contains(body, "draw"):
				answered.Add(1)
			case strings.Contains(body, "no room"):
				refused.Add(1)
			default:
				t.Errorf("question %d: %s", i, body)
			}
		})
	}
	wg.Wait()
	if answered.Load()+refused.Load() != 24 || draws.Load() != 1+answered.Load() {
		t.Errorf("%d answered, %d refused, %d draws", answered.Load(), refused.Load(), draws.Load())
	}
	if answered.Load() < 11 {
		t.Errorf("%d were answered, and there is room for 11 by basic composition alone", answered.Load())
	}

	// A gateway with other keys could not open what these sealed.
	stranger := lay(t, yaml, budgetsFiles)
	if g, err := run.Open(t.Context(), load(t, stranger), unsynced); err == nil {
		_ = g.Close()
		t.Error("a gateway with another keyset opens the shared ledger")
	} else if !strings.Contains(err.Error(), budget.ErrSignature.Error()) || strings.Contains(err.Error(), pg.Password()) {
		t.Errorf("another keyset: %v", err)
	}
}
