package exposure_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

// counting counts how often a store is read.
type counting struct {
	store.DB
	views atomic.Int64
}

func (c *counting) View(ctx context.Context, f func(store.Tx) error) error {
	c.views.Add(1)
	return c.DB.View(ctx, f)
}

// TestOfWhomNothingIsHeldNothingIsRead: messages of new tasks about new subjects do not ask the store, those about others do.
func TestOfWhomNothingIsHeldNothingIsRead(t *testing.T) {
	h := open(t, &exposure.Settings{})
	for i := range 20 {
		h.send(exposure.To{Domain: "insurer", Agent: "a", Task: flow.TaskID(fmt.Sprint("old", i))}, born(fmt.Sprint(i)), born(""))
	}
	db := &counting{DB: h.db}
	memory, err := exposure.Open(t.Context(), db, h.vault, h.keys, exposure.Options{Clock: func() time.Time { return h.now }})
	if err != nil {
		t.Fatal(err)
	}
	h.Memory = memory
	if _, err := h.begin(exposure.To{Domain: "insurer", Agent: "a", Task: "first"}, sex("")); err != nil { // what the agent added today is read once
		t.Fatal(err)
	}
	db.views.Store(0)
	for i := range 200 {
		if _, err := h.begin(exposure.To{Domain: "insurer", Agent: "a", Task: flow.TaskID(fmt.Sprint("new", i))}, sex(fmt.Sprint("new", i)), born("")); err != nil {
			t.Fatal(err)
		}
	}
	if n := db.views.Load(); n > 10 {
		t.Errorf("200 messages of whom nothing is held read the store %d times", n)
	}
	db.views.Store(0)
	for i := range 20 {
		want(t, "held", h.send(exposure.To{Domain: "insurer", Agent: "a"}, sex(fmt.Sprint(i))), masked)
	}
	if n := db.views.Load(); n < 20 {
		t.Errorf("20 subjects of whom something is held were read %d times", n)
	}
}

// TestWhatAnotherGatewayShowedIsFoundAtTheCommit: two memories share a store. The second has by heart that nothing is held, and meets
// what the first wrote at its commit: about a subject, about a task and whom it is about, in one piece or as links.
func TestWhatAnotherGatewayShowedIsFoundAtTheCommit(t *testing.T) {
	for name, c := range map[string]struct {
		first, second []piece
		want          []flow.Treatment
	}{
		"of a subject":                    {[]piece{born("1")}, []piece{sex("1")}, []flow.Treatment{masked}},
		"of somebody unknown, then known": {[]piece{born("")}, []piece{sex("1")}, []flow.Treatment{masked}},
		"of somebody known, then unknown": {[]piece{born("1")}, []piece{sex("")}, []flow.Treatment{masked}},
		"of somebody unknown both times":  {[]piece{born("")}, []piece{sex("")}, []flow.Treatment{masked}},
		"of another":                      {[]piece{born("2")}, []piece{sex("1")}, nil},
	} {
		alone := open(t, &exposure.Settings{})
		task := exposure.To{Domain: "insurer", Agent: "a", Task: "t"}
		alone.send(task, c.first...)
		expected := alone.send(task, c.second...) // by one memory that saw both

		h := open(t, &exposure.Settings{})
		other := *h
		other.reopen()
		h.send(task, c.first...)
		m, err := other.begin(task, c.second...)
		if err != nil {
			t.Fatal(err)
		}
		err = m.commit()
		conflict := errors.Is(err, vault.ErrConflict)
		if err != nil && !conflict {
			t.Fatal(err)
		}
		if !conflict && c.want != nil {
			t.Errorf("%s: the commit of what was decided without knowing says %v", name, err)
		}
		if conflict { // of another: they share the task
			want(t, name, other.send(task, c.second...), expected...)
		}
		if c.want != nil {
			want(t, name+", by one memory", expected, c.want...)
		}
	}
}
