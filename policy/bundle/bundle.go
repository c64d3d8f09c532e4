package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Type is the typ of a bundle's header, and MediaType what it is served as.
const (
	Type      = "scrim-bundle+jwt"
	MediaType = "application/" + Type
)

// Path is below which a domain's bundles are found on its gateways: the newest version of one at its name, each version
// at its number below that.
const Path = "/.well-known/scrim/bundles/"

// Limits of a bundle.
const (
	MaxText     = 1 << 20              // bytes of the whole, signed
	MaxPolicies = 128 << 10            // bytes of its policies
	MaxLife     = 366 * 24 * time.Hour // from being issued to its end

	mostLabels   = 4096
	mostDatasets = 1024
	mostColumns  = 16384 // of all datasets
	mostWords    = 256   // purposes or techniques of one dataset, or labels of one column
	mostName     = 200   // bytes
	mostNumber   = 1<<53 - 1
	mostSeconds  = 100 * 366 * 86400 // of a retention
	mostPad      = 10 * 60 * 1000    // milliseconds
)

// Skew is how far the clocks of two domains may be apart.
const Skew = time.Minute

// Bundle is one version of what a domain asks others to keep to. Treat one that was read as immutable.
type Bundle struct {
	Issuer   flow.DomainID
	Name     string // of the domain's own choice; lower-case letters, digits and dashes
	Version  int64  // 1, 2, 3 …
	Previous Digest // of the version before; zero for the first
	Issued   time.Time
	Expires  time.Time
	Content
}

// Content is what a bundle asks for. Lists are ordered by name and have each name once.
type Content struct {
	Policies string // Cedar; forbids alone
	Labels   []Label
	Datasets []Dataset
	Defaults Defaults
}

// Label is a limit of a class of data and of everything below it.
type Label struct {
	Label  flow.Label
	Tier   *flow.Tier    // the cap by tier is at most that of this one; nil: not said
	Level  *flow.Level   // the most revealing level; nil: not said
	Retain time.Duration // how long recipients may keep it, at most, in whole seconds; 0: not said
}

// Dataset is an entry of a catalog, for a dataset of that name where it is subscribed to.
type Dataset struct {
	Name       string
	Columns    []Column
	Purposes   []flow.Purpose // it may be used for; empty: not said
	Techniques []string       // aggregate, extract …; empty: not said
	Retain     time.Duration  // how long recipients may keep it, at most, in whole seconds; 0: not said
	Epsilon    int64          // the most that all answers may cost, in 10⁻⁹ ε; 0: not said
	Pad        time.Duration  // answers leave at multiples of no less than this, in whole milliseconds; 0: not said
}

// Column is a column of a dataset with labels that it has beside its own.
type Column struct {
	Name   string
	Labels []flow.Label
}

// Defaults hold for agents and datasets of which nothing else is said, here or where it is subscribed to.
type Defaults struct {
	Capability  bool              // agents call by a capability or not at all
	Criticality *flow.Criticality // the highest that an agent's tasks may claim; nil: not said
	Retain      time.Duration     // as of a dataset
	Epsilon     int64             // as of a dataset
	Pad         time.Duration     // as of a dataset
}

// Digest identifies what a version says: not how long it lasts or when it was signed.
type Digest [sha256.Size]byte

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// IsZero reports whether there is none.
func (d Digest) IsZero() bool { return d == Digest{} }

// Digest returns that of the bundle's version: the SHA-256 of "scrim bundle 1\n" and its payload in the form in which it
// is signed, with iat and exp 0.
func (b *Bundle) Digest() Digest {
	p := b.payload()
	p.IssuedAt, p.Expires = 0, 0
	body, err := encode(p)
	if err != nil { // texts and numbers can be encoded
		panic(err)
	}
	return sha256.Sum256(append([]byte("scrim bundle 1\n"), body...))
}

// Same reports whether two contents ask for the same.
func (c *Content) Same(o *Content) bool {
	a, b := Bundle{Content: *c}, Bundle{Content: *o}
	return a.Digest() == b.Digest()
}

// InForce is nil if the bundle counts at that time; else an [*Error] of [RuleExpired] or [RuleFuture].
func (b *Bundle) InForce(now time.Time) error {
	switch {
	case !now.Before(b.Expires):
		return refused(RuleExpired)
	case now.Before(b.Issued.Add(-Skew)):
		return refused(RuleFuture)
	}
	return nil
}

// Follows is nil if the bundle may take the place of the one that was seen before: it is the very next version and names its digest, or it
// is the same version, signed again. After a nil one comes any. The error is an [*Error].
func (b *Bundle) Follows(earlier *Bundle) error {
	switch {
	case earlier == nil:
		return nil
	case b.Issuer != earlier.Issuer:
		return refused(RuleIssuer)
	case b.Name != earlier.Name:
		return refused(RuleName)
	case b.Version < earlier.Version, b.Version == earlier.Version && b.Issued.Before(earlier.Issued):
		return refused(RuleRollback)
	case b.Version > earlier.Version+1:
		return refused(RuleGap)
	case b.Version == earlier.Version && b.Digest() != earlier.Digest(),
		b.Version > earlier.Version && b.Previous != earlier.Digest():
		return refused(RuleFork)
	}
	return nil
}

// ID is how a bundle is called where it is subscribed to.
func (b *Bundle) ID() string { return string(b.Issuer) + "/" + b.Name }
