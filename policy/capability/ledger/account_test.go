package ledger_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
	"github.com/scrimhq/scrim/store/storetest"
)

const epsilon = 1_000_000_000 // 1

// A parent with ε = 1 derives a hundred children that each say ε = 1. All at once, they spend 1 together.
func TestAHundredSiblingsSpendWhatTheirParentHas(t *testing.T) {
	for name, c := range map[string]struct {
		root, child capability.Grant
		uses        int64
		each        flow.Cost
		most        int64 // flows that pass
	}{
		"epsilon": {cost(epsilon, 0), cost(epsilon, 0), 1, flow.Cost{EpsilonNano: epsilon / 8}, 8},
		"delta":   {cost(math.MaxInt64, 90), cost(math.MaxInt64, 90), 1, flow.Cost{EpsilonNano: epsilon, DeltaPico: 30}, 3},
		"uses":    {uses(7), uses(7), 1, flow.Cost{}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, hospital, newClock())
			root := link(h.clock, "root", c.root)
			var passed atomic.Int64
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					vd := chain(hospital, root, link(h.clock, child(i), c.child))
					switch err := h.charge(vd, capability.Proof{}, c.uses, c.each); {
					case err == nil:
						passed.Add(1)
					case !errors.Is(err, ledger.ErrSpent):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			n, spent := h.spent(t, root)
			if passed.Load() != c.most || n != c.most {
				t.Errorf("%d flows passed and %d are charged, want %d", passed.Load(), n, c.most)
			}
			if want := (flow.Cost{EpsilonNano: c.most * c.each.EpsilonNano, DeltaPico: c.most * c.each.DeltaPico}); spent != want {
				t.Errorf("the parent spent %+v, want %+v", spent, want)
			}
			again := h.again(t)
			late := chain(hospital, root, link(h.clock, "born after the restart", c.child))
			want(t, "after a restart", again.charge(late, capability.Proof{}, c.uses, c.each), ledger.ErrSpent)
		})
	}
}

// A child that has little left takes nothing from its ancestors when it is refused.
func TestAllAncestorsAreChargedOrNone(t *testing.T) {
	h := open(t, hospital, newClock())
	root, middle, leaf := link(h.clock, "root", cost(100, 0)), link(h.clock, "middle", capability.Grant{}), link(h.clock, "leaf", cost(10, 0))
	vd := chain(hospital, root, middle, leaf)
	must(t, h.charge(vd, capability.Proof{}, 1, flow.Cost{EpsilonNano: 10}))
	err := h.charge(vd, capability.Proof{}, 1, flow.Cost{EpsilonNano: 1})
	want(t, "a leaf that is spent", err, ledger.ErrSpent)
	if e, ok := errors.AsType[*ledger.Error](err); !ok || e.Link != 2 {
		t.Errorf("error = %#v, want one that names link 2", err)
	}
	if _, c := h.spent(t, root); c.EpsilonNano != 10 {
		t.Errorf("the root spent %d, want 10: what the refused flow took stays", c.EpsilonNano)
	}
	must(t, h.charge(chain(hospital, root, middle), capability.Proof{}, 1, flow.Cost{EpsilonNano: 90}))
	want(t, "a root that is spent", h.charge(chain(hospital, root), capability.Proof{}, 1, flow.Cost{EpsilonNano: 1}), ledger.ErrSpent)
}

// Accounts go by what is signed: two tokens that bear one id do not share one, nor does a second one begin anew for the parent.
func TestTwoTokensOfOneIDAreTwoAccounts(t *testing.T) {
	h := open(t, hospital, newClock())
	root, one, two := link(h.clock, "root", uses(3)), link(h.clock, "one", uses(2)), link(h.clock, "two", uses(2))
	two.ID = one.ID
	for range 2 {
		must(t, h.charge(chain(hospital, root, one), capability.Proof{}, 1, flow.Cost{}))
	}
	must(t, h.charge(chain(hospital, root, two), capability.Proof{}, 1, flow.Cost{}))
	want(t, "the parent of both", h.charge(chain(hospital, root, two), capability.Proof{}, 1, flow.Cost{}), ledger.ErrSpent)
	for l, n := range map[*capability.Link]int64{&root: 3, &one: 2, &two: 1} {
		if got, _ := h.spent(t, *l); got != n {
			t.Errorf("%s has %d uses, want %d", l.ID, got, n)
		}
	}
}

