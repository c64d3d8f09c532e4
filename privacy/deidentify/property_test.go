package deidentify_test

import (
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
)

// population has, for each kind, values in many forms, wrong ones among them.
func population(kind flow.Kind, r *rand.Rand) deidentify.Scalar {
	pick := func(forms ...string) string { return forms[r.IntN(len(forms))] }
	switch kind {
	case flow.Date:
		t := time.Date(1975+r.IntN(12), time.Month(1+r.IntN(12)), 1+r.IntN(31), r.IntN(24), 0, 0, 0, time.UTC)
		if r.IntN(5) == 0 {
			return num(pick(t.Format("2006"), t.Format("20060102"), fmt.Sprint(800_000_000+t.Unix()), fmt.Sprint(800_000_000_000+t.UnixMilli()), "17", "946684799", "946684800", "946684800000"))
		}
		return str(t.Format(pick(time.RFC3339, "2006-01-02", "2006-01", "2006", "02/01/2006", "01/02/2006", "2.1.2006", "2 January 2006", "Jan 2, 2006",
			"January 2006", "20060102", "2006-Q1", "2006-13-02", "Monday", "1980s")))
	case flow.Number:
		whole := fmt.Sprint(r.IntN(4000) - 2000)
		lit := pick(whole, whole+".5", whole+".25", whole+"e1", whole+"e-2", fmt.Sprint(r.IntN(120)))
		if r.IntN(4) == 0 {
			return str(pick(lit, lit+" mg/dL", "$"+lit, "x"+lit))
		}
		return num(lit)
	case flow.Postal:
		return str(pick(fmt.Sprintf("0%04d", r.IntN(60)), fmt.Sprintf("0%03d", r.IntN(40)), fmt.Sprintf("SW%d 1AA", r.IntN(20)), fmt.Sprintf("02%03d-%04d", r.IntN(40), r.IntN(9)), "02**", "977**", "9**", "977", "Boston"))
	case flow.Code:
		c := fmt.Sprintf("%c%02d.%d", 'A'+r.IntN(3), r.IntN(5), r.IntN(4))
		return str(pick(c, c+"9", c[:3], strings.ToLower(c), c[:2]+"-1", "AB"+c, "XYZ-"+c, "words", "flu"))
	case flow.Network:
		return str(pick(fmt.Sprintf("10.%d.%d.%d", r.IntN(3), r.IntN(3), r.IntN(200)), fmt.Sprintf("10.1.%d.0/24", r.IntN(4)), fmt.Sprintf("10.%d.0.0/16", r.IntN(4)),
			fmt.Sprintf("2001:db8:%x::%x", r.IntN(40), r.IntN(9)), fmt.Sprintf("2001:db8::%x:0:0:1", r.IntN(600)), "host"))
	default:
		return str(pick("Boston", "Cambridge", "Lyon", "Paris", "a@b.cd", "jane.doe@example.org", "jane.dot@example.org", "4111111111111234", "4111111111112234", "Zoë Ó Laighin", ""))
	}
}

var paramsOf = map[flow.Kind][]flow.Param{
	flow.Date:    {"day", "month", "quarter", "year", "decade"},
	flow.Number:  {"bucket:1", "bucket:2", "bucket:5", "bucket:10", "bucket:15", "bucket:20", "bucket:60", "bucket:100", "round:5", "round:100", "top:60", "top:100", "bottom:0", "bottom:20"},
	flow.Postal:  {"prefix:1", "prefix:2", "prefix:3", "prefix:4", "prefix:5", "prefix:16", "up:1"},
	flow.Code:    {"prefix:1", "prefix:2", "prefix:3", "prefix:4", "prefix:16"},
	flow.Network: {"net:8", "net:10", "net:16", "net:20", "net:24", "net:28"},
	flow.Text:    {"up:1", "up:2", "up:16"},
}

var labelOf = map[flow.Kind]flow.Label{
	flow.Date: "person/birth-date", flow.Number: "person/age", flow.Postal: "location/postal",
	flow.Code: "health/diagnosis", flow.Network: "technical/ip", flow.Text: "location/city",
}

