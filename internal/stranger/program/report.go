package program

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/scrimhq/scrim/internal/stranger/verify"
)

// report is what was checked and what came of it; docs/spec/verify.md describes its JSON.
type report struct {
	OK      bool            `json:"ok"`
	Command string          `json:"command"`
	Logs    []logReport     `json:"logs,omitempty"`
	Report  *counted        `json:"report,omitempty"`
	Failure *verify.Failure `json:"failure,omitempty"`
}

type logReport struct {
	Address string `json:"address,omitempty"`
	Origin  string `json:"origin,omitempty"`
	Size    int64  `json:"size"`
	Root    string `json:"root,omitempty"`

	Cosigned []verify.Cosigned `json:"cosigned,omitempty"`
	Quorum   string            `json:"quorum,omitempty"`

	Leaves  string `json:"leaves,omitempty"`  // "entries" or "hashes": what the root was computed from
	Entries int64  `json:"entries,omitempty"` // looked at
	Tiles   int64  `json:"tiles,omitempty"`
	First   int64  `json:"first,omitempty"` // sequence numbers
	Last    int64  `json:"last,omitempty"`
	Earlier int    `json:"earlier"` // checkpoints the log was found to begin with
	Follows string `json:"follows,omitempty"`
	Index   *int64 `json:"index,omitempty"`
	Hash    string `json:"hash,omitempty"`
	Millis  int64  `json:"millis"`

	began time.Time
}

// log begins the report on one log; what is filled in later shows also if a check fails.
func (r *report) log(address string) *logReport {
	r.Logs = append(r.Logs, logReport{Address: address, began: time.Now()})
	return &r.Logs[len(r.Logs)-1]
}

func (l *logReport) checkpoint(c verify.Checkpoint, p *verify.Policy) {
	l.Origin, l.Size, l.Root, l.Cosigned = c.Origin, c.Size, c.Root.String(), c.Cosigned
	if p.Quorum != nil {
		l.Quorum = p.Quorum.Name
	}
}

func (l *logReport) end() { l.Millis = time.Since(l.began).Milliseconds() }

func (r *report) print(w io.Writer, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(r)
	}
	var b strings.Builder
	for i := range r.Logs {
		l := &r.Logs[i]
		l.print(&b, r.Failure == nil || i < len(r.Logs)-1)
	}
	if c := r.Report; c != nil && r.Failure == nil {
		said := fmt.Sprintf("every figure was counted again in %d entries", c.Entries)
		if !c.Counted {
			said = "figures were NOT counted again"
		}
		if c.Person {
			said += "; it is about one person, and whether it tells of all that was disclosed no log shows"
		}
		fmt.Fprintf(&b, "ok    report %s, made %s: %s\n", printable(c.Kind), c.Time.Format(time.RFC3339), said)
	}
	if r.Failure != nil {
		fmt.Fprintf(&b, "FAIL  %s\n", printable(r.Failure.Error()))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (l *logReport) print(b *strings.Builder, ok bool) {
	if l.Origin == "" {
		return
	}
	word := "ok  "
	if !ok {
		word = "    "
	}
	fmt.Fprintf(b, "%s  %s: %d entries, root %s\n", word, printable(l.Origin), l.Size, l.Root)
	say := func(format string, args ...any) { fmt.Fprintf(b, "      "+format+"\n", args...) }
	for _, c := range l.Cosigned {
		say("cosigned by %s at %s", printable(c.Name), c.Time.Format(time.RFC3339))
	}
	if !ok {
		return
	}
	if l.Quorum != "" {
		say("quorum: %s", printable(l.Quorum))
	}
	switch l.Leaves {
	case "entries":
		say("every entry was read and %d hash tiles were compared, in %d ms", l.Tiles, l.Millis)
	case "hashes":
		say("entries were NOT read: %d hash tiles lead to the signed root, in %d ms", l.Tiles, l.Millis)
	}
	if l.First > 0 {
		say("numbers %d to %d", l.First, l.Last)
	}
	if l.Follows != "" {
		say("follows %s", printable(l.Follows))
	}
	if l.Earlier > 0 {
		say("begins with %d earlier checkpoint(s)", l.Earlier)
	}
	if l.Index != nil {
		say("holds entry %d, leaf hash %s", *l.Index, l.Hash)
	}
}

// printable keeps what a hostile log says from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}