func TestAmountsThatAreNone(t *testing.T) {
	h := open(t, hospital, newClock())
	full := link(h.clock, "full", capability.Grant{Cost: &flow.Cost{EpsilonNano: math.MaxInt64, DeltaPico: math.MaxInt64}, Counted: hospital})
	vd := chain(hospital, full)
	want(t, "negative uses", h.charge(vd, capability.Proof{}, -1, flow.Cost{}), ledger.ErrAmount)
	want(t, "negative epsilon", h.charge(vd, capability.Proof{}, 1, flow.Cost{EpsilonNano: -1}), ledger.ErrAmount)
	want(t, "negative delta", h.charge(vd, capability.Proof{}, 1, flow.Cost{DeltaPico: math.MinInt64}), ledger.ErrAmount)
	must(t, h.charge(vd, capability.Proof{}, math.MaxInt64-1, flow.Cost{EpsilonNano: math.MaxInt64 - 1, DeltaPico: 1}))
	want(t, "an overflow of epsilon", h.charge(vd, capability.Proof{}, 0, flow.Cost{EpsilonNano: 2}), ledger.ErrSpent)
	want(t, "an overflow of epsilon by most", h.charge(vd, capability.Proof{}, 0, flow.Cost{EpsilonNano: math.MaxInt64}), ledger.ErrSpent)
	want(t, "an overflow of uses, which nothing limits", h.charge(vd, capability.Proof{}, 2, flow.Cost{}), ledger.ErrSpent)
	if n, c := h.spent(t, full); n != math.MaxInt64-1 || c.EpsilonNano != math.MaxInt64-1 || c.DeltaPico != 1 {
		t.Errorf("spent %d and %+v, want what was charged", n, c)
	}
	over := link(h.clock, "over", cost(5, 0))
	want(t, "more than there is at the first flow", h.charge(chain(hospital, over), capability.Proof{}, 1, flow.Cost{EpsilonNano: 6}), ledger.ErrSpent)
	want(t, "a limit below nothing", h.charge(chain(hospital, link(h.clock, "odd", uses(-1))), capability.Proof{}, 0, flow.Cost{}), ledger.ErrSpent)
}

func TestWhoCounts(t *testing.T) {
	h := open(t, hospital, newClock())
	there := uses(1)
	there.Counted = insurer
	far := link(h.clock, "far", there)
	for range 3 {
		must(t, h.charge(chain(insurer, far), capability.Proof{}, 1, flow.Cost{}))
	}
	if n, _ := h.spent(t, far); n != 0 {
		t.Errorf("%d uses are charged here, want none: the insurer counts", n)
	}
	nowhere := uses(1)
	nowhere.Counted = ""
	want(t, "a limit that nobody counts", h.charge(chain(hospital, link(h.clock, "n", nowhere)), capability.Proof{}, 1, flow.Cost{}), ledger.ErrUncounted)
}

// What a transaction charged that was undone is not charged, whatever undid it.
func TestATransactionThatIsUndoneChargesNothing(t *testing.T) {
	h := open(t, hospital, newClock())
	root := link(h.clock, "root", uses(1))
	p := h.proof("p")
	_, err := h.Claim(p)
	must(t, err)
	boom := errors.New("the disk is full")
	err = h.db.Update(t.Context(), func(tx store.Tx) error {
		if err := h.Charge(tx, chain(hospital, root), p, 1, flow.Cost{}); err != nil {
			t.Error(err)
		}
		return boom
	})
	want(t, "the transaction", err, boom)
	if n, _ := h.spent(t, root); n != 0 {
		t.Errorf("%d uses are charged, want none", n)
	}
	must(t, h.charge(chain(hospital, root), p, 1, flow.Cost{})) // the gateway tries the same flow again
	want(t, "a second flow", h.charge(chain(hospital, root), capability.Proof{}, 1, flow.Cost{}), ledger.ErrSpent)
}

// An account is deleted when its token is long dead, and a clock that is set back then does not open another one.
func TestAClosedAccountStaysClosed(t *testing.T) {
	h := open(t, hospital, newClock())
	root := link(h.clock, "root", uses(1))
	longer := link(h.clock, "longer", uses(1))
	longer.Grant.Expires = h.clock.now().Add(10 * time.Hour)
	for _, l := range []capability.Link{root, longer} {
		must(t, h.charge(chain(hospital, l), capability.Proof{}, 1, flow.Cost{}))
	}
	h.clock.move(3 * time.Hour)
	must(t, h.Sweep(t.Context()))
	if n, _ := h.spent(t, root); n != 0 {
		t.Fatal("the account of a dead token is still there")
	}
	if n, _ := h.spent(t, longer); n != 1 {
		t.Error("the account of a token in force is gone")
	}
	h.clock.move(-3 * time.Hour)
	want(t, "the clock is set back", h.charge(chain(hospital, root), capability.Proof{}, 1, flow.Cost{}), ledger.ErrSpent)
	want(t, "and after a restart", h.again(t).charge(chain(hospital, root), capability.Proof{}, 1, flow.Cost{}), ledger.ErrSpent)
	must(t, h.charge(chain(hospital, link(h.clock, "fresh", capability.Grant{Uses: new(int64(1)), Counted: hospital, Expires: h.clock.now().Add(2 * time.Hour)})), capability.Proof{}, 1, flow.Cost{}))
}

