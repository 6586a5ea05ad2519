// Candles of bars. The code that draws is loaded when the first one is shown; a table holds the same numbers.

import { Icon } from './icon.ts'
import { Table } from './table.ts'
import { Empty } from './problem.ts'
import { theme } from '../kit/theme.ts'
import { utc } from '../kit/clock.ts'
import { html, useEffect, useRef, useState } from '../kit/html.ts'
import { count, number } from '../kit/number.ts'
import type { VNode } from '../kit/html.ts'

export interface Candle {
  /** Begin of the bar, ms since 1970. */
  readonly at: number
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume?: number | undefined
}

export function Candles ({ title, bars, height = 360 }: { readonly title: string, readonly bars: readonly Candle[], readonly height?: number }): VNode {
  const place = useRef<HTMLDivElement>(null)
  const [asTable, setAsTable] = useState(false)
  const look = theme.value
  useEffect(() => {
    const element = place.current
    if (element === null || asTable || bars.length === 0) return
    let end = (): void => {}
    let left = false
    void import('./candle-plot.ts').then(({ plotCandles }) => { if (!left) end = plotCandles(element, { bars, height }) })
    return () => {
      left = true
      end()
    }
  }, [bars, asTable, height, look])
  if (bars.length === 0) return html`<${Empty} title="No bars in this time" />`
  const [first, last] = [bars[0] as Candle, bars.at(-1) as Candle]
  const summary = `${count(bars.length)} bars from ${utc(first.at, { precise: false })} to ${utc(last.at, { precise: false })} UTC, from ${number(first.open)} to ${number(last.close)}, lowest ${number(Math.min(...bars.map(({ low }) => low)))}, highest ${number(Math.max(...bars.map(({ high }) => high)))}`
  const columns = (['open', 'high', 'low', 'close', 'volume'] as const).map(id => ({ id, title: id, right: true, value: (bar: Candle) => bar[id] }))
  return html`<figure class="chart">
    <figcaption><strong>${title}</strong><button type="button" class="small" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}><${Icon} name=${asTable ? 'status' : 'logs'} size=${12} />${asTable ? 'Chart' : 'Table'}</button></figcaption>
    ${asTable ? html`<${Table} label=${`${title} as a table`} rows=${bars} keyOf=${(bar: Candle) => String(bar.at)} columns=${[{ id: 'at', title: 'UTC', value: (bar: Candle) => bar.at, cell: (bar: Candle) => utc(bar.at) }, ...columns]} />` : html`<div ref=${place} class="plot" role="img" aria-label=${`${title}: ${summary}`} style=${{ minHeight: `${height}px` }}></div>`}
    <p class="faint small">${summary}. Candles are drawn by <a href="https://www.tradingview.com/" rel="noreferrer" target="_blank">TradingView Lightweight Charts™</a>.</p>
  </figure>`
}
