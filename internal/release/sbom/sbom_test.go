package sbom

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write testdata/bill.cdx.json")

func sample(t *testing.T) *debug.BuildInfo {
	t.Helper()
	text, err := os.ReadFile("testdata/buildinfo")
	if err != nil {
		t.Fatal(err)
	}
	info, err := debug.ParseBuildInfo(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func whole() Options {
	return Options{SHA256: fmt.Sprintf("%064x", 77), Embedded: []Package{{"npm", "uplot", "1.6.32"}, {"npm", "htmx.org", "4.0.1"}}}
}

func bill(t *testing.T, info *debug.BuildInfo, opts Options) []byte {
	t.Helper()
	out, err := CycloneDX(info, opts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// valid holds a bill to the schema that CycloneDX publishes.
func valid(t *testing.T, raw []byte) error {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	const base = "http://cyclonedx.org/schema/"
	for _, name := range []string{"bom-1.6", "jsf-0.82", "spdx"} {
		f, err := os.Open(filepath.Join("testdata/cyclonedx", name+".SNAPSHOT.schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource(base+name+".SNAPSHOT.schema.json", doc); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := compiler.Compile(base + "bom-1.6.SNAPSHOT.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(value)
}

func TestBillIsWhatItWas(t *testing.T) {
	got := bill(t, sample(t), whole())
	const golden = "testdata/bill.cdx.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the bill differs from %s:\n%s", golden, got)
	}
}

func TestBillFollowsTheSchema(t *testing.T) {
	raw := bill(t, sample(t), whole())
	if err := valid(t, raw); err != nil {
		t.Error(err)
	}
	for _, wrong := range [][2]string{{`"application"`, `"programme"`}, {`"SHA-256"`, `"SHA-257"`}, {`"bom-ref"`, `"ref"`}, {`2026-11-05T09:30:00Z`, `yesterday`}} {
		if valid(t, bytes.Replace(raw, []byte(wrong[0]), []byte(wrong[1]), 1)) == nil {
			t.Errorf("a bill with %s in place of %s is valid, want an error", wrong[1], wrong[0])
		}
	}
}

// The order in which things are named, the clock and the zone change nothing.
func TestBillDependsOnTheBuildAlone(t *testing.T) {
	want := bill(t, sample(t), whole())
	info, opts := sample(t), whole()
	slices.Reverse(info.Deps)
	slices.Reverse(opts.Embedded)
	opts.Time = time.Date(2026, 11, 5, 10, 30, 0, 0, time.FixedZone("", 3600))
	if got := bill(t, info, opts); !bytes.Equal(got, want) {
		t.Errorf("another order gives another bill:\n%s", got)
	}
}

func TestWhatCannotBeBuiltAgainHasNoBill(t *testing.T) {
	info := sample(t)
	info.Deps[0].Replace = &debug.Module{Path: "../age"}
	if out, err := CycloneDX(info, Options{}); !errors.Is(err, ErrLocal) || out != nil {
		t.Errorf("CycloneDX() of a local module: error = %v, want ErrLocal", err)
	}
	info = sample(t)
	info.Settings = nil
	if out, err := CycloneDX(info, Options{}); !errors.Is(err, ErrNoTime) || out != nil {
		t.Errorf("CycloneDX() without a commit: error = %v, want ErrNoTime", err)
	}
}
