// Package dashboard holds the alert rules and dashboards of deploy/, as Go values of its own, and writes them as Prometheus and Grafana
// read them. Its tests fail while the files differ, or name a metric that the gateway does not have.
package dashboard

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

//go:generate go test . -run "TestFilesAreAsGenerated|TestThePageHasEveryMetric" -update

const head = "# Written by internal/dashboard (go generate ./internal/dashboard); change it there.\n"

// Group is a group of rules.
type Group struct {
	Name  string `yaml:"name"`
	Rules []Rule `yaml:"rules"`
}

// Rule records a series or raises an alert.
type Rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// The objectives: of a thousand calls, 999 do not fail; of a hundred messages, 99 are decided and on record within 64 ms.
const (
	mayFail   = 0.001
	mayBeSlow = 0.01
)

var windows = []string{"5m", "30m", "1h", "6h"}

// Groups are all rules.
func Groups() []Group {
	var records []Rule
	for _, w := range windows {
		records = append(records,
			Rule{Record: "scrim:calls_failed:ratio_rate" + w, Expr: fmt.Sprintf(`sum by (job) (rate(scrim_calls_total{ending="failed"}[%s])) / sum by (job) (rate(scrim_calls_total[%s]))`, w, w)},
			Rule{Record: "scrim:decisions_slow:ratio_rate" + w, Expr: fmt.Sprintf(`1 - sum by (job) (rate(scrim_decision_seconds_bucket{le="0.064"}[%s])) / sum by (job) (rate(scrim_decision_seconds_count[%s]))`, w, w)})
	}
	alerts := []Rule{
		alert("ScrimNotReady", "scrim_ready == 0", "2m", "page", "The gateway takes no calls.", "scrim doctor, or /-/readyz of the admin address, says why."),
		alert("ScrimGone", "last_over_time(scrim_ready[1h]) unless scrim_ready", "5m", "page", "The gateway was there within the hour and cannot be asked any more.", "Look whether its process runs, and whether the address for metrics can be reached."),
		alert("ScrimJournalStopped", "scrim_log_stopped == 1", "1m", "page", "Nothing is released, because rows do not reach the transparency log.", "The gateway's log says why: mostly a disk that is full or cannot be written."),
		alert("ScrimLogLags", "scrim_log_waiting_seconds > 10", "2m", "ticket", "Rows wait for the transparency log for more than ten seconds.", "A disk that is too slow; releases stop when it goes on."),
		alert("ScrimWitnessMissing", "scrim_log_quorum_missing_seconds > 600", "5m", "ticket", "Too few witnesses cosign the log.", "scrim log witness says which is away."),
		alert("ScrimBudgetNearlySpent", "scrim_budget_left_ratio < 0.1", "5m", "ticket", "Less than a tenth of a dataset's ε is left.", "The console's page of budgets has the forecast, and who spends it."),
		alert("ScrimCertificateEnds", "scrim_certificate_end_seconds > 0 and scrim_certificate_end_seconds - time() < 7 * 86400", "10m", "ticket", "The certificate of the address for agents ends within a week.", "Put another in its place; it is read when it changes."),
		alert("ScrimDiskFills", "scrim_log_days_left < 14", "1h", "ticket", "The volume of the data directory is full in less than two weeks, if the journal grows as it does.", "Make room, or prune: scrim log size says what takes it."),
		alert("ScrimRefusalsSurge", "sum by (job) (rate(scrim_refusals_total[10m])) > 0.2 and sum by (job) (rate(scrim_refusals_total[10m])) > 5 * sum by (job) (rate(scrim_refusals_total[1d] offset 10m))", "10m", "ticket", "Five times as many flows are refused as on the day before.", "A policy that changed, or somebody who probes: look at the rules that refuse, and at alarms."),
		alert("ScrimTelemetryLost", `sum by (job) (increase(scrim_telemetry_total{what!~".*sent"}[15m])) > 0`, "15m", "ticket", "Spans or metrics do not reach the collector.", "Look whether the collector is well, and at telemetry.sample."),
	}
	return []Group{
		{"scrim-records", records},
		{"scrim-objectives", append(burning("ScrimCallsFail", "scrim:calls_failed:ratio_rate", mayFail, "Calls fail faster than one in a thousand may."),
			burning("ScrimDecisionsSlow", "scrim:decisions_slow:ratio_rate", mayBeSlow, "Decisions take longer than 64 ms more often than one in a hundred may.")...)},
		{"scrim-alerts", alerts},
	}
}

func alert(name, expr, lasts, severity, summary, action string) Rule {
	return Rule{Alert: name, Expr: expr, For: lasts, Labels: map[string]string{"severity": severity}, Annotations: map[string]string{"summary": summary, "action": action}}
}

// burning are the alerts of an objective: over a long window and a short one, so that they begin soon and end soon.
func burning(name, series string, may float64, summary string) []Rule {
	both := func(long, short string, times float64) string {
		most := fmt.Sprintf("%g", may*times)
		return fmt.Sprintf("%s%s > %s and %s%s > %s", series, long, most, series, short, most)
	}
	const action = "At this pace the month's allowance is gone in days; the overview says which step or agent it is."
	return []Rule{
		alert(name+"Fast", both("1h", "5m", 14.4), "2m", "page", summary, action),
		alert(name+"Slowly", both("6h", "30m", 6), "15m", "ticket", summary, action),
	}
}

// Rules is the file of rules.
func Rules() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(head)
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(map[string][]Group{"groups": Groups()}); err != nil {
		return nil, err
	}
	return b.Bytes(), enc.Close()
}
