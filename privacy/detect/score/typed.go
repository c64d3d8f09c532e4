package score

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

// Map says which labels of ours stand for what a data set marks, by the name that it marks it with ([Name]). A label stands for
// those within it, too.
type Map map[string][]flow.Label

// Name is a data set's name of a type as a [Map] has it: in capitals, with underscores.
func Name(marked string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '.' {
			return '_'
		}
		return r
	}, strings.ToUpper(marked))
}

// reach returns how many letters of the label a type's labels say, 0 if it stands for none of them.
func (m Map) reach(marked string, l flow.Label) (n int) {
	for _, of := range m[Name(marked)] {
		if l.Within(of) {
			n = max(n, len(of))
		}
	}
	return n
}

// DefaultMap has the names that well-known public data sets use: those of CoNLL-2003, OntoNotes, presidio-research, the text
// anonymization benchmark, and the label sets that large synthetic corpora share.
func DefaultMap() Map {
	m := Map{}
	for labels, names := range defaultNames {
		for name := range strings.FieldsSeq(names) {
			for l := range strings.FieldsSeq(labels) {
				m[name] = append(m[name], flow.Label(l))
			}
		}
	}
	for name := range m {
		slices.Sort(m[name])
	}
	return m
}

var defaultNames = map[string]string{
	"person/name": "PER PERSON NAME FULLNAME FULL_NAME PERSON_NAME FIRSTNAME FIRST_NAME LASTNAME LAST_NAME MIDDLENAME MIDDLE_NAME SURNAME GIVENNAME GIVEN_NAME PATIENT DOCTOR",
	"location location/city location/country location/region person/contact/address": "LOC LOCATION GPE FAC",
	"location/city":                "CITY TOWN",
	"location/country":             "COUNTRY",
	"location/region":              "STATE COUNTY REGION PROVINCE",
	"person/contact/address":       "ADDRESS STREET_ADDRESS STREET STREETADDRESS SECONDARYADDRESS BUILDINGNUMBER",
	"location/postal":              "ZIP ZIP_CODE ZIPCODE POSTCODE POSTAL_CODE",
	"organization":                 "ORG ORGANIZATION ORGANISATION COMPANY COMPANY_NAME COMPANYNAME",
	"work/title":                   "TITLE JOB JOBTITLE JOB_TITLE PROFESSION OCCUPATION",
	"person/nationality":           "NRP NORP NATIONALITY",
	"person/age":                   "AGE",
	"person/contact/email":         "EMAIL EMAIL_ADDRESS MAIL",
	"person/contact/phone":         "PHONE PHONE_NUMBER PHONENUMBER TELEPHONE TELEPHONENUM FAX FAX_NUMBER",
	"time person/birth-date":       "DATE DATE_TIME DATETIME TIME",
	"person/birth-date":            "DOB BIRTH_DATE BIRTHDATE DATE_OF_BIRTH",
	"finance/card":                 "CARD CREDIT_CARD CREDITCARD CREDIT_CARD_NUMBER CREDITCARDNUMBER CREDIT_DEBIT_CARD",
	"finance/iban":                 "IBAN IBAN_CODE",
	"finance/swift":                "BIC SWIFT SWIFT_BIC",
	"finance/account":              "ACCOUNT ACCOUNT_NUMBER ACCOUNTNUMBER ACCOUNTNUM BANK_ACCOUNT US_BANK_NUMBER",
	"finance/amount":               "AMOUNT MONEY",
	"finance/crypto":               "CRYPTO BITCOINADDRESS ETHEREUMADDRESS LITECOINADDRESS",
	"government-id/ssn":            "SSN US_SSN SOCIALNUM SOCIAL_SECURITY_NUMBER",
	"government-id/passport":       "PASSPORT US_PASSPORT PASSPORTNUM PASSPORT_NUMBER",
	"government-id/driver-licence": "DL US_DRIVER_LICENSE DRIVER_LICENSE DRIVERLICENSE DRIVERLICENSENUM",
	"government-id/tax":            "TAX_ID TAXNUM US_ITIN",
	"government-id":                "ID NATIONAL_ID IDCARDNUM ID_CARD",
	"health":                       "MRN MEDICAL_RECORD MEDICALRECORD MEDICAL_RECORD_NUMBER HEALTHPLAN",
	"technical/ip":                 "IP IP_ADDRESS IPADDRESS IPV4 IPV6",
	"technical/mac":                "MAC MAC_ADDRESS",
	"technical/url":                "URL DOMAIN DOMAIN_NAME",
	"technical/device-id":          "DEVICE_ID IMEI PHONEIMEI DEVICE_IDENTIFIER",
	"vehicle/vin":                  "VIN VEHICLEVIN",
	"vehicle/plate":                "LICENSE_PLATE VEHICLEVRM",
	"secret":                       "PASSWORD API_KEY SECRET TOKEN PIN",
	"person/username":              "USERNAME USER_NAME",
	"government-id finance health technical vehicle secret": "CODE",
}

