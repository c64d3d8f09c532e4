package agent

import (
	"encoding/json"

	"github.com/scrimhq/scrim/flow"
)

// The places of the privacy extension.
const (
	Extension  = "https://scrim.dev/ext/privacy/v1" // of A2A; the member of metadata that holds note and purpose
	MetaNote   = "dev.scrim/privacy"                // the member of MCP's _meta that holds note and purpose
	MetaFlowID = "dev.scrim/flow-id"                // the member of MCP's _meta that names a call; the same name again is a retry
)

// NoteOf reads the privacy note out of an A2A message's metadata or MCP's _meta: what the gateway changed, and how to ask
// for more. It is false where there is none, and then nothing was changed.
func NoteOf(meta map[string]any) (flow.Note, bool) {
	var n flow.Note
	ok := extension(meta, &n) && n.Reference != ""
	return n, ok
}

// extension reads what the privacy extension says in metadata, of either protocol.
func extension(meta map[string]any, into any) bool {
	for _, name := range []string{Extension, MetaNote} {
		if v, ok := meta[name]; ok {
			b, err := json.Marshal(v)
			return err == nil && json.Unmarshal(b, into) == nil
		}
	}
	return false
}
