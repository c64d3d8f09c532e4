package ledger_test

import (
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
	"github.com/scrimhq/scrim/policy/capability/ledger"
	"github.com/scrimhq/scrim/store"
)

func (h *house) revoke(t testing.TB, k ledger.Kind, name string) {
	t.Helper()
	h.revokeUntil(t, k, name, h.clock.now().Add(24*time.Hour))
}

func (h *house) revokeUntil(t testing.TB, k ledger.Kind, name string, until time.Time) {
	t.Helper()
	if _, err := h.Revoke(t.Context(), []ledger.Denial{{Kind: k, Name: name, Until: until}}, nil); err != nil {
		t.Fatal(err)
	}
}

func (h *house) list(t testing.TB) []byte {
	t.Helper()
	b, err := h.List()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hear takes the list of another house.
func (h *house) hear(t testing.TB, from *house) {
	t.Helper()
	if _, err := h.Merge(t.Context(), anchors{}, from.list(t), nil); err != nil {
		t.Fatal(err)
	}
}

// Whatever link it is and however it is named, a revoked one ends the chain and all that was derived from it.
func TestEachLinkIsChecked(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  ledger.Kind
		of    func(links []capability.Link) string
		link  int
		other string // what the chain's sibling shares
	}{
		{"the root's id", ledger.OfToken, func(l []capability.Link) string { return l[0].ID }, 0, "root"},
		{"the middle's id", ledger.OfToken, func(l []capability.Link) string { return l[1].ID }, 1, "none"},
		{"the leaf's id", ledger.OfToken, func(l []capability.Link) string { return l[2].ID }, 2, "none"},
		{"the root's holder", ledger.OfHolder, func(l []capability.Link) string { return thumb(l[0]) }, 0, "root"},
		{"the middle's holder", ledger.OfHolder, func(l []capability.Link) string { return thumb(l[1]) }, 1, "none"},
		{"the leaf's holder", ledger.OfHolder, func(l []capability.Link) string { return thumb(l[2]) }, 2, "none"},
		{"the task", ledger.OfTask, func([]capability.Link) string { return "t1" }, ledger.Whole, "task"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := open(t, hospital, newClock())
			links := []capability.Link{link(h.clock, "root", capability.Grant{}), link(h.clock, "middle", capability.Grant{}), link(h.clock, "leaf", capability.Grant{})}
			vd := chain(hospital, links...)
			sibling := chain(hospital, links[0], link(h.clock, "sibling", capability.Grant{}))
			must(t, h.Revoked(vd, "t1"))
			changes, before := h.Changes(), h.Generation()
			h.revoke(t, c.kind, c.of(links))
			err := h.Revoked(vd, "t1")
			want(t, "the chain", err, ledger.ErrRevoked)
			if e, ok := errors.AsType[*ledger.Error](err); !ok || e.Link != c.link || e.Domain != hospital {
				t.Errorf("error = %v, want one that names link %d and the hospital", err, c.link)
			}
			if e := fmt.Sprint(err); strings.Contains(e, links[0].ID) || strings.Contains(e, "t1") || strings.Contains(e, thumb(links[0])) {
				t.Errorf("the error repeats what is revoked: %s", e)
			}
			select {
			case <-changes:
			default:
				t.Error("nobody was told of the change")
			}
			if h.Generation() == before {
				t.Error("the generation is the same, want another one")
			}
			err = h.Revoked(sibling, "t2")
			if revoked := errors.Is(err, ledger.ErrRevoked); revoked != (c.other == "root") {
				t.Errorf("a sibling for another task: error = %v", err)
			}
			want(t, "after a restart", h.again(t).Revoked(vd, "t1"), ledger.ErrRevoked)
		})
	}
	h := open(t, hospital, newClock())
	want(t, "no chain", h.Revoked(nil, ""), ledger.ErrStale)
	want(t, "an empty chain", h.Revoked(&capability.Verified{Issuer: hospital}, ""), ledger.ErrStale)
}

