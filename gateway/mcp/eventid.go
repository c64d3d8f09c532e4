package mcp

import (
	"net/http"
	"strings"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// The id of an event is a server's text that no table describes, and whoever names one is sent what came after it, by a
// server that takes every caller for the gateway. So a client gets a sealed one that opens in its own session alone.

// maxEventID bounds the ids that are carried; without one a stream cannot be taken up after the event.
const maxEventID = 128

// eventsOf says whose the ids of a session's events are.
func (x *exchange) eventsOf(session string) []byte {
	p := x.who.caller.Party
	return []byte(strings.Join([]string{"events", string(x.who.agent.Party.Agent), string(p.Domain), string(p.Agent), session}, "\x00"))
}

// event returns an event of the server with data in place of its own, as its client gets it, and whether the client can
// go on from it.
func (x *exchange) event(ev wire.Event, data []byte) ([]byte, bool) {
	id := ""
	switch session := x.conversing(); {
	case passing(x.who) != nil:
		return ev.AppendPlain(nil, data), len(ev.ID) > 0
	case session != "" && 0 < len(ev.ID) && len(ev.ID) <= maxEventID:
		var err error
		if id, err = x.g.SealCursor(ev.ID, x.eventsOf(session)); err != nil {
			id = ""
		}
	}
	return ev.AppendPlainAs(nil, data, id), id != ""
}

// conversing is the session, be it one that just began; "" for none.
func (x *exchange) conversing() string {
	if x.session != "" {
		return x.session
	}
	return x.begun
}

// resume finds out from which event a client wants to go on.
func (x *exchange) resume(r *http.Request) error {
	last := r.Header.Get(headerEvent)
	switch {
	case r.Method != http.MethodGet || last == "" || x.session == "":
		return nil
	case passing(x.who) != nil && visible(last):
		x.after = last
		return nil
	}
	id, err := x.g.OpenCursor(last, x.eventsOf(x.session))
	if err != nil || !visible(string(id)) {
		return gateway.Refuse(gateway.RuleFace, err, "There is no such stream for this caller.")
	}
	x.after = string(id)
	return nil
}
