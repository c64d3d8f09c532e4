package facade_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/policy/capability"
)

// TestACapabilityBoundsWhatIsAskedFor holds the house's nurse to a capability that shows names masked: she cannot look for
// one any more, and proves each address with its parameters.
func TestACapabilityBoundsWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	d := gatewaytest.NewDomains(t, gatewaytest.Own, gatewaytest.Other)
	r := newRig(t, lite(t, people), func(_ *facade.Options, s *gatewaytest.Setup) { s.Domains = d })
	root := d.Root(t, gatewaytest.Own, capability.Grant{Agent: "nurse"})
	masked := root.Child(t, capability.Grant{
		Levels: map[flow.Label]flow.Level{"*": flow.Raw, "person/name": flow.Masked},
		Tools:  map[string]capability.Arguments{"records/patients_search": {"where": capability.Any().Optionally(), "columns": capability.Any().Optionally(), "order": capability.Any().Optionally()}},
	})
	ask := func(h *gatewaytest.Holder, path, proven string) (int, string) {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url+"/facade/records/"+proven, nil)
		if err != nil {
			t.Fatal(err)
		}
		h.Show(t, req, nil)
		sent, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url+"/facade/records/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		sent.Header = req.Header
		sent.Header.Set("Scrim-Purpose", "care")
		sent.Header.Set("Scrim-Criticality", "critical")
		res, err := http.DefaultClient.Do(sent)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	if status, body := ask(root, "patients?name=Jane+Doe", "patients?name=Jane+Doe"); status != 200 || !strings.Contains(body, "Jane Doe") {
		t.Errorf("by the root she finds %d %s", status, body)
	}
	if status, body := ask(masked, "patients?age=64", "patients?age=64"); status != 200 || strings.Contains(body, "Jane Doe") || !strings.Contains(body, `"age":64`) {
		t.Errorf("by the narrower one she sees %d %s", status, body)
	}
	for what, path := range map[string][2]string{
		"a name that would come masked": {"patients?name=Jane+Doe", "patients?name=Jane+Doe"},
		"an order by names":             {"patients?order=name", "patients?order=name"},
		"another tool":                  {"stock", "stock"},
		"an argument too many":          {"patients?limit=2", "patients?limit=2"},
		"a proof for another address":   {"patients?age=17", "patients?age=64"},
	} {
		if status, body := ask(masked, path[0], path[1]); status == 200 || strings.Contains(body, "rows") {
			t.Errorf("%s is answered: %d %s", what, status, body)
		}
	}
}
