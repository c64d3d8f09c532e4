package stream_test

import (
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/scrimhq/scrim/privacy/deidentify/stream"
)

// A ward's measurements leave only in classes of three patients or more, at the latest when four others came after them.
func ExampleCastle() {
	s, err := stream.NewCastle(stream.CastleOptions{
		K:          3,
		Delay:      4,
		Attributes: []stream.Attribute{{Name: "age", Range: &stream.Range{Least: "0", Most: "120", Step: "5"}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	var lines []string
	publish := func(outputs []stream.Output) {
		for _, o := range outputs {
			if o.Why == stream.Published { // all others are for the books
				lines = append(lines, fmt.Sprint(o.Cells[0].Text, " ", o.Carry))
			}
		}
	}
	for _, m := range []struct{ patient, age, pulse string }{
		{"p1", "31", "60"}, {"p2", "34", "71"}, {"p3", "33", "66"}, {"p2", "34", "70"}, {"p9", "88", "90"}, {"p9", "88", "91"},
	} {
		outputs, err := s.Push(stream.Record{Subject: []byte(m.patient), Values: []stream.Value{{Text: m.age}}, Carry: m.pulse})
		if err != nil {
			log.Fatal(err)
		}
		publish(outputs)
	}
	publish(s.Flush())
	slices.Sort(lines) // what one call returns is in random order
	for _, l := range lines {
		fmt.Println(l)
	}
	fmt.Println(s.Stats().Suppressed, "suppressed")
	// Output:
	// [30,35] 60
	// [30,35] 66
	// [30,35] 70
	// [30,35] 71
	// 2 suppressed
}

// A place passes once three people were there within the hour.
func ExampleZ() {
	s, err := stream.NewZ(stream.ZOptions{Z: 3, Window: time.Hour, Attributes: []string{"place"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, who := range []string{"ann", "bob", "ann", "cem", "ann"} {
		outputs, err := s.Push(stream.Record{Subject: []byte(who), Values: []stream.Value{{Text: "library"}}})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(outputs[0].Why)
	}
	// Output:
	// few
	// few
	// few
	// published
	// published
}
