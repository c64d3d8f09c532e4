package cli

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/privacy/dp/account"
	"github.com/scrimhq/scrim/privacy/dp/audit"
)

func (e *env) dpAuditCommand() *cobra.Command {
	return e.group("audit", "Test whether mechanisms keep what they claim",
		e.auditSamplersCommand(), e.auditMechanismCommand(), e.auditOneRunCommand(), e.auditLedgerCommand(), e.auditQueryCommand())
}

// auditVerdict is how every audit ends: what was found, and what that says.
type auditVerdict struct {
	Verdict string   `json:"verdict"` // one of the words below
	Sees    string   `json:"sees"`    // the threat model: what the attacker of this audit sees
	Proves  []string `json:"proves"`  // what the verdict says and what it does not
}

const (
	notRefuted = "not refuted"
	refuted    = "refuted"
	onlyBound  = "bound" // nothing was claimed
	fits       = "fits"
	unfit      = "does not fit"
	holds      = "holds"
	broken     = "broken"
)

func (v auditVerdict) bad() bool {
	return v.Verdict == refuted || v.Verdict == unfit || v.Verdict == broken
}

// ended is the exit status of a verdict.
func (v auditVerdict) ended() error {
	if v.bad() {
		return errSaid
	}
	return nil
}

func (e *env) printJSON(v any) error {
	out := json.NewEncoder(e.out)
	out.SetEscapeHTML(false)
	return out.Encode(v)
}

// printVerdict ends the text of an audit.
func (e *env) printVerdict(v auditVerdict) {
	s := e.style(e.out)
	paint := s.good
	if v.bad() {
		paint = s.bad
	}
	e.auditLine("verdict", "%s", paint(v.Verdict))
	e.auditLine("attacker", "sees %s", v.Sees)
	for _, p := range v.Proves {
		e.auditLine("", "%s", p)
	}
}

// auditLine is one line of the text of an audit.
func (e *env) auditLine(what, format string, args ...any) {
	fmt.Fprintf(e.out, "%s %s\n", e.style(e.out).faint(fmt.Sprintf("%-9s", what)), fmt.Sprintf(format, args...))
}

// auditMistake makes misuse of the command of a parameter that breaks a rule; flags are the names of parameters on the command line.
func auditMistake(err error, flags map[string]string) error {
	member, rule := "", ""
	var ofAudit *audit.Error
	var ofAccount *account.Error
	switch {
	case errors.As(err, &ofAudit):
		member, rule = ofAudit.Member, ofAudit.Rule
	case errors.As(err, &ofAccount):
		member, rule = ofAccount.Member, ofAccount.Rule
	}
	if flag := flags[member]; flag != "" {
		return misuse("--%s %s", flag, rule)
	}
	return err
}

func claimed(c audit.Claim) string { return fmt.Sprintf("ε = %g, δ = %g", c.Epsilon, c.Delta) }
