// Draws time series with uPlot; loaded by chart.ts when the first chart is shown.

import Plot from 'uplot'
import { utc } from '../kit/clock.ts'
import type { Series } from './chart.ts'

/** Draws into an element, follows its width, and returns what takes the drawing away. */
export function plot (element: HTMLElement, { series, height, format, from, to, zero }: { readonly series: readonly Series[], readonly height: number, readonly format: (value: number) => string, readonly from: number | undefined, readonly to: number | undefined, readonly zero: boolean }): () => void {
  const style = getComputedStyle(element)
  const colour = (name: string): string => style.getPropertyValue(name).trim()
  const grid = { stroke: colour('--line'), width: 1 }
  const axis = { stroke: colour('--faint'), font: `11px ${style.fontFamily}`, grid, ticks: { show: false } }
  const chart = new Plot({
    width: Math.max(100, element.clientWidth),
    height,
    tzDate: at => Plot.tzDate(new Date(at * 1000), 'Etc/UTC'),
    legend: { show: false },
    padding: [8, 8, 0, 0],
    cursor: { points: { size: 6 }, drag: { x: false, y: false } },
    plugins: [tooltip(series, format)],
    scales: { x: { range: (_chart, low, high) => [from === undefined ? low : from / 1000, to === undefined ? high : to / 1000] }, y: { range: (_chart, low, high) => zero ? [Math.min(0, low), high <= 0 ? 1 : high * 1.1] : around(low, high) } },
    axes: [{ ...axis, size: 26, values: (_chart, splits, _axis, _space, step) => splits.map(at => utc(at * 1000).slice(...(step >= 86_400 ? [5, 10] : step >= 60 ? [11, 16] : [11, 19]))) }, { ...axis, size: 52, values: (_chart, values) => values.map(value => format(value)) }],
    series: [{}, ...series.map((_, i) => ({ stroke: colour(`--series-${i}`), width: 1.5, points: { show: Math.max(...series.map(({ points }) => points.length)) < 3, size: 5 }, ...(series.length === 1 && { fill: `color-mix(in srgb, ${colour('--series-0')} 12%, transparent)` }) }))]
  }, joined(series), element)
  const resize = new ResizeObserver(() => { if (element.clientWidth > 0 && element.clientWidth !== chart.width) chart.setSize({ width: element.clientWidth, height }) })
  resize.observe(element)
  return () => {
    resize.disconnect()
    chart.destroy()
  }
}

/** A little more than what there is, so that no line runs along the edge. */
function around (low: number, high: number): [number, number] {
  const room = high === low ? Math.abs(high) * 0.01 || 1 : (high - low) * 0.06
  return [low - room, high + room]
}

/** Columns of one time axis; a series without a value at a moment has a null there, which is bridged. */
function joined (series: readonly Series[]): Plot.AlignedData {
  const tables = series.map(({ points }): Plot.AlignedData => [points.map(([at]) => at / 1000), points.map(([, value]) => value)])
  return tables.length === 1 ? tables[0] as Plot.AlignedData : Plot.join(tables)
}

/** The values at the pointer. */
function tooltip (series: readonly Series[], format: (value: number) => string): Plot.Plugin {
  const box = document.createElement('div')
  box.className = 'plot-tip'
  box.hidden = true
  return {
    hooks: {
      init: chart => { chart.over.append(box) },
      setCursor: chart => {
        const { idx, left = 0 } = chart.cursor
        box.hidden = idx === null || idx === undefined || left < 0
        if (idx === null || idx === undefined) return
        const lines = [`${utc((chart.data[0][idx] ?? 0) * 1000)} UTC`, ...series.map(({ label }, i) => `${label} ${typeof chart.data[i + 1]?.[idx] === 'number' ? format(chart.data[i + 1]?.[idx] as number) : '–'}`)]
        box.textContent = lines.join('\n')
        box.style.left = `${Math.min(left + 12, Math.max(0, chart.over.clientWidth - box.offsetWidth))}px`
      }
    }
  }
}
