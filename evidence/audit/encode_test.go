package audit

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// fill sets every field that it may, each to something else; those named in except stay zero.
func fill(v reflect.Value, at string, n *int, except string) {
	if at == except {
		return
	}
	*n++
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1_800_000_000, int64(*n)*1_000).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), at+"."+v.Type().Field(i).Name, n, except)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), at+"*", n, except)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), fmt.Sprint(at, "[", i, "]"), n, except)
		}
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Uint8:
		v.SetUint(uint64(1 + *n%3))
	default:
		v.SetInt(int64(*n))
	}
}

// fields lists the places of an event, as fill calls them.
func fields(v reflect.Type, at string) (all []string) {
	switch {
	case v.Kind() == reflect.Struct && v != reflect.TypeFor[time.Time]():
		for i := range v.NumField() {
			all = append(all, fields(v.Field(i).Type, at+"."+v.Field(i).Name)...)
		}
	case v.Kind() == reflect.Pointer:
		all = fields(v.Elem(), at+"*")
	case v.Kind() == reflect.Slice:
		all = append(fields(v.Elem(), at+"[0]"), fields(v.Elem(), at+"[1]")...)
	}
	return append(all, at)
}

// The journal has one form whoever writes it: what is hashed and what other programs read is that of encoding/json.
func TestEventsHaveTheFormOfEncodingJSON(t *testing.T) {
	places := append(fields(reflect.TypeFor[flow.Event](), ""), "nothing")
	for _, except := range places {
		var ev flow.Event
		fill(reflect.ValueOf(&ev).Elem(), "", new(int), except)
		same(t, except, ev, false)
		ev.Cost, ev.Table, ev.Question, ev.Rules = flow.Cost{}, nil, nil, nil // an event with one of them is left to encoding/json
		same(t, except+" and no cost, table, question or rules", ev, true)
	}
	if len(places) < 50 {
		t.Errorf("an event has only %d places", len(places))
	}
	for _, odd := range []string{`"`, `\`, "<", ">", "&", "\n", "\x00", "\x7f", "ü", "\u2028", "\xff"} {
		for _, ev := range []flow.Event{{Reason: odd}, {Flow: flow.Flow{Subject: "a" + odd + "b"}}, {Policies: []flow.PolicyID{flow.PolicyID(odd)}}} {
			ev.Time = time.Unix(0, 0).UTC()
			same(t, fmt.Sprintf("%q", odd), ev, false)
		}
	}
	for _, at := range []time.Time{{}, time.Unix(1, 0).In(time.FixedZone("", 3600)), time.Date(1999, 1, 2, 3, 4, 5, 120_000_000, time.UTC)} {
		same(t, at.String(), flow.Event{Time: at}, false)
	}
	same(t, "empty lists", flow.Event{Time: time.Unix(0, 0).UTC(), Policies: []flow.PolicyID{}, Levels: []flow.LevelCount{}}, true)
}

// same compares the two forms; sure says that the event is not one that is left to encoding/json.
func same(t *testing.T, name string, ev flow.Event, sure bool) {
	t.Helper()
	want, err := json.Marshal(ev)
	if err != nil {
		t.Fatal(err)
	}
	got, err := marshalEvent(&ev)
	if err != nil || string(got) != string(want) {
		t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, want)
	}
	if e := (eventEncoder{}); sure {
		if e.event(&ev); e.unsure {
			t.Errorf("%s: left to encoding/json", name)
		}
	}
}
