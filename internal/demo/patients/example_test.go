package patients_test

import (
	"fmt"

	"github.com/scrimhq/scrim/internal/demo/patients"
)

func Example() {
	p := patients.Generate(1, 3000)[0]
	fmt.Println(p.Name, p.BirthDate, p.Conditions[0].Code)
	// Output: Eleanor Whitfield 1957-03-14 M05.79
}
