package audit_test

import (
	"bytes"
	"testing"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
)

var (
	anna  = flow.SubjectRef{1, 2, 3}
	berta = flow.SubjectRef{4, 5, 6}
)

func TestCommitmentOpensToWhatItWasMadeOf(t *testing.T) {
	payload := []byte(`{"diagnosis":"J45"}`)
	c := audit.Commit(payload, []flow.SubjectRef{anna, berta})
	if !audit.OpensPayload(c.Payload, payload, c.Own, c.Each) {
		t.Error("OpensPayload() = false for the payload itself")
	}
	if !audit.OpensSubject(c.Subjects, c.List, 0, anna, c.Each[0]) || !audit.OpensSubject(c.Subjects, c.List, 1, berta, c.Each[1]) {
		t.Error("OpensSubject() = false for a subject at its place")
	}
	for name, opens := range map[string]bool{
		"another payload":              audit.OpensPayload(c.Payload, []byte(`{"diagnosis":"J46"}`), c.Own, c.Each),
		"no payload":                   audit.OpensPayload(c.Payload, nil, c.Own, c.Each),
		"without a subject's salt":     audit.OpensPayload(c.Payload, payload, c.Own, c.Each[:1]),
		"without the event's own salt": audit.OpensPayload(c.Payload, payload, audit.Salt{}, c.Each),
		"salts in another order":       audit.OpensPayload(c.Payload, payload, c.Own, []audit.Salt{c.Each[1], c.Each[0]}),
		"no commitment":                audit.OpensPayload(nil, payload, c.Own, c.Each),
		"another subject":              audit.OpensSubject(c.Subjects, c.List, 0, berta, c.Each[0]),
		"another place":                audit.OpensSubject(c.Subjects, c.List, 1, anna, c.Each[0]),
		"a place that is none":         audit.OpensSubject(c.Subjects, c.List, 2, anna, c.Each[0]),
		"a place before the first":     audit.OpensSubject(c.Subjects, c.List, -1, anna, c.Each[0]),
		"a shorter list":               audit.OpensSubject(c.Subjects, c.List[:1], 0, anna, c.Each[0]),
		"another salt":                 audit.OpensSubject(c.Subjects, c.List, 0, anna, c.Each[1]),
		"another commitment":           audit.OpensSubject(c.Payload, c.List, 0, anna, c.Each[0]),
	} {
		if opens {
			t.Errorf("a commitment opens with %s", name)
		}
	}
}

// Two recipients who compare all that the log says of what they got must not see that both heard of the same person, nor
// that they got the same.
func TestCommitmentsOfOneSubjectHaveNothingInCommon(t *testing.T) {
	payload := []byte("the same for both")
	seen := map[[32]byte]bool{}
	for range 2 {
		c := audit.Commit(payload, []flow.SubjectRef{anna})
		for _, v := range [][]byte{c.Payload, c.Subjects, c.Own[:], c.Each[0][:], c.List[0][:]} {
			if len(v) != 32 {
				t.Fatalf("a value has %d bytes, want 32", len(v))
			}
			if seen[[32]byte(v)] {
				t.Error("two events have a value in common")
			}
			seen[[32]byte(v)] = true
		}
	}
	one, many := audit.Commit(nil, []flow.SubjectRef{anna}), audit.Commit(nil, []flow.SubjectRef{anna, berta, {9}})
	if len(one.Subjects) != len(many.Subjects) {
		t.Error("a commitment tells how many it is about")
	}
	if none := audit.Commit(nil, nil); none.Payload != nil || none.Subjects != nil {
		t.Errorf("Commit() of nothing = %+v, want no commitments", none)
	}
}

func TestShareReadsBackAsItWas(t *testing.T) {
	want := audit.Share{At: 300, Salt: audit.Salt{1, 2, 3}}
	raw := want.Append(nil)
	if got, err := audit.ParseShare(raw); err != nil || got != want {
		t.Errorf("ParseShare() = %+v, %v, want %+v", got, err, want)
	}
	for n := range raw {
		if _, err := audit.ParseShare(raw[:n]); err == nil {
			t.Errorf("ParseShare() of the first %d bytes error = nil", n)
		}
	}
	for _, bad := range [][]byte{append(bytes.Clone(raw), 0), append([]byte{2}, raw[1:]...)} {
		if _, err := audit.ParseShare(bad); err == nil {
			t.Errorf("ParseShare(%x) error = nil", bad)
		}
	}
}

func FuzzParseShare(f *testing.F) {
	s := audit.Share{At: 1}
	f.Add(s.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := audit.ParseShare(b)
		if err == nil && s.At < 0 {
			t.Errorf("ParseShare() = %+v", s)
		}
	})
}