// typed counts the tokens of one text by type: a token is true if a finding on it has a label that stands for its type.
func (s *Sheet) typed(t Text, tokens, found []Span) {
	if s.falseBy == nil {
		s.falseBy = map[flow.Label]int{}
	}
	for _, tok := range tokens {
		m, f := covering(t.Marked, tok), covering(found, tok)
		right := m != nil && f != nil && s.Map.reach(m.Type, f.Label) > 0
		if m != nil {
			one := s.ByType[m.Type]
			if right {
				one.Typed.True++
			} else {
				one.Typed.Missed++
			}
		}
		if f != nil && !right {
			s.falseBy[f.Label]++
		}
	}
}

// covering returns the span that holds all of x.
func covering(list []Span, x Span) *Span {
	if i := slices.IndexFunc(list, func(s Span) bool { return s.Start <= x.Start && x.End <= s.End }); i >= 0 {
		return &list[i]
	}
	return nil
}

// Typed returns what was right and wrong of a marked type by the map, and whether the map has the type. A token taken for
// something that no mark there stands for counts against the type that says most of the finding's label.
func (s *Sheet) Typed(marked string) (Counts, bool) {
	one := s.ByType[marked]
	if one == nil || len(s.Map[Name(marked)]) == 0 {
		return Counts{}, false
	}
	c := one.Typed
	for l, n := range s.falseBy {
		if s.blamed(l) == marked {
			c.False += n
		}
	}
	return c, true
}

func (s *Sheet) blamed(l flow.Label) string {
	most, by := 0, ""
	for _, name := range slices.SortedFunc(maps.Keys(s.ByType), cmp.Compare[string]) {
		if n := s.Map.reach(name, l); n > most {
			most, by = n, name
		}
	}
	return by
}

// Merge adds what was scored on another data set.
func (s *Sheet) Merge(o *Sheet) {
	if s.ByType == nil {
		s.ByType, s.Confusion, s.Alarms = map[string]*TypeSheet{}, map[[2]string]int{}, map[string]int{}
	}
	if s.falseBy == nil {
		s.falseBy = map[flow.Label]int{}
	}
	s.Texts, s.Values, s.Found, s.FalseAlarms, s.Bytes = s.Texts+o.Texts, s.Values+o.Values, s.Found+o.Found, s.FalseAlarms+o.FalseAlarms, s.Bytes+o.Bytes
	s.Tokens.plus(o.Tokens)
	s.Characters.plus(o.Characters)
	for name, from := range o.ByType {
		to := s.ByType[name]
		if to == nil {
			to = &TypeSheet{}
			s.ByType[name] = to
		}
		to.Values, to.Found = to.Values+from.Values, to.Found+from.Found
		to.Tokens.plus(from.Tokens)
		to.Typed.plus(from.Typed)
	}
	for k, n := range o.Confusion {
		s.Confusion[k] += n
	}
	for k, n := range o.Alarms {
		s.Alarms[k] += n
	}
	for k, n := range o.falseBy {
		s.falseBy[k] += n
	}
}

func (c *Counts) plus(o Counts) {
	c.True, c.False, c.Missed = c.True+o.True, c.False+o.False, c.Missed+o.Missed
}
