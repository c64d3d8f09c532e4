package config

import (
	_ "embed"
	"strings"

	"github.com/scrimhq/scrim/flow"
)

//go:embed default.yaml
var defaultFile string

// Default returns a commented file for a first run in the given domain: everything on loopback, nobody known. A domain
// that cannot be a name becomes "home".
func Default(domain flow.DomainID) []byte {
	if !patterns["id"].fits(string(domain)) {
		domain = "home"
	}
	return []byte(strings.Replace(defaultFile, "DOMAIN", string(domain), 1))
}
