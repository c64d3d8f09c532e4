package program

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/internal/stranger/verify"
)

func runCheckpoint(_ context.Context, o *options, args []string, r *report) error {
	if len(args) != 1 {
		return misused("name one checkpoint")
	}
	_, err := o.checkpoint(args[0], r.log(args[0]))
	return err
}

// checkpoint opens one from a file, quorum and all.
func (o *options) checkpoint(name string, l *logReport) (verify.Checkpoint, error) {
	defer l.end()
	signed, err := o.file(name)
	if err != nil {
		return verify.Checkpoint{}, err
	}
	c, err := o.policy.Open(signed)
	if c.Origin != "" {
		l.checkpoint(c, &o.policy)
	}
	return c, in(name, err)
}

// in names the file that a failure is about.
func in(name string, err error) error {
	if f, ok := errors.AsType[*verify.Failure](err); ok && f.Where == "" {
		f.Where = name
	}
	return err
}

// runConsistency takes an older checkpoint, a newer one or else the log's own, and the log.
func runConsistency(ctx context.Context, o *options, args []string, r *report) error {
	if len(args) != 2 && len(args) != 3 {
		return misused("name a checkpoint kept earlier, and the log")
	}
	address := args[len(args)-1]
	log, err := o.open(address)
	if err != nil {
		return err
	}
	l := r.log(address)
	defer l.end()
	old, err := o.earlier(args[0])
	if err != nil {
		return err
	}
	name, signed := "checkpoint", []byte(nil)
	if len(args) == 3 {
		name = args[1]
		signed, err = o.file(name)
	} else {
		signed, err = log.Checkpoint(ctx)
	}
	if err != nil {
		return err
	}
	c, err := o.policy.Open(signed)
	if err != nil {
		return in(name, err)
	}
	l.checkpoint(c, &o.policy)
	if err := log.Consistent(ctx, old, c); err != nil {
		return err
	}
	l.Earlier = 1
	return nil
}

// earlier opens a checkpoint that was kept. Witnesses may have come later: no quorum is asked of it.
func (o *options) earlier(name string) (verify.Checkpoint, error) {
	signed, err := o.file(name)
	if err != nil {
		return verify.Checkpoint{}, err
	}
	c, err := o.policy.OpenOld(signed)
	c.From = name
	return c, in(name, err)
}

func runInclusion(ctx context.Context, o *options, args []string, r *report) error {
	if len(args) != 1 || o.index < 0 {
		return misused("name the log, and the entry's place with --index")
	}
	want, asked, err := o.leaf()
	if err != nil {
		return err
	}
	log, err := o.open(args[0])
	if err != nil {
		return err
	}
	l := r.log(args[0])
	defer l.end()
	signed, err := log.Checkpoint(ctx)
	if err != nil {
		return err
	}
	c, err := o.policy.Open(signed)
	if err != nil {
		return in("checkpoint", err)
	}
	l.checkpoint(c, &o.policy)
	got, _, err := log.Included(ctx, c, o.index)
	if err != nil {
		return err
	}
	if asked && got != want {
		return &verify.Failure{Kind: verify.Absent, What: "the log holds another entry at that place, with leaf hash " + got.String()}
	}
	l.Index, l.Hash = &o.index, got.String()
	return nil
}

// leaf is the hash of the entry that was named, if one was.
func (o *options) leaf() (tlog.Hash, bool, error) {
	switch {
	case o.entry != "" && o.hash != "":
		return tlog.Hash{}, false, misused("--entry and --hash are one too many")
	case o.hash != "":
		h, err := verify.ParseHash(o.hash)
		return h, true, err
	case o.entry != "":
		b, err := o.file(o.entry)
		return verify.LeafHash(b), true, err
	}
	return tlog.Hash{}, false, nil
}

func runProof(_ context.Context, o *options, args []string, r *report) error {
	if len(args) != 1 {
		return misused("name one proof")
	}
	leaf, asked, err := o.leaf()
	if err != nil {
		return err
	}
	if !asked {
		return misused("a proof is about an entry: name it with --entry or --hash")
	}
	l := r.log(args[0])
	defer l.end()
	b, err := o.file(args[0])
	if err != nil {
		return err
	}
	proof, err := verify.ParseProof(b)
	if err != nil {
		return in(args[0], err)
	}
	c, err := o.policy.Check(proof, leaf)
	if c.Origin != "" {
		l.checkpoint(c, &o.policy)
	}
	if err != nil {
		return in(args[0], err)
	}
	l.Index, l.Hash = &proof.Index, leaf.String()
	return nil
}

// runPromise redeems a promise.
func runPromise(ctx context.Context, o *options, args []string, r *report) error {
	if len(args) != 2 {
		return misused("name a promise, and the log")
	}
	signed, err := o.file(args[0])
	if err != nil {
		return err
	}
	promise, err := o.policy.OpenPromise(signed)
	if err != nil {
		return in(args[0], err)
	}
	log, err := o.open(args[1])
	if err != nil {
		return err
	}
	l := r.log(args[1])
	defer l.end()
	now := time.Now() // before the checkpoint is read: what comes later is not held against the log
	note, err := log.Checkpoint(ctx)
	if err != nil {
		return err
	}
	c, err := o.policy.Open(note)
	if err != nil {
		return in("checkpoint", err)
	}
	l.checkpoint(c, &o.policy)
	if err := log.Kept(ctx, promise, c, now); err != nil {
		return in(args[0], err)
	}
	l.Index, l.Hash, l.First, l.Last = &promise.Index, promise.Leaf.String(), promise.Seq, promise.Seq
	return nil
}

