package priorauth

import "strings"

// Treatment is something that needs authorisation, with the rule by which the demo's insurer grants it.
type Treatment struct {
	Code      string   `json:"code"` // HCPCS level II, which is in the public domain
	Title     string   `json:"title"`
	Diagnoses []string `json:"diagnoses"` // prefixes of ICD-10-CM codes for which it is granted
	FromAge   int      `json:"fromAge"`
	Ceiling   float64  `json:"ceiling"` // what may be granted without a second reader, in US dollars
}

// Treatments are those that the demo knows.
var Treatments = []Treatment{
	{"J1745", "infliximab infusions", []string{"M05", "K50", "K51", "L40"}, 6, 6000},
	{"J0178", "aflibercept injections", []string{"H35.3"}, 18, 4500},
	{"J0897", "denosumab injections", []string{"M81"}, 18, 3000},
	{"J2350", "ocrelizumab infusions", []string{"G35"}, 18, 35000},
	{"E0601", "a continuous airway pressure device", []string{"G47.3"}, 0, 1800},
	{"L1845", "a knee orthosis", []string{"M17"}, 0, 900},
	{"J9355", "trastuzumab infusions", []string{"C50"}, 18, 9000},
}

// TreatmentOf returns the treatment of a code, or one that is called by its code and granted for nothing.
func TreatmentOf(code string) Treatment {
	for _, t := range Treatments {
		if t.Code == code {
			return t
		}
	}
	return Treatment{Code: code, Title: "the treatment"}
}

// Treats reports whether the treatment is granted for the diagnosis.
func (t Treatment) Treats(diagnosis string) bool {
	for _, prefix := range t.Diagnoses {
		if strings.HasPrefix(diagnosis, prefix) {
			return true
		}
	}
	return false
}
