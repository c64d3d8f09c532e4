package vault

import (
	"context"

	"github.com/scrimhq/scrim/flow"
)

// SubjectMAC returns a one-way function under the subject's own key, which this batch writes if it is new. Once the subject is
// erased nobody can make a code of it again, nor tell what one was made of. It returns [ErrScope] for an unknown subject.
func (b *Batch) SubjectMAC(ctx context.Context, name string, ref flow.SubjectRef) (*MAC, error) {
	if b.done {
		return nil, ErrDone
	}
	if !ref.Known() || name == "" {
		return nil, ErrScope
	}
	owner, err := b.v.subject(ctx, ref)
	if err != nil {
		return nil, err
	}
	use(b.owners, owner)
	return newMAC(fromSecret(owner.key, 32, "scrim subject mac 1", string(b.v.opt.Domain), name)), nil
}
