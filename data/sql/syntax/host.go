package syntax

import (
	"context"
	_ "unsafe" // for linkname

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	_ "github.com/wasilibs/go-pgquery/parser" // carries the module
)

// libPGQuery is the module as go-pgquery carries it. That package runs it without limits of time or memory, and takes an instance that trapped
// for the next text; so it is run here. TestParseReadsWhatMayBeAsked notices when the name changes.
//
//go:linkname libPGQuery github.com/wasilibs/go-pgquery/internal/wasm.LibPGQuery
var libPGQuery []byte

const i32, i64 = api.ValueTypeI32, api.ValueTypeI64

// hostModule gives the module what it was built to call (WASIX: setjmp and longjmp through checkpoints of the stack). It never has threads,
// so the rest must not be called.
func hostModule(ctx context.Context, rt wazero.Runtime) error {
	b := rt.NewHostModuleBuilder("wasix_32v1")
	for _, f := range []struct {
		name    string
		params  []api.ValueType
		results []api.ValueType
		call    api.GoModuleFunc
	}{
		{"stack_checkpoint", []api.ValueType{i32, i32}, []api.ValueType{i32}, checkpoint},
		{"stack_restore", []api.ValueType{i32, i64}, nil, restore},
		{"proc_id", []api.ValueType{i32}, []api.ValueType{i32}, func(_ context.Context, m api.Module, stack []uint64) {
			must(m.Memory().WriteUint32Le(uint32(stack[0]), 1))
			stack[0] = 0
		}},
		{"callback_signal", []api.ValueType{i32, i32}, nil, never},
		{"futex_wait", []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32}, never},
		{"futex_wake", []api.ValueType{i32, i32}, []api.ValueType{i32}, never},
		{"futex_wake_all", []api.ValueType{i32, i32}, []api.ValueType{i32}, never},
		{"thread_exit", []api.ValueType{i32}, nil, never},
		{"thread_signal", []api.ValueType{i32, i32}, []api.ValueType{i32}, never},
	} {
		b.NewFunctionBuilder().WithGoModuleFunction(f.call, f.params, f.results).Export(f.name)
	}
	_, err := b.Instantiate(ctx)
	return err
}

// never and must end the call of the module; [module.parse] recovers.
func never(context.Context, api.Module, []uint64) { panic(errMemory) }

func must(ok bool) {
	if !ok {
		panic(errMemory)
	}
}

// checkpoints are those of one text.
type checkpoints struct {
	top  uint32 // of the stack
	made []saved
}

type saved struct {
	snapshot experimental.Snapshot
	result   uint32
	sp       uint32
	stack    []byte
}

type checkpointsKey struct{}

func withCheckpoints(ctx context.Context, top uint32) context.Context {
	return context.WithValue(experimental.WithSnapshotter(ctx), checkpointsKey{}, &checkpoints{top: top})
}

// mostCheckpoints is far more than setjmp is called for one text.
const mostCheckpoints = 100

// checkpoint is setjmp: (snapshot *struct{id uint64, hash [16]byte}, result *uint64) → errno.
func checkpoint(ctx context.Context, m api.Module, stack []uint64) {
	c, ok := ctx.Value(checkpointsKey{}).(*checkpoints)
	must(ok && len(c.made) < mostCheckpoints)
	s := saved{snapshot: experimental.GetSnapshotter(ctx).Snapshot(), result: uint32(stack[1]), sp: uint32(m.ExportedGlobal("__stack_pointer").Get())}
	must(s.sp <= c.top)
	live, ok := m.Memory().Read(s.sp, c.top-s.sp)
	must(ok)
	s.stack = append(s.stack, live...)
	must(m.Memory().WriteUint64Le(uint32(stack[0]), uint64(len(c.made))))
	must(m.Memory().WriteUint64Le(s.result, 0))
	c.made = append(c.made, s)
	stack[0] = 0
}

// restore is longjmp: (snapshot, value).
func restore(ctx context.Context, m api.Module, stack []uint64) {
	c, ok := ctx.Value(checkpointsKey{}).(*checkpoints)
	must(ok)
	id, ok := m.Memory().ReadUint64Le(uint32(stack[0]))
	must(ok && id < uint64(len(c.made)))
	s := c.made[id]
	sp, ok := m.ExportedGlobal("__stack_pointer").(api.MutableGlobal)
	must(ok)
	sp.Set(uint64(s.sp))
	must(m.Memory().Write(s.sp, s.stack))
	must(m.Memory().WriteUint64Le(s.result, stack[1]))
	stack[0] = 0
	s.snapshot.Restore(stack[:1])
}
