import type { RecordedBar, Recording } from './recording.ts'

/*
 * The replay of one instrument, as a function of time: it holds no state, so a stream, a snapshot and a history bar
 * of the same moment can never disagree.
 *
 *   recording   | bar 0       | bar 1       | ... | bar n-1     | bar 0 again ...
 *   bar         o . . . . . . . l . . . . . . . h . . . . . . c .      48 ticks; l and h swapped when the bar falls
 *   tick        0 1 2 3 ...     16              32            46 47
 *
 * Even ticks are trades. Ticks 0, 16, 32 and 46 trade at the recorded open, extremes and close; those between lie on
 * the straight line plus a deterministic jitter inside [low, high]. Odd ticks move only the quote. The recorded volume
 * is dealt evenly to the 24 trades. Bid, ask and sizes are derived from a hash of the tick's number.
 */
const ticksPerBar = 48
const tradesPerBar = ticksPerBar / 2
const anchors = [0, 16, 32, 46] as const
const hundredth = 100 // prices are in cents

/** The market in one instrument at one moment. */
export interface Quote {
  readonly last: number
  readonly lastSize: number
  readonly bid: number
  readonly ask: number
  readonly bidSize: number
  readonly askSize: number
  readonly volume: number // of the recorded day so far
  readonly open: number
  readonly high: number
  readonly low: number
  readonly priorClose: number
}

/** What history is made of; `trades` is computed from the very ticks that are streamed. */
export interface Bar {
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
}

/** Which prices a bar of history is made of. */
export type Source = 'trades' | 'midpoint' | 'bid_ask'

export interface ReplayOptions {
  readonly anchorMs: number // the wall-clock time at which bar 0 begins
  readonly speed: number
  readonly seed: number
}

/** Can be asked for any time, in any order. */
export class Replay {
  readonly #bars: readonly RecordedBar[]
  readonly #firstOfDay: readonly number[] // for each bar, the index of the first bar of its day
  readonly #volumeBefore: readonly number[] // recorded volume of all bars before this one
  readonly #loop: { readonly high: number, readonly low: number, readonly volume: number }
  readonly #anchorMs: number
  readonly #tickMs: number
  readonly #phaseMs: number
  readonly #seed: number

  constructor ({ symbol, bars, barMs }: Recording, { anchorMs, speed, seed }: ReplayOptions) {
    this.#bars = bars
    this.#seed = hash(seed, [...symbol].reduce((sum, letter) => sum * 31 + letter.codePointAt(0)!, 7) | 0)
    this.#anchorMs = anchorMs
    this.#tickMs = barMs / ticksPerBar / speed
    // Instruments do not tick in step; the phase is below one tick, so a bar's ticks stay inside the bar.
    this.#phaseMs = Math.floor(unit(this.#seed, 1) * this.#tickMs)
    let volume = 0
    this.#volumeBefore = bars.map(bar => (volume += bar.volume) - bar.volume)
    let first = 0
    this.#firstOfDay = bars.map((bar, i) => (first = i > 0 && bar.day === bars[first]!.day ? first : i))
    this.#loop = { high: Math.max(...bars.map(bar => bar.high)), low: Math.min(...bars.map(bar => bar.low)), volume }
  }

