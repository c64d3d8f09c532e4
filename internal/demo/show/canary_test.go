package show

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/scrimhq/scrim/console/api"
	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/demo/patients"
)

// canary is a planted value with the forms in which it could turn up.
type canary struct {
	what  string
	forms [][]byte // in lower case, as the haystack is searched in lower case; base64 as it is
	exact [][]byte
}

// plant returns the canary of a value: the text, its hexadecimal form, and what every base64 text that holds it holds.
func plant(what, value string) canary {
	c := canary{what: what, forms: [][]byte{[]byte(hex.EncodeToString([]byte(value)))}}
	if len(value) < 8 { // in lower case, the base64 texts of three gateways hold seven letters once in some 100,000 runs
		c.exact = append(c.exact, []byte(value), []byte(strings.ToLower(value)), []byte(strings.ToUpper(value)))
	} else {
		c.forms = append(c.forms, []byte(strings.ToLower(value)))
	}
	for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			text := enc.EncodeToString([]byte(strings.Repeat("\x00", shift) + value))
			from := (shift*8 + 5) / 6 // characters that the bytes before have a part in
			to := (shift + len(value)) * 8 / 6
			if to-from >= 8 {
				c.exact = append(c.exact, []byte(text[from:to]))
			}
		}
	}
	return c
}

func (c canary) in(haystack []byte) bool {
	lower := bytes.ToLower(haystack)
	for _, f := range c.forms {
		if bytes.Contains(lower, f) {
			return true
		}
	}
	for _, f := range c.exact {
		if bytes.Contains(haystack, f) {
			return true
		}
	}
	return false
}

func TestCanariesAreFound(t *testing.T) {
	c := plant("name", "Eleanor Whitfield")
	for _, text := range []string{"x ELEANOR whitfield y", hex.EncodeToString([]byte("Eleanor Whitfield"))} {
		if !c.in([]byte(text)) {
			t.Errorf("%q is not found", text)
		}
	}
	for shift := range 3 {
		around := "abc"[:shift] + "Eleanor Whitfield, born"
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			if !c.in([]byte(enc.EncodeToString([]byte(around)))) {
				t.Errorf("base64 after %d bytes is not found", shift)
			}
		}
	}
	if c.in([]byte("Eleanor W. and a field")) {
		t.Error("what is not there is found")
	}
}

// planted are the values that no gateway may write down anywhere: a patient's, other people's, and every credential.
func (s *system) planted() []canary {
	who := patients.Generate(1, 1)[0]
	all := []canary{
		plant("name", who.Name), plant("family name", "Whitfield"), plant("birth date", string(who.BirthDate)), plant("record number", who.MRN), plant("phone", who.Phone),
		plant("e-mail", who.Email), plant("street", who.Street), plant("member number", who.MemberNumber),
		plant("clinician", "Adeyemi"), plant("reviewer", "Daniel Osei"), plant("reviewer's e-mail", "d.osei@harbor-mutual.example"),
	}
	for _, c := range who.Conditions {
		all = append(all, plant("diagnosis", c.Title))
	}
	all = append(all, plant("diagnosis code", "M05.79"))
	for _, m := range who.Medications {
		all = append(all, plant("medication", m.Name))
	}
	for d, keys := range s.keys {
		for id, key := range keys {
			all = append(all, plant(fmt.Sprintf("key of %s at %s", id, d), key.Expose()))
		}
	}
	for d, secrets := range s.secrets {
		for name, secret := range secrets {
			all = append(all, plant(fmt.Sprintf("credential of %s for %s", d, name), secret.Expose()))
		}
	}
	return all
}

// recordings is a log that may be written to and read at once.
type recordings struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (r *recordings) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all.Write(p)
}

func (r *recordings) bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Clone(r.all.Bytes())
}

