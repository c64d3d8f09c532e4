package idnumber

const (
	national = "government-id/national"
	tax      = "government-id/tax"
	record   = "health/record-number"
)

// europe are the numbers of western and southern Europe.
var europe = []Kind{
	{Name: "de-tax-id", Title: "German tax identification number", Label: tax, Gate: Written, Groups: []string{"2 3 3 3"},
		Cues: []string{"steuer", "steuerid", "idnr", "identifikationsnummer", "tin"}, form: "99999999999", check: deTax},
	{Name: "de-pension", Title: "German pension insurance number", Label: national, Groups: []string{"2 6 1 3"},
		Cues: []string{"rentenversicherungsnummer", "sozialversicherungsnummer", "rvnr", "svnr"}, form: "99999999A999", check: dePension},
	{Name: "fr-nir", Title: "French social security number", Label: national, Groups: []string{"1 2 2 2 3 3 2"},
		Cues: []string{"nir", "insee"}, form: "99999999999999" + "9", check: frNIR},
	{Name: "fr-nir-corsica", Title: "French social security number of Corsica", Label: national, Groups: []string{"1 2 2 2 3 3 2"},
		Cues: []string{"nir", "insee"}, form: "999992A99999999", check: frCorsica},
	{Name: "gb-nhs", Title: "NHS number", Label: record, Gate: Cued, Cues: []string{"nhs"}, form: "9999999999", check: gbNHS},
	{Name: "gb-nino", Title: "UK national insurance number", Label: national, Groups: []string{"2 2 2 2 1"},
		Cues: []string{"nino", "insurance"}, form: "AA999999A", check: gbNINO},
	{Name: "gb-utr", Title: "UK unique taxpayer reference", Label: tax, Gate: Cued, Cues: []string{"utr", "taxpayer"}, form: "9999999999", check: gbUTR},
	{Name: "gb-licence", Title: "UK driving licence number", Label: "government-id/driver-licence", Cues: []string{"licence", "driving"},
		form: "XXXXX999999XXXAA", check: gbLicence},
	{Name: "ie-pps", Title: "Irish personal public service number", Label: national, Gate: Cued, Cues: []string{"pps", "ppsn"}, form: "9999999A", check: iePPS},
	{Name: "ie-pps-2013", Title: "Irish personal public service number since 2013", Label: national, Gate: Cued, Cues: []string{"pps", "ppsn"},
		form: "9999999AA", check: iePPS},
	{Name: "es-dni", Title: "Spanish identity number", Label: national, Groups: []string{"8-1", "2.3.3-1"}, Cues: []string{"dni", "nif"}, form: "99999999A", check: esDNI},
	{Name: "es-nie", Title: "Spanish foreigner's number", Label: national, Groups: []string{"1-7-1"}, Cues: []string{"nie"}, form: "A9999999A", check: esNIE},
	{Name: "it-fiscal-code", Title: "Italian fiscal code", Label: tax, Cues: []string{"fiscale", "cf"}, form: "AAAAAAXXAXXAXXXA", check: itFiscal},
	{Name: "it-vat", Title: "Italian VAT number", Label: tax, Gate: Cued, Cues: []string{"iva", "piva"}, form: "99999999999", check: itVAT},
	{Name: "pt-nif", Title: "Portuguese tax number", Label: tax, Gate: Cued, Cues: []string{"nif", "contribuinte"}, form: "999999999", check: ptNIF},
	{Name: "nl-bsn", Title: "Dutch citizen service number", Label: national, Gate: Cued, Cues: []string{"bsn", "burgerservicenummer", "sofinummer"},
		form: "999999999", check: nlBSN},
	{Name: "be-national", Title: "Belgian national register number", Label: national, Gate: Written, Groups: []string{"2.2.2-3.2"},
		Cues: []string{"rijksregisternummer", "nrn", "niss", "insz", "registre"}, form: "99999999999", check: beNational},
	{Name: "lu-national", Title: "Luxembourg identification number", Label: national, Cues: []string{"matricule"}, form: "9999999999999", check: luNational},
	{Name: "ch-ahv", Title: "Swiss social security number", Label: national, Groups: []string{"3.4.4.2"}, Cues: []string{"ahv", "avs"},
		form: "7569999999999", check: func(b []byte) bool { return sum(b, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1)%10 == 0 }},
	{Name: "at-social", Title: "Austrian social insurance number", Label: national, Gate: Written, Groups: []string{"4 6"},
		Cues: []string{"svnr", "sozialversicherungsnummer", "versicherungsnummer"}, form: "9999999999", check: atSocial},
	{Name: "gr-amka", Title: "Greek social security number", Label: national, Gate: Cued, Cues: []string{"amka"}, form: "99999999999",
		check: func(b []byte) bool { return ddmmyy(b) && luhn(b) }},
	{Name: "gr-afm", Title: "Greek tax number", Label: tax, Gate: Cued, Cues: []string{"afm"}, form: "999999999",
		check: func(b []byte) bool {
			return !same(b) && sum(b, 256, 128, 64, 32, 16, 8, 4, 2)%11%10 == digit(b[8])
		}},
	{Name: "tr-tckn", Title: "Turkish identity number", Label: national, Gate: Cued, Cues: []string{"tckn", "kimlik", "tc"}, form: "99999999999", check: trTCKN},
}

