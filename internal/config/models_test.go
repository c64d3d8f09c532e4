package config_test

import (
	"strings"
	"testing"

	"github.com/scrimhq/scrim/internal/config"
)

func TestFurtherDetectorsAreChecked(t *testing.T) {
	parse := func(section string) (*config.Config, error) {
		return config.Parse("scrim.yaml", []byte("version: 1\ndomain: own\ndetection:\n"+section), "")
	}
	for section, want := range map[string]string{
		"  remote: {url: \"http://ner.example:3000\"}":                                 "texts would travel unencrypted",
		"  remote: {url: \"https://ner.example\", on_error: pass}":                     "one of refuse, drop",
		"  remote: {url: \"https://ner.example\", types: {PERSON: person/zodiac}}":     "not a class that a finding can have",
		"  remote: {url: \"https://ner.example\", types: {PERSON: public}}":            "not a class that a finding can have",
		"  remote: {url: \"https://ner.example\", min_score: 2}":                       "from 0 to 1",
		"  remote: {url: \"https://ner.example\", credential: {env: \"secret word\"}}": "the name of an environment variable",
		"  remote: {url: \"https://ner.example\", streams: pass}":                      "one of hold, built-in",
		"  remote: {url: \"https://ner.example\", timeout: 2h}":                        "60s",
		"  remote: {}":          "url",
		"  onnx: {timeout: 1s}": "model",
		"  onnx: {model: ./m, types: {PER: text/free}, on_error: drop}": "not a class that a finding can have",
	} {
		if _, err := parse(section + "\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a mistake about %q", section, err, want)
		}
	}
	c, err := parse("  remote: {url: \"http://127.0.0.1:3000\", kind: presidio, types: {PERSON: person/name, ORG: none}, min_score: 0.5}\n  onnx: {model: ./m}\n")
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Detection.Remote; r.OnError != "refuse" || r.Streams != "hold" || r.MinScore != 0.5 {
		t.Errorf("remote is %+v, want it to fail closed by default", r)
	}
	if o := c.ONNXModel(); o.OnError != "refuse" || o.Streams != "hold" {
		t.Errorf("onnx is %+v, want it to fail closed by default", o)
	}
}