// A peer revokes chains of its own roots, and nothing else. What we revoke counts for every chain.
func TestAPeerRevokesItsOwnAlone(t *testing.T) {
	c := newClock()
	h, i, l := open(t, hospital, c), open(t, insurer, c), open(t, lab, c)
	h.hear(t, i)
	h.hear(t, l)
	of := func(d flow.DomainID) *capability.Verified {
		return chain(d, link(c, "root", capability.Grant{}), link(c, "leaf", capability.Grant{}))
	}
	leaf := of(insurer).Links[1]
	i.revoke(t, ledger.OfToken, leaf.ID)
	i.revoke(t, ledger.OfHolder, thumb(leaf))
	i.revoke(t, ledger.OfTask, "t1")
	h.hear(t, i)
	want(t, "the insurer's chain", h.Revoked(of(insurer), ""), ledger.ErrRevoked)
	want(t, "the same ids and keys under the hospital's root", h.Revoked(of(hospital), "t1"), nil)
	want(t, "and under the lab's", h.Revoked(of(lab), "t1"), nil)
	other := chain(insurer, link(c, "another", capability.Grant{}))
	want(t, "the insurer's task", h.Revoked(other, "t1"), ledger.ErrRevoked)
	want(t, "another task", h.Revoked(other, "t2"), nil)
	want(t, "a flow from the insurer, without a capability", h.RevokedTask(insurer, "t1"), ledger.ErrRevoked)
	want(t, "one from the lab", h.RevokedTask(lab, "t1"), nil)
	want(t, "one from a stranger", h.RevokedTask("stranger.example", "t1"), nil)

	h.revoke(t, ledger.OfHolder, thumb(link(c, "another", capability.Grant{})))
	h.revoke(t, ledger.OfTask, "t3")
	want(t, "what we revoke of the insurer's", h.Revoked(other, ""), ledger.ErrRevoked)
	want(t, "our task, under the lab's root", h.Revoked(of(lab), "t3"), ledger.ErrRevoked)
	want(t, "our task, from a stranger", h.RevokedTask("stranger.example", "t3"), ledger.ErrRevoked)
}

// A peer whose list is missing or too old has none of its roots accepted.
func TestAStaleListClosesTheDoor(t *testing.T) {
	c := newClock()
	h, i := open(t, hospital, c), open(t, insurer, c)
	vd := chain(insurer, link(c, "root", capability.Grant{Expires: c.now().Add(48 * time.Hour)}))
	want(t, "before there is a list", h.Revoked(vd, ""), ledger.ErrStale)
	i.revoke(t, ledger.OfToken, "x") // so that the list in the store is one
	h.hear(t, i)
	must(t, h.Revoked(vd, ""))
	c.move(10 * time.Minute)
	must(t, h.Revoked(vd, ""))
	c.move(time.Second)
	want(t, "after ten minutes", h.Revoked(vd, ""), ledger.ErrStale)
	want(t, "our own", h.Revoked(chain(hospital, link(c, "own", capability.Grant{})), ""), nil)
	again := h.again(t)
	want(t, "after a restart with the old list", again.Revoked(vd, ""), ledger.ErrStale)
	again.hear(t, i)
	must(t, again.Revoked(vd, ""))
	must(t, again.again(t).Revoked(vd, "")) // what was fresh before the restart is fresh after it
	again.Believe(time.Minute, 0)
	c.move(61 * time.Second)
	want(t, "by a stricter limit", again.Revoked(vd, ""), ledger.ErrStale)
	if all := again.Statuses(); len(all) != 1 || !all[0].Stale || all[0].Domain != insurer || all[0].Entries != 1 || all[0].Version != 2 {
		t.Errorf("statuses = %+v, want the insurer's, stale, of version 2 with one entry", all)
	}
	again.hear(t, i)
	c.move(-2 * time.Minute)
	want(t, "when our clock was set back", again.Revoked(vd, ""), ledger.ErrStale)
}

