package interop_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// masking lets pass within the domain what the servers of these tests say, but masks addresses of mail.
var masking = func() string {
	var b strings.Builder
	b.WriteString(`@id("home") @reason("one domain") permit (principal, action in Action::"upto_raw", resource) when { context.same_domain };
@id("mail") @reason("nobody needs it") forbid (principal, action in Action::"atleast_tokenized", resource in DataClass::"person/contact/email");
`)
	for i, class := range []string{"unlabelled", "text/free", "text/instruction", "technical/url", "file/name", "file/opaque", "person/name"} {
		fmt.Fprintf(&b, "@id(\"c%d\") @exception(\"a test\") permit (principal, action in Action::\"upto_raw\", resource in DataClass::%q);\n", i, class)
	}
	return b.String()
}()

// labels says which values of a tool's answer are what.
const labels = `{"type": "object", "properties": {
  "name": {"type": "string", "x-scrim-label": "person/name"},
  "email": {"type": "string", "x-scrim-label": "person/contact/email"},
  "age": {"type": "number", "x-scrim-label": "public"}
}}`

var (
	mail   = regexp.MustCompile(`jane\.doe@example\.org|\[email\]`)
	note   = regexp.MustCompile(`"dev\.scrim/privacy": ?\{.*?"reference": ?"[a-z0-9]+"\},? ?`)
	told   = regexp.MustCompile(`"_meta": ?\{\},? ?`)
	scopes = regexp.MustCompile(`"cacheScope": ?"[a-z]*"`)
)

// plain takes out of a transcript what a gateway that masks says by design: its note, that an answer is for its
// recipient alone, its own words where it hides whether something is there, and the form that a masked value has.
func plain(transcript string) string {
	var out []string
	for line := range strings.SplitSeq(transcript, "\n") {
		if strings.HasPrefix(line, `["no_such_tool`) || strings.HasPrefix(line, `["unknown`) || strings.HasPrefix(line, `["note://nowhere`) || strings.Contains(line, "did step") || strings.HasPrefix(line, "log info") || strings.Contains(line, `["log"`) {
			continue
		}
		line = scopes.ReplaceAllString(told.ReplaceAllString(note.ReplaceAllString(line, ""), ""), `"cacheScope":""`)
		out = append(out, mail.ReplaceAllString(line, "(mail)"))
	}
	return strings.Join(out, "\n")
}

// With masking on, clients and servers get on just as well, and only the values that policy masks look otherwise.
func TestMCPClientsSeeMaskedValuesAndNothingElse(t *testing.T) {
	pairs(t, func(t *testing.T, era, server string, serverArgv, clientArgv []string) {
		url := serveMCP(t, server, serverArgv, era)
		base := gate(t, strings.Replace(mcpCaller, "default_purpose", "criticality: critical, default_purpose", 1)+
			fmt.Sprintf("  - {id: everything, mcp: {url: %q}}\nschemas:\n  - {file: whois.json, agent: everything, tool: whois, direction: response}\n", url), map[string]string{"policies/10.cedar": masking, "whois.json": labels})
		direct := talkMCP(t, clientArgv, era, "", url)
		through := talkMCP(t, clientArgv, era, "Bearer "+callerKey, base+"/mcp/everything")
		if !strings.Contains(direct, "jane.doe@example.org") {
			t.Error("there is nothing to mask")
		}
		if strings.Contains(through, "jane.doe") {
			i := strings.Index(through, "jane.doe")
			t.Errorf("an address is not masked: %s", through[max(0, i-300):min(len(through), i+100)])
		}
		same(t, plain(direct), plain(through))
	})
}
