package deidentify_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

// must returns the technique that a constructor made.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var made = must[deidentify.Technique]

// apply returns what becomes of a text, "null", or the error's text.
func apply(t deidentify.Technique, kind deidentify.Kind, text string, subject ...string) string {
	var s []byte
	if len(subject) > 0 {
		s = []byte(subject[0])
	}
	out, k, err := t.Apply([]byte("<"), deidentify.Value{Kind: kind, Text: []byte(text)}, s)
	switch {
	case err != nil && (k != deidentify.Null || string(out) != "<"):
		return "an error with a value"
	case err != nil:
		return err.Error()
	case k == deidentify.Null && string(out) == "<":
		return "null"
	case k == deidentify.Null || !strings.HasPrefix(string(out), "<"):
		return "a null with a value"
	}
	return string(out[1:])
}

// TestTechniqueIsTheLevel: a technique does to a value what a message's level with the same parameter does, or errs where that masks.
func TestTechniqueIsTheLevel(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, kind := range slices.Sorted(maps.Keys(paramsOf)) { // the numbers drawn are the same each time
		params := paramsOf[kind]
		c := class(t, labelOf[kind])
		for _, p := range params {
			var tech deidentify.Technique
			of, n := p.Split()
			whole := fmt.Sprint(n)
			switch of {
			case "bucket":
				tech = made(t)(deidentify.Bucket(deidentify.BucketOptions{Class: c, Width: whole, Lower: true}))
			case "round":
				tech = made(t)(deidentify.Round(c, whole))
			case "top":
				if c.Label.Within("person/age") {
					n = min(n, 90)
				}
				tech = made(t)(deidentify.TopBottom(deidentify.TopBottomOptions{Top: fmt.Sprint(n)}))
			case "prefix":
				tech = made(t)(deidentify.Prefix(c, int(n)))
			case "net":
				tech = made(t)(deidentify.Network(int(n)))
			case "day", "month", "quarter", "year", "decade":
				tech = made(t)(deidentify.ShortenDate(p))
			case "up":
				if kind != flow.Text {
					continue
				}
				tech = made(t)(deidentify.Generalize(cities(t), c.Label, int(n)))
			default:
				continue
			}
			treatment := flow.Treatment{Level: flow.Generalized, Param: p}
			if of != "top" && !tech.Says().Within(c, treatment) {
				t.Errorf("%s says that it is not within %s", tech.Says().Name, treatment)
			}
			masked, same := 0, 0
			for range 1500 {
				v := population(kind, r)
				want, err := deidentify.Apply(c, treatment, v, cities(t))
				if err != nil {
					t.Fatal(err)
				}
				out, k, err := tech.Apply(nil, deidentify.Value{Kind: v.Kind, Text: []byte(v.Text)}, nil)
				if err != nil {
					mask, _ := deidentify.Apply(c, flow.Treatment{Level: flow.Masked}, v, deidentify.Hierarchies{})
					if want != mask {
						t.Fatalf("%s of %q errs (%v), but the level makes it %q", p, v.Text, err, want.Text)
					}
					masked++
					continue
				}
				if k != want.Kind || string(out) != want.Text {
					t.Fatalf("%s of %q is %q, but the level makes it %q", p, v.Text, out, want.Text)
				}
				same++
			}
			if same == 0 {
				t.Errorf("%s: nothing compared, %d masked", p, masked)
			}
		}
	}
}

