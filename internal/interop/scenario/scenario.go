// Package scenario is an A2A 1.0 agent that does what it is asked to do, for tests of what stands before it.
//
// The beginning of a message's id names the scenario: "tck-complete-task-7" completes a task at once. The names are
// those of the protocol's own compatibility kit, so that the agent can be its system under test; those that begin with
// "scrim-" are ours. The agent is built on the official SDK and adds what the specification demands and the SDK leaves
// out: versions, media types, required extensions, and subscriptions to tasks that have ended.
package scenario

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"github.com/a2aproject/a2a-go/v2/a2a"
	"github.com/a2aproject/a2a-go/v2/a2asrv"
	"github.com/a2aproject/a2a-go/v2/a2asrv/push"
	"github.com/a2aproject/a2a-go/v2/a2asrv/taskstore"
)

// Options say what kind of agent it is. The zero value has no optional capability.
type Options struct {
	URL        string        // under which its own address is told in the card; no slash at the end
	Everything bool          // streaming, push notifications and an extended card
	NoExtended bool          // with Everything: the extended card is declared and yet not there
	Required   string        // an extension that clients must know
	Pause      time.Duration // between the steps of a scenario that takes its time; 0: 100 ms
	Credential string        // what the Authorization header must be to see the extended card; "": nothing
}

// Agent is the agent, on every binding that it is mounted at.
type Agent struct {
	opt     Options
	handler a2asrv.RequestHandler
}

// New makes an agent.
func New(opt Options) *Agent {
	if opt.Pause == 0 {
		opt.Pause = 100 * time.Millisecond
	}
	a := &Agent{opt: opt}
	caps := a.capabilities()
	caps.Extensions = nil // strict checks them: the SDK does not take a list of names apart
	options := []a2asrv.RequestHandlerOption{
		a2asrv.WithCapabilityChecks(&caps),
		a2asrv.WithTaskStore(taskstore.NewInMemory(&taskstore.InMemoryStoreConfig{
			Authenticator: func(context.Context) (string, error) { return "anybody", nil },
		})),
	}
	if opt.Everything {
		sender := push.NewHTTPPushSender(&push.HTTPSenderConfig{Timeout: 10 * time.Second, AllowPrivateNetworks: true})
		options = append(options, a2asrv.WithPushNotifications(push.NewInMemoryStore(), sender))
		if !opt.NoExtended {
			options = append(options, a2asrv.WithExtendedAgentCard(a.card(true)))
		}
	}
	a.handler = &strict{RequestHandler: a2asrv.NewHandler(executor{pause: opt.Pause}, options...), opt: opt}
	return a
}

// Handler serves the card, JSON-RPC at /rpc and HTTP+JSON at /rest.
func (a *Agent) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(a2asrv.WellKnownAgentCardPath, a2asrv.NewStaticAgentCardHandler(a.card(false)))
	mux.Handle("/rpc", versioned(a2asrv.NewJSONRPCHandler(a.handler)))
	mux.Handle("/rest/", http.StripPrefix("/rest", versioned(a2asrv.NewRESTHandler(a.handler))))
	return mux
}

// RequestHandler is the agent without a binding.
func (a *Agent) RequestHandler() a2asrv.RequestHandler { return a.handler }

// versioned takes the version from the query where no header has it.
func versioned(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v := r.URL.Query().Get(a2a.SvcParamVersion); v != "" && r.Header.Get(a2a.SvcParamVersion) == "" {
			r = r.Clone(r.Context())
			r.Header.Set(a2a.SvcParamVersion, v)
		}
		next.ServeHTTP(w, r)
	})
}

func (a *Agent) capabilities() a2a.AgentCapabilities {
	c := a2a.AgentCapabilities{Streaming: a.opt.Everything, PushNotifications: a.opt.Everything, ExtendedAgentCard: a.opt.Everything}
	if a.opt.Required != "" {
		c.Extensions = []a2a.AgentExtension{{URI: a.opt.Required, Description: "Whoever calls must know it.", Required: true}}
	}
	return c
}

// inputModes are the media types that the agent takes.
var inputModes = []string{"text/plain", "application/json"}

func (a *Agent) card(extended bool) *a2a.AgentCard {
	c := &a2a.AgentCard{
		Name: "scenario", Description: "Does what it is asked to do.", Version: "1.0.0",
		SupportedInterfaces: []*a2a.AgentInterface{
			a2a.NewAgentInterface(a.opt.URL+"/rpc", a2a.TransportProtocolJSONRPC),
			a2a.NewAgentInterface(a.opt.URL+"/rest", a2a.TransportProtocolHTTPJSON),
		},
		Capabilities: a.capabilities(), DefaultInputModes: inputModes, DefaultOutputModes: inputModes,
		Skills: []a2a.AgentSkill{{ID: "scenarios", Name: "Scenarios", Description: "Plays the scenario that a message's id names.", Tags: []string{"test"}}},
	}
	if extended {
		c.Skills = append(c.Skills, a2a.AgentSkill{ID: "more", Name: "More", Description: "Seen by those who show a credential.", Tags: []string{"test"}})
	}
	return c
}

// step is one thing that happens in a scenario; state "" is an artifact.
type step struct {
	wait     int // pauses before it
	state    a2a.TaskState
	text     string           // of the status
	parts    a2a.ContentParts // of an artifact
	artifact string           // a name: chunks of one artifact carry the same
	last     bool
	message  *a2a.Message // an answer without a task
}

