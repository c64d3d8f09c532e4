// Package patients makes the hospital's patients up. The same seed always gives the same people; none of them exists.
//
// Names come from public lists, telephone numbers from the range kept for fiction (555-0100 to 555-0199), e-mail
// addresses from domains kept for examples. Diagnoses, medications and visits follow age and one another roughly as
// they do in a community hospital, so that a query over them has a sensible answer.
package patients

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Patient is one person's record.
type Patient struct {
	MRN          string
	Name         string
	Sex          string // "female" or "male"
	BirthDate    Date
	Phone        string
	Email        string
	Street       string
	City         string
	State        string
	PostalCode   string
	Insurer      string
	Plan         string
	MemberNumber string // 50 random bits behind the insurer's letters
	Conditions   []Condition
	Medications  []Medication
	Encounters   []Encounter // oldest first
}

// Condition is a diagnosis, coded in ICD-10-CM.
type Condition struct {
	Code  string
	Title string
	Since Date
}

// Medication is something prescribed for one of the conditions.
type Medication struct {
	Name string
	Dose string
	For  string // the condition's code
}

// Encounter is one visit.
type Encounter struct {
	ID         string
	Date       Date
	Department string
	Kind       string // "office visit", "emergency", "inpatient", "telehealth"
	Reason     string // ICD-10-CM
	Clinician  string
}

// Date is a day, written as 2026-11-22.
type Date string

func dateOf(t time.Time) Date { return Date(t.Format(time.DateOnly)) }

// Time returns midnight UTC of the day; the zero time if it is not a date.
func (d Date) Time() time.Time { t, _ := time.Parse(time.DateOnly, string(d)); return t }

// Today is the day on which the made-up records end. It is fixed, so that the data is.
const Today Date = "2026-11-20"

// FeaturedMRN is the record number of the patient whom the demo's story is about. She is the first of any [Generate].
const FeaturedMRN = "MRN-48201937"

// Generate makes n patients up, ordered by record number but for the featured one, who comes first.
func Generate(seed uint64, n int) []Patient {
	if n <= 0 {
		return nil
	}
	g := &maker{r: rand.New(rand.NewPCG(seed, 0x5c71)), mrns: map[string]bool{FeaturedMRN: true}, emails: map[string]int{}}
	all := make([]Patient, 0, n)
	for len(all) < n-1 {
		all = append(all, g.patient())
	}
	slices.SortFunc(all, func(a, b Patient) int { return cmp.Compare(a.MRN, b.MRN) })
	return slices.Insert(all, 0, featured())
}

func featured() Patient {
	return Patient{
		MRN: FeaturedMRN, Name: "Eleanor Whitfield", Sex: "female", BirthDate: "1957-03-14",
		Phone: "541-555-0142", Email: "eleanor.whitfield@example.com",
		Street: "218 Juniper Street", City: "Bend", State: "OR", PostalCode: "97701",
		Insurer: "Harbor Mutual", Plan: "HM-GOLD", MemberNumber: "HM7Q4KX2M9TB",
		Conditions: []Condition{
			{Code: "M05.79", Title: "Rheumatoid arthritis with rheumatoid factor, multiple sites", Since: "2019-06-03"},
			{Code: "I10", Title: "Essential hypertension", Since: "2014-02-11"},
		},
		Medications: []Medication{
			{Name: "methotrexate", Dose: "15 mg once a week", For: "M05.79"},
			{Name: "folic acid", Dose: "5 mg once a week", For: "M05.79"},
			{Name: "lisinopril", Dose: "10 mg daily", For: "I10"},
		},
		Encounters: []Encounter{
			{ID: "ENC-30417752", Date: "2026-04-16", Department: "Rheumatology", Kind: "office visit", Reason: "M05.79", Clinician: "Dr. Samuel Adeyemi"},
			{ID: "ENC-58820164", Date: "2026-08-27", Department: "Rheumatology", Kind: "office visit", Reason: "M05.79", Clinician: "Dr. Samuel Adeyemi"},
			{ID: "ENC-71203398", Date: "2026-11-18", Department: "Rheumatology", Kind: "office visit", Reason: "M05.79", Clinician: "Dr. Samuel Adeyemi"},
		},
	}
}

// maker draws people. Every draw comes from r, in a fixed order.
type maker struct {
	r      *rand.Rand
	mrns   map[string]bool
	emails map[string]int
}

