package impact

import (
	"fmt"
	"math/big"
	"path"
	"reflect"
	"slices"
	"time"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy"
)

// Reveals reports whether a change from old to next can reveal more than before, with the reasons why that cannot be excluded. It is false only if
// everything that differs is known to narrow, or to have no part in what is shown: policies by [policy.Widens], contracts and settings by lists of
// what narrows. What is not on a list counts as revealing, whatever its direction.
//
// It is about terms. What memory of exposure and budgets leave for later depends on what was shown before, so less shown now can leave room for more
// then, within the terms.
func Reveals(old, next Side) (bool, []string) {
	if old.Policy == nil || next.Policy == nil || old.Settings == nil || next.Settings == nil {
		return true, []string{"one of the two sets of rules is not known in full"}
	}
	why := policy.Widens(old.Policy, next.Policy)
	why = append(why, contractsReveal(old.Catalog, next.Catalog)...)
	for _, d := range settingsDiffer(old.Settings, next.Settings) {
		if !harmless(d) {
			why = append(why, fmt.Sprintf("%s changed, and it is not known that this reveals no more", d.Path))
		}
	}
	return len(why) > 0, why
}

// silent are settings that have no part in what is shown: words for readers and the gateway's own log, in which no value is.
var silent = []string{
	"purposes/*/title", "roles/*/title", "taxonomy/*/title", "taxonomy/*/dpv", "log/level", "log/format", "transparent/*/reason",
}

// falling are numbers that reveal less when they are smaller: what all answers about a dataset may tell together. Absent, it is required, or the
// dataset's own δ holds.
var falling = []string{"datasets/*/epsilon", "datasets/*/delta", "datasets/*/quotas/*/epsilon", "datasets/*/quotas/*/delta"}

// lasting are times that reveal less when they are longer: how long it is remembered what a domain was shown.
var lasting = []string{"retention/exposure"}

func harmless(d Difference) bool {
	switch {
	case matches(silent, d.Path):
		return true
	case d.Path == "mode":
		return d.Old == "learn" && d.New == "enforce"
	case matches(falling, d.Path):
		was, ok := new(big.Rat).SetString(d.Old)
		is, also := new(big.Rat).SetString(d.New)
		return ok && also && is.Sign() >= 0 && is.Cmp(was) < 0
	case matches(lasting, d.Path):
		was, err := time.ParseDuration(d.Old)
		is, err2 := time.ParseDuration(d.New)
		return err == nil && err2 == nil && is > was
	}
	return false
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}

// contractsReveal compares what contracts say. Labels are in the policies' entities too.
func contractsReveal(old, next *catalog.Catalog) (why []string) {
	was, before := contractsOf(old)
	is, after := contractsOf(next)
	if !slices.Equal(before, after) {
		return []string{"there are other contracts"}
	}
	for _, id := range after {
		a, b := was[id], is[id]
		if len(a) != 1 || len(b) != 1 {
			why = append(why, fmt.Sprintf("several contracts have the id %s", id))
			continue
		}
		if a[0].Domain != b[0].Domain || a[0].Status != b[0].Status || !reflect.DeepEqual(a[0].Servers, b[0].Servers) {
			why = append(why, fmt.Sprintf("contract %s is of another domain, status or server", id))
		}
		if !narrower(a[0].Governance, b[0].Governance) {
			why = append(why, fmt.Sprintf("data of contract %s may be used for more, otherwise or longer", id))
		}
		if len(a[0].Datasets) != len(b[0].Datasets) {
			why = append(why, fmt.Sprintf("contract %s has other datasets", id))
			continue
		}
		for i := range b[0].Datasets {
			why = append(why, datasetReveals(a[0].Datasets[i], b[0].Datasets[i])...)
		}
	}
	return why
}

func contractsOf(c *catalog.Catalog) (map[string][]*catalog.Contract, []string) {
	out := map[string][]*catalog.Contract{}
	if c == nil {
		return out, nil
	}
	var ids []string
	for _, k := range c.Contracts() {
		out[k.ID] = append(out[k.ID], k)
		ids = append(ids, k.ID)
	}
	slices.Sort(ids)
	return out, ids
}

func datasetReveals(was, is catalog.Dataset) (why []string) {
	if !narrower(was.Governance, is.Governance) {
		why = append(why, fmt.Sprintf("dataset %s may be used for more, otherwise or longer", is.Name))
	}
	if a, b := was.Budget, is.Budget; a.Per != b.Per || b.Total.EpsilonNano > a.Total.EpsilonNano || b.Total.DeltaPico > a.Total.DeltaPico {
		why = append(why, fmt.Sprintf("dataset %s has another budget that is not less", is.Name))
	}
	if len(was.Fields) != len(is.Fields) {
		return append(why, fmt.Sprintf("dataset %s has other fields", is.Name))
	}
	for i, f := range is.Fields {
		old := was.Fields[i]
		if !narrower(old.Governance, f.Governance) {
			why = append(why, fmt.Sprintf("field %s may be used for more, otherwise or longer", f.Name))
		}
		if !reflect.DeepEqual(undescribedField(old), undescribedField(f)) {
			why = append(why, fmt.Sprintf("field %s changed", f.Name))
		}
	}
	if !reflect.DeepEqual(undescribed(was), undescribed(is)) {
		why = append(why, fmt.Sprintf("dataset %s changed", is.Name))
	}
	return why
}

func undescribed(d catalog.Dataset) catalog.Dataset {
	d.Description, d.Governance, d.Custom, d.Fields, d.Budget = "", catalog.Governance{}, nil, nil, catalog.Budget{}
	return d
}

func undescribedField(f catalog.Field) catalog.Field {
	f.Description, f.Governance, f.Custom = "", catalog.Governance{}, nil
	return f
}

// narrower reports whether what data may be used for is the same or less. Words for records of processing bind nobody.
func narrower(was, is catalog.Governance) bool {
	return within(was.Purposes, is.Purposes) && within(was.Techniques, is.Techniques) &&
		(was.Retention == is.Retention || is.Retention > 0 && (was.Retention == 0 || is.Retention < was.Retention))
}

// within reports whether a list allows no more than another. An empty one allows all.
func within[T flow.Purpose | string](was, is []T) bool {
	return len(was) == 0 || len(is) > 0 && !slices.ContainsFunc(is, func(p T) bool { return !slices.Contains(was, p) })
}
