package trust

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/evidence/receipt"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/proofs"
)

// ReceiptRequest is a receipt to verify: its text, or the reference of a flow, or the number of an entry. With a text of a proof alone the entry that it is about is
// given by its number or by its leaf's hash, or else it is the journal's own at that place.
type ReceiptRequest struct {
	Text      string `json:"text"`
	Reference string `json:"reference"`
	Leaf      string `json:"leaf"` // hash in hexadecimal
}

// Step is one thing that was checked.
type Step struct {
	What string `json:"what"`
	Good bool   `json:"good"`
	Says string `json:"says"`
}

// Checked is what a receipt was found to be.
type Checked struct {
	Kind   string   `json:"kind"`
	Good   bool     `json:"good"`
	Failed string   `json:"failed,omitempty"` // the step that failed
	Steps  []Step   `json:"steps"`
	Proves []string `json:"proves"` // what it proves, if it is good
	Entry  int64    `json:"entry,omitempty"`
}

// examiner verifies receipts step by step, with the functions of evidence/receipt that "scrim log verify" and the recipients of receipts use.
type examiner struct {
	ctx     context.Context
	journal *audit.Log
	leaf    *tlog.Hash // given
	promise *receipt.Promise
	out     Checked
}

func (x *examiner) good(what, format string, args ...any) {
	x.out.Steps = append(x.out.Steps, Step{what, true, fmt.Sprintf(format, args...)})
}

func (x *examiner) bad(what, says string) bool {
	x.out.Steps = append(x.out.Steps, Step{what, false, says})
	if x.out.Failed == "" {
		x.out.Failed = what
	}
	return false
}

func (x *examiner) proves(format string, args ...any) {
	x.out.Proves = append(x.out.Proves, fmt.Sprintf(format, args...))
}

// The steps.
const (
	stepForm   = "form"
	stepSigned = "signature of the log"
	stepEntry  = "entry"
	stepPath   = "path to the root"
	stepKept   = "promise kept"
	stepToday  = "log of today continues it"
)

// verifyReceipt answers what was asked; the text is neither kept nor repeated.
func (p *Pages) verifyReceipt(ctx context.Context, _ *page.Request, in ReceiptRequest) (Checked, error) {
	j := p.Ledger.Journal
	if j == nil {
		return Checked{}, errAbsent
	}
	x := &examiner{ctx: ctx, journal: j}
	text, ref := []byte(strings.ReplaceAll(in.Text, "\r\n", "\n")), strings.TrimSpace(in.Reference)
	if in.Leaf != "" {
		raw, err := hex.DecodeString(strings.TrimSpace(in.Leaf))
		if err != nil || len(raw) != tlog.HashSize {
			return Checked{}, page.Wrong("leaf: it is not the SHA-256 of a leaf in hexadecimal")
		}
		h := tlog.Hash(raw)
		x.leaf = &h
	}
	if len(bytes.TrimSpace(text)) == 0 {
		if ref == "" {
			return Checked{}, page.Wrong("text: paste a receipt, or give the reference of a flow or the number of an entry")
		}
		a, err := api.Receipts(ctx, p.Ledger, flow.ID(ref))
		if errors.Is(err, proofs.ErrUnknown) {
			return Checked{}, page.Wrong("reference: the journal has no such flow or entry; references are of one gateway, so ask the domain that gave it")
		}
		if err != nil {
			return Checked{}, err
		}
		x.out.Kind = "receipt of this gateway"
		x.records(a.Records)
	} else {
		x.text(text)
	}
	x.out.Good = x.out.Failed == "" && len(x.out.Steps) > 0
	if !x.out.Good {
		x.out.Proves = nil
	}
	return x.out, nil
}

// text verifies by what it begins with, as the command does.
func (x *examiner) text(text []byte) {
	switch text = bytes.TrimLeft(text, " \n\t"); {
	case bytes.HasPrefix(text, []byte("scrim.dev/promise@")):
		x.out.Kind = "promise"
		x.promised(text)
	case bytes.HasPrefix(text, []byte("c2sp.org/tlog-proof@")):
		x.out.Kind = "proof of inclusion (C2SP tlog-proof)"
		x.proof(text)
	case bytes.HasPrefix(text, []byte("{")):
		x.out.Kind = "answer of /receipts"
		var a proofs.Answer
		if err := json.Unmarshal(text, &a); err != nil || len(a.Records) == 0 {
			x.bad(stepForm, "it is no answer of /receipts/")
			return
		}
		x.records(a.Records)
	default:
		x.out.Kind = "COSE receipt (RFC 9942)"
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil {
			x.out.Kind = "unknown"
			x.bad(stepForm, "it is no promise, no tlog-proof, no answer of /receipts/, and no COSE receipt in base64")
			return
		}
		x.cose(raw)
	}
}

func (x *examiner) records(all []proofs.Record) {
	for _, r := range all {
		x.promise, x.leaf = nil, nil
		if !x.promised([]byte(r.Promise)) {
			return
		}
		if r.Proof == "" {
			continue
		}
		if !x.proof([]byte(r.Proof)) || len(r.COSE) > 0 && !x.cose(r.COSE) {
			return
		}
	}
}

// parsed tells of what was read: its form, and whose signature it has.
func (x *examiner) parsed(err error, what, where string) bool {
	switch {
	case errors.Is(err, receipt.ErrSignature):
		x.good(stepForm, "%s is in its form", what)
		return x.bad(stepSigned, where+" is not signed by the key of this log, or it was changed since")
	case err != nil:
		return x.bad(stepForm, what+" is not in its form: it was cut or changed, or it is something else")
	}
	x.good(stepForm, "%s is in its form", what)
	x.good(stepSigned, "the key of this log signed %s", where)
	return true
}

