package detect

import (
	"testing"

	"github.com/scrimhq/scrim/flow"
)

func TestPrior(t *testing.T) {
	for _, c := range []struct {
		value string
		want  flow.Label
		names []string
	}{
		{"219099999", "government-id/ssn", []string{"ssn"}},
		{"see file", "", []string{"ssn"}},
		{"03.04.1980", "person/birth-date", []string{"dob"}},
		{"1980", "person/birth-date", []string{"dateOfBirth"}},
		{"unknown", "", []string{"dob"}},
		{"Ana Ruiz", "person/name", []string{"name"}},
		{"ana ruiz", "person/name", []string{"name", "patient"}},
		{"田中太郎", "person/name", []string{"name"}},
		{"Ana Ruiz", "person/name", []string{"person", "contact"}},
		{"Ana Ruiz", "person/name", []string{"contact.person"}},
		{"Ana Ruiz", "person/name", []string{"patient.name"}},
		{"Ana Ruiz", "person/name", []string{"v", "Name"}},
		{"Ana Ruiz", "person/name", []string{"", "name"}},
		{"open", "", []string{"state2", "address"}},
		{"build-2024.7", "", []string{"name"}},
		{"12345", "location/postal", []string{"zip"}},
		{"DE89 3704 0044 0532 0130 01", "finance/iban", []string{"iban"}}, // though its checksum is wrong
		{"555 0100", "person/contact/phone", []string{"phone"}},
		{"mobile", "", []string{"phone"}},
		{"A-4471", "health/record-number", []string{"mrn"}},
		{"00123", "finance/account", []string{"accountNo"}},
		{"hunter2", "secret/password", []string{"password"}},
		{"blue", "", []string{"colour"}},
		{"blue", "", nil},
		{"ok", "", []string{"status", "patient"}},
		{"", "", []string{"ssn"}},
		{"jane", "", []string{"emailVerified"}},
		{"false", "", []string{"phone"}},
	} {
		if got, ok := Prior(c.value, c.names...); ok && got != c.want || ok != (c.want != "") {
			t.Errorf("Prior(%q, %q) = %q, %v, want %q", c.value, c.names, got, ok, c.want)
		}
	}
}

func FuzzPrior(f *testing.F) {
	f.Add("219099999", "ssn", "patient")
	f.Add("\xff", "contact.person", "")
	f.Fuzz(func(t *testing.T, value, name, parent string) {
		if l, ok := Prior(value, name, parent); ok && !flow.DefaultTaxonomy().Known(l) {
			t.Errorf("Prior(%q, %q, %q) = %q, which the taxonomy does not have", value, name, parent, l)
		}
	})
}
