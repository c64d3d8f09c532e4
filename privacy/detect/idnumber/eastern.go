package idnumber

// eastern are the numbers of central and eastern Europe.
var eastern = []Kind{
	{Name: "pl-pesel", Title: "Polish PESEL", Label: national, Gate: Cued, Cues: []string{"pesel"}, form: "99999999999", check: plPESEL},
	{Name: "pl-nip", Title: "Polish tax number", Label: tax, Gate: Written, Groups: []string{"3-3-2-2", "3-2-2-3"}, Cues: []string{"nip"}, form: "9999999999", check: plNIP},
	{Name: "pl-id-card", Title: "Polish identity card number", Label: national, Gate: Cued, Cues: []string{"dowod", "osobisty"}, form: "AAA999999", check: plCard},
	{Name: "cz-birth", Title: "Czech or Slovak birth number", Label: national, Gate: Written, Groups: []string{"6/4"}, Cues: []string{"rodne"},
		form: "9999999999", check: czBirth},
	{Name: "hu-taj", Title: "Hungarian social security number", Label: national, Gate: Cued, Cues: []string{"taj"}, form: "999999999",
		check: func(b []byte) bool { return !same(b) && sum(b, 3, 7, 3, 7, 3, 7, 3, 7)%10 == digit(b[8]) }},
	{Name: "ro-cnp", Title: "Romanian personal numerical code", Label: national, Cues: []string{"cnp"}, form: "9999999999999", check: roCNP},
	{Name: "bg-egn", Title: "Bulgarian civil number", Label: national, Gate: Cued, Cues: []string{"egn"}, form: "9999999999", check: bgEGN},
	{Name: "hr-oib", Title: "Croatian personal identification number", Label: national, Gate: Cued, Cues: []string{"oib"}, form: "99999999999", check: notSame(mod1110)},
	{Name: "si-emso", Title: "Unique master citizen number of Slovenia, Serbia and others", Label: national, Cues: []string{"emso", "jmbg"},
		form: "9999999999999", check: jmbg},
	{Name: "ru-snils", Title: "Russian insurance account number", Label: national, Gate: Written, Groups: []string{"3-3-3 2", "3-3-3-2"}, Cues: []string{"snils"},
		form: "99999999999", check: ruSNILS},
	{Name: "ru-inn", Title: "Russian taxpayer number", Label: tax, Gate: Cued, Cues: []string{"inn"}, form: "999999999999", check: ruINN},
	{Name: "ua-rnokpp", Title: "Ukrainian taxpayer number", Label: tax, Gate: Cued, Cues: []string{"rnokpp", "ipn"}, form: "9999999999",
		check: func(b []byte) bool {
			s := sum(b, -1, 5, 7, 9, 4, 6, 10, 5, 7)
			return !same(b) && (s%11+11)%11%10 == digit(b[9])
		}},
}

func plPESEL(b []byte) bool {
	m := num(b[2:4]) % 20 // the century is added to the month
	return monthDay(m, num(b[4:6])) && sum(b, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)%10 == 0
}

func plNIP(b []byte) bool { return !same(b) && sum(b, 6, 5, 7, 2, 3, 4, 5, 6, 7)%11 == digit(b[9]) }

func plCard(b []byte) bool {
	s := 0
	for i, w := range [9]int{7, 3, 1, 9, 7, 3, 1, 7, 3} {
		v := int(b[i] - '0')
		if i < 3 {
			v = int(b[i]-'A') + 10
		}
		s += v * w
	}
	return s%10 == 0
}

func czBirth(b []byte) bool {
	m := num(b[2:4])
	switch {
	case m > 70:
		m -= 70
	case m > 50:
		m -= 50
	case m > 20:
		m -= 20
	}
	return monthDay(m, num(b[4:6])) && (num(b)%11 == 0 || num(b[:9])%11 == 10 && b[9] == '0')
}

// roCNP: a remainder of ten is written as one.
func roCNP(b []byte) bool {
	check := sum(b, 2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9) % 11
	if check == 10 {
		check = 1
	}
	return b[0] != '0' && yymmdd(b[1:]) && num(b[7:9]) <= 52 && check == digit(b[12])
}

func bgEGN(b []byte) bool {
	m := num(b[2:4])
	if m > 20 {
		m -= 20
	}
	if m > 20 {
		m -= 20
	}
	return monthDay(m, num(b[4:6])) && sum(b, 2, 4, 8, 5, 10, 9, 7, 3, 6)%11%10 == digit(b[9])
}

func jmbg(b []byte) bool {
	year := num(b[4:7])
	check := 11 - sum(b, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11
	return monthDay(num(b[2:4]), num(b[:2])) && (year >= 890 || year <= 50) && check%11%10 == digit(b[12])
}

func ruSNILS(b []byte) bool {
	check := sum(b, 9, 8, 7, 6, 5, 4, 3, 2, 1) % 101 % 100
	return !same(b[:9]) && check == num(b[9:])
}

func ruINN(b []byte) bool {
	return !same(b) && sum(b, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == digit(b[10]) && sum(b, 3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == digit(b[11])
}
