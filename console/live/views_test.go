package live

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/observe/activity"
)

// Somebody has as many live pages as one may have, in all their sessions together; another's are not touched by that, and a place is free again when a page is closed.
func TestNobodyTakesAllPlaces(t *testing.T) {
	ring := activity.NewRing(activity.RingOptions{})
	p := &pages{Options: Options{Ring: ring}}
	watch := func(ctx context.Context, who string) int {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/live/events", nil).WithContext(ctx)
		p.events(w, &page.Request{Request: r, Who: page.Who{Name: who, Session: rand.Text()}})
		return w.Code
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int, mostViews)
	for range mostViews {
		go func() { ended <- watch(ctx, "ann") }()
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		p.views.mu.Lock()
		n := p.views.open["ann"]
		p.views.mu.Unlock()
		if n == mostViews {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d pages are open, want %d", n, mostViews)
		}
	}
	if code := watch(t.Context(), "ann"); code != http.StatusTooManyRequests {
		t.Errorf("one page too many = %d, want 429", code)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if code := watch(gone, "ben"); code != http.StatusOK {
		t.Errorf("another's = %d, want 200", code)
	}
	cancel()
	for range mostViews {
		<-ended
	}
	if code := watch(gone, "ann"); code != http.StatusOK || len(p.views.open) != 0 {
		t.Errorf("after all were closed = %d, %d people counted; want 200, none", code, len(p.views.open))
	}
}
