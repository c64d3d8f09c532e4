package config

import (
	"fmt"

	"github.com/scrimhq/scrim/evidence/witness"
)

// Witness is which logs of others this gateway cosigns.
type Witness struct {
	Name string   `yaml:"name" doc:"Name of its key, best the address below which it is found, without https://. Default: scrim.dev/witness/ and the domain. Whoever relies on its cosignatures knows the key by this name."`
	Logs []string `yaml:"logs" doc:"Verifier keys (name+id+key) of logs whose checkpoints it cosigns at /witness/add-checkpoint, as scrim witness show prints them there. A key is good for the log's periods too. Absent: none."`
}

// WitnessName is the name of the key by which this gateway cosigns.
func (c *Config) WitnessName() string {
	if c.Witness.Name != "" {
		return c.Witness.Name
	}
	return "scrim.dev/witness/" + string(c.Domain)
}

// Witnessed are the logs that this gateway cosigns.
func (c *Config) Witnessed() []witness.Log {
	var all []witness.Log
	for _, vkey := range c.Witness.Logs {
		l, err := witness.ParseLog(vkey)
		if err != nil {
			continue // the file was refused for it
		}
		at := -1
		for i := range all {
			if all[i].Origin == l.Origin {
				at = i
			}
		}
		if at < 0 {
			all = append(all, l)
			continue
		}
		all[at].Keys = append(all[at].Keys, l.Keys...) // a log whose key changes has two for a while
	}
	return all
}

func (v *validator) witness() {
	if !witness.GoodName(v.c.WitnessName()) {
		v.wrong("witness/name", "no spaces and no plus sign", "not the name of a key")
	}
	seen := map[string]bool{}
	for i, vkey := range v.c.Witness.Logs {
		at := fmt.Sprintf("witness/logs/%d", i)
		switch _, err := witness.ParseLog(vkey); {
		case err != nil:
			v.wrong(at, "name+id+key, as scrim witness show prints it there", "%v", err)
		case seen[vkey]:
			v.wrong(at, "", "the log is listed twice")
		}
		seen[vkey] = true
	}
}
