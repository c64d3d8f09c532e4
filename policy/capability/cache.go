package capability

import (
	"crypto/sha256"
	"sync"
)

// prefixes remember verified beginnings of chains, under the SHA-256 of all their bytes, signatures included. Only what
// verified is put in, so that strangers cannot fill it. Holders of a chain can, with children of it: there are two
// generations, and when the young one is half of all, the old one is let go, so that it stays bounded and what is used stays.
type prefixes struct {
	half int // weight of one generation; 0: nothing is remembered

	mu     sync.Mutex // guards the fields below
	weight int        // of young
	young  map[[32]byte]*Verified
	old    map[[32]byte]*Verified
}

func newPrefixes(entries int) *prefixes {
	return &prefixes{half: max(entries, 0) / 2, young: map[[32]byte]*Verified{}}
}

// get returns the chain remembered under the key, or nil.
func (p *prefixes) get(key [32]byte) *Verified {
	p.mu.Lock()
	defer p.mu.Unlock()
	if vd, ok := p.young[key]; ok {
		return vd
	}
	vd, ok := p.old[key]
	if ok {
		p.add(key, vd)
	}
	return vd
}

func (p *prefixes) put(key [32]byte, vd *Verified) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.add(key, vd)
}

// drop forgets a chain that died.
func (p *prefixes) drop(key [32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if vd, ok := p.young[key]; ok {
		p.weight -= vd.weight
	}
	delete(p.young, key)
	delete(p.old, key)
}

// add is called with mu held. An entry adds to memory what its last token says: the links before it are shared.
func (p *prefixes) add(key [32]byte, vd *Verified) {
	if _, ok := p.young[key]; ok || vd.weight > p.half {
		return
	}
	if p.weight+vd.weight > p.half {
		p.old, p.young, p.weight = p.young, make(map[[32]byte]*Verified, len(p.young)), 0
	}
	p.young[key] = vd
	p.weight += vd.weight
}

// weightOf counts an entry for each KiB of a token, so that the bound on entries bounds memory.
func weightOf(t Token) int { return 1 + len(t)/1024 }

// prefixKeys returns the key of each beginning of the chain. Tokens hold no "~", so that no two chains are read alike.
func prefixKeys(c Chain) [][32]byte {
	keys := make([][32]byte, len(c))
	h := sha256.New()
	for i, t := range c {
		_, _ = h.Write([]byte(t))
		_, _ = h.Write([]byte{'~'})
		h.Sum(keys[i][:0])
	}
	return keys
}
