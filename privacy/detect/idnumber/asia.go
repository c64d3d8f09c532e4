package idnumber

// asia are the numbers of Asia, Africa and Oceania.
var asia = []Kind{
	{Name: "in-aadhaar", Title: "Indian Aadhaar number", Label: national, Gate: Written, Groups: []string{"4 4 4", "4-4-4"}, Cues: []string{"aadhaar", "aadhar", "uid", "uidai"},
		form: "999999999999", check: func(b []byte) bool { return b[0] >= '2' && verhoeff(b) }},
	{Name: "in-pan", Title: "Indian permanent account number", Label: tax, Cues: []string{"pan"}, form: "AAAAA9999A",
		check: func(b []byte) bool { return contains("ABCFGHJLPT", b[3]) && num(b[5:9]) > 0 }},
	{Name: "sg-nric", Title: "Singaporean NRIC or FIN", Label: national, Cues: []string{"nric", "fin"}, form: "A9999999A", check: sgNRIC},
	{Name: "kr-rrn", Title: "Korean resident registration number", Label: national, Gate: Written, Groups: []string{"6-7"}, Cues: []string{"rrn"},
		form: "9999999999999", check: func(b []byte) bool { return yymmdd(b) && '1' <= b[6] && b[6] <= '8' }},
	{Name: "jp-my-number", Title: "Japanese individual number", Label: national, Gate: Cued, Cues: []string{"mynumber"},
		form: "999999999999", check: jpMyNumber},
	{Name: "cn-resident", Title: "Chinese resident identity number", Label: national, Cues: []string{"sfz"}, form: "99999999999999999X", check: cnResident},
	{Name: "tw-id", Title: "Taiwanese identity number", Label: national, Gate: Cued, Cues: []string{"taiwan"}, form: "A999999999", check: twID},
	{Name: "hk-id", Title: "Hong Kong identity card number", Label: national, Gate: Cued, Cues: []string{"hkid"}, form: "A999999X", check: hkID},
	{Name: "th-id", Title: "Thai identity number", Label: national, Gate: Written, Groups: []string{"1-4-5-2-1", "1 4 5 2 1"}, form: "9999999999999",
		Cues: []string{"thai"}, check: thID},
	{Name: "my-nric", Title: "Malaysian identity card number", Label: national, Gate: Written, Groups: []string{"6-2-4"}, Cues: []string{"mykad", "nric", "ic"},
		form: "999999999999", check: yymmdd},
	{Name: "id-nik", Title: "Indonesian identity number", Label: national, Gate: Cued, Cues: []string{"nik", "ktp"}, form: "9999999999999999", check: idNIK},
	{Name: "ae-id", Title: "Emirati identity number", Label: national, Groups: []string{"3-4-7-1"}, Cues: []string{"emirates"}, form: "784999999999999",
		check: func(b []byte) bool { y := num(b[3:7]); return 1900 <= y && y <= 2050 && luhn(b) }},
	{Name: "sa-id", Title: "Saudi identity number", Label: national, Gate: Cued, Cues: []string{"iqama", "saudi"}, form: "9999999999",
		check: func(b []byte) bool { return (b[0] == '1' || b[0] == '2') && luhn(b) }},
	{Name: "il-id", Title: "Israeli identity number", Label: national, Gate: Cued, Cues: []string{"teudat", "zehut"}, form: "999999999", check: notSame(luhn)},
	{Name: "za-id", Title: "South African identity number", Label: national, Cues: []string{"rsa"}, form: "9999999999999",
		check: func(b []byte) bool { return yymmdd(b) && b[10] <= '2' && luhn(b) }},
	{Name: "eg-id", Title: "Egyptian national number", Label: national, Gate: Cued, Cues: []string{"egyptian"}, form: "99999999999999",
		check: func(b []byte) bool { return (b[0] == '2' || b[0] == '3') && yymmdd(b[1:]) }},
	{Name: "ng-nin", Title: "Nigerian national identification number", Label: national, Gate: Cued, Cues: []string{"nin", "bvn"}, form: "99999999999", check: notSame(any)},
	{Name: "au-tfn", Title: "Australian tax file number", Label: tax, Gate: Cued, Cues: []string{"tfn"}, form: "999999999",
		check: func(b []byte) bool { return !same(b) && sum(b, 1, 4, 3, 7, 5, 8, 6, 9, 10)%11 == 0 }},
	{Name: "au-medicare", Title: "Australian Medicare number", Label: "health/member-number", Gate: Written, Groups: []string{"4 5 1"}, Cues: []string{"medicare"},
		form: "9999999999", check: func(b []byte) bool {
			return '2' <= b[0] && b[0] <= '6' && sum(b, 1, 3, 7, 9, 1, 3, 7, 9)%10 == digit(b[8])
		}},
	{Name: "au-abn", Title: "Australian business number", Label: tax, Gate: Written, Groups: []string{"2 3 3 3"}, Cues: []string{"abn"}, form: "99999999999",
		check: func(b []byte) bool {
			return (sum(b, 10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)-10)%89 == 0 && b[0] != '0'
		}},
	{Name: "nz-ird", Title: "New Zealand tax number", Label: tax, Gate: Cued, Cues: []string{"ird"}, form: "999999999", check: nzIRD},
	{Name: "nz-ird-8", Title: "New Zealand tax number of eight digits", Label: tax, Gate: Cued, Cues: []string{"ird"}, form: "99999999",
		check: func(b []byte) bool { return nzIRD(append([]byte("0"), b...)) }},
}