func TestListsThatAreRefused(t *testing.T) {
	c := newClock()
	h, i := open(t, hospital, c), open(t, insurer, c)
	i.revoke(t, ledger.OfToken, "one")
	first := i.list(t)
	h.hear(t, i)
	i.revoke(t, ledger.OfToken, "two")
	second := i.list(t)
	h.hear(t, i)
	merge := func(b []byte) error { _, err := h.Merge(t.Context(), anchors{}, b, nil); return err }
	want(t, "the same again", merge(second), nil)
	want(t, "an earlier version", merge(first), ledger.ErrRolledBack)
	c.move(time.Minute)
	h.hear(t, i)
	want(t, "the same version, issued earlier", merge(second), ledger.ErrRolledBack)
	want(t, "an earlier version after a restart", func() error { _, err := h.again(t).Merge(t.Context(), anchors{}, first, nil); return err }(), ledger.ErrRolledBack)

	twin := open(t, insurer, c) // the insurer, set back to an empty directory
	for range 2 {
		twin.revoke(t, ledger.OfToken, "three")
	}
	want(t, "the same version with other entries", merge(twin.list(t)), ledger.ErrForked)
	twin.revoke(t, ledger.OfToken, "one")
	want(t, "a later version that lacks an entry", merge(twin.list(t)), ledger.ErrDropped)
	twin.revokeUntil(t, ledger.OfToken, "two", c.now().Add(time.Minute))
	want(t, "a later version in which an entry ends sooner", merge(twin.list(t)), ledger.ErrDropped)
	twin.revokeUntil(t, ledger.OfToken, "two", c.now().Add(48*time.Hour))
	want(t, "a later version that has all", merge(twin.list(t)), nil)

	own := open(t, hospital, c)
	want(t, "our own", merge(own.list(t)), ledger.ErrOwn)
	thief := open(t, insurer, c, func(o *ledger.Options) {
		o.Signer = func() (string, crypto.Signer) { return "k1", keyOf("thief") }
	})
	want(t, "signed by another", merge(thief.list(t)), ledger.ErrSignature)
	renamed := open(t, insurer, c, func(o *ledger.Options) {
		o.Signer = func() (string, crypto.Signer) { return "k2", keyOf(string(insurer)) }
	})
	want(t, "of a key that is not known", merge(renamed.list(t)), ledger.ErrKey)
	want(t, "of a domain that is not known", merge(open(t, "unknown.example", c).list(t)), ledger.ErrKey)

	early, late := newClock(), newClock()
	early.at, late.at = c.now().Add(-11*time.Minute), c.now().Add(2*time.Minute)
	want(t, "issued in the future", merge(open(t, lab, late).list(t)), ledger.ErrFuture)
	want(t, "issued too long ago", merge(open(t, lab, early).list(t)), ledger.ErrStale)
	late.at = c.now().Add(30 * time.Second)
	want(t, "of a clock that is a little ahead", merge(open(t, lab, late).list(t)), nil)
	want(t, "too large", merge(make([]byte, ledger.MaxList+1)), ledger.ErrTooBig)
}

