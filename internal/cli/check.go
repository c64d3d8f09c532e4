package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/privacy/detect"
)

// maxChecked is the most that check reads.
const maxChecked = 4 << 20

func (e *env) checkCommand() *cobra.Command {
	var q question
	var response, asJSON, why bool
	c := q.flags(e.command("check [FILE|-] --to AGENT --purpose P [--from AGENT]", "Show what an agent would see of a text or JSON, and why",
		"Takes the text or JSON of a file, or of standard input, down the whole road to the agent, and shows what was found in it,\n"+
			"what the agent would see, and which policy or tier decided. It needs no running gateway and touches no gateway's state;\n"+
			"tokens in the result are made for this one look and open nowhere.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			c, set, err := e.policies(q.file)
			if err != nil {
				return err
			}
			query, err := q.query(c)
			if err != nil {
				return err
			}
			if response {
				query.Flow.Direction = flow.Response
			}
			content, err := e.readContent(args)
			if err != nil {
				return err
			}
			return e.check(ctx, &checked{c: c, set: set, query: query, content: content, asJSON: asJSON, why: why})
		}))
	c.Flags().BoolVar(&response, "response", false, "as an answer of --from to the agent, not as a request: what may not be shown is left out instead of refusing")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&why, "why", false, "explain every label level by level")
	return c
}

func (e *env) readContent(args []string) ([]byte, error) {
	in, name, err := e.open(args)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, maxChecked+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > maxChecked:
		return nil, fmt.Errorf("%s is larger than 4 MiB", name)
	case !utf8.Valid(b):
		return nil, fmt.Errorf("%s is not UTF-8 text", name)
	case len(bytes.TrimSpace(b)) == 0:
		return nil, misuse("%s is empty; give a text or JSON to look at", name)
	}
	return b, nil
}

// checked is one look at a piece of content.
type checked struct {
	c       *config.Config
	set     *policy.Set
	query   policy.Query
	content []byte
	asJSON  bool
	why     bool
	isJSON  bool
}

// finding is a place of the content with what was decided about it.
type finding struct {
	Place  string      `json:"place"`
	Value  string      `json:"value,omitempty"` // what was found in a text
	Label  flow.Label  `json:"label"`
	Origin flow.Origin `json:"origin"`
	Score  uint8       `json:"score,omitempty"` // of what was found in a text, in percent
	Shown  string      `json:"shown"`
	By     flow.Limit  `json:"by"`
	Why    string      `json:"why"`
	leaf   flow.Leaf
}

func (e *env) check(ctx context.Context, k *checked) error {
	trimmed := bytes.TrimSpace(k.content)
	if k.isJSON = (trimmed[0] == '{' || trimmed[0] == '[') && json.Valid(trimmed); k.isJSON {
		k.content = trimmed
	} else {
		k.content = bytes.TrimRight(k.content, "\r\n")
	}
	if k.c.Detection.Remote != nil {
		fmt.Fprintln(e.err, "note: check does not ask the service of detection.remote; a running gateway may find more")
	}
	r, err := run.Rehearse(ctx, k.c, e.models, k.query, k.content, k.isJSON)
	if err != nil {
		return err
	}
	found, err := k.findings(ctx, r)
	if err != nil {
		return err
	}
	if k.asJSON {
		return e.checkJSON(r, found)
	}
	return e.checkText(k, r, found)
}

// findings lists what was decided. Values are those of the user's own file.
func (k *checked) findings(ctx context.Context, r run.Rehearsal) ([]finding, error) {
	spans, err := k.spans(ctx)
	if err != nil {
		return nil, err
	}
	if r.Refuse != nil {
		return k.undecided(spans)
	}
	var out []finding
	next := 0
	for i, l := range r.Inputs.Leaves {
		t := r.Inputs.Terms[i]
		f := finding{Place: placeOf(l.Path), Label: l.Label, Origin: l.Origin, Score: l.Score, Shown: t.Treatment.String(), By: t.By, Why: reasonOf(t), leaf: l}
		if !k.isJSON && l.Origin == flow.Detected && next < len(spans) && spans[next].Label == l.Label {
			f.Value = string(k.content[spans[next].Start:spans[next].End])
			next++
		}
		out = append(out, f)
	}
	return out, nil
}

// undecided asks about each label that stands in a text that was refused as a whole.
func (k *checked) undecided(spans []detect.Finding) ([]finding, error) {
	var out []finding
	for _, s := range spans {
		leaf := flow.Leaf{Path: "/text", Label: s.Label, Origin: flow.Detected, Score: flow.Percent(s.Score)}
		ex, err := k.set.Explain(k.query, leaf)
		if err != nil {
			return nil, err
		}
		out = append(out, finding{
			Place: "text", Value: string(k.content[s.Start:s.End]), Label: s.Label, Origin: flow.Detected, Score: leaf.Score,
			Shown: ex.Result.Treatment.String(), By: ex.Result.By, Why: reasonOf(ex.Result), leaf: leaf,
		})
	}
	return out, nil
}

