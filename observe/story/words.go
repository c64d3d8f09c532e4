package story

import (
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
)

// because says what set a level in the end.
var because = map[flow.Limit]string{
	flow.ByPolicy:     "policies permit no more",
	flow.ByNeed:       "the recipient's task needs no more",
	flow.ByTier:       "its tier shows no more at this criticality without an exception",
	flow.BySchema:     "more would not fit the recipient's schema",
	flow.ByExposure:   "the recipient's domain holds enough already to single somebody out with it",
	flow.ByHandle:     "it went by reference",
	flow.ByContract:   "the contract between the domains allows no more",
	flow.ByHop:        "a gateway before this one let no more through",
	flow.ByCapability: "the caller's capability, or one before it in the chain, allows no more",
	flow.ByCatalog:    "the data contract has it used no further",
}

// explained is a rule in an operator's words: why a flow is refused by it, and what can be done.
type explained struct{ why, what string }

// rules explains every rule of the gateway.
var rules = map[gateway.Rule]explained{
	gateway.RuleIdentity:   {"The caller's credential was missing, unknown or did not fit who it says it is.", "Look at the agent's keys, tokens or certificate in the configuration, and at its clock."},
	gateway.RuleFace:       {"The caller may not use this address: no such agent is fronted there for it.", "Look which agents are fronted, and whether the caller may reach this one."},
	gateway.RuleMalformed:  {"What came is not a message of the protocol.", "Look at what the caller's software sends, at the place that is named."},
	gateway.RuleTooBig:     {"The message is over a limit of size, depth or count.", "Have smaller messages sent, or raise limits."},
	gateway.RuleMethod:     {"The method is none that the gateway carries.", "Nothing: what it cannot read it does not pass on."},
	gateway.RuleVersion:    {"The protocol's version is none that is spoken here.", "Have a version asked for that the refusal names."},
	gateway.RulePlace:      {"A place of the message is not carried, or holds what it must not.", "Look at the place; a schema can declare it."},
	gateway.RulePolicy:     {"The terms do not allow it.", "Look which policies decide about these labels with scrim policy explain; a change is proposed like any other."},
	gateway.RuleSchema:     {"At the level that the terms allow the message would not fit the recipient's schema.", "Make the member optional in the schema, or permit a level that fits it."},
	gateway.RuleConflict:   {"The id was used before with another request.", "Have the caller draw a new id for each request."},
	gateway.RuleUpstream:   {"The agent behind did not answer, or not as it should.", "Look at the agent and at the network to it."},
	gateway.RuleRecord:     {"The evidence could not be written, and without record nothing is released.", "Look at the disk, the database and the log: scrim doctor."},
	gateway.RuleInternal:   {"The gateway was not sure, so it refused.", "Look at the gateway's own log for this reference."},
	gateway.RuleEncoding:   {"The content has an encoding or a media type that is not read.", "Have it sent without, or as JSON."},
	gateway.RuleDrained:    {"The gateway was being stopped.", "Nothing: the caller tries again."},
	gateway.RuleExhausted:  {"A cap on tokens, or on the memory of the task, is reached.", "Look whether the recipient gathers tokens; begin another task, or wait for the next day."},
	gateway.RuleHeader:     {"A header says something else than the message.", "Look at proxies and at what the caller's software sends."},
	gateway.RuleOrigin:     {"A web page of another site made the call.", "Nothing, unless that page is one's own."},
	gateway.RuleRate:       {"The caller makes more calls than it may, in a time or at one time.", "Look whether it goes wild; limits are set for each agent."},
	gateway.RuleBusy:       {"No slot was free at the gateway.", "Look at the load; more slots or more gateways help."},
	gateway.RuleLoop:       {"The message came through too many gateways.", "Look whether two of them send to each other."},
	gateway.RuleScope:      {"The caller's token lacks a scope.", "Have a token issued that has it."},
	gateway.RulePush:       {"Push notifications are not there for this caller or this agent.", "Have the caller ask again, or look at push in the configuration."},
	gateway.RuleHandle:     {"There is no such handle for this caller: unknown, expired, used up, dropped or forbidden. The caller cannot tell which.", "Look at the handles that there are, and at the terms of this redeemer."},
	gateway.RuleHop:        {"What the gateway before this one says is not believed.", "Look at the peer's identity, its keys and both clocks."},
	gateway.RuleExtension:  {"The agent requires an extension that the call does not ask for.", "Have the caller ask for it."},
	gateway.RuleBudget:     {"The dataset's budget, or a quota, has no room for the question.", "Look at the budget's forecast; plan again, or wait for the next window."},
	gateway.RuleCapability: {"The capability is not valid, or does not admit this call.", "Look which rule broke at which link; the holder asks for another."},
}

// words explains a rule by its name. One that a newer program wrote is told by its name alone.
func words(rule string) explained {
	if e, ok := rules[gateway.Rule(rule)]; ok {
		return e
	}
	return explained{why: "The gateway refused it."}
}
