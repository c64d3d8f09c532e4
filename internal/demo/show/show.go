// Package show tells the demo's story: it puts a gateway round each of the demo's domains, lets the agents work, and
// prints what each of them said and saw. All that it prints was taken from the wire and from the journals.
package show

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/demo"
)

// Options say how the story is told. Out is needed.
type Options struct {
	Out      io.Writer
	Colour   bool         // colours, as on a terminal
	Width    int          // columns; 0: 100
	Keep     bool         // after the story everything stays up until the context ends
	Dir      string       // of all files; "": a temporary one, removed in the end
	Patients int          // of the hospital; 0: 3,000
	Logger   *slog.Logger // of the gateways; nil: nothing is logged
}

// Run starts three domains with a gateway each, tells the story, and ends everything that it started. It takes a
// quarter of a minute, most of it waiting for padded answers; with Keep it lasts as long as ctx. Nothing but the story goes to Out.
func Run(ctx context.Context, opt Options) (err error) {
	began := time.Now()
	if opt.Logger == nil {
		opt.Logger = slog.New(slog.DiscardHandler)
	}
	dir := opt.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "scrim-demo-"); err != nil {
			return fmt.Errorf("making a directory for the demo: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	s, err := start(ctx, dir, opt.Patients, opt.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	f, err := s.tell(ctx)
	if err != nil {
		return err
	}
	p := newPrinter(opt.Out, opt.Colour, opt.Width)
	p.story(f, time.Since(began))
	if !opt.Keep {
		p.next()
		return p.w.Flush()
	}
	links, err := s.consoleLinks(ctx)
	if err != nil {
		return err
	}
	p.commands(s, links)
	if err := p.w.Flush(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// idle lets go of connections that clients keep for later.
func idle() {
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

func (p *printer) story(f *facts, took time.Duration) {
	p.line("%s", p.paint(title, "Scrim: the same message looks different to different recipients"))
	p.para(0, "", plain, words(plain, fmt.Sprintf("A hospital, an insurer and a research lab, each with a gateway of its own, agents and MCP servers on the official SDKs, "+
		"and one prior authorisation that takes all three. It all happened just now in this process, in %.1f seconds.", took.Seconds())))
	p.views(f)
	p.refusedHops(f)
	p.streamedLetter(f)
	p.retriedOrder(f)
	p.extracted(f)
	p.delegated(f)
	p.counted(f)
	p.pieced(f)
	p.wentWhere(f)
	p.erasedPatient(f)
	p.strangers(f)
	p.recordsOfProcessing(f)
}

// columns are the recipients' heads in the table.
var columns = map[flow.AgentID]string{demo.Coordinator: "care coordinator", demo.PriorAuth: "insurer", demo.Cohort: "lab"}

func (p *printer) views(f *facts) {
	p.heading(1, "One message, three recipients, three views")
	p.para(3, "", plain, words(plain, "The hospital's intake agent sent this referral three times, the same bytes each time (sha256 "+
		f.digest[:16]+"…). A dash is a member that was taken out on the way."))
	p.line("")
	head := []string{"", "sent"}
	for _, to := range recipients {
		head = append(head, columns[to])
	}
	var rows [][]cell
	for _, sent := range f.sent.fields {
		row := []cell{{sent.name, faint}, {short(sent.value), plain}}
		for _, to := range recipients {
			row = append(row, seen(sent.value, f.received[to].field(sent.name)))
		}
		rows = append(rows, row)
	}
	p.table(3, head, rows)
	p.line("")
	p.para(3, "", plain, words(plain, "The same facts in prose, in the same message:"))
	p.para(3, "sent", bold, words(plain, f.sent.prose))
	for _, to := range recipients {
		p.para(3, columns[to], bold, compared(f.sent.prose, f.received[to].prose))
	}
	p.line("")
	p.para(3, "", plain, words(plain, "Why, according to the hospital's journal:"))
	for _, to := range recipients {
		d := f.why[to]
		var ids []string
		for _, id := range d.policies {
			ids = append(ids, string(id))
		}
		text := append(words(plain, fmt.Sprintf("purpose %s, %s task: %s.", d.purpose, d.criticality, strings.Join(d.levels, ", "))),
			words(faint, "Policies "+strings.Join(ids, ", "))...)
		p.para(3, columns[to], bold, text)
	}
}

func seen(sent, got string) cell {
	switch got {
	case sent:
		return cell{short(got), good}
	case "":
		return cell{"-", bad}
	}
	return cell{short(got), other}
}

// short leaves out the middle of a token.
func short(s string) string {
	if strings.HasPrefix(s, "stk1_") && len(s) > 22 {
		return s[:14] + "…" + s[len(s)-5:]
	}
	return s
}

// compared marks the words that were not sent.
func compared(sent, got string) []word {
	was := strings.Fields(sent)
	var all []word
	for w := range strings.FieldsSeq(got) {
		if n := len(all) - 1; n >= 0 && strings.LastIndexByte(all[n].text, '[') > strings.LastIndexByte(all[n].text, ']') {
			all[n].text += " " + w // a stand-in is not broken
			continue
		}
		how := plain
		if !slices.Contains(was, w) {
			how = other
		}
		all = append(all, word{w, how})
	}
	return all
}

func (p *printer) refusedHops(f *facts) {
	p.heading(2, "Two agents wanted more, and were refused")
	for _, r := range f.refused {
		p.para(3, string(r.from), bold, words(plain, r.wanted+"."))
		p.para(3, "refused by", faint, words(plain, fmt.Sprintf("the gateway of the %s; it never reached %s", r.by, r.to)))
		p.para(3, "reason", faint, words(bad, r.text))
		p.para(3, "reference", faint, words(plain, fmt.Sprintf("%s, entry %d of the journal", r.reference, r.entry)))
	}
	p.para(3, "", plain, words(plain, "Both went on without, and the patient got an answer:"))
	for _, a := range f.outcome {
		p.para(3, a.who, bold, words(plain, a.text))
	}
}

func (p *printer) streamedLetter(f *facts) {
	p.heading(3, "A streamed answer, with names restored on the way home")
	for i, who := range []string{"insurer wrote", "hospital read"} {
		var all []word
		for n, piece := range f.streamed[i] {
			if n > 0 {
				all = append(all, word{"│", faint})
			}
			all = append(all, word{piece, plain})
		}
		p.pieces(fmt.Sprintf("%s, in %d pieces:", who, len(f.streamed[i])), all)
	}
	p.para(3, "", plain, words(plain, "The insurer's agent never knew the name. The gateways hold a piece back until no name and no stand-in in it can be cut in two."))
}

// pieces writes words without space between them.
func (p *printer) pieces(label string, all []word) {
	p.line("   %s", p.paint(bold, label))
	line, used := "", 0
	for _, w := range all {
		for n, part := range strings.SplitAfter(w.text, " ") {
			if part == "" && n > 0 {
				continue
			}
			if used+width(part) > p.width-6 {
				p.line("      %s", line)
				line, used = "", 0
			}
			line += p.paint(w.how, part)
			used += width(part)
		}
	}
	p.line("      %s", line)
}

func (p *printer) retriedOrder(f *facts) {
	p.heading(4, "A retried message, answered with identical bytes")
	p.para(3, "", plain, words(plain, "The front desk sent its order again, as a client does that never saw the answer."))
	for i, label := range []string{"first answer", "second answer"} {
		p.para(3, label, faint, words(plain, fmt.Sprintf("%d bytes, sha256 %s", f.retry.size, f.retry.digests[i][:32]+"…")))
	}
	times := "once"
	if f.retry.calls != 1 {
		times = fmt.Sprintf("%d times", f.retry.calls)
	}
	p.para(3, "agent called", faint, words(good, times+"; the second answer came from the gateway's own store"))
}

func (p *printer) next() {
	p.line("")
	p.line("%s", p.paint(title, "Where to look next"))
	var rows [][]cell
	for _, l := range [][2]string{
		{"scrim demo --keep", "the same, and it stays up for messages of your own"},
		{"scrim run", "a gateway round your own agents; writes a commented scrim.yaml"},
		{"scrim check FILE --to AGENT", "what a recipient would see of a text or JSON, and why"},
		{"scrim anonymize SRC --plan FILE", "a table of your own, by a plan; explain says what still shows"},
		{"scrim-verify log --key KEY DIR", "anybody's check of a log, with nothing but its key"},
		{"scrim lineage export --format svg", "a picture of what was made of what, and who got it"},
		{"scrim erase UNIT", "what is kept of a person, destroyed once it was said twice"},
		{"scrim budget show", "what each dataset may still tell, by every rule of composition"},
		{"ARCHITECTURE.md", "one message followed through the code"},
		{"internal/demo/files", "configuration, policies, schemas and the plan of the three domains"},
	} {
		rows = append(rows, []cell{{l[0], bold}, {l[1], plain}})
	}
	p.table(3, nil, rows)
}
