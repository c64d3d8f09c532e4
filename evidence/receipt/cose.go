package receipt

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"math"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/scrimhq/scrim/evidence/tile"
)

// Labels and values of RFC 9942, and the claims of RFC 9597.
const (
	labelVDS       = int64(395) // verifiable data structure
	labelVDP       = int64(396) // its proofs
	vdsRFC9162     = int64(1)
	proofInclusion = int64(-1)
	labelCWTClaims = int64(15)
	claimIssuer    = int64(1)
	maxCOSE        = 16 << 10

	// labelSize repeats the tree's size where the signature covers it: the root alone is also that of another size with a path of the
	// same shape, so that size and index could be changed.
	labelSize       = "scrim-size"
	maxCOSEElements = 256
)

// inclusion is the proof as RFC 9942, section 5.2, has it.
type inclusion struct {
	_     struct{} `cbor:",toarray"`
	Size  uint64
	Index uint64
	Path  [][]byte
}

// COSE is the proof as a COSE receipt: a COSE_Sign1 over the root, which is not in it, by the log's key. The tree's origin is the issuer among the
// protected claims. Cosignatures have no place in the format. It returns [tile.ErrSigner] unless the key is Ed25519.
func (p Proof) COSE(key crypto.Signer) ([]byte, error) {
	if _, err := tile.NewSigner(p.Checkpoint.Origin, key); err != nil {
		return nil, err
	}
	signer, err := cose.NewSigner(cose.AlgorithmEdDSA, key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", tile.ErrSigner, err)
	}
	path := make([][]byte, 0, len(p.Hashes))
	for i := range p.Hashes {
		path = append(path, p.Hashes[i][:])
	}
	proof, err := cbor.Marshal(inclusion{Size: uint64(p.Checkpoint.Size), Index: uint64(p.Index), Path: path})
	if err != nil {
		return nil, fmt.Errorf("encoding the proof: %w", err)
	}
	m := cose.NewSign1Message()
	m.Headers.Protected = cose.ProtectedHeader{
		cose.HeaderLabelAlgorithm: cose.AlgorithmEdDSA,
		labelCWTClaims:            map[int64]string{claimIssuer: p.Checkpoint.Origin},
		labelVDS:                  vdsRFC9162,
		labelSize:                 p.Checkpoint.Size,
	}
	m.Headers.Unprotected = cose.UnprotectedHeader{labelVDP: map[int64][][]byte{proofInclusion: {proof}}}
	m.Payload = p.Checkpoint.Root[:]
	if err := m.Sign(rand.Reader, nil, signer); err != nil {
		return nil, fmt.Errorf("signing the receipt: %w", err)
	}
	m.Payload = nil // detached: who verifies computes it
	return m.MarshalCBOR()
}

// Included is what a COSE receipt says.
type Included struct {
	Origin      string
	Size, Index int64
	Root        tlog.Hash
}

// VerifyCOSE returns what a COSE receipt says of the leaf with this hash, if one of the keys signed it for the log. It returns [ErrForm] or
// [ErrSignature]; a receipt for another leaf is an ErrSignature too, since the root that its signature covers comes from the leaf.
func VerifyCOSE(receipt []byte, leaf tlog.Hash, log string, keys ...ed25519.PublicKey) (Included, error) {
	m, in, proof, err := parseCOSE(receipt)
	if err != nil {
		return Included{}, err
	}
	if !InLog(in.Origin, log) {
		return Included{}, fmt.Errorf("%w: it is of another log", ErrSignature)
	}
	var ok bool
	if in.Root, ok = rootOf(in.Size, in.Index, leaf, proof.Path); !ok {
		return Included{}, fmt.Errorf("%w: the path does not fit the tree", ErrForm)
	}
	m.Payload = in.Root[:]
	for _, key := range keys {
		v, err := cose.NewVerifier(cose.AlgorithmEdDSA, key)
		if err != nil {
			return Included{}, fmt.Errorf("%w: %w", tile.ErrSigner, err)
		}
		if m.Verify(nil, v) == nil {
			return in, nil
		}
	}
	return Included{}, ErrSignature
}

func parseCOSE(receipt []byte) (*cose.Sign1Message, Included, inclusion, error) {
	bad := func(what string) (*cose.Sign1Message, Included, inclusion, error) {
		return nil, Included{}, inclusion{}, fmt.Errorf("%w: %s", ErrForm, what)
	}
	var m cose.Sign1Message
	if len(receipt) > maxCOSE || m.UnmarshalCBOR(receipt) != nil || m.Payload != nil {
		return bad("it is not a COSE_Sign1 without a payload")
	}
	if alg, err := m.Headers.Protected.Algorithm(); err != nil || alg != cose.AlgorithmEdDSA {
		return bad("its algorithm is not EdDSA")
	}
	if crit, err := m.Headers.Protected.Critical(); err != nil || len(crit) > 0 {
		return bad("it demands something unknown")
	}
	if vds, ok := m.Headers.Protected[labelVDS].(int64); !ok || vds != vdsRFC9162 {
		return bad("its tree is not that of RFC 9162")
	}
	claims, _ := m.Headers.Protected[labelCWTClaims].(map[any]any)
	origin, ok := claims[claimIssuer].(string)
	if !ok {
		return bad("it has no issuer")
	}
	proofs, _ := m.Headers.Unprotected[labelVDP].(map[any]any)
	list, _ := proofs[proofInclusion].([]any)
	if len(proofs) != 1 || len(list) != 1 {
		return bad("it has not one proof of inclusion")
	}
	raw, _ := list[0].([]byte)
	var p inclusion
	if strictCBOR.Unmarshal(raw, &p) != nil || p.Size > math.MaxInt64 || p.Index >= p.Size || len(p.Path) > maxPath {
		return bad("its proof of inclusion is not one")
	}
	if size, ok := m.Headers.Protected[labelSize].(int64); !ok || uint64(size) != p.Size {
		return bad("its tree's size is not signed")
	}
	return &m, Included{Origin: origin, Size: int64(p.Size), Index: int64(p.Index)}, p, nil
}

var strictCBOR = func() cbor.DecMode {
	mode, err := cbor.DecOptions{
		DupMapKey: cbor.DupMapKeyEnforcedAPF, MaxNestedLevels: 4, MaxArrayElements: maxCOSEElements, IndefLength: cbor.IndefLengthForbidden,
		TagsMd: cbor.TagsForbidden,
	}.DecMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return mode
}()

// rootOf computes the root to which a path leads (RFC 9162, section 2.1.3.2).
func rootOf(size, index int64, leaf tlog.Hash, path [][]byte) (tlog.Hash, bool) {
	fn, sn, r := index, size-1, leaf
	for _, p := range path {
		if len(p) != tlog.HashSize || sn == 0 {
			return tlog.Hash{}, false
		}
		if fn&1 == 1 || fn == sn {
			r = tlog.NodeHash(tlog.Hash(p), r)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			r = tlog.NodeHash(r, tlog.Hash(p))
		}
		fn, sn = fn>>1, sn>>1
	}
	return r, sn == 0
}
