package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scrimhq/scrim/gateway/freeze"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/observe/alarm"
)

// alarmed is what is being done about alarms.
type alarmed struct {
	posts chan alarm.Alarm

	mu      sync.Mutex // guards the fields below
	freezes []time.Time
}

// mostPosts is how many alarms wait to be posted.
const mostPosts = 64

func (r *Gateway) openAlarms(ctx context.Context) (err error) {
	r.alarmed.posts = make(chan alarm.Alarm, mostPosts)
	r.alarms, err = alarm.Open(ctx, alarm.Options{
		DB: r.DB, Settings: func() alarm.Settings { return alarmSettings(&r.Config().Alarms) }, Raise: r.raise, Fault: r.fault,
	})
	return err
}

// alarmSettings are those of a configuration, in which 0 is no limit.
func alarmSettings(c *config.Alarms) alarm.Settings {
	n := func(n int) int {
		if n == 0 {
			return -1
		}
		return n
	}
	return alarm.Settings{
		Off: c.Off, Times: n(c.Calls.Times), Least: c.Calls.Least,
		Limits: map[alarm.Kind]alarm.Limit{
			alarm.Refusals: {Hour: n(c.Refusals.Hour), Day: n(c.Refusals.Day), Month: n(c.Refusals.Month)},
			alarm.Handles:  {Hour: n(c.Handles.Hour), Day: n(c.Handles.Day), Month: n(c.Handles.Month)},
			alarm.Tokens:   {Hour: n(c.Tokens.Hour), Day: n(c.Tokens.Day), Month: n(c.Tokens.Month)},
			alarm.Labels:   {Hour: n(c.Labels.Hour), Day: n(c.Labels.Day), Month: n(c.Labels.Month)},
		},
	}
}

// raise does what configuration says about an alarm, and says what it did.
func (r *Gateway) raise(ctx context.Context, a alarm.Alarm) string {
	c := &r.Config().Alarms
	r.log.Warn("alarm", "kind", string(a.Kind), "agent", string(a.Agent), "domain", string(a.Domain), "span", a.Span, "seen", a.Seen, "most", a.Most)
	r.metrics.Alarm(string(a.Kind))
	did := []string{"log"}
	for _, what := range c.Does()[string(a.Kind)] {
		switch what {
		case config.DoFreeze:
			did = append(did, r.freezeFor(ctx, c, a))
		case config.DoWebhook:
			a.Done = strings.Join(did, ", ")
			select {
			case r.alarmed.posts <- a:
				did = append(did, "webhook")
			default:
				did = append(did, "webhook: too many wait")
			}
		}
	}
	return strings.Join(did, ", ")
}

// freezeFor freezes the very agent that an alarm accuses, and nobody for what others did: no domain, no agent whose right was handed on,
// none that configuration keeps from it, and no more in an hour than configuration says.
func (r *Gateway) freezeFor(ctx context.Context, c *config.Alarms, a alarm.Alarm) string {
	if !a.Accused || a.Agent == "" {
		return "not frozen: others may have done it"
	}
	root, _, _ := strings.Cut(string(a.Agent), "/")
	for _, never := range c.Never {
		if string(never) == root || never == a.Agent {
			return "not frozen: never"
		}
	}
	t := freeze.Target{Kind: freeze.Agent, Name: string(a.Agent), Domain: a.Domain}
	r.alarmed.mu.Lock()
	defer r.alarmed.mu.Unlock()
	now := time.Now()
	r.alarmed.freezes = slices.DeleteFunc(r.alarmed.freezes, func(at time.Time) bool { return now.Sub(at) >= time.Hour })
	if len(r.alarmed.freezes) >= c.Freezes {
		return "not frozen: too many in an hour"
	}
	e, err := r.Freezes.Freeze(ctx, t, freeze.Alarm, fmt.Sprintf("%s: %d in the %s, more than %d", a.Kind, a.Seen, a.Span, a.Most))
	switch {
	case err != nil:
		r.fault(fmt.Errorf("freezing for an alarm: %w", err))
		return "not frozen: failed"
	case e.Reference == "":
		return "frozen before"
	}
	r.alarmed.freezes = append(r.alarmed.freezes, now)
	r.log.Warn("frozen by an alarm", "target", t.String())
	return "freeze"
}

// postAlarms posts alarms to the webhook, one after the other, until ctx is done.
func (r *Gateway) postAlarms(ctx context.Context) {
	client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-r.alarmed.posts:
			if err := r.postAlarm(ctx, client, a); err != nil && ctx.Err() == nil {
				r.fault(fmt.Errorf("posting an alarm: %w", err))
			}
		}
	}
}

// postTries is how often an alarm is tried to be posted.
const postTries = 3

var errWebhook = errors.New("the webhook did not take it")

func (r *Gateway) postAlarm(ctx context.Context, client *http.Client, a alarm.Alarm) (err error) {
	c := r.Config()
	token, err := c.AlarmToken()
	if err != nil {
		return err
	}
	body, err := json.Marshal(a)
	if err != nil || c.Alarms.Webhook == "" {
		return err
	}
	for try := range postTries {
		if try > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(try) * time.Second):
			}
		}
		req, rerr := http.NewRequestWithContext(ctx, http.MethodPost, c.Alarms.Webhook, bytes.NewReader(body))
		if rerr != nil {
			return errWebhook
		}
		req.Header.Set("Content-Type", "application/json")
		if !token.IsZero() {
			req.Header.Set("Authorization", "Bearer "+token.Expose())
		}
		res, derr := client.Do(req)
		if derr != nil {
			err = errWebhook // what net/http says repeats the address
			continue
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4096))
		_ = res.Body.Close()
		if res.StatusCode/100 == 2 {
			return nil
		}
		err = fmt.Errorf("%w: status %d", errWebhook, res.StatusCode)
	}
	return err
}
