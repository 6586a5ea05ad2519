import { Candles } from '../../parts/candles.ts'
import { Chart, SERIES_MAX } from '../../parts/chart.ts'
import { html, useMemo } from '../../kit/html.ts'
import type { Candle } from '../../parts/candles.ts'
import type { Series } from '../../parts/chart.ts'
import type { VNode } from '../../kit/html.ts'
import type { Row } from '../data/shapes.ts'

/** Bars as the API has them, in the order of time: candles of one symbol, the closing prices of several. */
export function BarsView ({ title, rows, keys }: { readonly title: string, readonly rows: readonly Row[], readonly keys: readonly string[] }): VNode {
  const groups = useMemo(() => Map.groupBy(rows.filter(({ close }) => close !== null), row => keys.map(key => String(row[key])).join(' ')), [rows, keys])
  const candles = useMemo(() => groups.size > 1 ? [] : [...groups.values()].flat().map(candleOf), [groups])
  const series = useMemo(() => groups.size > 1 ? [...groups].map(([label, bars]): Series => ({ label, points: bars.map(({ time, close }) => [Date.parse(String(time)), Number(close)]) })) : [], [groups])
  if (groups.size <= 1) return html`<${Candles} title=${[title, ...groups.keys()].join(' ')} bars=${candles} />`
  return html`<${Chart} title=${`${title}: closing prices`} series=${series} height=${360} zero=${false} />
    ${series.length > SERIES_MAX && html`<p class="faint small">The first ${SERIES_MAX} of ${series.length} symbols are drawn; the table has all.</p>`}`
}

function candleOf ({ time, open, high, low, close, volume }: Row): Candle {
  const price = (value: unknown): number => Number(value ?? close)
  return { at: Date.parse(String(time)), open: price(open), high: price(high), low: price(low), close: price(close), volume: volume === null || volume === undefined ? undefined : Number(volume) }
}
