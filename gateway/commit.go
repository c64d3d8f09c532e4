package gateway

import (
	"context"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
)

// private seals what the decision was made of, and commits to what leaves and to those whom it is about. The leaves are grouped. It reads the store,
// so it is not for use inside a transaction.
func (c *changer) private(ctx context.Context, f *flow.Flow, body []byte) (audit.Private, error) {
	commitment := audit.Commit(body, c.groups.subjects)
	query := c.m.Query
	query.Flow = *f
	plain, err := appendInputs(make([]byte, 0, 1024+16*len(c.leaves)), query, c.leaves, c.groups, commitment.Own, commitment.List)
	if err != nil {
		return audit.Private{}, err
	}
	sealed, err := c.g.sealInputs.Seal(plain, []byte(f.ID))
	if err != nil {
		return audit.Private{}, err
	}
	about, err := aboutEach(ctx, c.batch, commitment, c.groups.subjects)
	return audit.Private{Sealed: sealed, Payload: commitment.Payload, Subjects: commitment.Subjects, About: about}, err
}

// aboutEach seals each subject's share of the salts under its own key, which the batch writes.
func aboutEach(ctx context.Context, b *vault.Batch, commitment audit.Commitment, subjects []flow.SubjectRef) ([]audit.About, error) {
	if len(subjects) == 0 {
		return nil, nil
	}
	owns, err := b.Own(ctx, subjects)
	if err != nil {
		return nil, err
	}
	about := make([]audit.About, len(subjects))
	var plain [48]byte
	for i, s := range subjects {
		share := audit.Share{At: i, Salt: commitment.Each[i]}
		about[i] = audit.About{Subject: s, Sealed: owns[i].Seal(share.Append(plain[:0]), commitment.Subjects)}
	}
	return about, nil
}
