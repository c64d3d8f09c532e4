package gateway

import (
	"context"

	"github.com/scrimhq/scrim/data/catalog"
	"github.com/scrimhq/scrim/data/json"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/policy/hop"
	"github.com/scrimhq/scrim/privacy/detect"
	"github.com/scrimhq/scrim/store"
)

// Message is one transmission as a protocol adapter hands it to [Gateway.Pass].
type Message struct {
	Snapshot   *Snapshot
	Query      policy.Query // Query.Flow says who, to whom and why; its To is whose eyes the content is changed for
	Table      *wire.Table  // what each place of the body is
	Body       []byte
	Doc        *json.Doc         // the body, if it is parsed already within the snapshot's limits; Pass writes states into it. Nil: Pass parses
	Owner      flow.AgentID      // the agent or server behind the gateway, whichever way the message goes
	Schemas    []*catalog.Schema // that may describe its structured content; the one that fits is chosen
	Meta       []*catalog.Schema // the same for metadata
	At         Places            // content of single places that others than Schemas describe
	Outcome    flow.Outcome      // what the journal says when it passes; "" is [flow.Released]
	Segment    int               // of a stream, from 1
	NoteIn     NotePlace         // where the recipient is told; the zero value tells nothing
	Cached     string            // wire path of the object that says how long the message keeps and for whom; "" if none does
	Chosen     bool              // what it lists was chosen for the recipient
	Again      bool              // an earlier answer under other terms: nothing in it is opened that was not opened then
	Undeclared bool              // nothing declares the tool that the flow names: policy sees the name, the record does not
	LeftOut    LeftOut           // what the adapter took out because the recipient may not use it
	CallID     []byte            // the JSON-RPC id that it leaves under, in place of its own; nil: its own
	MapCalls   bool              // JSON-RPC ids are mapped, too, where the message crosses a domain
	Partly     bool              // of its exchange this gateway sees some messages only: what pairs it with others stays
	Mentions   []Mention         // identifiers of the exchange that its words may repeat
	Texts      *TextStreams      // for events of a stream: text that is still coming; nil elsewhere
	Authority  *Authority        // by what right it is sent, or was asked for; nil: none bounds it
	Serves     IDs               // names of its task that its recipient knows from before, none of which may be revoked
	Use        bool              // it is a call that counts as a use of its authority
	Cost       flow.Cost         // what it costs
	Asking     *Asking           // the question to a dataset that it is, which sets the cost; nil: it is none
	Names      *Named            // takes the subjects that it names, for its answers; nil: none will be held to them
	Named      *Named            // what the request named that it answers; nil: nobody

	sentBy *Authority // by what right it was sent, where it is shown by another's later; nil: none

	files map[string]fetched // by address, what was fetched for it

	redeeming bool           // it is a part that went by reference
	known     []detect.Known // values that were named beside it
	said      flow.Note      // what its redeemer is told

	// Admit is asked about a request in the form in which it leaves, before it is on record; what it returns is in Passed. It may be nil.
	Admit func(ctx context.Context, values []Entered, watched bool) (any, error)
	// Unknown finds the first place of a request that is declared, but not to this caller, and the names above it; -1: there is none.
	// It is refused as one that no schema declares. It may be nil.
	Unknown func(ctx context.Context) (node int, place flow.Path, err error)

	// Commit adds writes to the transaction that records the message, given the bytes that will leave. It may be nil.
	Commit func(tx store.Tx, out []byte) error
}

// watched reports whether the message passes as it is, and what would have become of it is told: learn mode, within the domain.
// A right that is shown is kept in any case.
func (m *Message) watched() bool {
	return m.Snapshot.Learn && !m.Query.Flow.CrossesDomain() && (m.Authority == nil || m.Authority.Chain == nil) && (m.sentBy == nil || m.sentBy.Chain == nil)
}

// LeftOut is how many entries of a list were kept from the recipient, and by which policies. It is for the record; the
// recipient is told nothing of it.
type LeftOut struct {
	Count    int
	Policies []flow.PolicyID
}

// Places says by wire path, such as "params/inputResponses/{}/content", what describes the content there.
type Places map[string]Described

// Described is what describes the content of one place.
type Described struct {
	Schemas []*catalog.Schema // the one that fits is chosen
	Member  string            // the place is a text, and the value of this member of what the schemas describe
}

// NotePlace finds where a privacy note goes: the object that gets it, and the member names down to it, which are made if missing.
type NotePlace struct {
	Under string   // wire path of an object, such as "result/message"; the first of several separated by spaces that is there
	Names []string // e.g. "metadata", the extension's URI
}

// Passed is a message that is on record and may leave.
type Passed struct {
	Body     []byte // the message's own bytes where nothing was changed
	Changed  bool
	Note     flow.Note
	Event    flow.Event
	Receipt  flow.Receipt
	IDs      IDs
	let      hop.Limits // what the next hop is told that this one lets through
	Admitted any        // what Message.Admit returned
	Mapped   []Mention  // identifiers that are others for the recipient, and that words may repeat
}

// IDs are the protocol's own identifiers that the message carries, as its sender wrote them.
type IDs struct {
	Message, Task, Context string
}

// recorded is the flow as the journal may name it: a tool's name that nothing declares may be a value.
func (m *Message) recorded() flow.Flow { return Recorded(m.Query.Flow, m.Undeclared) }

// Recorded returns the flow as the journal may name it.
func Recorded(f flow.Flow, undeclared bool) flow.Flow {
	if undeclared && f.Subject != "" {
		f.Subject = "*"
	}
	return f
}