// A list has one form. Whatever is written in another way is refused, also where it is signed.
func TestListsHaveOneForm(t *testing.T) {
	const head = `{"alg":"EdDSA","iss":"insurer.example","kid":"k1","typ":"scrim-deny+jwt"}`
	const d = `"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"`
	c := newClock()
	iat := fmt.Sprint(c.now().Unix())
	body := func(s string) string { return strings.ReplaceAll(s, "IAT", iat) }
	good := body(`{"holders":[],"iat":IAT,"iss":"insurer.example","tasks":[],"tokens":[{"exp":2000000000,"id":` + d + `}],"ver":7}`)
	for name, c := range map[string]struct {
		head, body string
		want       error
	}{
		"as it must be":       {head, good, nil},
		"another algorithm":   {strings.Replace(head, "EdDSA", "HS256", 1), good, ledger.ErrForm},
		"no algorithm":        {strings.Replace(head, "EdDSA", "none", 1), good, ledger.ErrForm},
		"another type":        {strings.Replace(head, "scrim-deny", "scrim-cap", 1), good, ledger.ErrForm},
		"a critical header":   {strings.Replace(head, `"alg"`, `"alg":"EdDSA","crit":["x"],"alg"`, 1), good, ledger.ErrForm},
		"space in the header": {head + " ", good, ledger.ErrForm},
		"a long header":       {strings.Replace(head, "k1", strings.Repeat("k", 1000), 1), good, ledger.ErrForm},
		"two issuers":         {strings.Replace(head, "insurer", "lab", 1), good, ledger.ErrForm},
		"an odd issuer":       {strings.ReplaceAll(head, "insurer.", "in<surer."), good, ledger.ErrForm},
		"a space":             {head, strings.Replace(good, ",", ", ", 1), ledger.ErrForm},
		"another order":       {head, body(`{"iat":IAT,"holders":[],"iss":"insurer.example","tasks":[],"tokens":[],"ver":7}`), ledger.ErrForm},
		"a member twice":      {head, strings.Replace(good, `"ver":7`, `"ver":7,"ver":7`, 1), ledger.ErrForm},
		"a member too many":   {head, strings.Replace(good, `"ver":7`, `"ver":7,"x":0`, 1), ledger.ErrForm},
		"another case":        {head, strings.Replace(good, `"ver"`, `"Ver"`, 1), ledger.ErrForm},
		"null":                {head, strings.Replace(good, `"tasks":[]`, `"tasks":null`, 1), ledger.ErrForm},
		"nothing":             {head, "", ledger.ErrForm},
		"something behind it": {head, good + "{}", ledger.ErrForm},
		"a fraction":          {head, strings.Replace(good, `"ver":7`, `"ver":7.0`, 1), ledger.ErrForm},
		"version 0":           {head, strings.Replace(good, `"ver":7`, `"ver":0`, 1), ledger.ErrForm},
		"a huge version":      {head, strings.Replace(good, `"ver":7`, `"ver":9007199254740993`, 1), ledger.ErrForm},
		"a negative end":      {head, strings.Replace(good, `2000000000`, `-1`, 1), ledger.ErrForm},
		"a short digest":      {head, strings.Replace(good, d, `"AAAA"`, 1), ledger.ErrForm},
		"another spelling":    {head, strings.Replace(good, d, strings.Replace(d, `A"`, `B"`, 1), 1), ledger.ErrForm},
		"an entry twice":      {head, strings.Replace(good, `"tokens":[`, `"tokens":[{"exp":1,"id":`+d+`},`, 1), ledger.ErrForm},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, hospital, newClock())
			_, err := h.Merge(t.Context(), anchors{}, signed(c.head, c.body), nil)
			want(t, "Merge()", err, c.want)
		})
	}
	h := open(t, hospital, newClock())
	ok := string(signed(head, good))
	for name, s := range map[string]string{
		"two parts": ok[:strings.LastIndexByte(ok, '.')], "four parts": ok + ".AAAA", "a line end": ok + "\n", "empty": "", "dots": "..", "padding": ok + "=",
		"no signature": ok[:strings.LastIndexByte(ok, '.')+1],
	} {
		_, err := h.Merge(t.Context(), anchors{}, []byte(s), nil)
		want(t, name, err, ledger.ErrForm)
	}
	var many strings.Builder
	for i := range ledger.MaxEntries + 1 {
		fmt.Fprintf(&many, `,{"exp":1,"id":"%s"}`, base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%032d", i)))
	}
	_, err := h.Merge(t.Context(), anchors{}, signed(head, body(`{"holders":[],"iat":IAT,"iss":"insurer.example","tasks":[],"tokens":[`+many.String()[1:]+`],"ver":7}`)), nil)
	want(t, "too many entries", err, ledger.ErrTooBig)
}

func signed(head, body string) []byte {
	enc := base64.RawURLEncoding
	in := enc.EncodeToString([]byte(head)) + "." + enc.EncodeToString([]byte(body))
	key := keyOf(string(insurer))
	if strings.Contains(head, string(lab)) {
		key = keyOf(string(lab))
	}
	return []byte(in + "." + enc.EncodeToString(ed25519.Sign(key, []byte(in))))
}

// Entries leave the own list when their time is over, for everybody's clock; peers that are a little slow do not take it for a list that lacks something.
func TestEntriesLeaveWhenTheirTimeIsOver(t *testing.T) {
	c := newClock()
	h, i := open(t, hospital, c), open(t, insurer, c)
	i.revokeUntil(t, ledger.OfToken, "short", c.now().Add(time.Hour))
	i.revokeUntil(t, ledger.OfToken, "long", c.now().Add(24*time.Hour))
	h.hear(t, i)
	i.revokeUntil(t, ledger.OfToken, "long", c.now().Add(time.Minute)) // which takes nothing back
	version := i.Version()
	c.move(time.Hour + time.Minute)
	must(t, i.Sweep(t.Context()))
	if i.Version() != version {
		t.Error("an entry left the list at once, want after a while")
	}
	c.move(20 * time.Minute)
	must(t, i.Sweep(t.Context()))
	if i.Version() != version+1 {
		t.Errorf("version = %d, want %d", i.Version(), version+1)
	}
	all, err := i.Denials(t.Context())
	if err != nil || len(all) != 1 || all[0].Name != "long" {
		t.Errorf("denials = %+v, %v; want the long one", all, err)
	}
	h.hear(t, i)
	if s := h.Statuses(); s[0].Entries != 1 || s[0].Version != version+1 {
		t.Errorf("the peer has %+v, want one entry", s)
	}
}

