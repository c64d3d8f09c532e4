package config

import (
	"time"

	"github.com/scrimhq/scrim/flow"
)

// Config is the whole file. Treat it as immutable.
type Config struct {
	Version       int                       `yaml:"version" doc:"Version of this file's format." required:"true" enum:"1"`
	Domain        flow.DomainID             `yaml:"domain" doc:"The data domain that this gateway stands at the edge of." required:"true" pattern:"id"`
	Data          string                    `yaml:"data" doc:"Directory that holds the gateway's state. No two gateways share one." default:"./scrim-data"`
	Store         Store                     `yaml:"store" doc:"Where state is kept, if not in the data directory."`
	Listen        string                    `yaml:"listen" doc:"Address (host:port) on which agents reach the gateway." default:"127.0.0.1:7070" pattern:"address"`
	Admin         string                    `yaml:"admin" doc:"Address (host:port) of the admin API and the console. Keep it on loopback." default:"127.0.0.1:7071" pattern:"address"`
	Console       Console                   `yaml:"console" doc:"Who may use the console at the admin address, and for how long at a time."`
	Metrics       string                    `yaml:"metrics" doc:"Address (host:port) at which /metrics is answered too, without a token, for a Prometheus that cannot reach the admin address. Absent: at the admin address alone." pattern:"address"`
	PublicURL     string                    `yaml:"public_url" doc:"URL under which agents see the gateway, for rewritten agent cards. Default: http:// and the listen address." pattern:"url"`
	Proxies       []string                  `yaml:"trusted_proxies" doc:"Networks (CIDR) or addresses of proxies before the gateway. What they say in X-Forwarded-Proto, X-Forwarded-Host and Forwarded is believed where public_url is absent." pattern:"prefix"`
	Egress        Egress                    `yaml:"egress" doc:"Where the gateway goes when a message names the address of a webhook, or a card that of its keys. By default to public addresses alone, with https."`
	Push          Push                      `yaml:"push" doc:"Push notifications: agents post them to the gateway, and it delivers them to callers."`
	Mode          Mode                      `yaml:"mode" doc:"enforce, or learn: watch without enforcing, inside one domain only." default:"enforce" enum:"enforce learn"`
	TLS           TLS                       `yaml:"tls" doc:"Certificate of the address for agents. Absent: they call without TLS, which is for loopback and for a proxy before the gateway."`
	Health        bool                      `yaml:"health" doc:"Answer /healthz and /readyz at the address for agents too, for load balancers that cannot reach the admin address."`
	Agents        []Agent                   `yaml:"agents" doc:"Everyone the gateway knows, own and foreign."`
	MCPGroups     []MCPGroup                `yaml:"mcp_groups" doc:"Addresses that front several MCP servers at once."`
	Hops          Hops                      `yaml:"hops" doc:"How calls are taken in that gateways of peers carry."`
	Peers         []Peer                    `yaml:"peers" doc:"Other domains that are believed for what they sign. scrim peer add pins them without this."`
	Peering       Peering                   `yaml:"peering" doc:"How this domain and its peers meet."`
	Publish       []Publish                 `yaml:"publish" doc:"Sets of forbids, labels and limits that this domain asks its peers to keep to."`
	Subscribe     []Subscribe               `yaml:"subscribe" doc:"Such sets of peers. They make what holds here stricter, and never anything else."`
	Defaults      Defaults                  `yaml:"defaults" doc:"What agents and datasets of this domain have of which nothing else is said."`
	DomainKeys    DomainKeys                `yaml:"domain_keys" doc:"Keys by which this domain signs capabilities, hop statements and lists."`
	DomainCA      DomainCA                  `yaml:"domain_ca" doc:"Certificates of the domain's own authority."`
	Hooks         Hooks                     `yaml:"hooks" doc:"How other gateways ask this one about messages that they carry themselves."`
	Identity      Identity                  `yaml:"identity" doc:"How callers prove who they are, beside the API keys of agents."`
	Capabilities  Capabilities              `yaml:"capabilities" doc:"Tokens that say what their holder may do, and that only narrow when they are handed on."`
	Purposes      map[flow.Purpose]Purpose  `yaml:"purposes" keys:"id" doc:"Why flows happen, by name."`
	PurposeGroups map[string][]flow.Purpose `yaml:"purpose_groups" keys:"id" doc:"Sets of purposes that share tokens. A purpose in no group is a group of its own."`
	Roles         map[flow.Role]Role        `yaml:"roles" keys:"id" doc:"Roles of agents, by name."`
	Classes       []Class                   `yaml:"taxonomy" doc:"Classes of data beside the built-in ones. A built-in class can only be made stricter."`
	Detection     Detection                 `yaml:"detection" doc:"What is found in texts beside what is built in, and what is not."`
	Policies      string                    `yaml:"policies" doc:"Directory of Cedar policies (*.cedar)." default:"./policies"`
	Schemas       []SchemaBinding           `yaml:"schemas" doc:"JSON Schemas of messages, and whose they are."`
	Hierarchies   []Hierarchy               `yaml:"hierarchies" doc:"Trees that values climb when a policy says @generalize(\"up:N\")."`
	Datasets      map[string]Dataset        `yaml:"datasets" keys:"id" doc:"Data that questions are asked about, with the budget of privacy loss that all answers share, by name."`
	Budgets       Budgets                   `yaml:"budgets" doc:"Where spending on datasets is kept, and who works together."`
	Contracts     []string                  `yaml:"contracts" doc:"Data contracts (ODCS v3.1, YAML): files or globs."`
	Terms         Terms                     `yaml:"terms" doc:"How agents ask on which terms data would pass, and how domains agree on some."`
	Lineage       Lineage                   `yaml:"lineage" doc:"Where data came from and where it went."`
	LinkedFiles   Linked                    `yaml:"files" doc:"Files that messages name by an address."`
	Handles       Handles                   `yaml:"handles" doc:"Parts of messages that go by reference and are redeemed at /handles/, decided at that time."`
	Exposure      Exposure                  `yaml:"exposure" doc:"What other domains were shown about each subject is remembered, so that pieces which single it out together are made coarser, over whatever time and through whichever agents they come."`
	Transparent   []Transparent             `yaml:"transparent" doc:"Traffic declared public: it passes unchanged. Conformance runs need it, hardly anything else does."`
	Alarms        Alarms                    `yaml:"alarms" doc:"When a caller behaves as one who probes, and what is done about it."`
	Limits        Limits                    `yaml:"limits" doc:"What is refused for its size."`
	Retention     Retention                 `yaml:"retention" doc:"How long and how much is kept."`
	Activity      Activity                  `yaml:"activity" doc:"What the console shows of what happens: the latest flows, and sums of all by minute, hour and day. Both hold names and counts that are on record, and no value."`
	Timeouts      Timeouts                  `yaml:"timeouts" doc:"How long the gateway waits."`
	Keys          Keys                      `yaml:"keys" doc:"Where the keyset is kept."`
	Log           Log                       `yaml:"log" doc:"What the gateway says while it runs, and its transparency log. Neither holds data."`
	Telemetry     Telemetry                 `yaml:"telemetry" doc:"Where metrics and traces are sent over OTLP. By default nowhere."`
	Witness       Witness                   `yaml:"witness" doc:"Logs of others that this gateway cosigns, so that they cannot show two histories."`
	Checkpoint    Checkpoint                `yaml:"checkpoint" doc:"How often a signed checkpoint of the transparency log is archived in the data directory."`
	Reports       Reports                   `yaml:"reports" doc:"What reports to authorities and people have to say and no log can tell."`
	Erasure       Erasure                   `yaml:"erasure" doc:"Who has people's data erased."`
	Governance    Governance                `yaml:"governance" doc:"How the rules change that decide: by proposals that others approve, kept as versions. Absent: when files do."`

	loaded loaded
}

