package column_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect/column"
	"github.com/scrimhq/scrim/privacy/detect/idnumber"
)

// sampled is how many rows of a table the corpus has.
const sampled = 400

// labelled is a column whose labels somebody has decided: testdata/guide.txt says how.
type labelled struct {
	column.Column
	schema string
	want   []flow.Label // any is right; "-" in front: no guess is right as well
}

func (l *labelled) open() bool { return l.want[0] == "-" || contains(l.want, "-") }

func contains(all []flow.Label, l flow.Label) bool {
	for _, w := range all {
		if w == l {
			return true
		}
	}
	return false
}

var pools = sync.OnceValue(func() map[string][]string {
	b, err := os.ReadFile("testdata/pools.txt")
	if err != nil {
		panic(err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		if name, all, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			out[name] = strings.Split(all, ";")
		}
	}
	return out
})

// corpus reads the tables of a file of labelled columns, and makes rows values for each.
func corpus(tb testing.TB, file string, rows int) (tables [][]labelled) {
	tb.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		tb.Fatal(err)
	}
	table, count := "", 0
	for n, line := range strings.Split(string(b), "\n") {
		switch {
		case strings.TrimSpace(line) == "":
		case line[0] == '[':
			head, size, _ := strings.Cut(line[1:], "]")
			table, _, _ = strings.Cut(head, " ")
			if count, err = strconv.Atoi(strings.TrimSpace(size)); err != nil {
				tb.Fatalf("%s:%d: %v", file, n+1, err)
			}
			tables = append(tables, nil)
		default:
			parts := strings.Split(line, " | ")
			if len(parts) < 4 {
				tb.Fatalf("%s:%d: %d parts, want 4 or more", file, n+1, len(parts))
			}
			l := labelled{schema: table}
			_, l.Table, _ = strings.Cut(table, ".")
			l.Name, l.Type, l.Rows = parts[0], parts[1], int64(count)
			for w := range strings.SplitSeq(parts[2], ", ") {
				if w != "-" && !flow.DefaultTaxonomy().Known(flow.Label(w)) {
					tb.Fatalf("%s:%d: there is no label %q", file, n+1, w)
				}
				l.want = append(l.want, flow.Label(w))
			}
			none := 0
			for _, extra := range parts[4:] {
				extra = strings.TrimSpace(extra)
				if p, err := strconv.Atoi(extra); err == nil {
					none = p
				}
				l.Key = l.Key || extra == "key"
				l.Unique = l.Unique || extra == "unique"
				if ref, ok := strings.CutPrefix(extra, "ref "); ok {
					l.References = ref
				}
			}
			l.fill(tb, parts[3], min(rows, count), none)
			tables[len(tables)-1] = append(tables[len(tables)-1], l)
		}
	}
	return tables
}

// fill makes the values of a column, the same each time.
func (l *labelled) fill(tb testing.TB, template string, rows, none int) {
	h := fnv.New64a()
	h.Write([]byte(l.schema + "." + l.Name))
	m := maker{tb: tb, rnd: rand.New(rand.NewPCG(h.Sum64(), 7))}
	for range rows {
		if m.rnd.IntN(100) < none {
			l.Nulls++
			continue
		}
		if m.rnd.IntN(150) == 0 { // nobody's data is clean
			l.Values = append(l.Values, []string{"", "n/a", "?", "-"}[m.rnd.IntN(4)])
			continue
		}
		l.Values = append(l.Values, m.value(template))
	}
}

// maker makes values from templates.
type maker struct {
	tb     testing.TB
	rnd    *rand.Rand
	serial int
}

func (m *maker) value(template string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(template, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		slot, after, ok := strings.Cut(rest, "}")
		if !ok {
			m.tb.Fatalf("a slot of the template %q does not end", template)
		}
		b.WriteString(m.slot(slot))
		template = after
	}
}

func (m *maker) chars(set string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = set[m.rnd.IntN(len(set))]
	}
	return string(b)
}

func (m *maker) pick(all []string) string { return all[m.rnd.IntN(len(all))] }

const (
	digits   = "0123456789"
	capitals = "ABCDEFGHJKLMNPRSTUVWXYZ"
	alnum    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
)

