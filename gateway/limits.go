package gateway

import (
	"net/netip"
	"sync"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// LoadLimits bound what may go on at one time; zero fields have the defaults named.
type LoadLimits struct {
	Flows    int          // calls at one time, open streams not counted; 1,024
	Streams  int          // open streams; 10,000
	Refusals int          // refused credentials a second from one address, before it is not listened to; 50; negative: no limit
	Caller   CallerLimits // of each caller
}

// CallerLimits bound what one caller may do; zero fields have the defaults named. A second's worth may come at once.
type CallerLimits struct {
	Rate    int // calls a second; 10,000
	Flows   int // calls at one time, open streams not counted; half of all
	Streams int // open streams; half of all
	Events  int // events a second, over all its streams: what is over is held up, not cut; 50,000
	Bytes   int // bytes of events a second, likewise; 256 MiB
	Body    int // bytes of one message; the gateway's own limit
}

// complete fills in what is zero, first from the second.
func (c CallerLimits) complete(with CallerLimits) CallerLimits {
	return CallerLimits{
		Rate: orDefault(c.Rate, with.Rate), Flows: orDefault(c.Flows, with.Flows), Streams: orDefault(c.Streams, with.Streams),
		Events: orDefault(c.Events, with.Events), Bytes: orDefault(c.Bytes, with.Bytes), Body: orDefault(c.Body, with.Body),
	}
}

func (l LoadLimits) complete() LoadLimits {
	l.Flows, l.Streams, l.Refusals = orDefault(l.Flows, 1024), orDefault(l.Streams, 10_000), orDefault(l.Refusals, 50)
	l.Caller = l.Caller.complete(CallerLimits{
		Rate: 10_000, Flows: max(l.Flows/2, 1), Streams: max(l.Streams/2, 1), Events: 50_000, Bytes: 256 << 20,
	})
	return l
}

// callerLimits are the limits of one caller by a configuration.
func (s *Snapshot) callerLimits(p flow.Party) CallerLimits {
	all := s.Load.complete().Caller
	if a := s.Agents[p.Agent]; a != nil && a.Party.Domain == p.Domain {
		return a.Limits.complete(all)
	}
	return all
}

// bucket fills with as many tokens a second as it holds. It may be overdrawn: then the next waits longer. The zero
// value is full. It is for use under its owner's lock.
type bucket struct {
	spent float64
	at    time.Time
}

// settle brings the bucket up to now.
func (b *bucket) settle(now time.Time, rate int) {
	if b.at.IsZero() || now.Before(b.at) {
		b.at = now
	}
	b.spent = max(0, b.spent-now.Sub(b.at).Seconds()*float64(rate))
	b.at = now
}

// take spends one token, or says how long until there is one.
func (b *bucket) take(now time.Time, rate int) (wait time.Duration) {
	b.settle(now, rate)
	if over := b.spent + 1 - float64(rate); over > 0 {
		return seconds(over, rate)
	}
	b.spent++
	return 0
}

// overdraw spends n tokens whatever there is, and says how long until they are earned.
func (b *bucket) overdraw(now time.Time, rate, n int) (wait time.Duration) {
	b.settle(now, rate)
	b.spent += float64(n)
	return seconds(b.spent-float64(rate), rate)
}

func seconds(tokens float64, rate int) time.Duration {
	return max(0, time.Duration(tokens/float64(rate)*float64(time.Second)))
}

// callerLoad is what one caller is doing.
type callerLoad struct {
	mu      sync.Mutex // guards the fields below
	calls   bucket
	events  bucket
	bytes   bucket
	flows   int
	streams int
}

// maxAddresses bounds how many addresses are remembered for their refused credentials.
const maxAddresses = 10_000

// strikes counts refused credentials by address, so that whoever tries them is not listened to for a while.
type strikes struct {
	mu sync.Mutex
	by map[netip.Prefix]*bucket // guarded by mu
}

// out reports whether an address has used up its refusals, and for how long.
func (s *strikes) out(from netip.Prefix, now time.Time, rate int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.by[from]
	if b == nil || rate < 0 {
		return 0
	}
	b.settle(now, rate)
	return seconds(b.spent-float64(rate), rate)
}

// add counts one more refusal. A table that is full forgets what is settled, and all of it if nothing is.
func (s *strikes) add(from netip.Prefix, now time.Time, rate int) {
	if rate < 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.by[from]
	if b == nil {
		if len(s.by) >= maxAddresses {
			for k, b := range s.by {
				if b.settle(now, rate); b.spent == 0 {
					delete(s.by, k)
				}
			}
			if len(s.by) >= maxAddresses {
				clear(s.by)
			}
		}
		if s.by == nil {
			s.by = map[netip.Prefix]*bucket{}
		}
		b = &bucket{}
		s.by[from] = b
	}
	b.settle(now, rate)
	b.spent = min(b.spent+1, float64(2*rate)) // so that it ends a second after the trying does
}

// networkOf is what counts as one address: of IPv6 a caller has a whole network.
func networkOf(remote string) netip.Prefix {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{} // all that have none share one
	}
	ip := at.Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, _ := ip.Prefix(bits) // it has that many
	return p
}
