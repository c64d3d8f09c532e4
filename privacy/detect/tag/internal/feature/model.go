package feature

import (
	"encoding/binary"
	"errors"
)

// A model file is: magic, the scale of the weights (thousandths of a nat), how many bytes of gazetteer follow, the rows of
// weights (one byte a tag, 128 is none), the gazetteer.
const (
	magic      = "scrimtag1\n"
	headerSize = 18
)

// ErrModel means that a file is no model.
var ErrModel = errors.New("not a model of the tagger")

// Model holds the weights of a tagger.
type Model struct {
	Gaz   Gazetteer
	Scale float64 // nats a unit
	rows  string
}

// Parse reads a model without copying it.
func Parse(file string) (*Model, error) {
	if len(file) < headerSize+8*Rows || file[:len(magic)] != magic {
		return nil, ErrModel
	}
	head := []byte(file[len(magic):headerSize])
	gaz := int(binary.LittleEndian.Uint32(head[4:]))
	rows := file[headerSize : headerSize+8*Rows]
	lists := file[headerSize+8*Rows:]
	if len(lists) != gaz || gaz%4 != 0 {
		return nil, ErrModel
	}
	return &Model{Gazetteer{lists}, float64(binary.LittleEndian.Uint32(head)) / 1000, rows}, nil
}

// Encode writes a model. Rows has eight bytes a row.
func Encode(scale float64, rows, gaz []byte) []byte {
	out := []byte(magic)
	out = binary.LittleEndian.AppendUint32(out, uint32(scale*1000+.5))
	out = binary.LittleEndian.AppendUint32(out, uint32(len(gaz)))
	out = append(out, rows...)
	return append(out, gaz...)
}

const lanes = 0x00FF00FF00FF00FF

// Score adds up the weights of the features. The sums share an offset, so that only their differences count.
func (m *Model) Score(f *[Count]uint32, out *[Tags]int32) {
	var even, odd uint64
	rows := m.rows
	for _, b := range f {
		at := int(Row(b)) * 8
		row := rows[at : at+8]
		x := uint64(row[0]) | uint64(row[1])<<8 | uint64(row[2])<<16 | uint64(row[3])<<24 | uint64(row[4])<<32 | uint64(row[5])<<40 | uint64(row[6])<<48 | uint64(row[7])<<56
		even += x & lanes
		odd += x >> 8 & lanes
	}
	for i := range 4 {
		out[2*i] = int32(even >> (16 * i) & 0xFFFF)
		out[2*i+1] = int32(odd >> (16 * i) & 0xFFFF)
	}
}
