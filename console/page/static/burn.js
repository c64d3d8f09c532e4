// Draws the burn-down of a budget from its data attribute. The table beside it says the same to whoever has no canvas.
(() => {
  const draw = at => {
    let d
    try { d = JSON.parse(at.dataset.burn) } catch { return }
    const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
    let plot
    const marks = {
      hooks: { drawAxes: [u => {
        u.ctx.save()
        u.ctx.strokeStyle = colour('--warn')
        u.ctx.lineWidth = devicePixelRatio
        for (const t of d.replan) {
          const x = u.valToPos(t, 'x', true)
          u.ctx.beginPath(); u.ctx.moveTo(x, u.bbox.top); u.ctx.lineTo(x, u.bbox.top + u.bbox.height); u.ctx.stroke()
        }
        u.ctx.restore()
      }] }
    }
    const make = () => {
      plot?.destroy()
      const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { stroke: colour('--line'), width: 1 } }
      const stepped = uPlot.paths.stepped({ align: 1 })
      plot = new uPlot({
        width: Math.max(at.clientWidth, 200), height: 260, tzDate: ts => uPlot.tzDate(new Date(ts * 1e3), 'UTC'),
        scales: { y: { range: (_, __, max) => [0, (max || 1) * 1.05] } },
        axes: [axis, axis],
        series: [{}, { label: 'ε left', stroke: colour('--link'), width: 2, paths: stepped, points: { show: d.t.length < 40 } },
          { label: 'plan', stroke: colour('--soft'), width: 1, dash: [4, 4], paths: stepped, points: { show: false } }],
        plugins: [marks]
      }, [d.t, d.left, d.plan], at)
    }
    make()
    document.addEventListener('scrim:theme', make)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', make)
    new ResizeObserver(() => plot.setSize({ width: Math.max(at.clientWidth, 200), height: 260 })).observe(at)
  }
  const all = () => { if (window.uPlot) for (const at of document.querySelectorAll('[data-burn]')) draw(at) }
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', all)
  else all()
})()