// Mode says whether terms are enforced.
type Mode string

// The modes. Learn passes everything, and is refused where agents of other domains are configured.
const (
	Enforce Mode = "enforce"
	Learn   Mode = "learn"
)

// Agent is an agent or an MCP server, of this domain or another.
//
// One of this domain with a2a or mcp is fronted inbound, at /a2a/{id} and /mcp/{id}; one of another domain outbound,
// at /out/a2a/{id} and /out/mcp/{id}. One with keys or jwt can call.
type Agent struct {
	ID             flow.AgentID     `yaml:"id" doc:"Name of the agent, used in URLs and policies." required:"true" pattern:"id"`
	Domain         flow.DomainID    `yaml:"domain" doc:"The domain it belongs to. Default: this gateway's." pattern:"id"`
	Roles          []flow.Role      `yaml:"roles" doc:"Roles it holds. They must be listed under roles."`
	A2A            *A2A             `yaml:"a2a" doc:"Where the agent answers A2A."`
	MCP            *MCP             `yaml:"mcp" doc:"Where the server answers MCP."`
	Facade         *Facade          `yaml:"facade" doc:"A database that the gateway puts an MCP server and a REST interface before, under the agent's name (docs/spec/facade.md)."`
	Keys           []APIKey         `yaml:"keys" secret:"true" doc:"API keys that it may call with."`
	JWT            *Subject         `yaml:"jwt" doc:"Tokens that it may call with."`
	SPIFFE         string           `yaml:"spiffe" doc:"SPIFFE ID of the certificate that it may call with, exactly: spiffe://trust-domain/path." pattern:"spiffe-id"`
	Purposes       []flow.Purpose   `yaml:"purposes" doc:"Purposes that it may claim. Absent: its default purpose alone."`
	DefaultPurpose flow.Purpose     `yaml:"default_purpose" doc:"The purpose of a call that claims none."`
	Criticality    flow.Criticality `yaml:"criticality" doc:"The highest criticality that its tasks may claim." default:"routine"`
	Questions      []Question       `yaml:"questions" doc:"Tools or skills of the agent that answer questions about datasets, and what each costs. All others cost nothing and are under no budget."`
	ByReference    ByReference      `yaml:"by_reference" doc:"Which parts of its own messages go by reference. Absent: those that it marks, and those of which policy says so."`
	Capability     string           `yaml:"capability" doc:"required: its calls come by a capability or are refused, whatever capabilities.required says. Absent: as that says." enum:"required"`
	Limits         AgentLimit       `yaml:"limits" doc:"What it may do when it calls, where that differs from limits.caller. A key that is absent, or 0, changes nothing."`
}