func TestTechniques(t *testing.T) {
	amount := class(t, "finance/amount")
	const s, n = deidentify.String, deidentify.Number
	for _, c := range []struct {
		name      string
		technique deidentify.Technique
		kind      deidentify.Kind
		in, want  string
	}{
		{"drop", deidentify.Drop(), s, "x", "null"},
		{"keep", deidentify.Keep(), n, "1e3", "1e3"},
		{"constant", made(t)(deidentify.Constant(deidentify.Value{Kind: n, Text: []byte("0")})), s, "x", "0"},
		{"constant of null", made(t)(deidentify.Constant(deidentify.Value{Kind: n, Text: []byte("0")})), deidentify.Null, "", "0"},
		{"placeholder", deidentify.TypedPlaceholder(class(t, "person/contact/email")), s, "jane@x.org", "[email]"},
		{"placeholder of null", deidentify.TypedPlaceholder(class(t, "person/contact/email")), deidentify.Null, "", "null"},
		{"mask", made(t)(deidentify.Mask(class(t, "finance/card"), 4)), s, "4111 1111 1111 1234", "***1234"},
		{"mask of a short one", made(t)(deidentify.Mask(class(t, "finance/card"), 4)), s, "12", "[card]"},
		{"ranges", made(t)(deidentify.Bucket(deidentify.BucketOptions{Width: "10"})), s, "34", "[30,40)"},
		{"ranges of numbers", made(t)(deidentify.Bucket(deidentify.BucketOptions{Width: "10"})), n, "-1", "[-10,0)"},
		{"ranges of ages", made(t)(deidentify.Bucket(deidentify.BucketOptions{Class: class(t, "person/age"), Width: "10"})), n, "103", "[90,100)"},
		{"fine ranges", made(t)(deidentify.Bucket(deidentify.BucketOptions{Width: "0.25"})), n, "1.3", "[1.25,1.50)"},
		{"fine ranges below zero", made(t)(deidentify.Bucket(deidentify.BucketOptions{Width: "0.25"})), n, "-0.01", "[-0.25,0.00)"},
		{"ranges of big numbers", made(t)(deidentify.Bucket(deidentify.BucketOptions{Width: "0.5"})), n, "123456789012345678901.7", "[123456789012345678901.5,123456789012345678902.0)"},
		{"ranges of words", made(t)(deidentify.Bucket(deidentify.BucketOptions{Width: "10"})), s, "old", deidentify.ErrForm.Error()},
		{"edges", made(t)(deidentify.Bucket(deidentify.BucketOptions{Edges: []string{"18", "65"}})), n, "17.99", "<18"},
		{"edges, on one", made(t)(deidentify.Bucket(deidentify.BucketOptions{Edges: []string{"18", "65"}})), n, "18", "[18,65)"},
		{"edges, last", made(t)(deidentify.Bucket(deidentify.BucketOptions{Edges: []string{"18", "65"}, Names: []string{"minor", "adult", "senior"}})), s, "65.0", "senior"},
		{"round", made(t)(deidentify.Round(amount, "0.5")), n, "1.25", "1.5"},
		{"round below zero", made(t)(deidentify.Round(amount, "0.5")), n, "-1.25", "-1.5"},
		{"top", made(t)(deidentify.TopBottom(deidentify.TopBottomOptions{Bottom: "18", Top: "89", TopName: "90 or more"})), n, "104", "90 or more"},
		{"top, on it", made(t)(deidentify.TopBottom(deidentify.TopBottomOptions{Bottom: "18", Top: "89", TopName: "90 or more"})), n, "89", "89"},
		{"bottom", made(t)(deidentify.TopBottom(deidentify.TopBottomOptions{Bottom: "18", Top: "89", TopName: "90 or more"})), n, "3", "18"},
		{"bottom with a unit", made(t)(deidentify.TopBottom(deidentify.TopBottomOptions{Bottom: "18"})), s, "3 kg", "18 kg"},
		{"uncovered", made(t)(deidentify.Generalize(cities(t), "location/city", 1)), s, "Atlantis", deidentify.ErrUncovered.Error()},
	} {
		if got := apply(c.technique, c.kind, c.in); got != c.want {
			t.Errorf("%s: %q becomes %q, want %q", c.name, c.in, got, c.want)
		}
	}
}

// TestOptionsAreChecked: what makes no sense is refused when the technique is made, and not for each value.
func TestOptionsAreChecked(t *testing.T) {
	first := func(_ deidentify.Technique, err error) error { return err }
	for name, err := range map[string]error{
		"constant null":        first(deidentify.Constant(deidentify.Value{})),
		"keep 5":               first(deidentify.Mask(flow.Class{}, 5)),
		"no width":             first(deidentify.Bucket(deidentify.BucketOptions{})),
		"width 0":              first(deidentify.Bucket(deidentify.BucketOptions{Width: "0"})),
		"width and edges":      first(deidentify.Bucket(deidentify.BucketOptions{Width: "1", Edges: []string{"1"}})),
		"edges that fall":      first(deidentify.Bucket(deidentify.BucketOptions{Edges: []string{"2", "1"}})),
		"edges that are words": first(deidentify.Bucket(deidentify.BucketOptions{Edges: []string{"two"}})),
		"too few names":        first(deidentify.Bucket(deidentify.BucketOptions{Edges: []string{"2"}, Names: []string{"a"}})),
		"no ends":              first(deidentify.TopBottom(deidentify.TopBottomOptions{})),
		"ends that cross":      first(deidentify.TopBottom(deidentify.TopBottomOptions{Bottom: "2", Top: "1"})),
		"century":              first(deidentify.ShortenDate("century")),
		"prefix of a name":     first(deidentify.Prefix(flow.Class{}, 3)),
		"network of 33":        first(deidentify.Network(33)),
		"no hierarchy":         first(deidentify.Generalize(deidentify.Hierarchies{}, "location/city", 1)),
		"shift of 0":           first(deidentify.ShiftDate(nil, 0)),
		"short salt":           first(deidentify.SaltedHash(deidentify.SaltedHashOptions{Class: flow.Class{Bits: 128}, Salt: make([]byte, 15)})),
		"noise without scale":  first(deidentify.Noise(deidentify.NoiseOptions{})),
		"noise beyond bounds":  first(deidentify.Noise(deidentify.NoiseOptions{Scale: 1, Least: "3", Most: "2"})),
	} {
		if !errors.Is(err, deidentify.ErrOptions) {
			t.Errorf("%s: error = %v, want ErrOptions", name, err)
		}
	}
}