// TestCoarserIsAFunctionOfFiner: if one treatment is below another, equal results of the finer have equal results of the coarser.
func TestCoarserIsAFunctionOfFiner(t *testing.T) {
	h := cities(t)
	r := rand.New(rand.NewPCG(1, 2))
	check := func(c flow.Class, kind flow.Kind, all []flow.Treatment) {
		values := make([]deidentify.Scalar, 2000)
		for i := range values {
			values[i] = population(kind, r)
		}
		for _, fine := range all {
			for _, coarse := range all {
				if coarse == fine || c.Family.Reveals(coarse, fine) {
					continue
				}
				seen := map[deidentify.Scalar]deidentify.Scalar{}
				for _, v := range values {
					f, _ := deidentify.Apply(c, fine, v, h)
					g, _ := deidentify.Apply(c, coarse, v, h)
					if old, ok := seen[f]; ok && old != g {
						t.Fatalf("%s: %s gives %q for several values, of which %s makes %q and %q", c.Label, fine, f.Text, coarse, old.Text, g.Text)
					}
					seen[f] = g
				}
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(paramsOf)) { // the numbers drawn are the same each time
		params := paramsOf[kind]
		all := []flow.Treatment{{Level: flow.Masked}, {Level: flow.Raw}}
		for _, p := range params {
			all = append(all, flow.Treatment{Level: flow.Generalized, Param: p})
		}
		check(class(t, labelOf[kind]), kind, all)
	}
	keeps := []flow.Treatment{{Level: flow.Masked}, {Level: flow.Masked, Param: "keep:1"}, {Level: flow.Masked, Param: "keep:2"}, {Level: flow.Masked, Param: "keep:3"}, {Level: flow.Masked, Param: "keep:4"}, {Level: flow.Raw}}
	check(class(t, "finance/card"), flow.Text, keeps)
	check(class(t, "person/contact/email"), flow.Text, keeps)
}

// TestAgainIsTheSame: a date, bucket, prefix or network that was made coarser is not made coarser by doing it again,
// and going by way of a finer step changes nothing. Hierarchies climb, and are not among them.
func TestAgainIsTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, kind := range slices.Sorted(maps.Keys(paramsOf)) { // the numbers drawn are the same each time
		params := paramsOf[kind]
		c := class(t, labelOf[kind])
		if kind == flow.Text {
			continue
		}
		for range 1500 {
			v := population(kind, r)
			for _, p := range params {
				coarse := flow.Treatment{Level: flow.Generalized, Param: p}
				want, _ := deidentify.Apply(c, coarse, v, deidentify.Hierarchies{})
				for _, q := range params {
					fine := flow.Treatment{Level: flow.Generalized, Param: q}
					if c.Family.Reveals(coarse, fine) {
						continue
					}
					via, _ := deidentify.Apply(c, fine, v, deidentify.Hierarchies{})
					if got, _ := deidentify.Apply(c, coarse, via, deidentify.Hierarchies{}); got != want {
						t.Fatalf("%s: %s of %q is %q, by way of %s %q", c.Label, coarse, v.Text, want.Text, fine, got.Text)
					}
				}
			}
		}
	}
}

// TestApplyIsIdempotent: what a gateway made coarser, a second one with the same terms leaves as it is.
func TestApplyIsIdempotent(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	labels := map[flow.Kind][]flow.Label{flow.Number: {"person/age", "finance/amount"}}
	for _, kind := range slices.Sorted(maps.Keys(paramsOf)) { // the numbers drawn are the same each time
		params := paramsOf[kind]
		if kind == flow.Text {
			continue // hierarchies climb
		}
		for _, label := range append(labels[kind], labelOf[kind]) {
			c := class(t, label)
			for range 3000 {
				v := population(kind, r)
				for _, p := range params {
					once, _ := deidentify.Apply(c, flow.Treatment{Level: flow.Generalized, Param: p}, v, deidentify.Hierarchies{})
					twice, _ := deidentify.Apply(c, flow.Treatment{Level: flow.Generalized, Param: p}, once, deidentify.Hierarchies{})
					if twice != once {
						t.Fatalf("%s of %s %q is %q, and of that %q", p, label, v.Text, once.Text, twice.Text)
					}
				}
			}
		}
	}
	for _, c := range []struct{ param, in, want string }{
		{"prefix:3", "97701", "977**"}, {"prefix:3", "977**", "977**"}, {"prefix:2", "977**", "97**"}, {"prefix:5", "977**", "977**"},
	} {
		if got, _ := deidentify.Apply(class(t, "location/postal"), flow.Treatment{Level: flow.Generalized, Param: flow.Param(c.param)}, str(c.in), deidentify.Hierarchies{}); got != str(c.want) {
			t.Errorf("%s of %q = %q, want %q", c.param, c.in, got.Text, c.want)
		}
	}
}

// TestBucketsAgainstRationals measures the arithmetic with math/big.Rat.
func TestBucketsAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	amount := class(t, "finance/amount")
	for range 20_000 {
		literal := fmt.Sprintf("%d.%0*de%d", r.Int64()-r.Int64(), 1+r.IntN(5), r.IntN(100_000), r.IntN(30)-15)
		n := int64(1 + r.IntN(1000))
		x, ok := new(big.Rat).SetString(literal)
		if !ok {
			t.Fatal("the test's own literal")
		}
		width := new(big.Rat).SetInt64(n)
		for _, kind := range []string{"bucket", "round"} {
			out, err := deidentify.Apply(amount, flow.Treatment{Level: flow.Generalized, Param: flow.Param(fmt.Sprintf("%s:%d", kind, n))}, num(literal), deidentify.Hierarchies{})
			if err != nil {
				t.Fatal(err)
			}
			got, ok := new(big.Rat).SetString(out.Text)
			if !ok {
				t.Fatalf("%s:%d of %s = %q, want a number", kind, n, literal, out.Text)
			}
			diff := new(big.Rat).Sub(x, got)
			if kind == "bucket" && (diff.Sign() < 0 || diff.Cmp(width) >= 0) {
				t.Fatalf("bucket:%d of %s = %s, which is not the bucket's lower edge", n, literal, out.Text)
			}
			if kind == "round" && new(big.Rat).Add(diff.Abs(diff), diff).Cmp(width) > 0 {
				t.Fatalf("round:%d of %s = %s, which is not the nearest", n, literal, out.Text)
			}
			if q := new(big.Rat).Quo(got, width); !q.IsInt() {
				t.Fatalf("%s:%d of %s = %s, which is not a multiple", kind, n, literal, out.Text)
			}
		}
	}
}