func notSame(check func([]byte) bool) func([]byte) bool {
	return func(b []byte) bool { return !same(b) && check(b) }
}

// deTax: one of the first ten digits occurs twice or three times and all others at most once (§ 139b AO, since 2016).
func deTax(b []byte) bool {
	var n [10]int
	for _, c := range b[:10] {
		n[c-'0']++
	}
	repeated := 0
	for _, times := range n {
		if times > 3 {
			return false
		}
		if times > 1 {
			repeated++
		}
	}
	return b[0] != '0' && repeated == 1 && mod1110(b)
}

func dePension(b []byte) bool {
	if d := num(b[2:4]); d < 1 || d > 31 && d < 51 || d > 81 || num(b[4:6]) < 1 || num(b[4:6]) > 12 {
		return false
	}
	letter := int(b[8]-'A') + 1
	digits := append(append([]byte{}, b[:8]...), byte('0'+letter/10), byte('0'+letter%10), b[9], b[10])
	s := 0
	for i, w := range [12]int{2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1} {
		v := digit(digits[i]) * w
		s += v/10 + v%10
	}
	return s%10 == digit(b[11])
}

func frNIR(b []byte) bool {
	m := num(b[3:5])
	return (b[0] == '1' || b[0] == '2' || b[0] == '7' || b[0] == '8') && (1 <= m && m <= 12 || 20 <= m && m <= 42 || m >= 50) && 97-num(b[:13])%97 == num(b[13:])
}

// frCorsica: departments 2A and 2B count as 19 and 18.
func frCorsica(b []byte) bool {
	if b[6] != 'A' && b[6] != 'B' {
		return false
	}
	plain := append([]byte{}, b...)
	plain[5], plain[6] = '1', '9'
	if b[6] == 'B' {
		plain[6] = '8'
	}
	return frNIR(plain)
}

