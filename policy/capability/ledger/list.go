package ledger

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/policy/capability"
)

// Errors of a signed list. None repeats what it holds.
var (
	ErrForm       = errors.New("list of revocations has not its form")
	ErrTooBig     = errors.New("list of revocations is larger than allowed")
	ErrKey        = errors.New("list of revocations is signed with a key that is not known")
	ErrNoKey      = errors.New("this domain has no key to sign its list of revocations with")
	ErrSignature  = errors.New("signature of the list of revocations does not verify")
	ErrOwn        = errors.New("list of revocations is this domain's own")
	ErrFuture     = errors.New("list of revocations was issued in the future")
	ErrRolledBack = errors.New("list of revocations is older than the one that is known")
	ErrForked     = errors.New("list of revocations has a version that is known with other entries")
	ErrDropped    = errors.New("list of revocations lacks an entry of the one before, whose time is not over")

	errDomain = errors.New("domain is not named by letters, digits, dots, hyphens and underscores")
)

// The bounds of a list.
const (
	MaxList    = 2 << 20 // bytes, signed
	MaxEntries = 16384

	maxNumber = 1 << 53 // what JSON carries without loss
)

const listType = "scrim-deny+jwt"

// MediaType is that of a signed list.
const MediaType = "application/" + listType

// Kind is what a revocation names.
type Kind uint8

// The kinds.
const (
	OfToken  Kind = 1 + iota // a token id: the token and all derived from it
	OfHolder                 // a holder's key: every token that confirms it, and all derived from them
	OfTask                   // a task: every flow that serves it
)

var kindNames = [...]string{OfToken: "token", OfHolder: "holder", OfTask: "task"}

// String returns the name that the command line and journal use.
func (k Kind) String() string {
	if k < OfToken || k > OfTask {
		return fmt.Sprintf("invalid(%d)", uint8(k))
	}
	return kindNames[k]
}

// ParseKind reads a name.
func ParseKind(s string) (Kind, error) {
	for k := OfToken; k <= OfTask; k++ {
		if kindNames[k] == s {
			return k, nil
		}
	}
	return 0, errors.New("kind is not one of token, holder, task")
}

// MarshalText implements [encoding.TextMarshaler].
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (k *Kind) UnmarshalText(b []byte) (err error) {
	*k, err = ParseKind(string(b))
	return err
}

// digest is how an entry stands in a list: the SHA-256 of a token id or a task id, or a holder key's thumbprint, which is
// one already. The list is public, and a task's name is nobody else's business.
type digest [sha256.Size]byte

func digestOf(k Kind, name string) (digest, error) {
	if k != OfHolder {
		return sha256.Sum256([]byte(name)), nil
	}
	b, err := strict.DecodeString(name)
	if err != nil || len(b) != sha256.Size || strict.EncodeToString(b) != name {
		return digest{}, errors.New("a holder's key is named by its RFC 7638 thumbprint: SHA-256 in base64url, 43 characters")
	}
	return digest(b), nil
}

var strict = base64.RawURLEncoding.Strict()

// list is what a domain revokes.
type list struct {
	issuer  flow.DomainID
	version int64
	issued  time.Time // to the second
	denied  entries
}

// entries are when each entry's time is over, in seconds since 1970, by kind.
type entries [OfTask + 1]map[digest]int64

func newEntries() entries {
	var e entries
	for k := OfToken; k <= OfTask; k++ {
		e[k] = make(map[digest]int64)
	}
	return e
}

func (e entries) count() int { return len(e[OfToken]) + len(e[OfHolder]) + len(e[OfTask]) }

// covers reports whether all of the others that are in force at the time are there, for as long at least.
func (e entries) covers(others entries, now int64) bool {
	for k := OfToken; k <= OfTask; k++ {
		for d, until := range others[k] {
			if mine, there := e[k][d]; until > now && (!there || mine < until) {
				return false
			}
		}
	}
	return true
}

// beyond counts the entries that the others lack.
func (e entries) beyond(others entries) int {
	n := 0
	for k := OfToken; k <= OfTask; k++ {
		for d := range e[k] {
			if _, there := others[k][d]; !there {
				n++
			}
		}
	}
	return n
}

func (e entries) equal(o entries) bool { return e.covers(o, 0) && o.covers(e, 0) }

