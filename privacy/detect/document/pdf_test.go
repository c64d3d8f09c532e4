package document

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// built is a PDF of the given objects, the first of them number 1, with a classic cross-reference.
func built(trailer string, objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	at := make([]int, len(objects))
	for i, o := range objects {
		at[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	start := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, a := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", a)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, trailer, start)
	return b.Bytes()
}

func streamOf(dict, data string) string {
	return fmt.Sprintf("<< /Length %d %s >>\nstream\n%s\nendstream", len(data), dict, data)
}

func deflated(dict, data string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write([]byte(data))
	z.Close()
	return streamOf("/Filter /FlateDecode "+dict, b.String())
}

// behind is a stream with data after what is compressed.
func behind(data, more string) string {
	s := deflated("", data)
	_, packed, _ := strings.Cut(s, "stream\n")
	return streamOf("/Filter /FlateDecode", strings.TrimSuffix(packed, "\nendstream")+more)
}

const (
	catalog   = "<< /Type /Catalog /Pages 2 0 R >>"
	pages     = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
	onePage   = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
	helveticF = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
)

// onPage is a PDF whose only page has the content.
func onPage(content string, more ...string) []byte {
	return built("", append([]string{catalog, pages, onePage, deflated("", content), helveticF}, more...)...)
}

func allOf(c Contents) string { return strings.Join(append(slices.Clone(c.Prose), c.Terms...), "\n") }

func TestPDFSaysEverything(t *testing.T) {
	composite := built("", catalog, pages, onePage, deflated("", "BT /F1 12 Tf 72 700 Td <000100020003> Tj ET"),
		"<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /ToUnicode 6 0 R /DescendantFonts [7 0 R] >>",
		deflated("", "/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange\n1 beginbfchar <0001> <005A> endbfchar 1 beginbfrange <0002> <0003> <00E9> endbfrange endcmap end end"),
		"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X /DW 600 /W [1 [500 500] 3 3 500] >>")
	for _, tt := range []struct {
		name string
		file []byte
		want []string
	}{
		{"a line", onPage("BT /F1 12 Tf 72 700 Td (Jane Doe, 123-45-6789) Tj ET"), []string{"Jane Doe, 123-45-6789"}},
		{"kerned", onPage("BT /F1 12 Tf 72 700 Td [(J) 20 (ane) -300 (Doe)] TJ ET"), []string{"Jane Doe"}},
		{"two lines", onPage("BT /F1 12 Tf 14 TL 72 700 Td (born) Tj T* (1980) Tj ET"), []string{"born\n1980"}},
		{"letters out of order", onPage("BT /F1 12 Tf 1 0 0 1 100 700 Tm (45-67) Tj 1 0 0 1 72 700 Tm (123-) Tj 1 0 0 1 130.7 700 Tm (89) Tj ET"), []string{"123-45-6789"}},
		{"each letter twice", onPage("BT /F1 12 Tf 1 0 0 1 72 700 Tm (4) Tj 1 0 0 1 72.2 700 Tm (4) Tj 1 0 0 1 80 700 Tm (2) Tj 1 0 0 1 80.2 700 Tm (2) Tj ET"), []string{"42"}},
		{"white letters between", onPage("BT /F1 12 Tf 1 g 1 0 0 1 79 700 Tm (x) Tj 1 0 0 1 92 700 Tm (x) Tj 0 g 1 0 0 1 72 700 Tm (4) Tj 1 0 0 1 85.5 700 Tm (2) Tj ET"), []string{"\n42"}},
		{"a composite font", composite, []string{"Zéê"}},
		{"octal and escapes", onPage(`BT /F1 12 Tf 72 700 Td (\061\062\(3\)) Tj ET`), []string{"12(3)"}},
		{"a name with escapes", onPage("", "<< /A#2DB@c.example 1 >>"), []string{"A-B@c.example"}},
		{"its information", built("/Info 5 0 R", catalog, pages, "<< /Type /Page >>", "null", "<< /Author (\xfe\xff\000J\000o) /Title (Report) >>"), []string{"Jo", "Report"}},
		{"its metadata", built("", "<< /Type /Catalog /Pages 2 0 R /Metadata 4 0 R >>", pages, "<< /Type /Page >>", streamOf("/Type /Metadata /Subtype /XML", "<x a='1'>J&#97;ne</x>")), []string{"Jane"}},
		{"a comment", onPage("% 123-45-6789\nBT ET"), []string{"% 123-45-6789"}},
		{"a number", onPage("", "<< /Private 411111111111 >>"), []string{"411111111111"}},
		{"an actual text", onPage("/Span << /ActualText (jane) >> BDC BT ET EMC"), []string{"jane"}},
		{"a note", built("", catalog, pages, "<< /Type /Page /Annots [4 0 R] >>", "<< /Type /Annot /Subtype /Text /F 4 /Contents (call jane) >>"), []string{"call jane"}},
		{"an object that nothing names", onPage("", "(secret)"), []string{"secret"}},
		{"a form", built("", catalog, pages, "<< /Type /Page /Contents 4 0 R /Resources << /XObject << /X 6 0 R >> /Font << /F1 5 0 R >> >> >>", streamOf("", "q 1 0 0 1 5 5 cm /X Do Q"), helveticF,
			streamOf("/Subtype /Form", "BT /F1 9 Tf (within) Tj ET")), []string{"within"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := PDF(context.Background(), tt.file, Limits{})
			if err != nil {
				t.Fatalf("PDF() error = %v, want none", err)
			}
			for _, w := range tt.want {
				if !strings.Contains("\n"+allOf(c), w) {
					t.Errorf("PDF() = %q, want %q in it", c, w)
				}
			}
		})
	}
}

// compact is a PDF whose objects stand in an object stream, with a cross-reference stream.
func compact(content string, spoil func(packed string) string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.5\n")
	entry := func(kind byte, a int, c byte) string { return string([]byte{kind, byte(a >> 8), byte(a), c}) }
	table := entry(0, 0, 0)
	var head, body string
	for i, o := range []string{catalog, pages, onePage, "null", helveticF} {
		if i == 3 {
			table += "HOLE"
			continue
		}
		head += fmt.Sprintf("%d %d ", i+1, len(body))
		table += entry(2, 6, byte(strings.Count(head, " ")/2-1))
		body += o + "\n"
	}
	table = strings.Replace(table, "HOLE", entry(1, b.Len(), 0), 1)
	fmt.Fprintf(&b, "4 0 obj\n%s\nendobj\n", deflated("", content))
	table += entry(1, b.Len(), 0)
	fmt.Fprintf(&b, "6 0 obj\n%s\nendobj\n", deflated(fmt.Sprintf("/Type /ObjStm /N 4 /First %d", len(head)), head+spoil(body)))
	start := b.Len()
	table += entry(1, start, 0)
	rows := ""
	up := make([]byte, 4)
	for i := 0; i < len(table); i += 4 { // the predictor of most writers: each row less the one above
		rows += "\x02"
		for k := range 4 {
			rows += string([]byte{table[i+k] - up[k]})
			up[k] = table[i+k]
		}
	}
	fmt.Fprintf(&b, "7 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF", deflated("/Type /XRef /W [1 2 1] /Size 8 /Root 1 0 R /DecodeParms << /Predictor 12 /Columns 4 >>", rows), start)
	return b.Bytes()
}

func TestPDFWithObjectStreams(t *testing.T) {
	c, err := PDF(context.Background(), compact("BT /F1 12 Tf (Jane) Tj ET", func(s string) string { return s }), Limits{})
	if err != nil || !strings.Contains(allOf(c), "Jane") {
		t.Fatalf("PDF() = %q, %v, want what its page says", c, err)
	}
	if _, err := PDF(context.Background(), compact("BT ET", func(s string) string { return s + "(123-45-6789)" }), Limits{}); !errors.Is(err, ErrUnread) {
		t.Errorf("PDF() error = %v for an object that no one names, want ErrUnread", err)
	}
}

func TestPDFThatIsNotAllReadIsUnread(t *testing.T) {
	line := "BT /F1 12 Tf 72 700 Td (x) Tj ET"
	good := onPage(line)
	if _, err := PDF(context.Background(), good, Limits{}); err != nil {
		t.Fatalf("the file that all others are made of cannot be read: %v", err)
	}
	twice := slices.Concat(good, []byte("5 0 obj\n(x)\nendobj\nxref\n0 0\ntrailer\n<< /Root 1 0 R /Prev 0 >>\nstartxref\n9\n%%EOF\n"))
	with := func(old, new string) []byte { return bytes.Replace(good, []byte(old), []byte(new), 1) }
	for name, file := range map[string][]byte{
		"empty":                          {},
		"a picture's bytes":              []byte("\x89PNG\r\n\x1a\n" + strings.Repeat("x", 64)),
		"no cross-reference":             good[:bytes.Index(good, []byte("startxref"))],
		"data after the end":             slices.Concat(good, []byte("Jane")),
		"data before the beginning":      slices.Concat([]byte("Jane\n"), good),
		"data between objects":           with("endobj\n", "endobj\nJane\n"),
		"an archive behind":              slices.Concat(good, []byte("PK\x03\x04")),
		"an update":                      twice,
		"a wrong offset":                 with("0000000015", "0000000016"),
		"encrypted":                      built("/Encrypt << /Filter /Standard >>", catalog, pages, onePage, streamOf("", line), helveticF),
		"a program":                      onPage(line, "<< /S /JavaScript /JS (app.alert) >>"),
		"a program by another spelling":  onPage(line, "<< /S /Java#53cript >>"),
		"a form to fill in":              built("", "<< /Type /Catalog /Pages 2 0 R /AcroForm << /XFA (x) >> >>", pages, onePage, streamOf("", line), helveticF),
		"a file within":                  onPage(line, streamOf("/Type /EmbeddedFile", "ssn")),
		"a stream that nothing uses":     onPage(line, streamOf("", "123-45-6789")),
		"a picture":                      built("", catalog, pages, "<< /Type /Page /Contents 4 0 R /Resources << /XObject << /X 6 0 R >> >> >>", streamOf("", "/X Do"), helveticF, streamOf("/Subtype /Image /Width 1 /Height 1 /Filter /DCTDecode", "x")),
		"a picture in line":              onPage("BI /W 1 /H 1 ID x EI"),
		"curves":                         onPage("0 0 m 1 1 2 2 3 3 c S"),
		"a line across":                  onPage("0 0 m 5 9 l S"),
		"shading":                        onPage("/S sh"),
		"turned":                         onPage("BT /F1 12 Tf 0 1 -1 0 0 0 Tm (x) Tj ET"),
		"mirrored":                       onPage("BT /F1 12 Tf -1 0 0 1 0 0 Tm (x) Tj ET"),
		"text that nobody sees":          onPage("BT 3 Tr /F1 12 Tf (x) Tj ET"),
		"letters on letters":             onPage("BT /F1 12 Tf 1 0 0 1 72 700 Tm (4) Tj 1 0 0 1 73 700 Tm (x) Tj ET"),
		"no font":                        onPage("BT (x) Tj ET"),
		"a font of its own":              built("", catalog, pages, onePage, streamOf("", line), "<< /Type /Font /Subtype /Type3 >>"),
		"symbols":                        built("", catalog, pages, onePage, streamOf("", line), "<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>"),
		"two names for a letter":         built("", catalog, pages, onePage, streamOf("", line), "<< /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>", streamOf("", "beginbfchar <78> <0079> endbfchar")),
		"a composite without names":      built("", catalog, pages, onePage, streamOf("", line), "<< /Subtype /Type0 /Encoding /Identity-H >>"),
		"a program of a font":            built("", catalog, pages, onePage, streamOf("", line), "<< /Subtype /TrueType /BaseFont /A /FontDescriptor << /FontFile2 6 0 R >> >>", streamOf("", "123-45-6789 is no font")),
		"another filter":                 built("", catalog, pages, onePage, streamOf("/Filter /LZWDecode", line), helveticF),
		"more than the filter reads":     built("", catalog, pages, onePage, streamOf("/Filter /ASCIIHexDecode", "7120510a>123-45-6789"), helveticF),
		"more behind what is compressed": built("", catalog, pages, onePage, behind(line, "123-45-6789"), helveticF),
		"a page that is its own parent":  built("", catalog, "<< /Type /Pages /Kids [2 0 R] >>"),
		"a length that needs itself":     built("", catalog, pages, onePage, "<< /Length 4 0 R >>\nstream\nx\nendstream", helveticF),
		"no page":                        built("", catalog, "<< /Type /Pages /Kids [] >>"),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := PDF(context.Background(), file, Limits{})
			if !errors.Is(err, ErrUnread) || len(c.Prose)+len(c.Terms) > 0 {
				t.Fatalf("PDF() = %q, %v, want nothing and ErrUnread", c, err)
			}
			if strings.Contains(err.Error(), "the reader stopped") || strings.Contains(err.Error(), "123-45") {
				t.Errorf("PDF() error = %v, want the reader's own reason", err)
			}
		})
	}
}

