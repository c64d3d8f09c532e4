package vault_test

import (
	"context"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/vault"
)

func TestFindTokens(t *testing.T) {
	short := "stk1_" + strings.Repeat("Ab-_", 16)
	for text, want := range map[string][]string{
		"":                                       nil,
		"dear [person 3], write to [email k7q2]": {"[person 3]", "[email k7q2]"},
		"[Person 12][TAX ID K7Q2]":               {"[person 12]", "[tax id k7q2]"},
		"[[person 3]]":                           {"[person 3]"},
		"[person 3":                              nil,
		"[person 03] [person 0] [person 1234567] [person] [3] [ 3] [person  3] [person 3 ]": nil,
		"[email k7q] [email kk22] [email k7q1] [email l7q2] [email 7k2q] [see note]":        nil,
		"[birth date] [email]":                  nil,
		"[email k7q2m3]":                        {"[email k7q2m3]"},
		"[naïve 3]":                             nil,
		short + ", " + short:                    {short, short},
		"(" + short + ")":                       {short},
		"x" + short:                             nil,
		short + "A":                             nil,
		short + "-":                             nil,
		"\u00e9" + short + "\u00e9":             {short},
		"stk1_" + strings.Repeat("A", 63):       nil,
		"stk1_" + strings.Repeat("A", 86):       {"stk1_" + strings.Repeat("A", 86)},
		"stk1_" + strings.Repeat("A", 85) + "B": nil, // bits beyond the payload are set
		"stk1_" + strings.Repeat("A", 384):      {"stk1_" + strings.Repeat("A", 384)},
		"stk1_" + strings.Repeat("A", 406):      nil,
		"[" + short + "]":                       {short},
	} {
		got := vault.FindTokens(text)
		var texts []string
		for _, s := range got {
			texts = append(texts, s.Text)
			if !strings.EqualFold(text[s.Start:s.End], s.Text) {
				t.Errorf("in %.40q: span %v is not where its text is", text, s)
			}
		}
		if strings.Join(texts, "|") != strings.Join(want, "|") {
			t.Errorf("FindTokens(%.60q) = %q, want %q", text, texts, want)
		}
	}
}

// Whole knows a stand-in where FindTokens finds one that is all of the text, and nowhere else.
func checkWhole(t *testing.T, text string) {
	t.Helper()
	spans := vault.FindTokens(text)
	want := len(spans) == 1 && spans[0].Start == 0 && spans[0].End == len(text)
	if got, ok := vault.Whole(text); ok != want || ok && got != spans[0] {
		t.Errorf("Whole(%.60q) = %v, %v; FindTokens finds %v", text, got, ok, spans)
	}
}

func TestWholeIsAllThatIsFound(t *testing.T) {
	short := "stk1_" + strings.Repeat("Ab-_", 16)
	for _, text := range []string{"", "[", "[person 3]", "[PERSON 3]", " [person 3]", "[person 3] ", "[person 3][person 4]", "[[person 3]]", short, short + " ", "x" + short, "STK1_" + short[5:], short + "," + short, "stk1_", "plain"} {
		checkWhole(t, text)
	}
}

func FuzzFindTokens(f *testing.F) {
	for _, s := range []string{"[person 3]", "stk1_" + strings.Repeat("A", 64), "[[[[", "[email k7q2]] [x", "stk1_stk1_"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkWhole(t, text)
		at := 0
		for _, s := range vault.FindTokens(text) {
			if s.Start < at || s.End <= s.Start || s.End > len(text) || !strings.EqualFold(text[s.Start:s.End], s.Text) {
				t.Fatalf("span %v after %d", s, at)
			}
			at = s.End
			if again := vault.FindTokens(s.Text); len(again) != 1 || again[0].Start != 0 || again[0].End != len(s.Text) || again[0].Token != s.Token {
				t.Fatalf("%q alone = %v", s.Text, again)
			}
		}
	})
}

func BenchmarkFindTokens(b *testing.B) {
	for name, text := range map[string]string{
		"prose":    strings.Repeat("The patient [person 3] was seen on Monday by the nurse. ", 1000),
		"brackets": strings.Repeat("[", 50_000),
		"words":    strings.Repeat("[person word word word word word word ", 1500),
		"letters":  strings.Repeat("stk1_", 10_000),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				vault.FindTokens(text)
			}
		})
	}
}

// FuzzResolve: whatever bytes come, the answer is what was minted or the one error.
func FuzzResolve(f *testing.F) {
	h := open(f, vault.Options{})
	low := h.email()
	low.Class = class("government-id/ssn")
	derived, vaulted := h.token(f, h.email(), "jane"), h.token(f, low, "jane")
	for _, s := range []string{derived, vaulted, "", "stk1_", "stk1_" + strings.Repeat("_", 64), "stk1_" + strings.Repeat("A", 384)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, token string) {
		got, err := h.Resolve(context.Background(), token)
		if minted := token == derived || token == vaulted; minted && !got.Value.Equal("jane") || !minted && (err != vault.ErrNoToken || got != (vault.Opened{})) {
			t.Fatalf("Resolve() = %v, %v", got, err)
		}
	})
}
