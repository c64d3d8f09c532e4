package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/privacy/vault"
	"github.com/scrimhq/scrim/store"
)

const phrase = "a passphrase that is long enough"

// plainArchive writes an archive of these members, in the clear.
func plainArchive(t testing.TB, key crypto.Signer, members ...[2]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := &writer{t: tar.NewWriter(&b)}
	for _, m := range members {
		if err := w.bytes(m[0], []byte(m[1])); err != nil {
			t.Fatal(err)
		}
	}
	m := Manifest{Backup: Version, Kind: General, ID: "x", Made: time.Unix(1795833862, 0).UTC(), Domain: "clinic", Store: "sqlite"}
	if err := w.finish(&m, func(b []byte) ([]byte, error) { return sign("clinic", key, b) }); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func testKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) }

var some = [][2]string{{"data/scrim.db", "rows"}, {keysetName, "keys"}, {"data/log/all/checkpoint", "note"}, {"config/scrim.yaml", "version: 1"}}

func sealed(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := Lock{Passphrase: flow.NewSecret(phrase), Work: 4}.seal(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// raw writes a tar file of one header and a body, which no writer of ours would.
func raw(t *testing.T, headers ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = 1
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			_, _ = w.Write([]byte("x"))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What somebody wrote who wants files elsewhere, more than there is room for, or one thing read as another.
func TestHostileArchivesAreRefused(t *testing.T) {
	reg := func(name string) *tar.Header { return &tar.Header{Typeflag: tar.TypeReg, Name: name} }
	good := plainArchive(t, testKey(), some...)
	for name, b := range map[string][]byte{
		"a path that goes up":         raw(t, reg("data/log/../../../etc/cron.d/x")),
		"an absolute path":            raw(t, reg("/etc/passwd")),
		"a path of Windows":           raw(t, reg(`data/log/C:\x`)),
		"a name with a stream":        raw(t, reg("config/scrim.yaml:x")),
		"a name with dots at its end": raw(t, reg("config/scrim.yaml..")),
		"no place of an archive":      raw(t, reg("home/.ssh/authorized_keys")),
		"a symbolic link":             raw(t, &tar.Header{Typeflag: tar.TypeSymlink, Name: "data/log/all", Linkname: "/etc"}),
		"a hard link":                 raw(t, &tar.Header{Typeflag: tar.TypeLink, Name: "data/log/all", Linkname: "/etc/passwd"}),
		"a device":                    raw(t, &tar.Header{Typeflag: tar.TypeBlock, Name: "data/log/all"}),
		"a directory":                 raw(t, &tar.Header{Typeflag: tar.TypeDir, Name: "data/log/all"}),
		"one name twice":              raw(t, reg("data/scrim.db"), reg("data/scrim.db")),
		"one name in two cases":       raw(t, reg("config/a"), reg("config/A")),
		"a file that is a directory":  raw(t, reg("config/a"), reg("config/a/b")),
		"no manifest":                 raw(t, reg("data/scrim.db")),
		"a signature before":          raw(t, reg(signatureName)),
		"nothing":                     {},
		"something behind its end":    append(bytes.Clone(good), []byte("more")...),
		"half of it":                  good[:len(good)/2],
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			at := filepath.Join(dir, "in")
			if err := os.Mkdir(at, 0o700); err != nil {
				t.Fatal(err)
			}
			if _, err := unpack(bytes.NewReader(b), Key{}, at); err == nil {
				t.Error("unpack() took it")
			}
			if all, _ := os.ReadDir(dir); len(all) != 1 {
				t.Errorf("something was written beside the directory: %v", all)
			}
		})
	}
	big := raw(t, reg("data/scrim.db"))
	copy(big[124:136], []byte("77777777777\x00")) // 8 GiB, and a checksum that no longer holds
	if _, err := unpack(bytes.NewReader(big), Key{}, t.TempDir()); err == nil {
		t.Error("a header that was changed was taken")
	}
}

// Every flipped bit and every cut of an encrypted archive shows; of one in the clear, all but padding that nothing reads.
func TestDamagedArchivesAreRefused(t *testing.T) {
	plain := plainArchive(t, testKey(), some...)
	shut := sealed(t, plain)
	key := Key{Passphrase: flow.NewSecret(phrase)}
	u, err := unpack(bytes.NewReader(shut), key, t.TempDir())
	if err != nil || len(u.Manifest.Files) != len(some) {
		t.Fatalf("unpack() = %v, %v", u, err)
	}
	if _, err := unpack(bytes.NewReader(shut), Key{Passphrase: flow.NewSecret(phrase + "!")}, t.TempDir()); !errors.Is(err, ErrWrongKey) {
		t.Errorf("another passphrase: error = %v, want ErrWrongKey", err)
	}
	if _, err := unpack(bytes.NewReader(shut), Key{}, t.TempDir()); !errors.Is(err, ErrNoKey) {
		t.Errorf("no passphrase: error = %v, want ErrNoKey", err)
	}
	for at := 0; at < len(shut); at += 5 + at/16 {
		b := bytes.Clone(shut)
		b[at] ^= 1 << (at % 8)
		if _, err := unpack(bytes.NewReader(b), key, t.TempDir()); err == nil {
			t.Errorf("a flipped bit at %d of %d was not noticed", at, len(shut))
		}
		if _, err := unpack(bytes.NewReader(shut[:at]), key, t.TempDir()); err == nil {
			t.Errorf("a cut at %d of %d was not noticed", at, len(shut))
		}
	}
	v, _ := verifierOf(mustKey(t, testKey()))
	for at := 0; at < len(plain); at += 61 {
		b := bytes.Clone(plain)
		b[at] ^= 0x20
		u, err := unpack(bytes.NewReader(b), Key{}, t.TempDir())
		if err == nil {
			err = verify("clinic", v, u.manifest, u.signed)
		}
		if err == nil && !bytes.Equal(u.manifest, mustUnpack(t, plain).manifest) {
			t.Errorf("a flipped bit at %d changed the manifest and was not noticed", at)
		}
	}
}

func mustKey(t *testing.T, k ed25519.PrivateKey) string {
	text, err := VerifierKey("clinic", k.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func mustUnpack(t *testing.T, b []byte) *Unpacked {
	u, err := unpack(bytes.NewReader(b), Key{}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Whoever knows a recipient can encrypt to it, so such an archive is taken only with the key of the domain's backups.
func TestAnArchiveToARecipientNeedsItsKey(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := vault.OpenKeyring(t.Context(), filepath.Join(t.TempDir(), "keyset.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	plain := plainArchive(t, keys.Signer(signerName), some...)
	var b bytes.Buffer
	w, err := Lock{Recipients: []string{id.Recipient().String()}}.seal(&b)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	u, err := unpack(&b, Key{Identities: []byte(id.String())}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&Restoration{}).signed(u, keys); !errors.Is(err, ErrUnpinned) {
		t.Errorf("without a key: error = %v, want ErrUnpinned", err)
	}
	if _, err := (&Restoration{Verifier: mustKey(t, testKey())}).signed(u, keys); !errors.Is(err, ErrSignature) {
		t.Errorf("with another key: error = %v, want ErrSignature", err)
	}
}

// A newer program's archive is refused with a word, and nobody is told to look for damage.
func TestNewerArchivesAreRefused(t *testing.T) {
	if _, err := parseManifest([]byte(`{"backup":2,"later":true}`)); !errors.Is(err, ErrNewer) {
		t.Errorf("error = %v, want ErrNewer", err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(plainArchive(f, testKey(), some...))
	f.Add(sealed(f, plainArchive(f, testKey(), some[0])))
	f.Add([]byte(ageMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		at := filepath.Join(dir, "in")
		if err := os.Mkdir(at, 0o700); err != nil {
			t.Fatal(err)
		}
		u, err := unpack(bytes.NewReader(b), Key{}, at)
		if all, _ := os.ReadDir(dir); len(all) != 1 {
			t.Fatalf("something was written elsewhere: %v", all)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("an error on two lines: %q", err)
		}
		if err == nil && len(u.Manifest.Files) > maxMembers {
			t.Error("too many members")
		}
	})
}

// A copy of a database holds nothing of people in any byte of its file, and has all of it again when it is put back.
func TestPeopleAreInNoCopy(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir, []store.Schema{vault.Schema(), audit.Schema(), peopleSchema()}, store.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	secret := []byte("a-sealed-key-unlike-anything-else")
	err = db.Update(t.Context(), func(tx store.Tx) error {
		if _, err := tx.Exec("INSERT INTO vault_subjects (subject, kid, sealed) VALUES (?, ?, ?)", bytes.Repeat([]byte{9}, 16), []byte("k"), secret); err != nil {
			return err
		}
		_, err := tx.Exec("INSERT INTO gateway_answers (seq, sealed) VALUES (1, ?)", secret)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	file, people := filepath.Join(dir, "copy.db"), filepath.Join(dir, "people.db")
	if err := db.CopyTo(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if err := part(t.Context(), file, people); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || bytes.Contains(b, secret) {
		t.Errorf("the general copy holds what an erasure destroys (%v)", err)
	}
	if b, err := os.ReadFile(people); err != nil || bytes.Count(b, secret) < 2 {
		t.Errorf("the file of subject keys lacks them (%v)", err)
	}
	if err := join(t.Context(), file, people); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || bytes.Count(b, secret) < 2 {
		t.Errorf("they were not put back (%v)", err)
	}
	if err := db.Update(context.Background(), Purge); err != nil {
		t.Fatal(err)
	}
	err = db.View(t.Context(), func(tx store.Tx) error {
		n, err := People(tx)
		if n != 0 {
			t.Errorf("%d rows of people are left after a purge", n)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
