package config

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Stream is a running count or sum of a dataset, which is released step by step (docs/spec/dp-streams.md).
type Stream struct {
	SQL     string        `yaml:"sql" doc:"One COUNT or SUM over the dataset's tables, by groups of declared values if by any. What is released after each step is this, over the rows whose time lies in the steps so far." required:"true"`
	From    time.Time     `yaml:"from" doc:"When the first step begins (RFC 3339)." required:"true"`
	Every   Duration      `yaml:"every" doc:"How long each step is. Where the dataset's unit has a window, it divides that." required:"true" min:"1s"`
	Horizon int           `yaml:"horizon" doc:"How many steps are paid for before the first one. Of a dataset with blocks of time, leave it out: each block is paid for when it begins." min:"0" max:"16777216"`
	Epochs  int           `yaml:"epochs" doc:"How often there may be more: each epoch has twice the steps of the one before, and is paid for before its first step. 1: the stream ends with its horizon." default:"1" min:"1" max:"24"`
	Epsilon Exact         `yaml:"epsilon" doc:"What one epoch costs at delta, ε at most."`
	Delta   Exact         `yaml:"delta" doc:"The δ at which an epoch is counted in (ε, δ). Absent: a thousandth of the dataset's."`
	Rho     Exact         `yaml:"rho" doc:"What one epoch costs in zCDP, in place of epsilon."`
	Method  RunningMethod `yaml:"method" doc:"How the noise of the steps is correlated. square-root: least error. tree: little state, for long streams." default:"square-root" enum:"square-root tree"`
	Band    int           `yaml:"band" doc:"Of square-root: coefficients that are kept. Absent: those of least error, up to 1024." min:"0" max:"1048576"`
	Rows    int           `yaml:"rows" doc:"Rows of a unit that count in one group of one step. Absent: the dataset's." min:"0" max:"1000000"`
	Groups  int           `yaml:"groups" doc:"Groups that a unit counts in, in one step. Absent: the dataset's." min:"0" max:"1000000"`
	Grace   Duration      `yaml:"grace" doc:"How long a step waits after its end for rows that come late. Those that come later are in no step." min:"0s" max:"31d"`
	Keep    int           `yaml:"keep" doc:"How many steps can be read." default:"10000" min:"1" max:"1000000"`
}

// RunningMethod is how noise is correlated.
type RunningMethod string

// The methods.
const (
	SquareRootMethod RunningMethod = "square-root"
	TreeMethod       RunningMethod = "tree"
)

// MostStreams is how many streams one configuration has at most: each asks its source at each step.
const MostStreams = 256

// streams checks what configuration says of the streams of a dataset. What its SQL means is found out when the gateway starts.
func (v *validator) streams(name string, d *Dataset) {
	if len(d.Streams) > MostStreams {
		v.wrong("datasets/"+name+"/streams", "", "there are more than %d", MostStreams)
	}
	all, ok := v.c.Datasets[name].Delta.In(FemtoPlaces)
	for _, stream := range slices.Sorted(maps.Keys(d.Streams)) {
		s, at := d.Streams[stream], fmt.Sprintf("datasets/%s/streams/%s", name, stream)
		if !d.Asked() {
			v.wrong(at, "say under source where its tables lie", "the dataset has no source to count in")
		}
		if s.Epsilon.Given() == s.Rho.Given() {
			v.wrong(at, "", "either epsilon or rho is expected")
		}
		for _, n := range []struct {
			key string
			x   Exact
		}{{"epsilon", s.Epsilon}, {"rho", s.Rho}} {
			if nano, whole := n.x.In(NanoPlaces); n.x.Given() && (!whole || nano == 0 || nano > MaxEpsilon*1e9) {
				v.wrong(at+"/"+n.key, "", "it must be over 0, at most %d, and a multiple of 10⁻⁹", int64(MaxEpsilon))
			}
		}
		if delta := v.femto(at+"/delta", s.Delta); ok && delta > all {
			v.wrong(at+"/delta", "", "the dataset's δ is smaller")
		}
		if ok && all == 0 {
			v.wrong(at, "give the dataset a delta", "the noise of a stream is Gaussian, and a budget without δ has no room for it")
		}
		if (s.Horizon == 0) != (d.Blocks.By == BlocksByTime) {
			v.wrong(at+"/horizon", "", "it says how many steps are paid for at first, unless the dataset has blocks of time")
		}
		if s.Band > 0 && s.Method == TreeMethod {
			v.wrong(at+"/band", "leave it out", "a tree has no band")
		}
		if w := d.Unit.Window; w > 0 && w%max(s.Every, 1) != 0 {
			v.wrong(at+"/every", "", "it must divide the window of the dataset's unit, so that a step holds each unit once")
		}
	}
}
