package json

import "sync"

var docs = sync.Pool{New: func() any { return new(Doc) }}

// mostKept is how many nodes a document may have room for and still be kept for others.
const mostKept = 8192

// Borrow returns an empty document with memory that was used before. It saves what a new one would allocate while it grows.
func Borrow() *Doc { return docs.Get().(*Doc) }

// Return gives a borrowed document back, emptied of what was in it. It must not be used after.
func (d *Doc) Return() {
	if cap(d.Nodes) > mostKept {
		return
	}
	d.Src, d.Nodes = nil, d.Nodes[:0]
	clear(d.buf[:cap(d.buf)])
	d.buf = d.buf[:0]
	docs.Put(d)
}
