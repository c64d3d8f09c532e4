package syntax

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/wasilibs/wazero-helpers/allocator"
)

// What is no fault of a text that one could point at.
var (
	ErrBusy   = errors.New("too many questions are being read")
	ErrSlow   = errors.New("reading the question took too long")
	ErrBroken = errors.New("reading the question failed")
)

const (
	parseTime   = 2 * time.Second // for one text; the largest that are allowed take a tenth of it on a slow machine
	waitTime    = 10 * time.Second
	mostWaiting = 64
	memoryPages = 1024    // of 64 KiB: what one text may fill
	stackBytes  = 8 << 20 // of the module's own stack
)

// module is PostgreSQL's grammar as WebAssembly. It is compiled at the first question, which takes about a second and 250 MB that go
// back, and 25 MB that stay.
//
// Each text gets an instance of its own that is thrown away afterwards, whatever became of it: so nothing that a text does to the module's
// memory lasts, and one that traps, fills its memory or runs out of time costs its own answer alone. One text is read at a time.
type module struct {
	once sync.Once
	err  error
	rt   wazero.Runtime
	code wazero.CompiledModule
	turn chan struct{} // one may enter
	time time.Duration // for one text

	waiting atomic.Int64
}

func newModule(limit time.Duration) *module {
	return &module{turn: make(chan struct{}, 1), time: limit}
}

var shared = newModule(parseTime)

func (m *module) load() {
	ctx := context.Background()
	m.rt = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().
		WithCloseOnContextDone(true).
		WithMemoryLimitPages(memoryPages).
		WithDebugInfoEnabled(false).
		WithCoreFeatures(api.CoreFeaturesV2|experimental.CoreFeaturesThreads))
	if _, m.err = wasi_snapshot_preview1.Instantiate(ctx, m.rt); m.err != nil {
		return
	}
	if m.err = hostModule(ctx, m.rt); m.err != nil {
		return
	}
	m.code, m.err = m.rt.CompileModule(ctx, libPGQuery)
	// The compiler leaves ten times of what is kept behind: give it back now, not when the next question comes.
	debug.FreeOSMemory()
}

// parse returns the grammar's tree of text as JSON, or its message and the place (in characters, from 1) that it is about.
func (m *module) parse(text string) (tree string, message string, cursor int, err error) {
	if m.waiting.Add(1) > mostWaiting {
		m.waiting.Add(-1)
		return "", "", 0, ErrBusy
	}
	defer m.waiting.Add(-1)
	if m.once.Do(m.load); m.err != nil { // whoever comes meanwhile waits for that first: it may take longer than a turn
		return "", "", 0, errUnloaded
	}
	wait := time.NewTimer(waitTime)
	defer wait.Stop()
	select {
	case m.turn <- struct{}{}:
	case <-wait.C:
		return "", "", 0, ErrBusy
	}
	defer func() { <-m.turn }()
	ctx, cancel := context.WithTimeout(context.Background(), m.time)
	defer cancel()
	defer func() {
		// A trap comes back as an error; a host function that is called as it must not be panics.
		if recover() != nil {
			tree, message, cursor, err = "", "", 0, ErrBroken
		}
	}()
	ctx = experimental.WithMemoryAllocator(ctx, allocator.NewNonMoving())
	mod, err := m.rt.InstantiateModule(ctx, m.code, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		return "", "", 0, failure(ctx)
	}
	defer func() { _ = mod.Close(context.Background()) }()
	tree, message, cursor, err = (&instance{mod: mod, mem: mod.Memory()}).parse(ctx, text)
	if err != nil {
		return "", "", 0, failure(ctx)
	}
	return tree, message, cursor, nil
}

func failure(ctx context.Context) error {
	if ctx.Err() != nil {
		return ErrSlow
	}
	return ErrBroken
}

// instance is the module with a memory of its own.
type instance struct {
	mod api.Module
	mem api.Memory
}

var errUnloaded = fmt.Errorf("%w: the grammar cannot be loaded", ErrBroken)

