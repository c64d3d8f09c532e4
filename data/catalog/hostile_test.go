package catalog

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const hostileHead = "apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1\nstatus: x\n"

// TestHostileContractsAreRefused: each is refused with the line and the reason, soon and without repeating what the file holds.
func TestHostileContractsAreRefused(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	columns := func(n int) string {
		var b strings.Builder
		b.WriteString("schema:\n- name: t\n  properties:\n")
		for i := range n {
			fmt.Fprintf(&b, "  - {name: c%d}\n", i)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		text string
		line int
		want string
	}{
		"a bomb of aliases":             {hostileHead + bomb, 7, "aliases are not read"},
		"a merged map":                  {hostileHead + "description:\n  <<: {purpose: x}\n", 7, "merged maps are not read"},
		"an alias of itself":            {hostileHead + "schema: &s [*s]\n", 0, ""},
		"a tag":                         {hostileHead + "name: !!binary aGVsbG8=\n", 6, "tags are not read"},
		"a tag of one's own":            {hostileHead + "name: !ruby/object:Gem x\n", 6, "tags are not read"},
		"a key given twice":             {hostileHead + "domain: a\ndomain: b\n", 7, "given twice"},
		"a key that is a map":           {hostileHead + "? {a: b}\n: c\n", 6, "a key is a text"},
		"a second document":             {hostileHead + "---\nid: b\n", 6, "a second document follows"},
		"another spelling":              {hostileHead + "shema: []\n", 6, `unknown member "shema" (did you mean schema?)`},
		"an unknown member within":      {hostileHead + "schema:\n- name: t\n  properties:\n  - name: c\n    customPropertys: []\n", 10, "did you mean customProperties?"},
		"deep lists":                    {hostileHead + "name: " + strings.Repeat("[", 200) + strings.Repeat("]", 200) + "\n", 6, "nested more than 100 deep"},
		"very deep lists":               {hostileHead + "name: " + strings.Repeat("[", 150_000), 6, "not a YAML document"},
		"too many entries":              {hostileHead + "tags: [" + strings.Repeat("a,", 500_000) + "]\n", 1, "too many entries"},
		"too large":                     {hostileHead + "name: " + strings.Repeat("x", 5<<20) + "\n", 1, "larger than 4 MiB"},
		"properties nested for long":    {hostileHead + "schema:\n- name: t\n  properties: " + strings.Repeat("[{name: a, properties: ", 40) + "[]" + strings.Repeat("}]", 40) + "\n", 0, "deep"},
		"many wrong labels":             {hostileHead + "schema:\n- name: t\n  tags: [" + strings.Repeat(`"label:persn/nam", `, 1000) + "x]\n  properties:\n  - {name: a, tags: [" + strings.Repeat(`"label:persn/nam", `, 50_000) + "x]}\n", 0, "and "},
		"many columns of one name":      {hostileHead + strings.ReplaceAll(columns(60_000), "name: c", "name: same, id: c"), 0, "and "},
		"nothing":                       {"", 1, "a data contract is expected"},
		"a list":                        {"- a\n", 1, "a data contract is expected"},
		"control characters":            {hostileHead + "name: \x00\n", 0, "not a YAML document"},
		"no text":                       {"\xff\xfe\x00", 1, ""},
		"purposes of what a list holds": {hostileHead + "schema:\n- name: t\n  properties:\n  - name: c\n    items:\n      customProperties:\n      - {property: scrim.purposes, value: [care]}\n", 12, `"scrim.purposes" is not read here`},
		"purposes of the description":   {hostileHead + "description:\n  customProperties:\n  - {property: scrim.purposes, value: [care]}\n", 8, `"scrim.purposes" is not read here`},
		"a key that steers":             {hostileHead + "\"\\e[2J\\r\": {a: !!str b}\n", 6, "tags are not read"},
		"purposes spelled otherwise":    {hostileHead + "customProperties:\n- {property: Scrim.purposes, value: [care]}\n", 7, "did you mean scrim.purposes?"},
		"purposes with a hyphen":        {hostileHead + "customProperties:\n- {property: scrim-purposes, value: [care]}\n", 7, "not spelled as"},
		"an empty list of purposes":     {hostileHead + "customProperties:\n- {property: scrim.purposes, value: []}\n", 7, "a list of texts is expected"},
		"a technique there is not":      {hostileHead + "customProperties:\n- {property: scrim.techniques, value: [agregate]}\n", 7, "did you mean aggregate?"},
		"longer than around it": {hostileHead + "customProperties:\n- {property: scrim.retention, value: 1d}\nschema:\n- name: t\n  customProperties:\n  - {property: scrim.retention, value: 2d}\n",
			11, "for longer than what is around it says"},
		"a technique that is not around it": {hostileHead + "customProperties:\n- {property: scrim.techniques, value: [match]}\nschema:\n- name: t\n  customProperties:\n  - {property: scrim.techniques, value: [train]}\n",
			11, "train is not among the techniques"},
	} {
		began := time.Now()
		got, err := ParseContract("h.yaml", []byte(c.text), nil)
		if err == nil || got != nil {
			t.Errorf("%s is read as %+v", name, got)
			continue
		}
		ms, lines := err.(Mistakes), ""
		for _, m := range ms {
			lines += m.String() + "\n"
		}
		if strings.ContainsAny(lines, "\x1b\r") {
			t.Errorf("%s steers the terminal: %q", name, lines)
		}
		if len(ms) > maxMistakes+1 || len(lines) > 100_000 {
			t.Errorf("%s: %d mistakes are told in %d bytes", name, len(ms), len(lines))
		}
		if !strings.Contains(lines, c.want) || c.line > 0 && !strings.Contains(lines, fmt.Sprintf("h.yaml:%d:", c.line)) {
			t.Errorf("%s is refused by\n%.600s\nwant line %d and %q", name, lines, c.line, c.want)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s took %v", name, took)
		}
	}
	began := time.Now()
	if _, err := ParseContract("h.yaml", []byte(hostileHead+columns(60_000)), nil); err != nil {
		t.Errorf("60,000 columns: %.300v", err)
	}
	t.Logf("60,000 columns in %v", time.Since(began))
}
