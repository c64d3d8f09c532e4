package show

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/scrimhq/scrim/internal/demo/mosaic"
	"github.com/scrimhq/scrim/internal/demo/patients"
)

// puzzle is what three agents of an insurer put together, without the exposure memory and with it.
type puzzle struct{ off, on mosaic.Result }

// list is how many people the list holds that everybody is looked up in.
const list = 100_000

// attack has three agents of one domain put their pieces together.
func (s *system) attack(ctx context.Context, f *facts) (err error) {
	opt := mosaic.Options{Patients: 40, Population: list}
	opt.People = patients.Generate(1, opt.Population)
	if f.puzzle.off, err = mosaic.Run(ctx, filepath.Join(s.dir, "mosaic", "off"), false, opt); err != nil {
		return fmt.Errorf("putting pieces together: %w", err)
	}
	if f.puzzle.on, err = mosaic.Run(ctx, filepath.Join(s.dir, "mosaic", "on"), true, opt); err != nil {
		return fmt.Errorf("putting pieces together: %w", err)
	}
	return nil
}

func (p *printer) pieced(f *facts) {
	p.heading(8, "Pieces that would fit together")
	p.para(3, "", plain, words(plain, fmt.Sprintf("Three agents of an insurer each asked about %d patients, weeks apart: one for the sex, one for the postal code, one for the date of "+
		"birth. Policy lets each pass, since each is harmless. They put the pieces together by the token they have in common, and looked them up in a list of %d people.", f.puzzle.off.Patients, list)))
	p.line("")
	var rows [][]cell
	for _, r := range []struct {
		name string
		mosaic.Result
		how paint
	}{{"without memory", f.puzzle.off, bad}, {"with exposure memory", f.puzzle.on, good}} {
		held := r.Featured
		rows = append(rows, []cell{{r.name, bold}, {fmt.Sprintf("%d of %d", r.SingledOut, r.Patients), r.how},
			{orDash(held["sex"]), plain}, {orDash(held["postal_code"]), plain}, {orDash(held["birth_date"]), plain}, {fmt.Sprint(r.Fits), r.how}})
	}
	p.table(3, []string{"", "singled out", "sex", "postal code", "born", "fit"}, rows)
	p.para(3, "", plain, words(plain, "On the right, what they hold of one patient, and how many people of the list it fits. One piece alone may still single somebody out: policy decides about that, not memory."))
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
