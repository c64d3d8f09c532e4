package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/privacy/exposure"
	"github.com/scrimhq/scrim/store"
)

// ExposureRequest says whose exposure is meant: that of one subject, named as a unit of the catalog names it, or of all.
type ExposureRequest struct {
	Audience exposure.Audience `json:"audience,omitempty"` // of a reset: this one alone; "": every audience
	Unit     string            `json:"unit,omitempty"`
	Value    string            `json:"value,omitempty"`
}

func (r *ExposureRequest) subject(l Ledger) (flow.SubjectRef, error) {
	switch {
	case r.Unit == "" && r.Value == "":
		return flow.SubjectRef{}, nil
	case r.Unit == "" || r.Value == "":
		return flow.SubjectRef{}, fmt.Errorf("a subject is named by a unit and a value")
	}
	return l.Vault.Subject(r.Unit, r.Value), nil
}

// Exposed is what audiences hold: labels, levels and counts.
type Exposed struct {
	Held  []exposure.Held  `json:"held,omitempty"`
	Today []exposure.Added `json:"today,omitempty"` // added by agents since midnight UTC
	Shown []exposure.Shown `json:"shown,omitempty"` // about the subject that was named
}

// ShowExposure returns how much each audience holds, or what each was shown about one subject.
func ShowExposure(ctx context.Context, l Ledger, req ExposureRequest) (out Exposed, err error) {
	ref, err := req.subject(l)
	if err != nil {
		return Exposed{}, err
	}
	err = l.DB.View(ctx, func(tx store.Tx) (err error) {
		if ref.Known() {
			out.Shown, err = exposure.About(tx, ref, time.Now())
			return err
		}
		out.Held, out.Today, err = exposure.List(tx, time.Now())
		return err
	})
	return out, err
}

// ExposureReset is of how many subjects something was forgotten.
type ExposureReset struct {
	Subjects  int64   `json:"subjects"`
	Reference flow.ID `json:"reference"`
}

// ResetExposure forgets what audiences hold and puts it on record in the same transaction. The record names the audience, and no subject.
func ResetExposure(ctx context.Context, l Ledger, s *gateway.Snapshot, req ExposureRequest) (ExposureReset, error) {
	ref, err := req.subject(l)
	if err != nil {
		return ExposureReset{}, err
	}
	f := flow.Flow{ID: gateway.NewFlowID(), From: flow.Party{Domain: s.Domain}, To: flow.Party{Domain: s.Domain}, Protocol: "admin", Method: "exposure/reset"}
	of, by := "every audience", "everybody"
	if req.Audience != "" {
		of = "audience " + string(req.Audience)
	}
	if ref.Known() {
		by = "one subject"
	}
	out := ExposureReset{Reference: f.ID}
	err = l.DB.Update(ctx, func(tx store.Tx) (err error) {
		if out.Subjects, err = exposure.Reset(tx, req.Audience, ref); err != nil {
			return err
		}
		_, err = l.Journal.Append(tx, flow.Event{
			Time: time.Now(), Flow: f, Outcome: flow.Changed, Reason: fmt.Sprintf("exposure memory of %s is reset, for %s: %d forgotten", of, by, out.Subjects),
			PolicyHash: s.Policy.Hash(), ConfigHash: s.ConfigHash,
		}, audit.Private{})
		return err
	})
	if err != nil {
		return ExposureReset{}, fmt.Errorf("resetting the exposure memory: %w", err)
	}
	return out, nil
}

func (a *API) showExposure(w http.ResponseWriter, r *http.Request) {
	var req ExposureRequest
	if !read(w, r, &req) {
		return
	}
	out, err := ShowExposure(r.Context(), a.opt.Ledger, req)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, out)
}

func (a *API) resetExposure(w http.ResponseWriter, r *http.Request) {
	var req ExposureRequest
	if !read(w, r, &req) {
		return
	}
	out, err := ResetExposure(r.Context(), a.opt.Ledger, a.opt.Snapshot(), req)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, out)
}
