package wire

import (
	"errors"

	"github.com/scrimhq/scrim/data/json"
)

// ErrPayload means that a message has not the form that its protocol gives it. Errors that wrap it name the place.
var ErrPayload = errors.New("the message has not the form its protocol gives it")

// PartKind says what a part holds.
type PartKind uint8

// The kinds of part.
const (
	TextPart PartKind = iota
	DataPart
	RawPart
	URLPart
)

// Part is one part of a message or artifact. Nodes are -1 where the member is absent or null.
type Part struct {
	Node      int
	Kind      PartKind
	Content   int // the text, data, raw or url member
	MediaType int
	FileName  int
	Metadata  int
}

// Message is an A2A message within a document. Nodes are -1 where the member is absent or null.
type Message struct {
	Node       int
	ID         int // messageId
	TaskID     int
	ContextID  int
	Role       int
	Metadata   int
	Extensions int
	Parts      []Part
}

// Artifact is an A2A artifact within a document.
type Artifact struct {
	Node     int
	ID       int // artifactId
	Metadata int
	Parts    []Part
}

// Task is an A2A task within a document.
type Task struct {
	Node      int
	ID        int
	ContextID int
	Status    int
	Metadata  int
	State     string   // TASK_STATE_…; a word of the vocabulary or empty
	Message   *Message // of the status
	Artifacts []Artifact
	History   []Message
}

// Terminal reports whether the state is one that a task does not leave.
func Terminal(state string) bool {
	switch state {
	case "TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "TASK_STATE_REJECTED":
		return true
	default:
		return false
	}
}

// Pauses reports whether the state ends a stream without ending its task: input or authorisation is wanted.
func Pauses(state string) bool {
	return state == "TASK_STATE_INPUT_REQUIRED" || state == "TASK_STATE_AUTH_REQUIRED"
}

// A2AKind says what an A2A payload is.
type A2AKind uint8

// The kinds of payload.
const (
	OtherPayload    A2AKind = iota // parameters or results that hold neither messages nor tasks
	MessagePayload                 // a message: sent, or answered without a task
	TaskPayload                    // a task, or several from ListTasks
	StatusPayload                  // a statusUpdate
	ArtifactPayload                // an artifactUpdate
)

// A2A is what the params or result of an A2A message hold. Nodes are -1 where the member is absent or null.
type A2A struct {
	Kind      A2AKind
	Body      int // the params or the result; -1 if there is none
	Node      int // the message, task or update within it
	TaskID    int // of the payload: from the message, task, update or params
	ContextID int
	Message   *Message  // of a MessagePayload, or of the status of a StatusPayload
	Tasks     []Task    // of a TaskPayload
	Artifact  *Artifact // of an ArtifactPayload
	State     string    // of a StatusPayload
	Append    bool      // of an ArtifactPayload
	LastChunk bool
	Metadata  int // of the params, or of the update
}

// ReadA2A finds what the body of an A2A message holds. Stream or not, results are told apart by their members.
// It returns an error that wraps [ErrPayload] where a part holds not exactly one content, or a member has another kind.
func ReadA2A(d *json.Doc, rpc RPC) (A2A, error) { return A2A{}, ErrPayload }
