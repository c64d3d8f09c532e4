package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMistakesInReports(t *testing.T) {
	const head = "version: 1\ndomain: a\npurposes: {billing: {}}\nreports:\n"
	for entry, want := range map[string]string{
		`  purposes: {care: {people: patients}}`:      "no purpose",
		`  purposes: {billing: {hipaa: marketing}}`:   "limited-data-set is expected",
		`  domains: {a: {country: CH}}`:               "this domain itself",
		`  domains: {b: {country: Switzerland}}`:      "code of a country",
		`  domains: {b: {role: friend}}`:              "third-party is expected",
		`  ccpa_categories: {Person: "(A)"}`:          "label",
		`  controller: {name: House, phone: "12345"}`: "phone",
	} {
		if _, err := Parse("scrim.yaml", []byte(head+entry+"\n"), t.TempDir()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", entry, err, want)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "policies"), 0o755); err != nil {
		t.Fatal(err)
	}
	good := "  controller: {name: House}\n  domains: {b: {name: B, country: CH, role: processor, sale: true}}\n  purposes: {billing: {hipaa: payment}}\n  ccpa_categories: {person/name: (A) identifiers}\n"
	c, err := Parse("scrim.yaml", []byte(head+good), dir)
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Reports.Domains["b"]; !d.Sale || d.Role != "processor" || c.Reports.Purposes["billing"].HIPAA != "payment" {
		t.Errorf("reports are %+v", c.Reports)
	}
}