func gbNHS(b []byte) bool {
	check := 11 - sum(b, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11
	return !same(b) && check != 10 && check%11 == digit(b[9])
}

func gbNINO(b []byte) bool {
	in := func(c byte, set string) bool {
		for i := range len(set) {
			if set[i] == c {
				return true
			}
		}
		return false
	}
	switch string(b[:2]) {
	case "BG", "GB", "KN", "NK", "NT", "TN", "ZZ":
		return false
	}
	return !in(b[0], "DFIQUV") && !in(b[1], "DFIOQUV") && b[8] <= 'D'
}

func gbUTR(b []byte) bool {
	return "21987654321"[sum(b[1:], 6, 7, 8, 9, 10, 5, 4, 3, 2)%11] == b[0] && !same(b)
}

func gbLicence(b []byte) bool {
	letters := true
	for i, c := range b[:5] {
		if isDigit(c) && (c != '9' || i == 0) {
			return false
		}
		if letters = letters && !isDigit(c); !letters && !isDigit(c) {
			return false
		}
	}
	month := num(b[6:8])
	if month > 50 {
		month -= 50
	}
	for _, c := range b[11:13] {
		if isDigit(c) && c != '9' {
			return false
		}
	}
	return monthDay(month, num(b[8:10]))
}

func iePPS(b []byte) bool {
	s := sum(b, 8, 7, 6, 5, 4, 3, 2)
	if len(b) == 9 {
		switch b[8] {
		case 'A', 'H':
			s += 9 * int(b[8]-'A'+1)
		case 'T', 'W', 'X': // of old; they do not count
		default:
			return false
		}
	}
	return pick("WABCDEFGHIJKLMNOPQRSTUV", s) == b[7]
}

const dniLetters = "TRWAGMYFPDXBNJZSQVHLCKE"

func esDNI(b []byte) bool { return pick(dniLetters, num(b[:8])) == b[8] }

func esNIE(b []byte) bool {
	if b[0] < 'X' || b[0] > 'Z' {
		return false
	}
	return pick(dniLetters, int(b[0]-'X')*10_000_000+num(b[1:8])) == b[8]
}

// itFiscal checks form and check letter; digits may be written as letters where two people would have one code.
func itFiscal(b []byte) bool {
	const omocodia = "LMNPQRSTUV"
	for _, i := range []int{6, 7, 9, 10, 12, 13, 14} {
		if !isDigit(b[i]) && !contains(omocodia, b[i]) {
			return false
		}
	}
	if !contains("ABCDEHLMPRST", b[8]) {
		return false
	}
	odd := [36]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}
	s := 0
	for i, c := range b[:15] {
		v := int(c - '0')
		if !isDigit(c) {
			v = int(c-'A') + 10
		}
		switch {
		case i%2 == 0:
			s += odd[v]
		case v >= 10:
			s += v - 10
		default:
			s += v
		}
	}
	return byte('A'+s%26) == b[15]
}

// itVAT: digits eight to ten name the office that gave the number out.
func itVAT(b []byte) bool {
	office := num(b[7:10])
	return num(b[:7]) > 0 && (1 <= office && office <= 100 || office == 120 || office == 121 || office == 888 || office == 999) && luhn(b)
}

func contains(set string, c byte) bool {
	for i := range len(set) {
		if set[i] == c {
			return true
		}
	}
	return false
}

func ptNIF(b []byte) bool {
	check := 11 - sum(b, 9, 8, 7, 6, 5, 4, 3, 2)%11
	if check > 9 {
		check = 0
	}
	return b[0] != '0' && check == digit(b[8]) && !same(b)
}

func nlBSN(b []byte) bool {
	return !same(b) && sum(b, 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0
}

func beNational(b []byte) bool {
	m := num(b[2:4])
	if m > 12 {
		m %= 20 // numbers for strangers have 20 or 40 added
	}
	if m > 12 || num(b[4:6]) > 31 {
		return false
	}
	check := num(b[9:])
	return 97-num(b[:9])%97 == check || 97-(2_000_000_000+num(b[:9]))%97 == check
}

func luNational(b []byte) bool {
	return yyyymmdd(b) && luhn(b[:12]) && verhoeff(append(append([]byte{}, b[:11]...), b[12]))
}

func atSocial(b []byte) bool {
	m := num(b[6:8])
	return b[0] != '0' && num(b[4:6]) <= 31 && m >= 1 && m <= 15 && sum(b, 3, 7, 9, 0, 5, 8, 4, 2, 1, 6)%11 == digit(b[3])
}

func trTCKN(b []byte) bool {
	odd, even := sum(b, 1, 0, 1, 0, 1, 0, 1, 0, 1), sum(b, 0, 1, 0, 1, 0, 1, 0, 1)
	ten := ((odd*7-even)%10 + 10) % 10
	return b[0] != '0' && ten == digit(b[9]) && (odd+even+ten)%10 == digit(b[10])
}
