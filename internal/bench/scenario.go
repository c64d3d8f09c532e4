package bench

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Scenario is a kind of measurement with its usual numbers.
type Scenario struct {
	Name, Does string
	usual      Options
	run        func(context.Context, *bench, *Result) error
}

// Scenarios are all there are.
func Scenarios() []Scenario {
	load := Options{Calls: 10_000, Concurrency: 32, Request: 1024, Response: 10 << 10, Findings: 20}
	small := Options{Calls: 2000, Concurrency: 1, Request: 1024, Response: 300, Findings: 0}
	return []Scenario{
		{"load", "structured answers with findings; masked, and unmasked by the same gateway", load, compare("masking", masked)},
		{"tokens", "the same with tokens and surrogates in place of masks", load, compare("tokens", tokenized)},
		{"text", "the same in free text", with(load, func(o *Options) { o.Calls = 5000 }), compare("masking", masked)},
		{"capability", "masked for an agent of the own domain that calls by a key, and by a capability that was handed on three times", load, byCapability},
		{"transparent", "everything declared public, beside a plain reverse proxy", load, besideProxy},
		{"latency", "one call at a time with a short answer", small, added},
		{"stream", "one streamed answer at a time: the time to its first event", with(small, func(o *Options) { o.Response, o.Findings = 4096, 4 }), firstByte},
		{"streams", "streams held open: the memory that each takes", with(small, func(o *Options) { o.Streams = 1000 }), heldOpen},
		{"soak", "the load over a longer time: memory as it goes on", with(load, func(o *Options) { o.For = 10 * time.Minute }), soak},
	}
}

func with(o Options, set func(*Options)) Options {
	set(&o)
	return o
}

func find(name string) (Scenario, bool) {
	for _, s := range Scenarios() {
		if s.Name == name || name == "" {
			return s, true
		}
	}
	return Scenario{}, false
}

// fill puts the scenario's numbers where none are given. Findings below zero are none.
func (s Scenario) fill(o Options) Options {
	o.Scenario = s.Name
	if o.Protocol == "" {
		o.Protocol = "a2a"
	}
	for _, f := range []struct{ to, usual *int }{
		{&o.Calls, &s.usual.Calls}, {&o.Concurrency, &s.usual.Concurrency}, {&o.Request, &s.usual.Request},
		{&o.Response, &s.usual.Response}, {&o.Findings, &s.usual.Findings},
	} {
		if *f.to == 0 {
			*f.to = *f.usual
		}
	}
	o.Findings = max(o.Findings, 0)
	if s.usual.Streams == 0 {
		o.Streams = 0
	} else if o.Streams == 0 {
		o.Streams = s.usual.Streams
	}
	if o.For == 0 {
		o.For = s.usual.For
	}
	return o
}

// all measures ways in turns and adds what they are to the result.
func (b *bench) all(ctx context.Context, res *Result, stream bool, ways ...*way) error {
	if err := b.measure(ctx, stream, ways...); err != nil {
		return err
	}
	for _, w := range ways {
		r, err := w.result()
		if err != nil {
			return err
		}
		res.Ways = append(res.Ways, r)
	}
	return nil
}

// compare measures a gateway that passes everything raw and one that does not.
func compare(what string, t terms) func(context.Context, *bench, *Result) error {
	return func(ctx context.Context, b *bench, res *Result) error {
		raw, err := b.through(ctx, "gateway, all raw", unmasked)
		if err != nil {
			return err
		}
		hidden, err := b.through(ctx, "gateway, "+t.level, t)
		if err != nil {
			return err
		}
		if err := b.all(ctx, res, false, b.direct(), raw, hidden); err != nil {
			return err
		}
		r, h := res.Ways[1], res.Ways[2]
		res.Ratios = append(res.Ratios,
			Ratio{"cost of " + what + ", of the gateway's throughput", 100 * (1 - r.ServerCPU/h.ServerCPU), "%"},
			Ratio{"cost of " + what + ", of calls a second as measured", 100 * (1 - h.PerSecond/r.PerSecond), "%"})
		return nil
	}
}

func byCapability(ctx context.Context, b *bench, res *Result) error {
	key, err := b.through(ctx, "gateway, by a key", credential)
	if err != nil {
		return err
	}
	chain, err := b.through(ctx, "gateway, by a capability", capable)
	if err != nil {
		return err
	}
	if err := b.all(ctx, res, false, b.direct(), key, chain); err != nil {
		return err
	}
	k, c := res.Ways[1], res.Ways[2]
	res.Ratios = append(res.Ratios,
		Ratio{"cost of capabilities, of the gateway's throughput", 100 * (1 - k.ServerCPU/c.ServerCPU), "%"},
		Ratio{"cost of capabilities, of calls a second as measured, with what clients sign", 100 * (1 - c.PerSecond/k.PerSecond), "%"})
	return nil
}

