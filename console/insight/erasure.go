package insight

import (
	"context"
	"errors"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/erasure"
)

// Person names a person for an erasure. The value is in the body of this request alone.
type Person struct {
	Unit       string      `json:"unit"`
	Value      flow.Secret `json:"value"`
	Credential flow.Secret `json:"credential,omitzero"` // of an approver; none: the operator, which takes the role admin
}

// About implements [page.Subject]: nothing that is sent may be put on record.
func (Person) About() string { return "" }

func (p Person) subject() erasure.Subject { return erasure.Subject{Unit: p.Unit, Value: p.Value} }

// Erasures is the page.
type Erasures struct {
	Kept    bool              `json:"kept"` // people can be erased here
	Waiting []erasure.Request `json:"waiting"`
	Units   []string          `json:"units"`
	Admin   bool              `json:"admin"`
}

// Withdrawn says which request was taken back.
type Withdrawn struct {
	ID string `json:"id"`
}

func (p *pages) erasurePages(g *page.Group) {
	page.Add(g, page.Page[Erasures]{
		Path: "/erasure", Title: "Erasure", Summary: "Requests to erase a person that wait for their confirmation. They do not say whom they name.", Section: "/erasure",
		Template: "erasure.html", Role: page.Approver, Model: func(ctx context.Context, r *page.Request) (Erasures, error) {
			out := Erasures{Kept: p.Erasures != nil, Waiting: []erasure.Request{}, Units: p.units(), Admin: r.Who.May(page.Admin)}
			if p.Erasures == nil {
				return out, nil
			}
			all, err := p.Erasures.Waiting(ctx)
			if all != nil {
				out.Waiting = all
			}
			return out, err
		},
	})
	page.Do(g, page.Action[Person, erasure.Request]{
		Path: "/erasure", Name: "console/erasure/ask", Title: "Erasure asked for", Role: page.Approver, Template: "asked.html",
		Summary: "Asks for the erasure of a person and tells how much would go. Nothing goes before it is confirmed.",
		Do: func(ctx context.Context, r *page.Request, in Person) (erasure.Request, error) {
			if err := p.mayErase(r, in); err != nil {
				return erasure.Request{}, err
			}
			out, err := p.Erasures.Ask(ctx, in.subject(), in.Credential)
			return out, mend(err)
		},
	})
	page.Do(g, page.Action[Person, erasure.Done]{
		Path: "/erasure/{id}/confirm", Name: "console/erasure/confirm", Title: "A person is erased", Role: page.Approver, Template: "erased.html",
		Summary: "Carries out an erasure that was asked for. The person is named once more, and another credential than the one that asked is needed where there are two.",
		Do: func(ctx context.Context, r *page.Request, in Person) (erasure.Done, error) {
			if err := p.mayErase(r, in); err != nil {
				return erasure.Done{}, err
			}
			out, err := p.Erasures.Confirm(ctx, r.PathValue("id"), in.subject(), in.Credential)
			if errors.Is(err, erasure.ErrScrub) {
				return out, nil // it happened; the page says what is left to be done
			}
			return out, mend(err)
		},
	})
	page.Do(g, page.Action[struct{}, Withdrawn]{
		Path: "/erasure/{id}/withdraw", Name: "console/erasure/withdraw", Title: "Withdraw an erasure", Role: page.Approver,
		Summary: "Takes a request back. Nothing goes.",
		Then:    func(struct{}, Withdrawn) string { return "/erasure" },
		Do: func(ctx context.Context, r *page.Request, _ struct{}) (Withdrawn, error) {
			if p.Erasures == nil {
				return Withdrawn{}, page.ErrNotFound
			}
			return Withdrawn{r.PathValue("id")}, mend(p.Erasures.Withdraw(ctx, r.PathValue("id")))
		},
	})
}

// mayErase lets approvers by their credentials and, in place of the operator, admins.
func (p *pages) mayErase(r *page.Request, in Person) error {
	switch {
	case p.Erasures == nil:
		return page.ErrNotFound
	case in.Credential.IsZero() && !r.Who.May(page.Admin):
		return page.Wrong("credential: it is missing; without one this is for admins, who count as the operator")
	}
	return nil
}

// mend makes errors that the one who asked can act on mistakes. Their texts name nobody.
func mend(err error) error {
	for _, told := range []error{erasure.ErrSubject, erasure.ErrRequest, erasure.ErrCredential, erasure.ErrSame, erasure.ErrMany} {
		if errors.Is(err, told) {
			return page.Wrong("%v", told)
		}
	}
	if err != nil {
		return errErasure
	}
	return nil
}

var errErasure = errors.New("the erasure could not be carried out, and nothing was erased")
