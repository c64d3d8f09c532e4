package mcp

import (
	"crypto/rand"
	"sync"

	"github.com/scrimhq/scrim/flow"
)

// groupSessions keeps which sessions of servers one session of a group stands for. An id is no credential: a session is
// found only by whom it was given to. The zero value is ready.
type groupSessions struct {
	mu    sync.Mutex
	known map[string]*groupSession
	order map[owner][]string // oldest first
}

// groupSession is one client's session with a group.
type groupSession struct {
	id      string
	owner   owner
	group   flow.AgentID
	members map[flow.AgentID]string // the server's own session; "" where it has none

	mu      sync.Mutex
	pending map[string]flow.AgentID // which server carries out which request
}

// begin gives out a session for what the servers gave.
func (gs *groupSessions) begin(group flow.AgentID, who owner, members map[flow.AgentID]string) *groupSession {
	s := &groupSession{id: rand.Text(), owner: who, group: group, members: members, pending: map[string]flow.AgentID{}}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if gs.known == nil {
		gs.known, gs.order = map[string]*groupSession{}, map[owner][]string{}
	}
	if mine := gs.order[who]; len(mine) >= maxSessions {
		delete(gs.known, mine[0])
		gs.order[who] = mine[1:]
	}
	gs.known[s.id] = s
	gs.order[who] = append(gs.order[who], s.id)
	return s
}

// find returns a caller's session; nil if it has none of this id with the group.
func (gs *groupSessions) find(id string, group flow.AgentID, who owner) *groupSession {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	if s := gs.known[id]; s != nil && s.owner == who && s.group == group {
		return s
	}
	return nil
}

func (gs *groupSessions) end(s *groupSession) {
	gs.mu.Lock()
	defer gs.mu.Unlock()
	delete(gs.known, s.id)
	mine := gs.order[s.owner]
	for i, id := range mine {
		if id == s.id {
			gs.order[s.owner] = append(mine[:i:i], mine[i+1:]...)
			break
		}
	}
	if len(gs.order[s.owner]) == 0 {
		delete(gs.order, s.owner)
	}
}

// under notes which server carries out a request, until the returned function is called.
func (s *groupSession) under(key string, server flow.AgentID) func() {
	if s == nil || key == "" {
		return func() {}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, busy := s.pending[key]; busy || len(s.pending) >= maxPending {
		return func() {} // the server itself refuses the second of an id
	}
	s.pending[key] = server
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.pending, key)
	}
}

func (s *groupSession) carries(key string) (flow.AgentID, bool) {
	if s == nil {
		return "", false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	server, ok := s.pending[key]
	return server, ok
}