// FuzzApply holds, for any value of any class, that nothing below raw shows the value, types stay, and nothing panics.
func FuzzApply(f *testing.F) {
	for _, s := range []string{"1980-03-04T10:00:00Z", "3 March 1980", "03/04/1980", "-12.5e3", "$1,234.50", "02139", "E11.9", "2001:db8::1", "4111 1111 1111 1111", "jane@x.org", "[email]"} {
		f.Add(s, uint8(1), uint8(3), uint16(2))
	}
	classes := taxonomy.All()
	kinds := []string{"day", "month", "quarter", "year", "decade", "bucket:%d", "round:%d", "prefix:%d", "net:%d", "up:%d", "keep:%d", "shift:%d", "top:%d", "bottom:%d"}
	f.Fuzz(func(t *testing.T, text string, kind, param uint8, pick uint16) {
		c := classes[int(pick)%len(classes)]
		p := kinds[int(param)%len(kinds)]
		if strings.Contains(p, "%d") {
			p = fmt.Sprintf(p, 1+int(pick)%17)
		}
		in := deidentify.Scalar{Kind: deidentify.Kind(kind % 4), Text: text}
		for _, l := range []flow.Level{flow.Masked, flow.Generalized} {
			out, err := deidentify.Apply(c, flow.Treatment{Level: l, Param: flow.Param(p)}, in, deidentify.Hierarchies{})
			if err != nil {
				t.Fatal(err)
			}
			if out.Kind != in.Kind && out.Kind != deidentify.Null {
				t.Fatal("the type changed")
			}
			if l == flow.Masked && out.Kind == deidentify.String && len([]rune(out.Text)) > max(7, len(deidentify.Placeholder(c))) {
				t.Fatal("a masked value is longer than a placeholder or a part")
			}
		}
	})
}

func BenchmarkApply(b *testing.B) {
	for _, bb := range []struct {
		label flow.Label
		in    deidentify.Scalar
	}{{"person/birth-date", str("1980-03-04T10:00:00Z")}, {"finance/amount", num("1234.56")}, {"health/diagnosis", str("E11.9")}, {"technical/ip", str("203.0.113.9")}} {
		b.Run(strings.ReplaceAll(string(bb.label), "/", "-"), func(b *testing.B) {
			c := class(b, bb.label)
			for b.Loop() {
				if _, err := deidentify.Apply(c, flow.Treatment{Level: flow.Generalized}, bb.in, deidentify.Hierarchies{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
