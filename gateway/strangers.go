package gateway

import (
	"sync"
	"time"
)

// strangersASecond is how many refused credentials are put on record one by one in a second. What is beyond is
// counted in the next row: whoever has no credential must not be able to fill the journal.
const strangersASecond = 20

type strangers struct {
	mu      sync.Mutex
	second  int64
	seen    int
	skipped int
}

// admit reports whether a refusal gets a row of its own, and how many before it got none.
func (s *strangers) admit(now time.Time) (skipped int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sec := now.Unix(); sec != s.second {
		s.second, s.seen = sec, 0
	}
	if s.seen++; s.seen > strangersASecond {
		s.skipped++
		return 0, false
	}
	skipped, s.skipped = s.skipped, 0
	return skipped, true
}
