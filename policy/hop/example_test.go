package hop_test

import (
	"fmt"

	"github.com/scrimhq/scrim/policy/hop"
)

// A statement made for the insurer is nothing to anybody else.
func ExampleVerify() {
	s := example()
	text, _ := hop.Sign(keyOf('h'), "key-1", s)

	got, err := hop.Verify(text, pinned, here)
	fmt.Println(got.Agent, "for", got.Purpose, "hop", got.Next(), err)

	elsewhere := here
	elsewhere.Audience = "reinsurer"
	_, err = hop.Verify(text, pinned, elsewhere)
	fmt.Println(err)
	// Output:
	// intake for prior-authorisation hop 2 <nil>
	// hop statement breaks rule audience: it was made for another domain
}