// TLS is what callers see of the gateway.
type TLS struct {
	Cert string     `yaml:"cert" doc:"PEM file of the certificate, with those between it and its authority. It is read again when it changes; connections stay."`
	Key  string     `yaml:"key" doc:"PEM file of its key, readable by nobody else."`
	SVID bool       `yaml:"svid" doc:"The certificate is the one that the Workload API gives, in place of cert and key."`
	Min  TLSVersion `yaml:"min" doc:"The oldest version that is spoken." default:"1.2" enum:"1.2 1.3"`

	ClientCertificates ClientCertificates `yaml:"client_certificates" doc:"Whether callers are asked for a certificate. auto: where something that is configured can be proven by one. None is ever required." default:"auto" enum:"auto ask never"`
}

// TLSVersion is a version of TLS.
type TLSVersion string

// On reports whether TLS is configured.
func (t TLS) On() bool { return t.Cert != "" || t.SVID }

// A2A is where an agent answers A2A.
type A2A struct {
	URL        string      `yaml:"url" doc:"Base URL; the agent card is at /.well-known/agent-card.json below it." required:"true" pattern:"url"`
	Credential *Credential `yaml:"credential" secret:"true" doc:"What the gateway shows the agent. A caller's own credential is never passed on."`
	Card       Card        `yaml:"card" doc:"When the agent's card is believed, and how much of it is passed on."`
	CAFile     string      `yaml:"ca_file" doc:"PEM file of the authorities whose certificates are believed of the agent, and no others: its own certificate, if it signed that itself. Absent: those of the system."`
	HTTP2      bool        `yaml:"http2" doc:"The agent speaks HTTP/2 without TLS. With TLS that is found out by itself."`
}