// bombs are small files that ask for much work: less of it by each bit of small.
func bombs(small int) map[string][]byte {
	many := strings.Repeat("/X Do ", 500>>(small/2))
	forms := []string{catalog, pages, "<< /Type /Page /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> /Font << /F1 20 0 R >> >> >>", streamOf("", many)}
	for i := 5; i < 19; i++ {
		forms = append(forms, streamOf(fmt.Sprintf("/Subtype /Form /Resources << /XObject << /X %d 0 R >> >>", i+1), many))
	}
	forms = append(forms, streamOf("/Subtype /Form", "BT ET"), helveticF)
	same := strings.Repeat("4 0 R ", 5000>>small)
	return map[string][]byte{
		"a stream that swells":    onPage(strings.Repeat(" ", 200<<20>>small)),
		"swells within":           built("", catalog, pages, onePage, streamOf("/Filter [/ASCII85Decode /ASCII85Decode /ASCII85Decode]", strings.Repeat("z", 8<<20>>small)+"~>"), helveticF),
		"nested arrays":           onPage(strings.Repeat("[", 1<<20>>small)),
		"nested dictionaries":     onPage("", strings.Repeat("<< /A ", 1<<18>>small)),
		"forms within forms":      built("", forms...),
		"content again and again": built("", catalog, pages, "<< /Type /Page /Contents ["+same+"] >>", deflated("", strings.Repeat("q Q ", 1<<18>>small))),
		"a wide range":            built("", catalog, pages, onePage, streamOf("", "BT /F1 1 Tf ET"), "<< /Subtype /Type1 /BaseFont /A /ToUnicode 6 0 R >>", streamOf("", strings.Repeat("beginbfrange <0000> <ffff> <0020> endbfrange ", 5000>>small))),
		"many states":             onPage(strings.Repeat("q ", 1<<20>>small)),
		"much text":               onPage("BT /F1 1 Tf " + strings.Repeat("(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) Tj ", 1<<17>>small) + "ET"),
	}
}