func TestWhatCannotBeRevoked(t *testing.T) {
	h := open(t, hospital, newClock())
	later := h.clock.now().Add(time.Hour)
	for name, c := range map[string]struct {
		d    ledger.Denial
		want error
	}{
		"no kind":       {ledger.Denial{Name: "x", Until: later}, ledger.ErrName},
		"no name":       {ledger.Denial{Kind: ledger.OfTask, Until: later}, ledger.ErrName},
		"a long name":   {ledger.Denial{Kind: ledger.OfTask, Name: strings.Repeat("x", 1025), Until: later}, ledger.ErrName},
		"a key's name":  {ledger.Denial{Kind: ledger.OfHolder, Name: "k1", Until: later}, ledger.ErrName},
		"no end":        {ledger.Denial{Kind: ledger.OfTask, Name: "x"}, ledger.ErrUntil},
		"an end before": {ledger.Denial{Kind: ledger.OfTask, Name: "x", Until: h.clock.now()}, ledger.ErrUntil},
		"in ages":       {ledger.Denial{Kind: ledger.OfTask, Name: "x", Until: later.AddDate(11, 0, 0)}, ledger.ErrUntil},
	} {
		_, err := h.Revoke(t.Context(), []ledger.Denial{{Kind: ledger.OfTask, Name: "good", Until: later}, c.d}, nil)
		want(t, name, err, c.want)
	}
	if all, _ := h.Denials(t.Context()); len(all) != 0 || h.Version() != 1 {
		t.Errorf("denials = %v of version %d, want none of version 1", all, h.Version())
	}
	var many []ledger.Denial
	for i := range ledger.MaxEntries + 1 {
		many = append(many, ledger.Denial{Kind: ledger.OfTask, Name: fmt.Sprint(i), Until: later})
	}
	_, err := h.Revoke(t.Context(), many, nil)
	want(t, "too many", err, ledger.ErrFull)
	_, err = h.Revoke(t.Context(), many[1:], nil)
	want(t, "as many as there may be", err, nil)
	if b := h.list(t); len(b) > ledger.MaxList {
		t.Errorf("the full list has %d bytes, want at most %d", len(b), ledger.MaxList)
	}
	far := open(t, insurer, h.clock)
	far.hear(t, h)
}

// A revocation is on record, or it is none.
func TestNoRecordNoRevocation(t *testing.T) {
	h := open(t, hospital, newClock())
	vd := chain(hospital, link(h.clock, "root", capability.Grant{}))
	boom := errors.New("the journal is closed")
	d := []ledger.Denial{{Kind: ledger.OfToken, Name: vd.Links[0].ID, Until: h.clock.now().Add(time.Hour)}}
	_, err := h.Revoke(t.Context(), d, func(store.Tx, int64) error { return boom })
	want(t, "Revoke()", err, boom)
	want(t, "Revoked()", h.Revoked(vd, ""), nil)
	want(t, "Revoked() after a restart", h.again(t).Revoked(vd, ""), nil)
	var said int64
	version, err := h.Revoke(t.Context(), d, func(_ store.Tx, v int64) error {
		said = v
		if h.Revoked(vd, "") != nil {
			t.Error("it is in force before it is on record")
		}
		return nil
	})
	if err != nil || version != 2 || said != 2 {
		t.Errorf("Revoke() = %d, %v, and %d on record, want version 2", version, err, said)
	}
	want(t, "Revoked()", h.Revoked(vd, ""), ledger.ErrRevoked)
	far := open(t, insurer, h.clock)
	_, err = far.Merge(t.Context(), anchors{}, h.list(t), func(store.Tx, ledger.Change) error { return boom })
	want(t, "Merge()", err, boom)
	want(t, "the hospital's roots at the insurer", far.Revoked(vd, ""), ledger.ErrStale)
	var change ledger.Change
	_, err = far.Merge(t.Context(), anchors{}, h.list(t), func(_ store.Tx, c ledger.Change) error { change = c; return nil })
	if err != nil || change != (ledger.Change{Domain: hospital, Version: 2, Entries: 1, Added: 1}) {
		t.Errorf("Merge() error = %v, on record %+v", err, change)
	}
}

