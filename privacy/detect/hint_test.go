package detect

import (
	"testing"

	"github.com/scrimhq/scrim/flow"
)

func TestHintLabel(t *testing.T) {
	for name, want := range map[string]flow.Label{
		"email": "person/contact/email", "E-Mail": "person/contact/email", "patientEmailAddress": "person/contact/email", "EMAIL_ADDRESS": "person/contact/email",
		"ssn": "government-id/ssn", "SSN": "government-id/ssn", "patientSSN": "government-id/ssn", "social_security_number": "government-id/ssn",
		"phoneNumber": "person/contact/phone", "home-phone": "person/contact/phone", "emergencyContactPhone": "person/contact/phone",
		"dob": "person/birth-date", "DateOfBirth": "person/birth-date", "birth_date": "person/birth-date", "patient.dob": "person/birth-date",
		"iban": "finance/iban", "IBANNumber": "finance/iban", "cardNumber": "finance/card", "billing_zip": "location/postal", "MRN": "health/record-number",
		"firstName": "person/name/given", "last name": "person/name/family", "memberId": "health/member-number", "patient_id": "health/record-number",
		"clientIP": "technical/ip", "api_key": "secret/api-key", "employeeID": "organization/employee-id", "addressLine1": "person/contact/address",
		"emailVerified": "", "phoneType": "", "namespace": "", "status": "", "": "", "id": "", "productName": "", "file": "", "shipping": "", "漢字": "", "__": "",
		"hasEmail": "", "page": "", "message": "", "gender_options": "", "totalAge": "",
	} {
		got, ok := HintLabel(name)
		if got != want || ok != (want != "") {
			t.Errorf("HintLabel(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
	for name, l := range hints {
		if !flow.DefaultTaxonomy().Known(l) {
			t.Errorf("the hint for %s is %q, which the taxonomy does not have", name, l)
		}
	}
}
