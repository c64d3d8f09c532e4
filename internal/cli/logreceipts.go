package cli

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/receipt"
	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/proofs"
	"github.com/scrimhq/scrim/internal/run"
)

func (e *env) logCheckpoint() *cobra.Command {
	var file string
	return fileFlag(e.command("checkpoint [-c FILE]", "Print the published checkpoint of the log",
		"A signed note with all its cosignatures. Kept elsewhere, it shows later whether the log was set back.", cobra.NoArgs,
		func(ctx context.Context, _ []string) error {
			c, err := e.load(file)
			if err != nil {
				return err
			}
			var out api.PublishedCheckpoint
			err = withState(ctx, c,
				func(a *adminClient) error { return a.call(ctx, http.MethodGet, "/api/v1/log/checkpoint", nil, &out) },
				func(st *run.State) (err error) { out, err = api.Checkpoint(ctx, st.Ledger()); return err })
			if err == nil {
				_, err = io.WriteString(e.out, out.Note)
			}
			return err
		}), &file)
}

func (e *env) logReceipt() *cobra.Command {
	var file string
	var asCOSE, asPromise bool
	c := fileFlag(e.command("receipt REFERENCE [--cose | --promise] [-c FILE]", "Print promises and proofs of a flow's entries",
		"The reference is that of a refusal or privacy note, or the number of an entry. Prints what GET /receipts/REFERENCE tells the\n"+
			"two parties of the flow, as JSON; with --cose or --promise that of the last entry alone.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			a, err := e.receiptsOf(ctx, file, args[0])
			if err != nil {
				return err
			}
			last := a.Records[len(a.Records)-1]
			switch {
			case asPromise:
				_, err = io.WriteString(e.out, last.Promise)
			case asCOSE && last.COSE == nil:
				return errPending
			case asCOSE:
				_, err = e.out.Write(last.COSE)
			default:
				err = json.NewEncoder(e.out).Encode(a)
			}
			return err
		}), &file)
	c.Flags().BoolVar(&asCOSE, "cose", false, "the COSE receipt, in its bytes (RFC 9942)")
	c.Flags().BoolVar(&asPromise, "promise", false, "the promise")
	c.MarkFlagsMutuallyExclusive("cose", "promise")
	return c
}

func (e *env) logProve() *cobra.Command {
	var file string
	return fileFlag(e.command("prove ENTRY [-c FILE]", "Print the proof that an entry is in the log",
		"The entry's number, or the reference of a flow, of which the last entry is meant. The proof is a C2SP tlog-proof with all\n"+
			"cosignatures of its checkpoint; scrim-verify reads it.", cobra.ExactArgs(1),
		func(ctx context.Context, args []string) error {
			a, err := e.receiptsOf(ctx, file, args[0])
			if err != nil {
				return err
			}
			last := a.Records[len(a.Records)-1]
			if last.Proof == "" {
				return errPending
			}
			_, err = io.WriteString(e.out, last.Proof)
			return err
		}), &file)
}

var errPending = refuse("Ask again in a second.", "no published checkpoint covers the entry yet")

func (e *env) receiptsOf(ctx context.Context, file, ref string) (a proofs.Answer, err error) {
	c, err := e.load(file)
	if err != nil {
		return a, err
	}
	err = withState(ctx, c,
		func(client *adminClient) error {
			return client.call(ctx, http.MethodGet, "/api/v1/log/receipts/"+url.PathEscape(ref), nil, &a)
		},
		func(st *run.State) (err error) { a, err = api.Receipts(ctx, st.Ledger(), flow.ID(ref)); return err })
	if errors.Is(err, proofs.ErrUnknown) {
		err = refuse("References are of one gateway; ask the domain that gave it.", "the journal has no flow %s", ref)
	}
	return a, err
}

// givenFiles is what promises and receipts are verified with.
type givenFiles struct{ key, entry string }

// verifier collects what files say.
type verifier struct {
	log      string
	key      ed25519.PublicKey
	leaf     *tlog.Hash // of --entry
	promises []receipt.Promise
	said     []string
}

// verifyFiles verifies promises first, since they say what the rest is about.
func (e *env) verifyFiles(ctx context.Context, file string, given givenFiles, names []string) error {
	v, err := e.verifierOf(ctx, file, given)
	if err != nil {
		return err
	}
	contents := make([][]byte, len(names))
	for i, name := range names {
		if contents[i], err = os.ReadFile(name); err != nil {
			return err
		}
	}
	bad := false
	for _, promises := range []bool{true, false} {
		for i, name := range names {
			if bytes.HasPrefix(contents[i], []byte("scrim.dev/promise@")) != promises {
				continue
			}
			v.said = nil
			err := v.file(contents[i])
			for _, line := range v.said {
				fmt.Fprintf(e.out, "%s  %s: %s\n", e.style(e.out).good("ok"), name, line)
			}
			if err != nil {
				bad = true
				fmt.Fprintf(e.out, "%s  %s: %v\n", e.style(e.out).bad("BAD"), name, err)
			}
		}
	}
	if bad {
		return errSaid
	}
	return nil
}

