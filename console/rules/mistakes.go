package rules

import (
	"fmt"

	"github.com/scrimhq/scrim/console/draft"
)

// Told is a mistake in the list above a text, with where a link to it leads.
type Told struct {
	draft.Mistake
	To string // "": its line is not shown on any page
}

// mostTold is how many mistakes are listed above a text. All are in the page's twin.
const mostTold = 100

// tell keeps what is wrong with a draft, and shows its text with the mistakes in their lines.
func (w *Working) tell(ms draft.Mistakes, force draft.Force) {
	mine := ms.Of(w.Editing)
	w.Mistakes, w.Source, w.Inline = ms, draft.Around(w.Text, mine), draft.Inline(w.Text, mine)
	shown := map[int]bool{}
	wrong := false
	for _, l := range w.Inline {
		shown[l.Number] = true
		wrong = wrong || len(l.Mistakes) > 0
	}
	if !wrong {
		w.Inline = nil // what is wrong is in no line of this file
	}
	for _, m := range ms[:min(len(ms), mostTold)] {
		w.Told = append(w.Told, Told{m, w.place(m, shown, force)})
	}
	w.Untold = len(ms) - len(w.Told)
}

// place is the address of a mistake's line: on this page, or on that of another file of the draft.
func (w *Working) place(m draft.Mistake, shown map[int]bool, force draft.Force) string {
	switch {
	case m.Line < 1 || m.File == "":
		return ""
	case m.File == w.Editing:
		if shown[m.Line] {
			return fmt.Sprintf("#line-%d", m.Line)
		}
		return ""
	case force.Editable(m.File):
		return fmt.Sprintf("?file=%s#line-%d", escaped(m.File), m.Line)
	}
	return ""
}
