package gateway

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
)

// Fetch says from where files are fetched that a message names by an address. The zero value fetches nothing.
//
// An address that policy lets be shown raw passes as it is, and the recipient fetches. Where policy allows a stand-in
// for it (tokenized), the content is the stand-in: the gateway fetches it, and what it holds is decided like that of any
// file. Below that, or where nothing is fetched, the part is a placeholder.
type Fetch struct {
	Client *http.Client // goes nowhere that a stranger may not lead it; see package egress
	Hosts  []string     // names of hosts, in lower case; "*.example.org" stands for every name below it
	Bytes  int64        // of one file
}

// ErrFetch means that a file could not be had. Its text names no address.
var ErrFetch = errors.New("the file could not be fetched")

// hosts reports whether files are fetched from an address.
func (f *Fetch) hosts(address string) bool {
	if f == nil || f.Client == nil || len(address) > 2048 {
		return false
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return false
	}
	host := strings.ToLower(u.Hostname())
	return slices.ContainsFunc(f.Hosts, func(h string) bool {
		below, wild := strings.CutPrefix(h, "*")
		return host == h || wild && strings.HasPrefix(below, ".") && strings.HasSuffix(host, below) && len(host) > len(below)
	})
}

// get returns a file and the media type that its server gives it. No credential is sent and no redirect followed.
func (f *Fetch) get(ctx context.Context, address string) (fetched, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fetched{}, ErrFetch
	}
	req.Header.Set("User-Agent", "scrim")
	res, err := f.Client.Do(req)
	if err != nil {
		return fetched{}, ErrFetch // its text may repeat the address
	}
	defer res.Body.Close()
	enc := res.Header.Get("Content-Encoding")
	if res.StatusCode != http.StatusOK || enc != "" && !strings.EqualFold(enc, "identity") {
		return fetched{}, ErrFetch
	}
	content, err := io.ReadAll(io.LimitReader(res.Body, f.Bytes+1))
	if err != nil || int64(len(content)) > f.Bytes {
		return fetched{}, ErrFetch
	}
	return fetched{media: res.Header.Get("Content-Type"), content: content}, nil
}

type fetched struct {
	media   string
	content []byte
	err     error
}

// maxFetched bounds the files that are fetched for one message.
const maxFetched = 8

// fetchFiles puts content in place of the addresses of files that policy lets be stood in for. It comes after the
// addresses were looked at: what was found in one counts.
func (c *collector) fetchFiles() error {
	for i := range c.targets { // those of before: what is added holds no address
		t := &c.targets[i]
		if t.kind != filePart || t.view.parent != nil || !c.inPart(t.view.doc, t.node) || !c.m.Snapshot.Fetch.hosts(t.value) {
			continue
		}
		terms, err := c.g.Terms(c.m.Snapshot, c.m.Authority, c.m.Query, c.leaves[i:i+1])
		if err != nil {
			return err
		}
		c.m.sentBy.meet(c.m.Snapshot.Taxonomy, c.leaves[i:i+1], terms.Leaves)
		if terms.Leaves[0].Level != flow.Tokenized {
			continue
		}
		got, err := c.fetch(t.value, c.leaves[i].Path)
		if err != nil {
			return err
		}
		if got.err == nil {
			t.kind = fetchedFile
			c.inline(t.view, t.node, got)
		}
	}
	return nil
}

// inPart reports whether a node is the address of an A2A part's file, and all that there is of it. Resources of MCP are read
// by their address.
func (c *collector) inPart(d *json.Doc, n int) bool {
	name := inlineName[string(d.Key(n))]
	if name == "" || !strings.HasPrefix(c.m.Query.Flow.Protocol, "a2a/") || c.m.Table.Role(d.Nodes[n].State) != wire.FileURL {
		return false
	}
	_, there := d.Member(int(d.Nodes[n].Parent), name)
	return !there
}

// inlineName is the member that holds a file, by the member that holds its address: of A2A 1.0 and of 0.3.
var (
	inlineName = map[string]string{"url": "raw", "uri": "bytes"}
	mediaName  = map[string]string{"url": "mediaType", "uri": "mimeType"}
)

// fetch gets a file once for a message, however often it is changed anew. The address leaves for its host, so that is on
// record first.
func (c *collector) fetch(address string, place flow.Path) (fetched, error) {
	m := c.m
	if got, ok := m.files[address]; ok {
		return got, nil
	}
	if len(m.files) >= maxFetched {
		return fetched{err: ErrFetch}, nil
	}
	if err := c.g.Mark(c.ctx, m.Snapshot, m.recorded(), flow.Fetched, 0, string(place), nil); err != nil {
		return fetched{}, err
	}
	got, err := m.Snapshot.Fetch.get(c.ctx, address)
	got.err = err
	if m.files == nil {
		m.files = map[string]fetched{}
	}
	m.files[address] = got
	return got, nil
}

// inline puts a file in place of its address, and reads it.
func (c *collector) inline(v *view, n int, got fetched) {
	d, form := v.doc, base64.StdEncoding
	v.edits.ReplaceKey(n, inlineName[string(d.Key(n))])
	v.edits.ReplaceText(n, form.EncodeToString(got.content))
	media := c.mediaOf(d, n)
	if _, named := d.Member(int(d.Nodes[n].Parent), mediaName[string(d.Key(n))]); !named && wire.IsMediaType(got.media) {
		media = strings.ToLower(got.media)
		v.edits.Append(int(d.Nodes[n].Parent), mediaName[string(d.Key(n))], json.AppendString(nil, got.media))
	}
	if textual(media, got.content) && textual(strings.ToLower(got.media), got.content) {
		c.proseOf(v, n, flow.FreeText, &fileText{form, media, string(got.content)})
		return
	}
	leaf := c.add(flow.Leaf{Path: c.pointer(v, n), Label: flow.OpaqueFile, Origin: flow.Supplied}, target{view: v, node: n, kind: filePart})
	if isDocument(media) && isDocument(strings.ToLower(got.media)) {
		c.docs = append(c.docs, document{leaf: leaf, content: got.content})
	}
}
