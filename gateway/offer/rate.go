package offer

import (
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// rates holds each caller to so many questions a minute, of which all may come at once. The zero value is ready.
type rates struct {
	mu sync.Mutex
	by map[callerOf]*level // guarded by mu; callers are those of a configuration, so they are few
}

// callerOf is what a caller is counted by.
type callerOf struct {
	agent  flow.AgentID
	domain flow.DomainID
}

// level is how many questions count against a caller at a time.
type level struct {
	spent float64
	at    time.Time
}

// take counts a question, or says how long until there may be one.
func (r *rates) take(p flow.Party, now time.Time, rate int) (wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := callerOf{p.Agent, p.Domain}
	l := r.by[key]
	if l == nil {
		if r.by == nil {
			r.by = map[callerOf]*level{}
		}
		l = &level{at: now}
		r.by[key] = l
	}
	if now.After(l.at) {
		l.spent = max(0, l.spent-now.Sub(l.at).Minutes()*float64(rate))
	}
	l.at = now
	if over := l.spent + 1 - float64(rate); over > 0 {
		return time.Duration(over / float64(rate) * float64(time.Minute))
	}
	l.spent++
	return 0
}
