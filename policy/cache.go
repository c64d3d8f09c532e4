package policy

import (
	"encoding/binary"
	"hash/maphash"
	"sync"

	"github.com/scrimhq/scrim/flow"
)

const (
	defaultCache = 1 << 16
	cacheShards  = 32
)

// cache keeps decisions, at most a fixed number of them. A nil cache keeps none. It is safe for concurrent use.
//
// Its keys hold everything that a decision depends on, in full: two requests share an entry only if no policy of the
// set could tell them apart. When it is full, an arbitrary entry makes room.
type cache struct {
	seed   maphash.Seed
	most   int // per shard
	shards [cacheShards]cacheShard
}

type cacheShard struct {
	mu sync.RWMutex // guards m
	m  map[cacheKey]*decision
}

type cacheKey struct {
	flow  string
	label flow.Label
	field string
	score uint8 // class, see [Set.scoreClass]
}

// newCache returns a cache of about size decisions; 0 means the default, a negative size none.
func newCache(size int) *cache {
	if size < 0 {
		return nil
	}
	if size == 0 {
		size = defaultCache
	}
	c := &cache{seed: maphash.MakeSeed(), most: (size + cacheShards - 1) / cacheShards}
	for i := range c.shards {
		c.shards[i].m = make(map[cacheKey]*decision)
	}
	return c
}

func (c *cache) shard(k cacheKey) *cacheShard {
	return &c.shards[maphash.Comparable(c.seed, k)%cacheShards]
}

func (c *cache) get(key string, leaf flow.Leaf, score uint8) *decision {
	if c == nil {
		return nil
	}
	k := cacheKey{key, leaf.Label, leaf.Field, score}
	s := c.shard(k)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.m[k]
}

func (c *cache) put(key string, leaf flow.Leaf, score uint8, d *decision) {
	if c == nil {
		return
	}
	k := cacheKey{key, leaf.Label, leaf.Field, score}
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.m) >= c.most {
		for old := range s.m {
			delete(s.m, old)
			break
		}
	}
	s.m[k] = d
}

// flowKey encodes everything about a flow that a decision can depend on: what the tier's cap and its exceptions read,
// and those attributes of the context that some policy reads. The encoding is injective.
func (s *Set) flowKey(q *Query) string {
	f := &q.Flow
	b := make([]byte, 0, 192)
	b = appendParty(b, f.To)
	b = append(b, byte(f.Task.Criticality), bit(q.Approved))
	if s.used.has("from") {
		b = appendParty(b, f.From)
	}
	if s.used.has("same_domain") {
		b = append(b, bit(sameDomain(f)))
	}
	if s.used.has("purpose") {
		b = appendText(b, string(f.Purpose))
	}
	if s.used.has("task") {
		b = appendText(b, string(f.Task.ID))
	}
	if s.used.has("hop") {
		b = binary.AppendVarint(b, int64(f.Hop))
	}
	if s.used.has("consent") {
		b = append(b, bit(q.Consent))
	}
	if s.used.has("direction") {
		b = append(b, byte(f.Direction))
	}
	if s.used.has("capabilities") {
		b = appendTexts(b, q.Capabilities)
	}
	if s.used.has("contract") {
		b = appendTexts(b, q.Contracts)
	}
	if s.used.has("protocol") {
		b = appendText(b, f.Protocol)
	}
	if s.used.has("skill") {
		b = appendText(b, f.Subject)
	}
	return string(b)
}

func appendParty(b []byte, p flow.Party) []byte {
	b = appendText(b, string(p.Agent))
	b = appendText(b, string(p.Domain))
	b = binary.AppendUvarint(b, uint64(len(p.Roles)))
	for _, r := range p.Roles {
		b = appendText(b, string(r))
	}
	return append(b, bit(p.Attested))
}

func appendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func bit(v bool) byte {
	if v {
		return 1
	}
	return 0
}