func (x *examiner) promised(text []byte) bool {
	p, err := receipt.ParsePromise(text, x.journal.Origin(), x.journal.Key())
	if !x.parsed(err, "the promise", "the promise") {
		return false
	}
	x.promise, x.out.Entry = &p, p.Seq
	x.good(stepEntry, "entry %d, as leaf %d of %s, by %s", p.Seq, p.Index, p.Origin, p.Deadline.UTC().Format(time.DateTime))
	x.proves("the log gave its word that entry %d, with exactly these bytes, is leaf %d of %s by %s", p.Seq, p.Index, p.Origin, p.Deadline.UTC().Format(time.DateTime))
	return true
}

// about is the hash that a proof is to be about, and how one knows.
func (x *examiner) about(origin string, index int64) (tlog.Hash, string, bool) {
	if x.leaf != nil {
		return *x.leaf, "the leaf's hash that was given", true
	}
	if x.promise != nil {
		return x.promise.Leaf, fmt.Sprintf("entry %d, as its promise has it", x.promise.Seq), true
	}
	for _, t := range x.journal.Trees() {
		if t.Origin != origin || index < 1 {
			continue
		}
		seq := t.First + index - 1
		for e, err := range x.journal.Entries(x.ctx, audit.Query{From: seq, To: seq, Limit: 1}) {
			if err == nil {
				x.out.Entry = seq
				return e.Hash, fmt.Sprintf("entry %d, as this journal has it", seq), true
			}
		}
	}
	return tlog.Hash{}, "", false
}

func (x *examiner) proof(text []byte) bool {
	p, err := receipt.ParseProof(text, x.journal.Origin(), x.journal.Key())
	if !x.parsed(err, "the proof", "its checkpoint") {
		return false
	}
	leaf, how, ok := x.about(p.Checkpoint.Origin, p.Index)
	if !ok {
		return x.bad(stepEntry, "what it is about is not known: give the promise too, or the hash of the leaf")
	}
	if x.promise == nil {
		x.good(stepEntry, "%s", how)
	}
	if p.Verify(leaf) != nil {
		return x.bad(stepPath, "the hashes do not lead from the entry to the root that was signed: another entry is meant, or the proof was changed")
	}
	x.good(stepPath, "%d hashes lead from leaf %d to the root of %d leaves that was signed", len(p.Hashes), p.Index, p.Checkpoint.Size)
	if x.promise != nil {
		if x.promise.Kept(p) != nil {
			return x.bad(stepKept, "the promise was of another place or another tree than the proof is: keep both, they show that the log broke its word")
		}
		x.good(stepKept, "the promised bytes are in the promised place")
	}
	x.proves("leaf %d of the %d leaves of %s is this entry, and it cannot be changed or taken out without the root changing", p.Index, p.Checkpoint.Size, p.Checkpoint.Origin)
	return x.continues(p.Checkpoint)
}

// continues checks that the tree that is published now begins with the one of the receipt.
func (x *examiner) continues(c tile.Checkpoint) bool {
	for _, t := range x.journal.Trees() {
		if t.Origin != c.Origin {
			continue
		}
		r := x.journal.Tree(t.Name)
		signed, err := r.Checkpoint(x.ctx)
		if err != nil {
			return x.bad(stepToday, "the checkpoint that is published now cannot be read")
		}
		now, err := tile.ParseCheckpoint(signed, c.Origin, x.journal.Key())
		if err != nil {
			return x.bad(stepToday, "the checkpoint that is published now is not signed by the log's key")
		}
		if c.Size > now.Size {
			return x.bad(stepToday, "the receipt is of a longer log than the one that is published now: the log was set back")
		}
		path, err := tile.Consistency(x.ctx, r, now, c.Size)
		if err == nil && c.Size < now.Size {
			err = tlog.CheckTree(path, now.Size, now.Root, c.Size, c.Root)
		}
		if err != nil || c.Size == now.Size && c.Root != now.Root {
			return x.bad(stepToday, "the log that is published now has another history than the receipt")
		}
		x.good(stepToday, "the log that is published now, of %d leaves, begins with the tree of the receipt", now.Size)
		return true
	}
	return x.bad(stepToday, "this gateway has no tree of that name any more: the log was set back or replaced")
}

func (x *examiner) cose(raw []byte) bool {
	origin, index := x.journal.Origin(), int64(0)
	leaf, how, ok := x.about(origin, 0)
	if !ok {
		return x.bad(stepEntry, "a COSE receipt does not name its entry: paste the whole answer of /receipts, or give the hash of the leaf")
	}
	in, err := receipt.VerifyCOSE(raw, leaf, origin, x.journal.Key())
	switch {
	case errors.Is(err, receipt.ErrSignature):
		x.good(stepForm, "the COSE receipt is in its form")
		return x.bad(stepSigned, "the root that follows from the entry is not the one that the key of this log signed: it is of another entry, or it was changed")
	case err != nil:
		return x.bad(stepForm, "the COSE receipt is not in its form: it was cut or changed")
	}
	index = in.Index
	x.good(stepForm, "the COSE receipt is in its form")
	if x.promise == nil {
		x.good(stepEntry, "%s", how)
	}
	x.good(stepSigned, "the root of %d leaves that follows from the entry at leaf %d is the one that the key of this log signed", in.Size, index)
	if x.promise == nil {
		x.proves("leaf %d of the %d leaves of %s is this entry", in.Index, in.Size, in.Origin)
	}
	return true
}
