package deidentify_test

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/deidentify"
	"github.com/scrimhq/scrim/privacy/deidentify/ff1"
)

// key is a MAC and a PRF for tests.
type key string

func (k key) MAC(dst, message []byte) []byte {
	m := hmac.New(sha256.New, []byte(k))
	m.Write(message)
	return m.Sum(dst)
}

func (k key) Uint64(message []byte) uint64 { return binary.BigEndian.Uint64(k.MAC(nil, message)) }

func cipher(t testing.TB, radix int) *ff1.Cipher {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	return must[*ff1.Cipher](t)(ff1.New(block, radix, nil))
}

func TestFormatPreserving(t *testing.T) {
	for _, c := range []struct {
		opt      deidentify.FormatOptions
		in, form string
	}{
		{deidentify.FormatOptions{}, "4111-1111-1111-1111", `^\d{4}-\d{4}-\d{4}-\d{4}$`},
		{deidentify.FormatOptions{Luhn: true}, "4111 1111 1111 1111", `^\d{4} \d{4} \d{4} \d{4}$`},
		{deidentify.FormatOptions{Alphabet: "upper"}, "AB-12-CD", `^[0-9A-Z]{2}-[0-9A-Z]{2}-[0-9A-Z]{2}$`},
		{deidentify.FormatOptions{Alphabet: "01"}, strings.Repeat("01", 12), `^[01]{24}$`},
	} {
		f, err := deidentify.FormatPreserving(cipher(t, c.opt.Radix()), c.opt)
		if err != nil {
			t.Fatal(err)
		}
		out := apply(f, deidentify.String, c.in)
		if out == c.in || !regexp.MustCompile(c.form).MatchString(out) {
			t.Errorf("%q becomes %q, want %s and not itself", c.in, out, c.form)
		}
		back, kind, err := f.Reverse(nil, deidentify.Value{Kind: deidentify.String, Text: []byte(out)})
		if err != nil || kind != deidentify.String || string(back) != c.in {
			t.Errorf("%q comes back as %q, %v", c.in, back, err)
		}
	}
	digits, err := deidentify.FormatPreserving(cipher(t, 10), deidentify.FormatOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 1_000_000; i < 1_003_000; i++ { // numbers stay numbers, and come back
		in := strconv.Itoa(i)
		out := apply(digits, deidentify.Number, in)
		if len(out) != 7 || out[0] == '0' {
			t.Fatalf("a number of seven digits becomes %q", out)
		}
		if back, _, err := digits.Reverse(nil, deidentify.Value{Kind: deidentify.Number, Text: []byte(out)}); err != nil || string(back) != in {
			t.Fatalf("%s comes back as %s, %v", in, back, err)
		}
	}
	luhn, _ := deidentify.FormatPreserving(cipher(t, 10), deidentify.FormatOptions{Luhn: true})
	for in, f := range map[string]*deidentify.Format{"12345": digits, "": digits, "4111-111x-1111": digits, "4111111111111112": luhn} {
		if got := apply(f, deidentify.String, in); got != deidentify.ErrForm.Error() {
			t.Errorf("%q becomes %q, want ErrForm", in, got)
		}
	}
	for _, o := range []deidentify.FormatOptions{{Alphabet: "upper"}, {Alphabet: "aa"}, {Alphabet: "0"}, {Alphabet: "0123456789"[:9] + "-"}} {
		if _, err := deidentify.FormatPreserving(cipher(t, 10), o); !errors.Is(err, deidentify.ErrOptions) {
			t.Errorf("alphabet %q: error = %v, want ErrOptions", o.Alphabet, err)
		}
	}
}

// TestShiftKeepsIntervals within a subject, in any form of date, and gives each subject and recipient another shift, never 0.
func TestShiftKeepsIntervals(t *testing.T) {
	lab, insurer := made(t)(deidentify.ShiftDate(key("lab"), 30)), made(t)(deidentify.ShiftDate(key("insurer"), 30))
	day := func(text string) time.Time {
		d, err := time.Parse(time.DateOnly, text[:10])
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	shifts, differ := map[int]int{}, 0
	for i := range 3000 {
		subject := fmt.Sprint("patient ", i)
		a, b := apply(lab, deidentify.String, "2024-02-27", subject), apply(lab, deidentify.String, "2024-03-03T10:11:12+01:00", subject)
		if got := day(b).Sub(day(a)); got != 5*24*time.Hour || !strings.HasSuffix(b, "T10:11:12+01:00") {
			t.Fatalf("five days become %s, and the time %s", got, b)
		}
		by := int(day(a).Sub(day("2024-02-27")).Hours() / 24)
		if by == 0 || by < -30 || by > 30 {
			t.Fatalf("a shift of %d days", by)
		}
		if number := apply(lab, deidentify.Number, "20240227", subject); number != day(a).Format("20060102") {
			t.Fatalf("a number becomes %s, text %s", number, a)
		}
		if words := apply(lab, deidentify.String, "27 February 2024", subject); words != a {
			t.Fatalf("words become %s, digits %s", words, a)
		}
		shifts[by]++
		if apply(insurer, deidentify.String, "2024-02-27", subject) != a {
			differ++
		}
	}
	// 60 shifts of 50 expected each: below 15 or above 100 about once in ten million runs; the key is fixed, so that it is once for all.
	for by, n := range shifts {
		if n < 15 || n > 100 {
			t.Errorf("%d of 3000 subjects are shifted by %d days", n, by)
		}
	}
	if len(shifts) != 60 || differ < 2900 {
		t.Errorf("%d shifts, %d of 3000 subjects shifted otherwise for another recipient", len(shifts), differ)
	}
	for in, want := range map[string]error{"2024-02": deidentify.ErrForm, "03/04/1980": deidentify.ErrForm, "soon": deidentify.ErrForm, "2024-02-30": deidentify.ErrForm} {
		if got := apply(lab, deidentify.String, in, "x"); got != want.Error() {
			t.Errorf("%q becomes %q, want %v", in, got, want)
		}
	}
	if got := apply(lab, deidentify.String, "2024-02-27"); got != deidentify.ErrSubject.Error() {
		t.Errorf("without a subject: %q, want ErrSubject", got)
	}
}

// TestSaltedHashOfFewValues: an attacker with the salt lists all values and reads the table, so such a hash is refused, or labelled as raw.
func TestSaltedHashOfFewValues(t *testing.T) {
	salt := []byte("sixteen bytes ok")
	ssn := class(t, "government-id/ssn")
	if _, err := deidentify.SaltedHash(deidentify.SaltedHashOptions{Class: ssn, Salt: salt}); !errors.Is(err, deidentify.ErrOptions) {
		t.Fatalf("a public salt over 29 bits: error = %v, want ErrOptions", err)
	}
	hash := made(t)(deidentify.SaltedHash(deidentify.SaltedHashOptions{Class: ssn, Salt: salt, Public: true}))
	row := apply(hash, deidentify.String, "000-01-2345")
	found := ""
	for i := 12_000; i < 13_000 && found == ""; i++ { // the attack works, which is why
		guess := fmt.Sprintf("%09d", i)
		if sum := sha256.Sum256([]byte(string(salt) + guess)); fmt.Sprintf("%x", sum) == row {
			found = guess
		}
	}
	if found != "000012345" {
		t.Errorf("the dictionary finds %q", found)
	}
	if hash.Says().Within(ssn, flow.Treatment{Level: flow.Tokenized, Param: flow.TokenReversible}) || !hash.Says().Within(ssn, flow.Treatment{Level: flow.Raw}) {
		t.Error("a hash that a dictionary reads passes for a token")
	}
}

func TestStandInsOfOneRelease(t *testing.T) {
	var m deidentify.Memory
	name := class(t, "person/name")
	surrogate, email := deidentify.Surrogate(&m, name), made(t)(deidentify.Realistic(&m, class(t, "person/contact/email"), deidentify.RealisticOptions{Locale: "de"}))
	if a, b := apply(surrogate, deidentify.String, "Jane Doe"), apply(surrogate, deidentify.String, " jane  DOE"); a != b || !regexp.MustCompile(`^Person \d+$`).MatchString(a) {
		t.Errorf("one person is %q and %q", a, b)
	}
	if got := apply(email, deidentify.String, "jane@hospital.org"); !regexp.MustCompile(`^[a-z.]+\d*@example\.(com|net|org)$`).MatchString(got) {
		t.Errorf("an e-mail address becomes %q", got)
	}
	if s := fmt.Sprintf("%v %+v %#v", &m, &m, &m); s != "[secret] [secret] [secret]" {
		t.Errorf("a memory prints as %s", s)
	}
	// Many at once: one value has one stand-in, two have two.
	var wait sync.WaitGroup
	results := make([][2000]string, 4)
	for w := range results {
		wait.Go(func() {
			for i := range results[w] {
				results[w][i] = apply(email, deidentify.String, fmt.Sprintf("p%d@hospital.org", i))
			}
		})
	}
	wait.Wait()
	seen := map[string]bool{}
	for i, text := range results[0] {
		if text != results[1][i] || text != results[2][i] || text != results[3][i] || seen[text] || !strings.Contains(text, "@") {
			t.Fatalf("value %d has stand-ins %q, %q, or shares one", i, text, results[1][i])
		}
		seen[text] = true
	}
	full := deidentify.Surrogate(&deidentify.Memory{Limit: 1}, name)
	if apply(full, deidentify.String, "a"); apply(full, deidentify.String, "b") != deidentify.ErrFull.Error() {
		t.Error("a full memory takes another value")
	}
}

// TestInventionsAreNobodys: telephone numbers are of ranges set aside for fiction, addresses at example domains; every locale has what it says.
func TestInventionsAreNobodys(t *testing.T) {
	phones := map[string]string{
		"en-US": `^\+1 [2-9]\d\d 555 01\d\d$`, "en-GB": `^\+44 (7700 900\d{3}|20 7946 0\d{3}|1[1-6]\d 496 0\d{3}|1632 960\d{3})$`,
		"de": `^\+49 (30 23125|69 90009|40 66969|221 4710|89 99998)\d{3}$`, "fr": `^\+33 (1 99 00|2 61 91|3 53 01|4 65 71|5 36 49|6 39 98) \d\d \d\d$`, "es": `^$`, "it": `^$`,
	}
	if got := deidentify.Locales(); len(got) != 6 {
		t.Fatalf("locales are %v", got)
	}
	for _, locale := range deidentify.Locales() {
		for range 200 {
			if p := deidentify.Invent("phone", locale, 0); !regexp.MustCompile(phones[locale]).MatchString(p) {
				t.Fatalf("%s: number %s may be somebody's", locale, p)
			}
		}
		for _, kind := range []string{"given", "family", "name", "email", "address", "city", "date"} {
			seen := map[string]bool{}
			for range 500 { // the shortest list has ten names: one in 10²¹ runs misses one
				seen[deidentify.Invent(kind, locale, 0)] = true
			}
			if len(seen) < 10 || seen[""] {
				t.Errorf("%s: %d different of kind %s", locale, len(seen), kind)
			}
		}
	}
	for _, o := range []deidentify.RealisticOptions{{Kind: "phone", Locale: "it"}, {Kind: "name", Locale: "xx"}, {Kind: "shoe"}, {}} {
		if _, err := deidentify.Realistic(&deidentify.Memory{}, class(t, "finance/card"), o); !errors.Is(err, deidentify.ErrOptions) {
			t.Errorf("%v: error = %v, want ErrOptions", o, err)
		}
	}
	// Never the value itself, however small the choice.
	var m deidentify.Memory
	city := made(t)(deidentify.Realistic(&m, class(t, "location/city"), deidentify.RealisticOptions{Locale: "de"}))
	for _, name := range strings.Fields("Neustadt Altenburg Friedberg Lindau Weimar Marburg Celle Gotha") {
		if got := apply(city, deidentify.String, name); got == name {
			t.Errorf("%s stands for itself", name)
		}
	}
}

// TestNoiseHasItsLaw compares 60,000 draws with the exact probabilities by a chi-square test over the bins with 50 expected and more. At
// 5.5 standard deviations of the statistic and some it cries wolf less than once in ten million runs.
func TestNoiseHasItsLaw(t *testing.T) {
	const draws = 60_000
	for _, gaussian := range []bool{false, true} {
		for _, scale := range []int64{1, 3, 20} {
			noise := made(t)(deidentify.Noise(deidentify.NoiseOptions{Gaussian: gaussian, Scale: scale}))
			counts := map[int]int{}
			for range draws {
				n, err := strconv.Atoi(apply(noise, deidentify.Number, "1000"))
				if err != nil {
					t.Fatal(err)
				}
				counts[n-1000]++
			}
			weight := func(k int) float64 {
				x, s := math.Abs(float64(k)), float64(scale)
				if gaussian {
					return math.Exp(-x * x / (2 * s * s))
				}
				return math.Exp(-x / s)
			}
			total := 0.0
			for k := -2000; k <= 2000; k++ {
				total += weight(k)
			}
			chi, bins := 0.0, 0
			for k := -200; k <= 200; k++ {
				if want := draws * weight(k) / total; want >= 50 {
					chi += (float64(counts[k]) - want) * (float64(counts[k]) - want) / want
					bins++
				}
			}
			if limit := float64(bins) + 5.5*math.Sqrt(2*float64(bins)) + 25; chi > limit || bins < 5 {
				t.Errorf("gaussian %t, scale %d: chi-square %.1f over %d bins, want at most %.1f", gaussian, scale, chi, bins, limit)
			}
		}
	}
}

func TestNoiseKeepsUnitsAndBounds(t *testing.T) {
	noise := made(t)(deidentify.Noise(deidentify.NoiseOptions{Scale: 3, Unit: "0.5", Least: "0", Most: "2"}))
	seen := map[string]bool{}
	for range 2000 {
		seen[apply(noise, deidentify.String, "1.2 kg")] = true
	}
	for _, want := range []string{"0 kg", "0.5 kg", "1.0 kg", "1.5 kg", "2 kg"} {
		if !seen[want] {
			t.Errorf("%q never came in 2000 draws", want)
		}
	}
	if len(seen) > 7 {
		t.Errorf("values are %v, want multiples of 0.5 from 0 to 2", seen)
	}
}

// TestNoiseIsForTablesAlone: who may ask again takes the mean, and has the value. So no level of a message has noise.
func TestNoiseIsForTablesAlone(t *testing.T) {
	noise := made(t)(deidentify.Noise(deidentify.NoiseOptions{Scale: 10}))
	sum := 0
	const asked = 40_000 // the mean's error has a standard deviation of 0.07
	for range asked {
		n, _ := strconv.Atoi(apply(noise, deidentify.Number, "1234"))
		sum += n
	}
	if mean := float64(sum) / asked; math.Abs(mean-1234) > 0.5 {
		t.Errorf("the mean of %d answers is %.2f", asked, mean)
	}
	for _, p := range []string{"noise", "noise:10", "laplace:10", "gaussian:10"} {
		if _, err := flow.ParseParam(flow.Generalized, p); err == nil {
			t.Errorf("%s is a parameter of messages", p)
		}
	}
	if noise.Says().Within(class(t, "finance/amount"), flow.Treatment{Level: flow.Generalized, Param: "bucket:10"}) {
		t.Error("noise passes for a bucket")
	}
}

// FuzzNormal: the quick road for ASCII makes what the long one does.
func FuzzNormal(f *testing.F) {
	for _, s := range []string{"Jane  Doe", " 4111-1111 ", "\t\n", "--", "Zoë", "a\vb\x85c", "A\x00B"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, digits bool) {
		c := flow.Class{Kind: flow.Text}
		if digits {
			c.Kind = flow.Digits
		}
		if got, want := string(deidentify.AppendNormal(nil, c, []byte(s))), deidentify.Normal(c, s); got != want {
			t.Fatalf("the normal form of %q is %q and %q", s, got, want)
		}
	})
}

func BenchmarkTechnique(b *testing.B) {
	for name, bb := range map[string]struct {
		t deidentify.Technique
		v deidentify.Value
	}{
		"shorten-date": {made(b)(deidentify.ShortenDate("month")), deidentify.Value{Kind: deidentify.String, Text: []byte("1980-03-04T10:00:00Z")}},
		"bucket":       {made(b)(deidentify.Bucket(deidentify.BucketOptions{Width: "10"})), deidentify.Value{Kind: deidentify.Number, Text: []byte("1234.5")}},
		"round":        {made(b)(deidentify.Round(flow.Class{}, "100")), deidentify.Value{Kind: deidentify.Number, Text: []byte("1234.5")}},
		"top-bottom":   {made(b)(deidentify.TopBottom(deidentify.TopBottomOptions{Top: "89"})), deidentify.Value{Kind: deidentify.Number, Text: []byte("34")}},
		"placeholder":  {deidentify.TypedPlaceholder(class(b, "person/contact/email")), deidentify.Value{Kind: deidentify.String, Text: []byte("jane@x.org")}},
		"prefix":       {made(b)(deidentify.Prefix(class(b, "location/postal"), 3)), deidentify.Value{Kind: deidentify.String, Text: []byte("02139")}},
		"noise":        {made(b)(deidentify.Noise(deidentify.NoiseOptions{Scale: 10})), deidentify.Value{Kind: deidentify.Number, Text: []byte("1234")}},
	} {
		b.Run(name, func(b *testing.B) {
			dst := make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := bb.t.Apply(dst, bb.v, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExampleTechnique() {
	bucket, err := deidentify.Bucket(deidentify.BucketOptions{Edges: []string{"18", "65"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	out, _, err := bucket.Apply(nil, deidentify.Value{Kind: deidentify.Number, Text: []byte("34")}, nil)
	fmt.Println(string(out), err)
	// Output: [18,65) <nil>
}
