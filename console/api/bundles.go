package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/bundles"
	"github.com/scrimhq/scrim/policy/bundle"
)

// BundleRequest names a bundle: an own one by its name, a peer's as "domain/name".
type BundleRequest struct {
	ID string `json:"id,omitempty"`
}

// BundleList is how bundles stand.
type BundleList struct {
	Own  []bundles.Own    `json:"own"`
	Held []bundles.Status `json:"held"`
}

// ListBundles tells of every bundle that is published or subscribed to.
func ListBundles(_ context.Context, x *bundles.Exchange, _ BundleRequest) (BundleList, error) {
	return BundleList{Own: x.Owns(), Held: x.Statuses()}, nil
}

// BundleView is what a version says.
type BundleView struct {
	ID      string          `json:"id"`
	Version int64           `json:"version"`
	Digest  string          `json:"digest"`
	Says    json.RawMessage `json:"says"`
}

// ShowBundle returns the newest version of an own bundle, or the one that is kept to of a peer's.
func ShowBundle(_ context.Context, x *bundles.Exchange, q BundleRequest) (BundleView, error) {
	b, err := x.Show(q.ID)
	if err != nil {
		return BundleView{}, err
	}
	return bundleView(b), nil
}

func bundleView(b *bundle.Bundle) BundleView {
	return BundleView{ID: b.ID(), Version: b.Version, Digest: b.Digest().String(), Says: b.Payload()}
}

// PublishBundle makes what configuration says of a bundle its next version.
func PublishBundle(ctx context.Context, x *bundles.Exchange, q BundleRequest) (BundleView, error) {
	b, err := x.Publish(ctx, q.ID)
	if err != nil {
		return BundleView{}, err
	}
	return bundleView(b), nil
}

// DriftOfBundles tells where what runs is not what was published or is subscribed to.
func DriftOfBundles(_ context.Context, x *bundles.Exchange, _ BundleRequest) ([]string, error) {
	return append([]string{}, x.Drift()...), nil
}

// FetchBundle asks a peer for a bundle now.
func FetchBundle(ctx context.Context, x *bundles.Exchange, q BundleRequest) (BundleView, error) {
	if err := x.Look(ctx, q.ID); err != nil {
		return BundleView{}, err
	}
	return ShowBundle(ctx, x, q)
}

// ForgetBundle drops what is known of a peer's bundle.
func ForgetBundle(ctx context.Context, x *bundles.Exchange, q BundleRequest) (BundleRequest, error) {
	domain, name, ok := strings.Cut(q.ID, "/")
	if !ok {
		return q, fmt.Errorf("%w; that of a peer is written domain/name", bundles.ErrUnknown)
	}
	return q, x.Forget(ctx, flow.DomainID(domain), name)
}

// Inherited is something of an agent or a dataset that is not written about it.
type Inherited struct {
	Place string `json:"place"` // such as agents.intake.roles
	Value string `json:"value"`
	From  string `json:"from"` // "defaults", or a bundle
}

// bundles serves what is done with bundles.
func (a *API) bundles() {
	const absent = "this gateway has no bundles"
	partCall(a, "/api/v1/bundles/list", a.opt.Bundles, absent, ListBundles)
	partCall(a, "/api/v1/bundles/show", a.opt.Bundles, absent, ShowBundle)
	partCall(a, "/api/v1/bundles/publish", a.opt.Bundles, absent, PublishBundle)
	partCall(a, "/api/v1/bundles/drift", a.opt.Bundles, absent, DriftOfBundles)
	partCall(a, "/api/v1/bundles/fetch", a.opt.Bundles, absent, FetchBundle)
	partCall(a, "/api/v1/bundles/forget", a.opt.Bundles, absent, ForgetBundle)
	a.guarded("POST /api/v1/config/inherited", func(w http.ResponseWriter, _ *http.Request) {
		if a.opt.Inherited == nil {
			fail(w, http.StatusNotFound, "this gateway does not tell")
			return
		}
		answer(w, append([]Inherited{}, a.opt.Inherited()...))
	})
}
