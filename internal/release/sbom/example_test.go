package sbom_test

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/scrimhq/scrim/internal/release/sbom"
)

func ExampleCycloneDX() {
	info := &debug.BuildInfo{
		GoVersion: "go1.26.8", Path: "example.com/tool",
		Main:     debug.Module{Path: "example.com/tool", Version: "v1.0.0"},
		Settings: []debug.BuildSetting{{Key: "vcs.time", Value: "2026-11-05T09:30:00Z"}},
	}
	bill, err := sbom.CycloneDX(info, sbom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(string(bill)) {
		if strings.Contains(line, "purl") {
			fmt.Println(strings.Trim(line, " ,\n"))
		}
	}
	// Output:
	// "purl": "pkg:golang/example.com/tool@v1.0.0"
	// "purl": "pkg:golang/std@1.26.8"
}
