package mcp

import (
	"crypto/sha256"
	"strings"

	"github.com/scrimhq/scrim/gateway"
)

// callIDs knows the ids under which the client of one session calls. A server finds the stream for an answer by the id of
// the call. Were two calls under way with one id, the answer to the first would come on the stream of the second and be
// decided as what that one asked for. So an id is free again only when its call was answered: a caller that hung up does
// not stop the server.
type callIDs struct {
	serial uint64
	busy   map[string]uint64            // unanswered, by key
	sent   map[string][sha256.Size]byte // what the calls were whose answers may be sent again, by key
}

// maxCallIDs bounds how many ids of one session are remembered of either kind.
const maxCallIDs = 4096

func (ids *callIDs) claim(c *calling) error {
	if _, busy := ids.busy[c.key]; busy {
		return unansweredID()
	}
	if len(ids.busy) >= maxCallIDs {
		return gateway.Refuse(gateway.RuleExhausted, nil, "More than %d requests of this session are unanswered; begin a new one.", maxCallIDs)
	}
	if ids.busy == nil {
		ids.busy = map[string]uint64{}
	}
	ids.serial++
	c.serial = ids.serial
	ids.busy[c.key] = c.serial
	return nil
}

func (ids *callIDs) release(c *calling) {
	if c.serial != 0 && ids.busy[c.key] == c.serial {
		delete(ids.busy, c.key)
	}
}

func unansweredID() error {
	return gateway.Refuse(gateway.RuleConflict, nil, "A request of this id is unanswered in this session.")
}

// alike reports whether all calls under this id whose answers may be sent again ask for the same, so that one stands for
// another. With note, the answer to this one may be sent again from now on.
func (ids *callIDs) alike(c *calling, note bool) bool {
	before, known := ids.sent[c.key]
	if !known && !note {
		return true
	}
	asks := sha256.Sum256([]byte(strings.Join([]string{
		c.method, c.tool, c.prompt, c.ref, c.argument, c.version, string(c.flow.Purpose), c.flow.Task.Criticality.String(),
	}, "\x00")))
	switch {
	case known && before != asks:
		ids.sent[c.key] = [sha256.Size]byte{} // of no call
		return false
	case known:
		return true
	case len(ids.sent) >= maxCallIDs:
		return false
	case ids.sent == nil:
		ids.sent = map[string][sha256.Size]byte{}
	}
	ids.sent[c.key] = asks
	return true
}