  /** The number of the last tick at or before this time; negative before the anchor. */
  tickAt (timeMs: number): number {
    return Math.floor((timeMs - this.#anchorMs - this.#phaseMs) / this.#tickMs)
  }

  /** When the first tick after this time happens. */
  nextTickAt (timeMs: number): number {
    return Math.ceil(this.#anchorMs + this.#phaseMs + (this.tickAt(timeMs) + 1) * this.#tickMs)
  }

  quoteAt (timeMs: number): Quote {
    const tick = this.tickAt(timeMs)
    const { bar, step, i } = this.#locate(tick)
    const even = step - step % 2
    const day = this.#dayUntil(i, step)
    const priorClose = this.#bars[(this.#firstOfDay[i]! + this.#bars.length - 1) % this.#bars.length]!.close
    return { ...this.#bookAt(tick), lastSize: dealt(bar.volume, even + 1) - dealt(bar.volume, even), priorClose, ...day }
  }

  /** The bar of all ticks in [fromMs, untilMs), or undefined when there is none. */
  barOf (fromMs: number, untilMs: number, source: Source): Bar | undefined {
    const first = this.tickAt(fromMs - 1) + 1
    const last = this.tickAt(untilMs - 1)
    if (last < first) return undefined
    return source === 'trades' ? this.#tradesOf(first, last) : this.#quotesOf({ first, last, source })
  }

  #tradesOf (first: number, last: number): Bar {
    const volume = this.#volumeUntil(last) - this.#volumeUntil(first - 1)
    const open = this.#tradeAt(first)
    const close = this.#tradeAt(last)
    if (last - first >= this.#bars.length * ticksPerBar) return { open, high: this.#loop.high, low: this.#loop.low, close, volume }
    let high = open
    let low = open
    for (let tick = first; tick <= last;) {
      const { bar, step } = this.#locate(tick)
      const whole = step === 0 && last - tick >= ticksPerBar - 1
      high = Math.max(high, whole ? bar.high : this.#tradeAt(tick))
      low = Math.min(low, whole ? bar.low : this.#tradeAt(tick))
      tick += whole ? ticksPerBar : 1
    }
    return { open, high, low, close, volume }
  }

  /** Bars of quotes look at 97 ticks at most: a week of ticks for each of 1,000 bars would hold up the streams. */
  #quotesOf ({ first, last, source }: { first: number, last: number, source: 'midpoint' | 'bid_ask' }): Bar {
    const stride = Math.max(1, Math.ceil((last - first) / 96))
    const ticks = Array.from({ length: Math.floor((last - first) / stride) + 1 }, (_, i) => this.#bookAt(first + i * stride))
    if (ticks.length === 0 || (last - first) % stride !== 0) ticks.push(this.#bookAt(last))
    if (source === 'bid_ask') return spreadOf(ticks)
    const mids = ticks.map(({ bid, ask }) => (bid + ask) / 2)
    return { open: mids[0]!, high: Math.max(...mids), low: Math.min(...mids), close: mids.at(-1)!, volume: 0 }
  }

  #locate (tick: number): { bar: RecordedBar, step: number, i: number } {
    const i = modulo(Math.floor(tick / ticksPerBar), this.#bars.length)
    return { bar: this.#bars[i]!, step: modulo(tick, ticksPerBar), i }
  }

  /** The price of the last trade at this tick. */
  #tradeAt (tick: number): number {
    const { bar, step } = this.#locate(tick)
    const even = step - step % 2
    const falls = bar.close < bar.open
    const prices = [bar.open, falls ? bar.high : bar.low, falls ? bar.low : bar.high, bar.close]
    const anchor = anchors.findLastIndex(position => position <= even)
    if (anchors[anchor] === even || anchor === 3) return prices[anchor]!
    const share = (even - anchors[anchor]!) / (anchors[anchor + 1]! - anchors[anchor]!)
    const jitter = (unit(this.#seed, tick - step % 2) - 0.5) * 0.2 * (bar.high - bar.low)
    const price = prices[anchor]! + share * (prices[anchor + 1]! - prices[anchor]!) + jitter
    return Math.min(bar.high, Math.max(bar.low, Math.round(price * hundredth) / hundredth))
  }

  #bookAt (tick: number): Pick<Quote, 'last' | 'bid' | 'ask' | 'bidSize' | 'askSize'> {
    const last = this.#tradeAt(tick)
    const random = hash(this.#seed, tick)
    const spread = Math.max(1, Math.round(last * (1 + random % 3) / hundredth)) // 1 to 3 basis points, in cents
    const below = (random >>> 4) % (spread + 1)
    const bid = Math.round(last * hundredth - below) / hundredth
    return { last, bid, ask: Math.round(bid * hundredth + spread) / hundredth, bidSize: 1 + (random >>> 8) % 30, askSize: 1 + (random >>> 16) % 30 }
  }

  #dayUntil (i: number, step: number): Pick<Quote, 'open' | 'high' | 'low' | 'volume'> {
    const first = this.#firstOfDay[i]!
    const before = this.#bars.slice(first, i)
    const current = Array.from({ length: step + 1 }, (_, n) => this.#tradeAt(i * ticksPerBar + n))
    return {
      open: this.#bars[first]!.open,
      high: Math.max(...before.map(bar => bar.high), ...current),
      low: Math.min(...before.map(bar => bar.low), ...current),
      volume: this.#volumeBefore[i]! - this.#volumeBefore[first]! + dealt(this.#bars[i]!.volume, step + 1)
    }
  }

  #volumeUntil (tick: number): number {
    const { bar, step, i } = this.#locate(tick)
    const loops = Math.floor(tick / (ticksPerBar * this.#bars.length))
    return loops * this.#loop.volume + this.#volumeBefore[i]! + dealt(bar.volume, step + 1)
  }
}

/** What the first `steps` ticks of a bar traded: even ticks trade, and the sum over all of them is the recorded volume. */
function dealt (volume: number, steps: number): number {
  return Math.floor(volume * Math.ceil(steps / 2) / tradesPerBar)
}

/** Interactive Brokers' BID_ASK bar: open is the average bid, close the average ask, low the lowest bid, high the highest ask. */
function spreadOf (ticks: readonly { readonly bid: number, readonly ask: number }[]): Bar {
  const bids = ticks.map(tick => tick.bid)
  const asks = ticks.map(tick => tick.ask)
  const average = (values: readonly number[]) => Math.round(values.reduce((sum, value) => sum + value, 0) / values.length * 10_000) / 10_000
  return { open: average(bids), high: Math.max(...asks), low: Math.min(...bids), close: average(asks), volume: 0 }
}

function modulo (value: number, by: number): number {
  return ((value % by) + by) % by
}

/** A 32-bit mix of two numbers: the same on every machine, and no state to carry. */
function hash (seed: number, n: number): number {
  let x = (seed ^ Math.imul(n | 0, 0x9e3779b1)) | 0
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}

function unit (seed: number, n: number): number {
  return hash(seed, n) / 2 ** 32
}
