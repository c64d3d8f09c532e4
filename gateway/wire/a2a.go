package wire

import (
	"errors"
	"fmt"
	"iter"
	"slices"

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

// Terminal reports whether the state is one that a task does not leave, in the words of either version.
func Terminal(state string) bool {
	switch state {
	case "TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "TASK_STATE_REJECTED", "completed", "failed", "canceled", "rejected":
		return true
	default:
		return false
	}
}

// Pauses reports whether the state ends a stream without ending its task: input or authorisation is wanted.
func Pauses(state string) bool {
	switch state {
	case "TASK_STATE_INPUT_REQUIRED", "TASK_STATE_AUTH_REQUIRED", "input-required", "auth-required":
		return true
	default:
		return false
	}
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
	Final     bool      // of a StatusPayload of A2A 0.3: nothing follows
	Append    bool      // of an ArtifactPayload
	LastChunk bool
	Metadata  int // of the params, or of the update
}

// ReadA2A finds what the body of an A2A message holds. Results are told apart by their members, stream or not.
//
// It returns an error that wraps [ErrPayload], and names the place, where a part holds not exactly one content, a
// result more than one payload, or a member is of another kind than the protocol says.
func ReadA2A(d *json.Doc, rpc RPC) (A2A, error) {
	r := reader{d: d, part: (*reader).part10}
	a := A2A{Body: rpc.Params, Node: -1, TaskID: -1, ContextID: -1, Metadata: -1}
	switch rpc.Kind {
	case Call, Notification:
		r.params(&a)
	case Success:
		a.Body = rpc.Result
		r.result(&a)
	case Failure:
		a.Body = -1
	}
	if r.err != nil {
		return A2A{}, r.err
	}
	return a, nil
}

// reader finds members of a document and keeps the first fault.
type reader struct {
	d    *json.Doc
	part func(r *reader, n int) (Part, bool) // reads a part as the version has it
	err  error
}

// member returns the member, or -1 where it is absent or null or of another kind than those given, which is a fault.
func (r *reader) member(obj int, name string, kinds ...json.Kind) int {
	if obj < 0 {
		return -1
	}
	n, ok := r.d.Member(obj, name)
	if !ok || r.d.Nodes[n].Kind == json.Null {
		return -1
	}
	if len(kinds) > 0 && !slices.Contains(kinds, r.d.Nodes[n].Kind) {
		r.fail(n, name)
		return -1
	}
	return n
}

func (r *reader) object(obj int, name string) int { return r.member(obj, name, json.Object) }
func (r *reader) array(obj int, name string) int  { return r.member(obj, name, json.Array) }
func (r *reader) text(obj int, name string) int   { return r.member(obj, name, json.String) }

func (r *reader) truth(obj int, name string) bool {
	n := r.member(obj, name, json.True, json.False)
	return n >= 0 && r.d.Nodes[n].Kind == json.True
}

// fail keeps the fault. Name must be one that the protocol declares.
func (r *reader) fail(n int, name string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s at byte %d", ErrPayload, name, r.d.Nodes[n].Start)
	}
}

// objects yields the elements of an array of objects.
func (r *reader) objects(arr int, name string) iter.Seq[int] {
	return func(yield func(int) bool) {
		if arr < 0 {
			return
		}
		for n := range r.d.Children(arr) {
			if r.d.Nodes[n].Kind != json.Object {
				r.fail(n, name)
				return
			}
			if !yield(n) {
				return
			}
		}
	}
}

func (r *reader) params(a *A2A) {
	if a.Body < 0 {
		return
	}
	a.Metadata = r.object(a.Body, "metadata")
	if n := r.object(a.Body, "message"); n >= 0 {
		m := r.message(n)
		a.Kind, a.Node, a.Message = MessagePayload, n, &m
		a.TaskID, a.ContextID = m.TaskID, m.ContextID
		return
	}
	a.ContextID = r.text(a.Body, "contextId")
	if a.TaskID = r.text(a.Body, "taskId"); a.TaskID < 0 { // of a push notification config, whose own id is the other
		a.TaskID = r.text(a.Body, "id")
	}
}

func (r *reader) result(a *A2A) {
	if r.d.Nodes[a.Body].Kind != json.Object {
		r.fail(a.Body, "result")
		return
	}
	found := 0
	for _, m := range []struct {
		name string
		read func(a *A2A, n int)
	}{{"task", r.answerTask}, {"message", r.answerMessage}, {"statusUpdate", r.status}, {"artifactUpdate", r.artifactUpdate}} {
		if n := r.object(a.Body, m.name); n >= 0 {
			found++
			a.Node = n
			m.read(a, n)
		}
	}
	switch {
	case found > 1:
		r.fail(a.Body, "result with more than one payload")
	case found == 1:
	case r.member(a.Body, "tasks") >= 0:
		a.Kind = TaskPayload
		for n := range r.objects(r.array(a.Body, "tasks"), "task") {
			a.Tasks = append(a.Tasks, r.task(n))
		}
	case r.member(a.Body, "status") >= 0: // a bare task, as GetTask and CancelTask answer
		a.Node = a.Body
		r.answerTask(a, a.Body)
	}
}

