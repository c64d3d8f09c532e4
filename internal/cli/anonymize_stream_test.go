package cli_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/cli"
)

const streamConfig = `version: 1
domain: clinic
purposes: {research: {}}
agents:
  - {id: study, domain: lab, a2a: {url: "http://127.0.0.1:9002"}, purposes: [research]}
`

const streamPolicy = `
@id("extract") permit (principal in Domain::"lab", action == Action::"extract", resource);
@id("public") permit (principal, action in Action::"upto_raw", resource in DataClass::"public");
`

const streamPlan = `version: 1
columns:
  number: {technique: keep, label: public}
  age: {role: quasi, intervals: [10, 20, 40], bottom: 0, top: 119, label: public, least: %d}
  zip: {role: quasi, prefix: [3, 2, 1], label: public}
  ill: {role: sensitive, label: public}
subject: who
stream: {model: castle, k: %d, l: 2, column: ill, delay: %d, reuse: %d}
`

// visit is a record of the property test, and what it becomes.
type visit struct {
	Who    string `json:"who,omitempty"`
	Number int    `json:"number"`
	Age    any    `json:"age"`
	Zip    string `json:"zip"`
	Ill    string `json:"ill"`
}

// TestStreamComesOutInClasses: whatever comes, of the records that the command lets out those that look the same are of at least k
// subjects and l values, each is one that came, no more than once, and within what is shown of it.
func TestStreamComesOutInClasses(t *testing.T) {
	for round := range 12 {
		r := rand.New(rand.NewPCG(7, uint64(round)))
		k, least, reuse := 2+r.IntN(4), r.IntN(2), r.IntN(2)*10
		delay := k + r.IntN(40)
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "policies"), 0o700); err != nil {
			t.Fatal(err)
		}
		plan := strings.Replace(streamPlan, ", reuse: %d", "", 1)
		args := []any{least, k, delay}
		if reuse > 0 {
			plan, args = streamPlan, append(args, reuse)
		}
		// The subject's column is one of the plan.
		text := strings.Replace(fmt.Sprintf(plan, args...), "columns:\n", "columns:\n  who: {technique: drop}\n", 1)
		for name, content := range map[string]string{"scrim.yaml": streamConfig, "policies/1.cedar": streamPolicy, "plan.yaml": text} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var came []visit
		var in bytes.Buffer
		for i := range 300 {
			v := visit{fmt.Sprint("s", r.IntN(40)), i, r.IntN(90), fmt.Sprintf("%03d", r.IntN(300)), fmt.Sprint("d", r.IntN(4))}
			came = append(came, v)
			if err := json.NewEncoder(&in).Encode(v); err != nil {
				t.Fatal(err)
			}
		}
		var out, complaints bytes.Buffer
		code := cli.Main([]string{"anonymize", "-", "--stream", "--plan", filepath.Join(dir, "plan.yaml"), "-c", filepath.Join(dir, "scrim.yaml"), "--to", "study", "--purpose", "research"}, &in, &out, &complaints)
		if code != 0 {
			t.Fatalf("round %d: scrim anonymize --stream = %d: %s", round, code, complaints.String())
		}
		left := checkClasses(t, came, &out, k, 2, least)
		if want := fmt.Sprintf("records: 300 in, %d out, %d suppressed", left, 300-left); !strings.Contains(complaints.String(), want) {
			t.Errorf("round %d: the command said %q, want %q", round, complaints.String(), want)
		}
		if left == 0 {
			t.Errorf("round %d: nothing left (k %d, delay %d)", round, k, delay)
		}
	}
}

func checkClasses(t *testing.T, came []visit, out *bytes.Buffer, k, l, least int) (left int) {
	t.Helper()
	subjects, ills, seen := map[string]map[string]bool{}, map[string]map[string]bool{}, map[int]bool{}
	for lines := bufio.NewScanner(out); lines.Scan(); left++ {
		var v visit
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		was := came[v.Number]
		if v.Who != "" || seen[v.Number] || v.Ill != was.Ill {
			t.Fatalf("%s came of %+v", lines.Text(), was)
		}
		seen[v.Number] = true
		age := v.Age.(string)
		if !covers(age, was.Age.(int)) || !strings.HasPrefix(was.Zip, strings.TrimRight(v.Zip, "*")) || least > 0 && !strings.ContainsAny(age, "[*") {
			t.Errorf("%s came of %+v", lines.Text(), was)
		}
		class := age + " " + v.Zip
		if subjects[class] == nil {
			subjects[class], ills[class] = map[string]bool{}, map[string]bool{}
		}
		subjects[class][was.Who], ills[class][v.Ill] = true, true
	}
	for class, who := range subjects {
		if len(who) < k || len(ills[class]) < l {
			t.Errorf("class %s has %d subjects and %d values, want %d and %d", class, len(who), len(ills[class]), k, l)
		}
	}
	return left
}

func covers(shown string, age int) bool {
	if shown == "*" {
		return true
	}
	low, high, span := strings.Cut(strings.Trim(shown, "[]"), "-")
	if !span {
		high = low
	}
	from, err := strconv.Atoi(low)
	to, err2 := strconv.Atoi(high)
	return err == nil && err2 == nil && from <= age && age <= to
}
