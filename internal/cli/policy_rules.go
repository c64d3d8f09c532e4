package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/gateway/governance"
	"github.com/scrimhq/scrim/internal/config"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/policy/change"
	"github.com/scrimhq/scrim/store"
)

// governance are the commands that change the rules that decide.
func (e *env) governance() []*cobra.Command {
	return []*cobra.Command{e.policyPropose(), e.policyProposals(), e.policyShow(), e.policyApprove(), e.policyReject(), e.policyWithdraw(), e.policyRollback(), e.policyHistory(), e.policyReview()}
}

// askRules does something with the rules of a gateway: through the admin API if one is running, otherwise in its state.
func askRules[Q, A any](ctx context.Context, e *env, file, path string, q Q, do func(context.Context, *api.Rules, Q) (A, error)) (out A, err error) {
	place, err := config.Load(file)
	if err != nil {
		if place, err = config.LoadPlace(file); err != nil { // a working copy may be wrong; its place may not
			_, err = e.load(file)
			return out, err
		}
	}
	if !hasState(place) {
		return out, refuse(`Start one with "scrim run", or name another configuration with -c.`, "no gateway has run on %s yet", place.Data)
	}
	err = hereOrThere(place,
		func(a *adminClient) error { return a.call(ctx, http.MethodPost, path, q, &out) },
		func() error {
			c, ruled, err := run.LoadRuled(ctx, file, run.Options{Models: e.models})
			if err != nil {
				return err
			}
			if !ruled {
				return refuse("List approvers under governance in the configuration and start the gateway: what lies on disk is then version 1. See docs/spec/governance.md.", "%v", governance.ErrNone)
			}
			st, err := run.OpenState(ctx, c, store.Options{})
			if err != nil {
				return err
			}
			r, err := st.APIRules(ctx, c, e.models)
			if err == nil {
				out, err = do(ctx, r, q)
			}
			return errors.Join(err, st.Close())
		})
	return out, err
}

// ruleFlags are those of commands that take a step.
type ruleFlags struct{ file, credential, reason, effective string }

func (f *ruleFlags) credentialFlag(c *cobra.Command, whose string) *cobra.Command {
	c.Flags().StringVar(&f.credential, "credential", "", "file with "+whose)
	return fileFlag(c, &f.file)
}

func (f *ruleFlags) reasonFlag(c *cobra.Command, why string) *cobra.Command {
	c.Flags().StringVar(&f.reason, "reason", "", why)
	return c
}

func (f *ruleFlags) dateFlag(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.effective, "effective", "", "when it comes into force, such as 2027-01-31T08:00:00Z (default: once it is approved)")
	return c
}

// of reads what the flags name.
func (f *ruleFlags) of() (q api.OfRules, err error) {
	q.Reason = f.reason
	if f.credential != "" {
		b, err := os.ReadFile(f.credential)
		if err != nil {
			return q, fmt.Errorf("reading the credential: %w", err)
		}
		q.Credential = strings.TrimSpace(string(b))
	}
	if f.effective != "" {
		if q.Effective, err = time.Parse(time.RFC3339, f.effective); err != nil {
			return q, misuse("--effective is not a time such as 2027-01-31T08:00:00Z")
		}
	}
	return q, nil
}

func (e *env) policyPropose() *cobra.Command {
	var f ruleFlags
	var look bool
	c := e.command("propose --reason TEXT [--effective TIME]", "Propose what lies on disk in the place of the rules in force",
		"The configuration, its policies with their tests, contracts, schemas and what else it names are taken as one. They are built first, and\n"+
			"the policy tests run: what could not be put in force is refused. A proposal that may reveal more than the rules in force, or\n"+
			"cannot be shown not to, needs two people; one that provably reveals no more needs one approval.", nil,
		func(ctx context.Context, _ []string) error { return e.proposeRules(ctx, &f, look) })
	c.Flags().BoolVar(&look, "look", false, "say what it would be, and propose nothing")
	return f.credentialFlag(f.dateFlag(f.reasonFlag(c, "why, for those who approve and for the log")), "the author's credential; absent: the operator proposes")
}