// MCP is where a server answers MCP: at a URL, or as a program started for it.
type MCP struct {
	URL        string            `yaml:"url" doc:"URL of the endpoint." pattern:"url"`
	Transport  Transport         `yaml:"transport" doc:"What the endpoint speaks. http: streamable HTTP. sse: only the HTTP and SSE of 2024-11-05." default:"http" enum:"http sse"`
	Command    []string          `yaml:"command" secret:"true" doc:"Program and arguments of a server that speaks over standard input and output."`
	Env        map[string]EnvVar `yaml:"env" secret:"true" keys:"env" doc:"Environment of the program, by name; nothing else is inherited but PATH and HOME."`
	Credential *Credential       `yaml:"credential" secret:"true" doc:"What the gateway shows the server. A caller's own credential is never passed on."`
	CAFile     string            `yaml:"ca_file" doc:"PEM file of the authorities whose certificates are believed of the server, and no others. Absent: those of the system."`
	HTTP2      bool              `yaml:"http2" doc:"The server speaks HTTP/2 without TLS. With TLS that is found out by itself."`
}

// Transport is what an MCP endpoint speaks over HTTP.
type Transport string

// The transports.
const (
	HTTP Transport = "http"
	SSE  Transport = "sse"
)

// MCPGroup is one address for several MCP servers, /mcp/{id} for those of this domain and /out/mcp/{id} for foreign ones.
// Tools and prompts are named server__name, resources scrim:server:address.
type MCPGroup struct {
	ID      flow.AgentID   `yaml:"id" doc:"Name of the group, used in its URL. No agent has the same." required:"true" pattern:"id"`
	Servers []flow.AgentID `yaml:"servers" doc:"Agents with mcp, at most 32. Their ids hold no two underscores in a row and end in none." required:"true"`
	Wait    Duration       `yaml:"wait" doc:"How long one server's part of a list is waited for; the list then says who is missing." default:"10s" min:"100ms"`
}

// EnvVar is one variable of a program's environment: exactly one of its fields.
type EnvVar struct {
	Value string `yaml:"value" doc:"A value that is not secret."`
	Env   string `yaml:"env" doc:"The gateway's own environment variable to take it from." pattern:"env"`
	File  string `yaml:"file" doc:"File to take it from, without the line end."`

	place place
}

// Credential names a secret without holding it: exactly one of Env and File.
type Credential struct {
	Header string `yaml:"header" doc:"Header that carries it." default:"Authorization" pattern:"header"`
	Scheme string `yaml:"scheme" doc:"Word put before it. Default: Bearer for the Authorization header, otherwise none." pattern:"word"`
	Env    string `yaml:"env" doc:"Environment variable that holds it." pattern:"env"`
	File   string `yaml:"file" doc:"File that holds it, readable by nobody else."`

	place place
}

// APIKey is a key that an agent calls with, by its digest.
type APIKey struct {
	SHA256  string    `yaml:"sha256" doc:"SHA-256 of the key in hexadecimal, as sha256sum prints it." required:"true" pattern:"sha256"`
	Expires time.Time `yaml:"expires" doc:"When it ends (RFC 3339). Absent: never."`
}

// Subject says which tokens are an agent's.
type Subject struct {
	Issuer  string `yaml:"issuer" doc:"One of the issuers under identity.jwt." required:"true" pattern:"url"`
	Subject string `yaml:"subject" doc:"Value of the issuer's agent claim. Default: the agent's id."`
}

// Identity is how callers prove who they are.
type Identity struct {
	Anonymous flow.AgentID `yaml:"anonymous" doc:"The agent that callers without credentials are taken for. Absent: they are refused."`
	JWT       []Issuer     `yaml:"jwt" doc:"Issuers of tokens that are believed."`
	Resource  Resource     `yaml:"resource" doc:"What everybody is told about the agents and servers as protected resources of OAuth."`
	SPIFFE    SPIFFE       `yaml:"spiffe" doc:"Certificates of workloads that are believed (X.509-SVIDs)."`
}

