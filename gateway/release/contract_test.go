package release_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/release"
	"github.com/scrimhq/scrim/policy"
	agreed "github.com/scrimhq/scrim/policy/contract"
)

// agreement is a contract of the hospital with the lab, in force for so many looks; negative: for ever.
type agreement struct {
	c    *agreed.Contract
	left int
}

func (a *agreement) InForce(f *flow.Flow, at time.Time) []*agreed.Contract {
	if a.left == 0 || !a.c.Binds(f) || !a.c.InForce(at) {
		return nil
	}
	a.left--
	return []*agreed.Contract{a.c}
}

func withLab(levels map[flow.Label]flow.Level) *agreed.Contract {
	return &agreed.Contract{
		Negotiation: agreed.NewNegotiation(), Version: 1, Name: "registry", Purposes: []flow.Purpose{toLab.Purpose},
		NotBefore: time.Now().Add(-time.Hour), Expires: time.Now().Add(time.Hour),
		Parties: [2]agreed.Party{
			{Domain: "hospital", Gives: agreed.Gives{Levels: levels}},
			{Domain: "lab", Gives: agreed.Gives{Levels: map[flow.Label]flow.Level{}}},
		},
	}
}

func TestATableIsBoundByTheContractWithItsRecipient(t *testing.T) {
	ctx := context.Background()
	r := open(t, t.TempDir(), labPolicy)
	r.office.Contracts = &agreement{withLab(map[flow.Label]flow.Level{"*": flow.Masked}), -1}
	_, err := r.office.Release(ctx, r.snap, toLab, r.file(columns(), nil))
	if refused, ok := errors.AsType[*release.Refused](err); !ok || len(refused.Columns) == 0 || refused.Columns[0].Terms.By != flow.ByContract {
		t.Fatalf("a table that shows more than the contract: %v", err)
	}
	in := &agreement{withLab(map[flow.Label]flow.Level{"*": flow.Raw}), -1}
	r.office.Contracts = in
	if _, err := r.office.Release(ctx, r.snap, toLab, r.file(columns(), nil)); err != nil {
		t.Fatalf("a table within the contract: %v", err)
	}
	all := r.events(t)
	if got := all[len(all)-1].Contracts; !slices.Equal(got, []string{in.c.ID()}) {
		t.Errorf("on record are the contracts %v", got)
	}
}

func TestATableIsNotPublishedUnderAContractThatEnded(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	r.office.Contracts = &agreement{withLab(map[flow.Label]flow.Level{"*": flow.Raw}), 1}
	if _, err := r.office.Release(context.Background(), r.snap, toLab, r.file(columns(), nil)); !errors.Is(err, release.ErrContract) || r.has(t, "") {
		t.Errorf("Release() error = %v, named %t; want ErrContract and no table", err, r.has(t, ""))
	}
}

// TestATableIsBoundByTheContractOfItsData: what data contracts say of purposes and techniques holds for tables, columns that the
// contract does not know included.
func TestATableIsBoundByTheContractOfItsData(t *testing.T) {
	r := open(t, t.TempDir(), labPolicy)
	for name, say := range map[string]struct {
		property string
		ok       bool
	}{
		"another purpose":             {"{property: scrim.purposes, value: [billing]}", false},
		"its purpose":                 {"{property: scrim.purposes, value: [" + string(toLab.Purpose) + "]}", true},
		"messages and aggregates":     {"{property: scrim.techniques, value: [message, aggregate]}", false},
		"tables":                      {"{property: scrim.techniques, value: [extract]}", true},
		"no longer than for two days": {"{property: scrim.retention, value: 2d}", true},
	} {
		c, err := catalog.ParseContract("patients.yaml", []byte(strings.Replace(contract, "schema:", "customProperties: ["+say.property+"]\nschema:", 1)), nil)
		must(t, err)
		snap := *r.snap
		snap.Catalog = catalog.New(nil, []*catalog.Contract{c})
		d, err := release.Decide(&snap, toLab, columns(), policy.Model{K: 5, L: 2})
		must(t, err)
		refused := d.Refused()
		if (refused == nil) != say.ok || refused != nil && (len(refused.Columns) == 0 || refused.Columns[0].Terms.By != flow.ByCatalog) {
			t.Errorf("a contract that names %s: %v", name, refused)
		}
		if name == "no longer than for two days" && d.Terms.Duties.Retain > 48*time.Hour {
			t.Errorf("the table may be kept for %v", d.Terms.Duties.Retain)
		}
	}
}
