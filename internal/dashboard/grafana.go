package dashboard

import "encoding/json"

// Board is a dashboard.
type Board struct {
	File, Title string
	Panels      []Panel
}

// Panel is a graph of one or more series, all in its unit.
type Panel struct {
	Title, Unit string
	Series      []Series
}

// Series is an expression with the words of its legend.
type Series struct{ Expr, Legend string }

func one(title, unit, expr, legend string) Panel {
	return Panel{title, unit, []Series{{expr, legend}}}
}

// Boards are all dashboards.
func Boards() []Board {
	return []Board{
		{"overview", "Scrim: overview", []Panel{
			one("Calls", "reqps", `sum by (protocol, way) (rate(scrim_calls_total[5m]))`, "{{protocol}} {{way}}"),
			one("How calls end", "reqps", `sum by (ending) (rate(scrim_calls_total[5m]))`, "{{ending}}"),
			{"Time of calls", "s", quantiles(`scrim_call_seconds_bucket`)},
			{"Time until a message is on record", "s", quantiles(`scrim_decision_seconds_bucket`)},
			one("Steps, 99th of a hundred", "s", `histogram_quantile(0.99, sum by (le, step) (rate(scrim_step_seconds_bucket[5m])))`, "{{step}}"),
			{"Agents' time until an answer begins", "s", quantiles(`scrim_upstream_seconds_bucket`)},
			one("Calls from and to other domains", "reqps", `sum by (peer, way) (rate(scrim_peer_calls_total[5m]))`, "{{peer}} {{way}}"),
			{"At this time", "short", []Series{{"sum(scrim_open_flows)", "calls"}, {"sum(scrim_open_streams)", "streams"}, {"sum by (queue) (scrim_queue_length)", "queue: {{queue}}"}}},
		}},
		{"privacy", "Scrim: privacy", []Panel{
			one("Values by label", "cps", `topk(20, sum by (label) (rate(scrim_findings_total[5m])))`, "{{label}}"),
			one("Values by level", "cps", `sum by (level) (rate(scrim_leaves_total[5m]))`, "{{level}}"),
			one("What set the level", "cps", `sum by (by) (rate(scrim_leaves_total[5m]))`, "{{by}}"),
			one("Refusals by rule", "cps", `sum by (rule) (rate(scrim_refusals_total[5m]))`, "{{rule}}"),
			one("Detection, 99th of a hundred", "s", `histogram_quantile(0.99, sum by (le, direction) (rate(scrim_step_seconds_bucket{step="detect"}[5m])))`, "{{direction}}"),
			one("Held back of streams", "bytes", `sum(scrim_stream_held_bytes)`, "held"),
			{"Exposure", "cps", []Series{{"rate(scrim_exposure_coarsened_total[5m])", "made coarser"}, {"rate(scrim_exposure_over_quota_total[5m])", "over quota"}}},
			one("Alarms", "cps", `sum by (kind) (rate(scrim_alarms_total[1h]))`, "{{kind}}"),
		}},
		{"budgets", "Scrim: budgets", []Panel{
			one("Share of ε left", "percentunit", `scrim_budget_left_ratio`, "{{dataset}}"),
			one("ε left", "short", `scrim_budget_epsilon_left`, "{{dataset}}"),
			one("Share spent in a day", "percentunit", `-delta(scrim_budget_left_ratio[1d])`, "{{dataset}}"),
			one("Refused for want of budget", "cps", `sum(rate(scrim_refusals_total{rule="budget"}[5m]))`, "refused"),
		}},
		{"evidence", "Scrim: evidence", []Panel{
			one("Rows written", "cps", `rate(scrim_journal_rows_total[5m])`, "written"),
			one("Rows that wait for the log", "short", `scrim_log_waiting_rows`, "waiting"),
			one("The oldest row waits", "s", `scrim_log_waiting_seconds`, "waits"),
			one("What the log takes", "bytes", `scrim_log_bytes`, "{{part}}"),
			one("Days until the disk is full", "d", `scrim_log_days_left`, "days"),
			one("Cosignatures of the newest checkpoint", "short", `scrim_log_cosignatures`, "cosignatures"),
			one("Without a quorum of witnesses", "s", `scrim_log_quorum_missing_seconds`, "missing"),
			one("Telemetry", "cps", `sum by (what) (rate(scrim_telemetry_total[5m]))`, "{{what}}"),
		}},
	}
}

func quantiles(bucket string) (all []Series) {
	for _, q := range []string{"0.5", "0.95", "0.99"} {
		all = append(all, Series{"histogram_quantile(" + q + ", sum by (le) (rate(" + bucket + "[5m])))", q})
	}
	return all
}

type object = map[string]any

// JSON is the dashboard as Grafana imports it; it asks for the data source.
func (b Board) JSON() ([]byte, error) {
	source := object{"type": "prometheus", "uid": "${source}"}
	var panels []object
	for i, p := range b.Panels {
		var targets []object
		for j, s := range p.Series {
			targets = append(targets, object{"refId": string(rune('A' + j)), "expr": s.Expr, "legendFormat": s.Legend, "datasource": source})
		}
		panels = append(panels, object{
			"id": i + 1, "type": "timeseries", "title": p.Title, "datasource": source, "targets": targets,
			"gridPos":     object{"x": i % 2 * 12, "y": i / 2 * 8, "w": 12, "h": 8},
			"fieldConfig": object{"defaults": object{"unit": p.Unit, "min": 0}, "overrides": []any{}},
		})
	}
	out, err := json.MarshalIndent(object{
		"uid": "scrim-" + b.File, "title": b.Title, "tags": []string{"scrim"}, "schemaVersion": 39, "editable": true, "refresh": "30s", "time": object{"from": "now-6h", "to": "now"},
		"templating": object{"list": []object{{"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}}}, "panels": panels,
	}, "", "  ")
	return append(out, '\n'), err
}