// Resource is what everybody is told of protected resources.
type Resource struct {
	Name          string `yaml:"name" doc:"Name for people who are asked whether a client may call it."`
	Documentation string `yaml:"documentation" doc:"Page for developers." pattern:"url"`
}

// Issuer is an issuer of JSON Web Tokens: exactly one of JWKSFile, JWKSURL and Discover.
type Issuer struct {
	Issuer       string   `yaml:"issuer" doc:"Value of the iss claim." required:"true" pattern:"url"`
	Audience     string   `yaml:"audience" doc:"Value that the aud claim must contain. Needed unless resource_audience is true."`
	PerResource  bool     `yaml:"resource_audience" doc:"The aud claim must contain the URL of the agent or server that is called instead, as clients get it by asking for a token for that resource (RFC 8707)."`
	JWKSFile     string   `yaml:"jwks_file" doc:"File of the issuer's public keys."`
	JWKSURL      string   `yaml:"jwks_url" doc:"URL of the issuer's public keys, https unless on loopback." pattern:"url"`
	Discover     bool     `yaml:"discover" doc:"The issuer says itself where its public keys are, at /.well-known/openid-configuration below its own address."`
	KeyHosts     []string `yaml:"key_hosts" doc:"Hosts, with a port where there is one, at which a discovered issuer may have its keys beside its own."`
	Scopes       []string `yaml:"scopes" doc:"Scopes that a token must have, all of them. Callers are told."`
	Bound        bool     `yaml:"bound" doc:"A token must be bound to its holder's key, by cnf with x5t#S256 (certificate, RFC 8705) or jkt (DPoP, RFC 9449). A token that says that it is bound must always be presented by the holder."`
	Transaction  bool     `yaml:"transaction_tokens" doc:"Its transaction tokens (typ txntoken+jwt) are taken where a token is exchanged for another. Nobody can call with one."`
	AgentClaim   string   `yaml:"agent_claim" doc:"Claim, a text, that names the agent; act.sub is who acts by a token that was exchanged (RFC 8693)." default:"sub"`
	PurposeClaim string   `yaml:"purpose_claim" doc:"Claim, a text or a list, that names purposes: a call can only claim one that its token names too. Absent: tokens name none, and what is configured holds."`
}

// Purpose is why a flow happens.
type Purpose struct {
	Parents []flow.Purpose `yaml:"parents" doc:"Wider purposes that it belongs to."`
	Title   string         `yaml:"title" doc:"What it is, in words."`
}

// Role is a role of agents.
type Role struct {
	Parents []flow.Role `yaml:"parents" doc:"Wider roles that it belongs to."`
	Title   string      `yaml:"title" doc:"What it is, in words."`
}

// Class is a class of data, as [flow.Class].
type Class struct {
	Label     flow.Label  `yaml:"label" doc:"Path of lower-case words, such as person/contact/fax." required:"true" pattern:"label"`
	Title     string      `yaml:"title" doc:"What it is, in words."`
	Tier      flow.Tier   `yaml:"tier" doc:"How sensitive it is." default:"restricted"`
	Family    flow.Family `yaml:"family" doc:"identifier: names, addresses, numbers of things. attribute: dates, amounts, diagnoses, places." default:"identifier"`
	Kind      flow.Kind   `yaml:"kind" doc:"What values look like." default:"text"`
	Bits      int         `yaml:"bits" doc:"Entropy of a value in bits, lower estimate." min:"0" max:"4096"`
	DPV       string      `yaml:"dpv" doc:"Term of the W3C Data Privacy Vocabulary."`
	Special   bool        `yaml:"special" doc:"A special category of personal data (GDPR articles 9 and 10)."`
	Default   flow.Param  `yaml:"default" doc:"Generalisation where a policy names none, such as year or bucket:10."`
	KeepFirst bool        `yaml:"keep_first" doc:"Partial masks keep the beginning, not the end."`
	Word      string      `yaml:"word" doc:"What placeholders call it. Default: value."`
}

