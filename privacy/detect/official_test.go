package detect

import (
	"strings"
	"testing"
)

func TestOfficialNumbers(t *testing.T) {
	e := engine(t)
	for _, c := range []struct{ text, want string }{
		{"Steuer-ID: 36574261809", "de-tax-id 36574261809"},
		{"IdNr. 36 574 261 809 steht", "de-tax-id 36 574 261 809"},
		{"RVNR 15 070649 C 103.", "de-pension 15 070649 C 103"},
		{"15070649C103", "de-pension 15070649C103"},
		{"NHS number 943 476 5919", "gb-nhs 943 476 5919"},
		{"NINO AB123456C, please", "gb-nino AB123456C"},
		{"says AB123456C is hers", "gb-nino AB123456C"},
		{"her number, AB 12 34 56 C, is", "gb-nino AB 12 34 56 C"},
		{"DNI 12345678Z", "es-dni 12345678Z"},
		{"con DNI 12.345.678-Z,", "es-dni 12.345.678-Z"},
		{"NIE X1234567L", "es-nie X1234567L"},
		{"nato a Roma, RSSMRA85T10A562S.", "it-fiscal-code RSSMRA85T10A562S"},
		{"codice fiscale rssmra85t10a562s", "it-fiscal-code rssmra85t10a562s"},
		{"PESEL 44051401359", "pl-pesel 44051401359"},
		{"BSN: 111222333", "nl-bsn 111222333"},
		{"85.07.30-033.28", "be-national 85.07.30-033.28"},
		{"AHV 756.9217.0769.85", "ch-ahv 756.9217.0769.85"},
		{"811218-9876", "se-personal 811218-9876"},
		{"hetu 131052-308T", "fi-personal 131052-308T"},
		{"CPF 123.456.789-09", "br-cpf 123.456.789-09"},
		{"12345678909", ""},
		{"cpf: 12345678909", "br-cpf 12345678909"},
		{"CURP HEGG560427MVZRRL04", "mx-curp HEGG560427MVZRRL04"},
		{"PAN ABCPE1234F", "in-pan ABCPE1234F"},
		{"Aadhaar 2341 2341 2346", "in-aadhaar 2341 2341 2346"},
		{"NRIC S1234567D", "sg-nric S1234567D"},
		{"id 11010519491231002X", "cn-resident 11010519491231002X"},
		{"SIN 130 692 544", "ca-sin 130 692 544"},
		{"130 692 544", ""},
		{"VIN 1M8GDM9AXKP042788", "x-vin 1M8GDM9AXKP042788"},
		{"IMEI 490154203237518", "x-imei 490154203237518"},
		{"SWIFT: DEUTDEFF500", "x-swift-branch DEUTDEFF500"},
		{"Medicare 1EG4-TE5-MK73", "us-mbi 1EG4-TE5-MK73"},
		{"ITIN 912-70-1234", "us-itin 912-70-1234"},
		{"routing number 021000021", "us-routing 021000021"},
		{"the NPI is 1234567893", "us-npi 1234567893"},
		{"national id: 44051401359", "pl-pesel 44051401359"},
		{"order 15070649C103", ""},
		{"a 1M8GDM9AXKP042789", ""}, // a wrong check digit
		{"x1M8GDM9AXKP042788", ""},
		{"1M8GDM9AXKP0427881", ""},
	} {
		if got := strings.Join(spans(t, e, c.text, nil), "|"); got != c.want {
			t.Errorf("Find(%q) = %q, want %q", c.text, got, c.want)
		}
	}
}
