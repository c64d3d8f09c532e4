package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/scrimhq/scrim/internal/stranger/verify"
)

const maxFile = 4 << 20 // of what is named on the command line

type options struct {
	keys, witnesses list
	quorum          int
	policyFile      string
	maxAge, timeout time.Duration
	tokenFile       string
	json            bool

	hashes, foreign bool
	seen            list
	archive         string
	remember        string

	index       int64
	entry, hash string

	forms list
	noLog bool

	recount *verify.Recount // what entries are counted into; nil: they are not

	stdin  io.Reader
	policy verify.Policy
	token  string
}

// parse reads flags, before and after other arguments, and returns the latter.
func (o *options) parse(name string, args []string, stderr io.Writer) ([]string, error) {
	f := flag.NewFlagSet("scrim-verify "+name, flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Var(&o.keys, "key", "the log's verifier `KEY`, or a file that holds it; it is good for the log's periods too")
	f.Var(&o.witnesses, "witness", "a witness's verifier `KEY`, or a file that holds it")
	f.IntVar(&o.quorum, "quorum", 0, "how `MANY` of the witnesses must have cosigned")
	f.StringVar(&o.policyFile, "policy", "", "`FILE` of keys, witnesses and quorum in the form of c2sp.org/tlog-policy")
	f.DurationVar(&o.maxAge, "max-age", 0, "cosignatures older than this `LONG` do not count")
	f.DurationVar(&o.timeout, "timeout", 0, "give up after this `LONG`")
	f.StringVar(&o.tokenFile, "token-file", "", "`FILE` with a token for entries that are not served to everybody")
	f.BoolVar(&o.json, "json", false, "report in JSON")
	switch name {
	case "log":
		f.BoolVar(&o.hashes, "hashes", false, "check hash tiles only, where entries are not to be had")
		f.BoolVar(&o.foreign, "foreign", false, "do not look into entries: the log is not written by Scrim")
		f.Var(&o.seen, "seen", "`FILE` of a checkpoint that was seen earlier; the log must begin with it")
		f.StringVar(&o.archive, "archive", "", "`DIRECTORY` of checkpoints that were kept; the log must begin with each of its own")
		f.StringVar(&o.remember, "remember", "", "`FILE` of the checkpoint seen last time: it is checked, and then replaced by today's")
	case "inclusion":
		f.Int64Var(&o.index, "index", -1, "place of the entry in the log, from `N` = 0")
		entryFlags(f, o, "the log must hold it there")
	case "report":
		f.Var(&o.forms, "form", "`FILE` of the report's HTML or CSV, which must have been signed with it")
		f.BoolVar(&o.noLog, "no-log", false, "do not count again: check signatures and proofs that the report has in it")
	case "proof":
		entryFlags(f, o, "the proof is about it")
	}
	var rest []string
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		if f.NArg() == 0 {
			break
		}
		rest, args = append(rest, f.Arg(0)), f.Args()[1:]
	}
	return rest, o.believe()
}

func entryFlags(f *flag.FlagSet, o *options, what string) {
	f.StringVar(&o.entry, "entry", "", "`FILE` with the entry's bytes; "+what)
	f.StringVar(&o.hash, "hash", "", "the entry's leaf `HASH` in base64, instead of the entry")
}

// believe builds the policy.
func (o *options) believe() error {
	if o.policyFile != "" {
		text, err := os.ReadFile(o.policyFile)
		if err != nil {
			return err
		}
		if len(o.witnesses) > 0 || o.quorum != 0 {
			return errors.New("--policy takes the place of --witness and --quorum")
		}
		if o.policy, err = verify.ParsePolicy(string(text)); err != nil {
			return err
		}
	}
	for _, s := range o.keys {
		k, err := verify.ParseKey(literalOrFile(s))
		if err != nil {
			return fmt.Errorf("--key: %w", err)
		}
		o.policy.Keys = append(o.policy.Keys, k)
	}
	if len(o.policy.Keys) == 0 {
		return errors.New("whose log? Give its verifier key with --key, from a source other than the log's keeper of today")
	}
	for _, s := range o.witnesses {
		w, err := verify.ParseWitness(literalOrFile(s))
		if err == nil {
			err = o.policy.AddWitness(w)
		}
		if err != nil {
			return fmt.Errorf("--witness: %w", err)
		}
	}
	if o.policyFile == "" {
		if err := o.policy.Require(o.quorum); err != nil {
			return fmt.Errorf("--quorum: %w", err)
		}
	}
	if o.maxAge < 0 || o.maxAge > 0 && o.policy.Quorum == nil {
		return errors.New("--max-age is about cosignatures, and none are demanded")
	}
	o.policy.MaxAge = o.maxAge
	if o.tokenFile != "" {
		token, err := os.ReadFile(o.tokenFile)
		if err != nil {
			return err
		}
		o.token = strings.TrimSpace(string(token))
	}
	return nil
}

func literalOrFile(s string) string {
	if b, err := os.ReadFile(s); err == nil && len(b) < 1<<16 {
		return string(b)
	}
	return s
}

// open opens a log by its address.
func (o *options) open(address string) (verify.Log, error) {
	var src verify.Source
	var err error
	if strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://") {
		src, err = verify.HTTP(address, o.token)
	} else {
		src, err = verify.Dir(address)
	}
	if err != nil {
		return verify.Log{}, misused("%s: %v", address, err)
	}
	return verify.Log{Source: src}, nil
}

// file reads a file of the command line; "-" is standard input.
func (o *options) file(name string) ([]byte, error) { return o.large(name, maxFile) }

func (o *options) large(name string, most int64) ([]byte, error) {
	var in io.Reader = o.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, misused("%v", err)
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if int64(len(b)) > most {
		return nil, misused("%s is larger than %d MiB", name, most>>20)
	}
	return b, nil
}