// The whole demo, and messages that go wrong in every way, with planted values at the most talkative log level: none of
// the values is in a log, a metric, a journal, an error or a file of a gateway, in any of its forms.
func TestGatewaysWriteNoValueDown(t *testing.T) {
	t.Parallel()
	log := &recordings{}
	s, _ := started(t, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true})))
	all := s.planted()
	check := func(where string, haystack []byte) {
		t.Helper()
		for _, c := range all {
			if c.in(haystack) {
				t.Errorf("%s holds the %s", where, c.what)
			}
		}
	}
	if raw, err := os.ReadFile(filepath.Join(s.dir, "patients.db")); err != nil || !all[0].in(raw) {
		t.Fatalf("not even the hospital's own database holds the patient (%v): the search is blind", err)
	}
	for i, e := range s.mistakes() {
		answer := send(t, e)
		check(fmt.Sprintf("the answer to mistake %d, %s,", i, e.what), answer)
	}
	for _, d := range domains {
		g := s.gateways[d]
		for e, err := range g.Log.Entries(t.Context(), audit.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprintf("row %d of the journal of %s", e.Seq, d), e.Raw)
		}
		for _, path := range []string{"/metrics", "/api/v1/log/entries?inputs=true"} {
			check(path+" of "+string(d), s.admin(t, d, path))
		}
		s.files(t, d, check)
	}
	if err := s.close(); err != nil { // what is written in the end counts too
		t.Error(err)
	}
	for _, d := range domains {
		s.files(t, d, check)
	}
	if got := log.bytes(); len(got) == 0 {
		t.Error("nothing was logged: the search is blind")
	} else {
		check("the log", got)
	}
}

// files looks into every file of a gateway but those that configuration keeps credentials in.
func (s *system) files(t *testing.T, d flow.DomainID, check func(where string, haystack []byte)) {
	t.Helper()
	root, seen := filepath.Join(s.dir, string(d)), 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path == filepath.Join(root, "secrets"):
			return fs.SkipDir
		case e.IsDir():
			return nil
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) { // the log publishes, and renamed it meanwhile; at the end all lie still
			return nil
		}
		if err != nil {
			return err
		}
		seen++
		name, _ := filepath.Rel(s.dir, path)
		check("file "+name, raw)
		return nil
	})
	if _, statErr := os.Stat(filepath.Join(root, "data", database)); err != nil || statErr != nil || seen < 5 {
		t.Errorf("looking into %s: %d files, %v, %v", root, seen, err, statErr)
	}
}

func (s *system) admin(t *testing.T, d flow.DomainID, path string) []byte {
	t.Helper()
	c := s.gateways[d].Config()
	token, err := api.ReadToken(c.Path(c.Data))
	if err != nil {
		t.Fatal(err)
	}
	return send(t, mistake{what: path, method: http.MethodGet, url: "http://" + c.Admin + path, key: token.Expose(), status: http.StatusOK})
}

// mistake is a request that goes wrong, with planted values where it does.
type mistake struct {
	what, method, url, key, body string
	header                       map[string]string
	status                       int // 0: any
}

