package config_test

import (
	"fmt"

	"github.com/scrimhq/scrim/internal/config"
)

func ExampleParse() {
	_, err := config.Parse("scrim.yaml", []byte(`version: 1
domain: clinic
agents:
  - id: intake
    role: [nurse]
timeouts: {read: soon}
`), "")
	fmt.Println(err)
	// Output:
	// scrim.yaml:5:5: unknown key "role" (did you mean roles?)
	// scrim.yaml:6:18: a time span such as 90s, 24h or 30d is expected
}