func (e *env) proposeRules(ctx context.Context, f *ruleFlags, look bool) error {
	of, err := f.of()
	if err != nil {
		return err
	}
	if of.Reason == "" && !look {
		return misuse("write why, with --reason")
	}
	c, err := e.load(f.file)
	if err != nil {
		return err
	}
	files, err := c.RuleFiles()
	if err != nil {
		return err
	}
	packed, err := api.PackRules(change.RuleSet{Files: files})
	if err != nil {
		return err
	}
	status, err := askRules(ctx, e, f.file, "/api/v1/rules/status", api.OfRules{}, api.ShowRulesStatus)
	if err != nil {
		return err
	}
	draft := api.DraftRules{Base: status.Version.Digest, Rules: packed, Reason: of.Reason, Effective: of.Effective, Credential: of.Credential, Look: look}
	if look && draft.Reason == "" {
		draft.Reason = "a look"
	}
	p, err := askRules(ctx, e, f.file, "/api/v1/rules/propose", draft, api.ProposeRules)
	if err != nil {
		return err
	}
	if look {
		fmt.Fprintf(e.out, "other than in version %d: %s\n", status.Version.Version, strings.Join(status.Drift, " "))
	} else {
		fmt.Fprintf(e.out, "proposal  %s\nfiles     %s\n", p.ID, strings.Join(status.Drift, " "))
	}
	e.says(p)
	if !look {
		fmt.Fprintf(e.out, "\nNothing has changed yet. Those who approve look at it and name its digest:\n  scrim policy show %s\n  scrim policy approve %s --digest %s --credential FILE\n", p.ID, p.ID, p.Digest)
	}
	return nil
}

// says tells what a proposal is.
func (e *env) says(p change.Proposal) {
	t := table{}
	t.add("digest", p.Digest.String())
	t.add("base", p.Base.String())
	t.add("author", p.Author)
	if p.Reveals {
		t.add("reveals", "more, or cannot be shown not to: "+plain(p.Why))
	} else {
		t.add("reveals", "no more than the rules in force")
	}
	t.add("in force", when(p))
	if p.Restart {
		t.add("restart", "it changes what is fixed while a gateway runs, and comes into force at a restart")
	}
	t.write(e.out, e.style(e.out), "")
}

func when(p change.Proposal) string {
	if p.Effective.IsZero() {
		return "once it is approved"
	}
	return "from " + p.Effective.Format(time.RFC3339) + ", if it is approved"
}

func (e *env) policyProposals() *cobra.Command {
	var file string
	var ended bool
	c := fileFlag(e.command("proposals [--ended]", "List proposals that are under way", "", nil,
		func(ctx context.Context, _ []string) error {
			all, err := askRules(ctx, e, file, "/api/v1/rules/proposals", api.OfRules{Ended: ended}, api.ListProposals)
			if err != nil {
				return err
			}
			t := table{head: true}
			t.add("PROPOSAL", "STATE", "REVEALS", "AUTHOR", "APPROVED BY", "IN FORCE", "REASON")
			for _, p := range all {
				reveals := "no more"
				if p.Reveals {
					reveals = "more"
				}
				state := string(p.State)
				if p.Restart && p.State == change.Approved {
					state += ", at a restart"
				}
				t.add(p.ID, state, reveals, p.Author, strings.Join(approvedBy(p), " "), when(p), plain(p.Reason))
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		}), &file)
	c.Flags().BoolVar(&ended, "ended", false, "those that ended instead")
	return c
}

func approvedBy(p change.Proposal) (all []string) {
	for _, a := range p.Approvals {
		all = append(all, a.By)
	}
	return all
}

func (e *env) policyShow() *cobra.Command {
	var file string
	return fileFlag(e.command("show PROPOSAL | VERSION", "Show what a proposal or a version changes, line by line",
		"A version is a number, and compared with the one before it. A proposal is compared with the rules that it was made on; the digest\n"+
			"that is printed is that of the rules that are shown.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			q := api.OfRules{ID: args[0]}
			if n, err := strconv.ParseInt(args[0], 10, 64); err == nil {
				q = api.OfRules{Version: n}
			}
			s, err := askRules(ctx, e, file, "/api/v1/rules/show", q, api.ShowRules)
			if err != nil {
				return err
			}
			if p := s.Proposal; p.ID != "" {
				fmt.Fprintf(e.out, "proposal %s, made %s, is %s", p.ID, p.Made.Format(time.RFC3339), p.State)
				if p.Ended != "" {
					fmt.Fprintf(e.out, ": %s", plain(p.Ended))
				}
				fmt.Fprintf(e.out, "\nreason: %s\n", plain(p.Reason))
				e.says(p)
				for _, a := range p.Approvals {
					fmt.Fprintf(e.out, "approved by %s at %s\n", a.By, a.Time.Format(time.RFC3339))
				}
				if s.Missing != "" {
					fmt.Fprintln(e.out, s.Missing)
				}
			} else {
				e.saysVersion(s.Version)
			}
			if s.Gone {
				fmt.Fprintln(e.out, "\nWhat it would have changed is gone: rules of a proposal that ended without coming into force are not kept.")
			}
			for _, f := range s.Changes {
				e.lines(f)
			}
			return nil
		}), &file)
}

