package patients

import (
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestSameSeedSamePatients(t *testing.T) {
	a, b := Generate(7, 500), Generate(7, 500)
	if !reflect.DeepEqual(a, b) {
		t.Fatal("two runs with one seed differ")
	}
	if c := Generate(8, 500); reflect.DeepEqual(a, c) {
		t.Fatal("another seed gives the same patients")
	}
	if a[0].MRN != FeaturedMRN {
		t.Errorf("first patient is not the featured one")
	}
}

func TestPatientsAreWellFormedAndFictional(t *testing.T) {
	phone := regexp.MustCompile(`^\d{3}-555-01\d\d$`)
	email := regexp.MustCompile(`^[a-z0-9.-]+@(mail\.)?example\.(com|org|net)$`)
	postal := regexp.MustCompile(`^\d{5}$`)
	member := regexp.MustCompile(`^[A-Z]{2}[0-9A-HJKMNP-TV-Z]{10}$`)
	mrns, members, emails := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, p := range Generate(1, 3000) {
		if !phone.MatchString(p.Phone) || !email.MatchString(p.Email) || !postal.MatchString(p.PostalCode) || !member.MatchString(p.MemberNumber) {
			t.Fatalf("patient %d: a contact or number has the wrong form: %+v", i, p)
		}
		if mrns[p.MRN] || members[p.MemberNumber] || emails[p.Email] {
			t.Fatalf("patient %d: a number or address is used twice", i)
		}
		mrns[p.MRN], members[p.MemberNumber], emails[p.Email] = true, true, true
		if p.BirthDate.Time().IsZero() || p.BirthDate > Today || len(p.Conditions) == 0 || len(p.Encounters) == 0 {
			t.Fatalf("patient %d: implausible record: %+v", i, p)
		}
	}
}

// The shares are of 3,000 patients under a fixed seed: they move only when the tables do.
func TestDiagnosesFollowAgeAndSex(t *testing.T) {
	count := map[string]int{}
	old, oldHypertensive, young, youngHypertensive := 0, 0, 0, 0
	for _, p := range Generate(1, 3000) {
		age := Today.Time().Year() - p.BirthDate.Time().Year()
		has := map[string]bool{}
		for _, c := range p.Conditions {
			count[c.Code]++
			has[c.Code] = true
			if c.Code == "C61" && p.Sex != "male" || c.Code == "O80" && p.Sex != "female" {
				t.Errorf("%s at sex %s", c.Code, p.Sex)
			}
		}
		switch {
		case age >= 65:
			old++
			if has["I10"] {
				oldHypertensive++
			}
		case age < 29:
			young++
			if has["I10"] {
				youngHypertensive++
			}
		}
	}
	if youngHypertensive != 0 || oldHypertensive*100/old < 15 {
		t.Errorf("hypertension: %d of %d young, %d of %d old", youngHypertensive, young, oldHypertensive, old)
	}
	if count["B20"] == 0 || count["B20"] > count["I10"]/5 {
		t.Errorf("rare and common diagnoses: B20 %d, I10 %d", count["B20"], count["I10"])
	}
	if len(count) < 30 {
		t.Errorf("%d distinct diagnoses, want at least 30", len(count))
	}
}

func TestCreateHoldsEveryPatient(t *testing.T) {
	all := Generate(1, 3000)
	db, err := Create(t.Context(), filepath.Join(t.TempDir(), "patients.db"), all)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	wantVisits := 0
	for _, p := range all {
		wantVisits += len(p.Encounters)
	}
	var n, visits int
	if err := db.QueryRow(`SELECT (SELECT count(*) FROM patients), (SELECT count(*) FROM encounters)`).Scan(&n, &visits); err != nil {
		t.Fatal(err)
	}
	if n != len(all) || visits != wantVisits {
		t.Errorf("database has %d patients and %d encounters, want %d and %d", n, visits, len(all), wantVisits)
	}
	if _, err := Create(t.Context(), filepath.Join(t.TempDir(), "none", "patients.db"), nil); err == nil || strings.Contains(err.Error(), FeaturedMRN) {
		t.Errorf("Create() in a missing folder: error = %v", err)
	}
}

func BenchmarkCreate(b *testing.B) {
	for b.Loop() {
		db, err := Create(b.Context(), filepath.Join(b.TempDir(), "patients.db"), Generate(1, 3000))
		if err != nil {
			b.Fatal(err)
		}
		_ = db.Close()
	}
}
