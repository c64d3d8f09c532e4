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

// Cosigners are the witnesses of this gateway's own log.
func (c *Config) Cosigners() []witness.Peer {
	var all []witness.Peer
	for _, w := range c.Log.Witnesses {
		if p, err := witness.ParsePeer(w.Key, w.URL); err == nil { // else the file was refused for it
			all = append(all, p)
		}
	}
	return all
}

func (v *validator) cosigners() {
	l := &v.c.Log
	for i, w := range l.Witnesses {
		p, err := witness.ParsePeer(w.Key, w.URL)
		if err != nil && w.Key != "" {
			v.wrong(fmt.Sprintf("log/witnesses/%d/key", i), "name+id+key, as scrim witness show prints it there", "%v", err)
		}
		if p.Name == v.c.WitnessName() && err == nil {
			v.wrong(fmt.Sprintf("log/witnesses/%d/key", i), "", "a domain is no witness of its own log")
		}
	}
	if _, err := witness.NewCosigner(v.c.Cosigners(), witness.CosignerOptions{}); err != nil {
		v.wrong("log/witnesses", "", "a witness is listed twice")
	}
	switch {
	case l.Quorum > len(l.Witnesses):
		v.wrong("log/quorum", "", "more than there are witnesses")
	case l.RequireQuorum && len(l.Witnesses) == 0:
		v.wrong("log/require_quorum", "name some under log.witnesses", "there are no witnesses to require")
	}
}
