package ask_test

import (
	"testing"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/privacy/budget/answers"
)

// A retry that is decided anew, since the configuration changed meanwhile, gets the answer that was drawn and takes no use, also where the data
// has no versions and every other question is paid for anew.
func TestARetryThatIsDecidedAnewGetsWhatWasDrawn(t *testing.T) {
	t.Parallel()
	d := gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
	r := newRig(t, func(s *gatewaytest.Setup) {
		s.Domains = d
		change := s.Change
		s.Change = func(snap *gateway.Snapshot) {
			change(snap)
			snap.Datasets["stays"].Schedule = answers.Schedule{}
		}
	})
	h := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "lab", Uses: new(int64(1)), Counted: gatewaytest.Own})
	if got, refused := r.by(h, "query", `{"dataset":"stays","sql":"ward"}`, "id", "m-1"); got != `{"draw":1}` {
		t.Fatal(refused)
	}
	next := *r.Snapshot()
	next.ConfigHash = "another"
	must(t, r.Swap(t.Context(), &next, "test"))
	if got, refused := r.by(h, "query", `{"dataset":"stays","sql":"ward"}`, "id", "m-1"); got != `{"draw":1}` {
		t.Errorf("the retry: %s %s", got, refused)
	}
	if got, _ := r.by(h, "query", `{"dataset":"stays","sql":"ward"}`, "id", "m-2"); got != "" {
		t.Errorf("beyond the uses of the capability: %s", got)
	}
	if spent := r.Spent(t, scope); spent != 200_000_000 {
		t.Errorf("ε = %d·10⁻⁹ is charged", spent)
	}
}