// scenarios are found by the longest name that a message's id begins with; an unknown one completes.
var scenarios = map[string][]step{
	"tck-complete-task":     {{state: a2a.TaskStateCompleted, text: "Done."}},
	"tck-delayed-complete":  {{state: a2a.TaskStateWorking}, {wait: 1, state: a2a.TaskStateCompleted, text: "Done, after a while."}},
	"tck-artifact-text":     artifact(a2a.NewTextPart("A text that was made.")),
	"tck-artifact-file":     artifact(&a2a.Part{Content: a2a.Raw("The content of a file."), Filename: "output.txt", MediaType: "text/plain"}),
	"tck-artifact-file-url": artifact(&a2a.Part{Content: a2a.URL("https://example.com/output.txt"), Filename: "output.txt", MediaType: "text/plain"}),
	"tck-artifact-data":     artifact(a2a.NewDataPart(map[string]any{"key": "value", "count": 42})),
	"tck-message-response":  {{message: &a2a.Message{Role: a2a.MessageRoleAgent, Parts: a2a.ContentParts{a2a.NewTextPart("An answer without a task.")}}}},
	"tck-input-required":    {{state: a2a.TaskStateInputRequired, text: "Say more."}},
	"tck-reject-task":       {{state: a2a.TaskStateRejected, text: "No."}},
	"tck-stream":            stream,
	"scrim-fail-task":       {{state: a2a.TaskStateFailed, text: "It went wrong."}},
	"scrim-auth-required":   {{state: a2a.TaskStateAuthRequired, text: "Sign in."}},
	"scrim-slow":            slow(),
	"scrim-late":            late,
}

func artifact(p *a2a.Part) []step {
	return []step{{artifact: "result", parts: a2a.ContentParts{p}, last: true}, {state: a2a.TaskStateCompleted}}
}

// stream works, writes an artifact in three chunks and completes.
var stream = []step{
	{state: a2a.TaskStateWorking, text: "At work."},
	{wait: 1, artifact: "story", parts: a2a.ContentParts{a2a.NewTextPart("Once upon a time, ")}},
	{wait: 1, artifact: "story", parts: a2a.ContentParts{a2a.NewTextPart("there was a gateway, ")}},
	{wait: 1, artifact: "story", parts: a2a.ContentParts{a2a.NewTextPart("and nobody noticed.")}, last: true},
	{state: a2a.TaskStateCompleted, text: "Done."},
}

// slow gives others the time to subscribe before it counts, also on a busy machine.
func slow() []step {
	all := []step{{state: a2a.TaskStateWorking, text: "Counting."}, {wait: 75, state: a2a.TaskStateWorking, text: "Counting."}}
	for n := range 12 {
		all = append(all, step{wait: 1, artifact: fmt.Sprintf("number-%d", n), parts: a2a.ContentParts{a2a.NewTextPart(fmt.Sprint(n))}, last: true})
	}
	return append(all, step{wait: 1, state: a2a.TaskStateCompleted, text: "Counted."})
}

// late does nothing for a while.
var late = []step{
	{state: a2a.TaskStateWorking, text: "At work."},
	{wait: 15, artifact: "story", parts: a2a.ContentParts{a2a.NewTextPart("Better late, says jane.doe@example.org.")}, last: true},
	{state: a2a.TaskStateCompleted, text: "Done."},
}

func find(messageID string) []step {
	best := "tck-complete-task"
	for name := range scenarios {
		if strings.HasPrefix(messageID, name) && (len(name) > len(best) || !strings.HasPrefix(messageID, best)) {
			best = name
		}
	}
	return scenarios[best]
}

// executor plays scenarios.
type executor struct{ pause time.Duration }

// Execute implements [a2asrv.AgentExecutor].
func (x executor) Execute(ctx context.Context, e *a2asrv.ExecutorContext) iter.Seq2[a2a.Event, error] {
	steps := find(e.Message.ID)
	if e.StoredTask != nil { // what is said to a task that waits ends it
		steps = scenarios["tck-complete-task"]
	}
	return func(yield func(a2a.Event, error) bool) {
		if steps[0].message != nil {
			m := *steps[0].message
			m.ID, m.ContextID = a2a.NewMessageID(), e.ContextID
			yield(&m, nil)
			return
		}
		if e.StoredTask == nil && !yield(a2a.NewSubmittedTask(e, e.Message), nil) {
			return
		}
		ids := map[string]a2a.ArtifactID{}
		for _, s := range steps {
			if s.wait > 0 {
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Duration(s.wait) * x.pause):
				}
			}
			if !yield(s.event(e, ids), nil) {
				return
			}
		}
	}
}

func (s step) event(e *a2asrv.ExecutorContext, ids map[string]a2a.ArtifactID) a2a.Event {
	if s.state == "" {
		ev := a2a.NewArtifactEvent(e, s.parts...)
		if id, ok := ids[s.artifact]; ok {
			ev = a2a.NewArtifactUpdateEvent(e, id, s.parts...)
		}
		ids[s.artifact], ev.Artifact.Name, ev.LastChunk = ev.Artifact.ID, s.artifact, s.last
		return ev
	}
	var m *a2a.Message
	if s.text != "" {
		m = a2a.NewMessageForTask(a2a.MessageRoleAgent, e, a2a.NewTextPart(s.text))
	}
	return a2a.NewStatusUpdateEvent(e, s.state, m)
}

// Cancel implements [a2asrv.AgentExecutor].
func (executor) Cancel(_ context.Context, e *a2asrv.ExecutorContext) iter.Seq2[a2a.Event, error] {
	return func(yield func(a2a.Event, error) bool) {
		yield(a2a.NewStatusUpdateEvent(e, a2a.TaskStateCanceled, nil), nil)
	}
}
