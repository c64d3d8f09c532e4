package audit

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// marshalEvent returns what [json.Marshal] does, sooner.
func marshalEvent(ev *flow.Event) ([]byte, error) {
	e := eventEncoder{b: make([]byte, 0, 1024)}
	if e.event(ev); e.unsure {
		return json.Marshal(ev)
	}
	return e.b, nil
}

// eventEncoder appends an event whose strings need no escapes; of any other it is unsure.
type eventEncoder struct {
	b      []byte
	unsure bool
}

func (e *eventEncoder) event(ev *flow.Event) {
	if y := ev.Time.Year(); y < 0 || y > 9999 || ev.Time.Location() != time.UTC {
		e.unsure = true
		return
	}
	e.b = append(e.b, `{"time":"`...)
	e.b = ev.Time.AppendFormat(e.b, time.RFC3339Nano)
	e.b = append(e.b, `","flow":`...)
	e.flow(&ev.Flow)
	e.string(`,"outcome":`, string(ev.Outcome))
	e.optional(`,"reason":`, ev.Reason)
	e.levels(`,"levels":`, ev.Levels)
	list(e, `,"policies":`, ev.Policies)
	e.optional(`,"policy_hash":`, ev.PolicyHash)
	e.optional(`,"config_hash":`, ev.ConfigHash)
	if ev.Cost != (flow.Cost{}) || ev.Table != nil || ev.Question != nil || ev.Rules != nil {
		e.unsure = true // all are rare
	}
	e.count(`,"bytes":`, int64(ev.Bytes))
	e.count(`,"segment":`, int64(ev.Segment))
	e.count(`,"took_ns":`, int64(ev.Took))
	e.levels(`,"shadow":`, ev.Shadow)
	e.count(`,"subjects":`, int64(ev.Subjects))
	e.count(`,"no_subject":`, int64(ev.NoSubject))
	list(e, `,"contracts":`, ev.Contracts)
	e.b = append(e.b, '}')
}

func (e *eventEncoder) flow(f *flow.Flow) {
	e.string(`{"id":`, string(f.ID))
	e.optional(`,"parent":`, string(f.Parent))
	e.number(`,"hop":`, int64(f.Hop))
	e.party(`,"from":`, &f.From)
	e.party(`,"to":`, &f.To)
	for i := range f.Chain {
		before := ","
		if i == 0 {
			before = `,"chain":[`
		}
		e.party(before, &f.Chain[i])
	}
	if len(f.Chain) > 0 {
		e.b = append(e.b, ']')
	}
	e.string(`,"purpose":`, string(f.Purpose))
	e.b = append(e.b, `,"task":{`...)
	if f.Task.ID != "" {
		e.string(`"id":`, string(f.Task.ID))
		e.b = append(e.b, ',')
	}
	e.string(`"criticality":`, f.Task.Criticality.String())
	e.string(`},"protocol":`, f.Protocol)
	e.optional(`,"method":`, f.Method)
	e.optional(`,"subject":`, f.Subject)
	e.string(`,"direction":`, f.Direction.String())
	e.optional(`,"trace":`, string(f.Trace))
	if c := f.Capability; c != nil {
		e.string(`,"capability":{"issuer":`, string(c.Issuer))
		list(e, `,"tokens":`, c.Tokens)
		switch {
		case c.Tokens == nil:
			e.b = append(e.b, `,"tokens":null`...)
		case len(c.Tokens) == 0:
			e.b = append(e.b, `,"tokens":[]`...)
		}
		e.b = append(e.b, '}')
	}
	e.b = append(e.b, '}')
}

func (e *eventEncoder) party(name string, p *flow.Party) {
	e.b = append(e.b, name...)
	e.string(`{"agent":`, string(p.Agent))
	e.string(`,"domain":`, string(p.Domain))
	list(e, `,"roles":`, p.Roles)
	if p.Attested {
		e.b = append(e.b, `,"attested":true`...)
	}
	e.b = append(e.b, '}')
}

func (e *eventEncoder) levels(name string, all []flow.LevelCount) {
	for i := range all {
		l := &all[i]
		if i == 0 {
			e.b = append(append(e.b, name...), '[')
		} else {
			e.b = append(e.b, ',')
		}
		e.string(`{"label":`, string(l.Label))
		e.string(`,"level":`, l.Level.String())
		e.optional(`,"param":`, string(l.Param))
		e.string(`,"by":`, l.By.String())
		e.number(`,"count":`, int64(l.Count))
		e.b = append(e.b, '}')
	}
	if len(all) > 0 {
		e.b = append(e.b, ']')
	}
}

func list[T ~string](e *eventEncoder, name string, all []T) {
	for i, s := range all {
		if i == 0 {
			e.b = append(append(e.b, name...), '[')
		} else {
			e.b = append(e.b, ',')
		}
		e.string("", string(s))
	}
	if len(all) > 0 {
		e.b = append(e.b, ']')
	}
}

func (e *eventEncoder) optional(name, s string) {
	if s != "" {
		e.string(name, s)
	}
}

func (e *eventEncoder) string(name, s string) {
	e.b = append(append(e.b, name...), '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			e.unsure = true
			return
		}
	}
	e.b = append(append(e.b, s...), '"')
}

func (e *eventEncoder) count(name string, n int64) {
	if n != 0 {
		e.number(name, n)
	}
}

func (e *eventEncoder) number(name string, n int64) {
	e.b = strconv.AppendInt(append(e.b, name...), n, 10)
}