// header is the protected header of a list. Its issuer stands there too (RFC 7519 section 5.3), so that a list of nobody we know is refused
// before it is read.
type header struct {
	Algorithm string `json:"alg"`
	Issuer    string `json:"iss"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// payload is a list as it is signed. Members are in the order of RFC 8785.
type payload struct {
	Holders  []entry `json:"holders"`
	IssuedAt int64   `json:"iat"`
	Issuer   string  `json:"iss"`
	Tasks    []entry `json:"tasks"`
	Tokens   []entry `json:"tokens"`
	Version  int64   `json:"ver"`
}

type entry struct {
	Until int64  `json:"exp"`
	ID    string `json:"id"`
}

func (p *payload) of(k Kind) *[]entry {
	switch k {
	case OfToken:
		return &p.Tokens
	case OfHolder:
		return &p.Holders
	default:
		return &p.Tasks
	}
}

// sign writes and signs the list: the one form that it has.
func (l *list) sign(kid string, key crypto.Signer) ([]byte, error) {
	if _, ok := key.Public().(ed25519.PublicKey); !ok || !keyID(kid) {
		return nil, errors.New("a list of revocations is signed with an Ed25519 key that has an id")
	}
	p := payload{IssuedAt: l.issued.Unix(), Issuer: string(l.issuer), Version: l.version}
	for k := OfToken; k <= OfTask; k++ {
		all := make([]entry, 0, len(l.denied[k]))
		for d, until := range l.denied[k] {
			all = append(all, entry{until, strict.EncodeToString(d[:])})
		}
		slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.ID, b.ID) })
		*p.of(k) = all
	}
	body, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(header{"EdDSA", string(l.issuer), kid, listType})
	if err != nil {
		return nil, err
	}
	out := strict.AppendEncode(nil, head)
	out = strict.AppendEncode(append(out, '.'), body)
	sig, err := key.Sign(rand.Reader, out, crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("signing the list of revocations: %w", err)
	}
	out = strict.AppendEncode(append(out, '.'), sig)
	if len(out) > MaxList {
		return nil, ErrTooBig
	}
	return out, nil
}

// maxHeader is the most that a list's header takes, as it is encoded.
const maxHeader = 1024

// IssuerOf reads who claims to have issued a list, from its beginning: the first kilobyte is enough. Nothing is verified.
func IssuerOf(signed []byte) (flow.DomainID, error) {
	h, _, err := readHeader(signed)
	return flow.DomainID(h.Issuer), err
}

// readHeader returns the header and where it ends.
func readHeader(signed []byte) (h header, end int, err error) {
	end = bytes.IndexByte(signed[:min(len(signed), maxHeader)], '.')
	if end < 0 {
		return header{}, 0, ErrForm
	}
	if err := canonical(signed[:end], &h); err != nil {
		return header{}, 0, err
	}
	if h.Algorithm != "EdDSA" || h.Type != listType || !domainName(flow.DomainID(h.Issuer)) || !keyID(h.KeyID) {
		return header{}, 0, ErrForm
	}
	return h, end, nil
}

// canonical decodes base64url of JSON that has the one form in which we write it, and no other.
func canonical(encoded []byte, into any) error {
	raw, err := strict.AppendDecode(nil, encoded)
	if err != nil {
		return ErrForm
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(into) != nil { // what it says may repeat the list
		return ErrForm
	}
	again, err := json.Marshal(into)
	if err != nil || !bytes.Equal(again, raw) { // spaces, another order, a member twice, something behind it
		return ErrForm
	}
	return nil
}

// readList verifies a signed list and reads it. Errors: [ErrTooBig], [ErrForm], [ErrKey], [ErrSignature].
func readList(signed []byte, keys capability.Anchors) (*list, error) {
	if len(signed) > MaxList {
		return nil, ErrTooBig
	}
	h, end, err := readHeader(signed)
	if err != nil {
		return nil, err
	}
	dot := bytes.LastIndexByte(signed, '.')
	if dot <= end {
		return nil, ErrForm
	}
	sig, err := strict.AppendDecode(nil, signed[dot+1:])
	if err != nil || len(sig) != ed25519.SignatureSize || bytes.ContainsAny(signed, "\r\n") { // which the decoder skips
		return nil, ErrForm
	}
	key, ok := keys.Key(flow.DomainID(h.Issuer), h.KeyID)
	if !ok || len(key) != ed25519.PublicKeySize {
		return nil, ErrKey
	}
	if !ed25519.Verify(key, signed[:dot], sig) {
		return nil, ErrSignature
	}
	l, err := readPayload(signed[end+1 : dot])
	if err == nil && l.issuer != flow.DomainID(h.Issuer) {
		return nil, ErrForm
	}
	return l, err
}

// readPayload reads what is signed.
func readPayload(encoded []byte) (*list, error) {
	var p payload
	if err := canonical(encoded, &p); err != nil {
		return nil, err
	}
	l := &list{issuer: flow.DomainID(p.Issuer), version: p.Version, issued: time.Unix(p.IssuedAt, 0), denied: newEntries()}
	if !domainName(l.issuer) || !number(p.Version) || !number(p.IssuedAt) {
		return nil, ErrForm
	}
	if len(p.Tokens)+len(p.Holders)+len(p.Tasks) > MaxEntries {
		return nil, ErrTooBig
	}
	for k := OfToken; k <= OfTask; k++ {
		before := ""
		all := *p.of(k)
		if all == nil {
			return nil, ErrForm // null
		}
		for _, e := range all {
			d, err := strict.DecodeString(e.ID)
			if err != nil || len(d) != sha256.Size || e.ID <= before || !number(e.Until) {
				return nil, ErrForm
			}
			before = e.ID
			l.denied[k][digest(d)] = e.Until
		}
	}
	return l, nil
}

func number(n int64) bool { return n > 0 && n < maxNumber }

func domainName(d flow.DomainID) bool { return len(d) <= 253 && word(string(d), "-._") }

func keyID(s string) bool { return len(s) <= 128 && word(s, "-._:") }

// word reports whether s is not empty and consists of letters, digits and the others given: nothing that JSON could write in two ways.
func word(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && bytes.IndexByte([]byte(others), c) < 0 {
			return false
		}
	}
	return s != ""
}
