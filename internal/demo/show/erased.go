package show

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/erasure"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/demo/patients"
	"github.com/scrimhq/scrim/privacy/vault"
)

// erased is what became of what the hospital's gateway kept of the patient.
type erased struct {
	before, after erasure.Kept
	token         string // that the insurer holds
	entry         int64  // of the erasure in the journal
	journal       int64  // entries that fit the log afterwards
}

// erase destroys what the hospital's gateway keeps of the patient.
func (s *system) erase(ctx context.Context, f *facts) error {
	g := s.gateways[demo.Hospital]
	office := g.Erasures(g.Config())
	patient := erasure.Subject{Unit: "patient", Value: flow.NewSecret(patients.FeaturedMRN)}
	e := erased{}
	for _, field := range f.received[demo.PriorAuth].fields {
		if strings.HasPrefix(field.value, "stk1_") {
			e.token = field.value
		}
	}
	if _, err := g.Vault.Resolve(ctx, e.token); err != nil {
		return fmt.Errorf("the insurer's token: %w", err)
	}
	asked, err := office.Ask(ctx, patient, flow.Secret{})
	if err != nil {
		return err
	}
	e.before = asked.Kept
	done, err := office.Confirm(ctx, asked.ID, patient, flow.Secret{})
	if err != nil {
		return fmt.Errorf("erasing the patient: %w", err)
	}
	if _, err := g.Vault.Resolve(ctx, e.token); !errors.Is(err, vault.ErrNoToken) {
		return errors.New("a token of an erased patient still resolves")
	}
	if e.after, err = office.Look(ctx, patient); err != nil {
		return err
	}
	if e.after != (erasure.Kept{}) {
		return errors.New("something is still kept of an erased patient")
	}
	for row, err := range g.Log.Entries(ctx, audit.Query{Flow: done.Reference}) {
		if err != nil {
			return fmt.Errorf("reading the journal: %w", err)
		}
		e.entry = row.Seq
	}
	report, err := g.Log.Verify(ctx)
	if err != nil {
		return fmt.Errorf("verifying the journal after an erasure: %w", err)
	}
	e.journal = report.Entries
	f.erased = e
	return nil
}

func (p *printer) erasedPatient(f *facts) {
	e := f.erased
	p.heading(10, "A patient is erased, and every proof holds")
	p.para(3, "", plain, words(plain, "The patient asks the hospital to be forgotten. Its gateway counts what it keeps, asks to confirm, and destroys the patient's key; the record holds "+
		"commitments that nothing opens any more."))
	p.para(3, "was kept", faint, words(plain, fmt.Sprintf("a key, %d tokens, %d rows that lead to the patient's events, %d stored answers", e.before.Tokens+e.before.Values, e.before.Events, e.before.Answers)))
	p.para(3, "is kept", faint, words(good, "nothing"))
	p.para(3, "token", faint, append(words(plain, short(e.token)+", which the insurer holds:"), words(bad, "does not resolve")...))
	p.para(3, "on record", faint, words(plain, fmt.Sprintf("entry %d says that somebody was erased, and not who; all %d rows still fit the log", e.entry, e.journal)))
}
