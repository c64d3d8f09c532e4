package gateway

import (
	"context"
	"database/sql"
	"errors"
	"sync"

	"github.com/scrimhq/scrim/flow"
	"github.com/scrimhq/scrim/store"
)

// taskNames remembers which task of ours a protocol's own identifiers belong to. Identifiers are kept as keyed digests.
type taskNames struct {
	mu    sync.Mutex
	known map[flow.SubjectRef]flow.TaskID // a cache; the store has them all
}

const maxTaskNames = 4096

// Between says who talks to whom: identifiers mean something only between the two.
type Between struct {
	Caller flow.Party
	Agent  flow.AgentID
}

func (g *Gateway) alias(b Between, kind, id string) flow.SubjectRef {
	return g.vault.Subject("scrim/task-name/"+kind, string(b.Caller.Domain)+"\x00"+string(b.Caller.Agent)+"\x00"+string(b.Agent)+"\x00"+id)
}

// TaskOf returns the task that a message belongs to: by its task id, by its context id, or, for the first message of a
// task, by its own id, so that a retry finds the same memory. It returns "" if the message has no id at all.
func (g *Gateway) TaskOf(ctx context.Context, b Between, ids IDs) (flow.TaskID, error) {
	for _, n := range []struct{ kind, id string }{{"task", ids.Task}, {"context", ids.Context}} {
		if n.id == "" {
			continue
		}
		t, err := g.findTask(ctx, g.alias(b, n.kind, n.id))
		if err != nil || t != "" {
			return t, err
		}
	}
	for _, n := range []struct{ kind, id string }{{"context", ids.Context}, {"task", ids.Task}, {"message", ids.Message}} {
		if n.id != "" {
			return flow.TaskID(g.alias(b, n.kind, n.id).String()), nil
		}
	}
	return "", nil
}

// Named reports whether an answer gave the caller these identifiers before.
func (g *Gateway) Named(ctx context.Context, b Between, ids IDs) (bool, error) {
	for _, n := range []struct{ kind, id string }{{"task", ids.Task}, {"context", ids.Context}} {
		if n.id == "" {
			continue
		}
		if t, err := g.findTask(ctx, g.alias(b, n.kind, n.id)); err != nil || t == "" {
			return false, err
		}
	}
	return true, nil
}

// SameTask reports whether a task and a context are known to be one.
func (g *Gateway) SameTask(ctx context.Context, b Between, ids IDs) (bool, error) {
	task, err := g.findTask(ctx, g.alias(b, "task", ids.Task))
	if err != nil || task == "" {
		return false, err
	}
	context, err := g.findTask(ctx, g.alias(b, "context", ids.Context))
	return context == task, err
}

func (g *Gateway) findTask(ctx context.Context, alias flow.SubjectRef) (flow.TaskID, error) {
	g.tasks.mu.Lock()
	t, ok := g.tasks.known[alias]
	g.tasks.mu.Unlock()
	if ok {
		return t, nil
	}
	var name string
	err := g.db.View(ctx, func(tx store.Tx) error {
		return tx.QueryRow("SELECT task FROM gateway_tasks WHERE alias = ?", alias[:]).Scan(&name)
	})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", refuse(RuleInternal, "", err, "The gateway could not read the task's memory, so the flow did not happen.")
	}
	if name != "" {
		g.keepTask(alias, flow.TaskID(name))
	}
	return flow.TaskID(name), nil
}

func (g *Gateway) keepTask(alias flow.SubjectRef, t flow.TaskID) {
	g.tasks.mu.Lock()
	defer g.tasks.mu.Unlock()
	if g.tasks.known == nil || len(g.tasks.known) >= maxTaskNames {
		g.tasks.known = make(map[flow.SubjectRef]flow.TaskID, 64)
	}
	g.tasks.known[alias] = t
}

// NameTask adds the identifiers that an answer gave to a task, within the transaction that records the answer. It
// returns what to call once that is durable.
func (g *Gateway) NameTask(tx store.Tx, b Between, ids IDs, t flow.TaskID) (func(), error) {
	if t == "" {
		return func() {}, nil // a task of nobody's
	}
	var kept []flow.SubjectRef
	for _, n := range []struct{ kind, id string }{{"task", ids.Task}, {"context", ids.Context}} {
		if n.id == "" {
			continue
		}
		alias := g.alias(b, n.kind, n.id)
		g.tasks.mu.Lock()
		_, known := g.tasks.known[alias]
		g.tasks.mu.Unlock()
		if known {
			continue
		}
		_, err := tx.Exec("INSERT INTO gateway_tasks (alias, task, expires) VALUES (?, ?, ?) ON CONFLICT (alias) DO NOTHING",
			alias[:], string(t), g.now().Add(g.retention.Tasks).Unix())
		if err != nil {
			return nil, err
		}
		kept = append(kept, alias)
	}
	return func() {
		for _, a := range kept {
			g.keepTask(a, t)
		}
	}, nil
}