func any([]byte) bool { return true }

func sgNRIC(b []byte) bool {
	s := sum(b[1:], 2, 7, 6, 5, 4, 3, 2)
	switch b[0] {
	case 'S':
		return "JZIHGFEDCBA"[s%11] == b[8]
	case 'T':
		return "JZIHGFEDCBA"[(s+4)%11] == b[8]
	case 'F':
		return "XWUTRQPNMLK"[s%11] == b[8]
	case 'G':
		return "XWUTRQPNMLK"[(s+4)%11] == b[8]
	case 'M':
		return "KLJNPQRTUWX"[(s+3)%11] == b[8]
	}
	return false
}

func jpMyNumber(b []byte) bool {
	s := 0
	for n := 1; n <= 11; n++ {
		q := n + 1
		if n >= 7 {
			q = n - 5
		}
		s += digit(b[11-n]) * q
	}
	check := 0
	if r := s % 11; r > 1 {
		check = 11 - r
	}
	return !same(b) && check == digit(b[11])
}

// cnResident is the check of GB 11643: ISO/IEC 7064, MOD 11-2.
func cnResident(b []byte) bool {
	if !yyyymmdd(b[6:]) || b[0] == '0' || b[0] == '9' {
		return false
	}
	s := sum(b, 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
	return "10X98765432"[s%11] == b[17]
}

func twID(b []byte) bool {
	const order = "ABCDEFGHJKLMNPQRSTUVXYWZIO" // from 10 on
	at := -1
	for i := range len(order) {
		if order[i] == b[0] {
			at = i + 10
		}
	}
	return at > 0 && contains("1289", b[1]) && (at/10+at%10*9+sum(b[1:], 8, 7, 6, 5, 4, 3, 2, 1, 1))%10 == 0
}

func hkID(b []byte) bool {
	last := int(b[7] - '0')
	if !isDigit(b[7]) {
		if b[7] != 'A' {
			return false
		}
		last = 10
	}
	return (36*9+(int(b[0]-'A')+10)*8+sum(b[1:], 7, 6, 5, 4, 3, 2)+last)%11 == 0
}

func thID(b []byte) bool {
	return b[0] != '0' && (11-sum(b, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11)%10 == digit(b[12])
}

// idNIK: women have 40 added to the day.
func idNIK(b []byte) bool {
	day := num(b[6:8])
	if day > 40 {
		day -= 40
	}
	return num(b[:2]) >= 11 && monthDay(num(b[8:10]), day) && num(b[12:]) > 0
}

func nzIRD(b []byte) bool {
	if n := num(b); n < 10_000_000 || n > 150_000_000 {
		return false
	}
	check := (11 - sum(b, 3, 2, 7, 6, 5, 4, 3, 2)%11) % 11
	if check == 10 {
		check = (11 - sum(b, 7, 4, 3, 2, 5, 2, 7, 6)%11) % 11
	}
	return check == digit(b[8])
}
