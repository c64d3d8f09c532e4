package wire

import (
	"strconv"

	"github.com/scrimhq/scrim/data/json"
)

// AppendCall appends the JSON-RPC call of a method. Id and params are raw JSON; params may be nil.
func AppendCall(dst, id []byte, method string, params []byte) []byte {
	dst = append(append(dst, `{"jsonrpc":"2.0","id":`...), id...)
	dst = json.AppendString(append(dst, `,"method":`...), method)
	if params != nil {
		dst = append(append(dst, `,"params":`...), params...)
	}
	return append(dst, '}')
}

// AppendSuccess appends the JSON-RPC answer with a result. Id and result are raw JSON.
func AppendSuccess(dst, id, result []byte) []byte {
	dst = append(append(dst, `{"jsonrpc":"2.0","id":`...), id...)
	return append(append(append(dst, `,"result":`...), result...), '}')
}

// AppendFailure appends the JSON-RPC answer with an error. Id, message and data are raw JSON; data may be nil.
func AppendFailure(dst, id []byte, code int, message, data []byte) []byte {
	dst = append(append(dst, `{"jsonrpc":"2.0","id":`...), id...)
	dst = strconv.AppendInt(append(dst, `,"error":{"code":`...), int64(code), 10)
	dst = append(append(dst, `,"message":`...), message...)
	if data != nil {
		dst = append(append(dst, `,"data":`...), data...)
	}
	return append(dst, '}', '}')
}