var errMemory = errors.New("the module's memory is not as it should be")

func (i *instance) call(ctx context.Context, name string, args ...uint64) (uint64, error) {
	f := i.mod.ExportedFunction(name)
	if f == nil {
		return 0, errMemory
	}
	out, err := f.Call(ctx, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	if len(out) == 0 {
		return 0, nil
	}
	return out[0], nil
}

func (i *instance) malloc(ctx context.Context, n int) (uint32, error) {
	p, err := i.call(ctx, "malloc", uint64(n))
	if err == nil && p == 0 {
		err = errMemory
	}
	return uint32(p), err
}

func (i *instance) parse(ctx context.Context, text string) (tree string, message string, cursor int, err error) {
	// The module's own stack has 64 KiB, below which its data lies; deep texts would run over it. It gets a larger one.
	stack, err := i.malloc(ctx, stackBytes)
	if err != nil {
		return "", "", 0, err
	}
	sp, ok := i.mod.ExportedGlobal("__stack_pointer").(api.MutableGlobal)
	if !ok {
		return "", "", 0, errMemory
	}
	top := (stack + stackBytes) &^ 15
	sp.Set(uint64(top))
	ctx = withCheckpoints(ctx, top)
	if _, err := i.call(ctx, "pg_query_init"); err != nil {
		return "", "", 0, err
	}
	in, err := i.malloc(ctx, len(text)+1)
	if err != nil {
		return "", "", 0, err
	}
	if !i.mem.WriteString(in, text) || !i.mem.WriteByte(in+uint32(len(text)), 0) {
		return "", "", 0, errMemory
	}
	// struct PgQueryParseResult { char *parse_tree; char *stderr_buffer; PgQueryError *error; }
	res, err := i.malloc(ctx, 12)
	if err != nil {
		return "", "", 0, err
	}
	if _, err := i.call(ctx, "pg_query_parse", uint64(res), uint64(in)); err != nil {
		return "", "", 0, err
	}
	fault, ok := i.mem.ReadUint32Le(res + 8)
	if !ok {
		return "", "", 0, errMemory
	}
	if fault == 0 {
		tree, err = i.text(res)
		return tree, "", 0, err
	}
	// struct PgQueryError { char *message, *funcname, *filename; int lineno, cursorpos; char *context; }
	if message, err = i.text(fault); err != nil {
		return "", "", 0, err
	}
	at, ok := i.mem.ReadUint32Le(fault + 16)
	if !ok || message == "" {
		return "", "", 0, errMemory
	}
	return "", message, int(int32(at)), nil
}

// text reads the C string that a pointer at p points to.
func (i *instance) text(p uint32) (string, error) {
	at, ok := i.mem.ReadUint32Le(p)
	if !ok || at == 0 {
		return "", errMemory
	}
	rest, ok := i.mem.Read(at, i.mem.Size()-at)
	if !ok {
		return "", errMemory
	}
	for n, c := range rest {
		if c == 0 {
			return string(rest[:n]), nil
		}
	}
	return "", errMemory
}

// grammar asks PostgreSQL's grammar for its tree.
func grammar(text string) (map[string]any, error) {
	out, message, cursor, err := shared.parse(text)
	if err == ErrSlow || err == ErrBroken {
		return nil, unreadable(text, err)
	}
	if err != nil {
		return nil, err
	}
	if message != "" {
		return nil, grammarError(text, message, cursor)
	}
	d := json.NewDecoder(strings.NewReader(out))
	d.UseNumber()
	var tree map[string]any
	if err := d.Decode(&tree); err != nil {
		return nil, unreadable(text, ErrBroken) // it nests deeper than JSON may
	}
	return tree, nil
}

// unreadable refuses a text that is too much for the module.
func unreadable(text string, cause error) *Error {
	e := refusal(text, 0, "too-deep", "the question could not be read: it is too large or nested too deeply", "ask it in parts")
	e.cause = cause
	return e
}
