package svid

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/gateway/identity/svid/svidtest"
)

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it did not come to that in a minute", what)
		}
	}
}

// believes reports whether the authorities vouch for a certificate.
func believes(from interface {
	ClientCA(string) (*x509.CertPool, bool)
}, td string, leaf *x509.Certificate) bool {
	pool, ok := from.ClientCA(td)
	if !ok {
		return false
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil
}

func TestWorkloadFollowsTheAPI(t *testing.T) {
	api, own, friend, next := svidtest.Serve(t), svidtest.NewAuthority(t, "own"), svidtest.NewAuthority(t, "friend"), svidtest.NewAuthority(t, "next")
	w, err := NewWorkload(api.Address, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	if _, err := w.Certificate(); !errors.Is(err, ErrNoSVID) {
		t.Errorf("before the first answer: %v, want ErrNoSVID", err)
	}
	if _, ok := w.ClientCA("own.example"); ok {
		t.Error("before the first answer somebody is believed")
	}
	first := own.Issue("spiffe://own.example/gateway")
	api.Set(t, first, own, map[string]*svidtest.Authority{"friend.example": friend})
	limit, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	if err := w.Wait(limit); err != nil {
		t.Fatal(err)
	}
	leaf, theirs := own.Issue("spiffe://own.example/x").Leaf, friend.Issue("spiffe://friend.example/x").Leaf
	if !believes(w, "own.example", leaf) || !believes(w, "friend.example", theirs) || believes(w, "own.example", theirs) || believes(w, "friend.example", leaf) {
		t.Error("the bundles of the answer are not those that count")
	}
	if got, err := w.Certificate(); err != nil || !got.Leaf.Equal(first.Leaf) {
		t.Errorf("Certificate() = %v, want that of the answer", err)
	}
	pool, _ := w.ClientCA("own.example")

	second := own.Issue("spiffe://own.example/gateway")
	api.Set(t, second, own, nil)
	eventually(t, "a federated trust domain is taken away", func() bool { return !believes(w, "friend.example", theirs) })
	if got, err := w.Certificate(); err != nil || !got.Leaf.Equal(second.Leaf) {
		t.Errorf("after rotation Certificate() = %v, want the second", err)
	}
	if same, _ := w.ClientCA("own.example"); same != pool {
		t.Error("authorities that did not change came in another pool")
	}
	api.Set(t, next.Issue("spiffe://own.example/gateway"), next, nil)
	eventually(t, "the authority of the own trust domain is another", func() bool {
		return !believes(w, "own.example", leaf) && believes(w, "own.example", next.Issue("spiffe://own.example/x").Leaf)
	})
	api.Set(t, next.Issue("spiffe://own.example/gateway", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }), next, nil)
	eventually(t, "a certificate that has ended is not shown", func() bool { _, err := w.Certificate(); return errors.Is(err, ErrNoSVID) })
}

func TestWorkloadWithoutIdentityIsBelievedNothing(t *testing.T) {
	api, own := svidtest.Serve(t), svidtest.NewAuthority(t, "own")
	var mu sync.Mutex
	var told []string
	w, err := NewWorkload(api.Address, func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			told = append(told, err.Error())
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { w.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	api.Set(t, own.Issue("spiffe://own.example/gateway"), own, nil)
	eventually(t, "the answer", func() bool { _, ok := w.ClientCA("own.example"); return ok })
	api.Deny()
	// The stream that stands ends with the word that there is no identity.
	eventually(t, "nothing is believed any more", func() bool {
		_, ok := w.ClientCA("own.example")
		_, err := w.Certificate()
		return !ok && errors.Is(err, ErrNoSVID)
	})
	mu.Lock()
	defer mu.Unlock()
	if all := strings.Join(told, "\n"); !strings.Contains(all, "PermissionDenied") || strings.Contains(all, "no identity issued") {
		t.Errorf("told %q, want the kind of error alone", all)
	}
}

func TestWorkloadThatWentAwayIsBelievedForAnHour(t *testing.T) {
	own := svidtest.NewAuthority(t, "own")
	now := time.Now()
	w, err := NewWorkload("unix:///nowhere", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.now = func() time.Time { return now }
	w.bundles = map[string]*held{"own.example": hold(nil, []*x509.Certificate{own.Cert})}
	w.fail(errors.New("Zanzibar"))
	now = now.Add(staleTime)
	if _, ok := w.ClientCA("own.example"); !ok {
		t.Error("within the hour the bundle is not believed")
	}
	now = now.Add(time.Second)
	w.fail(errors.New("again")) // does not begin a new hour
	if _, ok := w.ClientCA("own.example"); ok {
		t.Error("after an hour the bundle is still believed")
	}
}

func TestAddressesOfTheWorkloadAPI(t *testing.T) {
	for _, bad := range []string{"", "/run/spire.sock", "unix:", "http://127.0.0.1:1", "tcp://spire:8081", "tcp://127.0.0.1:1/x"} {
		if _, err := NewWorkload(bad, nil); err == nil {
			t.Errorf("%q was taken for an address", bad)
		}
	}
}

func TestFilesFollowWhatIsInThem(t *testing.T) {
	a, b := svidtest.NewAuthority(t, "a"), svidtest.NewAuthority(t, "b")
	name := filepath.Join(t.TempDir(), "bundle.pem")
	put := func(content []byte) {
		t.Helper()
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	var told []error
	f := NewFiles(map[string]string{"friend.example": name}, func(_ string, err error) { told = append(told, err) })
	f.now = func() time.Time { return now }
	of, ob := a.Issue("spiffe://friend.example/x").Leaf, b.Issue("spiffe://friend.example/x").Leaf
	step := func(what string, wantA, wantB bool) {
		t.Helper()
		now = now.Add(lookAgain)
		if gotA, gotB := believes(f, "friend.example", of), believes(f, "friend.example", ob); gotA != wantA || gotB != wantB {
			t.Errorf("%s: a %t, b %t, want %t, %t", what, gotA, gotB, wantA, wantB)
		}
	}
	step("before there is a file", false, false)
	put(a.PEM())
	step("a's bundle", true, false)
	put(append(a.PEM(), b.PEM()...))
	step("both", true, true)
	put(b.PEM())
	step("b's bundle", false, true)
	put([]byte("rubbish"))
	step("rubbish", false, false)
	put(append(b.PEM(), []byte("and rubbish")...))
	step("a bundle that ends in rubbish", false, false)
	put(b.PEM())
	step("b's again", false, true)
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ob.Raw})
	put(append(b.PEM(), leaf...))
	step("one certificate is no authority's", false, false)
	put(b.PEM())
	step("b's once more", false, true)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	step("the file is gone", false, false)
	if _, ok := f.ClientCA("other.example"); ok || f.Has("other.example") {
		t.Error("a trust domain without a file is believed")
	}
	if len(told) < 6 || told[0] == nil || told[1] != nil {
		t.Errorf("told %v, want each change once", told)
	}
}

func TestBothPrefersFiles(t *testing.T) {
	a := svidtest.NewAuthority(t, "a")
	w, err := NewWorkload("unix:///nowhere", nil)
	if err != nil {
		t.Fatal(err)
	}
	w.bundles = map[string]*held{"friend.example": hold(nil, []*x509.Certificate{a.Cert}), "own.example": hold(nil, []*x509.Certificate{a.Cert})}
	both := Both{Files: NewFiles(map[string]string{"friend.example": filepath.Join(t.TempDir(), "gone")}, nil), Workload: w}
	if _, ok := both.ClientCA("friend.example"); ok {
		t.Error("a trust domain whose file is gone is believed by the Workload API's word")
	}
	if _, ok := both.ClientCA("own.example"); !ok {
		t.Error("a trust domain of the Workload API is not believed")
	}
	if _, ok := (Both{}).ClientCA("own.example"); ok {
		t.Error("nothing believes something")
	}
}

func FuzzBundle(f *testing.F) {
	a := svidtest.NewAuthority(f, "a")
	f.Add(a.PEM())
	f.Add([]byte(`{"keys":[],"spiffe_sequence":1}`))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		certs, err := parse("friend.example", b)
		if err != nil {
			if strings.Contains(err.Error(), "AAAA") {
				t.Fatal("the error holds what is in the file")
			}
			return
		}
		for _, c := range certs {
			if !c.IsCA {
				t.Fatal("a certificate that is no authority's was taken for one")
			}
		}
	})
}
