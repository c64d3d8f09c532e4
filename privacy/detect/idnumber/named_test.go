package idnumber

import "testing"

// TestNamedChecks holds each check to a number from the standard or register that defines it, and to its neighbours: one
// digit off must fail.
func TestNamedChecks(t *testing.T) {
	for name, good := range map[string]string{
		"luhn":          "79927398713",
		"verhoeff":      "2363",
		"mod97":         "5493001KJTIIGC8Y1R12", // an LEI
		"iso7064-97-10": "5493001KJTIIGC8Y1R12",
		"iso7064-11-10": "07945",
		"iso7064-11-2":  "000000021825009" + "7", // an ORCID iD
		"isbn":          "9780306406157",
		"pl-pesel":      "44051401359",
	} {
		check, ok := Check(name)
		if !ok {
			t.Fatalf("there is no check %q", name)
		}
		if !check([]byte(good)) {
			t.Errorf("%s refuses %s", name, good)
		}
		for i := range good {
			b := []byte(good)
			if b[i] = '0' + (b[i]-'0'+1)%10; !isDigit(b[i]) {
				continue
			}
			if check(b) {
				t.Errorf("%s takes %s, which is one digit off", name, b)
			}
		}
		if check(nil) || check([]byte("")) {
			t.Errorf("%s takes nothing", name)
		}
	}
	if isbn10, _ := Check("isbn"); !isbn10([]byte("080442957X")) || isbn10([]byte("0804429570")) {
		t.Error("isbn is wrong about ten characters")
	}
	if _, ok := Check("pl-pesle"); ok {
		t.Error("there is a check of a kind that is not")
	}
	w := Weighted([]int{3, 2, 1}, 7, 0)
	if !w([]byte("007")) || w([]byte("008")) || w([]byte("0007")) || w([]byte("00A")) {
		t.Error("weights and modulus are wrong")
	}
}

func FuzzNamedChecks(f *testing.F) {
	f.Add("luhn", []byte("79927398713"))
	f.Add("isbn", []byte("X\xff"))
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		before := string(b)
		if check, ok := Check(name); ok {
			check(b)
		}
		for _, name := range CheckNames() {
			check, _ := Check(name)
			check(b)
		}
		if string(b) != before {
			t.Error("a check changed what it looked at")
		}
	})
}