// spans finds things in a text by the gateway's own detector, for their extent.
func (k *checked) spans(ctx context.Context) ([]detect.Finding, error) {
	if k.isJSON {
		return nil, nil
	}
	d, err := run.Detector(k.c)
	if err != nil {
		return nil, err
	}
	return d.Find(ctx, string(k.content), nil)
}

// placeOf is a path without the message that the content was wrapped in.
func placeOf(p flow.Path) string {
	for _, wrap := range []string{"/params/message/parts/0", "/result/message/parts/0"} {
		if rest, ok := strings.CutPrefix(string(p), wrap); ok {
			rest = strings.TrimPrefix(rest, "/data")
			if rest == "/text" {
				return "text"
			}
			return orWord(rest, "/")
		}
	}
	return string(p)
}

func (e *env) checkJSON(r run.Rehearsal, found []finding) error {
	out := struct {
		Found   []finding `json:"found"`
		Seen    any       `json:"seen,omitempty"`
		Refused string    `json:"refused,omitempty"`
	}{Found: found}
	switch {
	case r.Refuse != nil:
		out.Refused = r.Refuse.Text()
	case r.JSON:
		out.Seen = json.RawMessage(r.Seen)
	default:
		out.Seen = string(r.Seen)
	}
	enc := json.NewEncoder(e.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	if r.Refuse != nil {
		return errSaid
	}
	return nil
}

func (e *env) checkText(k *checked, r run.Rehearsal, found []finding) error {
	st := e.style(e.out)
	f := k.query.Flow
	fmt.Fprintf(e.out, "%s  %s → %s, purpose %s, criticality %s\n", st.bold("flow "), who(f.From), who(f.To), orWord(string(f.Purpose), "none"), f.Task.Criticality)
	e.block(st.bold("sent "), k.content, k.isJSON)
	fmt.Fprintln(e.out)
	if len(found) > 0 {
		t := table{head: true, paint: map[int]func(string) string{4: func(s string) string { return paintLevel(st, s) }}}
		t.add("PLACE", "FOUND", "LABEL", "SCORE", "SHOWN", "BY", "WHY")
		for _, fd := range found {
			t.add(fd.Place, orWord(clip(printable(fd.Value)), "-"), string(fd.Label), sureness(fd.Score), fd.Shown, fd.By.String(), fd.Why)
		}
		t.write(e.out, st, "  ")
		fmt.Fprintln(e.out)
	}
	if r.Refuse != nil {
		fmt.Fprintf(e.out, "%s  nothing: the message would be refused (%s)\n       %s\n", st.bad("seen "), r.Refuse.Rule, r.Refuse.Public)
		if r.Refuse.Place != "" {
			fmt.Fprintf(e.out, "       at %s\n", placeOf(r.Refuse.Place))
		}
		if !k.why {
			fmt.Fprintln(e.err, `--why says for each label what the policies answer; --response shows it as an answer, which leaves out instead of refusing.`)
		}
	} else {
		e.block(st.bold("seen "), r.Seen, k.isJSON)
	}
	if k.why {
		if err := e.explainAll(k, found); err != nil {
			return err
		}
	}
	if r.Refuse != nil {
		return errSaid
	}
	return nil
}

func (e *env) explainAll(k *checked, found []finding) error {
	seen := map[string]bool{}
	for _, fd := range found {
		key := fmt.Sprint(fd.Label, "\x00", fd.leaf.Field, "\x00", fd.leaf.Certainty())
		if seen[key] {
			continue
		}
		seen[key] = true
		ex, err := k.set.Explain(k.query, fd.leaf)
		if err != nil {
			return err
		}
		fmt.Fprintf(e.out, "\n%s", ex)
	}
	return nil
}

// block prints a text or JSON beside its heading.
func (e *env) block(heading string, content []byte, isJSON bool) {
	if isJSON {
		var b bytes.Buffer
		if json.Indent(&b, content, "", "  ") == nil {
			content = b.Bytes()
		}
	}
	text := printable(string(content))
	fmt.Fprintf(e.out, "%s  %s\n", heading, strings.ReplaceAll(text, "\n", "\n       "))
}

func paintLevel(st style, s string) string {
	switch level, _, _ := strings.Cut(strings.TrimSpace(s), "("); level {
	case "raw":
		return st.good(s)
	case "dropped":
		return st.bad(s)
	}
	return st.warn(s)
}

// sureness is a score as it is shown; what was not found in a text has none.
func sureness(score uint8) string {
	if score == 0 {
		return "-"
	}
	return fmt.Sprintf("%d %%", score)
}

// clip keeps a found value to one short line.
func clip(s string) string {
	const most = 40
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
