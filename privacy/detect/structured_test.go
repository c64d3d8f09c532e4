package detect

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/json"
)

func TestFindJSONFindsInTheSource(t *testing.T) {
	e := engine(t)
	for _, tt := range []struct {
		name, src string
		want      []string
	}{
		{"a string", `{"x": "ask jane@example.org"}`, []string{"person/contact/email=jane@example.org"}},
		{"an escaped string", `{"x": "ask \"\u006aane@example.org\""}`, []string{`person/contact/email=\u006aane@example.org`}},
		{"after a pair of surrogates", `["\ud83d\ude00é\n jane@example.org"]`, []string{"person/contact/email=jane@example.org"}},
		{"a name of a member", `{"jane@example.org": 1}`, []string{"person/contact/email=jane@example.org"}},
		{"what its name says", `{"ssn": "078051120", "patient": {"name": "Li Wei"}}`, []string{"government-id/ssn=078051120", "person/name=Li Wei"}},
		{"a number", `{"ssn": 219099998}`, []string{"government-id/ssn=219099998"}},
		{"a pair", `[{"key": "ssn", "value": "078051120"}]`, []string{"government-id/ssn=078051120"}},
		{"an array", `{"ssn": ["078051120", "219099998"]}`, []string{"government-id/ssn=078051120", "government-id/ssn=219099998"}},
		{"never milder", `{"name": "219-09-9998"}`, []string{"government-id/ssn=219-09-9998"}},
		{"nothing", `{"x": [1, true, null, "the usual"]}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			found, err := e.FindJSON(ctx, []byte(tt.src), json.Limits{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, string(f.Label)+"="+tt.src[f.Start:f.End])
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("FindJSON() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestFindJSONRefusesWhatIsNone(t *testing.T) {
	var at *json.Error
	for _, src := range []string{"", "{", `{"a":1,"a":2}`, strings.Repeat("[", 1<<16)} {
		if found, err := engine(t).FindJSON(ctx, []byte(src), json.Limits{}, nil); !errors.As(err, &at) || found != nil {
			t.Errorf("FindJSON() = %v, %v, want a json.Error", found, err)
		}
	}
}

func TestFindJSONTakesLinearTime(t *testing.T) {
	e := engine(t)
	for name, src := range map[string]string{
		"pairs":   `[` + strings.Repeat(`{"key":"x","value":"y"},`, 1<<14) + `1]`,
		"members": `{"a":{"value":[` + strings.Repeat(`"078051120",`, 1<<15) + `1]}}`,
		"escapes": `["` + strings.Repeat(`\u006a@a.example `, 1<<15) + `"]`,
	} {
		t.Run(name, func(t *testing.T) {
			took := timed(t, func() {
				if _, err := e.FindJSON(ctx, []byte(src), json.Limits{}, nil); err != nil {
					t.Fatal(err)
				}
			})
			if took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func FuzzFindJSON(f *testing.F) {
	for _, s := range []string{`{"x": "ask \"\u006aane@example.org\""}`, `["\ud83d\ude00é\n jane@example.org"]`, `[{"key": "ssn", "value": 78051120}]`, `{"\u0061@example.org":""}`} {
		f.Add([]byte(s))
	}
	e, err := New(Options{FormsOnly: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		found, _ := e.FindJSON(ctx, src, json.Limits{}, nil)
		end := 0
		for _, x := range found {
			if x.Start < end || x.End <= x.Start || x.End > len(src) {
				t.Fatalf("%v is out of place", x)
			}
			end = x.End
		}
	})
}
