package show

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/scrimhq/scrim/console/page"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/demo/patients"
)

// diagnosis is the patient's, for which J1745 is granted.
const diagnosis = "M05.79"

// try is a command that the user can run while the demo stays up.
type try struct {
	says string
	text string // of the command, for a shell
}

// tries are the commands, with this run's addresses and keys.
func (s *system) tries() []try {
	who := patients.Generate(1, 1)[0]
	patient := fmt.Sprintf(`{"patient":{"name":"%s","birthDate":"%s","memberNumber":"%s","plan":"%s"},`+
		`"request":{"procedure":"J1745","diagnosis":"%s","estimatedCost":4800}}`, who.Name, who.BirthDate, who.MemberNumber, who.Plan, diagnosis)
	message := `{"jsonrpc":"2.0","id":1,"method":"%s","params":{"message":{"messageId":"%s","role":"ROLE_USER",` +
		`"parts":[{"text":"Is J1745 covered for ` + who.Name + `, born ` + string(who.BirthDate) + `?"},{"data":` + patient + `}]}}}`
	call := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"%s","arguments":%s,"_meta":` +
		`{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"curl","version":"8"},` +
		`"io.modelcontextprotocol/clientCapabilities":{}}}}`
	return []try{
		{"Ask the insurer about a patient, as the hospital's intake agent. The insurer answers about a stand-in; you read the name. " +
			"Send it twice, and you get the same bytes.",
			s.a2a(demo.Intake, demo.PriorAuth, "prior-authorization", fmt.Sprintf(message, "SendMessage", "try-1"))},
		{"The same as a stream.",
			s.a2a(demo.Intake, demo.PriorAuth, "prior-authorization", fmt.Sprintf(message, "SendStreamingMessage", "try-2"))},
		{"The same as care coordination, which is nothing to an insurer: refused.",
			s.a2a(demo.Intake, demo.PriorAuth, "care-coordination", fmt.Sprintf(message, "SendMessage", "try-3"))},
		{"The insurer's agent card as the hospital's gateway shows it, with its own address and signature.",
			fmt.Sprintf("curl -sS %s/.well-known/agent-card.json \\\n  -H 'Authorization: Bearer %s'", s.door(demo.Intake, demo.PriorAuth), s.key(demo.Intake))},
		{"The patient's record from the hospital's MCP server, as its intake agent.",
			s.mcp(demo.Intake, "critical", "get_record", fmt.Sprintf(call, "get_record", `{"mrn":"`+patients.FeaturedMRN+`"}`))},
		{"The same for a task on which little hangs: masked, with a note that says why.",
			s.mcp(demo.Intake, "low", "get_record", fmt.Sprintf(call, "get_record", `{"mrn":"`+patients.FeaturedMRN+`"}`))},
		{"The lab asks the same server who fits a profile: refused.",
			s.mcp(demo.Cohort, "routine", "find_patient", fmt.Sprintf(call, "find_patient", `{"diagnosis":"M05","postalCode":"977"}`))},
	}
}

func (s *system) key(id flow.AgentID) string { return s.keys[home(id)][id].Expose() }

func (s *system) a2a(from, to flow.AgentID, purpose, body string) string {
	return fmt.Sprintf("curl -sSN %s \\\n  -H 'Authorization: Bearer %s' \\\n  -H 'A2A-Version: 1.0' -H 'Content-Type: application/json' \\\n"+
		"  -H 'Scrim-Purpose: %s' -H 'Scrim-Criticality: critical' \\\n  -d '%s'", s.door(from, to), s.key(from), purpose, body)
}

// mcp calls a tool of the hospital's records at the hospital's own gateway.
func (s *system) mcp(from flow.AgentID, criticality, tool, body string) string {
	return fmt.Sprintf("curl -sS %s/mcp/%s \\\n  -H 'Authorization: Bearer %s' \\\n  -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\\n"+
		"  -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: %s' -H 'Scrim-Criticality: %s' \\\n  -d '%s'",
		s.base[demo.Hospital], demo.Records, s.keys[demo.Hospital][from].Expose(), tool, criticality, body)
}

// looks are the commands of scrim itself.
func (s *system) looks() []try {
	var all []try
	for _, d := range domains {
		all = append(all, try{"", "scrim console link -c " + s.file[d]})
	}
	for _, d := range domains {
		all = append(all, try{"", "scrim log verify -c " + s.file[d]})
	}
	hospital := s.file[demo.Hospital]
	received := filepath.Join(s.dir, string(demo.Lab), filepath.FromSlash(labExtract))
	return append(all,
		try{"", "scrim release verify " + received + " --key '" + s.releaseKey() + "'"},
		try{"", "scrim risk " + filepath.Join(s.dir, demo.Registry) + " --plan " + filepath.Join(filepath.Dir(hospital), filepath.FromSlash(labPlan))},
		try{"", "scrim log show -c " + hospital + " -n 5"},
		try{"", "echo 'Call Eleanor on 541-555-0142' | scrim check - -c " + hospital + " --from intake --to prior-auth --purpose prior-authorization"})
}

// consoleLinks are links to the consoles of the three gateways, each for one browser.
func (s *system) consoleLinks(ctx context.Context) (all []try, err error) {
	for _, d := range domains {
		path, err := s.consoles[d].Link(ctx, page.Admin)
		if err != nil {
			return nil, err
		}
		all = append(all, try{"of the " + string(d), "http://" + s.consoleAt[d] + path})
	}
	return all, nil
}

// commands prints what the user can try. The text of the commands is not folded, so that it can be copied.
func (p *printer) commands(s *system, links []try) {
	p.line("")
	p.line("%s", p.paint(title, "It stays up. Try these in another terminal; press Ctrl-C here to end it."))
	p.para(0, "", plain, words(faint, "The keys were made for this run and die with it, and so does all data under "+s.dir+", where lineage.svg is a picture of where the hospital's data went."))
	p.line("")
	p.line("%s", p.paint(bold, "# The consoles of the gateways, in a browser. Each link works once; the commands below make others."))
	for _, l := range links {
		p.line("%s  %s", l.text, p.paint(faint, l.says))
	}
	for _, t := range s.tries() {
		p.line("")
		for _, l := range fold(t.says, p.width-2) {
			p.line("%s", p.paint(bold, "# "+l))
		}
		p.line("%s", t.text)
	}
	p.line("")
	p.line("%s", p.paint(bold, "# The gateways at the command line."))
	for _, t := range s.looks() {
		p.line("%s", t.text)
	}
	p.line("")
	p.line("%s", p.paint(faint, "Any A2A or MCP client will do: give it one of the addresses above, and the key as its bearer token."))
}
