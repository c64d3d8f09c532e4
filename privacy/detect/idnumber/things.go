package idnumber

// things are the numbers of things.
var things = []Kind{
	{Name: "x-vin", Title: "Vehicle identification number", Label: "vehicle/vin", Cues: []string{"vin", "chassis", "vehicle"}, form: "XXXXXXXXXXXXXXXXX", check: vin},
	{Name: "x-imei", Title: "IMEI of a mobile device", Label: "technical/device-id", Gate: Cued, Cues: []string{"imei"}, form: "999999999999999", check: notSame(luhn)},
	{Name: "x-swift", Title: "BIC of a bank (ISO 9362)", Label: "finance/swift", Gate: Cued, Cues: []string{"swift", "bic"}, form: "AAAAAAXX", check: bic},
	{Name: "x-swift-branch", Title: "BIC of a bank's branch", Label: "finance/swift", Gate: Cued, Cues: []string{"swift", "bic"}, form: "AAAAAAXXXXX", check: bic},
}

func bic(b []byte) bool { return Countries[string(b[4:6])] }

// vin is the check of North America (49 CFR 565.15); the letters I, O and Q are in none.
func vin(b []byte) bool {
	const values = "0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ"
	letters, digits, s := 0, 0, 0
	for i, w := range [17]int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2} {
		c := b[i]
		if c == 'I' || c == 'O' || c == 'Q' {
			return false
		}
		if isDigit(c) {
			digits++
		} else {
			letters++
		}
		for v := range len(values) {
			if values[v] == c {
				s += v % 10 * w
			}
		}
	}
	return letters >= 3 && digits >= 4 && "0123456789X"[s%11] == b[8]
}

// Countries are the two letters of ISO 3166-1, and XK.
var Countries = func() map[string]bool {
	const all = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZWXK"
	m := make(map[string]bool, len(all)/2)
	for i := 0; i < len(all); i += 2 {
		m[all[i:i+2]] = true
	}
	return m
}()
