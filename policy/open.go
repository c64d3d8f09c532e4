package policy

import (
	cedar "github.com/cedar-policy/cedar-go"

	"github.com/scrimhq/scrim/flow"
)

// MayOpen reports whether the recipient of the flow may have a token replaced by the value behind it, with the policies
// that determined it and the reason in words.
//
// Without a policy that permits the action open, it may not. A token opens only when it comes from the domain that it was
// minted for: if that is not the sender's, no policy is asked. Answers are not cached. With an error comes false.
func (s *Set) MayOpen(q OpenQuery) (bool, []flow.PolicyID, string, error) {
	if q.MintedFor == "" || q.MintedFor != q.Flow.From.Domain {
		return false, nil, "the token was not minted for the domain that it comes from", nil
	}
	label := q.Label
	if label == "" {
		label = flow.Unlabelled
	}
	v := s.view(&q.Query)
	m := s.context(&q.Query)
	m["same_task"] = cedar.Boolean(q.SameTask)
	m["is_supplier"] = cedar.Boolean(q.Supplier != "" && q.Supplier == q.Flow.To.Agent)
	m["minted_for"] = uid(typeDomain, q.MintedFor)
	v.context = cedar.NewRecord(m)
	ans := s.enforced.ask(v, s.snap.class(label), actOpen).to(actOpen)
	switch {
	case ans.allowed():
		return true, ids(ans.permits), firstReason(ans.permits), nil
	case len(ans.failed) > 0:
		return false, ids(ans.failed, ans.forbids), "policy " + string(ids(ans.failed)[0]) + " could not be evaluated", nil
	case len(ans.forbids) > 0:
		if words := firstReason(ans.forbids); words != "" {
			return false, ids(ans.forbids), words, nil
		}
		return false, ids(ans.forbids), "policy " + string(ids(ans.forbids)[0]) + " forbids it", nil
	}
	return false, nil, "no policy permits opening", nil
}
