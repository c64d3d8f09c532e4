package notify_test

import (
	"fmt"

	"github.com/scrimhq/scrim/internal/notify"
)

func Example() {
	if err := notify.Ready("taking calls"); err != nil { // nil where no service manager asked to be told
		fmt.Println(err)
	}
	// Output:
}
