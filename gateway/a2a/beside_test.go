package a2a_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/privacy/detect"
)

// oracle is a detector that knows one word, which no other does.
type oracle struct {
	fail error
	mu   sync.Mutex
	seen []string
}

const secretWord = "zyxomma"

func (o *oracle) Find(_ context.Context, text string, _ *detect.KnownSet) ([]detect.Finding, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen = append(o.seen, text)
	if o.fail != nil {
		return nil, o.fail
	}
	i := strings.Index(text, secretWord)
	if i < 0 {
		return nil, nil
	}
	return []detect.Finding{{Start: i, End: i + len(secretWord), Type: "word", Label: "person/name", Score: 0.9}}, nil
}

func (o *oracle) texts() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.seen, "|")
}

func besideRig(t *testing.T, agent *agentStub, o *oracle, change func(*detect.Beside)) *town {
	return newTown(t, agent, func(s *gatewaytest.Setup) {
		s.Change = func(snap *gateway.Snapshot) {
			b := detect.Beside{Name: "oracle", Detector: o, Taxonomy: snap.Taxonomy}
			if change != nil {
				change(&b)
			}
			snap.Beside = []detect.Beside{b}
		}
	})
}

const aboutWord = `{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"b","role":"ROLE_USER","parts":[{"text":"say zyxomma twice"},{"text":"and nothing else"}]}}}`

func TestFurtherDetectorAddsToWhatIsFound(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	o := &oracle{}
	r := besideRig(t, agent, o, nil)
	r.to(t, "/out/a2a/partner", "scrim_key", aboutWord)
	got := strings.Join(agent.received(), "")
	if got == "" || strings.Contains(got, secretWord) || !strings.Contains(got, " twice") {
		t.Errorf("the agent got %s, want the word and only the word replaced", got)
	}
	if seen := o.texts(); !strings.Contains(seen, "say zyxomma twice|and nothing else") {
		t.Errorf("the detector saw %q, want both texts whole", seen)
	}
}

func TestDetectorThatFailsReleasesNothing(t *testing.T) {
	for name, o := range map[string]*oracle{"error": {fail: errors.New("down")}, "time": {fail: context.DeadlineExceeded}} {
		agent := newAgent(t, answerWith(okMessage))
		r := besideRig(t, agent, o, nil)
		_, body := r.to(t, "/out/a2a/partner", "scrim_key", aboutWord)
		if got := agent.received(); len(got) != 0 || !strings.Contains(body, `"error"`) || strings.Contains(body, secretWord) {
			t.Errorf("%s: the agent got %q and the caller %s, want a refusal", name, got, body)
		}
	}
}

func TestDetectorThatFailsMayDropTheTexts(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	r := besideRig(t, agent, &oracle{fail: errors.New("down")}, func(b *detect.Beside) { b.Drop = true })
	r.to(t, "/out/a2a/partner", "scrim_key", aboutWord)
	got := strings.Join(agent.received(), "")
	if got == "" || strings.Contains(got, secretWord) || strings.Contains(got, "nothing else") || !strings.Contains(got, "[removed]") {
		t.Errorf("the agent got %s, want the message without its texts", got)
	}
	dropped := 0
	for _, ev := range r.Events() {
		for _, l := range ev.Levels {
			if l.Label == flow.FreeText && l.Level == flow.Dropped {
				dropped += l.Count
			}
		}
	}
	if dropped == 0 {
		t.Error("the journal does not say that texts were dropped")
	}
}

func TestStreamIsHeldForAFurtherDetector(t *testing.T) {
	answer := streamOf(chunk("a", "It is zyx", true, false), chunk("a", "omma, ", false, false), chunk("a", "you know.", false, true), event(completed))
	o := &oracle{}
	r := besideRig(t, newAgent(t, answer), o, nil)
	_, body := r.to(t, "/a2a/desk", "scrim_guest", streaming("q"))
	text, state := textOf(t, body)
	if strings.Contains(text, "zyx") || !strings.HasPrefix(text, "It is ") || !strings.HasSuffix(text, ", you know.") || state != "TASK_STATE_COMPLETED" {
		t.Errorf("text = %q in state %s, want the word replaced", text, state)
	}
	if !strings.Contains(o.texts(), "It is zyxomma, you know.") {
		t.Errorf("the detector saw %q, want the text as a whole", o.texts())
	}
}

func TestStreamThatEndsEarlyIsHeldNoLonger(t *testing.T) {
	answer := streamOf(chunk("a", "It is zyx", true, false), chunk("a", "omma, ", false, false), event(completed))
	r := besideRig(t, newAgent(t, answer), &oracle{}, nil)
	_, body := r.to(t, "/a2a/desk", "scrim_guest", streaming("q"))
	if text, _ := textOf(t, body); strings.Contains(text, "zyx") || !strings.HasPrefix(text, "It is ") {
		t.Errorf("text = %q, want what came, with the word replaced", text)
	}
}

func TestStreamTooLongForAFurtherDetectorIsCut(t *testing.T) {
	long := strings.Repeat("word after word, ", 2000)
	var events []string
	for i := range 12 {
		events = append(events, chunk("a", long, i == 0, i == 11))
	}
	r := besideRig(t, newAgent(t, streamOf(append(events, event(completed))...)), &oracle{}, nil)
	_, body := r.to(t, "/a2a/desk", "scrim_guest", streaming("q"))
	if text, _ := textOf(t, body); strings.Contains(text, "word after") {
		t.Errorf("%d bytes were shown of a text that no detector has seen", len(text))
	}
}

func TestStreamMayBeLeftToTheEngine(t *testing.T) {
	o := &oracle{}
	agent := newAgent(t, streamOf(chunk("a", "It is zyxomma, you know, and so on. ", true, false), chunk("a", "End.", false, true), event(completed)))
	r := besideRig(t, agent, o, func(b *detect.Beside) { b.Apart = true })
	_, body := r.to(t, "/a2a/desk", "scrim_guest", streaming("q"))
	if text, _ := textOf(t, body); !strings.Contains(text, secretWord) || strings.Contains(o.texts(), secretWord) {
		t.Errorf("text = %q and the detector saw %q, want that it was not asked", text, o.texts())
	}
}

func TestDetectorHasATimeForAllTexts(t *testing.T) {
	agent := newAgent(t, answerWith(okMessage))
	o := &oracle{}
	r := besideRig(t, agent, o, func(b *detect.Beside) {
		b.Timeout = 20 * time.Millisecond
		b.Detector = slow{o}
	})
	_, body := r.to(t, "/out/a2a/partner", "scrim_key", aboutWord)
	if len(agent.received()) != 0 || !strings.Contains(body, `"error"`) {
		t.Errorf("answer = %s, want a refusal since the time was up", body)
	}
}

// slow waits until its time is up.
type slow struct{ *oracle }

func (slow) Find(ctx context.Context, _ string, _ *detect.KnownSet) ([]detect.Finding, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A short text that begins like JSON is held too, and what is found in it has terms of its own.
func TestHeldTextThatIsNoJSONIsReadAsProse(t *testing.T) {
	answer := streamOf(chunk("a", "[1] ", true, false), chunk("a", "a@b.example", false, true), event(completed))
	r := newTown(t, newAgent(t, answer), nil)
	_, body := r.to(t, "/a2a/desk", "scrim_guest", streaming("q"))
	if text, _ := textOf(t, body); strings.Contains(text, "a@b") || !strings.HasPrefix(text, "[1] ") {
		t.Errorf("text = %q, want the address replaced", text)
	}
}
