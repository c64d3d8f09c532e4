package ledger_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
)

func (h *house) family(t testing.TB, root capability.Link) []string {
	t.Helper()
	must(t, h.Flush(t.Context()))
	all, err := h.Family(t.Context(), root.Hash)
	must(t, err)
	var names []string
	for _, s := range all {
		names = append(names, fmt.Sprintf("%d %s ×%d", s.Depth, s.ID, s.Times))
	}
	return names
}

// What came is a tree of what was handed on, with what each link gave up and what it has spent.
func TestTokensThatCameAreATree(t *testing.T) {
	h := open(t, hospital, newClock())
	most := cost(100, 5)
	most.Agent, most.Uses, most.Recipients = "intake", new(int64(10)), []string{"lab.example/*"}
	less := most
	less.Agent, less.Uses, less.Recipients, less.Tasks = "intake/helper", new(int64(3)), []string{"lab.example/triage"}, []flow.TaskID{"t-7"}
	root, one, two := link(h.clock, "root", most), link(h.clock, "one", less), link(h.clock, "two", most)
	must(t, h.db.Update(t.Context(), func(tx store.Tx) error { return h.Issued(tx, root) }))
	for range 2 {
		must(t, h.charge(chain(hospital, root, one), capability.Proof{}, 1, flow.Cost{EpsilonNano: 10}))
	}
	must(t, h.charge(chain(hospital, root, two), capability.Proof{}, 1, flow.Cost{}))
	if got, want := strings.Join(h.family(t, root), ", "), "0 id of root ×3, 1 id of "; !strings.HasPrefix(got, want) {
		t.Errorf("the family is %s", got)
	}
	s, ok, err := h.SeenToken(t.Context(), one.Hash)
	must(t, err)
	if !ok || s.Parent != root.Hash || s.Root != root.Hash || s.Agent != "intake/helper" || s.Spent.Uses != 2 || s.Spent.Cost.EpsilonNano != 20 || *s.Uses != 3 || s.Cost.DeltaPico != 5 {
		t.Errorf("the child: %+v", s)
	}
	narrows, _ := json.Marshal(s.Narrows)
	for _, want := range []string{`"from":"lab.example/*","to":"lab.example/triage"`, `"name":"tasks"`, `"name":"limits"`} {
		if !strings.Contains(string(narrows), want) {
			t.Errorf("narrowed: %s, want %s", narrows, want)
		}
	}
	roots, err := h.again(t).Roots(t.Context(), ledger.Page{})
	must(t, err)
	if len(roots) != 1 || !roots[0].Here || roots[0].Spent.Uses != 3 {
		t.Errorf("roots after a restart: %+v", roots)
	}
}

// Whom a right is about is nobody's business who looks at rights: the values that arguments are bound to are not kept.
func TestNoArgumentIsKept(t *testing.T) {
	const planted = "patient-77123-zebrafinch"
	h := open(t, hospital, newClock())
	g := uses(5)
	g.Tools = map[string]capability.Arguments{"crm/lookup": {"id": capability.Equal(capability.Text(planted))}}
	wide := g
	wide.Tools = map[string]capability.Arguments{"crm/lookup": {"id": capability.Prefix("patient-77123")}}
	root, leaf := link(h.clock, "root", wide), link(h.clock, "leaf", g)
	must(t, h.charge(chain(hospital, root, leaf), capability.Proof{}, 1, flow.Cost{}))
	must(t, h.Flush(t.Context()))
	s, ok, err := h.SeenToken(t.Context(), leaf.Hash)
	must(t, err)
	all, _ := json.Marshal(s)
	if !ok || strings.Contains(string(all), "77123") || !strings.Contains(string(all), "with narrower arguments") {
		t.Errorf("kept: %s", all)
	}
	must(t, h.db.View(t.Context(), func(tx store.Tx) error {
		var said []byte
		err := tx.QueryRow("SELECT says FROM ledger_tokens WHERE token = ?", leaf.Hash[:]).Scan(&said)
		if strings.Contains(string(said), "77123") {
			t.Errorf("stored: %s", said)
		}
		return err
	}))
}

// An agent that derives without end fills its own family and nobody else's; what is dead goes.
func TestWhatIsSeenIsBounded(t *testing.T) {
	h := open(t, hospital, newClock())
	root, other := link(h.clock, "root", capability.Grant{}), link(h.clock, "other", capability.Grant{})
	for i := range 600 {
		must(t, h.charge(chain(insurer, root, link(h.clock, child(i), capability.Grant{})), capability.Proof{}, 1, flow.Cost{}))
	}
	if n := len(h.family(t, root)); n != 512 || h.Unkept() != 600+1-512 {
		t.Errorf("%d tokens of one root are kept and %d are not", n, h.Unkept())
	}
	must(t, h.charge(chain(insurer, other), capability.Proof{}, 1, flow.Cost{}))
	if n := len(h.family(t, other)); n != 1 {
		t.Errorf("another root: %d tokens are kept", n)
	}
	h.clock.move(3 * time.Hour)
	must(t, h.Sweep(t.Context()))
	if n := len(h.family(t, root)); n != 0 {
		t.Errorf("%d dead tokens are kept", n)
	}
}

// Pages follow one another without a gap, also where many roots were issued in one second.
func TestRootsArePaged(t *testing.T) {
	h := open(t, hospital, newClock())
	for i := range 120 {
		l := link(h.clock, child(i), capability.Grant{})
		l.IssuedAt = h.clock.now()
		must(t, h.charge(chain(insurer, l), capability.Proof{}, 1, flow.Cost{}))
	}
	must(t, h.Flush(t.Context()))
	seen := map[string]bool{}
	p := ledger.Page{}
	for range 10 {
		roots, err := h.Roots(t.Context(), p)
		must(t, err)
		for _, r := range roots {
			seen[r.ID] = true
			p.Before, p.After = r.Issued, r.Token
		}
	}
	if len(seen) != 120 {
		t.Errorf("%d roots were listed, want 120", len(seen))
	}
}
