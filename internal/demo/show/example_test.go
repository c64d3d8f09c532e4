package show_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/scrimhq/scrim/internal/demo/show"
)

func ExampleRun() {
	var out bytes.Buffer
	if err := show.Run(context.Background(), show.Options{Out: &out, Patients: 100}); err != nil {
		fmt.Println(err)
		return
	}
	first, _ := out.ReadString('\n')
	fmt.Print(first)
	// Output: Scrim: the same message looks different to different recipients
}
