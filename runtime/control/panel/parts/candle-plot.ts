// Draws candles with lightweight-charts; loaded by candles.ts. Its own logo is left out, because it would bring a style
// element that the page's policy refuses: the link that its licence asks for stands below the chart.

import { CandlestickSeries, createChart, HistogramSeries } from 'lightweight-charts'
import type { UTCTimestamp } from 'lightweight-charts'
import type { Candle } from './candles.ts'

/** Draws into an element, follows its width, and returns what takes the drawing away. */
export function plotCandles (element: HTMLElement, { bars, height }: { readonly bars: readonly Candle[], readonly height: number }): () => void {
  const style = getComputedStyle(element)
  const colour = (name: string): string => style.getPropertyValue(name).trim()
  const [up, down] = [colour('--rise'), colour('--fall')]
  const chart = createChart(element, {
    height,
    autoSize: true,
    layout: { background: { color: 'transparent' }, textColor: colour('--faint'), fontFamily: style.fontFamily, fontSize: 11, attributionLogo: false },
    grid: { vertLines: { color: colour('--line') }, horzLines: { color: colour('--line') } },
    timeScale: { timeVisible: true, borderColor: colour('--line') },
    rightPriceScale: { borderColor: colour('--line') }
  })
  chart.addSeries(CandlestickSeries, { upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false })
    .setData(bars.map(({ at, open, high, low, close }) => ({ time: at / 1000 as UTCTimestamp, open, high, low, close })))
  if (bars.some(({ volume }) => volume !== undefined)) {
    const volumes = chart.addSeries(HistogramSeries, { priceScaleId: 'volume', color: colour('--line-strong'), priceFormat: { type: 'volume' }, lastValueVisible: false, priceLineVisible: false })
    volumes.setData(bars.map(({ at, volume }) => ({ time: at / 1000 as UTCTimestamp, value: volume ?? 0 })))
    chart.priceScale('volume').applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } })
  }
  chart.timeScale().fitContent()
  return () => chart.remove()
}
