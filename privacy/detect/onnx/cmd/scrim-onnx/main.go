// Command scrim-onnx is scrim that can also run a model of the user's: see detection.onnx in its configuration.
package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/cli"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/privacy/detect/onnx"
)

func main() {
	m := models{opened: map[string]*onnx.Detector{}}
	os.Exit(cli.MainWith(run.Models{ONNX: m.open}, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// models keeps the model that was opened last, so that a reload that leaves it alone does not read it again.
type models struct {
	mu     sync.Mutex // guards opened
	opened map[string]*onnx.Detector
}

func (m *models) open(o *config.ONNXDetector, tax *flow.Taxonomy) (detect.Detector, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := fmt.Sprint(o.Model, o.Types, o.MinScore, tax.All())
	if d := m.opened[key]; d != nil {
		return d, nil
	}
	d, err := onnx.Open(o.Model, onnx.Options{Types: o.Types, MinScore: float64(o.MinScore), Taxonomy: tax})
	if err != nil {
		return nil, err
	}
	m.opened = map[string]*onnx.Detector{key: d}
	return d, nil
}
