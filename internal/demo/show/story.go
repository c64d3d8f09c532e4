package show

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/a2aproject/a2a-go/v2/a2a"

	"github.com/scrimhq/scrim/evidence/audit"
	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/internal/demo"
	"github.com/scrimhq/scrim/internal/demo/node"
	"github.com/scrimhq/scrim/internal/demo/patients"
)

// order is what the front desk says; all else follows from it.
const order = "Start a prior authorisation: " + patients.FeaturedMRN + ", J1745."

// recipients are who gets the referral, in the order in which they get it.
var recipients = []flow.AgentID{demo.Coordinator, demo.PriorAuth, demo.Cohort}

// facts are what happened, taken from the wire and the journals.
type facts struct {
	sent       content                   // the referral, as intake sent it
	digest     string                    // of those bytes
	received   map[flow.AgentID]content  // the referral, as it arrived
	why        map[flow.AgentID]decision // at the gateway that it left by
	refused    []refusal
	streamed   [2][]string // the letter in pieces: as the insurer's agent wrote it, as the hospital's read it
	outcome    []answer
	retry      retry
	extract    extract
	delegation delegation
	counts     counts
	published  published
	puzzle     puzzle
	traced     traced
	erased     erased
	checked    []checked
	broken     broken
	recounted  recounted
}

// content is one message's content.
type content struct {
	prose  string
	fields []field
}

type field struct{ name, value string }

func (c content) field(name string) string {
	for _, f := range c.fields {
		if f.name == name {
			return f.value
		}
	}
	return ""
}

// decision is what the journal says of a flow.
type decision struct {
	purpose     flow.Purpose
	criticality flow.Criticality
	levels      []string
	policies    []flow.PolicyID
}

type refusal struct {
	from, to  flow.AgentID
	by        flow.DomainID
	wanted    string
	text      string
	reference string
	entry     int64 // in the journal of by
}

type answer struct{ who, text string }

type retry struct {
	digests [2]string
	size    int
	calls   int // how often the agent behind the gateway was called
}

