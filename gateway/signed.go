package gateway

import (
	"bytes"
	"slices"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
)

// mandatePrefix begins the names under which the Agent Payments Protocol puts its mandates into a data part.
const mandatePrefix = "ap2.mandates."

// takeSigned notes structured content that a signature covers: what a schema says is signed, a payment mandate, a JWS in
// its JSON form (RFC 7515 section 7.2), and an object with a proof of W3C Data Integrity.
func (c *collector) takeSigned(v *view, n int, info *catalog.Info) {
	if info.Signed || v.doc.Nodes[n].Kind == json.Object && (mandate(v.doc, n) || sealedObject(v.doc, n)) {
		v.signed = append(v.signed, n)
	}
}

func mandate(d *json.Doc, n int) bool { return bytes.HasPrefix(d.Key(n), []byte(mandatePrefix)) }

func sealedObject(d *json.Doc, n int) bool {
	kind := func(name string) (json.Kind, bool) {
		at, ok := d.Member(n, name)
		if !ok {
			return 0, false
		}
		return d.Nodes[at].Kind, true
	}
	if payload, ok := kind("payload"); ok && payload == json.String {
		if sig, ok := kind("signature"); ok && sig == json.String {
			return true
		}
		if all, ok := kind("signatures"); ok && all == json.Array {
			return true
		}
	}
	at, ok := d.Member(n, "proof")
	if !ok || d.Nodes[at].Kind != json.Object {
		return false
	}
	value, ok := d.Member(at, "proofValue")
	return ok && d.Nodes[value].Kind == json.String
}

// keepSigned takes out whatever is signed and was to be changed within: half of it would be a forgery. A request, which
// would ask another question without it, is refused unless its schema says that it may be left out.
func (c *changer) keepSigned(v *view) error {
	for _, n := range v.signed {
		if !v.edits.Within(n) {
			continue
		}
		if c.signedExposed(v, n) {
			continue
		}
		end := int(v.doc.Nodes[n].Next)
		for i := range c.targets {
			if t := &c.targets[i]; t.view == v && n <= t.node && t.node < end {
				c.terms[i].Treatment, c.terms[i].By, t.stand = flow.Treatment{}, flow.BySchema, nil
			}
		}
		if err := c.takeOut(v, n, "What is signed passes as it is or not at all, and these terms would change it."); err != nil {
			return err
		}
	}
	return nil
}

// signedExposed takes out what is signed and would pass as it is, were it not for what the recipient was shown before, and reports whether it did: nobody is
// refused for that, and nobody is told.
func (c *changer) signedExposed(v *view, n int) bool {
	end := int(v.doc.Nodes[n].Next)
	var within []int
	found := -1
	for i := range c.targets {
		t := &c.targets[i]
		if t.view != v || t.node < n || t.node >= end {
			continue
		}
		if t.stand != nil || c.told(i).Level != flow.Raw {
			return false
		}
		if _, ok := c.exposed.was[i]; ok {
			found = i
		}
		within = append(within, i)
	}
	if found < 0 || slices.ContainsFunc(c.dropped, func(d dropped) bool { return d.view == v && n <= d.node && d.node < end }) {
		return false
	}
	for _, i := range within {
		if _, ok := c.exposed.was[i]; !ok {
			c.exposed.was[i] = c.terms[i]
		}
		c.terms[i].Treatment, c.terms[i].By = flow.Treatment{}, flow.ByExposure
	}
	c.omit(v, n)
	return true
}
