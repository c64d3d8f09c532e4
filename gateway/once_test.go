package gateway_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/gateway"
	"github.com/scrimhq/scrim/gateway/gatewaytest"
	"github.com/scrimhq/scrim/gateway/wire"
	"github.com/scrimhq/scrim/policy"
	"github.com/scrimhq/scrim/store"
)

// Whoever asks at the same time with one id gets one answer, carried out once, while old answers are swept away.
func TestManyRetriesAtOnceAreCarriedOutOnce(t *testing.T) {
	rig := attackRig(t, nil)
	s := rig.Snapshot()
	table, _ := wire.For("a2a", wire.A2A10, "SendMessage", flow.Request, false)
	from, to := flow.Party{Agent: "intake", Domain: gatewaytest.Own}, flow.Party{Agent: "partner", Domain: gatewaytest.Other}
	var done [12]atomic.Int64
	var wg sync.WaitGroup
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	for w := range 12 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 3))
			for range 40 {
				n := r.IntN(len(done))
				f := flow.Flow{ID: gateway.NewFlowID(), From: from, To: to, Protocol: "a2a/1.0", Method: "SendMessage", Task: flow.Task{ID: flow.TaskID(fmt.Sprint("t", n%3))}}
				req := &gateway.Request{Between: gateway.Between{Caller: from, Agent: "partner"}, ID: fmt.Sprint("m", n), Method: "SendMessage", Params: []byte("x"), Pins: rig.Pins(s, nil, f)}
				a, ticket, err := rig.Once(ctx, req)
				if err != nil {
					t.Error(err)
					return
				}
				if a != nil {
					if string(a.Body) != fmt.Sprint("answer ", n) {
						t.Errorf("%q was given for %d", a.Body, n)
					}
					continue
				}
				if r.IntN(4) == 0 {
					ticket.End()
					continue // the agent was away
				}
				_, err = rig.Pass(ctx, &gateway.Message{Snapshot: s, Table: table, Body: []byte(messageOf(fmt.Sprintf(`{"data":{"name":"Zelda Nr%d%d"}},{"text":"hi"}`, w, r.IntN(1000)))), Owner: "partner", Query: policy.Query{Flow: f},
					Schemas: s.Catalog.Schemas(2, "partner", "", flow.Request),
					Commit: func(tx store.Tx, _ []byte) error {
						if r.IntN(5) == 0 {
							return fmt.Errorf("disk")
						}
						return ticket.Store(tx, &gateway.Answer{Body: []byte(fmt.Sprint("answer ", n))})
					}})
				if err == nil {
					done[n].Add(1)
				}
				ticket.End()
				if r.IntN(4) == 0 {
					if err := rig.Sweep(ctx); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	for n := range done {
		if done[n].Load() > 1 {
			t.Errorf("%d was carried out %d times", n, done[n].Load())
		}
	}
}