// The own list is signed anew, with the key that is the domain's now, and keeps its version while nothing changes.
func TestTheOwnListIsFresh(t *testing.T) {
	c := newClock()
	kid, key := "k1", keyOf(string(insurer))
	i := open(t, insurer, c, func(o *ledger.Options) { o.Signer = func() (string, crypto.Signer) { return kid, key } })
	h := open(t, hospital, c)
	first := string(i.list(t))
	if string(i.list(t)) != first {
		t.Error("the list was signed twice within a moment")
	}
	h.hear(t, i)
	for range 5 {
		c.move(9 * time.Minute)
		h.hear(t, i)
		must(t, h.Revoked(chain(insurer, link(c, "root", capability.Grant{})), ""))
	}
	if s := h.Statuses(); s[0].Version != 1 {
		t.Errorf("version = %d, want 1", s[0].Version)
	}
	if h.Generation() != 1 {
		t.Errorf("generation = %d, want 1: nothing changed but the time", h.Generation())
	}
	c.move(-5 * time.Second) // the clock is put right
	h.hear(t, i)
	c.move(time.Minute)
	h.hear(t, i)
	kid = "k2"
	_, err := h.Merge(t.Context(), anchors{}, i.list(t), nil)
	want(t, "signed with the next key", err, ledger.ErrKey)
	if d, err := ledger.IssuerOf(i.list(t)[:200]); d != insurer || err != nil {
		t.Errorf("IssuerOf() = %s, %v", d, err)
	}
}

func TestForgottenPeersMayBeginAnew(t *testing.T) {
	c := newClock()
	h, i := open(t, hospital, c), open(t, insurer, c)
	i.revoke(t, ledger.OfToken, "x")
	h.hear(t, i)
	must(t, h.Forget(t.Context(), insurer))
	vd := chain(insurer, link(c, "root", capability.Grant{}))
	want(t, "a peer that is none", h.Revoked(vd, ""), ledger.ErrStale)
	want(t, "after a restart", h.again(t).Revoked(vd, ""), ledger.ErrStale)
	h.hear(t, open(t, insurer, c)) // version 1
	must(t, h.Revoked(vd, ""))
}

// BenchmarkRevoked asks about a chain of four links where two lists hold 10,000 entries each.
func BenchmarkRevoked(b *testing.B) {
	c := newClock()
	h, i := open(b, hospital, c, func(o *ledger.Options) { o.Clock = time.Now }), open(b, insurer, c, func(o *ledger.Options) { o.Clock = time.Now })
	var all []ledger.Denial
	for n := range 10_000 {
		kind, name := ledger.Kind(1+n%3), fmt.Sprint("name ", n)
		if kind == ledger.OfHolder {
			name = base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%032d", n))
		}
		all = append(all, ledger.Denial{Kind: kind, Name: name, Until: time.Now().Add(time.Hour)})
	}
	for _, l := range []*house{h, i} {
		if _, err := l.Revoke(b.Context(), all, nil); err != nil {
			b.Fatal(err)
		}
	}
	h.hear(b, i)
	var links []capability.Link
	for n := range 4 {
		l := link(c, child(n), capability.Grant{})
		l.ID = fmt.Sprintf("01957a41-0081-7c20-bf3a-00a0c91e%04d", n)
		links = append(links, l)
	}
	vd := chain(insurer, links...)
	for b.Loop() {
		if err := h.Revoked(vd, "01jd8v9q4bh2k"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/4, "ns/link")
}

func BenchmarkMergeTenThousand(b *testing.B) {
	c := newClock()
	h, i := open(b, hospital, c), open(b, insurer, c)
	var all []ledger.Denial
	for n := range 10_000 {
		all = append(all, ledger.Denial{Kind: ledger.OfToken, Name: fmt.Sprint(n), Until: c.now().Add(time.Hour)})
	}
	if _, err := i.Revoke(b.Context(), all, nil); err != nil {
		b.Fatal(err)
	}
	list := i.list(b)
	b.SetBytes(int64(len(list)))
	for b.Loop() {
		if _, err := h.Merge(b.Context(), anchors{}, list, nil); err != nil {
			b.Fatal(err)
		}
	}
}
