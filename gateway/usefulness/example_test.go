package usefulness_test

import (
	"fmt"

	"github.com/scrimhq/scrim/gateway/usefulness"
)

func ExampleParse() {
	told, err := usefulness.Parse([]byte(`{"reference":"06h0a7pgdpkmbfokh1vp84m3r0","label":"person/birth-date","verdict":"too-coarse"}`))
	if err != nil {
		panic(err)
	}
	fmt.Println(told.Label, told.Verdict)
	// Output: person/birth-date too-coarse
}
