package gateway

import (
	"slices"
	"strings"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/detect"
	reading "github.com/scrimhq/scrim/privacy/detect/document"
)

// document is a file that is read to decide about it, and never rewritten: it passes whole or not at all.
type document struct {
	leaf    int // that stands for it; opaque until all of it was read
	content []byte
	gone    bool // it was taken out
}

// What is spent on the documents of one message.
const (
	maxDocuments  = 8
	maxDocTime    = 2 * time.Second
	maxDocText    = 2 << 20
	maxDocUnfolds = 16 << 20
)

// isDocument reports whether files of a media type are documents that can be read.
func isDocument(media string) bool { return media == "application/pdf" }

// putAside remembers a file that may be read as a document once all known values of the message are known.
func (c *collector) putAside(v *view, n, leaf int) {
	if c.public || !isDocument(c.mediaOf(v.doc, n)) || len(c.docs) >= maxDocuments {
		return
	}
	if form, content := fromBase64(v.doc.Text(n)); form != nil && c.wholeFile(v.doc, n, content) {
		c.docs = append(c.docs, document{leaf: leaf, content: content})
	}
}

// readDocuments reads the documents of the message. Of one that was read as a whole the leaf is text, and each label that is found in
// it is a further leaf: it passes only if all of them may be shown. One that was not is opaque as before.
func (c *collector) readDocuments() error {
	limits := reading.Limits{Time: maxDocTime, Text: maxDocText, Bytes: maxDocUnfolds}
	for i := range c.docs {
		doc := &c.docs[i]
		if c.targets[doc.leaf].kind != filePart || c.leaves[doc.leaf].Label != flow.OpaqueFile || limits.Text <= 0 || limits.Time <= 0 {
			continue
		}
		begin := time.Now()
		said, err := reading.PDF(c.ctx, doc.content, limits)
		if limits.Time -= time.Since(begin); err != nil {
			limits.Text, limits.Bytes = limits.Text/2, limits.Bytes/2 // whoever sends such files has less to spend
			continue
		}
		for _, texts := range [][]string{said.Prose, said.Terms} {
			for _, s := range texts {
				limits.Text -= len(s) + 1
			}
		}
		labels, err := c.labelsIn(doc, said)
		if err != nil {
			return err
		}
		if labels == nil {
			continue
		}
		t := &c.targets[doc.leaf]
		t.doc = doc
		path, v, n := c.leaves[doc.leaf].Path, t.view, t.node
		c.leaves[doc.leaf].Label, c.leaves[doc.leaf].Origin = flow.FreeText, flow.Detected
		t.value = ""
		for _, l := range labels {
			if l != flow.FreeText {
				c.add(flow.Leaf{Path: path, Label: l, Origin: flow.Detected}, target{view: v, node: n, kind: filePart, doc: doc})
			}
		}
	}
	return nil
}

// labelsIn returns what a document holds, the strictest first; nil if a detector beside the engine could not look at it.
func (c *collector) labelsIn(doc *document, said reading.Contents) ([]flow.Label, error) {
	tax := c.m.Snapshot.Taxonomy
	unlooked := func(err error) error {
		return refuse(RuleInternal, c.leaves[doc.leaf].Path, err, "The gateway could not look at this file, so the flow did not happen.")
	}
	found := make([][]detect.Finding, len(said.Prose))
	var err error
	for i, text := range said.Prose {
		if found[i], err = c.detector().Find(c.ctx, text, c.set); err != nil {
			return nil, unlooked(err)
		}
	}
	for i := range c.m.Snapshot.Beside {
		b := &c.m.Snapshot.Beside[i]
		if err := b.Add(c.ctx, said.Prose, found); err != nil {
			if c.ctx.Err() != nil || !b.Drop {
				return nil, unlooked(err)
			}
			c.g.Fault(err)
			return nil, nil
		}
	}
	forms, err := c.detector().AppendForms(c.ctx, nil, strings.Join(said.Terms, "\n"), c.set)
	if err != nil {
		return nil, unlooked(err)
	}
	labels := []flow.Label{flow.FreeText}
	for _, fs := range append(found, forms) {
		for i := range fs {
			if !slices.Contains(labels, fs[i].Label) {
				labels = append(labels, fs[i].Label)
			}
		}
	}
	slices.SortStableFunc(labels, func(a, b flow.Label) int {
		ca, _ := tax.Class(a)
		cb, _ := tax.Class(b)
		return int(ca.Tier) - int(cb.Tier)
	})
	return labels, nil
}
