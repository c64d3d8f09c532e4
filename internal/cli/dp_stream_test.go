package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// FuzzStreams reads files of streams: whatever they hold, each row has an answer or an error, and what an answer says is JSON.
func FuzzStreams(f *testing.F) {
	f.Add(`{"id":"a","method":"tree","keys":1,"horizon":4,"epochs":3,"rho":1000,"contribution":{"steps":2,"apart":3,"keys":1,"most":1}}`)
	f.Add(`[{"method":"square-root","keys":2,"horizon":9,"band":3,"rho":1,"window":2,"contribution":{"steps":1,"apart":1,"keys":2,"most":7}}, {"T":5}]`)
	f.Add(`{"values":[{"T":-1},{"T":1e99},null,[]]}` + "\n7")
	f.Fuzz(func(t *testing.T, text string) {
		rows, err := readStreams(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, raw := range rows {
			if big(raw) {
				continue // valid, and would take its time
			}
			lines, _, err := streamRow(raw)
			if (err == nil) == (len(lines) == 0) {
				t.Fatalf("%d lines with error %v", len(lines), err)
			}
			for _, line := range lines {
				if _, err := json.Marshal(line); err != nil {
					t.Fatalf("a line that is no JSON: %v", err)
				}
			}
		}
	})
}

func big(raw json.RawMessage) bool {
	var n struct {
		T, Horizon, Epochs float64
		Contribution       struct{ Steps, Apart float64 }
	}
	_ = json.NewDecoder(bytes.NewReader(raw)).Decode(&n)
	return n.T > 5000 || n.Horizon > 5000 || n.Epochs > 5 || n.Contribution.Apart > 20 || n.Contribution.Steps > 20
}