// Hierarchy is the tree of one label's values.
type Hierarchy struct {
	Label flow.Label `yaml:"label" doc:"Class of data whose values it holds." required:"true" pattern:"label"`
	File  string     `yaml:"file" doc:"CSV, each row a value followed by its ancestors, nearest first." required:"true"`
}

// SchemaBinding binds a JSON Schema to the data it describes: one of Tool, Skill, Resource, Prompt, or Data. Absent all: any data of the agent.
type SchemaBinding struct {
	File      string         `yaml:"file" doc:"JSON Schema with x-scrim-label keywords." required:"true"`
	Agent     flow.AgentID   `yaml:"agent" doc:"Whose data it is. Absent: anybody's."`
	Tool      string         `yaml:"tool" doc:"MCP tool, or * for all."`
	Skill     string         `yaml:"skill" doc:"A2A skill, or * for all."`
	Data      string         `yaml:"data" doc:"Name of an A2A data part, or * for all."`
	Resource  string         `yaml:"resource" doc:"URI of an MCP resource, or * for all."`
	Prompt    string         `yaml:"prompt" doc:"MCP prompt, or * for all."`
	Direction flow.Direction `yaml:"direction" doc:"request: what the agent is sent. response: what it answers." required:"true"`
	Foreign   bool           `yaml:"foreign" doc:"It comes from outside: its labels can only raise."`
}

// Transparent declares traffic public.
type Transparent struct {
	Agent  flow.AgentID `yaml:"agent" doc:"Whose traffic, or * for all." required:"true"`
	Path   string       `yaml:"path" doc:"Pattern of places in a message, such as /params/arguments/query: a JSON Pointer in which * stands for any name or index, and ** at its end for the place and all below it." default:"/**" pattern:"path"`
	Reason string       `yaml:"reason" doc:"Why it may be public. It is kept on record." required:"true"`
}

// Linked is what becomes of files that messages name by an address.
type Linked struct {
	Fetch    []string `yaml:"fetch" doc:"Hosts whose files the gateway fetches where policy lets the address be tokenized: the content stands in for it, decided like any file. *.example.org is every name below example.org. Absent: nothing is fetched."`
	Networks []string `yaml:"networks" doc:"Ranges (CIDR) that are not public and that files may be fetched from all the same."`
	Ports    []int    `yaml:"ports" doc:"Ports that files may be fetched from. Absent: 443."`
	Plain    bool     `yaml:"plain" doc:"Fetch over http without TLS, too."`
	Bytes    Size     `yaml:"bytes" doc:"Bytes of one file." default:"1MiB" min:"1KiB" max:"64MiB"`
	Timeout  Duration `yaml:"timeout" doc:"For one file." default:"10s" min:"100ms"`
}

// Limits is what is refused for its size.
type Limits struct {
	Body   Size `yaml:"body" doc:"Bytes of one message." default:"4MiB" min:"1KiB" max:"1GiB"`
	Depth  int  `yaml:"depth" doc:"Arrays and objects within each other." default:"64" min:"4" max:"1000"`
	Nodes  int  `yaml:"nodes" doc:"Values in one message." default:"200000" min:"16" max:"10000000"`
	Number int  `yaml:"number" doc:"Characters of one number." default:"128" min:"16" max:"4096"`
	Event  Size `yaml:"event" doc:"Bytes of one event of a stream." default:"1MiB" min:"1KiB" max:"64MiB"`
	Events int  `yaml:"events" doc:"Events of one stream." default:"100000" min:"1" max:"100000000"`
	Flows  int  `yaml:"flows" doc:"Calls at one time, open streams not counted; more are told to come back." default:"1024" min:"1" max:"100000"`

	Streams     int          `yaml:"streams" doc:"Open streams; more are told to come back." default:"10000" min:"1" max:"1000000"`
	Connections int          `yaml:"connections" doc:"Open connections of callers; more are closed." default:"16384" min:"1" max:"1000000"`
	Address     AddressLimit `yaml:"address" doc:"What one address may do before it is known who calls. Where a proxy stands before the gateway, that proxy is the address."`
	Caller      CallerLimit  `yaml:"caller" doc:"What each caller may do. A caller over a limit is told when to come back."`
}

