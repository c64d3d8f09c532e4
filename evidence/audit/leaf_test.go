package audit

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
)

// golden leaves: bytes and RFC 6962 hash, for other programs to compare with.
var golden = []struct {
	name string
	leaf func() []byte
	text string
	hash string
}{
	{
		"a header", func() []byte { b, _ := Header{Origin: "scrim.dev/log/hospital/2026", First: 1}.Leaf(); return b },
		`{"scrim":"log/1","origin":"scrim.dev/log/hospital/2026","first":1}`,
		"8c1e34cc0cc1e4c07997cdc2c45487176b6624613cc932d90c88c98d9bdf38fd",
	},
	{
		"a header that follows", func() []byte {
			b, _ := Header{"scrim.dev/log/hospital/2027", 42, &Previous{"scrim.dev/log/hospital/2026", "o\n42\nAA==\n\n— <o> c2ln\n"}}.Leaf()
			return b
		},
		`{"scrim":"log/1","origin":"scrim.dev/log/hospital/2027","first":42,"previous":{"origin":"scrim.dev/log/hospital/2026","checkpoint":"o\n42\nAA==\n\n— <o> c2ln\n"}}`,
		"0152b92ae60e001ed930a45c44efe032a3e87f9a09362760453c1d02458af424",
	},
	{
		"an event alone", func() []byte { return leafOf(7, []byte(`{"time":"2026-11-27T18:00:00Z"}`), nil, nil, nil) },
		`{"scrim":"entry/2","seq":7,"event":{"time":"2026-11-27T18:00:00Z"}}`,
		"57d11a46737ef6a0b3f0e9d927116be6f78c146aff1455254ba413767f8b464f",
	},
	{
		"an event with all that may be there", func() []byte {
			return leafOf(8, []byte(`{}`), []byte("sealed"), bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32))
		},
		`{"scrim":"entry/2","seq":8,"event":{},"sealed":"ydADa+1nRLzfaS/JgNhxfX5fWk9Ogma0qEmCYC+xzQk=","payload":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","subjects":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="}`,
		"bd4216a8641413d3632cf72848f245f04b904e8c45517e9b03e178238e1b701a",
	},
}

func TestLeavesAreAsThePageSays(t *testing.T) {
	page, err := os.ReadFile("../../docs/spec/log.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range golden {
		if row := "| `" + g.text + "` | `" + g.hash + "` |"; !strings.Contains(string(page), row) {
			t.Errorf("the page does not have %s: %s", g.name, row)
		}
		leaf := g.leaf()
		if string(leaf) != g.text {
			t.Errorf("%s is\n%s\nwant\n%s", g.name, leaf, g.text)
		}
		if h := LeafHash(leaf); hex.EncodeToString(h[:]) != g.hash {
			t.Errorf("%s has hash %x, want %s", g.name, h, g.hash)
		}
	}
}

func TestLeavesAreReadAgain(t *testing.T) {
	for _, g := range golden {
		leaf := g.leaf()
		h, herr := ParseHeader(leaf)
		e, eerr := ParseLeaf(leaf)
		if (herr == nil) == (eerr == nil) {
			t.Errorf("%s is read as a header (%v) and as an entry (%v), want one of them", g.name, herr, eerr)
		}
		if herr == nil {
			if again, err := h.Leaf(); err != nil || !bytes.Equal(again, leaf) {
				t.Errorf("%s is written again as %s, %v", g.name, again, err)
			}
		} else if again := e.append(nil); !bytes.Equal(again, leaf) {
			t.Errorf("%s is written again as %s", g.name, again)
		}
	}
}

// What only looks like a leaf is none: a row's event could otherwise bring members of its own.
func TestLeavesHaveOneForm(t *testing.T) {
	hash := "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
	for name, text := range map[string]string{
		"nothing":             ``,
		"a space":             `{"scrim":"entry/2", "seq":7,"event":{}}`,
		"something behind it": `{"scrim":"entry/2","seq":7,"event":{}} `,
		"another order":       `{"seq":7,"scrim":"entry/2","event":{}}`,
		"an unknown member":   `{"scrim":"entry/2","seq":7,"event":{},"more":1}`,
		"another case":        `{"scrim":"entry/2","Seq":7,"event":{}}`,
		"a member twice":      `{"scrim":"entry/2","seq":7,"event":{},"sealed":"` + hash + `","sealed":"` + hash + `"}`,
		"a short hash":        `{"scrim":"entry/2","seq":7,"event":{},"sealed":"AAAA"}`,
		"an empty hash":       `{"scrim":"entry/2","seq":7,"event":{},"sealed":""}`,
		"no event":            `{"scrim":"entry/2","seq":7}`,
		"an event of text":    `{"scrim":"entry/2","seq":7,"event":"x"}`,
		"row zero":            `{"scrim":"entry/2","seq":0,"event":{}}`,
		"another kind":        `{"scrim":"entry/3","seq":7,"event":{}}`,
		"a header from zero":  `{"scrim":"log/1","origin":"o","first":0}`,
		"no origin":           `{"scrim":"log/1","origin":"","first":1}`,
		"too large":           `{"scrim":"entry/2","seq":7,"event":{"x":"` + strings.Repeat("x", maxLeaf) + `"}}`,
	} {
		if _, err := ParseLeaf([]byte(text)); !errors.Is(err, ErrLeaf) {
			t.Errorf("%s: ParseLeaf() error = %v, want ErrLeaf", name, err)
		}
		if _, err := ParseHeader([]byte(text)); !errors.Is(err, ErrLeaf) {
			t.Errorf("%s: ParseHeader() error = %v, want ErrLeaf", name, err)
		}
	}
}

// FuzzLeaf: bytes that are taken are the one form of what they say, and nothing is a header and an entry at once.
func FuzzLeaf(f *testing.F) {
	for _, g := range golden {
		f.Add(g.leaf())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, herr := ParseHeader(b)
		e, eerr := ParseLeaf(b)
		if herr == nil && eerr == nil {
			t.Fatalf("%q is a header and an entry", b)
		}
		if herr == nil {
			if again, err := h.Leaf(); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%q was read, and is written as %q, %v", b, again, err)
			}
		}
		if eerr == nil && !bytes.Equal(e.append(nil), b) {
			t.Fatalf("%q was read, and is written as %q", b, e.append(nil))
		}
	})
}