const (
	crashDir   = "SCRIM_LEDGER_CRASH_DIR"
	crashLimit = 400
)

func crashChain(i int64) *capability.Verified {
	c := &clock{at: time.Now().Truncate(24 * time.Hour)}
	root := link(c, "root", capability.Grant{Uses: new(int64(crashLimit)), Counted: hospital, Expires: c.at.Add(72 * time.Hour)})
	leaf := link(c, child(int(i)), capability.Grant{Uses: new(int64(1)), Counted: hospital, Expires: c.at.Add(72 * time.Hour)})
	return chain(hospital, root, leaf)
}

// chargeUntilKilled is the child: each flow has a token of its own, and is printed once it is on record.
func chargeUntilKilled(dir string) int {
	db, err := storetest.Dir(context.Background(), dir, store.Options{}, ledger.Schema())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	l, err := ledger.Open(context.Background(), db, ledger.Options{Domain: hospital})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("ready")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				i := rand.Int64N(1 << 40)
				err := db.Update(context.Background(), func(tx store.Tx) error { return l.Charge(tx, crashChain(i), capability.Proof{}, 1, flow.Cost{}) })
				if errors.Is(err, ledger.ErrSpent) {
					time.Sleep(time.Hour) // until killed
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				os.Stdout.WriteString(fmt.Sprintf("%d\n", i)) // one write: a line is whole or not there
			}
		})
	}
	wg.Wait()
	return 0
}

// However often the process is killed: what was acknowledged is charged to child and parent alike, and the limit holds over all lives.
func TestKilledProcessChargesBothOrNeither(t *testing.T) {
	if testing.Short() {
		t.Skip("runs and kills processes")
	}
	storetest.Prepare(t)
	dir := t.TempDir()
	acknowledged := map[int64]bool{}
	for life := 0; life < 5 || len(acknowledged) < 5 && life < 100; life++ { // a slow machine acknowledges nothing in some lives
		for _, i := range runAndKill(t, dir, time.Duration(20+rand.IntN(120))*time.Millisecond) {
			acknowledged[i] = true
		}
		db := storetest.OpenDir(t, dir, ledger.Schema())
		h := openDB(t, db, hospital, newClock())
		var children, root int64
		must(t, db.View(t.Context(), func(tx store.Tx) error {
			return tx.QueryRow("SELECT coalesce(sum(uses), 0) FROM ledger_accounts WHERE token <> ?", crashChain(0).Links[0].Hash[:]).Scan(&children)
		}))
		root, _ = h.spent(t, crashChain(0).Links[0])
		if children != root || root < int64(len(acknowledged)) || root > crashLimit {
			t.Fatalf("children have %d uses, their parent %d, %d were acknowledged; want the same for both, no fewer, and at most %d", children, root, len(acknowledged), crashLimit)
		}
		for i := range acknowledged {
			if n, _ := h.spent(t, crashChain(i).Links[1]); n != 1 {
				t.Fatalf("a flow that was acknowledged has %d uses, want 1", n)
			}
		}
		must(t, db.Close())
	}
	if len(acknowledged) < 5 {
		t.Fatalf("only %d flows were acknowledged in all lives", len(acknowledged))
	}
	t.Logf("%d flows in all lives", len(acknowledged))
}

// runAndKill starts the child, kills it after it has been writing for so long, and returns what it acknowledged.
func runAndKill(t *testing.T, dir string, after time.Duration) []int64 {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	first := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer first.Stop()
	var ids []int64
	var once sync.Once
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		once.Do(func() { time.AfterFunc(after, func() { cmd.Process.Kill() }) })
		var i int64
		if _, err := fmt.Sscan(lines.Text(), &i); err == nil {
			ids = append(ids, i)
		}
	}
	_ = cmd.Wait() // killed
	if stderr.Len() > 0 {
		t.Fatalf("the child says: %s", stderr.String())
	}
	return ids
}