// AddressLimit is what one address may do.
type AddressLimit struct {
	Connections int `yaml:"connections" doc:"Open connections; more are closed." default:"8192" min:"1" max:"1000000"`
	Refusals    int `yaml:"refusals" doc:"Refused credentials a second; after more, nobody at the address is listened to for a while. 0: no limit." default:"50" min:"0" max:"1000000"`
}

// CallerLimit is what each caller may do.
type CallerLimit struct {
	Rate    int  `yaml:"rate" doc:"Calls a second; a second's worth may come at once." default:"10000" min:"1" max:"1000000"`
	Flows   int  `yaml:"flows" doc:"Calls at one time, open streams not counted. Default: half of those of all callers." min:"0" max:"100000"`
	Streams int  `yaml:"streams" doc:"Open streams. Default: half of those of all callers." min:"0" max:"1000000"`
	Events  int  `yaml:"events" doc:"Events a second over all its streams. What comes faster is held up, not cut." default:"50000" min:"1" max:"10000000"`
	Bytes   Size `yaml:"bytes" doc:"Bytes of events a second over all its streams. What comes faster is held up, not cut." default:"256MiB" min:"1KiB"`
	Body    Size `yaml:"body" doc:"Bytes of one of its messages. Default: those of any message." max:"1GiB"`
}

// AgentLimit is what one agent may do when it calls, where that differs from what each caller may.
type AgentLimit struct {
	Rate    int  `yaml:"rate" doc:"Calls a second." min:"0" max:"1000000"`
	Flows   int  `yaml:"flows" doc:"Calls at one time, open streams not counted." min:"0" max:"100000"`
	Streams int  `yaml:"streams" doc:"Open streams." min:"0" max:"1000000"`
	Events  int  `yaml:"events" doc:"Events a second over all its streams." min:"0" max:"10000000"`
	Bytes   Size `yaml:"bytes" doc:"Bytes of events a second over all its streams."`
	Body    Size `yaml:"body" doc:"Bytes of one of its messages." max:"1GiB"`
}

// Retention is how long and how much is kept.
type Retention struct {
	Answers      Duration `yaml:"answers" doc:"How long an answer is kept sealed, to be given again on a retry." default:"24h" min:"1m"`
	AnswersBytes Size     `yaml:"answers_bytes" doc:"Bytes of kept answers; the oldest go first." default:"256MiB" min:"1MiB"`
	Tasks        Duration `yaml:"tasks" doc:"How long a task's memory outlives its last message." default:"24h" min:"1m"`
	Journal      Duration `yaml:"journal" doc:"How long a decision's row keeps event and sealed inputs in the database. After that the event is in the transparency log alone, and the inputs are gone." default:"400d" min:"1d"`
	Exposure     Duration `yaml:"exposure" doc:"How long it is remembered what a domain was shown about a subject, from when it was shown last." default:"730d" min:"1h"`
	Pushes       Duration `yaml:"pushes" doc:"How long a push notification config is kept; a caller that still wants to be told makes it again." default:"7d" min:"1m"`
}

// Activity is how much of what happens is kept for the console to show.
type Activity struct {
	Flows   int      `yaml:"flows" doc:"How many of the latest flows are kept in memory." default:"10000" min:"100" max:"1000000"`
	Minutes Duration `yaml:"minutes" doc:"How long sums by the minute are kept." default:"48h" min:"3h"`
	Hours   Duration `yaml:"hours" doc:"How long sums by the hour are kept." default:"45d" min:"8d"`
	Days    Duration `yaml:"days" doc:"How long sums by the day are kept." default:"1095d" min:"31d"`
}

