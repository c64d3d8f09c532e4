package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"

	"github.com/scrimhq/scrim/data/table"
)

// Bounds of what is held at once.
const (
	mostPage       = 64 << 20 // bytes of a page, compressed and not
	mostDictionary = 16 << 20
	mostEntries    = 1 << 20
	mostHeader     = 1 << 20
	mostPages      = 1 << 20 // of a row group
	mostText       = 256 << 20
)

var errBig = errors.New("has a page that is larger than is read")

// page is where a page lies, and what its header says.
type page struct {
	header format.PageHeader
	data   int64 // offset behind the header
	first  int64 // row of the row group, from 0
	values int64
}

// pagesOf walks along the headers of a column in a row group.
func (f *file) pagesOf(col *column, md *format.ColumnMetaData, rows int64, budget *int) (dict *page, data []page, err error) {
	at := md.DataPageOffset
	if d := md.DictionaryPageOffset; d > 0 && d < at {
		at = d
	}
	end := at + md.TotalCompressedSize
	if at < int64(len(magic)) || md.TotalCompressedSize < 0 || end > f.size || end < at {
		return nil, nil, errors.New("is damaged: it lies outside of the file")
	}
	if md.Type != col.kind {
		return nil, nil, errors.New("is damaged: a row group has it in another type")
	}
	for row := int64(0); row < rows; {
		if *budget--; *budget < 0 {
			return nil, nil, errors.New("has more pages than are read")
		}
		var p page
		n, err := f.header(at, end, &p.header)
		if err != nil {
			return nil, nil, err
		}
		p.data = at + int64(n)
		size := p.header.CompressedPageSize
		if at = p.data + int64(size); size < 0 || at > end {
			return nil, nil, errPage
		}
		if size > mostPage || p.header.UncompressedPageSize > mostPage || p.header.UncompressedPageSize < 0 {
			return nil, nil, errBig
		}
		switch p.header.Type {
		case format.DictionaryPage:
			if dict != nil || !p.header.DictionaryPageHeader.Valid {
				return nil, nil, errPage
			}
			dict = &p
		case format.DataPage, format.DataPageV2:
			p.values = int64(p.header.DataPageHeader.V.NumValues)
			if p.header.Type == format.DataPageV2 {
				p.values = int64(p.header.DataPageHeaderV2.V.NumValues)
			}
			if p.values < 0 {
				return nil, nil, errPage
			}
			p.first = row
			row += p.values
			p.header.DataPageHeader.V.Statistics, p.header.DataPageHeaderV2.V.Statistics = format.Statistics{}, format.Statistics{}
			data = append(data, p)
			if row > rows {
				return nil, nil, errPage
			}
		}
	}
	return dict, data, nil
}

// header reads the page header at an offset, and returns its length.
func (f *file) header(at, end int64, h *format.PageHeader) (int, error) {
	for size := int64(256); ; size *= 8 {
		b := make([]byte, min(size, end-at))
		if _, err := f.f.ReadAt(b, at); err != nil && err != io.EOF {
			return 0, err
		}
		n, err := unmarshal(b, h)
		if err == nil || size >= mostHeader || int64(len(b)) < size {
			return n, err
		}
	}
}

// load reads what lies behind a page's header, and decompresses it.
func (f *file) load(p *page, codec format.CompressionCodec) (levels, data []byte, err error) {
	b := make([]byte, p.header.CompressedPageSize)
	if _, err := f.f.ReadAt(b, p.data); err != nil {
		return nil, nil, errPage
	}
	size := int(p.header.UncompressedPageSize)
	if p.header.Type == format.DataPageV2 {
		h := &p.header.DataPageHeaderV2.V
		n := int(h.DefinitionLevelsByteLength)
		if h.RepetitionLevelsByteLength != 0 || n < 0 || n > len(b) || n > size {
			return nil, nil, errPage
		}
		levels, b, size = b[:n], b[n:], size-n
		if h.IsCompressed.Valid && !h.IsCompressed.V {
			return levels, b, nil
		}
	}
	data, err = decompress(codec, b, size)
	return levels, data, err
}

