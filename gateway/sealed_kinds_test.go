package gateway

import (
	"reflect"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// A reader of kinds says the same as one of leaves, of inputs that are whole and of those that are not.
func TestKindsOfInputsAreThoseOfTheirLeaves(t *testing.T) {
	need := flow.Treatment{Level: flow.Masked}
	in := Inputs{Query: policy.Query{Flow: flow.Flow{ID: "f", To: flow.Party{Agent: "x"}}, Consent: true}}
	for i := range 40 {
		leaf := flow.Leaf{Path: flow.Path("/rows/" + string(rune('a'+i))), Label: "person/name", Origin: flow.Catalogued, Subject: flow.SubjectRef{0xff, byte(i % 3)}}
		terms := flow.LeafTerms{Treatment: flow.Treatment{Level: flow.Raw}, Policies: []flow.PolicyID{"p"}}
		switch i % 4 {
		case 1:
			leaf.Label, leaf.Need = "time", &need
		case 2:
			leaf.Field, terms.By = "t/c", flow.ByExposure
		case 3:
			leaf.Subject = flow.SubjectRef{}
		}
		in.Leaves, in.Terms = append(in.Leaves, leaf), append(in.Terms, terms)
	}
	raw, err := EncodeInputs(in)
	if err != nil {
		t.Fatal(err)
	}
	want, err := kindsOfAll(raw)
	if err != nil {
		t.Fatal(err)
	}
	var r KindsReader
	for range 2 {
		got, err := r.Read(raw)
		if err != nil || !reflect.DeepEqual(got.All, want.All) || !reflect.DeepEqual(got.Query, want.Query) || got.Like == "" {
			t.Fatalf("Read() = %+v, %v\nwant %+v", got, err, want)
		}
	}
	first, _ := r.Read(raw)
	fewer := in
	fewer.Leaves, fewer.Terms = in.Leaves[:1], in.Terms[:1]
	raw, err = EncodeInputs(fewer)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := r.Read(raw); err != nil || second.Like == first.Like || len(second.All) != 1 {
		t.Errorf("Read() of other inputs = %+v, %v", second, err)
	}
	for n := range raw {
		_, err := r.Read(raw[:n])
		if _, want := DecodeInputs(raw[:n]); (err == nil) != (want == nil) {
			t.Errorf("Read() of the first %d bytes: error = %v, DecodeInputs() says %v", n, err, want)
		}
	}
}

func FuzzKindsReader(f *testing.F) {
	raw, err := EncodeInputs(Inputs{Leaves: []flow.Leaf{{Path: "/a", Label: "time"}}, Terms: []flow.LeafTerms{{}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r KindsReader
		got, err := r.Read(raw)
		in, err2 := DecodeInputs(raw)
		if err2 == nil && err != nil {
			t.Fatalf("Read() error = %v of what DecodeInputs() reads", err)
		}
		n := int64(0)
		for _, k := range got.All {
			n += k.Count
		}
		if err2 == nil && n != int64(len(in.Leaves)) {
			t.Fatalf("%d leaves in kinds, want %d", n, len(in.Leaves))
		}
	})
}
