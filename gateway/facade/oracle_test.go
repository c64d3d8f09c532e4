package facade_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/facade"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/privacy/exposure"
)

// TestNothingHiddenIsFoundByAsking tries, for every column that the lab is not shown as it is, all that a filter or an
// order could tell about it.
func TestNothingHiddenIsFoundByAsking(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	ask := func(arguments string) {
		t.Helper()
		for range 2 { // whether there is such a row or not
			got := r.call(t, "scrim_lab", "patients_search", arguments)
			if got.refused == "" {
				t.Errorf("%s is answered: %s", arguments, got.body)
			}
		}
	}
	for column, values := range map[string][2]string{
		"mrn": {`"MRN-000001"`, `"MRN-999999"`}, "name": {`"Jane Doe"`, `"Nobody"`}, "born": {`"1961-04-12"`, `"1900-01-01"`},
		"owed": {`12.5`, `13`}, "ssn": {`"536-90-4399"`, `"000-00-0000"`}, "note": {`"Fine"`, `"Bad"`}, "loose": {`"x"`, `"z"`},
	} {
		refused := map[string]bool{}
		for _, v := range values {
			for _, op := range []string{"eq", "lt", "le", "gt", "ge"} {
				ask(fmt.Sprintf(`{"where":{%q:{%q:%s}}}`, column, op, v))
			}
			ask(fmt.Sprintf(`{"where":{%q:{"in":[%s]}}}`, column, v))
			got := r.call(t, "scrim_lab", "patients_search", fmt.Sprintf(`{"where":{%q:{"eq":%s}}}`, column, v))
			refused[got.refused] = true
		}
		if len(refused) != 1 {
			t.Errorf("%s is refused in words that tell a value that is there: %v", column, refused)
		}
		ask(fmt.Sprintf(`{"where":{%q:{"null":true}}}`, column))
		ask(fmt.Sprintf(`{"order":[{"column":%q}]}`, column))
		ask(fmt.Sprintf(`{"where":{"age":{"ge":1},%q:{"eq":%s}}}`, column, values[0]))
	}
	for _, key := range []string{"MRN-000001", "MRN-999999"} {
		if got := r.call(t, "scrim_lab", "patients_get", `{"key":{"mrn":"`+key+`"}}`); got.refused == "" {
			t.Errorf("a row is there or not by its key: %s", got.body)
		}
	}
	for _, more := range []string{`{"count":true}`, `{"where":{"name":{"like":"J%"}}}`, `{"where":{"ward":{"ge":"a"}}}`, `{"group":["ward"]}`, `{"limit":0}`, `{"limit":100000}`, `{"columns":["name"]}`, `{"columns":[]}`} {
		ask(more)
	}
	if got := r.call(t, "scrim_lab", "patients_search", `{"where":{"age":{"ge":30,"lt":60},"ward":{"eq":"er"}},"order":[{"column":"age","descending":true}]}`); len(got.Rows) != 1 || fmt.Sprint(got.Rows[0]["age"]) != "30" {
		t.Errorf("by what the lab sees it may ask: %s", got.body)
	}
}

// TestAValueThatIsHiddenForItsLooksIsNotFound asks for the e-mail address that stands in a public column.
func TestAValueThatIsHiddenForItsLooksIsNotFound(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	for _, arguments := range []string{`{"where":{"code":{"in":["A1","B2","jane.doe@example.org","D4"]}}}`, `{"order":[{"column":"code"}]}`, `{"where":{"code":{"null":false}},"columns":["ward","age"]}`} {
		got := r.call(t, "scrim_lab", "patients_search", arguments)
		if got.refused != "" {
			continue // the request itself holds it
		}
		if len(got.Rows) != 3 {
			t.Errorf("%s: the row of the address shows by its place or its being there: %s", arguments, got.body)
		}
	}
	if got := r.call(t, "scrim_lab", "patients_search", `{"where":{"seen":{"ge":"2026-01-03T00:00:00Z"}}}`); got.refused == "" && len(got.Rows) > 0 {
		t.Errorf("moments that are hidden for being moments are found by comparing: %s", got.body)
	}
	if got := r.call(t, "scrim_own", "patients_search", `{"where":{"code":{"eq":"jane.doe@example.org"}}}`); len(got.Rows) != 1 {
		t.Errorf("the house, which sees it, does not find it: %s", got.body)
	}
}

