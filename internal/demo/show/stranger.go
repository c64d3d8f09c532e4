package show

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/scrimhq/scrim/evidence/tile"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/run"
	"github.com/scrimhq/scrim/internal/stranger/program"
)

// checked is what scrim-verify says of a log.
type checked struct {
	domain  flow.DomainID
	says    string
	journal int64 // rows of the journal, which its owner compared with the log
}

// broken is what it says of a copy in which one byte was changed.
type broken struct {
	domain flow.DomainID
	file   string
	says   string
}

// verified has every log checked by who has nothing but the key and the files, and a copy of one in which a byte was changed.
func (s *system) verified(ctx context.Context, f *facts) error {
	for _, d := range domains {
		g := s.gateways[d]
		if _, err := g.Log.Checkpoint(ctx); err != nil {
			return fmt.Errorf("signing the log of %s: %w", d, err)
		}
		report, err := g.Log.Verify(ctx)
		if err != nil {
			return fmt.Errorf("verifying the journal of %s: %w", d, err)
		}
		says, ok, err := s.stranger(d, run.LogDir(g.Config()))
		if err == nil && !ok {
			err = errors.New(says)
		}
		if err != nil {
			return fmt.Errorf("verifying the log of %s: %w", d, err)
		}
		f.checked = append(f.checked, checked{d, says, report.Entries})
	}
	return s.tampered(f, demo.Hospital)
}

// stranger runs scrim-verify on a directory of trees.
func (s *system) stranger(d flow.DomainID, dir string) (says string, ok bool, err error) {
	key, err := tile.VerifierKey(run.Origin(d), s.gateways[d].Log.Key())
	if err != nil {
		return "", false, err
	}
	var out, bad bytes.Buffer
	code := program.Main([]string{"log", "--key", key, dir}, strings.NewReader(""), &out, &bad)
	if bad.Len() > 0 {
		return "", false, errors.New(strings.TrimSpace(bad.String()))
	}
	says = strings.Join(strings.Fields(out.String()), " ")
	if code != 0 {
		_, says, _ = strings.Cut(says, "FAIL ")
		return says, false, nil
	}
	says, _, _ = strings.Cut(says, " numbers ")
	return strings.TrimPrefix(says, "ok "), true, nil
}

// tampered copies a log, flips one bit of one entry in the copy, and has that checked.
func (s *system) tampered(f *facts, d flow.DomainID) error {
	dir := filepath.Join(s.dir, "tampered")
	if err := os.CopyFS(dir, os.DirFS(run.LogDir(s.gateways[d].Config()))); err != nil {
		return fmt.Errorf("copying the log of %s: %w", d, err)
	}
	var bundles []string
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.Contains(filepath.ToSlash(path), "/tile/entries/") {
			bundles = append(bundles, path)
		}
		return err
	})
	if err != nil || len(bundles) == 0 {
		return errors.Join(err, errors.New("the log has no entries"))
	}
	var name string
	var raw []byte
	for _, b := range bundles { // a shorter one is of an earlier tree
		got, err := os.ReadFile(b)
		if err != nil {
			return err
		}
		if len(got) > len(raw) {
			name, raw = b, got
		}
	}
	at := bytes.LastIndex(raw, []byte(`"outcome":"`))
	if at < 0 {
		return errors.New("the log has no entry with an outcome")
	}
	raw[at+len(`"outcome":"`)] ^= 1
	if err := errors.Join(os.Chmod(name, 0o600), os.WriteFile(name, raw, 0o600)); err != nil {
		return err
	}
	says, ok, err := s.stranger(d, dir)
	if err == nil && ok {
		err = errors.New("a changed copy was not found out")
	}
	file, _ := filepath.Rel(dir, name)
	f.broken = broken{d, filepath.ToSlash(file), strings.ReplaceAll(says, dir, "COPY")}
	return errors.Join(err, os.RemoveAll(dir))
}

func (p *printer) strangers(f *facts) {
	p.heading(11, "Three logs, checked by a stranger")
	p.para(3, "", plain, words(plain, "scrim-verify shares no code with the gateways. It has each log's public key and files, reads every entry, and computes the tree that the key has signed."))
	for _, c := range f.checked {
		p.para(3, string(c.domain), bold, append(words(good, "fits:"), words(plain, fmt.Sprintf("%s; all %d rows of the gateway's own journal are in it", c.says, c.journal))...))
	}
	p.para(3, "a changed copy", bold, append(words(bad, "does not fit:"), words(plain, "one bit of one entry of the hospital's log was changed, and scrim-verify says: "+f.broken.says)...))
}
