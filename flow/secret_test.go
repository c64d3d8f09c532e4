package flow_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
)

func TestSecretNeverPrints(t *testing.T) {
	const text = "hunter2-canary"
	s := flow.NewSecret(text)
	nested := struct {
		Name   string
		Secret flow.Secret
		At     *flow.Secret
		Map    map[string]flow.Secret
		hidden flow.Secret
	}{"door", s, &s, map[string]flow.Secret{"key": s}, s}
	var out []string
	for _, verb := range "vsqxXdoObBeEfFgGtTcUpw" {
		for _, flags := range []string{"", "+", "#", "-40", "040", " ", "+.3"} {
			format := "%" + flags + string(verb)
			out = append(out, fmt.Sprintf(format, s), fmt.Sprintf(format, &s), fmt.Sprintf(format, nested), fmt.Sprintf(format, []flow.Secret{s}), fmt.Sprintf(format, []any{s, &s}))
		}
	}
	out = append(out, fmt.Sprint(s, nested), fmt.Sprintln(&s), fmt.Errorf("opening %v: %s", s, &s).Error())
	for _, v := range []any{s, &s, nested, map[string]any{"x": s}} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
	x, err := xml.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	out = append(out, string(x))
	var log bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(h).Info("opened", "secret", s, "pointer", &s, "nested", nested, "group", slog.GroupValue(slog.Any("inner", s)), "list", []flow.Secret{s})
	}
	out = append(out, log.String())
	for _, o := range out {
		for _, form := range []string{text, "canary", fmt.Sprintf("%x", text), fmt.Sprintf("%X", text), fmt.Sprintf("%v", []byte(text))} {
			if strings.Contains(o, form) {
				t.Errorf("a secret shows in %q", o)
			}
		}
	}
	if s.Expose() != text {
		t.Errorf("Expose() does not return the text")
	}
}

func TestSecretEqual(t *testing.T) {
	s := flow.NewSecret("one")
	if !s.Equal("one") || s.Equal("One") || s.Equal("") || s.Equal("one ") {
		t.Error("Equal does not compare the text")
	}
	if (flow.Secret{}).IsZero() != true || s.IsZero() {
		t.Error("IsZero does not tell an empty secret from another")
	}
	var read flow.Secret
	if err := json.Unmarshal([]byte(`"two"`), &read); err != nil || !read.Equal("two") {
		t.Errorf("a secret read from configuration is not its text (error %v)", err)
	}
}

func Example() {
	tax := flow.DefaultTaxonomy()
	birth, _ := tax.Class("person/birth-date")

	permitted := birth.Resolve(flow.Treatment{Level: flow.Generalized, Param: "month"})
	needed := birth.Resolve(flow.Treatment{Level: flow.Generalized}) // the label's default
	shown := birth.Family.Meet(permitted, needed)

	fmt.Println(shown)
	fmt.Println(flow.TierCap(birth.Tier, flow.Low, birth.Family))
	fmt.Println(tax.Stricter(flow.FreeText, "person/contact/email"))
	// Output:
	// generalized(year)
	// masked
	// person/contact/email
}
