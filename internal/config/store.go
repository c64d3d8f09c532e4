package config

import "github.com/scrimhq/scrim/flow"

// Store says where state is kept.
type Store struct {
	Postgres *SecretText `yaml:"postgres" secret:"true" doc:"The URL (postgres://…) of a PostgreSQL database that keeps the gateway's state. Absent: the data directory keeps it. Keys, archived checkpoints and the admin token stay in the directory in any case."`
	Schema   string      `yaml:"schema" doc:"Schema of that database. No two gateways share one." default:"scrim" pattern:"schema"`
}

// StoreURL returns the URL of the database that keeps the state. The error wraps [ErrSecret] and gives the place in the file.
func (c *Config) StoreURL() (flow.Secret, error) {
	s := c.Store.Postgres
	return c.secret(s.place, s.Env, s.File)
}

func (v *validator) store() {
	s := v.c.Store.Postgres
	if s == nil {
		return
	}
	if (s.Env == "") == (s.File == "") {
		v.wrong("store/postgres", "the URL holds a password, so it does not belong in this file", "either env or file is expected")
	}
	v.secret("store/postgres", s.Env, s.File)
}
