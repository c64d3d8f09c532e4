package config

import (
	"slices"
	"strconv"

	"github.com/scrimhq/scrim/flow"
)

// Alarms say when a caller behaves as one who probes, and what is done about it beside telling the operator.
type Alarms struct {
	Off      bool           `yaml:"off" doc:"Nothing is counted, and no alarm is raised."`
	Refusals RefusalAlarm   `yaml:"refusals" doc:"Calls of one agent that are refused. A domain as a whole may be refused four times as often."`
	Handles  HandleAlarm    `yaml:"handles" doc:"References that an agent tries and that are none of its own."`
	Tokens   TokenAlarm     `yaml:"tokens" doc:"Stand-ins in an agent's messages that stand for nothing."`
	Labels   LabelAlarm     `yaml:"labels" doc:"Different labels whose terms an agent asks about."`
	Calls    VolumeAlarm    `yaml:"calls" doc:"Far more calls in an hour than the agent makes in its usual hour."`
	Values   ReceivedAlarm  `yaml:"values" doc:"Far more values sent to an agent in an hour than in its usual hour. Others can bring that about, so it never freezes."`
	Purpose  PurposeAlarm   `yaml:"purpose" doc:"A purpose that the agent never named before, once it is known for a while."`
	Webhook  string         `yaml:"webhook" doc:"Address that alarms are posted to as JSON, where do says so." pattern:"url"`
	Token    *SecretText    `yaml:"token" secret:"true" doc:"A bearer token for the webhook."`
	Freezes  int            `yaml:"freezes" doc:"How many agents alarms freeze in an hour at most. More are a person's to decide." default:"3" min:"1" max:"1000"`
	Never    []flow.AgentID `yaml:"never" doc:"Agents that no alarm freezes."`
}

// RefusalAlarm is the limit of refusals.
type RefusalAlarm struct {
	Hour  int      `yaml:"hour" doc:"In an hour; 0: any number." default:"60" min:"0" max:"1000000000"`
	Day   int      `yaml:"day" doc:"In 24 hours." default:"240" min:"0" max:"1000000000"`
	Month int      `yaml:"month" doc:"In 30 days." default:"1200" min:"0" max:"1000000000"`
	Do    []string `yaml:"do" doc:"What is done beside telling the operator: webhook, freeze."`
}

// HandleAlarm is the limit of references that are tried.
type HandleAlarm struct {
	Hour  int      `yaml:"hour" doc:"In an hour; 0: any number." default:"10" min:"0" max:"1000000000"`
	Day   int      `yaml:"day" doc:"In 24 hours." default:"30" min:"0" max:"1000000000"`
	Month int      `yaml:"month" doc:"In 30 days." default:"120" min:"0" max:"1000000000"`
	Do    []string `yaml:"do" doc:"What is done beside telling the operator: webhook, freeze."`
}

// TokenAlarm is the limit of stand-ins that stand for nothing.
type TokenAlarm struct {
	Hour  int      `yaml:"hour" doc:"In an hour; 0: any number." default:"20" min:"0" max:"1000000000"`
	Day   int      `yaml:"day" doc:"In 24 hours." default:"60" min:"0" max:"1000000000"`
	Month int      `yaml:"month" doc:"In 30 days." default:"240" min:"0" max:"1000000000"`
	Do    []string `yaml:"do" doc:"What is done beside telling the operator: webhook, freeze."`
}

// LabelAlarm is the limit of labels that are asked about.
type LabelAlarm struct {
	Hour  int      `yaml:"hour" doc:"In an hour; 0: any number." default:"40" min:"0" max:"1000000000"`
	Day   int      `yaml:"day" doc:"In 24 hours." default:"60" min:"0" max:"1000000000"`
	Month int      `yaml:"month" doc:"In 30 days." default:"100" min:"0" max:"1000000000"`
	Do    []string `yaml:"do" doc:"What is done beside telling the operator: webhook, freeze."`
}

// VolumeAlarm compares an hour with an agent's own history.
type VolumeAlarm struct {
	Times int      `yaml:"times" doc:"So many times the median of the agent's busy hours in a week is too much, in calls and values; 0: nothing is." default:"8" min:"0" max:"1000000"`
	Least int      `yaml:"least" doc:"Fewer are never too many." default:"200" min:"1" max:"1000000000"`
	Do    []string `yaml:"do" doc:"What is done beside telling the operator: webhook, freeze."`
}

// ReceivedAlarm is about what others send.
type ReceivedAlarm struct {
	Do []string `yaml:"do" doc:"What is done beside telling the operator: webhook."`
}

// PurposeAlarm is about purposes.
type PurposeAlarm struct {
	Do []string `yaml:"do" doc:"What is done beside telling the operator: webhook, freeze."`
}

// What is done about an alarm.
const (
	DoWebhook = "webhook"
	DoFreeze  = "freeze"
)

// Does is what is done about alarms, by their kind.
func (a *Alarms) Does() map[string][]string {
	return map[string][]string{
		"refusals": a.Refusals.Do, "handles": a.Handles.Do, "tokens": a.Tokens.Do, "labels": a.Labels.Do, "calls": a.Calls.Do, "values": a.Values.Do, "purpose": a.Purpose.Do,
	}
}

// AlarmToken is the webhook's bearer token; zero where there is none. The error wraps [ErrSecret].
func (c *Config) AlarmToken() (flow.Secret, error) {
	t := c.Alarms.Token
	if t == nil {
		return flow.Secret{}, nil
	}
	return c.secret(t.place, t.Env, t.File)
}

func (v *validator) alarms(agents map[flow.AgentID]int) {
	a := &v.c.Alarms
	for kind, do := range a.Does() {
		for i, what := range do {
			at := "alarms/" + kind + "/do/" + strconv.Itoa(i)
			switch {
			case what == DoFreeze && kind == "values":
				v.wrong(at, "another agent could have it frozen by sending it much", "what others bring about freezes nobody")
			case what != DoFreeze && what != DoWebhook:
				v.wrong(at, nearHint(what, []string{DoWebhook, DoFreeze}), "not one of webhook, freeze")
			case what == DoWebhook && a.Webhook == "":
				v.wrong(at, "give its address as alarms.webhook", "there is no webhook")
			case slices.Contains(do[:i], what):
				v.wrong(at, "", "it is listed twice")
			}
		}
	}
	for i, id := range a.Never {
		if _, ok := agents[id]; !ok {
			v.wrong("alarms/never/"+strconv.Itoa(i), "", "there is no such agent under agents")
		}
	}
	if t := a.Token; t != nil {
		if (t.Env == "") == (t.File == "") {
			v.wrong("alarms/token", "the secret does not belong in this file", "either env or file is expected")
		}
		v.secret("alarms/token", t.Env, t.File)
	}
}
