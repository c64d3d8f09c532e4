package api

import (
	"reflect"
)

// Operation is a call of the API as its description tells it. All of them are for whoever has the token of the data directory.
type Operation struct {
	Method, Path   string // below /api/v1
	Title, Summary string
	In, Out        reflect.Type // of body and answer; nil: none, or not of one type
	Media          string       // of an answer that is not one JSON value
}

// call is an operation with the function that does it: its last parameter is the body, its first result the answer.
type call struct {
	method, path, title, summary string
	do                           any
	media                        string
}

const lines = "application/jsonl"

var calls = []call{
	{"POST", "/log/verify", "Verify the journal", "Compares every row of the journal with the log.", func() (v Verification) { return }, ""},
	{"GET", "/log/entries", "Entries of the log", "Rows of the journal as they were recorded, one in a line. Query: from, to, limit, last, flow, story, inputs, trace.", nil, lines},
	{"GET", "/log/receipts/{ref}", "Receipts of a flow", "Proofs that the events of a flow are in the log.", Receipts, ""},
	{"GET", "/why/{ref}", "Why", "The story of a flow, or of the refusal that gave the reference: who asked, what was found, the terms and the policies behind them, what it cost, where it is on record.", Why, ""},
	{"GET", "/log/checkpoint", "Checkpoint", "The latest signed checkpoint.", Checkpoint, ""},
	{"GET", "/log/size", "Size of the log", "Rows, bytes and how fast they grow.", Size, ""},
	{"POST", "/token/open", "Open a token", "Gives back what a token stands for, where policy lets an agent open it. The answer holds the value.", OpenToken, ""},
	{"GET", "/handles", "Handles", "Parts of messages that went by reference and are kept.", ListHandles, ""},
	{"POST", "/handles/drop", "Drop handles", "Ends handles before their time.", DropHandles, ""},
	{"POST", "/exposure/show", "What was shown", "What recipient domains hold, of one subject or altogether: labels and levels.", ShowExposure, ""},
	{"POST", "/exposure/reset", "Forget what was shown", "Empties the memory of what an audience holds.", ResetExposure, ""},
	{"POST", "/cap/revoke", "Revoke", "Puts a token, a holder's key or a task on the domain's list of revocations.", Revoke, ""},
	{"GET", "/cap/revocations", "Revocations", "Lists of revocations, the domain's own and those of its peers.", ListRevocations, ""},
	{"POST", "/capability/mint", "Mint a capability", "Issues a token to an agent. The answer holds the token.", func(MintRequest) (m Minted) { return }, ""},
	{"POST", "/capability/verify", "Check a capability", "Says whether a chain of tokens holds, and what it admits.", func(CheckRequest) (v Checked) { return }, ""},
	{"GET", "/learn", "What learn mode saw", "Schemas and labels that learn mode proposes.", nil, ""},
	{"POST", "/release", "Release a table", "Anonymises a table by a plan and releases it. Tells of it line by line.", nil, lines},
	{"POST", "/policy/replay", "Replay decisions", "Makes recorded decisions again under other rules. Tells of it line by line.", nil, lines},
	{"POST", "/config/inherited", "Inherited settings", "What agents and datasets have that is not written about them.", func() (v []Inherited) { return }, ""},
	{"POST", "/terms", "Ask for terms", "On which terms data would pass.", AskTerms, ""},
	{"POST", "/freeze", "Freeze", "Brings an agent, a domain or a dataset to a halt.", Freeze, ""},
	{"POST", "/thaw", "Thaw", "Lets what is frozen go on.", Thaw, ""},
	{"GET", "/frozen", "What is frozen", "What is frozen, and what was.", ListFrozen, ""},
	{"POST", "/backup", "Take a backup", "Writes an encrypted copy of all that a restart needs below the data directory, whose owner takes it away.", func(BackupRequest) (v Backup) { return }, ""},
	{"GET", "/alarms", "Alarms", "Callers that behaved as one who probes. Query: since.", ListAlarms, ""},
	{"POST", "/report/breach", "Report on a breach", "Who was shown how many people's what, at which level.", Breach, ""},
	{"POST", "/report/document", "Report", "A report as HTML, CSV and JSON with the proof of its figures.", Document, ""},
	{"POST", "/report/usefulness", "Report on usefulness", "What recipients said of what they got.", func(UsefulnessRequest) (v any) { return }, ""},
	{"POST", "/rules/propose", "Propose rules", "Makes a proposal out of a whole set of rules.", ProposeRules, ""},
	{"POST", "/rules/status", "Rules in force", "Which version decides, what differs on disk, what waits.", ShowRulesStatus, ""},
	{"POST", "/rules/proposals", "Proposals", "Proposals under way, or those that ended.", ListProposals, ""},
	{"POST", "/rules/show", "Proposal or version", "Both sides of what it changes.", ShowRules, ""},
	{"POST", "/rules/approve", "Approve", "Gives an approver's word for a proposal.", ApproveRules, ""},
	{"POST", "/rules/reject", "Reject", "Ends a proposal by an approver's word.", RejectRules, ""},
	{"POST", "/rules/withdraw", "Withdraw", "Ends one's own proposal.", WithdrawRules, ""},
	{"POST", "/rules/rollback", "Go back", "Proposes the rules of an earlier version.", BackRules, ""},
	{"POST", "/rules/history", "Versions", "Versions of the rules, with when each was in force.", RulesHistory, ""},
	{"POST", "/rules/review", "Review", "Puts on record that rules or budgets were reviewed.", ReviewRules, ""},
	{"POST", "/questions", "Ask a dataset", "Does what an agent could do with the questions' service, in an agent's name, charged and on record. The answer holds released figures.", AskData, ""},
	{"POST", "/domain/show", "Own domain", "Keys, gateways, authority and log of this domain.", ShowDomain, ""},
	{"POST", "/domain/rotate", "Rotate the domain's key", "Makes another signing key, with an overlap.", RotateKey, ""},
	{"POST", "/ca/init", "Make an authority", "Makes the domain's own authority for certificates.", InitAuthority, ""},
	{"POST", "/ca/issue", "Issue a certificate", "Signs a certificate request.", Issue, ""},
	{"POST", "/peers/list", "Peers", "Domains that are believed for what they sign.", ListPeers, ""},
	{"POST", "/peers/look", "Look at a peer", "Fetches a domain's document and shows its fingerprint, without believing it.", LookAtPeer, ""},
	{"POST", "/peers/add", "Add a peer", "Pins a domain by its fingerprint.", AddPeer, ""},
	{"POST", "/peers/remove", "Remove a peer", "Ends the belief in a domain.", RemovePeer, ""},
	{"POST", "/peers/refresh", "Refresh a peer", "Fetches a peer's document now.", RefreshPeer, ""},
	{"POST", "/contracts/list", "Contracts between domains", "Terms that domains agreed on, or negotiate.", ListContracts, ""},
	{"POST", "/contracts/show", "Contract", "One contract with its terms and signatures.", ShowContract, ""},
	{"POST", "/contracts/propose", "Propose a contract", "Offers terms to a peer.", ProposeContract, ""},
	{"POST", "/contracts/counter", "Counter an offer", "Answers an offer with other terms.", CounterContract, ""},
	{"POST", "/contracts/accept", "Accept a contract", "Accepts an offer as it is.", AcceptContract, ""},
	{"POST", "/contracts/withdraw", "Withdraw a contract", "Ends an offer or a contract.", WithdrawContract, ""},
	{"POST", "/bundles/list", "Bundles", "Sets of rules that are published or subscribed to.", ListBundles, ""},
	{"POST", "/bundles/show", "Bundle", "One bundle and what it holds.", ShowBundle, ""},
	{"POST", "/bundles/publish", "Publish a bundle", "Signs and publishes the next version.", PublishBundle, ""},
	{"POST", "/bundles/drift", "Drift of bundles", "Where what runs differs from what is subscribed to.", DriftOfBundles, ""},
	{"POST", "/bundles/fetch", "Fetch a bundle", "Fetches the latest version now.", FetchBundle, ""},
	{"POST", "/bundles/forget", "Forget a bundle", "Forgets a bundle that is no longer subscribed to.", ForgetBundle, ""},
	{"POST", "/witness/show", "Witnessing", "Which logs this gateway cosigns, and who cosigns its own.", ShowWitness, ""},
	{"POST", "/budgets/show", "Budgets", "What is spent and left, by dataset and scope.", ShowBudgets, ""},
	{"POST", "/budgets/set", "Set a budget", "Makes a new plan for what remains. It never gives back what was spent.", SetBudgets, ""},
	{"POST", "/budgets/plan", "Plan a budget", "How many questions of a kind a budget would allow.", PlanBudget, ""},
	{"POST", "/budgets/forecast", "Forecast", "When budgets will be spent at the rate of late.", ForecastBudgets, ""},
	{"POST", "/budgets/replay", "Verify the ledger", "Recomputes every hash, sum and cap of the ledger.", ReplayBudgets, ""},
	{"POST", "/streams/list", "Streams", "Running counts and sums that datasets publish.", ListStreams, ""},
	{"POST", "/streams/read", "Read a stream", "Published steps of a stream.", ReadStreams, ""},
	{"POST", "/lineage/show", "Lineage", "Where data came from, and where it went.", ShowLineage, ""},
	{"POST", "/lineage/labels", "Lineage of labels", "How labels travelled.", LineageLabels, ""},
	{"POST", "/lineage/status", "State of lineage", "What is kept, and what waits to be sent.", LineageStatus, ""},
	{"POST", "/erase/ask", "Ask for an erasure", "Says how much is kept of a person, and asks that it be destroyed.", AskErasure, ""},
	{"POST", "/erase/confirm", "Confirm an erasure", "Destroys a person's keys and what is kept of them.", ConfirmErasure, ""},
	{"POST", "/erase/withdraw", "Withdraw an erasure", "Ends a request.", WithdrawErasure, ""},
	{"POST", "/erase/waiting", "Erasures under way", "Requests that wait for a confirmation.", WaitingErasures, ""},
	{"POST", "/subject/events", "Events about a person", "Rows of the log that are about a person.", SubjectEvents, ""},
}

// Operations are the calls that commands make, whether a gateway has the part that they are about or not.
func Operations() []Operation {
	out := make([]Operation, len(calls))
	for i, c := range calls {
		out[i] = Operation{Method: c.method, Path: c.path, Title: c.title, Summary: c.summary, Media: c.media}
		if c.do == nil {
			continue
		}
		t := reflect.TypeOf(c.do)
		if n := t.NumIn(); c.method == "POST" && n > 0 {
			out[i].In = t.In(n - 1)
		}
		out[i].Out = t.Out(0)
	}
	return out
}