func (s *system) mistakes() []mistake {
	who := patients.Generate(1, 1)[0]
	insurer, records := s.door(demo.Intake, demo.PriorAuth), s.door(demo.Intake, demo.Records)
	key := s.key(demo.Intake)
	message := func(rest string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m-` + fmt.Sprint(len(rest)) + `","role":"ROLE_USER",` + rest + `}}}`
	}
	call := func(method, params string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",` +
			`"io.modelcontextprotocol/clientInfo":{"name":"x","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}`
	}
	mcp := map[string]string{"Mcp-Method": "tools/call", "Mcp-Name": "get_record"}
	all := []mistake{
		{what: "broken JSON", url: insurer, body: message(`"parts":[{"text":"` + who.Name + `"`)},
		{what: "a name as a duplicate key", url: insurer, body: message(`"parts":[{"data":{"` + who.Name + `":1,"` + who.Name + `":2}}]`)},
		{what: "a name as an undeclared member", url: insurer, body: message(`"parts":[{"data":{"` + who.Name + `":1}}]`)},
		{what: "a name as an unknown member of the protocol", url: insurer, body: message(`"` + who.Name + `":1,"parts":[{"text":"x"}]`)},
		{what: "a name as a role", url: insurer, body: strings.Replace(message(`"parts":[{"text":"x"}]`), "ROLE_USER", who.Name, 1)},
		{what: "a name as a method", url: insurer, body: `{"jsonrpc":"2.0","id":1,"method":"` + who.Name + `","params":{}}`},
		{what: "a phone as a version", url: insurer, header: map[string]string{"A2A-Version": who.Phone}, body: message(`"parts":[{"text":"x"}]`)},
		{what: "a number as a content type", url: insurer, header: map[string]string{"Content-Type": who.MRN}, body: message(`"parts":[{"text":"x"}]`)},
		{what: "a name as a purpose", url: insurer, header: map[string]string{"Scrim-Purpose": who.Name}, body: message(`"parts":[{"data":{"patient":{"name":"` + who.Name + `"}}}]`)},
		{what: "an e-mail as an agent", url: s.base[demo.Hospital] + "/out/a2a/" + who.Email, body: message(`"parts":[{"text":"x"}]`)},
		{what: "a file", url: insurer, body: message(`"parts":[{"raw":"RWxlYW5vciBXaGl0ZmllbGQ=","filename":"` + who.Name + `.pdf"}]`)},
		{what: "what policy refuses", url: insurer, header: map[string]string{"Scrim-Purpose": "care-coordination"},
			body: message(`"parts":[{"text":"` + who.Name + `, ` + who.Phone + `, ` + who.Street + `"},{"data":{"patient":{"name":"` + who.Name + `","mrn":"` + who.MRN + `"}}}]`)},
		{what: "a task of nobody", url: insurer, body: `{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"` + who.MRN + `"}}`},
		{what: "a name as a tool", url: records, header: map[string]string{"Mcp-Method": "tools/call", "Mcp-Name": who.Name}, body: call("tools/call", `"name":"`+who.Name+`","arguments":{},`)},
		{what: "a name as an argument's name", url: records, header: mcp, body: call("tools/call", `"name":"get_record","arguments":{"`+who.Name+`":"`+who.MRN+`"},`)},
		{what: "an argument of another type", url: records, header: mcp, body: call("tools/call", `"name":"get_record","arguments":"`+who.MRN+`",`)},
		{what: "a name as a resource", url: records, header: map[string]string{"Mcp-Method": "resources/read", "Mcp-Name": "records://patients/" + who.Name},
			body: call("resources/read", `"uri":"records://patients/`+who.Name+`",`)},
		{what: "a number as a cursor", url: records, header: map[string]string{"Mcp-Method": "tools/list"}, body: call("tools/list", `"cursor":"`+who.MRN+`",`)},
		{what: "a name in the path", url: s.base[demo.Hospital] + "/" + who.Street},
		{what: "another domain's key", url: insurer, key: s.keys[demo.Lab][demo.Intake].Expose(), body: message(`"parts":[{"text":"x"}]`), status: http.StatusUnauthorized},
	}
	for i := range all {
		m := &all[i]
		m.method, m.url = http.MethodPost, strings.ReplaceAll(m.url, " ", "%20")
		if m.key == "" {
			m.key = key
		}
		header := map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "A2A-Version": "1.0"}
		if m.url == records {
			header["MCP-Protocol-Version"] = "2026-07-28"
		}
		for name, v := range m.header {
			header[name] = v
		}
		m.header = header
	}
	return all
}

func send(t *testing.T, m mistake) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), m.method, m.url, strings.NewReader(m.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+m.key)
	for name, v := range m.header {
		req.Header.Set(name, v)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if m.status != 0 && res.StatusCode != m.status {
		t.Errorf("%s was answered %s: %s", m.what, res.Status, body)
	}
	return fmt.Append(body, res.Header)
}