// runLog checks whole logs: one, or the periods of one in their order.
func runLog(ctx context.Context, o *options, args []string, r *report) error {
	if len(args) == 0 {
		return misused("name a log")
	}
	all := false // periods of the log are here
	if len(args) == 1 {
		given := args[0]
		args = periods(given)
		all = args[0] != given
	}
	kept, err := o.kept()
	if err != nil {
		return err
	}
	var last verify.Checkpoint
	var lastFirst int64
	var signed []byte
	var oldest string
	origins := map[string]bool{}
	for i, address := range args {
		c, whole, note, err := o.whole(ctx, address, kept, r)
		if err != nil {
			return err
		}
		if origins[c.Origin] {
			return misused("%s is there twice", c.Origin)
		}
		origins[c.Origin] = true
		if i == 0 {
			oldest = c.Origin
		}
		if i > 0 && whole.Header != nil {
			if err := whole.Header.Follows(&o.policy, last, lastFirst); err != nil {
				return err
			}
			r.Logs[i].Follows = last.Origin
		}
		last, lastFirst, signed = c, whole.First, note
	}
	for _, k := range kept {
		if !origins[k.Origin] && (!k.archive || all && k.Origin > oldest) { // periods before the oldest may have been put away
			return &verify.Failure{Kind: verify.Rollback, Where: k.From, What: "the log " + k.Origin + " was seen and is not here"}
		}
	}
	return o.keep(signed)
}

// keptCheckpoint is one that somebody saw earlier.
type keptCheckpoint struct {
	verify.Checkpoint
	archive bool // of all periods, some of which are perhaps not looked at
}

func (o *options) whole(ctx context.Context, address string, kept []keptCheckpoint, r *report) (verify.Checkpoint, verify.Whole, []byte, error) {
	log, err := o.open(address)
	if err != nil {
		return verify.Checkpoint{}, verify.Whole{}, nil, err
	}
	l := r.log(address)
	defer l.end()
	signed, err := log.Checkpoint(ctx)
	if err != nil {
		return verify.Checkpoint{}, verify.Whole{}, nil, err
	}
	c, err := o.policy.Open(signed)
	if c.Origin != "" {
		l.checkpoint(c, &o.policy)
	}
	if err != nil {
		return c, verify.Whole{}, nil, in("checkpoint", err)
	}
	reading := verify.Reading{Hashes: o.hashes, Foreign: o.foreign}
	if n := o.recount; n != nil {
		reading.Each = func(index int64, entry []byte, leaf tlog.Hash) error { return n.Add(c.Origin, index, entry, leaf) }
		if own, ok := n.Checkpoint(c.Origin); ok {
			reading.Earlier = append(reading.Earlier, own)
		}
	}
	for _, k := range kept {
		if k.Origin == c.Origin {
			reading.Earlier = append(reading.Earlier, k.Checkpoint)
		}
	}
	whole, err := log.Whole(ctx, c, reading)
	if err == nil && whole.Header != nil {
		err = whole.Header.CheckPrevious(&o.policy)
	}
	if err != nil {
		return c, whole, nil, err
	}
	l.Leaves, l.Entries, l.Tiles, l.Earlier = "entries", whole.Entries, whole.Tiles, len(reading.Earlier)
	if whole.Entries == 0 && c.Size > 0 {
		l.Leaves = "hashes"
	}
	if whole.First > 0 && c.Size > 1 {
		l.First, l.Last = whole.First, whole.First+c.Size-2
	}
	return c, whole, signed, nil
}

// periods lists the logs in a directory that is none itself but holds some: a log's periods, in their order.
func periods(address string) []string {
	if _, err := os.Stat(filepath.Join(address, "checkpoint")); err == nil {
		return []string{address}
	}
	list, err := os.ReadDir(address)
	if err != nil {
		return []string{address} //nolint:nilerr // it is an address, or read as a log that says what is wrong
	}
	var found []string
	for _, e := range list { // by name, which is by time
		if _, err := os.Stat(filepath.Join(address, e.Name(), "checkpoint")); err == nil {
			found = append(found, filepath.Join(address, e.Name()))
		}
	}
	if len(found) == 0 {
		found = []string{address}
	}
	return found
}

const maxArchive = 1 << 20 // files

// kept opens all checkpoints that were kept earlier.
func (o *options) kept() ([]keptCheckpoint, error) {
	var out []keptCheckpoint
	add := func(name string, archive bool) error {
		c, err := o.earlier(name)
		out = append(out, keptCheckpoint{c, archive})
		return err
	}
	for _, name := range o.seen {
		if err := add(name, false); err != nil {
			return nil, err
		}
	}
	if o.remember != "" {
		if _, err := os.Stat(o.remember); err == nil {
			if err := add(o.remember, false); err != nil {
				return nil, err
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if o.archive == "" {
		return out, nil
	}
	before := len(out)
	err := filepath.WalkDir(o.archive, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return misused("%v", err)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if len(out) > maxArchive {
			return misused("%s holds more than %d files", o.archive, maxArchive)
		}
		return add(path, true)
	})
	if err == nil && len(out) == before {
		err = misused("%s holds no checkpoint", o.archive)
	}
	return out, err
}

// keep replaces the remembered checkpoint by the one just verified.
func (o *options) keep(signed []byte) error {
	if o.remember == "" {
		return nil
	}
	next := o.remember + ".new"
	if err := os.WriteFile(next, signed, 0o644); err != nil { //nolint:gosec // it is public
		return err
	}
	return os.Rename(next, o.remember)
}
