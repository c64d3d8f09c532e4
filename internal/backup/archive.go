package backup

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/store"
)

// Errors of archives that a caller may act on. None repeats what an archive holds but names of members.
var (
	ErrCorrupt = errors.New("the archive is not as it was written")
	ErrNewer   = errors.New("the archive was written by a newer program")
	ErrLarge   = errors.New("the archive is larger than there is room for")
)

// Members of an archive. Names are paths with forward slashes.
const (
	manifestName  = "manifest.json"
	signatureName = "manifest.sig"
	databaseName  = "data/scrim.db"
	keysetName    = "keys/keyset.json"
	logName       = "data/log/"
	archiveName   = "data/checkpoints/"
	configName    = "config/"
	peopleName    = "people.db"

	maxMembers  = 1 << 22
	maxManifest = 1 << 30
	maxName     = 512
	reserve     = 64 << 20 // of the disk, which is not filled
)

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrCorrupt, fmt.Sprintf(format, args...))
}

// memberName is what a member may be called: nothing that a system reads as anything but a file further down.
var memberName = regexp.MustCompile(`^[A-Za-z0-9_.@+=,~-][A-Za-z0-9_.@+=,~ -]*(/[A-Za-z0-9_.@+=,~-][A-Za-z0-9_.@+=,~ -]*)*$`)

// goodName reports whether a member of an archive may have a name.
func goodName(name string) bool {
	if len(name) > maxName || !memberName.MatchString(name) || path.Clean(name) != name || !filepath.IsLocal(filepath.FromSlash(name)) {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "." || part == ".." || strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") { // what Windows takes for another name
			return false
		}
	}
	switch {
	case name == manifestName, name == signatureName, name == databaseName, name == keysetName, name == peopleName:
		return true
	}
	return slices.ContainsFunc([]string{logName, archiveName, configName}, func(p string) bool { return strings.HasPrefix(name, p) })
}

// writer writes members and remembers what they were.
type writer struct {
	t     *tar.Writer
	files []File
}

func (w *writer) put(name string, size int64, from io.Reader) error {
	if !goodName(name) {
		return fmt.Errorf("writing the archive: a file has a name that no archive takes: %.200q", name)
	}
	err := w.t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, Format: tar.FormatPAX})
	sum := sha256.New()
	if err == nil {
		_, err = io.CopyN(io.MultiWriter(w.t, sum), from, size)
	}
	if err != nil {
		return fmt.Errorf("writing %s to the archive: %w", name, err)
	}
	w.files = append(w.files, File{name, size, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

func (w *writer) bytes(name string, b []byte) error {
	return w.put(name, int64(len(b)), strings.NewReader(string(b)))
}

func (w *writer) file(name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("writing %s to the archive: %w", name, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("writing %s to the archive: %w", name, err)
	}
	return w.put(name, info.Size(), f)
}

// Unpacked is an archive whose members lie in a directory, each as the manifest says.
type Unpacked struct {
	Manifest Manifest
	manifest []byte
	signed   []byte
	by       sealedBy
	dir      string
}

func (u *Unpacked) path(name string) string { return filepath.Join(u.dir, filepath.FromSlash(name)) }

// unpack writes the members of an archive below dir, which must be empty, and compares all with the manifest. Its signature is for the caller to check.
func unpack(r io.Reader, key Key, dir string) (*Unpacked, error) {
	plain, by, err := key.unseal(r)
	if err != nil {
		return nil, err
	}
	u := &Unpacked{dir: dir, by: by}
	t := tar.NewReader(plain)
	found := map[string]File{}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, broken(err)
		}
		if u.signed != nil {
			return nil, corrupt("there is something after the signature")
		}
		if len(found) >= maxMembers {
			return nil, corrupt("it has too many members")
		}
		if err := u.take(t, h, found); err != nil {
			return nil, err
		}
	}
	// What encryption says of the end of the file is read with it; behind a plain archive there may be nothing but zeros.
	if err := onlyZeros(plain); err != nil {
		return nil, err
	}
	if u.signed == nil {
		return nil, corrupt("it ends before its manifest and signature")
	}
	if u.Manifest, err = parseManifest(u.manifest); err != nil {
		return nil, err
	}
	return u, compare(u.Manifest.Files, found)
}

// take writes one member.
func (u *Unpacked) take(t io.Reader, h *tar.Header, found map[string]File) error {
	name := h.Name
	switch {
	case h.Typeflag != tar.TypeReg:
		return corrupt("a member is no plain file, but a link or something else")
	case !goodName(name):
		return corrupt("a member has a name that no archive has")
	case h.Size < 0:
		return corrupt("%s has no size", name)
	}
	if _, twice := found[strings.ToLower(name)]; twice {
		return corrupt("%s is there twice", name)
	}
	if name == manifestName || name == signatureName {
		return u.note(t, name, h.Size)
	}
	if u.manifest != nil {
		return corrupt("%s comes after the manifest", name)
	}
	if free, ok := store.Free(u.dir); ok && free-reserve < h.Size {
		return fmt.Errorf("%w: %s takes %d bytes", ErrLarge, name, h.Size)
	}
	sum := sha256.New()
	if err := write(u.path(name), io.TeeReader(t, sum), h.Size); err != nil {
		return err
	}
	found[strings.ToLower(name)] = File{name, h.Size, hex.EncodeToString(sum.Sum(nil))}
	return nil
}

func (u *Unpacked) note(t io.Reader, name string, size int64) error {
	if size > maxManifest {
		return corrupt("%s is too large", name)
	}
	b, err := io.ReadAll(io.LimitReader(t, size))
	switch {
	case err != nil:
		return broken(err)
	case name == manifestName && u.manifest == nil:
		u.manifest = b
	case name == signatureName && u.manifest != nil && size < 64<<10:
		u.signed = b
	default:
		return corrupt("%s is not where it has to be", name)
	}
	return nil
}

// write writes a new file, durable.
func write(name string, from io.Reader, size int64) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return corrupt("a member is there twice")
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.CopyN(f, from, size); err != nil {
		return broken(err)
	}
	return f.Sync()
}

// broken is the error of an archive that cannot be read to its end. Texts of readers may quote what they read.
func broken(err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return corrupt("it was cut or changed")
}

func onlyZeros(r io.Reader) error {
	b := make([]byte, 32<<10)
	for {
		n, err := r.Read(b)
		for _, c := range b[:n] {
			if c != 0 {
				return corrupt("there is something after its end")
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return broken(err)
		}
	}
}

func compare(want []File, found map[string]File) error {
	if len(want) != len(found) {
		return corrupt("it has %d files, and its manifest names %d", len(found), len(want))
	}
	for _, f := range want {
		if got, ok := found[strings.ToLower(f.Name)]; !ok || got != f {
			return corrupt("a file is not the one that the manifest names")
		}
	}
	return nil
}

// finish writes manifest and signature.
func (w *writer) finish(m *Manifest, signed func([]byte) ([]byte, error)) error {
	m.Files = w.files
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	sig, err := signed(b)
	if err != nil {
		return err
	}
	for _, one := range []struct {
		name string
		data []byte
	}{{manifestName, b}, {signatureName, sig}} {
		if err := w.bytes(one.name, one.data); err != nil {
			return err
		}
	}
	return w.t.Close()
}