func (r *reader) answerTask(a *A2A, n int) {
	t := r.task(n)
	a.Kind, a.Tasks, a.TaskID, a.ContextID = TaskPayload, []Task{t}, t.ID, t.ContextID
}

func (r *reader) answerMessage(a *A2A, n int) {
	m := r.message(n)
	a.Kind, a.Message, a.TaskID, a.ContextID = MessagePayload, &m, m.TaskID, m.ContextID
}

func (r *reader) status(a *A2A, n int) {
	a.Kind = StatusPayload
	a.TaskID, a.ContextID, a.Metadata = r.text(n, "taskId"), r.text(n, "contextId"), r.object(n, "metadata")
	status := r.object(n, "status")
	a.State = r.state(status)
	if m := r.object(status, "message"); m >= 0 {
		msg := r.message(m)
		a.Message = &msg
	}
}

func (r *reader) artifactUpdate(a *A2A, n int) {
	a.Kind = ArtifactPayload
	a.TaskID, a.ContextID, a.Metadata = r.text(n, "taskId"), r.text(n, "contextId"), r.object(n, "metadata")
	a.Append, a.LastChunk = r.truth(n, "append"), r.truth(n, "lastChunk")
	if at := r.object(n, "artifact"); at >= 0 {
		art := r.artifact(at)
		a.Artifact = &art
	} else {
		r.fail(n, "artifactUpdate without artifact")
	}
}

// state returns a status's state if it is a word of the vocabulary; anything else is left for [Table.Allows] to refuse.
func (r *reader) state(status int) string {
	n := r.text(status, "state")
	if n < 0 || r.d.Nodes[n].End-r.d.Nodes[n].Start > 40 {
		return ""
	}
	if s := string(textOf(r.d, n)); taskStates[s] {
		return s
	}
	return ""
}

var taskStates = map[string]bool{
	"TASK_STATE_SUBMITTED": true, "TASK_STATE_WORKING": true, "TASK_STATE_COMPLETED": true, "TASK_STATE_FAILED": true,
	"TASK_STATE_CANCELED": true, "TASK_STATE_INPUT_REQUIRED": true, "TASK_STATE_REJECTED": true, "TASK_STATE_AUTH_REQUIRED": true,
	"submitted": true, "working": true, "completed": true, "failed": true, "canceled": true, "input-required": true, "rejected": true, "auth-required": true,
}

func (r *reader) task(n int) Task {
	t := Task{Node: n, ID: r.text(n, "id"), ContextID: r.text(n, "contextId"), Status: r.object(n, "status"), Metadata: r.object(n, "metadata")}
	t.State = r.state(t.Status)
	if m := r.object(t.Status, "message"); m >= 0 {
		msg := r.message(m)
		t.Message = &msg
	}
	for a := range r.objects(r.array(n, "artifacts"), "artifact") {
		t.Artifacts = append(t.Artifacts, r.artifact(a))
	}
	for m := range r.objects(r.array(n, "history"), "message") {
		t.History = append(t.History, r.message(m))
	}
	return t
}

func (r *reader) message(n int) Message {
	return Message{
		Node: n, ID: r.text(n, "messageId"), TaskID: r.text(n, "taskId"), ContextID: r.text(n, "contextId"), Role: r.text(n, "role"),
		Metadata: r.object(n, "metadata"), Extensions: r.array(n, "extensions"), Parts: r.parts(n),
	}
}

func (r *reader) artifact(n int) Artifact {
	return Artifact{Node: n, ID: r.text(n, "artifactId"), Metadata: r.object(n, "metadata"), Parts: r.parts(n)}
}

var partContents = [...]struct {
	name string
	kind PartKind
}{{"text", TextPart}, {"data", DataPart}, {"raw", RawPart}, {"url", URLPart}}

func (r *reader) parts(obj int) []Part {
	arr := r.array(obj, "parts")
	if arr < 0 {
		return nil
	}
	var parts []Part
	for n := range r.objects(arr, "part") {
		p, ok := r.part(r, n)
		if !ok {
			return nil
		}
		parts = append(parts, p)
	}
	return parts
}

// part10 reads a part of A2A 1.0, which has exactly one content.
func (r *reader) part10(n int) (Part, bool) {
	p := Part{Node: n, Content: -1, MediaType: r.text(n, "mediaType"), FileName: r.text(n, "filename"), Metadata: r.object(n, "metadata")}
	for _, c := range partContents {
		at, ok := r.d.Member(n, c.name)
		if !ok || c.kind != DataPart && r.d.Nodes[at].Kind == json.Null {
			continue // null data is data
		}
		if p.Content >= 0 {
			r.fail(n, "part with more than one content")
			return p, false
		}
		if c.kind != DataPart && r.d.Nodes[at].Kind != json.String {
			r.fail(at, c.name)
			return p, false
		}
		p.Kind, p.Content = c.kind, at
	}
	if p.Content < 0 {
		r.fail(n, "part without content")
		return p, false
	}
	return p, true
}
