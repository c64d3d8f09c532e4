package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/playground"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy"
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

func (e *env) check(ctx context.Context, k *checked) (err error) {
	if k.c.Detection.Remote != nil {
		fmt.Fprintln(e.err, "note: check does not ask the service of detection.remote; a running gateway may find more")
	}
	kind := playground.JSON
	if playground.KindOf(k.content) == playground.Text {
		kind = playground.Text
	}
	script := run.Script{Query: k.query, Content: k.content, Kind: kind}
	script.Trimmed()
	k.content, k.isJSON = script.Content, kind == playground.JSON
	stage, err := run.OpenStage(ctx, k.c, e.models, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close()) }()
	s, err := stage.Look(ctx, script)
	if err != nil {
		return err
	}
	if k.asJSON {
		return e.checkJSON(s)
	}
	return e.checkText(k, s)
}

// finding is a place as it is printed in JSON.
type finding struct {
	Place  string      `json:"place"`
	Value  string      `json:"value,omitempty"` // what was found in a text
	Label  flow.Label  `json:"label"`
	Origin flow.Origin `json:"origin"`
	Score  uint8       `json:"score,omitempty"` // of what was found in a text, in percent
	Shown  string      `json:"shown"`
	By     flow.Limit  `json:"by"`
	Why    string      `json:"why"`
}

func (e *env) checkJSON(s playground.Sight) error {
	out := struct {
		Found   []finding `json:"found"`
		Seen    any       `json:"seen,omitempty"`
		Refused string    `json:"refused,omitempty"`
	}{}
	for _, p := range s.Places {
		out.Found = append(out.Found, finding{p.Place, p.Value, p.Label, p.Origin, p.Score, p.Shown, p.By, p.Why()})
	}
	switch {
	case s.Refused != nil:
		out.Refused = s.Refused.Said
	case s.JSON:
		out.Seen = json.RawMessage(s.Seen)
	default:
		out.Seen = s.Seen
	}
	enc := json.NewEncoder(e.out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	if s.Refused != nil {
		return errSaid
	}
	return nil
}

func (e *env) checkText(k *checked, s playground.Sight) error {
	st := e.style(e.out)
	f := k.query.Flow
	fmt.Fprintf(e.out, "%s  %s → %s, purpose %s, criticality %s\n", st.bold("flow "), who(f.From), who(f.To), orWord(string(f.Purpose), "none"), f.Task.Criticality)
	e.block(st.bold("sent "), k.content, k.isJSON)
	fmt.Fprintln(e.out)
	if len(s.Places) > 0 {
		t := table{head: true, paint: map[int]func(string) string{4: func(s string) string { return paintLevel(st, s) }}}
		t.add("PLACE", "FOUND", "LABEL", "SCORE", "SHOWN", "BY", "WHY")
		for _, fd := range s.Places {
			t.add(fd.Place, orWord(clip(printable(fd.Value)), "-"), string(fd.Label), sureness(fd.Score), fd.Shown, fd.By.String(), fd.Why())
		}
		t.write(e.out, st, "  ")
		fmt.Fprintln(e.out)
	}
	if s.Refused != nil {
		fmt.Fprintf(e.out, "%s  nothing: the message would be refused (%s)\n       %s\n", st.bad("seen "), s.Refused.Rule, s.Refused.Public)
		if s.Refused.Place != "" {
			fmt.Fprintf(e.out, "       at %s\n", s.Refused.Place)
		}
		if !k.why {
			fmt.Fprintln(e.err, `--why says for each label what the policies answer; --response shows it as an answer, which leaves out instead of refusing.`)
		}
	} else {
		e.block(st.bold("seen "), []byte(s.Seen), k.isJSON)
	}
	if k.why {
		if err := e.explainAll(k, s.Places); err != nil {
			return err
		}
	}
	if s.Refused != nil {
		return errSaid
	}
	return nil
}

func (e *env) explainAll(k *checked, found []playground.Place) error {
	seen := map[string]bool{}
	for _, fd := range found {
		key := fmt.Sprint(fd.Label, "\x00", fd.Leaf.Field, "\x00", fd.Leaf.Certainty())
		if seen[key] {
			continue
		}
		seen[key] = true
		ex, err := k.set.Explain(k.query, fd.Leaf)
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
