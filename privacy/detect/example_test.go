package detect_test

import (
	"context"
	"fmt"
	"log"

	"github.com/scrimhq/scrim/privacy/detect"
)

func Example() {
	engine, err := detect.New(detect.Options{FormsOnly: true})
	if err != nil {
		log.Fatal(err)
	}
	known, err := detect.NewKnownSet([]detect.Known{{Text: "Alice Johnson", Label: "person/name"}})
	if err != nil {
		log.Fatal(err)
	}
	text := "Ms Johnson, MRN 00123456, asks to be called back at +1 415 555 0100."
	findings, err := engine.Find(context.Background(), text, known)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range findings {
		fmt.Println(f.Start, f.End, f.Type, f.Label)
	}
	// Output:
	// 3 10 known person/name
	// 16 24 record health/record-number
	// 52 67 phone person/contact/phone
}

func ExampleStream() {
	engine, err := detect.New(detect.Options{})
	if err != nil {
		log.Fatal(err)
	}
	stream := engine.Stream(nil)
	show := func(pieces []detect.Piece) {
		for _, p := range pieces {
			if p.Finding != nil {
				fmt.Printf("[%s]", p.Finding.Type)
				continue
			}
			fmt.Print(p.Text)
		}
	}
	for _, chunk := range []string{"Write to al", "ice@exam", "ple.org toda", "y."} {
		show(stream.Write(chunk))
	}
	show(stream.Close())
	// Output: Write to [email] today.
}
