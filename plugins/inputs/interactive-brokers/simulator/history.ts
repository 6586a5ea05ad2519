import type { Gateway } from './gateway.ts'
import type { Bar, Source } from './replay.ts'

/** An answer of /iserver/marketdata/history and of smh. */
export interface History {
  readonly serverId: string
  readonly barLength: number
  readonly data: readonly { readonly o: number, readonly c: number, readonly h: number, readonly l: number, readonly v: number, readonly t: number }[]
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const barsMs: Record<string, number> = {
  ...Object.fromEntries([1, 2, 3, 5, 10, 15, 30].map(n => [`${n}min`, n * minuteMs])),
  ...Object.fromEntries([1, 2, 3, 4, 8].map(n => [`${n}h`, n * hourMs])),
  '1d': dayMs,
  '1w': 7 * dayMs,
  '1m': 30 * dayMs
}
const periodsMs: Record<string, { readonly ms: number, readonly max: number }> = {
  min: { ms: minuteMs, max: 30 },
  h: { ms: hourMs, max: 8 },
  d: { ms: dayMs, max: 1000 },
  w: { ms: 7 * dayMs, max: 792 },
  m: { ms: 30 * dayMs, max: 182 },
  y: { ms: 365 * dayMs, max: 15 }
}
/** The smallest bar of a period: longer periods have no small bars. */
const smallestBars: ReadonlyArray<{ readonly periodMs: number, readonly barMs: number }> = [
  { periodMs: dayMs, barMs: minuteMs },
  { periodMs: 7 * dayMs, barMs: 10 * minuteMs },
  { periodMs: 31 * dayMs, barMs: hourMs },
  { periodMs: 93 * dayMs, barMs: 2 * hourMs },
  { periodMs: 184 * dayMs, barMs: 4 * hourMs },
  { periodMs: 366 * dayMs, barMs: 8 * hourMs },
  { periodMs: 3 * 366 * dayMs, barMs: dayMs },
  { periodMs: Infinity, barMs: 7 * dayMs }
]
const pointsMax = 1000
const sources: ReadonlySet<string> = new Set(['trades', 'midpoint', 'bid_ask'])

/** Bars computed from the very ticks that are streamed, oldest first, the last one as far as it has come. */
export function answerHistory (gateway: Gateway, query: ReadonlyMap<string, string>): History | { readonly error: string } {
  const instrument = gateway.instruments.get(Number.parseInt(query.get('conid') ?? ''))
  if (instrument === undefined) return { error: 'Chart data unavailable' }
  const periodMs = toPeriod(query.get('period') ?? '1w')
  const untilMs = toUntil(query.get('startTime'))
  if (periodMs === undefined || untilMs === undefined) return { error: 'Bad Request: invalid period or startTime' }
  // A bar text that is not known is not refused; the real API then takes four hours.
  const barMs = barsMs[query.get('bar') ?? '1d'] ?? 4 * hourMs
  if (barMs < smallestBars.find(step => periodMs <= step.periodMs)!.barMs) return { error: 'Bad Request: the bar is too small for the period' }
  const given = (query.get('source') ?? 'trades').toLowerCase()
  const source = (sources.has(given) ? given : 'trades') as Source
  const fromMs = Math.floor((untilMs - periodMs) / barMs) * barMs
  const bars: { t: number, bar: Bar }[] = []
  for (let t = Math.max(fromMs, Math.ceil(untilMs / barMs - pointsMax) * barMs); t < untilMs; t += barMs) {
    const bar = instrument.replay.barOf(t, Math.min(t + barMs, untilMs), source)
    if (bar !== undefined) bars.push({ t, bar })
  }
  return describe({ serverId: gateway.nextServerId(), symbol: instrument.symbol, name: instrument.name, barMs, query, bars })
}

interface Description {
  readonly serverId: string
  readonly symbol: string
  readonly name: string
  readonly barMs: number
  readonly query: ReadonlyMap<string, string>
  readonly bars: readonly { readonly t: number, readonly bar: Bar }[]
}

function describe ({ serverId, symbol, name, barMs, query, bars }: Description): History & { readonly [field: string]: unknown } {
  const priceFactor = 100
  const summary = (pick: (bar: Bar) => number, choose: (a: number, b: number) => boolean) => {
    const best = bars.reduce<{ t: number, bar: Bar } | undefined>((a, b) => a === undefined || choose(pick(b.bar), pick(a.bar)) ? b : a, undefined)
    if (best === undefined) return '0/0/0'
    return `${Math.round(pick(best.bar) * priceFactor)}/${best.bar.volume}/${Math.round((best.t - bars[0]!.t) / minuteMs)}`
  }
  const startTime = stamp(bars[0]?.t ?? Date.now())
  return {
    serverId,
    symbol,
    text: name,
    priceFactor,
    startTime,
    high: summary(bar => bar.high, (a, b) => a > b),
    low: summary(bar => bar.low, (a, b) => a < b),
    timePeriod: query.get('period') ?? '1w',
    barLength: barMs / 1000,
    mdAvailability: 'S',
    mktDataDelay: 0,
    outsideRth: query.get('outsideRth')?.toLowerCase() === 'true',
    tradingDayDuration: 1440,
    volumeFactor: 1,
    priceDisplayRule: 1,
    priceDisplayValue: '2',
    chartPanStartTime: startTime,
    direction: -1,
    negativeCapable: false,
    messageVersion: 2,
    data: bars.map(({ t, bar }) => ({ o: bar.open, c: bar.close, h: bar.high, l: bar.low, v: bar.volume, t })),
    points: Math.max(0, bars.length - 1),
    travelTime: 48
  }
}

function toPeriod (text: string): number | undefined {
  const match = /^(\d+)(min|h|d|w|m|y)$/.exec(text)
  const unit = periodsMs[match?.[2] ?? '']
  const count = Number(match?.[1])
  return unit === undefined || count < 1 || count > unit.max ? undefined : count * unit.ms
}

/** `startTime` is where the period ends: the recorded answers reach back from it. */
function toUntil (text: string | undefined): number | undefined {
  const now = Date.now()
  if (text === undefined) return now
  const match = /^(\d{4})(\d\d)(\d\d)-(\d\d:\d\d:\d\d)$/.exec(text)
  const time = match === null ? Number.NaN : Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}Z`)
  return Number.isNaN(time) ? undefined : Math.min(time, now)
}

function stamp (timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/-/g, '').replace('T', '-').slice(0, 17)
}