func (g *maker) patient() Patient {
	p := Patient{MRN: g.mrn(), Sex: pick(g.r, []string{"female", "male"})}
	given, family := g.name(p.Sex)
	p.Name = given + " " + family
	p.Email = g.email(given, family)
	age := g.age()
	p.BirthDate = dateOf(Today.Time().AddDate(-age, 0, -g.r.IntN(365)))
	home := weighted(g.r, cities, func(c city) int { return c.weight })
	p.City, p.State = home.name, home.state
	p.PostalCode = fmt.Sprintf("%s%02d", home.postal, 1+g.r.IntN(40))
	p.Street = fmt.Sprintf("%d %s %s", 1+g.r.IntN(2400), pick(g.r, streets), pick(g.r, streetKinds))
	p.Phone = fmt.Sprintf("%s-555-01%02d", pick(g.r, home.areas), g.r.IntN(100))
	payer := weighted(g.r, payers(age), func(i insurer) int { return i.weight })
	p.Insurer, p.Plan = payer.name, pick(g.r, payer.plans)
	p.MemberNumber = payer.letters + g.letters(10)
	g.health(&p, age)
	return p
}

func (g *maker) mrn() string {
	for {
		m := fmt.Sprintf("MRN-%08d", 10_000_000+g.r.IntN(90_000_000))
		if !g.mrns[m] {
			g.mrns[m] = true
			return m
		}
	}
}

func (g *maker) name(sex string) (given, family string) {
	list := names.female
	if sex == "male" {
		list = names.male
	}
	return skewed(g.r, list), skewed(g.r, names.family)
}

func (g *maker) email(given, family string) string {
	local := plain(given) + "." + plain(family)
	g.emails[local]++
	if n := g.emails[local]; n > 1 {
		local += fmt.Sprint(n)
	}
	return local + "@" + pick(g.r, []string{"example.com", "example.org", "example.net", "mail.example.com"})
}

// age is skewed towards those who see a hospital: children a little, the old a lot.
func (g *maker) age() int {
	band := weighted(g.r, ageBands, func(b ageBand) int { return b.weight })
	return band.from + g.r.IntN(band.to-band.from)
}

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ" // 5 bits a letter, none to be mistaken for another

func (g *maker) letters(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = crockford[g.r.IntN(len(crockford))]
	}
	return string(b)
}

func (g *maker) health(p *Patient, age int) {
	var fits []disease
	for _, d := range diseases {
		if age >= d.from && age < d.to && (d.sex == "" || d.sex == p.Sex) {
			fits = append(fits, d)
		}
	}
	for range 1 + min(g.r.IntN(1+age/25), 3) {
		d := weighted(g.r, fits, func(d disease) int { return d.weight })
		if slices.ContainsFunc(p.Conditions, func(c Condition) bool { return c.Code[:3] == d.code[:3] }) {
			continue
		}
		p.Conditions = append(p.Conditions, Condition{Code: d.code, Title: d.title, Since: dateOf(Today.Time().AddDate(0, 0, -30-g.r.IntN(min(age+1, 12)*365)))})
		for _, m := range d.medications {
			if g.r.IntN(3) > 0 {
				p.Medications = append(p.Medications, Medication{Name: m.name, Dose: m.dose, For: d.code})
			}
		}
		g.visits(p, d)
	}
	slices.SortStableFunc(p.Encounters, func(a, b Encounter) int { return cmp.Compare(a.Date, b.Date) })
}

func (g *maker) visits(p *Patient, d disease) {
	clinician := pick(g.r, clinicians)
	for range 1 + g.r.IntN(4) {
		p.Encounters = append(p.Encounters, Encounter{
			ID:         fmt.Sprintf("ENC-%08d", 10_000_000+g.r.IntN(90_000_000)),
			Date:       dateOf(Today.Time().AddDate(0, 0, -g.r.IntN(900))),
			Department: d.department,
			Kind:       weighted(g.r, visitKinds, func(k visitKind) int { return k.weight }).name,
			Reason:     d.code, Clinician: clinician,
		})
	}
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// skewed picks early entries more often, as common names are commoner.
func skewed[T any](r *rand.Rand, list []T) T { return list[min(r.IntN(len(list)), r.IntN(len(list)))] }

func weighted[T any](r *rand.Rand, list []T, weight func(T) int) T {
	total := 0
	for _, e := range list {
		total += weight(e)
	}
	at := r.IntN(total)
	for _, e := range list {
		if at -= weight(e); at < 0 {
			return e
		}
	}
	return list[len(list)-1]
}
