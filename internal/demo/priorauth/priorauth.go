// Package priorauth holds the messages that the demo's organisations agreed upon: a referral, sent alike to the
// hospital's own care coordinator, to the insurer and to a research lab; the insurer's decision; the lab's screening.
//
// A recipient may find less in a message than was sent: members missing, dates shorter, names and numbers replaced.
// So what may go missing is optional here, and dates are text.
package priorauth

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/scrimhq/scrim/internal/demo/node"
)

// Referral asks that a treatment be authorised.
type Referral struct {
	Patient  Patient  `json:"patient"`
	Request  Request  `json:"request"`
	Provider Provider `json:"provider"`
}

// Patient is the person it is about.
type Patient struct {
	Name         string  `json:"name,omitempty"`
	BirthDate    string  `json:"birthDate,omitempty"`
	Sex          string  `json:"sex,omitempty"`
	MRN          string  `json:"mrn,omitempty"`
	MemberNumber string  `json:"memberNumber,omitempty"`
	Plan         string  `json:"plan,omitempty"`
	Phone        string  `json:"phone,omitempty"`
	Email        string  `json:"email,omitempty"`
	Address      Address `json:"address,omitzero"`
}

// Address is where the patient lives.
type Address struct {
	Street     string `json:"street,omitempty"`
	City       string `json:"city,omitempty"`
	PostalCode string `json:"postalCode,omitempty"`
}

// Request is the treatment asked for.
type Request struct {
	Procedure     string   `json:"procedure,omitempty"` // HCPCS level II
	Diagnosis     string   `json:"diagnosis,omitempty"` // ICD-10-CM
	Urgency       string   `json:"urgency,omitempty"`   // "routine" or "expedited"
	EstimatedCost *float64 `json:"estimatedCost,omitempty"`
	RequestedOn   string   `json:"requestedOn,omitempty"`
}

// Provider is who asks.
type Provider struct {
	Clinician string `json:"clinician,omitempty"`
	Facility  string `json:"facility,omitempty"`
}

// Message writes the referral as one A2A message: prose for a reader, and the same facts as structured data.
// Each call gives the message an id of its own.
func (r Referral) Message() *a2a.Message {
	treatment := TreatmentOf(r.Request.Procedure)
	prose := fmt.Sprintf("Please authorise %s (%s) for %s, born %s, diagnosis %s, %s. "+
		"First-line treatment has not been enough. %s can be reached at %s or %s. Requested by %s, %s.",
		treatment.Title, r.Request.Procedure, r.Patient.Name, r.Patient.BirthDate, r.Request.Diagnosis, r.Request.Urgency,
		r.Patient.Name, r.Patient.Phone, r.Patient.Email, r.Provider.Clinician, r.Provider.Facility)
	data := a2a.NewDataPart(r)
	data.MediaType = "application/json"
	return a2a.NewMessage(a2a.MessageRoleUser, a2a.NewTextPart(prose), data)
}

// Read returns the referral in a message's structured part, as far as it is there.
func Read(msg *a2a.Message) (Referral, error) {
	data := node.Data(msg.Parts)
	if data == nil {
		return Referral{}, fmt.Errorf("the message has no structured part")
	}
	var r Referral
	if err := node.Decode(data, &r); err != nil {
		return Referral{}, fmt.Errorf("reading a referral: %w", err)
	}
	return r, nil
}

// Who is what the recipient may call the patient: the name or placeholder received, or a plain phrase.
func (p Patient) Who() string { return cmp.Or(p.Name, "the patient") }

// BirthYear returns the year of birth, from a date in full or in part, and false where it cannot be told.
func (p Patient) BirthYear() (int, bool) {
	t, ok := ParseDate(p.BirthDate)
	return t.Year(), ok
}

// ParseDate reads a date as recipients may find it: a day, a month, a quarter, a year or a decade ("1950s"); of a span, its start.
func ParseDate(s string) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01", "2006", "2006s"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	if y, q, ok := strings.Cut(s, "-Q"); ok && len(y) == 4 && len(q) == 1 && q[0] >= '1' && q[0] <= '4' {
		year, err := strconv.Atoi(y)
		return time.Date(year, time.Month(1+3*(q[0]-'1')), 1, 0, 0, 0, 0, time.UTC), err == nil
	}
	return time.Time{}, false
}

// Verdict is how an insurer decides.
type Verdict string

// The verdicts.
const (
	Approved Verdict = "approved"
	Pended   Verdict = "pended" // more is needed
	Denied   Verdict = "denied"
)

// Decision is the insurer's answer.
type Decision struct {
	Verdict       Verdict   `json:"verdict"`
	Authorization string    `json:"authorization"`
	Patient       string    `json:"patient,omitempty"` // as the insurer knows the patient
	Procedure     string    `json:"procedure,omitempty"`
	ValidUntil    string    `json:"validUntil,omitempty"`
	CoveredAmount *float64  `json:"coveredAmount,omitempty"`
	PatientShare  *float64  `json:"patientShare,omitempty"`
	Reasons       []string  `json:"reasons"`
	Reviewer      *Reviewer `json:"reviewer,omitempty"`
}

// Reviewer is who answers questions about a decision.
type Reviewer struct {
	Name  string `json:"name,omitempty"`
	Phone string `json:"phone,omitempty"`
	Email string `json:"email,omitempty"`
}

// Screening is the lab's answer: which trials the profile may fit.
type Screening struct {
	Eligible bool    `json:"eligible"`
	Profile  Profile `json:"profile"`
	Trials   []Match `json:"trials"`
}

// Profile is what the lab made of the person: coarse attributes only.
type Profile struct {
	Condition string `json:"condition,omitempty"` // the first three characters of an ICD-10-CM code
	BornFrom  int    `json:"bornFrom,omitempty"`
	Sex       string `json:"sex,omitempty"`
	Region    string `json:"region,omitempty"` // the first three digits of a postal code
}

// Match is one trial that may fit.
type Match struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	Open  string `json:"open"` // what is still to be asked
}

// Enrolment asks whether a member takes part in a trial.
type Enrolment struct {
	MemberNumber string `json:"memberNumber"`
	Diagnosis    string `json:"diagnosis"`
	Procedure    string `json:"procedure,omitempty"`
}
