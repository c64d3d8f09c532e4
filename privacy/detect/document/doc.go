// Package document reads all text of a PDF, or says that it could not. It is for deciding about a file as a whole: nothing is ever
// rewritten, and a file of which any part was not read counts as unread.
//
// The reader is far stricter than a viewer. Each byte of the file belongs to an object that the cross-reference names, each object is
// defined once, each stream has a known use, and text comes back in more than one order: as it is drawn and as it stands on
// the page. Comments, names, long numbers and all strings are text, too. What strangers send is read under [Limits].
package document

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrUnread means that a document was not read, or not all of it. Errors that wrap it say what was in the way, never what was read.
var ErrUnread = errors.New("the document could not be read as a whole")

// Limits bound the work on one document. A zero means the default.
type Limits struct {
	Bytes   int           // of all streams, decompressed; 16 MiB
	Text    int           // bytes of all texts; 2 MiB
	Objects int           // 50 000
	Pages   int           // 1 000
	Depth   int           // of arrays, dictionaries, page trees and forms within forms; 24
	Steps   int           // tokens, glyphs and entries of tables; 4 000 000
	Time    time.Duration // 2 s
}

func (l Limits) filled() Limits {
	for _, f := range []struct {
		to *int
		v  int
	}{{&l.Bytes, 16 << 20}, {&l.Text, 2 << 20}, {&l.Objects, 50_000}, {&l.Pages, 1000}, {&l.Depth, 24}, {&l.Steps, 4_000_000}} {
		if *f.to <= 0 {
			*f.to = f.v
		}
	}
	if l.Time <= 0 {
		l.Time = 2 * time.Second
	}
	return l
}

// Contents is what can be read in a document.
type Contents struct {
	Prose []string // what its pages and its description say
	Terms []string // names, numbers and comments of its machinery: what has a form of its own may hide there
}

// unread is how the reader stops: deep within, and caught in one place.
type unread string

func fail(why string) { panic(unread(why)) }

// budget is what is left of the limits.
type budget struct {
	ctx   context.Context
	until time.Time
	Limits
}

// step takes n steps and sees to the time now and then.
func (b *budget) step(n int) {
	before := b.Steps >> 12
	if b.Steps -= n; b.Steps < 0 {
		fail("it takes too many steps")
	}
	if b.Steps>>12 != before && (b.ctx.Err() != nil || time.Now().After(b.until)) {
		fail("it takes too long")
	}
}

// PDF returns everything that a PDF says. Its only error is one that wraps [ErrUnread], and with it comes nothing.
func PDF(ctx context.Context, file []byte, limits Limits) (c Contents, err error) {
	defer func() {
		if p := recover(); p != nil {
			why, ok := p.(unread)
			if !ok { // a mistake of the reader's own: what it did not read must not pass
				why = "the reader stopped"
			}
			c, err = Contents{}, fmt.Errorf("%w: %s", ErrUnread, string(why))
		}
	}()
	limits = limits.filled()
	r := &reader{
		file: file, budget: budget{ctx, time.Now().Add(limits.Time), limits},
		objects: map[int]*object{}, terms: map[string]bool{}, fonts: map[int]*font{},
	}
	r.read()
	return Contents{r.prose, r.sortedTerms()}, nil
}
