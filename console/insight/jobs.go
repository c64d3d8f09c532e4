package insight

import (
	"context"
	"crypto/rand"
	"slices"
	"sync"
	"time"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/observe/report"
)

const (
	mostJobs    = 24
	mostRunning = 2
	keepJobs    = time.Hour
)

// job is a report that is being made, or was. It is kept in memory alone, for an hour.
type job struct {
	id      string
	kind    string
	owner   string // who asked for it
	person  bool   // it is about one person
	from    time.Time
	to      time.Time
	started time.Time
	ended   time.Time
	err     string
	files   *report.Files
	breach  *report.Breach
}

type jobs struct {
	begin func(func(context.Context))
	clock func() time.Time

	mu  sync.Mutex
	all []*job // the newest last
}

func newJobs(begin func(func(context.Context)), clock func() time.Time) *jobs {
	if begin == nil {
		begin = func(f func(context.Context)) { f(context.Background()) }
	}
	return &jobs{begin: begin, clock: clock}
}

// start runs make and keeps what it returns. Too much at once is a mistake of whoever asks.
func (j *jobs) start(one *job, work func(context.Context, *job) error) (string, error) {
	one.id, one.started = rand.Text(), j.clock()
	j.mu.Lock()
	j.sweep()
	running := 0
	for _, o := range j.all {
		if o.ended.IsZero() {
			running++
		}
	}
	if running >= mostRunning || len(j.all) >= mostJobs && running == len(j.all) {
		j.mu.Unlock()
		return "", page.Wrong("other reports are being made; try again when they are done")
	}
	if len(j.all) >= mostJobs {
		i := slices.IndexFunc(j.all, func(o *job) bool { return !o.ended.IsZero() })
		j.all = slices.Delete(j.all, i, i+1)
	}
	j.all = append(j.all, one)
	j.mu.Unlock()
	j.begin(func(ctx context.Context) {
		made := *one
		err := work(ctx, &made)
		j.mu.Lock()
		defer j.mu.Unlock()
		one.files, one.breach, one.ended = made.files, made.breach, j.clock()
		if err != nil {
			one.err = err.Error()
		}
	})
	return one.id, nil
}

func (j *jobs) sweep() {
	old := j.clock().Add(-keepJobs)
	j.all = slices.DeleteFunc(j.all, func(o *job) bool { return !o.ended.IsZero() && o.ended.Before(old) })
}

// may reports whether somebody may see a job: who asked for it, and admins unless it is about a person.
func (o *job) may(w page.Who) bool { return o.owner == owner(w) || w.May(page.Admin) && !o.person }

// owner is somebody in one session: a report is for the browser that asked for it. Whoever comes by the token has no session, and is one owner.
func owner(w page.Who) string { return w.Name + "\n" + w.Session }

// get returns a copy of a job that somebody may see.
func (j *jobs) get(id string, w page.Who) (job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sweep()
	for _, o := range j.all {
		if o.id == id && o.may(w) {
			return *o, nil
		}
	}
	return job{}, page.ErrNotFound
}

func (j *jobs) list(w page.Who) (all []job) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sweep()
	for _, o := range slices.Backward(j.all) {
		if o.may(w) {
			all = append(all, *o)
		}
	}
	return all
}
