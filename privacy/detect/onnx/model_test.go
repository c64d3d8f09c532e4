package onnx_test

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// labels of the tiny model's outputs.
var labels = []string{"O", "B-PER", "I-PER", "B-ORG", "I-ORG", "SHOE"}

// vocab is what the tiny model knows; each word with the output that is the largest for it.
var vocab = []struct {
	word string
	out  int
}{
	{"[PAD]", 0}, {"[UNK]", 0}, {"[CLS]", 1}, {"[SEP]", 1}, {"the", 0}, {".", 0}, {",", 0}, {"met", 0},
	{"jane", 1}, {"doe", 2}, {"zoe", 1}, {"bj", 1}, {"##orn", 2}, {"acme", 3}, {"corp", 4}, {"朴", 1}, {"boot", 5}, {"word", 0}, {"##s", 0},
}

// field writes a field of protobuf.
func field(n int, v any) []byte {
	tag := func(kind int) []byte { return binary.AppendUvarint(nil, uint64(n<<3|kind)) }
	switch v := v.(type) {
	case int:
		return binary.AppendUvarint(tag(0), uint64(v))
	case string:
		return field(n, []byte(v))
	case []byte:
		return append(binary.AppendUvarint(tag(2), uint64(len(v))), v...)
	}
	panic("a field of that kind")
}

func message(fields ...[]byte) (out []byte) {
	for _, f := range fields {
		out = append(out, f...)
	}
	return out
}

// tensor is a TensorProto of floats.
func tensor(name string, rows, columns int, values []float32) []byte {
	var raw []byte
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return message(field(1, rows), field(1, columns), field(2, 1), field(8, name), field(9, raw))
}

// value is a ValueInfoProto; a dimension of 0 is dynamic.
func value(name string, kind int, dims ...int) []byte {
	var shape []byte
	for i, d := range dims {
		dim := field(1, d)
		if d == 0 {
			dim = field(2, fmt.Sprint("d", i))
		}
		shape = append(shape, field(1, dim)...)
	}
	return message(field(1, name), field(2, field(1, message(field(1, kind), field(2, shape)))))
}

// tinyModel writes a model of two steps: embeddings of size 4 by token, times a matrix of 4 rows. Row k of the embeddings
// of a word with output o is such that output o is 6 and all others are at most 2.
func tinyModel(t testing.TB, positions int) string {
	t.Helper()
	const size = 6
	embed := make([]float32, 0, len(vocab)*size)
	for _, w := range vocab {
		row := make([]float32, size)
		row[w.out] = 3
		embed = append(embed, row...)
	}
	matrix := make([]float32, 0, size*len(labels))
	for i := range size {
		for j := range labels {
			v := float32(0.25)
			if i == j {
				v = 2
			}
			matrix = append(matrix, v)
		}
	}
	graph := message(
		field(1, message(field(1, "embed"), field(1, "input_ids"), field(2, "hidden"), field(4, "Gather"))),
		field(1, message(field(1, "hidden"), field(1, "matrix"), field(2, "logits"), field(4, "MatMul"))),
		field(2, "tiny"),
		field(5, tensor("embed", len(vocab), size, embed)), field(5, tensor("matrix", size, len(labels), matrix)),
		field(11, value("input_ids", 7, 0, 0)), field(12, value("logits", 1, 0, 0, len(labels))),
	)
	model := message(field(1, 8), field(7, graph), field(8, message(field(1, ""), field(2, 14))))
	words, names := map[string]int{}, map[string]string{}
	for i, w := range vocab {
		words[w.word] = i
	}
	for i, l := range labels {
		names[fmt.Sprint(i)] = l
	}
	return modelDir(t, model, map[string]any{"id2label": names, "max_position_embeddings": positions}, map[string]any{
		"version":       "1.0",
		"normalizer":    map[string]any{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": nil, "lowercase": true},
		"pre_tokenizer": map[string]any{"type": "BertPreTokenizer"},
		"model":         map[string]any{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": words},
	})
}

func modelDir(t testing.TB, model []byte, config, tokenizer any) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]any{"config.json": config, "tokenizer.json": tokenizer, "model.onnx": model} {
		b, ok := content.([]byte)
		if !ok {
			var err error
			if b, err = json.Marshal(content); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
