package run

import (
	"errors"
	"fmt"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/detect/remote"
)

// Models is what a program can run beside the built-in detector. The zero value is nothing.
type Models struct {
	// ONNX returns the detector of a configured model, whose directory is absolute. It is called again at each reload.
	ONNX func(*config.ONNXDetector, *flow.Taxonomy) (detect.Detector, error)
}

// ErrNoONNX is the error of a configuration with a model in a program that runs none.
var ErrNoONNX = errors.New("detection.onnx: this program was built without ONNX; use scrim-onnx, or take detection.onnx out")

// beside makes the configured detectors that look at whole texts beside the built-in one. A service is left out unless it is to be reached.
func beside(c *config.Config, m Models, reach bool) ([]detect.Beside, error) {
	var out []detect.Beside
	if o := c.ONNXModel(); o != nil {
		if m.ONNX == nil {
			return nil, ErrNoONNX
		}
		d, err := m.ONNX(o, c.Taxonomy())
		if err != nil {
			return nil, fmt.Errorf("detection.onnx: %w", err)
		}
		out = append(out, detect.Beside{
			Name: "onnx", Detector: d, Taxonomy: c.Taxonomy(), Timeout: time.Duration(o.Timeout), Drop: o.OnError == config.DropText, Apart: o.Streams == config.BuiltIn,
		})
	}
	if r := c.Detection.Remote; r != nil && reach {
		d, err := service(c, r)
		if err != nil {
			return nil, fmt.Errorf("detection.remote: %w", err)
		}
		out = append(out, detect.Beside{
			Name: "remote", Detector: d, Taxonomy: c.Taxonomy(), Timeout: time.Duration(r.Timeout), Drop: r.OnError == config.DropText, Apart: r.Streams == config.BuiltIn,
		})
	}
	return out, nil
}

func service(c *config.Config, r *config.RemoteDetector) (*remote.Client, error) {
	opt := remote.Options{
		URL: r.URL, Kind: remote.Kind(r.Kind), Plain: r.Plain, Types: r.Types, MinScore: float64(r.MinScore), Language: r.Language, Taxonomy: c.Taxonomy(),
	}
	var err error
	if opt.CA, err = c.Authorities(r.CAFile); err != nil {
		return nil, err
	}
	if r.Credential != nil {
		opt.Header = r.Credential.Header
		if opt.Credential, err = c.Credential(r.Credential); err != nil {
			return nil, err
		}
	}
	return remote.New(opt)
}