func besideProxy(ctx context.Context, b *bench, res *Result) error {
	proxy, err := b.proxied(ctx)
	if err != nil {
		return err
	}
	open, err := b.through(ctx, "gateway, transparent", transparent)
	if err != nil {
		return err
	}
	if err := b.all(ctx, res, false, b.direct(), proxy, open); err != nil {
		return err
	}
	p, g := res.Ways[1], res.Ways[2]
	res.Ratios = append(res.Ratios,
		Ratio{"processor time, gateway to plain proxy", g.ServerCPU / p.ServerCPU, "x"},
		Ratio{"calls a second, plain proxy to gateway", p.PerSecond / g.PerSecond, "x"})
	return nil
}

func added(ctx context.Context, b *bench, res *Result) error {
	t := masked
	if b.opt.Findings == 0 {
		t.hide = false
	}
	gw, err := b.through(ctx, "gateway, masked", t)
	if err != nil {
		return err
	}
	if err := b.all(ctx, res, false, b.direct(), gw); err != nil {
		return err
	}
	a := res.Ways[1].Latency.minus(res.Ways[0].Latency)
	res.Ratios = append(res.Ratios, Ratio{"added, p50", ms(a.P50), "ms"}, Ratio{"added, p90", ms(a.P90), "ms"}, Ratio{"added, p99", ms(a.P99), "ms"})
	return nil
}

func firstByte(ctx context.Context, b *bench, res *Result) error {
	gw, err := b.through(ctx, "gateway, masked", masked)
	if err != nil {
		return err
	}
	if err := b.all(ctx, res, true, b.direct(), gw); err != nil {
		return err
	}
	first := res.Ways[1].First.minus(res.Ways[0].First)
	whole := res.Ways[1].Latency.minus(res.Ways[0].Latency)
	res.Ratios = append(res.Ratios, Ratio{"added to the first event, p50", ms(first.P50), "ms"}, Ratio{"added to the first event, p99", ms(first.P99), "ms"},
		Ratio{"added to the whole stream, p50", ms(whole.P50), "ms"})
	return nil
}

// heldOpen opens streams in four steps and looks at the gateway's memory after each.
func heldOpen(ctx context.Context, b *bench, res *Result) error {
	gw, err := b.through(ctx, "gateway, masked", masked)
	if err != nil {
		return err
	}
	var open []*conn
	defer func() {
		for _, c := range open {
			c.close()
		}
	}()
	if b.opt.Profile != "" {
		if err := gw.child.profile(b.opt.Profile); err != nil {
			return err
		}
	}
	at := time.Now()
	for step := range 5 {
		for len(open) < b.opt.Streams*step/4 {
			if err := ctx.Err(); err != nil {
				return err
			}
			c := new(conn)
			open = append(open, c)
			r, err := c.send(gw.target, b.opt.Protocol, b.load.request(int(calls.Add(1)), true))
			if err != nil {
				return err
			}
			if _, err := c.in.Peek(1); err != nil || r.StatusCode != 200 {
				return fmt.Errorf("stream %d was not opened: status %d, %w", len(open), r.StatusCode, err)
			}
		}
		time.Sleep(300 * time.Millisecond) // so that second events are through
		if err := gw.memory(res, at, int64(len(open)), len(open)); err != nil {
			return err
		}
	}
	if b.opt.Profile != "" {
		if err := gw.child.profile(""); err != nil {
			return err
		}
	}
	first, last := res.Memory[0], res.Memory[len(res.Memory)-1]
	res.Ratios = append(res.Ratios, Ratio{"resident memory of a stream", float64(last.Resident-first.Resident) / 1024 / float64(max(last.Streams, 1)), "KiB"})
	return nil
}

func (w *way) memory(res *Result, began time.Time, calls int64, streams int) error {
	u, err := w.usage()
	if err != nil {
		return err
	}
	res.Memory = append(res.Memory, Memory{After: time.Since(began).Round(time.Second), Calls: calls, Streams: streams, Resident: u.Resident, Heap: u.Heap, Routines: u.Routines})
	return nil
}

// soak sends the load for a time. What the kept answers may take is reached early, so that growth after it is a leak.
func soak(ctx context.Context, b *bench, res *Result) error {
	gw, err := b.through(ctx, "gateway, masked", masked)
	if err != nil {
		return err
	}
	c := newClients(b.load, gw.target, b.opt.Concurrency, false)
	defer c.close()
	began, sent := time.Now(), int64(0)
	for step := 0; sent == 0 || time.Since(began) < b.opt.For; step++ {
		until := b.opt.For * time.Duration(step+1) / 20
		for sent == 0 || time.Since(began) < until {
			if err := gw.round(ctx, c, b.opt.Concurrency*32); err != nil {
				return err
			}
			sent += int64(b.opt.Concurrency * 32)
		}
		runtime.GC()
		if err := gw.memory(res, began, sent, 0); err != nil {
			return err
		}
	}
	r, err := gw.result()
	if err != nil {
		return err
	}
	res.Ways = append(res.Ways, r)
	half, last := res.Memory[len(res.Memory)/2], res.Memory[len(res.Memory)-1]
	res.Ratios = append(res.Ratios, Ratio{"growth of resident memory in the second half", float64(last.Resident-half.Resident) / (1 << 20), "MiB"})
	return nil
}