func (m *maker) slot(slot string) string {
	args := strings.Fields(slot)
	num := func(i int) int {
		n, err := strconv.Atoi(args[i])
		if err != nil {
			m.tb.Fatalf("slot %q: %v", slot, err)
		}
		return n
	}
	switch word := args[0]; {
	case strings.Trim(word, "#") == "":
		return m.chars(digits, len(word))
	case strings.Trim(word, "x") == "":
		return m.chars("0123456789abcdef", len(word))
	case word == "?" || word == "A":
		return m.chars(capitals, 1)
	case word == "alnum":
		return m.chars(alnum, num(1))
	case word == "ALNUM":
		return m.chars(capitals+"234567", num(1))
	case word == "serial":
		m.serial++
		return strconv.Itoa(m.serial)
	case word == "int":
		return strconv.Itoa(num(1) + m.rnd.IntN(num(2)-num(1)+1))
	case word == "dec":
		lo, _ := strconv.ParseFloat(args[1], 64)
		hi, _ := strconv.ParseFloat(args[2], 64)
		return strconv.FormatFloat(lo+m.rnd.Float64()*(hi-lo), 'f', num(3), 64)
	case word == "date":
		from, to := time.Date(num(1), 1, 1, 0, 0, 0, 0, time.UTC), time.Date(num(2)+1, 1, 1, 0, 0, 0, 0, time.UTC)
		at := from.Add(time.Duration(m.rnd.Int64N(int64(to.Sub(from)/time.Second))) * time.Second)
		return at.Format(strings.Join(args[3:], " "))
	case word == "pick":
		return m.pick(strings.Split(strings.TrimPrefix(slot, "pick "), ";"))
	case word == "GIVEN" || word == "FAMILY":
		return strings.ToUpper(m.pick(pools()[strings.ToLower(word)]))
	case word == "luhn":
		b := args[1] + m.chars(digits, num(2)-1-len(args[1]))
		return b + luhnDigit(b)
	case word == "ssn":
		return fmt.Sprintf("%03d-%02d-%04d", 101+m.rnd.IntN(560), 1+m.rnd.IntN(98), 1+m.rnd.IntN(9998))
	case word == "uuid":
		h := m.chars("0123456789abcdef", 32)
		return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
	case word == "mac":
		h := m.chars("0123456789abcdef", 12)
		return h[:2] + ":" + h[2:4] + ":" + h[4:6] + ":" + h[6:8] + ":" + h[8:10] + ":" + h[10:]
	case word == "email":
		return m.plain(m.pick(pools()["given"])) + "." + m.plain(m.pick(pools()["family"])) + "@" + m.pick([]string{"mail", "post", "example"}) + "." + m.pick([]string{"com", "org", "net", args[1]})
	case word == "username":
		return m.plain(m.pick(pools()["given"])) + m.pick([]string{"_", ".", "", "x"}) + m.chars(digits, m.rnd.IntN(4))
	case word == "iban":
		return m.iban(args[1])
	case word == "kind":
		return m.number(args[1])
	case word == "vin":
		return m.vin()
	case word == "ean":
		b := "40" + m.chars(digits, 10)
		sum := 0
		for i := range b {
			sum += int(b[i]-'0') * (1 + 2*(i%2))
		}
		return b + strconv.Itoa((10-sum%10)%10)
	}
	if p := pools()[slot]; p != nil {
		return m.pick(p)
	}
	m.tb.Fatalf("there is no slot %q", slot)
	return ""
}

// plain is a name as addresses have it.
func (m *maker) plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		}
		return map[rune]rune{'ü': 'u', 'ö': 'o', 'ä': 'a', 'é': 'e', 'ş': 's', 'Ş': 's', 'ı': 'i', 'ł': 'l', 'ń': 'n', 'ø': 'o', 'Ö': 'o'}[r] - 0
	}, strings.ReplaceAll(name, " ", ""))
}

func luhnDigit(b string) string {
	sum := 0
	for i := range b {
		d := int(b[len(b)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return strconv.Itoa((10 - sum%10) % 10)
}

func (m *maker) iban(country string) string {
	body := map[string]string{"DE": m.chars(digits, 18), "GB": m.chars(capitals, 4) + m.chars(digits, 14), "NL": m.chars(capitals, 4) + m.chars(digits, 10)}[country]
	r := 0
	for _, c := range body + country + "00" {
		if c <= '9' {
			r = (r*10 + int(c-'0')) % 97
		} else {
			r = (r*100 + int(c-'A') + 10) % 97
		}
	}
	return fmt.Sprintf("%s%02d%s", country, 98-r, body)
}

// vin makes a number of a vehicle with its check digit (ISO 3779, 49 CFR 565).
func (m *maker) vin() string {
	b := []byte(m.chars("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", 17))
	const values = "0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ"
	sum := 0
	for i, c := range b {
		sum += strings.IndexByte(values, c) % 10 * strings.IndexByte("0123456789X", "8765432X098765432"[i])
	}
	b[8] = "0123456789X"[sum%11]
	return string(b)
}

// number makes an official number that passes its checks.
func (m *maker) number(kind string) string {
	for _, k := range idnumber.Kinds() {
		if k.Name != kind {
			continue
		}
		for range 100_000 {
			b := []byte(k.Form())
			for i, c := range b {
				switch c {
				case '9':
					b[i] = digits[m.rnd.IntN(10)]
				case 'A':
					b[i] = capitals[m.rnd.IntN(len(capitals))]
				case 'X':
					b[i] = (digits + capitals)[m.rnd.IntN(len(digits+capitals))]
				}
			}
			if kind == "pl-pesel" || kind == "it-fiscal-code" { // a month and a day are within
				m.dated(kind, b)
			}
			ok := false
			idnumber.Match(b, func(got *idnumber.Kind) bool {
				ok = got.Name == kind
				return !ok
			})
			if ok {
				return string(b)
			}
		}
	}
	m.tb.Fatalf("no number of kind %q was made", kind)
	return ""
}

func (m *maker) dated(kind string, b []byte) {
	if kind == "pl-pesel" {
		copy(b[2:], fmt.Sprintf("%02d%02d", 1+m.rnd.IntN(12), 1+m.rnd.IntN(28)))
		return
	}
	copy(b[6:], m.chars(digits, 2))
	b[8] = "ABCDEHLMPRST"[m.rnd.IntN(12)]
	copy(b[12:], m.chars(digits, 3))
	copy(b[9:], fmt.Sprintf("%02d", 1+m.rnd.IntN(28)))
}
