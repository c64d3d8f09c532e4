package stream

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/deidentify/anonymity"
)

const schooling = "primary;school;*\nsecondary;school;*\nbachelor;university;*\nmaster;university;*\n"

func TestCodedPublishesWhatTheHierarchyWrites(t *testing.T) {
	coding, err := anonymity.ReadListed(strings.NewReader(schooling))
	if err != nil {
		t.Fatal(err)
	}
	h, err := Coded(coding)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		values []string
		want   string
	}{{[]string{"master", "master"}, "master"}, {[]string{"primary", "secondary"}, "school"}, {[]string{"bachelor", "primary"}, "*"}} {
		s, err := NewCastle(CastleOptions{K: 2, Delay: 2, Attributes: []Attribute{{Name: "education", Hierarchy: h}}})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range c.values {
			if _, err := s.Push(Record{Subject: []byte{byte(i)}, Values: texts(v)}); err != nil {
				t.Fatal(err)
			}
		}
		for _, v := range []Value{{Text: "doctor"}, {Text: "school"}, {Null: true}} {
			if _, err := s.Push(Record{Subject: []byte("x"), Values: []Value{v}}); !errors.Is(err, ErrUncovered) {
				t.Errorf("what is not listed: %v, want ErrUncovered", err)
			}
		}
		out := s.Flush()
		if len(out) != 2 || !slices.Equal(out[0].Cells, texts(c.want)) || !slices.Equal(out[1].Cells, texts(c.want)) {
			t.Errorf("%v came out as %v, want %q", c.values, out, c.want)
		}
	}
}

func TestCodedKeepsNullsApart(t *testing.T) {
	coding := anonymity.PlainCoding()
	if _, err := Coded(coding); !errors.Is(err, ErrOptions) {
		t.Errorf("a coding that learnt nothing: %v, want ErrOptions", err)
	}
	coding = anonymity.PlainCoding()
	coding.Code(nil)
	coding.Missing()
	h, err := Coded(coding)
	if err != nil {
		t.Fatal(err)
	}
	empty, okEmpty := h.Code(Value{})
	null, okNull := h.Code(Value{Null: true})
	if !okEmpty || !okNull || empty == null || h.Cell(0, empty).Null || !h.Cell(0, null).Null {
		t.Error("a null and an empty text are one")
	}
	if _, ok := h.Code(Value{Text: "new"}); ok {
		t.Error("a value was learnt after the coding was fixed")
	}
}

func TestCodedRefusesAHierarchyWithoutTop(t *testing.T) {
	coding, err := anonymity.ReadListed(strings.NewReader("a;x\nb;y\n"))
	if err != nil {
		t.Fatal(err)
	}
	if h, err := Coded(coding); !errors.Is(err, ErrOptions) || h != nil {
		t.Errorf("Coded() = %v, want ErrOptions", err)
	}
}
