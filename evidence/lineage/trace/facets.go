package trace

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/scrimhq/scrim/evidence/lineage"
	"github.com/scrimhq/scrim/flow"
)

//go:embed schemas/*.json
var schemas embed.FS

// FacetsPath is where a gateway serves the JSON Schemas of its facets, by version. They stay as they are: a change gets another version.
const FacetsPath = "/lineage/facets/1-0-0/"

// Producer is who made the events, as OpenLineage wants it: a URI.
const Producer = "https://scrim.dev/lineage"

// publicBase is where schemas are when nobody said under which address the gateway is reached.
const publicBase = "https://scrim.dev"

const (
	jobTypeURL = "https://openlineage.io/spec/facets/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet"
	tagsURL    = "https://openlineage.io/spec/facets/1-0-0/TagsDatasetFacet.json#/$defs/TagsDatasetFacet"
)

// FacetSchemas are the JSON Schemas of the facets, by file name.
func FacetSchemas() fs.FS {
	sub, err := fs.Sub(schemas, "schemas")
	if err != nil {
		panic(err) // the name is a constant
	}
	return sub
}

// ServeFacets answers with the JSON Schema of a facet. Anybody may read it.
func ServeFacets(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, FacetsPath)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "there is nothing at this address by this method", http.StatusMethodNotAllowed)
		return
	}
	raw, err := fs.ReadFile(schemas, path.Join("schemas", path.Base(name)))
	if !ok || strings.Contains(name, "/") || err != nil {
		http.Error(w, "there is nothing at this address", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/schema+json")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(raw) // whoever asked has gone
}

type base struct {
	Producer string `json:"_producer"`
	Schema   string `json:"_schemaURL"`
}

func (t *Tracer) base(facet string) base {
	return base{Producer, strings.TrimSuffix(t.opt.Base, "/") + FacetsPath + facet + ".json#/$defs/" + facet}
}

// disclosure says how a flow was decided.
type disclosure struct {
	base
	Flow        flow.ID           `json:"flow"`
	Entry       int64             `json:"entry"` // of the journal
	Outcome     flow.Outcome      `json:"outcome"`
	Reason      string            `json:"reason,omitempty"`
	Hop         int               `json:"hop"`
	From        party             `json:"from"`
	To          party             `json:"to"`
	Purpose     flow.Purpose      `json:"purpose,omitempty"`
	Criticality string            `json:"criticality"`
	Protocol    string            `json:"protocol,omitempty"`
	PolicyHash  string            `json:"policyHash,omitempty"`
	ConfigHash  string            `json:"configHash,omitempty"`
	Policies    []flow.PolicyID   `json:"policies,omitempty"`
	Contracts   []string          `json:"contracts,omitempty"`
	Levels      []flow.LevelCount `json:"levels,omitempty"`
	Subjects    int               `json:"subjects,omitempty"` // how many
}

type party struct {
	Agent  flow.AgentID  `json:"agent,omitempty"`
	Domain flow.DomainID `json:"domain"`
}

// capability says by what right a flow happened.
type capability struct {
	base
	Issuer flow.DomainID `json:"issuer"`
	Tokens []string      `json:"tokens"` // SHA-256 of each, root first
	Chain  []party       `json:"chain,omitempty"`
}

// privacyCost says what an answer cost.
type privacyCost struct {
	base
	Dataset   string `json:"dataset,omitempty"`
	Technique string `json:"technique,omitempty"`
	Epsilon   string `json:"epsilon"` // decimal, exact
	Delta     string `json:"delta"`
}

// facet encodes one. There is nothing in it that cannot be encoded.
func facet(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func (t *Tracer) runFacets(seq int64, ev *flow.Event) lineage.Facets {
	f := &ev.Flow
	out := lineage.Facets{"scrim_disclosure": facet(disclosure{
		base: t.base("ScrimDisclosureRunFacet"), Flow: f.ID, Entry: seq, Outcome: ev.Outcome, Reason: ev.Reason, Hop: f.Hop,
		From: party{f.From.Agent, f.From.Domain}, To: party{f.To.Agent, f.To.Domain}, Purpose: f.Purpose, Criticality: f.Task.Criticality.String(),
		Protocol: f.Protocol, PolicyHash: ev.PolicyHash, ConfigHash: ev.ConfigHash, Policies: ev.Policies, Contracts: ev.Contracts,
		Levels: ev.Levels, Subjects: ev.Subjects,
	})}
	if c := f.Capability; c != nil {
		one := capability{base: t.base("ScrimCapabilityRunFacet"), Issuer: c.Issuer, Tokens: c.Tokens}
		if one.Tokens == nil {
			one.Tokens = []string{}
		}
		for _, p := range f.Chain {
			one.Chain = append(one.Chain, party{p.Agent, p.Domain})
		}
		out["scrim_capability"] = facet(one)
	}
	if q := ev.Question; q != nil || ev.Cost != (flow.Cost{}) {
		one := privacyCost{base: t.base("ScrimPrivacyCostRunFacet"), Epsilon: flow.Decimal(ev.Cost.EpsilonNano, 9), Delta: flow.Decimal(ev.Cost.DeltaPico, 12)}
		if q != nil {
			one.Dataset, one.Technique = q.Dataset, q.Technique
		}
		out["scrim_privacyCost"] = facet(one)
	}
	return out
}

func jobFacets(f *flow.Flow) lineage.Facets {
	kind, processing := "FLOW", "SERVICE"
	switch f.Protocol {
	case protocolTable:
		kind, processing = "RELEASE", "BATCH"
	case protocolStream:
		kind, processing = "STREAM", "STREAMING"
	}
	return lineage.Facets{"jobType": facet(struct {
		base
		Processing  string `json:"processingType"`
		Integration string `json:"integration"`
		Type        string `json:"jobType"`
	}{base{Producer, jobTypeURL}, processing, "SCRIM", kind})}
}

// tagged says which label each column has, as other tools show it.
func tagged(all []tag) lineage.Facets {
	if len(all) == 0 {
		return nil
	}
	type one struct {
		Key    string     `json:"key"`
		Value  flow.Label `json:"value"`
		Source string     `json:"source"`
		Field  string     `json:"field"`
	}
	list := make([]one, len(all))
	for i, t := range all {
		list[i] = one{"label", t.label, "SCRIM", t.field}
	}
	return lineage.Facets{"tags": facet(struct {
		base
		Tags []one `json:"tags"`
	}{base{Producer, tagsURL}, list})}
}
