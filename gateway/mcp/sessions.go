package mcp

import (
	"slices"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// sessions knows whose a session is: a session id is no credential. Only ids that a server gave out through this
// gateway are known; a client with another one is told to begin anew, as after any restart. The zero value is ready.
type sessions struct {
	mu    sync.Mutex
	known map[sessionKey]*session
	order map[owner][]sessionKey // oldest first
}

const (
	maxSessions = 1000 // of one caller; a new one pushes out its own oldest
	maxParked   = 64   // calls of one session whose answers are still to come on another stream
	parkedFor   = 5 * time.Minute
)

type sessionKey struct {
	server flow.AgentID
	id     string
}

type owner struct {
	agent  flow.AgentID
	domain flow.DomainID
	holder string // of the capability that it comes by; "": of none
}

type session struct {
	owner    owner
	inbox    inbox
	version  string // that initialize settled on
	parked   map[string]*calling
	answered []*calling // not long ago, on a stream that can be resumed; the oldest first
	ids      callIDs
}

func ownerOf(p flow.Party, a *gateway.Authority) owner { return owner{p.Agent, p.Domain, a.Holder()} }

func (who parties) owner() owner { return ownerOf(who.caller.Party, who.authority) }

// owns reports whether the session is the caller's.
func (ss *sessions) owns(server flow.AgentID, id string, who owner) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.known[sessionKey{server, id}]
	return s != nil && s.owner == who
}

// begin gives a session to the caller; false if it is another's.
func (ss *sessions) begin(server flow.AgentID, id string, who owner) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	key := sessionKey{server, id}
	if s := ss.known[key]; s != nil {
		return s.owner == who
	}
	if ss.known == nil {
		ss.known, ss.order = map[sessionKey]*session{}, map[owner][]sessionKey{}
	}
	if mine := ss.order[who]; len(mine) >= maxSessions {
		ss.drop(mine[0])
		ss.order[who] = mine[1:]
	}
	ss.known[key] = &session{owner: who}
	ss.order[who] = append(ss.order[who], key)
	return true
}

func (ss *sessions) end(server flow.AgentID, id string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	key := sessionKey{server, id}
	if s := ss.known[key]; s != nil {
		ss.order[s.owner] = slices.DeleteFunc(ss.order[s.owner], func(k sessionKey) bool { return k == key })
		ss.drop(key)
	}
}

// drop forgets a session. The caller holds the lock.
func (ss *sessions) drop(key sessionKey) {
	if s := ss.known[key]; s != nil {
		for _, c := range s.parked {
			c.ticket.End()
		}
		s.parked = nil
	}
	delete(ss.known, key)
}

// claim reserves the id of a call in its session; see [callIDs].
func (ss *sessions) claim(server flow.AgentID, id string, c *calling) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.known[sessionKey{server, id}]
	if s == nil {
		return nil
	}
	if s.parked[c.key] != nil {
		return unansweredID()
	}
	if err := s.ids.claim(c); err != nil {
		return err
	}
	s.alike(c, false)
	return nil
}

// alike forgets what could be sent again under the id of a call that asks for something else: which of the two a stream
// was of, nobody could tell. It reports whether an answer to this call may be sent again.
func (s *session) alike(c *calling, note bool) bool {
	if s.ids.alike(c, note) {
		return true
	}
	s.answered = slices.DeleteFunc(s.answered, func(old *calling) bool { return old.key == c.key })
	return false
}

// release says that the server has nothing more to say to a call.
func (ss *sessions) release(server flow.AgentID, id string, c *calling) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.known[sessionKey{server, id}]; s != nil {
		s.ids.release(c)
	}
}

// park keeps a call whose stream the server closed before it answered: the answer comes on the next one. The call's
// ticket is the session's then, for as long as an answer can be expected.
func (ss *sessions) park(server flow.AgentID, id string, c *calling) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.known[sessionKey{server, id}]
	if s == nil || len(s.parked) >= maxParked {
		return false
	}
	if s.parked == nil {
		s.parked = map[string]*calling{}
	}
	s.parked[c.key] = c
	time.AfterFunc(parkedFor, func() {
		ss.mu.Lock()
		defer ss.mu.Unlock()
		if s.parked[c.key] == c {
			delete(s.parked, c.key)
			c.ticket.End()
		}
	})
	return true
}

// unpark takes a call whose answer came on another stream than its own. On a stream that is resumed it may be one that
// was answered already: what the client did not get before its connection broke is sent again.
func (ss *sessions) unpark(server flow.AgentID, id, key string, resumed bool) *calling {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.known[sessionKey{server, id}]
	if s == nil {
		return nil
	}
	c := s.parked[key]
	delete(s.parked, key)
	if c != nil || !resumed {
		return c
	}
	for _, old := range slices.Backward(s.answered) {
		if old.key == key {
			again := *old // several streams may bring it at one time
			again.ticket = &gateway.Ticket{}
			return &again
		}
	}
	return nil
}

// sent keeps a call that was answered on a stream which its client may resume.
func (ss *sessions) sent(server flow.AgentID, id string, c *calling) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.known[sessionKey{server, id}]
	if s == nil {
		return
	}
	if !s.alike(c, true) {
		return
	}
	if len(s.answered) >= maxParked {
		s.answered = s.answered[1:]
	}
	s.answered = append(s.answered, c)
}

// of returns the session's inbox and the version it settled on; nil if there is no such session.
func (ss *sessions) of(server flow.AgentID, id string) (*inbox, string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.known[sessionKey{server, id}]
	if s == nil {
		return nil, ""
	}
	return &s.inbox, s.version
}

func (ss *sessions) agree(server flow.AgentID, id, version string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s := ss.known[sessionKey{server, id}]; s != nil {
		s.version = version
	}
}
