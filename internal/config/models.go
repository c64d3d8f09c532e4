package config

import (
	"path/filepath"

	"github.com/scrimhq/scrim/flow"
)

// RemoteDetector is a service that finds things in texts.
type RemoteDetector struct {
	URL        string                `yaml:"url" doc:"URL that texts are posted to; for presidio, the one that /analyze is below." required:"true" pattern:"url"`
	Kind       RemoteKind            `yaml:"kind" doc:"What the service speaks: scrim's own form, or that of a Presidio analyzer." default:"scrim" enum:"scrim presidio"`
	Timeout    Duration              `yaml:"timeout" doc:"For all texts of a message." default:"2s" min:"10ms" max:"60s"`
	Credential *Credential           `yaml:"credential" secret:"true" doc:"What the gateway shows the service."`
	CAFile     string                `yaml:"ca_file" doc:"PEM file of the authorities whose certificates are believed of the service, and no others. Absent: those of the system."`
	Plain      bool                  `yaml:"plain" doc:"The service is called over http without TLS though it is on another machine."`
	Types      map[string]flow.Label `yaml:"types" keys:"id" doc:"Classes of data by the service's names of types; none leaves a type out. A type without a class, here or by itself, is unlabelled."`
	MinScore   Score                 `yaml:"min_score" doc:"Findings with a lower score are none, from 0 to 1."`
	Language   string                `yaml:"language" doc:"Language of the texts that presidio is told." default:"en" pattern:"word"`
	OnError    OnError               `yaml:"on_error" doc:"What becomes of texts that the service could not look at: refuse the message, or drop the texts." default:"refuse" enum:"refuse drop"`
	Streams    StreamLook            `yaml:"streams" doc:"Texts that come in pieces: hold them, up to 256 KiB, until the service has seen the whole, or show them as they come to the built-in detector alone." default:"hold" enum:"hold built-in"`
}

// ONNXDetector is a token classification model that scrim-onnx runs.
type ONNXDetector struct {
	Model    string                `yaml:"model" doc:"Directory of the model: an .onnx file, config.json and tokenizer.json." required:"true"`
	Timeout  Duration              `yaml:"timeout" doc:"For all texts of a message." default:"10s" min:"10ms" max:"60s"`
	Types    map[string]flow.Label `yaml:"types" keys:"id" doc:"Classes of data by the model's names of types, such as PER; none leaves a type out. A type without a class is unlabelled."`
	MinScore Score                 `yaml:"min_score" doc:"Findings with a lower score are none, from 0 to 1."`
	OnError  OnError               `yaml:"on_error" doc:"What becomes of texts that the model could not look at: refuse the message, or drop the texts." default:"refuse" enum:"refuse drop"`
	Streams  StreamLook            `yaml:"streams" doc:"Texts that come in pieces: hold them, up to 256 KiB, until the model has seen the whole, or show them as they come to the built-in detector alone." default:"hold" enum:"hold built-in"`
}

// RemoteKind is what a detection service speaks.
type RemoteKind string

// OnError is what becomes of texts that a detector could not look at.
type OnError string

// DropText takes the texts out instead of refusing the message.
const DropText OnError = "drop"

// StreamLook is how texts are looked at that come in pieces.
type StreamLook string

// BuiltIn leaves texts that come in pieces to the built-in detector.
const BuiltIn StreamLook = "built-in"

// models checks the detectors beside the built-in one, once there is a taxonomy.
func (v *validator) models() {
	if r := v.c.Detection.Remote; r != nil {
		const at = "detection/remote"
		if host, plain := urlHost(r.URL); plain && !isLoopback(host) && !r.Plain {
			v.wrong(at+"/url", "use https, or set plain: true where the network between is trusted", "texts would travel unencrypted")
		} else if plain && !isLoopback(host) {
			v.warn(at+"/plain", "use https", "texts travel unencrypted")
		}
		if r.Credential != nil {
			v.credential(r.Credential, r.URL, at+"/credential")
		}
		v.mapped(at, r.Types)
	}
	if o := v.c.Detection.ONNX; o != nil {
		v.mapped("detection/onnx", o.Types)
	}
}

// mapped checks the classes that another detector's types become.
func (v *validator) mapped(at string, types map[string]flow.Label) {
	tax := v.c.loaded.taxonomy
	for name, label := range types {
		switch {
		case label == "none" || tax == nil:
		case label == flow.PublicData || label == flow.FreeText || !tax.Known(label):
			v.wrong(at+"/types/"+name, "a class of the taxonomy, or none", "not a class that a finding can have")
		}
	}
}

// ONNXModel returns what the file says of a model, its directory resolved; nil if nothing.
func (c *Config) ONNXModel() *ONNXDetector {
	if c.Detection.ONNX == nil {
		return nil
	}
	o := *c.Detection.ONNX
	o.Model = filepath.Clean(c.Path(o.Model))
	return &o
}
