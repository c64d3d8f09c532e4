package exposure

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/scrimhq/scrim/flow"
)

// digest is a truncated HMAC-SHA256 of a label and a value in its normal form, under the subject's own key.
type digest [16]byte

// fact is that a value was shown. Two facts of one label and digest are one.
type fact struct {
	label  flow.Label
	shown  flow.Treatment // the join of all levels at which it was shown
	digest digest
	about  bool // it is known whom it is about
}

// entry is what an audience holds about one subject. It is not changed once others can see it.
type entry struct {
	version int64 // 0: it is not in the store
	expires int64
	facts   []fact
	members []flow.SubjectRef // of a task: whom it is about
	crowd   bool              // of a task: its requests named more than are members
}

func (e *entry) find(label flow.Label, d digest) int {
	return slices.IndexFunc(e.facts, func(f fact) bool { return f.digest == d && f.label == label })
}

const heldVersion = 1

var errHeld = errors.New("what is kept of a subject's exposure is not readable")

// appendHeld appends the stored form: version 1, then the number of facts and for each label, level, parameter, flag and digest.
// Numbers are unsigned varints, and texts have their length before them.
func appendHeld(dst []byte, facts []fact) []byte {
	dst = append(dst, heldVersion)
	dst = binary.AppendUvarint(dst, uint64(len(facts)))
	for i := range facts {
		f := &facts[i]
		dst = append(binary.AppendUvarint(dst, uint64(len(f.label))), f.label...)
		flags := byte(f.shown.Level) << 1
		if f.about {
			flags |= 1
		}
		dst = append(dst, flags)
		dst = append(binary.AppendUvarint(dst, uint64(len(f.shown.Param))), f.shown.Param...)
		dst = append(dst, f.digest[:]...)
	}
	return dst
}

// decodeHeld reads what [appendHeld] wrote.
func decodeHeld(b []byte) ([]fact, error) {
	if len(b) == 0 || b[0] != heldVersion || len(b) > maxHeld {
		return nil, errHeld
	}
	b = b[1:]
	n, size := binary.Uvarint(b)
	if size <= 0 || n > maxFacts {
		return nil, errHeld
	}
	b = b[size:]
	text := func() (string, bool) {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return "", false
		}
		s := string(b[size : size+int(n)])
		b = b[size+int(n):]
		return s, true
	}
	facts := make([]fact, 0, n)
	for range n {
		label, ok := text()
		if !ok || len(b) == 0 {
			return nil, errHeld
		}
		flags := b[0]
		b = b[1:]
		param, ok := text()
		if !ok || len(b) < len(digest{}) || flags>>1 > byte(flow.Raw) {
			return nil, errHeld
		}
		facts = append(facts, fact{
			label: flow.Label(label), shown: flow.Treatment{Level: flow.Level(flags >> 1), Param: flow.Param(param)}, about: flags&1 == 1, digest: digest(b[:16]),
		})
		b = b[16:]
	}
	if len(b) > 0 {
		return nil, errHeld
	}
	return facts, nil
}