func (e *env) verifierOf(ctx context.Context, file string, given givenFiles) (*verifier, error) {
	v := &verifier{}
	if given.entry != "" {
		raw, err := os.ReadFile(given.entry)
		if err != nil {
			return nil, err
		}
		h := tlog.RecordHash(raw)
		v.leaf = &h
	}
	if given.key != "" {
		text := given.key
		if raw, err := os.ReadFile(given.key); err == nil {
			text = strings.TrimSpace(string(raw))
		}
		var err error
		v.log, v.key, err = parseVerifierKey(text)
		return v, err
	}
	c, err := e.load(file)
	if err != nil {
		return nil, err
	}
	keys, err := run.Keyring(ctx, c)
	if err != nil {
		return nil, err
	}
	v.log, v.key = run.Origin(c.Domain), keys.Signer("log").Public().(ed25519.PublicKey)
	return v, nil
}

// parseVerifierKey reads a key in the form of https://c2sp.org/signed-note.
func parseVerifierKey(text string) (log string, key ed25519.PublicKey, err error) {
	bad := refuse("It is NAME+ID+KEY, as /.well-known/scrim/domain.json has it.", "that is no verifier key")
	parts := strings.SplitN(text, "+", 3)
	if len(parts) != 3 {
		return "", nil, bad
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != 1 {
		return "", nil, bad
	}
	if again, err := tile.VerifierKey(parts[0], raw[1:]); err != nil || again != text {
		return "", nil, bad
	}
	return parts[0], raw[1:], nil
}

func (v *verifier) say(format string, args ...any) {
	v.said = append(v.said, fmt.Sprintf(format, args...))
}

// file verifies one file by what it begins with.
func (v *verifier) file(content []byte) error {
	switch {
	case bytes.HasPrefix(content, []byte("scrim.dev/promise@")):
		return v.promise(content)
	case bytes.HasPrefix(content, []byte("c2sp.org/tlog-proof@")):
		return v.proof(content)
	case bytes.HasPrefix(content, []byte("{")):
		return v.answer(content)
	}
	return v.cose(content)
}

func (v *verifier) promise(content []byte) error {
	p, err := receipt.ParsePromise(content, v.log, v.key)
	if err != nil {
		return err
	}
	v.promises = append(v.promises, p)
	v.say("entry %d was promised by %s as leaf %d of %s", p.Seq, p.Deadline.Format("2006-01-02T15:04:05Z"), p.Index, p.Origin)
	return nil
}

var errWhichEntry = errors.New("the signature is good, but what it proves is not known: give the promise too, or --entry")

func (v *verifier) proof(content []byte) error {
	proof, err := receipt.ParseProof(content, v.log, v.key)
	if err != nil {
		return err
	}
	if v.leaf != nil {
		if err := proof.Verify(*v.leaf); err != nil {
			return err
		}
		v.say("the entry is leaf %d of %d of %s", proof.Index, proof.Checkpoint.Size, proof.Checkpoint.Origin)
		return nil
	}
	for _, p := range v.promises {
		if p.Index == proof.Index && p.Origin == proof.Checkpoint.Origin {
			if err := p.Kept(proof); err != nil {
				return err
			}
			v.say("the promise of entry %d is kept: leaf %d of %d of %s", p.Seq, proof.Index, proof.Checkpoint.Size, proof.Checkpoint.Origin)
			return nil
		}
	}
	return errWhichEntry
}

func (v *verifier) cose(content []byte) error {
	var leaves []tlog.Hash
	if v.leaf != nil {
		leaves = append(leaves, *v.leaf)
	} else {
		for _, p := range v.promises {
			leaves = append(leaves, p.Leaf)
		}
	}
	if len(leaves) == 0 {
		return errors.New("what it proves is not known: give the promise too, or --entry")
	}
	var err error
	for _, leaf := range leaves {
		var in receipt.Included
		if in, err = receipt.VerifyCOSE(content, leaf, v.log, v.key); err == nil {
			v.say("the COSE receipt is good: leaf %d of %d of %s", in.Index, in.Size, in.Origin)
			return nil
		}
	}
	return err
}

// answer verifies what GET /receipts/{reference} said.
func (v *verifier) answer(content []byte) error {
	var a proofs.Answer
	if err := json.Unmarshal(content, &a); err != nil || len(a.Records) == 0 {
		return errors.New("it is no answer of /receipts/")
	}
	for _, r := range a.Records {
		one := verifier{log: v.log, key: v.key}
		if err := one.promise([]byte(r.Promise)); err != nil {
			return err
		}
		if r.Proof == "" {
			v.said = append(v.said, one.said...)
			continue
		}
		if err := one.proof([]byte(r.Proof)); err != nil {
			return err
		}
		if err := one.cose(r.COSE); err != nil {
			return err
		}
		v.said = append(v.said, one.said...)
	}
	return nil
}
