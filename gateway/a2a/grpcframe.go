package a2a

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/a2a/proto"
)

// A gRPC message on the wire is a byte that says whether it is compressed, four for its length, and the message.
const frameHead = 5

var (
	errCompressed = errors.New("message is compressed")
	errFrameBig   = errors.New("message is too big")
	errFrameCut   = errors.New("message broke off")
)

// readFrame reads one message. At the end it returns [io.EOF]. A message over the limit is not read: its length says so.
func readFrame(r io.Reader, limit int) ([]byte, error) {
	var head [frameHead]byte
	switch n, err := io.ReadFull(r, head[:]); {
	case n == 0 && errors.Is(err, io.EOF):
		return nil, io.EOF
	case err != nil:
		return nil, errFrameCut
	case head[0] != 0:
		return nil, errCompressed
	}
	size := binary.BigEndian.Uint32(head[1:])
	if int64(size) > int64(limit) {
		return nil, errFrameBig
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(size))) // grows with what comes, not with what is promised
	if err != nil || len(b) != int(size) {
		return nil, errFrameCut
	}
	return b, nil
}

func appendFrame(dst, message []byte) []byte {
	dst = append(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(message)))
	return append(dst, message...)
}

// grpcStatus is how a gRPC call ended.
type grpcStatus struct {
	code    int
	message string
	details []byte // JSON, as [proto.Details] has it
}

// readStatus reads the status from headers or trailers. Ok is false if there is none.
func readStatus(h http.Header) (s grpcStatus, ok bool) {
	code, err := strconv.Atoi(h.Get("Grpc-Status"))
	if err != nil || code < 0 {
		return s, false
	}
	s.code = code
	if text, err := url.PathUnescape(h.Get("Grpc-Message")); err == nil && len(text) <= 4096 {
		s.message = text
	}
	if bin := h.Get("Grpc-Status-Details-Bin"); bin != "" {
		if raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(bin, "=")); err == nil {
			s.details, _ = proto.Details(raw) // what cannot be read tells nothing
		}
	}
	return s, true
}

// Longest text and details of a status: they travel in header fields, of which clients take no more than a few kilobytes.
const (
	maxText    = 1024
	maxDetails = 3072
)

// set writes the status into trailers, the text cut and the details left out where they are too long.
func (s grpcStatus) set(h http.Header) error {
	if len(s.message) > maxText {
		s.message = strings.ToValidUTF8(s.message[:maxText], "")
	}
	bin, err := proto.Status(s.code, s.message, s.details)
	if err == nil && len(bin) > maxDetails {
		bin, err = proto.Status(s.code, s.message, nil)
	}
	if err != nil {
		return err
	}
	h.Set(http.TrailerPrefix+"Grpc-Status", strconv.Itoa(s.code))
	if s.code != 0 {
		h.Set(http.TrailerPrefix+"Grpc-Message", percent(s.message))
		h.Set(http.TrailerPrefix+"Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(bin))
	}
	return nil
}

// percent writes a text as a header field can hold it.
func percent(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '%' {
			b.WriteString("%" + strings.ToUpper(strconv.FormatUint(uint64(c)|0x100, 16)[1:]))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// frameRefusal says what was wrong with a message.
func frameRefusal(err error, limit int, whose string) error {
	switch {
	case errors.Is(err, errCompressed):
		return gateway.Refuse(gateway.RuleEncoding, err, "%s message is compressed; send it as identity.", whose)
	case errors.Is(err, errFrameBig):
		return gateway.Refuse(gateway.RuleTooBig, err, "%s message is larger than %d bytes.", whose, limit)
	default:
		return gateway.Refuse(gateway.RuleMalformed, err, "%s message broke off.", whose)
	}
}