// timed is how long f takes: by the clock, or by the processors if these did less, since on a busy machine others run meanwhile.
func timed(t *testing.T, f func()) time.Duration {
	t.Helper()
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			t.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	worked, start := spent(), time.Now()
	f()
	return min(time.Since(start), spent()-worked)
}

func TestPDFBombsCostLittle(t *testing.T) {
	for name, file := range bombs(0) {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var err error
			took := timed(t, func() { _, err = PDF(context.Background(), file, Limits{}) })
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrUnread) {
				t.Errorf("PDF() error = %v, want ErrUnread", err)
			}
			if took > 4*time.Second {
				t.Errorf("PDF() took %v, want less than its limit and some", took)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 400<<20 {
				t.Errorf("PDF() allocated %d MiB, want at most 400", got>>20)
			}
		})
	}
}

func TestPDFStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := PDF(ctx, onPage(strings.Repeat("q Q ", 1<<14)), Limits{}); !errors.Is(err, ErrUnread) {
		t.Errorf("PDF() error = %v, want ErrUnread", err)
	}
}

func FuzzPDF(f *testing.F) {
	for _, b := range bombs(8) {
		f.Add(b)
	}
	f.Add(compact("BT /F1 12 Tf (Jane) Tj ET", func(s string) string { return s }))
	f.Add(onPage("BT /F1 12 Tf 72 700 Td [(J) 20 (ane) -300 (Doe)] TJ ET"))
	f.Add(onPage("q 0 0 5 5 re f 0 0 m 0 5 l S Q"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := PDF(context.Background(), b, Limits{Bytes: 1 << 20, Text: 1 << 18, Steps: 400_000})
		if err != nil && (!errors.Is(err, ErrUnread) || len(c.Prose)+len(c.Terms) > 0) {
			t.Fatalf("PDF() = %d texts, %v", len(c.Prose), err)
		}
		if err != nil && strings.Contains(err.Error(), "the reader stopped") {
			t.Fatalf("the reader panics")
		}
	})
}
