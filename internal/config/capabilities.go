package config

// Capabilities are what agents get by tokens that only narrow, and what is asked of such tokens.
type Capabilities struct {
	Grants []CapabilityGrant `yaml:"grants" doc:"What agents of this domain may get a capability for, at /scrim/token or by the operator. It never is more than policy permits."`
}
