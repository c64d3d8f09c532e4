package mcp

import (
	"context"
	"encoding/base64"
	"mime"
	"strings"
	"unicode/utf8"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/wire"
)

// handle returns the id of the handle that a client wants to read: a link in a server's answer may be one, and clients read links where
// they found them. It is "" for everything else.
func (c *calling) handle(m *message) string {
	if c.method != "resources/read" || m.mcp.URI < 0 {
		return ""
	}
	return gateway.HandleID(m.doc.Text(m.mcp.URI))
}

// redeem answers such a call: the server behind learns nothing of it.
func (x *exchange) redeem(ctx context.Context, c *calling, m *message, id string) fromClient {
	asked := c.flow
	out, err := x.g.Redeem(ctx, &gateway.Redemption{
		Snapshot: c.who.snap, Caller: c.who.caller, Authority: c.who.authority, ID: id, Request: c.once,
		Flow: flow.Flow{ID: asked.ID, From: asked.From, Protocol: asked.Protocol, Method: "RedeemHandle", Trace: asked.Trace},
	})
	if err != nil {
		return x.refused(ctx, c, err)
	}
	one := newObject()
	one.text("uri", m.doc.Text(m.mcp.URI))
	one.text("mimeType", out.Media)
	if readable(out.Media, out.Body) {
		one.text("text", string(out.Body))
	} else {
		one.text("blob", base64.StdEncoding.EncodeToString(out.Body))
	}
	result := newObject()
	result.raw("contents", append(append([]byte{'['}, one.end()...), ']'))
	if c.version == wire.MCP20260728 {
		result.text("resultType", "complete")
		result.raw("ttlMs", []byte("0"))
		result.text("cacheScope", "private")
	}
	return fromClient{reply: wire.AppendSuccess(nil, c.id, result.end()), status: 200}
}

// readable reports whether what was redeemed is text.
func readable(media string, body []byte) bool {
	kind, _, err := mime.ParseMediaType(media)
	text := strings.HasPrefix(kind, "text/") || kind == "application/json" || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml")
	return err == nil && text && utf8.Valid(body)
}
