package cli_test

import (
	"fmt"
	"os"
	"strings"

	"github.com/scrimhq/scrim/internal/cli"
)

func ExampleMain() {
	var complaints strings.Builder
	status := cli.Main([]string{"log", "vrify"}, strings.NewReader(""), os.Stdout, &complaints)
	fmt.Println(status, complaints.String())
	// Output: 2 scrim: scrim log has no "vrify"; it has: verify, show, opening, checkpoint, receipt, prove, size
}