// decompress never makes more than size bytes.
func decompress(codec format.CompressionCodec, b []byte, size int) (out []byte, err error) {
	switch codec {
	case format.Uncompressed:
		out = b
	case format.Snappy:
		if n, err := snappy.DecodedLen(b); err != nil || n != size {
			return nil, errPage
		}
		out, err = snappy.Decode(nil, b)
	case format.Zstd:
		var z *zstd.Decoder
		if z, err = zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*mostPage), zstd.WithDecoderLowmem(true)); err != nil {
			return nil, errPage
		}
		defer z.Close()
		out, err = readFull(z, size)
	case format.Gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(b)); err != nil {
			return nil, errPage
		}
		out, err = readFull(z, size)
	case format.Brotli:
		out, err = readFull(brotli.NewReader(bytes.NewReader(b)), size)
	case format.Lz4Raw:
		out = make([]byte, size)
		var n int
		n, err = lz4.UncompressBlock(b, out)
		out = out[:max(n, 0)]
	default:
		return nil, errors.New("is compressed in a way that is not known")
	}
	if err != nil || len(out) != size {
		return nil, errPage
	}
	return out, nil
}

// readFull reads what there is, but no more than one byte beyond size.
func readFull(r io.Reader, size int) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(min(size, 1<<20))
	_, err := io.Copy(&b, io.LimitReader(r, int64(size)+1))
	return b.Bytes(), err
}

// dictionary reads a dictionary's entries as cells. Leniently, one that its type cannot hold is null.
func (f *file) dictionary(c *column, p *page, codec format.CompressionCodec, lenient bool) ([]table.Cell, error) {
	var cells []table.Cell
	var text []byte
	err := f.eachEntry(c, p, codec, func(v raw) (err error) {
		at := len(text)
		var kind table.Kind
		if text, kind, err = c.show(text, v); err != nil {
			if !lenient {
				return err
			}
			text, cells = text[:at], append(cells, table.Cell{})
			return nil
		}
		cells = append(cells, table.Cell{Kind: kind, Text: text[at:len(text):len(text)]})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return cells, nil
}

// eachEntry calls look with the entries of a dictionary.
func (f *file) eachEntry(c *column, p *page, codec format.CompressionCodec, look func(raw) error) error {
	h := p.header.DictionaryPageHeader.V
	if p.header.UncompressedPageSize > mostDictionary || h.NumValues > mostEntries {
		return errors.New("has a dictionary that is larger than is read")
	}
	//lint:ignore SA1019 writers of today still use the deprecated encoding, and what they write must be read
	if h.Encoding != format.Plain && h.Encoding != format.PlainDictionary {
		return errPage
	}
	_, b, err := f.load(p, codec)
	if err != nil {
		return err
	}
	from := plainOf(c, b)
	for range h.NumValues {
		v, err := from.next()
		if err != nil {
			return err
		}
		if err := look(v); err != nil {
			return err
		}
	}
	return nil
}

// indexes are places in a dictionary.
func indexes(b []byte) (*runs, error) {
	if len(b) == 0 {
		return &runs{}, nil
	}
	if b[0] > 32 {
		return nil, errPage
	}
	return &runs{b: b[1:], width: int(b[0])}, nil
}

// levelsOf takes the definition levels off a page of the first version.
func levelsOf(c *column, p *page, b []byte) (levels, rest []byte, err error) {
	if c.levels == 0 {
		return nil, b, nil
	}
	if p.header.DataPageHeader.V.DefinitionLevelEncoding != format.RLE {
		return nil, nil, errors.New("has a page in an encoding that is not known")
	}
	if len(b) < 4 {
		return nil, nil, errPage
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, errPage
	}
	return b[4 : 4+n], b[4+n:], nil
}