func (e *env) saysVersion(v governance.Version) {
	fmt.Fprintf(e.out, "version %d, in force since %s, entry %d of the journal (%s)\ndigest %s\n", v.Version, v.Since.Format(time.RFC3339), v.Row, v.Reference, v.Digest)
	if v.Proposal == "" {
		fmt.Fprintln(e.out, "it lay on disk when governance began")
		return
	}
	fmt.Fprintf(e.out, "proposal %s by %s\nreason: %s\n", v.Proposal, strings.Join(v.By, ", "), plain(v.Reason))
}

// lines prints what of a file's lines differs.
func (e *env) lines(f change.FileChange) {
	st := e.style(e.out)
	switch {
	case f.Old == nil:
		fmt.Fprintf(e.out, "\n%s (new)\n", st.bold(plain(f.Name)))
	case f.New == nil:
		fmt.Fprintf(e.out, "\n%s (removed)\n", st.bold(plain(f.Name)))
	default:
		fmt.Fprintf(e.out, "\n%s\n", st.bold(plain(f.Name)))
	}
	for _, l := range change.Lines(f.Old, f.New) {
		switch text := plain(l.Text); l.Sign {
		case '-':
			fmt.Fprintf(e.out, "%s\n", st.bad(fmt.Sprintf("%5d - %s", l.Number, text)))
		case '+':
			fmt.Fprintf(e.out, "%s\n", st.good(fmt.Sprintf("%5d + %s", l.Number, text)))
		}
	}
}

// plain is text of others that can be shown: no control character in it steers the terminal, and none lets it be read in another order than the gateway
// reads it.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c, r == 0xfeff, r >= 0x200b && r <= 0x200d:
			return '�'
		}
		return r
	}, printable(s))
}

func (e *env) policyApprove() *cobra.Command {
	var f ruleFlags
	var digest string
	var draw bool
	c := e.command("approve PROPOSAL --digest DIGEST --credential FILE", "Approve a proposal", "The digest is that of the rules that were looked at, as show prints it, or its first 16 digits at least.", cobra.MaximumNArgs(1),
		func(ctx context.Context, args []string) error {
			if draw {
				e.drawCredential("governance.approvers")
				return nil
			}
			if len(args) != 1 || len(digest) < 16 || f.credential == "" {
				return misuse("write which proposal, --digest as \"scrim policy show\" prints it, and --credential")
			}
			q, err := f.of()
			if err != nil {
				return err
			}
			q.ID = args[0]
			all, err := askRules(ctx, e, f.file, "/api/v1/rules/proposals", api.OfRules{}, api.ListProposals)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(all, func(p change.Proposal) bool { return p.ID == q.ID })
			if i < 0 {
				return refuse("List them with \"scrim policy proposals\".", "no proposal %s is under way", plain(q.ID))
			}
			if q.Digest = all[i].Digest; !strings.HasPrefix(q.Digest.String(), strings.ToLower(digest)) {
				return refuse("Look at it again: \"scrim policy show "+q.ID+"\".", "%v", change.ErrDigest)
			}
			p, err := askRules(ctx, e, f.file, "/api/v1/rules/approve", q, api.ApproveRules)
			if err != nil {
				return err
			}
			return e.stands(p)
		})
	c.Flags().StringVar(&digest, "digest", "", "of the rules that are approved")
	c.Flags().BoolVar(&draw, "new-credential", false, "draw an approver's credential")
	return f.credentialFlag(c, "the approver's credential")
}

// stands says how far a proposal is after a step.
func (e *env) stands(p change.Proposal) error {
	switch p.State {
	case change.Open:
		fmt.Fprintf(e.out, "approved by %s; more approvals are needed\n", strings.Join(approvedBy(p), ", "))
	case change.Approved:
		if p.Restart && p.Due(time.Now()) {
			fmt.Fprintln(e.out, "approved; it comes into force when the gateway is restarted")
		} else {
			fmt.Fprintf(e.out, "approved; in force from %s\n", p.Effective.Format(time.RFC3339))
		}
	case change.Active:
		fmt.Fprintf(e.out, "approved and in force: %s\n", plain(p.Ended))
	case change.Failed:
		return refuse("The rules before stay in force. Mend it and propose again.", "approved, but %s", plain(p.Ended))
	default:
		fmt.Fprintf(e.out, "%s: %s\n", p.State, plain(p.Ended))
	}
	return nil
}

func (e *env) policyReject() *cobra.Command {
	var f ruleFlags
	c := e.command("reject PROPOSAL --reason TEXT --credential FILE", "Reject a proposal, until it is in force", "", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			return e.ruleStep(ctx, &f, args[0], "/api/v1/rules/reject", api.RejectRules)
		})
	return f.credentialFlag(f.reasonFlag(c, "why, for its author and for the log"), "the approver's credential")
}