// Timeouts is how long the gateway waits.
type Timeouts struct {
	Read     Duration `yaml:"read" doc:"For a caller to send its message; one that comes by the byte is cut sooner." default:"30s" min:"1s"`
	Write    Duration `yaml:"write" doc:"For a caller to take in what is there to be sent. A slow reader holds its stream up; one that stands still this long is cut." default:"30s" min:"1s"`
	Dial     Duration `yaml:"dial" doc:"For a connection to an agent, and likewise for its TLS handshake." default:"5s" min:"100ms"`
	Upstream Duration `yaml:"upstream" doc:"For an agent's answer to begin." default:"120s" min:"1s"`
	Body     Duration `yaml:"body" doc:"For an agent's answer to end once it began. A stream may last as long as it likes." default:"2m" min:"1s"`
	Idle     Duration `yaml:"idle" doc:"For the next event of a stream." default:"5m" min:"1s"`
	Notice   Duration `yaml:"notice" doc:"For load balancers to notice that a gateway that is being stopped is not ready: so long it still takes calls." default:"0s" min:"0s"`
	Shutdown Duration `yaml:"shutdown" doc:"For open flows to end after that. Streams that outlast it are ended with an error that says why." default:"10s" min:"0s"`
}

// Keys is where the keyset is kept.
type Keys struct {
	File          string `yaml:"file" doc:"File of the keyset, mode 0600. Default: keyset.json in the data directory."`
	PassphraseEnv string `yaml:"passphrase_env" doc:"Environment variable with the passphrase that wraps it. Absent: it is not wrapped." pattern:"env"`
}

// Log is the gateway's own log.
type Log struct {
	Level  LogLevel  `yaml:"level" doc:"Least severe level that is written." default:"info" enum:"debug info warn error"`
	Format LogFormat `yaml:"format" doc:"text for people, json for machines." default:"text" enum:"text json"`

	Serve   LogServe       `yaml:"serve" doc:"Who reads the transparency log at /log/. public: checkpoints and hash tiles everybody, entries the readers; readers: all the readers alone; none: nobody." default:"public" enum:"public readers none"`
	Readers []flow.AgentID `yaml:"readers" doc:"Agents that read entries of the transparency log. Entries tell who sent what kind of information to whom." pattern:"id"`

	Period     LogPeriod `yaml:"period" doc:"How long decisions go into the same tree of the transparency log. After it another tree begins, and the files of the one before can be moved away." default:"none" enum:"none year quarter month day"`
	MergeDelay Duration  `yaml:"merge_delay" doc:"How long a decision on record may take to reach the transparency log. While one takes longer nothing is released." default:"10s" min:"1s"`

	Witnesses     []LogWitness `yaml:"witnesses" doc:"Who cosigns the checkpoints of the log of what happened, so that it cannot show two histories."`
	Quorum        int          `yaml:"quorum" doc:"How many of them should have cosigned a checkpoint. Default: all." min:"0"`
	RequireQuorum bool         `yaml:"require_quorum" doc:"Publish no checkpoint without a quorum, and release nothing when one is missing for a minute. Otherwise a missing quorum is an alarm."`
}

// LogWitness is one who cosigns.
type LogWitness struct {
	URL string `yaml:"url" doc:"URL below which it has add-checkpoint." required:"true" pattern:"url"`
	Key string `yaml:"key" doc:"Its verifier key (name+id+key), as scrim witness show prints it there." required:"true"`
}

// LogPeriod is how long decisions go into the same tree of the transparency log.
type LogPeriod string

// LogLevel is a level of the log.
type LogLevel string

// LogFormat is the form of the log.
type LogFormat string

// Checkpoint is how often a signed checkpoint is archived.
type Checkpoint struct {
	Every    int      `yaml:"every" doc:"After this many rows." default:"1000" min:"1"`
	Interval Duration `yaml:"interval" doc:"After this time, if there are new rows." default:"1m" min:"1s"`
}