// tell runs the story and gathers what happened.
func (s *system) tell(ctx context.Context) (*facts, error) {
	f := &facts{received: map[flow.AgentID]content{}, why: map[flow.AgentID]decision{}}
	task, err := s.route(demo.FrontDesk, demo.Intake).Send(ctx, a2a.NewMessage(a2a.MessageRoleUser, a2a.NewTextPart(order)))
	if err != nil {
		return nil, fmt.Errorf("telling intake: %w", err)
	}
	if task.Status.State != a2a.TaskStateCompleted {
		return nil, fmt.Errorf("telling intake: the task ended as %s", task.Status.State)
	}
	for _, a := range task.Artifacts {
		f.outcome = append(f.outcome, answer{a.Name, node.Text(a.Parts)})
	}
	for _, step := range []func(context.Context, *facts) error{s.referral, s.refusals, s.stream, s.retried, s.extracted, s.delegated, s.counted, s.streamed, s.attack, s.lineage, s.erase, s.verified, s.reported} {
		if err := step(ctx, f); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// referral finds the message as it was sent, once, and as it arrived, three times.
func (s *system) referral(ctx context.Context, f *facts) error {
	for _, to := range recipients {
		all := s.exchanges(demo.Intake, to)
		if len(all) == 0 {
			return fmt.Errorf("intake sent nothing to %s", to)
		}
		parts, err := partsOf(all[0].sent)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(parts)
		if digest := hex.EncodeToString(sum[:]); f.digest == "" {
			f.digest = digest
		} else if f.digest != digest {
			return errors.New("intake did not send the same message to everybody")
		}
		if f.sent, err = read(all[0].sent); err != nil {
			return err
		}
		got := s.world.Received(to)
		if len(got) == 0 {
			return fmt.Errorf("nothing reached %s", to)
		}
		if f.received[to], err = read(got[0].Body); err != nil {
			return err
		}
		if f.why[to], err = s.decided(ctx, to); err != nil {
			return err
		}
	}
	return nil
}

type rpc struct {
	Params struct {
		Message struct{ Parts json.RawMessage }
	}
	Result struct {
		Content        []struct{ Text string }
		IsError        bool
		ArtifactUpdate struct {
			Artifact struct{ Name, Parts json.RawMessage }
		}
	}
	Error *struct {
		Message string
		Data    []struct {
			Metadata struct{ Reference string }
		}
	}
}

type part struct {
	Text string
	Data json.RawMessage
}

func partsOf(body []byte) (json.RawMessage, error) {
	var m rpc
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, errors.New("a message on the wire is not JSON")
	}
	return m.Params.Message.Parts, nil
}

func read(body []byte) (content, error) {
	raw, err := partsOf(body)
	if err != nil {
		return content{}, err
	}
	var parts []part
	if err := json.Unmarshal(raw, &parts); err != nil {
		return content{}, errors.New("a message on the wire has no parts")
	}
	var c content
	for _, p := range parts {
		c.prose += p.Text
		if p.Data != nil {
			c.fields = append(c.fields, flatten(p.Data)...)
		}
	}
	return c, nil
}

// flatten lists the scalars of an object in their order, named by their path without the first step.
func flatten(raw json.RawMessage) []field {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var all []field
	var path []string
	key := true
	for {
		tok, err := d.Token()
		if err != nil {
			return all
		}
		switch t := tok.(type) {
		case json.Delim:
			if t == '{' {
				key = true
				continue
			}
			if len(path) > 0 {
				path = path[:len(path)-1]
			}
			key = true
		case string:
			if key {
				path, key = append(path, t), false
				continue
			}
			all, path, key = append(all, named(path, t)), path[:len(path)-1], true
		default:
			all, path, key = append(all, named(path, fmt.Sprint(t))), path[:len(path)-1], true
		}
	}
}

func named(path []string, value string) field {
	return field{strings.Join(path[min(1, len(path)-1):], "."), value}
}

// decided reads from the hospital's journal on what terms the referral left for a recipient.
func (s *system) decided(ctx context.Context, to flow.AgentID) (decision, error) {
	for e, err := range s.gateways[demo.Hospital].Log.Entries(ctx, audit.Query{}) {
		if err != nil {
			return decision{}, fmt.Errorf("reading the journal: %w", err)
		}
		fl := e.Event.Flow
		if fl.From.Agent != demo.Intake || fl.To.Agent != to || fl.Direction != flow.Request {
			continue
		}
		counts := map[flow.Level]int{}
		for _, l := range e.Event.Levels {
			counts[l.Level] += l.Count
		}
		d := decision{purpose: fl.Purpose, criticality: fl.Task.Criticality, policies: slices.Sorted(slices.Values(e.Event.Policies))}
		for _, l := range []flow.Level{flow.Raw, flow.Generalized, flow.Tokenized, flow.Masked, flow.Dropped} {
			if counts[l] > 0 {
				d.levels = append(d.levels, fmt.Sprintf("%d %s", counts[l], l))
			}
		}
		return d, nil
	}
	return decision{}, fmt.Errorf("the journal has no flow to %s", to)
}

// refusals finds what the two agents that wanted more were told.
func (s *system) refusals(ctx context.Context, f *facts) error {
	for _, r := range []refusal{
		{from: demo.PriorAuth, to: demo.Cohort, by: demo.Insurer, wanted: "asks the lab whether this member is in a trial"},
		{from: demo.Cohort, to: demo.Records, by: demo.Hospital, wanted: "asks the hospital's records who fits the profile"},
	} {
		all := s.exchanges(r.from, r.to)
		for _, e := range all {
			var m rpc
			if json.Unmarshal(e.answer, &m) != nil {
				continue
			}
			switch {
			case m.Error != nil:
				r.text = m.Error.Message
				if len(m.Error.Data) > 0 {
					r.reference = m.Error.Data[0].Metadata.Reference
				}
			case m.Result.IsError && len(m.Result.Content) > 0:
				r.text = m.Result.Content[0].Text
				if _, ref, ok := strings.Cut(r.text, "(reference "); ok {
					r.reference = strings.TrimSuffix(ref, ")")
				}
			}
		}
		if r.reference == "" {
			return fmt.Errorf("%s was not refused by %s", r.from, r.by)
		}
		r.text, _, _ = strings.Cut(r.text, " (at ")
		for e, err := range s.gateways[r.by].Log.Entries(ctx, audit.Query{Flow: flow.ID(r.reference)}) {
			if err != nil {
				return fmt.Errorf("reading the journal: %w", err)
			}
			r.entry = e.Seq
		}
		f.refused = append(f.refused, r)
	}
	return nil
}

// stream finds the letter in pieces.
func (s *system) stream(_ context.Context, f *facts) error {
	wrote, read := s.world.Received(demo.PriorAuth), s.exchanges(demo.Intake, demo.PriorAuth)
	if len(wrote) == 0 || len(read) == 0 {
		return errors.New("the insurer's agent was not asked")
	}
	f.streamed = [2][]string{letters(wrote[0].Answer), letters(read[0].answer)}
	return nil
}

// letters are the pieces of the artifact "letter" in a stream of events.
func letters(stream []byte) []string {
	var all []string
	for line := range bytes.Lines(stream) {
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		var m rpc
		if !ok || json.Unmarshal(data, &m) != nil || string(m.Result.ArtifactUpdate.Artifact.Name) != `"letter"` {
			continue
		}
		var parts []part
		if json.Unmarshal(m.Result.ArtifactUpdate.Artifact.Parts, &parts) != nil {
			continue
		}
		for _, p := range parts {
			if p.Text != "" {
				all = append(all, p.Text)
			}
		}
	}
	return all
}

// retried sends the front desk's order again, byte for byte, as a client does that never saw the answer.
func (s *system) retried(ctx context.Context, f *facts) error {
	all := s.exchanges(demo.FrontDesk, demo.Intake)
	if len(all) == 0 {
		return errors.New("the front desk said nothing")
	}
	first := all[0]
	e := s.route(demo.FrontDesk, demo.Intake)
	e.Seen = nil
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(first.sent))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("A2A-Version", "1.0")
	res, err := e.Client().Do(req)
	if err != nil {
		return fmt.Errorf("sending the order again: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	again, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("sending the order again: %w", err)
	}
	f.retry = retry{size: len(again), calls: len(s.world.Received(demo.Intake))}
	for i, body := range [][]byte{first.answer, again} {
		sum := sha256.Sum256(body)
		f.retry.digests[i] = hex.EncodeToString(sum[:])
	}
	if f.retry.digests[0] != f.retry.digests[1] {
		return errors.New("the order sent again was answered differently")
	}
	return nil
}