func (e *env) policyWithdraw() *cobra.Command {
	var f ruleFlags
	c := e.command("withdraw PROPOSAL [--credential FILE]", "Take a proposal back", "", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			return e.ruleStep(ctx, &f, args[0], "/api/v1/rules/withdraw", api.WithdrawRules)
		})
	return f.credentialFlag(c, "the author's credential; absent: the operator made it")
}

func (e *env) ruleStep(ctx context.Context, f *ruleFlags, id, path string, do func(context.Context, *api.Rules, api.OfRules) (change.Proposal, error)) error {
	q, err := f.of()
	if err != nil {
		return err
	}
	q.ID = id
	p, err := askRules(ctx, e, f.file, path, q, do)
	if err != nil {
		return err
	}
	return e.stands(p)
}

func (e *env) policyRollback() *cobra.Command {
	var f ruleFlags
	c := e.command("rollback VERSION --reason TEXT", "Propose to go back to an earlier version of the rules",
		"It is a proposal like any other: one approval is enough if the earlier rules provably reveal no more than those in force.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			q, err := f.of()
			if err != nil {
				return err
			}
			if q.Version, err = strconv.ParseInt(args[0], 10, 64); err != nil || q.Version < 1 {
				return misuse("a version is a number, as \"scrim policy history\" lists them")
			}
			p, err := askRules(ctx, e, f.file, "/api/v1/rules/rollback", q, api.BackRules)
			if err != nil {
				return err
			}
			fmt.Fprintf(e.out, "proposal  %s\n", p.ID)
			e.says(p)
			fmt.Fprintf(e.out, "\nNothing has changed yet:\n  scrim policy approve %s --digest %s --credential FILE\n", p.ID, p.Digest)
			return nil
		})
	return f.credentialFlag(f.dateFlag(f.reasonFlag(c, "why, for those who approve and for the log")), "the author's credential; absent: the operator proposes")
}

func (e *env) policyHistory() *cobra.Command {
	var file string
	return fileFlag(e.command("history", "List the versions of the rules, and what on disk differs from the one in force",
		"The version in force is compared with its entry of the log, and the log is searched for a later one.", nil,
		func(ctx context.Context, _ []string) error {
			all, err := askRules(ctx, e, file, "/api/v1/rules/history", api.OfRules{}, api.RulesHistory)
			if err != nil {
				return err
			}
			status, err := askRules(ctx, e, file, "/api/v1/rules/status", api.OfRules{}, api.ShowRulesStatus)
			if err != nil {
				return err
			}
			t := table{head: true}
			t.add("VERSION", "SINCE", "DIGEST", "BY", "ENTRY", "REASON")
			for _, v := range all {
				reason := plain(v.Reason)
				if v.Proposal == "" {
					reason = "adopted from disk"
				}
				t.add(fmt.Sprint(v.Version), v.Since.Format(time.RFC3339), short(v.Digest.String()), strings.Join(v.By, " "), fmt.Sprint(v.Row), reason)
			}
			t.write(e.out, e.style(e.out), "")
			switch {
			case status.Wrong != "":
				fmt.Fprintf(e.out, "\nWhat lies on disk is no set of rules: %s\n", status.Wrong)
			case len(status.Drift) > 0:
				fmt.Fprintf(e.out, "\nOn disk, other than in force and without effect: %s\n", strings.Join(status.Drift, " "))
			}
			return nil
		}), &file)
}

func (e *env) policyReview() *cobra.Command {
	var f ruleFlags
	var done string
	c := e.command("review [--done WHAT --reason TEXT --credential FILE]", "List what somebody should look at again, or say that it was done",
		"Policies and budgets are due after the times under governance.review, contracts after the date of review in them.", nil,
		func(ctx context.Context, _ []string) error {
			q, err := f.of()
			if err != nil {
				return err
			}
			if q.What = done; done != "" {
				if _, err := askRules(ctx, e, f.file, "/api/v1/rules/review", q, api.ReviewRules); err != nil {
					return err
				}
				fmt.Fprintln(e.out, "on record")
				return nil
			}
			s, err := askRules(ctx, e, f.file, "/api/v1/rules/status", api.OfRules{}, api.ShowRulesStatus)
			if err != nil {
				return err
			}
			t := table{head: true}
			t.add("DUE", "SINCE", "LAST", "BY")
			for _, d := range s.Reviews {
				last := ""
				if !d.Last.IsZero() {
					last = d.Last.Format(time.RFC3339)
				}
				t.add(plain(d.What), d.Since.Format(time.RFC3339), last, d.By)
			}
			t.write(e.out, e.style(e.out), "")
			return nil
		})
	c.Flags().StringVar(&done, "done", "", "what was looked at: policies, budgets, or a contract's id")
	return f.credentialFlag(f.reasonFlag(c, "what was found"), "the approver's credential")
}
