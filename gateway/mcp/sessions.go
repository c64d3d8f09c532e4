package mcp

import (
	"slices"
	"sync"

	"github.com/scrimhq/scrim/flow"
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
)

type sessionKey struct {
	server flow.AgentID
	id     string
}

type owner struct {
	agent  flow.AgentID
	domain flow.DomainID
}

type session struct {
	owner  owner
	parked map[string]*calling
}

func ownerOf(p flow.Party) owner { return owner{p.Agent, p.Domain} }

// owns reports whether the session is the caller's.
func (ss *sessions) owns(server flow.AgentID, id string, p flow.Party) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.known[sessionKey{server, id}]
	return s != nil && s.owner == ownerOf(p)
}

// begin gives a session to the caller; false if it is another's.
func (ss *sessions) begin(server flow.AgentID, id string, p flow.Party) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	key, who := sessionKey{server, id}, ownerOf(p)
	if s := ss.known[key]; s != nil {
		return s.owner == who
	}
	if ss.known == nil {
		ss.known, ss.order = map[sessionKey]*session{}, map[owner][]sessionKey{}
	}
	if mine := ss.order[who]; len(mine) >= maxSessions {
		delete(ss.known, mine[0])
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
		delete(ss.known, key)
	}
}

// park keeps a call whose stream the server closed before it answered: the answer comes on the next one.
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
	return true
}

func (ss *sessions) unpark(server flow.AgentID, id, key string) *calling {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.known[sessionKey{server, id}]
	if s == nil {
		return nil
	}
	c := s.parked[key]
	delete(s.parked, key)
	return c
}
