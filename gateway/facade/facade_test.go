package facade_test

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
)

func TestATableIsShownAtPolicysLevels(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	own := r.call(t, "scrim_own", "patients_get", `{"key":{"mrn":"MRN-000001"}}`)
	if len(own.Rows) != 1 || own.Rows[0]["name"] != "Jane Doe" || own.Rows[0]["ssn"] != "536-90-4399" {
		t.Fatalf("the house sees %s", own.body)
	}
	lab := r.call(t, "scrim_lab", "patients_list", `{}`)
	if len(lab.Rows) != 4 {
		t.Fatalf("the lab sees %s", lab.body)
	}
	for _, hidden := range []string{"Jane", "Doe", "536-90", "MRN-0000", "1961-04-12", "Zanzibar", "secret_column", "jane.doe", "12.5"} {
		if strings.Contains(gatewaytest.Said(lab.body), hidden) {
			t.Errorf("the lab sees %q: %s", hidden, lab.body)
		}
	}
	for _, row := range lab.Rows {
		if row["name"] != nil || row["ssn"] != nil {
			t.Errorf("the lab sees what no policy lets it see: %v", row)
		}
		if mrn, _ := row["mrn"].(string); !strings.HasPrefix(mrn, "[record ") && !strings.Contains(mrn, "_") {
			t.Errorf("the record number is %v, want a token", row["mrn"])
		}
	}
	events := r.Events()
	var request, response bool
	for _, ev := range events {
		if ev.Flow.Subject == "patients_list" && ev.Outcome == flow.Released {
			request = request || ev.Flow.Direction == flow.Request
			response = response || ev.Flow.Direction == flow.Response && len(ev.Levels) > 0
		}
	}
	if !request || !response {
		t.Errorf("request and answer are not both on record: %+v", events)
	}
}
