package audit_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/scrimhq/scrim/privacy/dp/audit"
)

// serve is a program that answers by a function of pair, data and n.
func serve(t *testing.T, real bool, answer func(pair, data string, n int) string) *audit.Program {
	t.Helper()
	fromAudit, toProgram := io.Pipe()
	fromProgram, toAudit := io.Pipe()
	go func() {
		in := bufio.NewScanner(fromAudit)
		for in.Scan() {
			var q struct {
				Pair, Data string
				N          int
			}
			if err := json.Unmarshal(in.Bytes(), &q); err != nil {
				toAudit.CloseWithError(err)
				return
			}
			fmt.Fprint(toAudit, answer(q.Pair, q.Data, q.N))
		}
		toAudit.Close()
	}()
	t.Cleanup(func() { toProgram.Close(); fromProgram.Close() })
	return audit.NewProgram(toProgram, fromProgram, real)
}

func TestAProgramIsAudited(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	answers := func(scale map[string]float64, list, real bool) func(pair, data string, n int) string {
		return func(pair, data string, n int) string {
			var b []string
			for range n {
				v := laplace(scale[pair])(r)
				if data == "b" {
					v++
				}
				word := fmt.Sprint(v)
				if real {
					word = fmt.Sprintf("%g", float64(v)/4)
				}
				b = append(b, word)
			}
			if list {
				return "[" + strings.Join(b, ", ") + "]\n"
			}
			return strings.Join(b, " ") + "\n"
		}
	}
	ctx := context.Background()
	for _, form := range []struct{ list, real bool }{{true, false}, {false, false}, {true, true}} {
		p := serve(t, form.real, answers(map[string]float64{"": 1, "narrow": 0.5}, form.list, form.real))
		f, err := audit.Threshold(ctx, p.Pair(""), audit.Claim{Epsilon: 1}, audit.ThresholdOptions{Samples: 20_000})
		if err != nil || f.Refuted || f.Lower < 0.7 {
			t.Errorf("%+v: bound %.3f by %q, refuted %v, %v; want one below 1", form, f.Lower, f.Event, f.Refuted, err)
		}
		if form.real && strings.Contains(f.Event, "46") {
			t.Errorf("a real answer is shown by its digits: %q", f.Event)
		}
		f, _, err = audit.Worst(ctx, []audit.Pair{p.Pair(""), p.Pair("narrow")}, audit.Claim{Epsilon: 1}, audit.ThresholdOptions{Samples: 20_000})
		if err != nil || f.Pair != "narrow" || !f.Refuted {
			t.Errorf("%+v: the worst pair is %q with bound %.3f, refuted %v, %v; want narrow", form, f.Pair, f.Lower, f.Refuted, err)
		}
	}
}

func TestAProgramThatMisbehavesEndsTheAudit(t *testing.T) {
	each := func(word string) func(int) string {
		return func(n int) string { return strings.Repeat(word+" ", n) + "\n" }
	}
	for name, answer := range map[string]func(n int) string{
		"too few":     func(n int) string { return strings.Repeat("1 ", n-1) + "\n" },
		"too many":    func(n int) string { return strings.Repeat("1 ", n+1) + "\n" },
		"half a list": func(n int) string { return "[" + strings.Repeat("1,", n-1) + "1\n" },
		"no number":   each("x"), "a real answer": each("1.5"), "beyond 64 bits": each("9223372036854775808"),
		"a line without end": func(int) string { return strings.Repeat("1 ", 1<<20) }, "nothing": func(int) string { return "\n" },
		"a line too many": func(n int) string { return strings.Repeat(strings.Repeat("1 ", n)+"\n", 2) },
		"a seed begun anew for each line": func(n int) string {
			r := rand.New(rand.NewPCG(5, 6))
			var b strings.Builder
			for range n {
				fmt.Fprint(&b, laplace(1)(r), " ")
			}
			return b.String() + "\n"
		},
	} {
		p := serve(t, false, func(_, _ string, n int) string { return answer(n) })
		_, err := audit.Threshold(context.Background(), p.Pair(""), audit.Claim{Epsilon: 1}, audit.ThresholdOptions{Samples: 20_000})
		var bad *audit.Error
		if !errors.As(err, &bad) {
			t.Errorf("%s: %v, want an error of a rule", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "9223372036854775808") {
			t.Errorf("%s: the error repeats the answer: %v", name, err)
		}
	}
	fromAudit, toProgram := io.Pipe()
	fromProgram, toAudit := io.Pipe()
	p := audit.NewProgram(toProgram, fromProgram, false)
	go func(asked io.Reader, answer io.WriteCloser) {
		_, _ = bufio.NewReader(asked).ReadString('\n')
		fmt.Fprint(answer, "7 7 7\n")
		fmt.Fprint(answer, " \n8 7 7\n") // late, so that nobody reads it as an answer
		answer.Close()
	}(fromAudit, toAudit)
	if err := p.Pair("").A()(context.Background(), make([]int64, 3)); err != nil || p.Varied() {
		t.Errorf("one answer thrice: %v, varied %v", err, p.Varied())
	}
	var bad *audit.Error
	if err := p.Finish(); !errors.As(err, &bad) || bad.Member != "output" {
		t.Errorf("a line too many at the end: %v, want it found", err)
	}
	fromAudit, toProgram = io.Pipe()
	fromProgram, toAudit = io.Pipe()
	go func(asked io.Reader, answer io.Closer) {
		_, _ = bufio.NewReader(asked).ReadString('\n')
		answer.Close()
	}(fromAudit, toAudit)
	_, err := audit.Threshold(context.Background(), audit.NewProgram(toProgram, fromProgram, false).Pair(""), audit.Claim{}, audit.ThresholdOptions{})
	if !errors.Is(err, audit.ErrEnded) {
		t.Errorf("a program that ends: %v, want ErrEnded", err)
	}
}
