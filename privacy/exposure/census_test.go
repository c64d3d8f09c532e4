package exposure_test

import (
	"testing"

	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/store"
)

// The census counts the same facts as the list does, by label and level.
func TestTheCensusCountsWhatIsHeld(t *testing.T) {
	h := open(t, &exposure.Settings{Rules: exposure.Presets()["combinations"]})
	h.send(to("a"), born("1"), sex("1"))
	h.send(to("a"), sex("2"))
	err := h.db.View(t.Context(), func(tx store.Tx) error {
		held, _, err := exposure.List(tx, h.now)
		if err != nil {
			return err
		}
		all, err := exposure.Census(tx, h.now)
		if err != nil {
			return err
		}
		var facts, most int64
		for _, one := range all {
			facts, most = facts+one.Facts, max(most, one.Subjects)
		}
		if len(held) != 1 || len(all) < 2 || facts != held[0].Facts || most != 2 {
			t.Errorf("census %+v of %+v", all, held)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