// TestTheOrderSaysNothingOfAHiddenKey reads all pages as two domains that see tokens of the key.
func TestTheOrderSaysNothingOfAHiddenKey(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(people)
	for i := 5; i < 105; i++ { // ages tell the test which row it is
		fmt.Fprintf(&b, "INSERT INTO patients (mrn, age) VALUES ('MRN-%06d', %d);\n", i, i)
	}
	r := newRig(t, lite(t, b.String()), func(_ *facade.Options, s *gatewaytest.Setup) {
		s.Policy += `@id("age third") @exception("test") permit (principal in Domain::"third", action in Action::"upto_raw", resource in DataClass::"person/age");`
	})
	all := func(key string) (ages []string) {
		cursor := ""
		for range 20 {
			arguments := `{"limit":30,"columns":["mrn","age"]` + cursor + `}`
			got := r.call(t, key, "patients_list", arguments)
			if got.refused != "" {
				t.Fatal(got.body)
			}
			for _, row := range got.Rows {
				ages = append(ages, fmt.Sprint(row["age"]))
			}
			if got.Next == "" {
				return ages
			}
			cursor = `,"cursor":"` + got.Next + `"`
		}
		t.Fatal("the pages do not end")
		return nil
	}
	lab, third := all("scrim_lab"), all("scrim_third")
	if len(lab) != 104 || len(slices.Compact(slices.Sorted(slices.Values(lab)))) < 100 {
		t.Fatalf("pages give %d rows, want each of 104 once: %v", len(lab), lab)
	}
	if slices.Equal(lab, third) {
		t.Error("two domains see one order, by which their tokens can be joined")
	}
	if !slices.Equal(lab, all("scrim_lab")) {
		t.Error("the order is another at each call, so that pages do not fit")
	}
	rises := 0
	for i := 1; i < len(lab); i++ {
		if lab[i-1] < lab[i] {
			rises++
		}
	}
	if rises > 80 { // half of 103 in a random order; 80 is more than five standard deviations away
		t.Errorf("the order follows the key: %d of 103 steps rise", rises)
	}
	ties := r.call(t, "scrim_lab", "patients_search", `{"where":{"age":{"eq":30}},"order":[{"column":"age"}]}`)
	if len(ties.Rows) != 2+1 {
		t.Errorf("ties are %s", ties.body)
	}
}

// TestACursorIsItsCallersAlone hands cursors from one caller, purpose and question to another.
func TestACursorIsItsCallersAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	first := r.call(t, "scrim_own", "stock_search", `{"limit":10,"where":{"left":{"ge":3}}}`)
	if first.Next == "" || len(first.Rows) != 10 {
		t.Fatal(first.body)
	}
	for _, c := range first.Next {
		if c < 'a' || c > 'p' {
			t.Fatalf("the cursor is %q", first.Next)
		}
	}
	with := func(more string) string { return `{"limit":10,"cursor":"` + first.Next + `"` + more + `}` }
	if got := r.call(t, "scrim_own", "stock_search", with(`,"where":{"left":{"ge":3}}`)); len(got.Rows) != 10 || fmt.Sprint(got.Rows[0]["sku"]) == fmt.Sprint(first.Rows[0]["sku"]) {
		t.Errorf("the next page is %s", got.body)
	}
	refusals := map[string]bool{}
	for what, got := range map[string]answer{
		"another domain's agent": r.call(t, "scrim_lab", "stock_search", with(`,"where":{"left":{"ge":3}}`)),
		"another question":       r.call(t, "scrim_own", "stock_search", with(`,"where":{"left":{"ge":4}}`)),
		"another table":          r.call(t, "scrim_own", "patients_list", with("")),
		"another order":          r.call(t, "scrim_own", "stock_search", with(`,"where":{"left":{"ge":3}},"order":[{"column":"left"}]`)),
		"nonsense":               r.call(t, "scrim_own", "stock_search", `{"cursor":"aaaa","where":{"left":{"ge":3}}}`),
		"other letters":          r.call(t, "scrim_own", "stock_search", `{"cursor":"zz~"}`),
		"a changed one":          r.call(t, "scrim_own", "stock_search", `{"limit":10,"where":{"left":{"ge":3}},"cursor":"`+first.Next[:len(first.Next)-1]+`q"}`),
	} {
		if got.refused == "" {
			t.Errorf("the cursor opens for %s: %s", what, got.body)
		}
		refusals[got.refused] = true
	}
	if len(refusals) != 1 {
		t.Errorf("cursors are refused in different words: %v", refusals)
	}
	lab := r.call(t, "scrim_lab", "stock_list", `{"limit":10}`)
	if got := r.call(t, "scrim_clerk", "stock_list", `{"limit":10,"cursor":"`+lab.Next+`"}`); got.refused == "" {
		t.Errorf("a colleague goes on with the lab's cursor: %s", got.body)
	}
}

