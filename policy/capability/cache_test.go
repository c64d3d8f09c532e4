package capability

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// changing are anchors of one domain whose key can be exchanged.
type changing struct {
	mu  sync.Mutex
	key ed25519.PublicKey
}

func (c *changing) Key(d flow.DomainID, kid string) (ed25519.PublicKey, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.key, d == "hospital" && c.key != nil
}

func TestRememberedChainsFollowTheAnchors(t *testing.T) {
	c := fourLinks(t)
	a := &changing{key: publicOf("hospital")}
	v := NewVerifier(a, Options{Clock: func() time.Time { return start }})
	for range 2 {
		if _, err := v.Verify(c); err != nil {
			t.Fatal(err)
		}
	}
	a.key = publicOf("hospital of tomorrow")
	_, err := v.Verify(c)
	breaks(t, err, RuleSignature, 0, "")
	a.key = nil
	_, err = v.Verify(c)
	breaks(t, err, RuleAnchor, 0, "")
	a.key = publicOf("hospital")
	if _, err := v.Verify(c); err != nil {
		t.Error(err)
	}
}

func TestRememberedChainsExpire(t *testing.T) {
	now := start
	v := NewVerifier(hospital, Options{Clock: func() time.Time { return now }})
	c := mustDerive(t, mustMint(t, rootGrant()), "h0", "h1", Grant{Expires: start.Add(time.Minute)})
	verify := func(c Chain, after time.Duration) error {
		now = start.Add(after)
		_, err := v.Verify(c)
		return err
	}
	if err := errors.Join(verify(c, 0), verify(c, time.Minute-time.Nanosecond)); err != nil {
		t.Fatal(err)
	}
	breaks(t, verify(c, time.Minute), RuleExpired, 1, "exp")
	breaks(t, verify(c, time.Minute), RuleExpired, 1, "exp") // no longer remembered
	if err := verify(c[:1], time.Minute); err != nil {
		t.Errorf("the root is remembered apart: %v", err)
	}
	breaks(t, verify(c[:1], -time.Minute), RuleEarly, 0, "iat") // a clock that is set back
}

// A chain is remembered under all its bytes: neither another signature nor another child hides behind it.
func TestWhatIsRememberedIsWhatWasVerified(t *testing.T) {
	v := verifierAt(start, Options{})
	c := fourLinks(t)
	if _, err := v.Verify(c); err != nil {
		t.Fatal(err)
	}
	bad := append(Chain{}, c...)
	bad[3] = bad[3][:len(bad[3])-3] + swap(bad[3][len(bad[3])-3:len(bad[3])-2]) + bad[3][len(bad[3])-2:]
	_, err := v.Verify(bad)
	breaks(t, err, RuleSignature, 3, "")
	bad = append(Chain{}, c...)
	bad[1] = bad[1][:20] + swap(bad[1][20:21]) + bad[1][21:]
	if _, err := v.Verify(bad); err == nil {
		t.Error("a chain with another header in the middle is taken")
	}
	bad = append(Chain{}, c...)
	bad[2], bad[3] = c[2]+c[3][:1], c[3][1:] // the same bytes, cut elsewhere
	if _, err := v.Verify(bad); err == nil {
		t.Error("a chain that is cut elsewhere is taken")
	}
	long := mustDerive(t, c[:3], "h2", "h3", Grant{})
	other, err := v.Verify(long)
	if err != nil {
		t.Fatal(err)
	}
	again, err := v.Verify(c)
	if err != nil {
		t.Fatal(err)
	}
	if other.Leaf().ID == again.Leaf().ID || again.Leaf().ID != idOf(t, c[3]) {
		t.Error("two children of one parent share what is remembered")
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	v := verifierAt(start, Options{Cache: 64})
	root := mustMint(t, rootGrant())
	for i := range 200 {
		c := mustDerive(t, root, "h0", "h1", Grant{Agent: fmt.Sprintf("intake/a%d", i)})
		for range 2 {
			if _, err := v.Verify(c); err != nil {
				t.Fatal(err)
			}
		}
		weight := 0
		for _, m := range []map[[32]byte]*Verified{v.known.young, v.known.old} {
			for _, vd := range m {
				weight += vd.weight
			}
		}
		if weight > 64 {
			t.Fatalf("after %d chains %d are remembered, want 64 at most", i, weight)
		}
	}
	if keys := prefixKeys(root); v.known.get(keys[0]) == nil {
		t.Error("the root, which every chain begins with, was forgotten")
	}
}

func TestVerifiersAreSharedByGoroutines(t *testing.T) {
	v := verifierAt(start, Options{Cache: 16})
	root := mustMint(t, rootGrant())
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 20 {
				c := mustDerive(t, root, "h0", "h1", Grant{Agent: fmt.Sprintf("intake/a%d", i%5)})
				vd, err := v.Verify(c)
				if err != nil || len(vd.Links) != 2 || vd.Leaf().ID != idOf(t, c[1]) {
					t.Errorf("goroutine %d: %v", n, err)
				}
			}
		})
	}
	wg.Wait()
}
