package gateway

// keptRight is by what right a flow happened from which a part was taken: its handle dies with it.
type keptRight struct {
	Tokens string `json:"tokens"`
}

func rightOf(a *Authority) *keptRight {
	if a == nil || a.Chain == nil {
		return nil
	}
	return &keptRight{a.Tokens().String()}
}

func (a *Authority) holder() string { return a.Holder() }

// rightful asks whether the right still holds by which the part was sent. The redeemer is shown no more than it let be shown then.
func (r *redeeming) rightful() error {
	if r.head.Right == nil {
		return nil
	}
	var err error
	if r.kept, err = r.g.Stored(r.snap, r.head.Right.Tokens); err != nil {
		return r.refused("the right that it was sent by is at its end")
	}
	return nil
}