// TestTokensAreAskedFor finds a row by the token that its caller was given, and by nobody else's.
func TestTokensAreAskedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	page := r.call(t, "scrim_lab", "patients_list", `{"columns":["mrn","age"]}`)
	for _, row := range page.Rows {
		got := r.call(t, "scrim_lab", "patients_get", `{"key":{"mrn":"`+row["mrn"].(string)+`"}}`)
		if len(got.Rows) != 1 || fmt.Sprint(got.Rows[0]["age"]) != fmt.Sprint(row["age"]) || got.Rows[0]["mrn"] != row["mrn"] {
			t.Errorf("by its token the row is %s, want age %v", got.body, row["age"])
		}
		found := r.call(t, "scrim_lab", "patients_search", `{"where":{"mrn":{"in":["`+row["mrn"].(string)+`"]}}}`)
		if len(found.Rows) != 1 {
			t.Errorf("by its token in a list the row is %s", found.body)
		}
		if strings.Contains(gatewaytest.Said(got.body+found.body), "MRN-0") {
			t.Errorf("the answer says what the token stands for: %s", got.body)
		}
	}
	token := page.Rows[0]["mrn"].(string)
	for what, got := range map[string]answer{
		"another domain":           r.call(t, "scrim_third", "patients_get", `{"key":{"mrn":"`+token+`"}}`),
		"beside a guess":           r.call(t, "scrim_lab", "patients_search", `{"where":{"mrn":{"in":["`+token+`","MRN-000001"]}}}`),
		"a token of nothing":       r.call(t, "scrim_lab", "patients_get", `{"key":{"mrn":"stk1_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}`),
		"in a column of its label": r.call(t, "scrim_lab", "patients_search", `{"where":{"name":{"eq":"`+token+`"}}}`),
	} {
		if got.refused == "" {
			t.Errorf("%s: %s", what, got.body)
		}
	}
}

func TestTokensThatPolicyKeepsClosedAreNoKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), func(_ *facade.Options, s *gatewaytest.Setup) {
		s.Policy = strings.Replace(s.Policy, `@id("open") permit`, `@id("open") forbid`, 1)
	})
	page := r.call(t, "scrim_lab", "patients_list", `{"columns":["mrn","age"]}`)
	if got := r.call(t, "scrim_lab", "patients_get", `{"key":{"mrn":"`+page.Rows[0]["mrn"].(string)+`"}}`); got.refused == "" {
		t.Errorf("a token that may not be opened finds its row: %s", got.body)
	}
}

