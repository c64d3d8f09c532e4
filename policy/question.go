package policy

import "github.com/scrimhq/scrim/flow"

// Techniques are the ways in which questions about a dataset are answered: each is an action on the dataset.
var techniques = map[string]action{
	"aggregate": actAggregate, "synthesize": actSynthesize, "match": actMatch, "compute": actCompute, "score": actScore, "train": actTrain,
}

// MayAsk reports whether the recipient of the flow, which is the answer's, may have a question about a dataset answered by a
// technique, with the policies that determined it and the reason in words.
//
// Without a policy that permits the technique on the dataset, it may not. What the answer may show is decided beside this, as
// of every message. Answers are not cached.
func (s *Set) MayAsk(q Query, dataset, technique string) (bool, []flow.PolicyID, string) {
	act, ok := techniques[technique]
	if !ok {
		return false, nil, "there is no such technique"
	}
	resource, ok := s.snap.static[uid(typeDataset, dataset)]
	if !ok {
		resource = datasetEntity(Dataset{Name: dataset})
	}
	ans := s.enforced.ask(s.view(&q), resource, act).to(act)
	switch {
	case ans.allowed():
		return true, ids(ans.permits), firstReason(ans.permits)
	case len(ans.failed) > 0:
		return false, ids(ans.failed, ans.forbids), "policy " + string(ids(ans.failed)[0]) + " could not be evaluated"
	case len(ans.forbids) > 0:
		if words := firstReason(ans.forbids); words != "" {
			return false, ids(ans.forbids), words
		}
		return false, ids(ans.forbids), "policy " + string(ids(ans.forbids)[0]) + " forbids it"
	}
	return false, nil, "no policy permits questions of this kind about the dataset"
}

// PurposeIn reports whether a purpose is another one or lies within it.
func (s *Set) PurposeIn(p, of flow.Purpose) bool {
	if p == of {
		return p != ""
	}
	e, ok := s.snap.static[uid(typePurpose, p)]
	return ok && e.Parents.Contains(uid(typePurpose, of))
}
