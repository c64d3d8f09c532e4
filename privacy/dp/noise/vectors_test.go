package noise

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// counter is the stream SHA-256(0) ‖ SHA-256(1) ‖ …, each number as 8 bytes big-endian: reproducible in any language.
type counter struct {
	n    uint64
	rest []byte
}

func (c *counter) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		h := sha256.Sum256(binary.BigEndian.AppendUint64(nil, c.n))
		c.n, c.rest = c.n+1, h[:]
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// vector is one row of the file: what is drawn, with which parameters, and what comes when the words are the counter's.
type vector struct {
	Kind   string   `json:"kind"`
	Params []uint64 `json:"params"`
	Scores []int64  `json:"scores,omitempty"`
	Values []int64  `json:"values"`
}

func (v vector) draw() []int64 {
	s := SourceFrom(&counter{})
	ratio := func(i int) Ratio { return Ratio{v.Params[i], v.Params[i+1]} }
	var next func() int64
	switch v.Kind {
	case "discrete_laplace":
		law := must(NewDiscreteLaplace(ratio(0)))
		next = func() int64 { return law.Sample(s) }
	case "discrete_gaussian":
		law := must(NewDiscreteGaussian(ratio(0)))
		next = func() int64 { return law.Sample(s) }
	case "rounded_gaussian":
		law := must(NewRoundedGaussian(ratio(0)))
		next = func() int64 { return law.Sample(s) }
	case "geometric":
		law := must(NewGeometric(ratio(0)))
		next = func() int64 { return law.Sample(s) }
	case "staircase": // ε as a ratio, Δ
		law := must(NewStaircase(ratio(0), int64(v.Params[2])))
		next = func() int64 { return law.Sample(s) }
	case "exponential": // x, y
		e := must(NewExponential(v.Params[0], uint(v.Params[1])))
		next = func() int64 { return int64(must(e.Choose(s, v.Scores))) }
	case "noisy_max":
		m := must(NewNoisyMax(ratio(0)))
		next = func() int64 { return int64(must(m.Choose(s, v.Scores))) }
	case "partitions": // ε in nano, δ in femto, l₀; the scores are the counts
		p := must(NewPartitions(PartitionOptions{int64(v.Params[0]), int64(v.Params[1]), int64(v.Params[2])}))
		i := -1
		next = func() int64 {
			i++
			if p.Keep(s, v.Scores[i%len(v.Scores)]) {
				return 1
			}
			return 0
		}
	}
	values := make([]int64, 40)
	for i := range values {
		values[i] = next()
	}
	return values
}

func TestKnownAnswers(t *testing.T) {
	const path = "testdata/vectors.json"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 15 {
		t.Fatalf("only %d vectors", len(all))
	}
	for i, v := range all {
		got := v.draw()
		if !*update && !slices.Equal(got, v.Values) {
			t.Errorf("%s %v %v:\n got %v\nwant %v", v.Kind, v.Params, v.Scores, got, v.Values)
		}
		all[i].Values = got
	}
	if *update {
		out := []byte("[\n")
		for i, v := range all {
			row, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if i > 0 {
				out = append(out, ",\n"...)
			}
			out = append(append(out, ' '), row...)
		}
		if err := os.WriteFile(path, append(out, "\n]\n"...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
