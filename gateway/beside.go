package gateway

import (
	"slices"

	"github.com/scrimhq/scrim/privacy/detect"
)

// readWhole looks at texts that are there as a whole, each of them an index of c.texts, with the engine and with the
// detectors beside it. These see all texts of a message at once.
func (c *collector) readWhole(whole []int) error {
	texts := make([]string, len(whole))
	found := make([][]detect.Finding, len(whole))
	for i, at := range whole {
		texts[i] = c.texts[at].prose
		var err error
		if found[i], err = c.detector().Find(c.ctx, texts[i], c.set); err != nil {
			return c.unlooked(at, err)
		}
		found[i] = c.detector().Columns(texts[i], found[i], c.texts[at].file.isTable())
	}
	for i := range c.m.Snapshot.Beside {
		b := &c.m.Snapshot.Beside[i]
		err := b.Add(c.ctx, texts, found)
		switch {
		case err == nil:
		case c.ctx.Err() != nil || !b.Drop:
			return c.unlooked(whole[0], err)
		default: // nobody knows which of the texts it was
			c.g.Fault(err)
			for _, at := range whole {
				c.texts[at].unread = true
			}
			return nil
		}
	}
	for i, at := range whole {
		c.texts[at].parts = partsOf(found[i], texts[i])
	}
	return nil
}

func (c *collector) unlooked(text int, err error) error {
	return refuse(RuleInternal, c.leaves[c.texts[text].leaf].Path, err, "The gateway could not look at this text, so the flow did not happen.")
}

// holdsTexts reports whether texts that come in pieces are held until a detector beside the engine can look at them.
func (s *Snapshot) holdsTexts() bool {
	return slices.ContainsFunc(s.Beside, func(b detect.Beside) bool { return !b.Apart })
}
