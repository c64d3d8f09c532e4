package priorauth

import (
	"fmt"
	"strings"
	"testing"
)

func Example() {
	cost := 4800.0
	ref := Referral{
		Patient: Patient{Name: "Eleanor Whitfield", BirthDate: "1957-03-14", Phone: "541-555-0142", Email: "eleanor.whitfield@example.com"},
		Request: Request{Procedure: "J1745", Diagnosis: "M05.79", Urgency: "expedited", EstimatedCost: &cost},
	}
	back, err := Read(ref.Message())
	fmt.Println(back.Patient.Who(), *back.Request.EstimatedCost, err)
	// Output: Eleanor Whitfield 4800 <nil>
}

func TestReadToleratesWhatGatewaysLeave(t *testing.T) {
	// A masked number is null; dropped members are missing.
	ref := Referral{Patient: Patient{Name: "[person 1]"}, Request: Request{Diagnosis: "M05"}}
	back, err := Read(ref.Message())
	if err != nil || back.Request.EstimatedCost != nil || back.Patient.Who() != "[person 1]" || (Patient{}).Who() != "the patient" {
		t.Errorf("Read() = %+v, %v", back, err)
	}
	if !strings.Contains(ref.Message().Parts[0].Text(), "[person 1]") {
		t.Error("the prose does not name the patient")
	}
	if a, b := ref.Message(), ref.Message(); a.ID == b.ID {
		t.Error("two messages have one id")
	}
}

func TestParseDate(t *testing.T) {
	for in, want := range map[string]string{
		"1957-03-14": "1957-03-14", "1957-03": "1957-03-01", "1957-Q2": "1957-04-01", "1957": "1957-01-01", "1950s": "1950-01-01",
		"1957-03-14T10:00:00Z": "1957-03-14", "": "", "[birth date]": "", "195": "", "1957-Q": "", "1957-Q9": "",
	} {
		got, ok := ParseDate(in)
		if ok != (want != "") || ok && got.Format("2006-01-02") != want {
			t.Errorf("ParseDate(%q) = %s, %v", in, got, ok)
		}
	}
}