// TestWhatIsKeptBackAndWhatIsNotThereAreAlike compares a table that the lab is shown nothing of with one that is not there.
func TestWhatIsKeptBackAndWhatIsNotThereAreAlike(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), nil)
	for _, op := range []string{"list", "search", "get"} {
		kept, missing := r.call(t, "scrim_lab", "payroll_"+op, `{}`), r.call(t, "scrim_lab", "nothing_"+op, `{}`)
		if kept.refused == "" || kept.refused != missing.refused {
			t.Errorf("%s: kept back %q, not there %q", op, kept.refused, missing.refused)
		}
	}
	listed := r.send(t, "scrim_lab", "2025-11-25", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	for _, hidden := range []string{"payroll", "ssn", "loose", "secret_column", `"owed"`, `"name":{"`} {
		if strings.Contains(listed, hidden) {
			t.Errorf("the lab's list names %s: %s", hidden, listed)
		}
	}
	if !strings.Contains(listed, "stock_search") || !strings.Contains(listed, "patients_get") {
		t.Errorf("the lab's list lacks tools: %s", listed)
	}
	if own := r.send(t, "scrim_own", "2025-11-25", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`); !strings.Contains(own, "payroll_get") || strings.Contains(own, "secret_column") {
		t.Errorf("the house's list is %s", own)
	}
	gone := r.call(t, "scrim_lab", "patients_list", `{"columns":["secret_column"]}`)
	if hidden := r.call(t, "scrim_lab", "patients_list", `{"columns":["ssn"]}`); gone.refused == "" || gone.refused != hidden.refused {
		t.Errorf("a column that is kept back is told from one that is not there: %q, %q", hidden.refused, gone.refused)
	}
}

// TestWhatExposureMayCoarsenIsNotAskedFor: an exact age in a filter would tell what the answer makes coarser.
func TestWhatExposureMayCoarsenIsNotAskedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people), func(_ *facade.Options, s *gatewaytest.Setup) {
		s.Change = func(snap *gateway.Snapshot) {
			snap.Exposure = &exposure.Settings{Rules: exposure.Presets()["combinations"], Taxonomy: snap.Taxonomy}
		}
	})
	if got := r.call(t, "scrim_lab", "patients_search", `{"where":{"age":{"eq":64}}}`); got.refused == "" {
		t.Errorf("the lab asks for an age: %s", got.body)
	}
	if got := r.call(t, "scrim_own", "patients_search", `{"where":{"age":{"eq":64}}}`); len(got.Rows) != 1 {
		t.Errorf("the house does not: %s", got.body)
	}
}

// TestNobodyButTheGatewayIsAnswered calls the facade past the road.
func TestNobodyButTheGatewayIsAnswered(t *testing.T) {
	t.Parallel()
	f, err := facade.New(facade.Options{Server: "records", Tables: tables, Contracts: parsed(t, contract), Source: lite(t, people)})
	if err != nil {
		t.Fatal(err)
	}
	res, err := gateway.NewInner(f).Send(t.Context(), "POST", nil, nil, []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"stock_list","arguments":{}}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 403 {
		t.Errorf("a call past the road has status %d", res.StatusCode)
	}
}

// TestRowsThatAreLeftOutDoNotShow compares a table with rows that are hidden for their looks with one that does not have them.
func TestRowsThatAreLeftOutDoNotShow(t *testing.T) {
	t.Parallel()
	var with, without strings.Builder
	with.WriteString(people + "DELETE FROM patients;")
	without.WriteString(people + "DELETE FROM patients;")
	for i := range 24 {
		row := fmt.Sprintf("INSERT INTO patients (mrn, age, ward, code, seen) VALUES ('MRN-%06d', %d, 'er', 'C%03d', NULL);", i, i, i)
		if i%3 == 0 || i > 20 {
			with.WriteString(strings.Replace(row, fmt.Sprintf("'C%03d'", i), fmt.Sprintf("'person%d@example.org'", i), 1))
			continue
		}
		with.WriteString(row)
		without.WriteString(row)
	}
	a, b := newRig(t, lite(t, with.String()), nil), newRig(t, lite(t, without.String()), nil)
	for _, limit := range []int{1, 7} {
		for _, question := range []string{`"where":{"code":{"null":false}},"order":[{"column":"age"}]`, `"order":[{"column":"code","descending":true}]`} {
			next := [2]string{}
			for page := 0; page == 0 || next[0] != ""; page++ {
				var got [2]answer
				for i, r := range []*rig{a, b} {
					got[i] = r.call(t, "scrim_lab", "patients_search", fmt.Sprintf(`{"limit":%d,"columns":["age","code"],%s%s}`, limit, question, next[i]))
					if next[i] = ""; got[i].Next != "" {
						next[i] = `,"cursor":"` + got[i].Next + `"`
					}
				}
				if fmt.Sprint(got[0].Rows) != fmt.Sprint(got[1].Rows) || (got[0].Next == "") != (got[1].Next == "") || got[0].refused != "" {
					t.Fatalf("limit %d, %s, page %d: with hidden rows %v, next %t; without %v, next %t", limit, question, page, got[0].Rows, got[0].Next != "", got[1].Rows, got[1].Next != "")
				}
			}
		}
	}
}

// TestPagesGoOnInEveryOrder reads all pages with NULLs and ties, and in the order of the key.
func TestPagesGoOnInEveryOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, lite(t, people+`UPDATE stock SET left = NULL WHERE sku % 3 = 0;`), nil)
	for _, order := range []string{`[]`, `[{"column":"left"}]`, `[{"column":"left","descending":true}]`, `[{"column":"left"},{"column":"sku","descending":true}]`, `[{"column":"sku","descending":true}]`} {
		seen, cursor := map[string]bool{}, ""
		for range 60 {
			got := r.call(t, "scrim_own", "stock_search", `{"limit":60,"order":`+order+cursor+`}`)
			for _, row := range got.Rows {
				seen[fmt.Sprint(row["sku"])] = true
			}
			if got.Next == "" {
				break
			}
			cursor = `,"cursor":"` + got.Next + `"`
		}
		if len(seen) != 250 {
			t.Errorf("in the order %s pages have %d of 250 rows", order, len(seen))
		}
	}
}
