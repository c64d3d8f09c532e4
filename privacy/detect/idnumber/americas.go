package idnumber

// americas are the numbers of the Americas. US social security numbers, which have no check, are the detector's own.
var americas = []Kind{
	{Name: "us-itin", Title: "US individual taxpayer identification number", Label: tax, Gate: Written, Groups: []string{"3-2-4"}, Cues: []string{"itin", "taxpayer", "tin"},
		form: "999999999", check: usITIN},
	{Name: "us-ein", Title: "US employer identification number", Label: tax, Gate: Cued, Cues: []string{"ein", "fein", "employer"}, form: "999999999", check: usEIN},
	{Name: "us-routing", Title: "US bank routing number", Label: "finance/account", Gate: Cued, Cues: []string{"routing", "aba", "rtn"}, form: "999999999", check: usRouting},
	{Name: "us-npi", Title: "US national provider identifier", Label: "health/provider", Gate: Cued, Cues: []string{"npi", "provider"}, form: "9999999999",
		check: func(b []byte) bool {
			return (b[0] == '1' || b[0] == '2') && luhn(append([]byte("80840"), b...))
		}},
	{Name: "us-dea", Title: "US DEA registration number", Label: "health/provider", Gate: Cued, Cues: []string{"dea"}, form: "AX9999999", check: usDEA},
	{Name: "us-mbi", Title: "US Medicare beneficiary identifier", Label: "health/member-number", Groups: []string{"4-3-4"}, Cues: []string{"mbi", "medicare"},
		form: "9AX9AX9AA99", check: usMBI},
	{Name: "ca-sin", Title: "Canadian social insurance number", Label: national, Gate: Cued, Cues: []string{"sin", "nas", "insurance", "social"}, form: "999999999",
		check: func(b []byte) bool { return b[0] != '0' && b[0] != '8' && !same(b) && luhn(b) }},
	{Name: "mx-curp", Title: "Mexican CURP", Label: national, Cues: []string{"curp"}, form: "AAAA999999AAAAAAX9", check: mxCURP},
	{Name: "mx-rfc", Title: "Mexican taxpayer registry number", Label: tax, Gate: Cued, Cues: []string{"rfc"}, form: "AAAA999999XXX",
		check: func(b []byte) bool { return yymmdd(b[4:]) }},
	{Name: "br-cpf", Title: "Brazilian CPF", Label: national, Gate: Written, Groups: []string{"3.3.3-2"}, Cues: []string{"cpf"}, form: "99999999999", check: brCPF},
	{Name: "br-cnpj", Title: "Brazilian CNPJ", Label: tax, Gate: Written, Groups: []string{"2.3.3/4-2"}, Cues: []string{"cnpj"}, form: "99999999999999", check: brCNPJ},
	{Name: "ar-cuit", Title: "Argentine CUIT or CUIL", Label: tax, Gate: Written, Groups: []string{"2-8-1"}, Cues: []string{"cuit", "cuil"}, form: "99999999999", check: arCUIT},
	{Name: "cl-rut", Title: "Chilean RUT", Label: national, Gate: Written, Groups: []string{"2.3.3-1", "8-1"}, Cues: []string{"rut", "run"}, form: "99999999X", check: clRUT},
	{Name: "ec-cedula", Title: "Ecuadorian identity number", Label: national, Gate: Cued, Cues: []string{"cedula"}, form: "9999999999",
		check: func(b []byte) bool { p := num(b[:2]); return (1 <= p && p <= 24 || p == 30) && b[2] < '6' && luhn(b) }},
	{Name: "uy-ci", Title: "Uruguayan identity number", Label: national, Gate: Cued, Cues: []string{"cedula", "ci"}, form: "99999999",
		check: func(b []byte) bool { return !same(b) && (10-sum(b, 2, 9, 8, 7, 6, 3, 4)%10)%10 == digit(b[7]) }},
}

// usITIN: the fourth and fifth digit are 50 to 65, 70 to 88, 90 to 92 or 94 to 99.
func usITIN(b []byte) bool {
	g := num(b[3:5])
	return b[0] == '9' && (50 <= g && g <= 65 || 70 <= g && g <= 88 || 90 <= g && g <= 92 || 94 <= g)
}

// usEIN: prefixes that no campus of the Internal Revenue Service gives out.
func usEIN(b []byte) bool {
	switch num(b[:2]) {
	case 0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97:
		return false
	}
	return !same(b)
}

func usRouting(b []byte) bool {
	p := num(b[:2])
	return (p <= 12 || 21 <= p && p <= 32 || 61 <= p && p <= 72 || p == 80) && num(b) != 0 && sum(b, 3, 7, 1, 3, 7, 1, 3, 7, 1)%10 == 0
}

func usDEA(b []byte) bool {
	return contains("ABCDEFGHJKLMPRSTUX", b[0]) && (sum(b[2:], 1, 0, 1, 0, 1)+2*sum(b[2:], 0, 1, 0, 1, 0, 1))%10 == digit(b[8])
}

// usMBI: eleven characters without S, L, O, I, B and Z; it has no check digit, and its form is enough.
func usMBI(b []byte) bool {
	for _, c := range b {
		if contains("SLOIBZ", c) {
			return false
		}
	}
	return b[0] != '0'
}

func mxCURP(b []byte) bool {
	if !yymmdd(b[4:]) || !contains("HMX", b[10]) {
		return false
	}
	const values = "0123456789ABCDEFGHIJKLMN*OPQRSTUVWXYZ" // * stands for Ñ
	s := 0
	for i, c := range b[:17] {
		for v := range len(values) {
			if values[v] == c {
				s += v * (18 - i)
			}
		}
	}
	return (10-s%10)%10 == digit(b[17])
}

// eleven is the check digit that Brazil uses twice: what is left of eleven, and zero for ten and eleven.
func eleven(s int) int {
	if r := s % 11; r > 1 {
		return 11 - r
	}
	return 0
}

func brCPF(b []byte) bool {
	return !same(b) && eleven(sum(b, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == digit(b[9]) && eleven(sum(b, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == digit(b[10])
}

func brCNPJ(b []byte) bool {
	return !same(b) && eleven(sum(b, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) == digit(b[12]) &&
		eleven(sum(b, 6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) == digit(b[13])
}

func arCUIT(b []byte) bool {
	switch num(b[:2]) {
	case 20, 23, 24, 25, 26, 27, 30, 33, 34:
	default:
		return false
	}
	return "01234567899"[(11-sum(b, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11)%11] == b[10]
}

func clRUT(b []byte) bool {
	check := 11 - sum(b, 3, 2, 7, 6, 5, 4, 3, 2)%11
	switch check {
	case 10:
		return b[8] == 'K'
	case 11:
		return b[8] == '0'
	}
	return b[8] == byte('0'+check)
}
