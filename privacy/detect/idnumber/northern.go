package idnumber

// northern are the numbers of northern Europe and the Baltic states.
var northern = []Kind{
	{Name: "se-personal", Title: "Swedish personal identity number", Label: national, Gate: Written, Groups: []string{"6-4", "6+4"},
		Cues: []string{"personnummer", "samordningsnummer"}, form: "9999999999", check: sePersonal},
	{Name: "se-personal-12", Title: "Swedish personal identity number with the century", Label: national, Groups: []string{"8-4"},
		Cues: []string{"personnummer"}, form: "999999999999", check: func(b []byte) bool { return yyyymmddCoordination(b) && sePersonal(b[2:]) }},
	{Name: "fi-personal", Title: "Finnish personal identity code", Label: national, Groups: []string{"6-4", "6+4"}, Cues: []string{"hetu"},
		form: "999999999X", check: fiPersonal},
	{Name: "fi-personal-2000", Title: "Finnish personal identity code with a letter for the century", Label: national, Cues: []string{"hetu"},
		form: "999999A999X", check: func(b []byte) bool {
			return contains("ABCDEFUVWXY", b[6]) && fiPersonal(append(append([]byte{}, b[:6]...), b[7:]...))
		}},
	{Name: "dk-cpr", Title: "Danish personal identification number", Label: national, Gate: Written, Groups: []string{"6-4"}, Cues: []string{"cpr", "personnummer"},
		form: "9999999999", check: dkCPR},
	{Name: "dk-cpr-2007", Title: "Danish personal identification number since 2007", Label: national, Gate: Cued, Cues: []string{"cpr", "personnummer"},
		form: "9999999999", check: ddmmyy},
	{Name: "no-birth", Title: "Norwegian birth number", Label: national, Groups: []string{"6 5"}, Cues: []string{"personnummer"},
		form: "99999999999", check: noBirth},
	{Name: "is-kennitala", Title: "Icelandic identification number", Label: national, Gate: Written, Groups: []string{"6-4"}, Cues: []string{"kennitala"},
		form: "9999999999", check: isKennitala},
	{Name: "ee-personal", Title: "Estonian or Lithuanian personal code", Label: national, Gate: Cued, Cues: []string{"isikukood", "asmens", "kodas"},
		form: "99999999999", check: baltic},
	{Name: "lv-personal", Title: "Latvian personal code", Label: national, Gate: Written, Groups: []string{"6-5"}, Cues: []string{"personas", "kods"},
		form: "99999999999", check: lvPersonal},
}

// sePersonal: coordination numbers have 60 added to the day.
func sePersonal(b []byte) bool {
	day := num(b[4:6])
	if day > 60 {
		day -= 60
	}
	return monthDay(num(b[2:4]), day) && luhn(b) && num(b[6:]) > 0
}

func yyyymmddCoordination(b []byte) bool {
	return (b[0] == '1' && b[1] >= '8' || b[0] == '2' && b[1] == '0') && isDigit(b[1])
}

func fiPersonal(b []byte) bool {
	if isDigit(b[9]) && !contains("0123456789", b[9]) {
		return false
	}
	return ddmmyy(b) && pick("0123456789ABCDEFHJKLMNPRSTUVWXY", num(b[:9])) == b[9]
}

func dkCPR(b []byte) bool { return ddmmyy(b) && sum(b, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0 }

func noBirth(b []byte) bool {
	day, month := num(b[:2]), num(b[2:4])
	if day > 40 {
		day -= 40 // D-numbers
	}
	if month > 40 {
		month -= 40 // help numbers
	}
	return monthDay(month, day) && sum(b, 3, 7, 6, 1, 8, 9, 4, 5, 2, 1)%11 == 0 && sum(b, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0
}

func isKennitala(b []byte) bool {
	return ddmmyy(b) && (b[9] == '9' || b[9] == '0' || b[9] == '8') && sum(b, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0
}

// baltic is the check that Estonia and Lithuania share: a second row of weights where the first leaves ten.
func baltic(b []byte) bool {
	if b[0] < '1' || b[0] > '8' || !monthDay(num(b[3:5]), num(b[5:7])) {
		return false
	}
	check := sum(b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1) % 11
	if check == 10 {
		check = sum(b, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3) % 11 % 10
	}
	return check == digit(b[10])
}

func lvPersonal(b []byte) bool {
	if b[0] == '3' && b[1] == '2' {
		return true // since 2017 they say nothing of the birth and have no check
	}
	return ddmmyy(b) && (1101-sum(b, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))%11%10 == digit(b[10])
}
